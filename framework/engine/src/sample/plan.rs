//! Options and result of one sampling run.

use crate::component::StepGrid;
use crate::registry::Component;
use crate::rng::Streams;
use tch::Tensor;

/// Options of one sampling run.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingPlan {
    /// Number of steps of a solver with fixed steps.
    pub steps: usize,
    /// Time t in \[0, 1) of the states that sampling begins with, from which `steps` lead to the
    /// data; `None`: they are z_0, at the path's start.
    pub from: Option<f64>,
    /// Spacing of the steps; `None`: equal steps in the path's natural clock.
    pub grid: Option<Component<dyn StepGrid>>,
    /// Number of passes over each step, at least 1; see
    /// [`PredictorField::repeating`](super::PredictorField::repeating).
    pub repeats: usize,
    /// True to return the predicted clean latent instead of the last state; `None`: true if that
    /// still holds noise.
    pub final_denoise: Option<bool>,
    /// Random streams of the rows, for a stochastic solver.
    pub streams: Streams,
}

/// Result of sampling.
#[derive(Debug)]
pub struct Sampled {
    /// Latents at the end, `[n, …z_shape]`.
    pub z: Tensor,
    /// Network evaluations a sample (NFE).
    pub nfe: usize,
    /// Number of steps: those of the plan, or those that an adaptive solver chose.
    pub steps: usize,
    /// True if `z` is the predicted clean latent.
    pub denoised: bool,
}
