use super::PathPoint;
use crate::component_kind;
use tch::Tensor;

/// Weight of a squared error at points of a path: which error it is, and its weight, `[batch]`, at
/// least 0.
#[derive(Debug)]
pub enum Weight {
    /// 1, of the error of the output as it is, at all times.
    One,
    /// Weight of the error of the output as it is.
    Output(Tensor),
    /// Weight of the error of the data.
    Data(Tensor),
    /// Weight of the error of the noise.
    Noise(Tensor),
    /// Weight of the error of dz/dt.
    Velocity(Tensor),
}

impl Weight {
    /// The weight as a number, whichever error it is of; `None` for 1.
    pub fn value(&self) -> Option<&Tensor> {
        match self {
            Self::One => None,
            Self::Output(w) | Self::Data(w) | Self::Noise(w) | Self::Velocity(w) => Some(w),
        }
    }
}

component_kind! {
    /// The weight of errors over time.
    kind "loss_weighting", context<'a> ();

    /// Weight of the squared error over time. Given z, the errors of data, noise and velocity are
    /// multiples of each other, so a weight of one is a weight of each; the engine converts it to
    /// one of the network's output.
    pub trait LossWeighting {
        /// Weight at points of a path. It is a function of the point, smooth up to kinks, and
        /// finite at all times on a path whose log-SNR is [bounded](PathPoint::bounded). On any
        /// other path it may be infinite at an end; the engine limits it there.
        fn weight(&self, point: &PathPoint<'_>) -> Result<Weight>;
    }
    provided {
        /// True if half the weighted error is the diffusion term of the variational bound: the
        /// weight is dSNR/dt of the error of the data. A noise schedule can be learned with no
        /// other.
        fn is_variational_bound(&self) -> Result<bool> {
            Ok(false)
        }
    }
}
