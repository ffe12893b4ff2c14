use crate::tables::Scale;
use triflow::prelude::*;

triflow::component! {
    /// Rows of a table with one-hot categories of mean 0 and variance 1; numbers stay as they are.
    ///
    /// An entry x of one of K categories becomes (x − 1/K)·K/√(K − 1), which has mean 0 and
    /// variance 1 where all K are equally frequent: ±1 for two. Its decoder is `one_hot`.
    pub struct OneHot: Encoder = "one_hot" {}
}

impl Spec<dyn Encoder> for OneHot {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Encoder>> {
        let scale = Scale::new(ctx, "encoder `one_hot`")?;
        Ok(Box::new(OneHotEncoder { scale, latent: ctx.target_shape.clone() }))
    }
}

struct OneHotEncoder {
    scale: Scale,
    latent: Vec<i64>,
}

impl Encoder for OneHotEncoder {
    fn latent_shape(&self) -> Result<Vec<i64>> {
        Ok(self.latent.clone())
    }

    fn encode(&self, target: &Tensor, _: Pass) -> Result<Posterior> {
        Ok(Posterior { mean: self.scale.apply(target), log_variance: None })
    }

    fn origins(&self) -> Result<Option<Vec<i64>>> {
        Ok(Some((0..self.latent.iter().product()).collect()))
    }

    fn decoder(&self) -> Result<Option<String>> {
        Ok(Some("one_hot".to_owned()))
    }
}
