//! Metrics that an experiment lists: their parameters and inputs, and those that fail.

use super::{clusters, floor, mean, measured, model};
use triflow::measure::{Evaluation, Options};
use triflow::metrics;
use triflow::prelude::*;

triflow::component! {
    /// A metric whose value tells one of its inputs.
    pub struct Probe: Metric = "probe" {
        /// The input, or the way in which it fails.
        pub of: String = "nothing".to_owned(),
    }
}

impl Spec<dyn Metric> for Probe {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

/// Mean of all values.
fn mean_of(points: Points<'_>) -> f64 {
    metrics::mean(points.values())
}

impl Metric for Probe {
    fn info(&self) -> Result<MetricInfo> {
        let needs = match &*self.of {
            "train" => &[Need::Samples, Need::Train][..],
            _ => &[Need::Samples],
        };
        let info = MetricInfo::new("probe", Better::None, &[Goal::Generation], needs);
        Ok(MetricInfo { on_request: true, ..info })
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let samples = input.samples()?;
        let own = |value: f64| match samples.own_units {
            Some(units) => value * units.deviation[0] + units.mean[0],
            None => f64::NAN,
        };
        match &*self.of {
            "panic" => panic!("on purpose"),
            "nan" => Ok(Some(f64::NAN)),
            // A wrong use, which is told by name.
            "undeclared" => Ok(Some(mean_of(input.train()?))),
            "train" => Ok(Some(mean_of(input.train()?) - mean_of(samples.generated))),
            "own" => Ok(Some(own(samples.held_out.points().row(0)[0]))),
            _ => Ok(None),
        }
    }
}

/// The evaluation of a model that lists these metrics.
fn listing(extra: &str) -> Evaluation {
    let (x, y) = clusters(0.1);
    let units = "metrics: { units: standardised, extra: [";
    let mut trainer = model(&format!("task: generation, {units} {extra} ] }}"), x, Some(y));
    measured(&mut trainer, &Options { draws: 2, ..Options::default() })
}

#[test]
fn a_metric_that_fails_is_told_and_loses_none_of_the_others() {
    let all = listing("");
    let some = listing(
        "{ type: probe, of: panic, name: panics }, { type: probe, of: nan, name: unclear },
         { type: probe, of: undeclared }",
    );
    assert_eq!(some.scores, all.scores);
    let failed = [
        ("panics", "metric `probe`: on purpose"),
        ("probe", "metric `probe`: uses `Need::Train`, which its `info` does not declare"),
        ("unclear", "the value is NaN"),
    ];
    let failed = failed.map(|(name, why)| (name.to_owned(), why.to_owned()));
    assert_eq!(some.failed, failed);
    assert_eq!(some.to_json()["failed"]["unclear"], "the value is NaN");
    assert!(all.to_json()["failed"].is_null());
}

#[test]
fn a_listed_metric_has_its_own_parameters_or_stands_for_that_of_its_name() {
    let all = listing("");
    let more = listing("{ type: precision, k: 9, name: precision_9 }, { type: recall, k: 9 }");
    let scores = |name: &str| mean(&more, name);
    assert!(scores("precision_9") >= scores("precision"));
    assert_eq!(scores("precision"), mean(&all, "precision"));
    assert!(scores("recall") > mean(&all, "recall"));
    let names = |of: &Evaluation| of.scores.iter().map(|(name, _)| name.to_owned()).collect();
    let (all, more): (Vec<String>, Vec<String>) = (names(&all), names(&more));
    assert_eq!(
        more.iter().filter(|name| *name != "precision_9").collect::<Vec<_>>(),
        all.iter().collect::<Vec<_>>()
    );
}

/// The classes are at −1 and 1, with deviation 1 and mean 0 together, and samples are N(0, I) in
/// standardised units.
#[test]
fn training_points_and_the_datas_own_units_reach_a_metric() {
    let found = listing("{ type: probe, of: train, name: apart }, { type: probe, of: own }");
    assert!(mean(&found, "apart").abs() < 0.1, "{:#}", found.to_json());
    // As floor, of held-out points.
    assert!(floor(&found, "apart").abs() < 0.1);
    assert!((mean(&found, "probe").abs() - 1.0).abs() < 0.4, "{}", mean(&found, "probe"));
}
