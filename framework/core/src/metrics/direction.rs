//! Direction of a metric, and the default number of points of the exact distance.

use serde::{Deserialize, Serialize};

/// Default number of points of the exact Wasserstein distance.
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
    /// Descriptive: neither is better.
    None,
}
