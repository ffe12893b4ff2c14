use super::PathPoint;
use crate::component_kind;
use tch::Tensor;

component_kind! {
    /// The network's prediction: a mix of data and noise.
    kind "objective", context<'a> ();

    /// Prediction of the network, given by two numbers at each time: its output is p·data +
    /// q·noise. The regression target, the data, noise and velocity read from the output, and the
    /// loss weight follow from (p, q): see [`Reading`](crate::component::Reading).
    pub trait Objective {
        /// (p, q) at a point of the path, each broadcastable to `[batch]`.
        fn mix(&self, point: &PathPoint<'_>) -> Result<(Tensor, Tensor)>;
        /// Name of the path used unless the experiment sets one, such as `rectified`.
        fn default_path(&self) -> Result<&'static str>;
    }
}
