use crate::component_kind;
use crate::point::{PathKind, PathPoint};
use tch::Tensor;

component_kind! {
    /// The network's prediction: a mix of data and noise.
    kind "objective", context<'a> ();

    /// Prediction of the network, given by two numbers at each time: its output is p·data +
    /// q·noise. The regression target, the data, noise and velocity read from the output, and the
    /// loss weight follow from (p, q): see [`Reading`](crate::path::Reading).
    pub trait Objective {
        /// (p, q) at a point of the path, each broadcastable to `[batch]`.
        fn mix(&self, point: &PathPoint) -> Result<(Tensor, Tensor)>;
    }
    provided {
        /// The kind of path used unless the experiment sets one.
        fn default_path(&self) -> Result<PathKind> {
            Ok(PathKind::VariancePreserving)
        }
    }
}
