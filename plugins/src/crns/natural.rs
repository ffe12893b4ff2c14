//! The natural gradient of a convex potential.

use super::backbone::Skip;
use super::scalar::Scalar;
use super::solve::solve;
use super::time_embedding::TimeEmbedding;
use crate::networks::Convex;
use triflow::prelude::*;

triflow::component! {
    /// The natural gradient of a convex potential: −(H + δ·I)⁻¹·∇V with H = Hess V(z).
    ///
    /// It is Newton's step towards the lowest point of V, whatever its scale. The matrix has to be positive
    /// definite, which a convex network sees to. Up to 64 entries of z it is made, and solved by Cholesky's
    /// decomposition; above, by conjugate gradients from Hessian-vector products.
    #[reference = "Amari 1998, Natural gradient works efficiently in learning"]
    pub struct Natural: Crn, CrnSpec = "natural" {
        /// The potential V, a convex network with one output.
        pub network: Component<dyn Network> = Convex::default().into(),
        /// Features of time.
        pub time_embedding: TimeEmbedding = TimeEmbedding::default(),
        /// δ, above 0: what is added to the Hessian's diagonal.
        pub delta: f64 = 0.01,
        /// Whether s(t)·z is added, s(t) = (w·φ(t) + b)/√dim over the features φ of time, sines before cosines;
        /// w and b start at zero.
        pub skip: bool = false,
    }
}

impl Spec<dyn Crn> for Natural {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Crn>> {
        if !(self.delta.is_finite() && self.delta > 0.0) {
            return Err(Error::config(
                "delta",
                format!("needs a number above 0, got {}", self.delta),
            ));
        }
        let potential = Scalar::new(&self.network, &self.time_embedding, ctx, 1..=2)?;
        if !potential.is_convex()? {
            let name = self.network.name();
            return Err(Error::config(
                "network",
                format!(
                    "`natural` divides by the Hessian of the network, which has to be positive definite; that \
                     of `{name}` need not be"
                ),
            )
            .help("use a network that is convex in z, as `convex`, or the CRN `potential`"));
        }
        Ok(Box::new(Newton {
            potential,
            delta: self.delta,
            skip: Skip::new(self.skip, &self.time_embedding, ctx),
        }))
    }
}

struct Newton {
    potential: Scalar,
    delta: f64,
    skip: Skip,
}

impl Crn for Newton {
    fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor> {
        let time = self.potential.time(input);
        let step = differentiate(input.z, |z| {
            let slope = z.gradient(&self.potential.at(z.value(), &time, input, pass)?, true)?;
            solve(z, &slope, self.delta)
        })?;
        Ok(self.skip.add(step.neg(), &time, input.z))
    }
}
