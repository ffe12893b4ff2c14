use crate::tables::Scale;
use triflow::prelude::*;

triflow::component! {
    /// Rows of a table from latents of the encoder `one_hot`, whose scale it undoes; the largest
    /// entry of a category wins.
    pub struct OneHot: Decoder = "one_hot" {}
}

impl Spec<dyn Decoder> for OneHot {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Decoder>> {
        let given = ctx.latent()?;
        if *given != ctx.target_shape {
            let message = format!(
                "decoder `one_hot` needs latents of the target's shape {}, and the encoder gives {}",
                shape_text(&ctx.target_shape),
                shape_text(given)
            );
            return Err(Error::config("", message).help("choose the encoder `one_hot`"));
        }
        Ok(Box::new(OneHotDecoder { scale: Scale::new(ctx, "decoder `one_hot`")? }))
    }
}

struct OneHotDecoder {
    scale: Scale,
}

impl Decoder for OneHotDecoder {
    fn decode(&self, z: &Tensor, _: Pass) -> Result<Tensor> {
        Ok(self.scale.undo(z))
    }

    fn likelihood(&self) -> Result<Likelihood> {
        Ok(Likelihood::Gaussian)
    }

    fn encoder(&self) -> Result<Option<String>> {
        Ok(Some("one_hot".to_owned()))
    }
}
