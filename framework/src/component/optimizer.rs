//! Optimizers: one step over all parameters at once.

use crate::component_kind;
use tch::Tensor;

/// What an optimizer remembers between steps, over the flat vector of all parameters.
#[derive(Debug, Default)]
pub struct OptimizerState {
    /// Steps taken.
    pub step: i64,
    /// Named moments, each `[parameters]`, in the order of [`Optimizer::moments`].
    pub moments: Vec<Tensor>,
}

component_kind! {
    /// How parameters follow their gradient.
    kind "optimizer", spec OptimizerSpec, context<'a> ();

    /// A rule over flat tensors: a handful of kernels a step, whatever the number of layers.
    pub trait Optimizer {
        /// The base learning rate; the learning-rate schedule multiplies it.
        fn learning_rate(&self) -> Result<f64>;
        /// Names and initial values of the moments.
        fn moments(&self) -> Result<Vec<(&'static str, f64)>>;
        /// One step in place: `parameters` and `gradient` are `[parameters]`; `state.step` counts from 1.
        fn step(&self, parameters: &mut Tensor, gradient: &Tensor, state: &mut OptimizerState, learning_rate: f64) -> Result<()>;
    }
}
