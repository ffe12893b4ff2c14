//! Which of two values of a metric is better, and of how many rows a metric is measured.

use serde::{Deserialize, Serialize};

/// Points of an exact Wasserstein distance, unless more are asked for.
pub const EXACT_POINTS: i64 = 2000;

/// The direction of a metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Less is better.
    #[default]
    Less,
    /// More is better.
    More,
    /// It describes, it does not judge.
    None,
}
