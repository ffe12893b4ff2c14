//! Guidance: a further force along the way, from outside the model.

use super::Condition;
use crate::component_kind;
use tch::Tensor;

/// A state on its way, and what the model makes of it.
#[derive(Debug)]
pub struct GuidanceInput<'a> {
    /// The state, `[batch, …z_shape]`.
    pub z: &'a Tensor,
    /// The predicted clean latents, `[batch, …z_shape]`.
    pub data: &'a Tensor,
    /// Coefficient a of the data in z = a·data + b·noise, `[1]`.
    pub a: &'a Tensor,
    /// Coefficient b of the noise, `[1]`.
    pub b: &'a Tensor,
    /// Time t, `[1]`.
    pub time: &'a Tensor,
    /// The condition, if the model has one.
    pub condition: Option<&'a Condition>,
}

component_kind! {
    /// A further force on samples along their way: the negative gradient of an energy.
    kind "guidance", spec GuidanceSpec, context<'a> ();

    /// Bends the way to the data.
    pub trait Guidance {
        /// What is added to the score ∇ log p_t(z): for an energy E of the state −∇E(z), so that the samples
        /// follow p·e^(−E). `[batch, …z_shape]`.
        fn force(&self, at: &GuidanceInput<'_>) -> Result<Tensor>;
    }
}
