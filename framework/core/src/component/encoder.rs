//! Encoders: from the target to the latent z_1.

use super::{BuildContext, Pass};
use crate::component_kind;
use tch::Tensor;

/// The law of z_1 given the target: a normal, or a point where `log_variance` is `None`.
#[derive(Debug)]
pub struct Posterior {
    /// `[batch, …z_shape]`.
    pub mean: Tensor,
    /// `[batch, …z_shape]`, clamped to [−20, 10]; `None` for a deterministic encoder.
    pub log_variance: Option<Tensor>,
}

impl Posterior {
    /// A draw z_1 = mean + exp(log_variance / 2)·ξ; the mean itself of a deterministic encoder.
    pub fn sample(&self) -> Tensor {
        match &self.log_variance {
            Some(l) => &self.mean + (l * 0.5).exp() * self.mean.randn_like(),
            None => self.mean.shallow_clone(),
        }
    }
}

component_kind! {
    /// From the target to the latent.
    kind "encoder", spec EncoderSpec, context<'a> BuildContext<'a>;

    /// Maps targets `[batch, …target_shape]` to latents `[batch, …z_shape]`.
    pub trait Encoder {
        /// The shape of one latent.
        fn latent_shape(&self) -> Result<Vec<i64>>;
        /// The law of z_1 given the target.
        fn encode(&self, target: &Tensor, pass: Pass) -> Result<Posterior>;
    }

    provided {
        /// Whether a latent is its target, as it is: whoever needs latents of all rows takes the rows then.
        fn is_identity(&self) -> Result<bool> {
            Ok(false)
        }
    }
}
