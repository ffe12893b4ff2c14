use super::backbone::Skip;
use super::scalar::Scalar;
use super::time_embedding::TimeEmbedding;
use crate::layers::{Linear, WeightInit, flatten, numel};
use crate::networks::Mlp;
use triflow::prelude::*;

triflow::component! {
    /// The Hessian of a scalar potential times the condition: Hess V(z)·(P x).
    ///
    /// P x is the condition x itself where it has as many entries as z, else a learned linear map
    /// of it, plus a learned vector. Where the condition of a row is absent, the learned vector
    /// stands alone. It takes one Hessian-vector product; the Hessian itself is never computed.
    pub struct Geometric: Crn = "geometric" {
        /// The potential V, a network with one output.
        pub network: Component<dyn Network> = Mlp::default().into(),
        /// Features of time.
        pub time_embedding: TimeEmbedding = TimeEmbedding::default(),
        /// Add s(t)·z with s(t) = (w·φ(t) + b)/√dim over the features φ of time (sines, then
        /// cosines); w and b start at zero.
        pub skip: bool = false,
    }
}

impl Spec<dyn Crn> for Geometric {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Crn>> {
        let Some(condition) = &ctx.condition_shape else {
            return Err(Error::config(
                "",
                "`geometric` multiplies a Hessian with the condition, but the model has none",
            )
            .help("use `potential`, or train with a condition (not `unconditional: true`)"));
        };
        let (from, to) = (numel(condition), numel(ctx.latent()?));
        let vars = ctx.vars.sub("direction");
        Ok(Box::new(HessianProduct {
            potential: Scalar::new(&self.network, &self.time_embedding, ctx, 2..=2)?,
            direction: if from == to {
                Direction::Shifted { shift: vars.zeros("bias", &[to]) }
            } else {
                Direction::Mapped(Linear::new(&vars, from, to, WeightInit::LeCun))
            },
            skip: Skip::new(self.skip, &self.time_embedding, ctx),
        }))
    }
}

/// P: from the condition to a vector with the entries of z.
enum Direction {
    /// The condition plus a learned vector.
    Shifted { shift: Tensor },
    /// A learned affine map of the condition.
    Mapped(Linear),
}

impl Direction {
    /// P x, `[batch, d]`, for z of d entries.
    fn vector(&self, condition: &Condition) -> Tensor {
        let value = flatten(&condition.value);
        let value = match &condition.present {
            Some(present) => value * present.view([-1, 1]),
            None => value,
        };
        match self {
            Self::Shifted { shift } => value + shift,
            Self::Mapped(linear) => linear.forward(&value),
        }
    }
}

struct HessianProduct {
    potential: Scalar,
    direction: Direction,
    skip: Skip,
}

impl Crn for HessianProduct {
    fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor> {
        let Some(condition) = input.condition else {
            return Err(Error::runtime("`geometric` needs the condition, and none is given"));
        };
        let time = self.potential.time_features(input);
        let direction = self.direction.vector(condition).view_as(input.z);
        let product = differentiate(input.z, |z| {
            let value = self.potential.value(z.value(), &time, input, pass)?;
            z.gradient(&(z.gradient(&value, true)? * &direction), false)
        })?;
        Ok(self.skip.add(product, &time, input.z))
    }
}
