use super::backbone::Skip;
use super::scalar::Scalar;
use super::time_embedding::TimeEmbedding;
use crate::networks::Mlp;
use triflow::prelude::*;

triflow::component! {
    /// The gradient of a scalar potential, times a sign: sign·∇V(z).
    ///
    /// Its Jacobian in z is symmetric, so that it has no curl; neither has the best prediction of
    /// any objective, since the mean of the data given z is a gradient. Over a convex network the
    /// field expands (sign 1) or contracts (sign -1).
    pub struct Potential: Crn = "potential" {
        /// The potential V, a network with one output.
        pub network: Component<dyn Network> = Mlp::default().into(),
        /// Features of time.
        pub time_embedding: TimeEmbedding = TimeEmbedding::default(),
        /// Sign of the gradient, 1 or -1; it matters over convex networks only.
        pub sign: i64 = -1,
        /// Add s(t)·z with s(t) = (w·φ(t) + b)/√dim over the features φ of time (sines, then
        /// cosines); w and b start at zero.
        pub skip: bool = false,
    }
}

impl Spec<dyn Crn> for Potential {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Crn>> {
        if self.sign.abs() != 1 {
            return Err(Error::config("sign", format!("needs 1 or -1, got {}", self.sign)));
        }
        Ok(Box::new(SignedGradient {
            potential: Scalar::new(&self.network, &self.time_embedding, ctx, 1..=1)?,
            sign: self.sign,
            skip: Skip::new(self.skip, &self.time_embedding, ctx),
        }))
    }
}

struct SignedGradient {
    potential: Scalar,
    sign: i64,
    skip: Skip,
}

impl Crn for SignedGradient {
    fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor> {
        let time = self.potential.time_features(input);
        let gradient = differentiate(input.z, |z| {
            z.gradient(&self.potential.value(z.value(), &time, input, pass)?, false)
        })?;
        Ok(self.skip.add(gradient * self.sign, &time, input.z))
    }

    fn sense(&self) -> Result<Option<Sense>> {
        let otherwise = format!("set `crn.sign: {}`", -self.sign);
        let sense = Sense { rising: self.sign > 0, otherwise };
        Ok(self.potential.is_convex()?.then_some(sense))
    }
}
