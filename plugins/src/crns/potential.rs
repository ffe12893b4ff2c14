//! The gradient of a potential.

use super::backbone::Skip;
use super::scalar::Scalar;
use super::time_embedding::TimeEmbedding;
use crate::networks::Mlp;
use triflow::prelude::*;

triflow::component! {
    /// The gradient of a scalar potential, times a sign: sign·∇V(z).
    ///
    /// Its Jacobian in z is symmetric, so it has no curl; neither has what the objectives predict at best
    /// (the mean of the data given z is a gradient). Over a convex network
    /// the sign decides whether ∇V spreads (1) or gathers (-1).
    pub struct Potential: Crn, CrnSpec = "potential" {
        /// The potential V, a network with one output.
        pub network: Component<dyn Network> = Mlp::default().into(),
        /// Features of time.
        pub time_embedding: TimeEmbedding = TimeEmbedding::default(),
        /// 1 or -1. It matters over convex networks alone.
        pub sign: i64 = -1,
        /// Whether s(t)·z is added, s(t) = (w·φ(t) + b)/√dim over the features φ of time, sines before cosines;
        /// w and b start at zero.
        pub skip: bool = false,
    }
}

impl Spec<dyn Crn> for Potential {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Crn>> {
        if self.sign.abs() != 1 {
            return Err(Error::config("sign", format!("needs 1 or -1, got {}", self.sign)));
        }
        Ok(Box::new(Slope {
            potential: Scalar::new(&self.network, &self.time_embedding, ctx, 1..=1)?,
            sign: self.sign,
            skip: Skip::new(self.skip, &self.time_embedding, ctx),
        }))
    }
}

struct Slope {
    potential: Scalar,
    sign: i64,
    skip: Skip,
}

impl Crn for Slope {
    fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor> {
        let time = self.potential.time(input);
        let slope = differentiate(input.z, |z| {
            z.gradient(&self.potential.at(z.value(), &time, input, pass)?, false)
        })?;
        Ok(self.skip.add(slope * self.sign, &time, input.z))
    }

    fn sense(&self) -> Result<Option<Sense>> {
        let otherwise = format!("set `crn.sign: {}`", -self.sign);
        let sense = Sense { rising: self.sign > 0, otherwise };
        Ok(self.potential.is_convex()?.then_some(sense))
    }
}
