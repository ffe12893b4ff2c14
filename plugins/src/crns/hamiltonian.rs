//! Hamilton's equations.

use super::backbone::Skip;
use super::scalar::Scalar;
use super::time_embedding::TimeEmbedding;
use crate::layers::{flatten, numel};
use crate::networks::Mlp;
use triflow::prelude::*;

triflow::component! {
    /// Hamilton's equations: for z = (q, p) the field (∂H/∂p, −∂H/∂q) of a scalar H(z).
    ///
    /// Its divergence is zero: as a velocity it keeps volumes, and H where H does not depend on time. A flow that
    /// keeps volumes keeps the values of densities, so it cannot make broad noise into narrow data; `skip` lets
    /// volumes change, all at the same rate.
    pub struct Hamiltonian: Crn, CrnSpec = "hamiltonian" {
        /// The Hamiltonian H, a network with one output.
        pub network: Component<dyn Network> = Mlp::default().into(),
        /// Features of time.
        pub time_embedding: TimeEmbedding = TimeEmbedding::default(),
        /// Whether s(t)·z is added (friction), s(t) = (w·φ(t) + b)/√dim over the features φ of time, sines before
        /// cosines; w and b start at zero. The field keeps
        /// volumes no longer.
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
                    "`hamiltonian` splits z into positions and momenta, and needs an even number of entries; \
                     z of {} has {}",
                    shape_text(shape),
                    numel(shape)
                ),
            )
            .help("set a `latent_shape` with an even number of entries and an encoder, or use `vanilla`"));
        }
        Ok(Box::new(Phase {
            energy: Scalar::new(&self.network, &self.time_embedding, ctx, 1..=1)?,
            half: numel(shape) / 2,
            skip: Skip::new(self.skip, &self.time_embedding, ctx),
        }))
    }
}

struct Phase {
    energy: Scalar,
    half: i64,
    skip: Skip,
}

impl Crn for Phase {
    fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor> {
        let time = self.energy.time(input);
        let slope = differentiate(input.z, |z| {
            z.gradient(&self.energy.at(z.value(), &time, input, pass)?, false)
        })?;
        let slope = flatten(&slope);
        let (of_q, of_p) = (slope.narrow(1, 0, self.half), slope.narrow(1, self.half, self.half));
        let field = Tensor::cat(&[of_p, of_q.neg()], 1).view_as(input.z);
        Ok(self.skip.add(field, &time, input.z))
    }
}
