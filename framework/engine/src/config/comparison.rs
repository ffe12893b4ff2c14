use crate::component::Solver;
use crate::error::{Error, Result};
use crate::metrics::EXACT_POINTS;
use crate::parameters;
use crate::registry::Component;
use serde_yaml::Mapping;

parameters! {
    /// Keys that `triflow compare` varies, and measurements of each run. Training ignores it.
    pub struct Comparison {
        /// The keys that vary, each with a list of values, such as
        /// `{ objective: [flow_matching, ct] }`; every combination is a cell. To vary several keys
        /// together, give a name of your own a map of named settings instead, such as
        /// `{ recipe: { fm: { objective: flow_matching }, ct: { objective: ct, threads: 1 } } }`.
        /// A file's `over` replaces that of the layers below it.
        #[whole]
        pub over: Mapping = Mapping::new(),
        /// Number of seeds of each cell, from `training.seed` on. One seed allows no statement
        /// about differences.
        #[range(min = 1)]
        pub seeds: u64 = 3,
        /// Training budget of each run; null: that of the experiment.
        #[whole]
        pub budget: Option<Budget> = None,
        /// The metric that decides, by its name in `metrics.json`; null: the first of the task.
        pub metric: Option<String> = None,
        /// Largest number of held-out points that samples are measured against.
        pub points: i64 = EXACT_POINTS,
        /// Number of draws over which each run's metrics are averaged.
        pub draws: u64 = 3,
        /// Quality against network evaluations; null: not measured.
        pub curve: Option<CurveOfAll> = None,
        /// Solver for the negative log-likelihood of held-out rows, such as `dopri5`; null: it is
        /// not measured.
        pub likelihood: Option<Component<dyn Solver>> = None,
    }
}

parameters! {
    /// Training budget of each run: exactly one of the three.
    pub struct Budget {
        /// Passes over the training rows.
        #[unwritten]
        pub epochs: Option<u64> = None,
        /// Training steps.
        #[unwritten]
        pub steps: Option<u64> = None,
        /// Seconds of training; the speed measured at the beginning of a run turns them into steps.
        #[unwritten]
        pub seconds: Option<f64> = None,
    }
}

impl Copy for Budget {}

impl Budget {
    /// Checks that exactly one of the three is given, and that it is above 0.
    ///
    /// # Errors
    /// [`Error::Config`] at `comparison.budget`: none or several are given, or a number is not
    /// above 0.
    pub fn check(&self) -> Result<()> {
        let given = [self.epochs.map(|n| n as f64), self.steps.map(|n| n as f64), self.seconds];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(n), None) if n > 0.0 && n.is_finite() => Ok(()),
            _ => Err(Error::config("comparison.budget", "needs one number above 0")
                .help("such as { epochs: 50 }, { steps: 2000 } or { seconds: 60 }")),
        }
    }

    /// Text for messages and titles, such as `50 epochs`.
    pub fn text(&self) -> String {
        let parts = [
            self.epochs.map(|n| format!("{n} epochs")),
            self.steps.map(|n| format!("{n} steps")),
            self.seconds.map(|n| format!("{n} seconds of training")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

parameters! {
    /// Measurement of quality against network evaluations, for every trained model.
    pub struct CurveOfAll {
        /// The solvers, with fixed or adaptive steps.
        pub solvers: Vec<Component<dyn Solver>> = Vec::new(),
        /// Largest numbers of network evaluations a sample (NFE) for solvers with fixed steps.
        pub nfe: Vec<usize> = vec![1, 2, 4, 8, 16, 32, 64],
        /// Largest number of held-out points.
        pub points: i64 = 1000,
        /// Number of draws over which each value is averaged.
        pub draws: u64 = 1,
    }
}

impl CurveOfAll {
    /// Names of the solvers.
    pub fn names(&self) -> Vec<&'static str> {
        self.solvers.iter().map(Component::<dyn Solver>::name).collect()
    }
}
