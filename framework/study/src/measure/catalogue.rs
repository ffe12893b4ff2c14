//! What is measured by task. A metric exists here or nowhere: its name in files, its title in tables, what
//! it is, and which way is better.

use crate::config::Task;
use crate::error::{Error, Result, suggestion};
use crate::metrics::Better;
use crate::trained::Trained;

/// What a metric is.
#[derive(Debug, PartialEq, Eq)]
pub struct MetricInfo {
    /// Which one it is.
    pub metric: Metric,
    /// As in `metrics.json`.
    pub name: &'static str,
    /// For a table's head.
    pub title: &'static str,
    /// What it is, in one sentence.
    pub what: &'static str,
    /// Its direction.
    pub better: Better,
}

/// Makes the metrics and their descriptions of one list, so that there is neither without the other.
macro_rules! metrics {
    ($($metric:ident, $name:literal, $title:literal, $better:ident, $what:literal;)*) => {
        /// A metric.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Metric {
            $(#[doc = $what] $metric,)*
        }

        impl Metric {
            /// All of them.
            pub const ALL: &[Metric] = &[$(Metric::$metric),*];

            /// What it is.
            pub const fn info(self) -> &'static MetricInfo {
                match self {
                    $(Metric::$metric => &MetricInfo {
                        metric: Metric::$metric,
                        name: $name,
                        title: $title,
                        what: $what,
                        better: Better::$better,
                    },)*
                }
            }
        }
    };
}

metrics! {
    W2, "w2", "W2", Less,
        "Exact 2-Wasserstein distance between as many generated as held-out points.";
    SlicedW2, "sliced_w2", "sliced W2", Less,
        "2-Wasserstein distance of the projections onto 256 random directions, as the root of their mean square.";
    EnergyDistance, "energy_distance", "energy distance", Less,
        "2E|X − Y| − E|X − X′| − E|Y − Y′| between generated and held-out points, without a root, over all pairs.";
    Mmd2, "mmd2", "MMD²", Less,
        "Squared maximum mean discrepancy over all pairs, with a Gaussian kernel as wide as the median distance of held-out points.";
    Precision, "precision", "precision", More,
        "Share of generated points that a held-out one reaches, each reaching as far as its third neighbour.";
    Recall, "recall", "recall", More,
        "Share of held-out points that a generated one reaches, each reaching as far as its third neighbour.";
    Density, "density", "density", None,
        "How many held-out points reach a generated one, on average and over 5, each reaching as far as its fifth neighbour: 1 where both are distributed alike, more where samples crowd at the densest places.";
    Coverage, "coverage", "coverage", More,
        "Share of held-out points that reach a generated one, each reaching as far as its fifth neighbour.";
    ClassifierAgreement, "classifier_agreement", "classifier agreement", More,
        "Share of generated points that a vote of the five nearest real training points gives the label that was asked for; as floor, of held-out points.";
    ClassShares, "class_shares", "class shares", Less,
        "Without a condition, half the sum of |share among generated points − share among training rows| over the classes, by a vote of the five nearest training points: how far the modes' weights are off.";
    Nll, "nll", "NLL, nats", Less,
        "Negative log-likelihood of held-out rows by the change of variables along the ODE, in nats a row.";
    NllBound, "nll_bound", "NLL bound, nats", Less,
        "Variational bound on the negative log-likelihood of held-out rows, in nats a row.";
    ErrorRate, "error_rate", "error rate", Less,
        "Share of rows whose predicted class is not their label.";
    Accuracy, "accuracy", "accuracy", More,
        "Share of rows whose predicted class is their label.";
    CrossEntropy, "cross_entropy", "cross-entropy", Less,
        "Mean −ln of the probability of the right class, in nats.";
    Ece, "ece", "ECE", Less,
        "Expected calibration error: by how much the highest probability and the share of right predictions differ, in 15 bins of that probability.";
    Mse, "mse", "MSE", Less,
        "Mean squared error over all rows and features, for labels of one-hot rows.";
    Mae, "mae", "MAE", Less,
        "Mean absolute error over all rows and features.";
    VarianceExplained, "variance_explained_percent", "variance explained, %", More,
        "100 R², the mean over the features.";
    VarianceExplainedPooled, "variance_explained_pooled_percent", "variance explained, pooled, %", More,
        "100 R² of errors and variances summed over all features.";
    Crps, "crps", "CRPS", Less,
        "Continuous ranked probability score of several random draws of each row, the fair estimate, mean over all rows and features.";
    HalfCoverage, "coverage_50", "within 50 % band, %", None,
        "Percentage of true values in the central 50 % of random draws, between their quantiles.";
    BandCoverage, "coverage_90", "within 90 % band, %", None,
        "Percentage of true values in the central 90 % of random draws, between their quantiles.";
}

impl Metric {
    /// Its name in files.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The metric of a name.
    pub fn named(name: &str) -> Result<Metric> {
        let known = Self::ALL.iter().map(|metric| metric.name());
        let found = Self::ALL.iter().copied().find(|metric| metric.name() == name);
        found.ok_or_else(|| {
            let unknown = Error::config("", format!("unknown metric `{name}`"));
            unknown.help(suggestion(name, "metrics", known))
        })
    }
}

/// What a model is for, as far as that decides what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Samples like the data.
    Generation,
    /// Labels.
    Classification,
    /// Values.
    Regression,
    /// Values at positions of sequences.
    Sequences,
}

impl Goal {
    /// All of them.
    pub const ALL: [Goal; 4] =
        [Goal::Generation, Goal::Classification, Goal::Regression, Goal::Sequences];

    /// That of a model.
    pub fn of(model: &Trained) -> Goal {
        match model.experiment().task() {
            Task::Regression if model.units().target_is_label => Goal::Classification,
            Task::Regression => Goal::Regression,
            Task::Sequence(_) if model.experiment().task().predicts() => Goal::Sequences,
            _ => Goal::Generation,
        }
    }

    /// For a heading.
    pub const fn name(self) -> &'static str {
        match self {
            Goal::Generation => "generation",
            Goal::Classification => "classification",
            Goal::Regression => "regression",
            Goal::Sequences => "prediction of sequences",
        }
    }

    /// What is measured, in the order of tables; the first decides.
    pub const fn metrics(self) -> &'static [Metric] {
        match self {
            Goal::Generation => &[
                Metric::W2,
                Metric::SlicedW2,
                Metric::EnergyDistance,
                Metric::Mmd2,
                Metric::Precision,
                Metric::Recall,
                Metric::Density,
                Metric::Coverage,
                Metric::ClassifierAgreement,
                Metric::ClassShares,
                Metric::Nll,
                Metric::NllBound,
            ],
            Goal::Classification => &[
                Metric::ErrorRate,
                Metric::Accuracy,
                Metric::CrossEntropy,
                Metric::Ece,
                Metric::Mse,
            ],
            Goal::Regression => &[
                Metric::Mse,
                Metric::Mae,
                Metric::VarianceExplained,
                Metric::VarianceExplainedPooled,
                Metric::Crps,
                Metric::HalfCoverage,
                Metric::BandCoverage,
            ],
            Goal::Sequences => &[
                Metric::Mse,
                Metric::Mae,
                Metric::VarianceExplained,
                Metric::VarianceExplainedPooled,
                Metric::Crps,
                Metric::BandCoverage,
            ],
        }
    }

    /// The metric that decides; less of it is better.
    pub const fn primary(self) -> Metric {
        self.metrics()[0]
    }
}

/// The metric that decides, of which less is better.
pub fn primary(model: &Trained) -> &'static MetricInfo {
    Goal::of(model).primary().info()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own_by_which_it_is_found() {
        for metric in Metric::ALL {
            assert_eq!(metric.info().metric, *metric);
            assert_eq!(Metric::named(metric.name()).unwrap(), *metric);
        }
        let error = Metric::named("recal").unwrap_err().to_string();
        assert!(error.starts_with("unknown metric `recal`"), "{error}");
        assert!(error.contains("did you mean `recall`? known metrics: w2, sliced_w2"), "{error}");
    }

    #[test]
    fn every_metric_is_measured_somewhere_and_none_twice() {
        for metric in Metric::ALL {
            let of = |goal: &Goal| goal.metrics().iter().filter(|m| *m == metric).count();
            assert!(Goal::ALL.iter().all(|goal| of(goal) < 2), "{metric:?}");
            assert!(Goal::ALL.iter().any(|goal| of(goal) == 1), "{metric:?}");
        }
    }

    #[test]
    fn descriptions_are_one_sentence_and_less_of_what_decides_is_better() {
        for info in Metric::ALL.iter().map(|metric| metric.info()) {
            assert!(info.what.ends_with('.') && !info.what.contains(". "), "{}", info.what);
            assert!(!info.title.is_empty() && !info.what.contains('\n'));
        }
        assert!(Goal::ALL.iter().all(|goal| goal.primary().info().better == Better::Less));
    }
}
