use super::{BuildContext, Pass};
use crate::component_kind;
use tch::Tensor;

/// Distribution of the target given a decoder's output: it determines the reconstruction loss and
/// the form of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likelihood {
    /// Values, compared by squared error.
    Gaussian,
    /// Logits over the last axis, compared by cross-entropy and shown through a softmax.
    Categorical,
    /// Values and logits by [the target's blocks](BuildContext::target_blocks): values are compared
    /// by squared error, the logits of each category by cross-entropy.
    Blocks,
}

component_kind! {
    /// The map from latent to target.
    kind "decoder", context<'a> BuildContext<'a>;

    /// Maps latents `[batch, …z_shape]` to targets `[batch, …target_shape]`.
    pub trait Decoder {
        /// Decoded values, or logits (never probabilities), `[batch, …target_shape]`.
        fn decode(&self, z: &Tensor, pass: Pass) -> Result<Tensor>;
        /// Meaning of the output of [`decode`](Decoder::decode).
        fn likelihood(&self) -> Result<Likelihood>;
    }

    provided {
        /// Name of the encoder whose latents alone it reads; `None` if it reads those of any.
        fn encoder(&self) -> Result<Option<String>> {
            Ok(None)
        }
    }
}
