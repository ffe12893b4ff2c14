use crate::error::{Error, Result};
use crate::table::Block;
use tch::{Tensor, nn};

/// Context in which a part of the model is built: its variables, and shapes without the batch axis.
#[derive(Debug)]
pub struct BuildContext<'a> {
    /// The component's place among the variables; device and precision are the path's.
    pub vars: nn::Path<'a>,
    /// Shape of one target, `[…target_shape]`.
    pub target_shape: Vec<i64>,
    /// Numbers and categories that a flat target consists of, in their order: one block of numbers
    /// unless it is a label or a row of a table.
    pub target_blocks: Vec<Block>,
    /// Shape of one condition; `None` without condition.
    pub condition_shape: Option<Vec<i64>>,
    /// Shape of one latent; `None` unless the experiment or the encoder has set it.
    pub latent_shape: Option<Vec<i64>>,
}

impl<'a> BuildContext<'a> {
    /// The context of a component inside this one, with its variables under `name`.
    pub fn sub(&self, name: &str) -> BuildContext<'a> {
        BuildContext {
            vars: self.vars.sub(name),
            target_shape: self.target_shape.clone(),
            target_blocks: self.target_blocks.clone(),
            condition_shape: self.condition_shape.clone(),
            latent_shape: self.latent_shape.clone(),
        }
    }

    /// Latent shape, for components that need one to be set.
    ///
    /// # Errors
    /// [`Error::Config`] at `latent_shape` where none is set.
    pub fn latent(&self) -> Result<&[i64]> {
        self.latent_shape.as_deref().ok_or_else(|| {
            Error::config("latent_shape", "a latent shape is needed")
                .help("set it, as `latent_shape: [8]`")
        })
    }
}

/// Settings of a forward pass. Its random numbers come from LibTorch's generator, which the engine
/// seeds for (seed, purpose, step).
#[derive(Clone, Copy, Debug)]
pub struct Pass<'m> {
    /// True while parameters are learned: gradients flow through all operations.
    pub training: bool,
    /// True if dropout is active.
    pub dropout: bool,
    /// Mask of sequences of different lengths, `[batch, T]` along the first axis of the input: 1 at
    /// positions of a sequence, 0 in the padding at the end; `None`: no padding. Padding holds
    /// zeros, and the output there is ignored.
    pub mask: Option<&'m Tensor>,
}

impl Pass<'_> {
    /// A pass of evaluation or sampling.
    pub const EVAL: Pass<'static> = Pass { training: false, dropout: false, mask: None };
    /// A pass of training with dropout.
    pub const TRAIN: Pass<'static> = Pass { training: true, dropout: true, mask: None };

    /// Replaces the mask of sequences.
    pub fn masked<'n>(self, mask: Option<&'n Tensor>) -> Pass<'n> {
        Pass { training: self.training, dropout: self.dropout, mask }
    }
}

/// Shape as text for messages, such as "[3, 32, 32]".
pub fn shape_text(shape: &[i64]) -> String {
    format!("{shape:?}")
}
