//! Optimizers: one step over all parameters at once.

use crate::component_kind;
use crate::error::Result;
use tch::Tensor;

/// What an optimizer remembers between steps, over the flat vector of all parameters.
#[derive(Debug)]
pub struct OptimizerState {
    /// Steps taken with this one, `[]` in the parameters' precision: 1, 2, …
    pub step: Tensor,
    /// Named moments, each `[parameters]`, in the order of [`Optimizer::moments`].
    pub moments: Vec<Tensor>,
}

impl OptimizerState {
    /// That of `optimizer` before its first step over `parameters`.
    pub fn start(optimizer: &dyn Optimizer, parameters: &Tensor) -> Result<Self> {
        let full = |(_, value): (&str, f64)| parameters.full_like(value);
        Ok(Self {
            step: parameters.new_zeros([], (parameters.kind(), parameters.device())),
            moments: optimizer.moments()?.into_iter().map(full).collect(),
        })
    }
}

component_kind! {
    /// How parameters follow their gradient.
    kind "optimizer", spec OptimizerSpec, context<'a> ();

    /// A rule over flat tensors: a handful of kernels a step, whatever the number of layers.
    ///
    /// The numbers of a step are tensors on the parameters' device: a rule that calculates with them, and reads none
    /// back, is recorded with the step and played back (a CUDA graph).
    pub trait Optimizer {
        /// The base learning rate; the learning-rate schedule multiplies it.
        fn learning_rate(&self) -> Result<f64>;
        /// Names and initial values of the moments.
        fn moments(&self) -> Result<Vec<(&'static str, f64)>>;
        /// One step in place: `parameters` and `gradient` are `[parameters]`, the learning rate of this step is `[]`.
        fn step(&self, parameters: &mut Tensor, gradient: &Tensor, state: &mut OptimizerState, learning_rate: &Tensor) -> Result<()>;
    }
}

impl std::fmt::Debug for dyn Optimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("optimizer")
    }
}
