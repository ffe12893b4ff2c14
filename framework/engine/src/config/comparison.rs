//! What `triflow compare` varies, and what it measures.

use crate::component::Solver;
use crate::error::{Error, Result};
use crate::metrics::EXACT_POINTS;
use crate::registry::Component;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_yaml::Mapping;

/// A comparison of what the experiment becomes under other values of some keys. Training takes no notice
/// of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Comparison {
    /// The keys that vary, each with its values, as `{ objective: [flow_matching, ct] }`; every combination
    /// is a cell. Where several keys belong together, a name of its own has a map of named settings in
    /// place of the list, as `{ recipe: { fm: { objective: flow_matching }, ct: { objective: ct,
    /// loss.weighting: field } } }`. A file's `over` takes the place of that of the layers below.
    #[schemars(
        with = "serde_json::Map<String, serde_json::Value>",
        extend("x-whole" = true)
    )]
    pub over: Mapping,
    /// Seeds of each cell: so many, from `training.seed` on. With one seed, nothing can be said of
    /// differences.
    pub seeds: u64,
    /// What each run may use; null: what the experiment says.
    #[schemars(extend("x-whole" = true))]
    pub budget: Option<Budget>,
    /// The metric that decides, by its name in `metrics.json`; null: the first that the task has.
    pub metric: Option<String>,
    /// Held-out points that samples are measured against, at most.
    pub points: i64,
    /// Draws that each run's metrics are means of.
    pub draws: u64,
    /// Quality against network evaluations; null: not measured.
    pub curve: Option<CurveOfAll>,
    /// A solver along which the negative log-likelihood of held-out rows is measured as well, such as
    /// `dopri5`; null: it is not measured.
    pub likelihood: Option<Component<dyn Solver>>,
}

impl Default for Comparison {
    fn default() -> Self {
        Self {
            over: Mapping::new(),
            seeds: 3,
            budget: None,
            metric: None,
            points: EXACT_POINTS,
            draws: 3,
            curve: None,
            likelihood: None,
        }
    }
}

impl Comparison {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What each run may use: one of the three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Passes over the training rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Seconds of training: each run takes as many steps as it is found to take in that time when it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

impl Budget {
    /// An error unless it is exactly one, above 0.
    pub fn check(&self) -> Result<()> {
        let given = [self.epochs.map(|n| n as f64), self.steps.map(|n| n as f64), self.seconds];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(n), None) if n > 0.0 && n.is_finite() => Ok(()),
            _ => Err(Error::config("comparison.budget", "needs one number above 0")
                .help("such as { epochs: 50 }, { steps: 2000 } or { seconds: 60 }")),
        }
    }

    /// As `50 epochs`.
    pub fn text(&self) -> String {
        let said = [
            self.epochs.map(|n| format!("{n} epochs")),
            self.steps.map(|n| format!("{n} steps")),
            self.seconds.map(|n| format!("{n} seconds of training")),
        ];
        said.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Quality against network evaluations, of every trained model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CurveOfAll {
    /// The solvers, those with steps of their own choice included.
    pub solvers: Vec<Component<dyn Solver>>,
    /// Network evaluations a sample that a fixed-step solver may use.
    pub nfe: Vec<usize>,
    /// Held-out points, at most.
    pub points: i64,
    /// Draws that each value is the mean of.
    pub draws: u64,
}

impl Default for CurveOfAll {
    fn default() -> Self {
        Self { solvers: Vec::new(), nfe: vec![1, 2, 4, 8, 16, 32, 64], points: 1000, draws: 1 }
    }
}

impl CurveOfAll {
    /// The solvers' names.
    pub fn names(&self) -> Vec<&'static str> {
        self.solvers.iter().map(Component::<dyn Solver>::name).collect()
    }
}
