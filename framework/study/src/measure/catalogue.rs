//! The catalogue of metrics, and the metrics of each task. A metric exists here or nowhere: its
//! name in files, its title in tables, its description and its direction.

use crate::config::Task;
use crate::error::{Error, Result, suggestion};
use crate::metrics::Better;
use crate::trained::Trained;

/// Name, title, description and direction of a metric.
#[derive(Debug, PartialEq, Eq)]
pub struct MetricInfo {
    /// The metric itself.
    pub metric: Metric,
    /// Name in `metrics.json` and on the command line.
    pub name: &'static str,
    /// Title in tables, with the unit if there is one.
    pub title: &'static str,
    /// Description in one sentence.
    pub what: &'static str,
    /// Direction in which values are better.
    pub better: Better,
}

/// Makes the metrics and their descriptions from one list, so that neither exists without the
/// other.
macro_rules! metrics {
    ($($metric:ident, $name:literal, $title:literal, $better:ident, $what:literal;)*) => {
        /// A metric of the catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Metric {
            $(#[doc = $what] $metric,)*
        }

        impl Metric {
            /// All metrics, in the order of the catalogue.
            pub const ALL: &[Metric] = &[$(Metric::$metric),*];

            /// Name, title, description and direction.
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
        "Exact 2-Wasserstein distance between equal numbers of generated and held-out points.";
    SlicedW2, "sliced_w2", "sliced W2", Less,
        "2-Wasserstein distance of projections onto 256 random directions, root mean square over \
         them.";
    EnergyDistance, "energy_distance", "energy distance", Less,
        "2E|X − Y| − E|X − X′| − E|Y − Y′| over all pairs of generated and held-out points, \
         without a root.";
    Mmd2, "mmd2", "MMD²", Less,
        "Squared maximum mean discrepancy over all pairs, with a Gaussian kernel whose bandwidth \
         is the median distance of held-out points.";
    Precision, "precision", "precision", More,
        "Share of generated points that lie within the third-neighbour distance of a held-out \
         point.";
    Recall, "recall", "recall", More,
        "Share of held-out points that lie within the third-neighbour distance of a generated \
         point.";
    Density, "density", "density", None,
        "Mean number of held-out points within whose fifth-neighbour distance a generated point \
         lies, divided by 5: 1 for equal distributions, more if samples crowd where the data are \
         densest.";
    Coverage, "coverage", "coverage", More,
        "Share of held-out points with a generated point within their fifth-neighbour distance.";
    ClassifierAgreement, "classifier_agreement", "classifier agreement", More,
        "Share of generated points whose label by a vote of the five nearest training points is \
         the condition they were generated under; as floor, of held-out points.";
    ClassShares, "class_shares", "class shares", Less,
        "Half the sum over the classes of |share of generated points − share of training rows|, \
         for models without a condition, by a vote of the five nearest training points: the error \
         of the modes' weights.";
    Nll, "nll", "NLL, nats", Less,
        "Negative log-likelihood of held-out rows by the change of variables along the ODE, in \
         nats a row.";
    NllBound, "nll_bound", "NLL bound, nats", Less,
        "Variational bound on the negative log-likelihood of held-out rows, in nats a row.";
    ErrorRate, "error_rate", "error rate", Less,
        "Share of rows whose predicted class is not their label.";
    Accuracy, "accuracy", "accuracy", More,
        "Share of rows whose predicted class is their label.";
    CrossEntropy, "cross_entropy", "cross-entropy", Less,
        "Mean of −ln of the true class's probability, in nats.";
    Ece, "ece", "ECE", Less,
        "Expected calibration error: mean difference between the highest probability and the \
         share of correct predictions, in 15 bins of that probability.";
    Mse, "mse", "MSE", Less,
        "Mean squared error over all rows and features; of labels, over one-hot rows.";
    Mae, "mae", "MAE", Less,
        "Mean absolute error over all rows and features.";
    VarianceExplained, "variance_explained_percent", "variance explained, %", More,
        "100 R², mean over the features.";
    VarianceExplainedPooled, "variance_explained_pooled_percent", "variance explained, pooled, %", More,
        "100 R² of errors and variances summed over all features.";
    Crps, "crps", "CRPS", Less,
        "Continuous ranked probability score of several random draws a row, fair estimate, mean \
         over all rows and features.";
    HalfCoverage, "coverage_50", "within 50 % band, %", None,
        "Percentage of true values between the quantiles of the central 50 % of random draws.";
    BandCoverage, "coverage_90", "within 90 % band, %", None,
        "Percentage of true values between the quantiles of the central 90 % of random draws.";
}

impl Metric {
    /// Name in files and on the command line.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The metric called `name`.
    ///
    /// # Errors
    /// If there is no such metric; the error suggests the nearest name and lists all.
    pub fn named(name: &str) -> Result<Metric> {
        let known = Self::ALL.iter().map(|metric| metric.name());
        let found = Self::ALL.iter().copied().find(|metric| metric.name() == name);
        found.ok_or_else(|| {
            let unknown = Error::config("", format!("unknown metric `{name}`"));
            unknown.help(suggestion(name, "metrics", known))
        })
    }
}

/// The kind of task of a model, which decides the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Generates samples like the data.
    Generation,
    /// Predicts labels.
    Classification,
    /// Predicts values.
    Regression,
    /// Predicts values at the positions of sequences.
    Sequences,
}

impl Goal {
    /// All goals.
    pub const ALL: [Goal; 4] =
        [Goal::Generation, Goal::Classification, Goal::Regression, Goal::Sequences];

    /// The goal of a model.
    pub fn of(model: &Trained) -> Goal {
        match model.experiment().task() {
            Task::Regression if model.units().target_is_label => Goal::Classification,
            Task::Regression => Goal::Regression,
            Task::Sequence(_) if model.experiment().task().predicts() => Goal::Sequences,
            _ => Goal::Generation,
        }
    }

    /// Name for a heading.
    pub const fn name(self) -> &'static str {
        match self {
            Goal::Generation => "generation",
            Goal::Classification => "classification",
            Goal::Regression => "regression",
            Goal::Sequences => "prediction of sequences",
        }
    }

    /// Metrics of the goal in the order of tables; the first is the primary one.
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

    /// The primary metric, which ranks models; less of it is better.
    pub const fn primary(self) -> Metric {
        self.metrics()[0]
    }
}

/// The primary metric of a model's task, of which less is better.
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
            let count = |goal: &Goal| goal.metrics().iter().filter(|m| *m == metric).count();
            assert!(Goal::ALL.iter().all(|goal| count(goal) < 2), "{metric:?}");
            assert!(Goal::ALL.iter().any(|goal| count(goal) == 1), "{metric:?}");
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
