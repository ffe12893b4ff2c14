//! Decoders: from the latent back to the target.

use super::{BuildContext, Pass};
use crate::component_kind;
use tch::Tensor;

/// How a decoder's output is compared with the target and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likelihood {
    /// Values; compared by squared error.
    Gaussian,
    /// Logits over the last axis; compared by cross-entropy, shown through a softmax.
    Categorical,
}

component_kind! {
    /// From the latent back to the target.
    kind "decoder", spec DecoderSpec, context<'a> BuildContext<'a>;

    /// Maps latents `[batch, …z_shape]` to targets `[batch, …target_shape]`.
    pub trait Decoder {
        /// Values, or logits (never probabilities).
        fn decode(&self, z: &Tensor, pass: Pass) -> Result<Tensor>;
        /// What [`decode`](Decoder::decode) returns.
        fn likelihood(&self) -> Result<Likelihood>;
    }
}
