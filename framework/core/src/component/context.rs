//! What a component is built from and what accompanies each forward pass.

use crate::error::{Error, Result};
use tch::{Tensor, nn};

/// What a spec needs to build a part of the model: where its variables live, and the shapes
/// (without the batch axis).
#[derive(Debug)]
pub struct BuildContext<'a> {
    /// Where the component's variables live; device and precision are the path's.
    pub vars: nn::Path<'a>,
    /// Shape of one target (what is learned), `[…target_shape]`.
    pub target_shape: Vec<i64>,
    /// Shape of one condition; `None` without condition.
    pub condition_shape: Option<Vec<i64>>,
    /// Shape of one latent, if the experiment or the encoder has fixed it.
    pub latent_shape: Option<Vec<i64>>,
}

impl<'a> BuildContext<'a> {
    /// The same context with the variables below `name`, for a component inside another.
    pub fn sub(&self, name: &str) -> BuildContext<'a> {
        BuildContext {
            vars: self.vars.sub(name),
            target_shape: self.target_shape.clone(),
            condition_shape: self.condition_shape.clone(),
            latent_shape: self.latent_shape.clone(),
        }
    }

    /// The latent shape, for components that cannot choose one.
    pub fn latent(&self) -> Result<&[i64]> {
        self.latent_shape.as_deref().ok_or_else(|| {
            Error::config("latent_shape", "a latent shape is needed")
                .help("set it, as `latent_shape: [8]`")
        })
    }
}

/// Accompanies a forward pass. Random draws of a pass come from LibTorch's generator, which the engine
/// has seeded for (seed, purpose, step).
#[derive(Clone, Copy, Debug)]
pub struct Pass<'m> {
    /// Whether parameters are being learned: gradients flow through everything.
    pub training: bool,
    /// Whether dropout is active.
    pub dropout: bool,
    /// Which positions of sequences of different lengths are there: `[batch, T]` of 1 (there) and 0 (padding,
    /// at the end), along the first axis of what is encoded, decoded or evaluated; `None`: all are. Padding
    /// holds zeros, and what is returned for it does not matter.
    pub mask: Option<&'m Tensor>,
}

impl Pass<'_> {
    /// A pass of evaluation or sampling.
    pub const EVAL: Pass<'static> = Pass { training: false, dropout: false, mask: None };
    /// A pass of training with dropout.
    pub const TRAIN: Pass<'static> = Pass { training: true, dropout: true, mask: None };

    /// The same pass over sequences of which the positions in `mask` are there.
    pub fn masked<'n>(self, mask: Option<&'n Tensor>) -> Pass<'n> {
        Pass { training: self.training, dropout: self.dropout, mask }
    }
}

/// `[3, 32, 32]`, for messages.
pub fn shape_text(shape: &[i64]) -> String {
    format!("{shape:?}")
}
