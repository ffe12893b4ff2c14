use super::Condition;
use crate::component_kind;
use tch::Tensor;

/// A state along the sampling path and the model's prediction there.
#[derive(Debug)]
pub struct GuidanceInput<'a> {
    /// The state, `[batch, …z_shape]`.
    pub z: &'a Tensor,
    /// Predicted clean latents, `[batch, …z_shape]`.
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
    /// An additional force on samples: the negative gradient of an energy.
    kind "guidance", context<'a> ();

    /// Bends the sampling path by a term that is added to the score.
    pub trait Guidance {
        /// Term added to the score ∇ log p_t(z), `[batch, …z_shape]`. For an energy E of the state
        /// it is −∇E(z), and samples follow p·e^(−E).
        fn force(&self, at: &GuidanceInput<'_>) -> Result<Tensor>;
    }
}
