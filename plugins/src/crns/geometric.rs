//! The Hessian of a potential along a direction that the condition gives.

use super::backbone::Skip;
use super::scalar::Scalar;
use super::time_embedding::TimeEmbedding;
use crate::layers::{Linear, WeightInit, flatten, numel};
use crate::networks::Mlp;
use triflow::prelude::*;

triflow::component! {
    /// The Hessian of a scalar potential times the condition: Hess V(z)·(P x).
    ///
    /// P x is the condition x itself where it has as many entries as z, else a learned linear map of it; a
    /// learned vector is added, which stands alone where the condition of a row is absent. By a Hessian-vector
    /// product: no Hessian is made.
    pub struct Geometric: Crn, CrnSpec = "geometric" {
        /// The potential V, a network with one output.
        pub network: Component<dyn Network> = Mlp::default().into(),
        /// Features of time.
        pub time_embedding: TimeEmbedding = TimeEmbedding::default(),
        /// Whether s(t)·z is added, s(t) = (w·φ(t) + b)/√dim over the features φ of time, sines before cosines;
        /// w and b start at zero.
        pub skip: bool = false,
    }
}

impl Spec<dyn Crn> for Geometric {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Crn>> {
        let Some(condition) = &ctx.condition_shape else {
            return Err(Error::config(
                "",
                "`geometric` multiplies a Hessian with the condition, and here is none",
            )
            .help("use `potential`, or train with a condition (not `unconditional: true`)"));
        };
        let (from, to) = (numel(condition), numel(ctx.latent()?));
        let vars = ctx.vars.sub("direction");
        Ok(Box::new(Bent {
            potential: Scalar::new(&self.network, &self.time_embedding, ctx, 2..=2)?,
            direction: if from == to {
                Direction::Itself { beside: vars.zeros("bias", &[to]) }
            } else {
                Direction::Mapped(Linear::new(&vars, from, to, WeightInit::LeCun))
            },
            skip: Skip::new(self.skip, &self.time_embedding, ctx),
        }))
    }
}

/// Of the condition, as a vector with the entries of z.
enum Direction {
    Itself { beside: Tensor },
    Mapped(Linear),
}

impl Direction {
    /// `[batch, d]`.
    fn of(&self, condition: &Condition) -> Tensor {
        let value = flatten(&condition.value);
        let value = match &condition.present {
            Some(present) => value * present.view([-1, 1]),
            None => value,
        };
        match self {
            Self::Itself { beside } => value + beside,
            Self::Mapped(linear) => linear.forward(&value),
        }
    }
}

struct Bent {
    potential: Scalar,
    direction: Direction,
    skip: Skip,
}

impl Crn for Bent {
    fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor> {
        let Some(condition) = input.condition else {
            return Err(Error::runtime("`geometric` needs the condition, and none is given"));
        };
        let time = self.potential.time(input);
        let direction = self.direction.of(condition).view_as(input.z);
        let product = differentiate(input.z, |z| {
            let value = self.potential.at(z.value(), &time, input, pass)?;
            z.gradient(&(z.gradient(&value, true)? * &direction), false)
        })?;
        Ok(self.skip.add(product, &time, input.z))
    }
}
