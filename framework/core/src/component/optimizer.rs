use crate::component_kind;
use crate::error::Result;
use tch::Tensor;

/// Memory of an optimizer between steps, over the flat vector of all parameters.
#[derive(Debug)]
pub struct OptimizerState {
    /// Number of this step, `[]` in the precision of the parameters: 1, 2, …
    pub step: Tensor,
    /// Moments, each `[parameters]`, in the order of [`Optimizer::moments`].
    pub moments: Vec<Tensor>,
}

impl OptimizerState {
    /// State of `optimizer` before its first step over `parameters`, `[parameters]`.
    ///
    /// # Errors
    /// Errors of [`Optimizer::moments`].
    pub fn start(optimizer: &dyn Optimizer, parameters: &Tensor) -> Result<Self> {
        let full = |(_, value): (&str, f64)| parameters.full_like(value);
        Ok(Self {
            step: parameters.new_zeros([], (parameters.kind(), parameters.device())),
            moments: optimizer.moments()?.into_iter().map(full).collect(),
        })
    }
}

component_kind! {
    /// The rule that updates the parameters from their gradient.
    kind "optimizer", context<'a> ();

    /// Update rule over flat tensors: a few kernels a step, whatever the number of layers.
    ///
    /// The numbers of a step are tensors on the parameters' device. A rule that computes with them
    /// and reads none back can be recorded with the step and replayed (a CUDA graph).
    pub trait Optimizer {
        /// Base learning rate, which the learning-rate schedule multiplies.
        fn learning_rate(&self) -> Result<f64>;
        /// Names and initial values of the moments.
        fn moments(&self) -> Result<Vec<(&'static str, f64)>>;
        /// One step in place: `parameters` and `gradient` are `[parameters]`, `learning_rate` is
        /// the rate of this step, `[]`.
        fn step(&self, parameters: &mut Tensor, gradient: &Tensor, state: &mut OptimizerState, learning_rate: &Tensor) -> Result<()>;
    }
}

impl std::fmt::Debug for dyn Optimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("optimizer")
    }
}
