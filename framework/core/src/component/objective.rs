//! Objectives: what the network predicts.

use crate::component_kind;
use crate::point::{PathKind, PathPoint};
use tch::Tensor;

component_kind! {
    /// What the network predicts: a mix of data and noise.
    kind "objective", spec ObjectiveSpec, context<'a> ();

    /// An objective is two numbers a time: the network's output means p·data + q·noise. The regression
    /// target, the reading of data, noise and velocity, and the loss weight follow from them (see
    /// [`Reading`](crate::path::Reading)).
    pub trait Objective {
        /// (p, q) at this point of the path, each broadcastable to `[batch]`.
        fn mix(&self, point: &PathPoint) -> Result<(Tensor, Tensor)>;
    }
    provided {
        /// The path used unless the experiment names another.
        fn default_path(&self) -> Result<PathKind> {
            Ok(PathKind::VariancePreserving)
        }
    }
}
