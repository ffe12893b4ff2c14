use super::backbone::Skip;
use super::scalar::Scalar;
use super::solve::solve;
use super::time_embedding::TimeEmbedding;
use crate::networks::Convex;
use triflow::prelude::*;

triflow::component! {
    /// The natural gradient of a convex potential: −(H + δ·I)⁻¹·∇V with H = Hess V(z).
    ///
    /// It is Newton's step towards the minimum of V, whatever the scale of V. A convex network
    /// makes the matrix positive definite. For z of up to 64 entries the matrix is computed and the
    /// system solved by Cholesky's decomposition, above by conjugate gradients over Hessian-vector
    /// products.
    #[reference = "Amari 1998, Natural gradient works efficiently in learning"]
    pub struct Natural: Crn = "natural" {
        /// The potential V, a convex network with one output.
        pub network: Component<dyn Network> = Convex::default().into(),
        /// Features of time.
        pub time_embedding: TimeEmbedding = TimeEmbedding::default(),
        /// Damping δ, added to the diagonal of the Hessian.
        #[range(above = 0)]
        pub delta: f64 = 0.01,
        /// Add s(t)·z with s(t) = (w·φ(t) + b)/√dim over the features φ of time (sines, then
        /// cosines); w and b start at zero.
        pub skip: bool = false,
    }
}

impl Spec<dyn Crn> for Natural {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Crn>> {
        let potential = Scalar::new(&self.network, &self.time_embedding, ctx, 1..=2)?;
        if !potential.is_convex()? {
            let name = self.network.name();
            return Err(Error::config(
                "network",
                format!(
                    "`natural` inverts the Hessian of the network, which has to be positive \
                     definite; that of `{name}` need not be"
                ),
            )
            .help("use a network that is convex in z, such as `convex`, or the CRN `potential`"));
        }
        Ok(Box::new(NaturalGradient {
            potential,
            delta: self.delta,
            skip: Skip::new(self.skip, &self.time_embedding, ctx),
        }))
    }
}

struct NaturalGradient {
    potential: Scalar,
    delta: f64,
    skip: Skip,
}

impl Crn for NaturalGradient {
    fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor> {
        let time = self.potential.time_features(input);
        let step = differentiate(input.z, |z| {
            let value = self.potential.value(z.value(), &time, input, pass)?;
            solve(z, &z.gradient(&value, true)?, self.delta)
        })?;
        Ok(self.skip.add(step.neg(), &time, input.z))
    }
}
