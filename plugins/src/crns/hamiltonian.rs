use super::backbone::Skip;
use super::scalar::Scalar;
use super::time_embedding::TimeEmbedding;
use crate::layers::{flatten, numel};
use crate::networks::Mlp;
use triflow::prelude::*;

triflow::component! {
    /// The Hamiltonian field of a scalar H: (∂H/∂p, −∂H/∂q) for z = (q, p).
    ///
    /// Its divergence is zero: as a velocity it preserves volumes, and H too where H does not
    /// depend on time. A flow that preserves volumes preserves the values of densities, so that it
    /// cannot contract broad noise to narrow data; with `skip`, all volumes change at one rate.
    pub struct Hamiltonian: Crn = "hamiltonian" {
        /// The Hamiltonian H, a network with one output.
        pub network: Component<dyn Network> = Mlp::default().into(),
        /// Features of time.
        pub time_embedding: TimeEmbedding = TimeEmbedding::default(),
        /// Add s(t)·z (friction) with s(t) = (w·φ(t) + b)/√dim over the features φ of time (sines,
        /// then cosines); w and b start at zero. Volumes are then no longer preserved.
        pub skip: bool = false,
    }
}

impl Spec<dyn Crn> for Hamiltonian {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Crn>> {
        let shape = ctx.latent()?;
        if numel(shape) % 2 != 0 {
            return Err(Error::config(
                "",
                format!(
                    "`hamiltonian` splits z into positions and momenta, and needs an even number \
                     of entries; z of {} has {}",
                    shape_text(shape),
                    numel(shape)
                ),
            )
            .help(
                "set a `latent_shape` with an even number of entries and an encoder, or use \
                 `vanilla`",
            ));
        }
        Ok(Box::new(HamiltonianField {
            energy: Scalar::new(&self.network, &self.time_embedding, ctx, 1..=1)?,
            half: numel(shape) / 2,
            skip: Skip::new(self.skip, &self.time_embedding, ctx),
        }))
    }
}

struct HamiltonianField {
    energy: Scalar,
    half: i64,
    skip: Skip,
}

impl Crn for HamiltonianField {
    fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor> {
        let time = self.energy.time_features(input);
        let gradient = differentiate(input.z, |z| {
            z.gradient(&self.energy.value(z.value(), &time, input, pass)?, false)
        })?;
        let gradient = flatten(&gradient);
        let dq = gradient.narrow(1, 0, self.half);
        let dp = gradient.narrow(1, self.half, self.half);
        let field = Tensor::cat(&[dp, dq.neg()], 1).view_as(input.z);
        Ok(self.skip.add(field, &time, input.z))
    }
}
