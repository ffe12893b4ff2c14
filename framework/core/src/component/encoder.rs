use super::{BuildContext, Pass};
use crate::component_kind;
use tch::Tensor;

/// Distribution of z_1 given the target: normal, or a point where `log_variance` is `None`.
#[derive(Debug)]
pub struct Posterior {
    /// Mean, `[batch, …z_shape]`.
    pub mean: Tensor,
    /// Log-variance, `[batch, …z_shape]`, clamped to [−20, 10]; `None` for a deterministic encoder.
    pub log_variance: Option<Tensor>,
}

impl Posterior {
    /// A draw z_1 = mean + exp(log_variance / 2)·ξ with ξ from N(0, I); the mean where the encoder
    /// is deterministic.
    pub fn sample(&self) -> Tensor {
        match &self.log_variance {
            Some(l) => &self.mean + (l * 0.5).exp() * self.mean.randn_like(),
            None => self.mean.shallow_clone(),
        }
    }
}

component_kind! {
    /// The map from target to latent.
    kind "encoder", context<'a> BuildContext<'a>;

    /// Maps targets `[batch, …target_shape]` to latents `[batch, …z_shape]`.
    pub trait Encoder {
        /// Shape of one latent, `[…z_shape]`.
        fn latent_shape(&self) -> Result<Vec<i64>>;
        /// Distribution of z_1 given `target`.
        fn encode(&self, target: &Tensor, pass: Pass) -> Result<Posterior>;
    }

    provided {
        /// True if the latent equals the target: the engine then uses the rows of the data set as
        /// latents.
        fn is_identity(&self) -> Result<bool> {
            Ok(false)
        }

        /// For each coordinate of a latent `[width]` the entry of a target `[entries]` that it
        /// shows, or the first one of the category whose embedding it belongs to; `None` if a
        /// coordinate comes from several. Pictures name coordinates by it.
        fn origins(&self) -> Result<Option<Vec<i64>>> {
            let width = self.latent_shape()?.iter().product();
            Ok(self.is_identity()?.then(|| (0..width).collect()))
        }

        /// Name of the decoder without which the latents are no targets, such as that of a code or
        /// a scale of them; `None` if any decoder can read them. A decoder with parameters learns
        /// to read all latents, unless it states [an encoder](super::Decoder::encoder).
        fn decoder(&self) -> Result<Option<String>> {
            Ok(None)
        }
    }
}
