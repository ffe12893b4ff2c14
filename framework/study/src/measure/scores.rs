//! Values of metrics in each draw, and their means and deviations.

use super::{Catalogue, Measure};
use crate::component::{MetricInput, Need};
use crate::group::Group;
use crate::metrics::mean_and_deviation;
use serde_json::{Map, Value, json};

/// Mean and deviation of a metric over the draws.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Mean over the draws, in the metric's unit.
    pub mean: f64,
    /// Standard deviation (n − 1) over the draws; `None` for a single one.
    pub deviation: Option<f64>,
    /// Value of each draw, in order.
    pub values: Vec<f64>,
}

impl Score {
    /// The score from the values of all draws, of which there is at least one.
    fn of(values: &[f64]) -> Self {
        let (mean, deviation) = mean_and_deviation(values);
        Score { mean, deviation, values: values.to_vec() }
    }
}

/// Scores of several metrics, in the order of tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores(Vec<(String, Score)>);

impl Scores {
    /// The score of the metric called `name`; `None` if it was not measured.
    pub fn get(&self, name: &str) -> Option<&Score> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, score)| score)
    }

    /// Iterates over the names and scores of all metrics that were measured.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Score)> {
        self.0.iter().map(|(name, score)| (name.as_str(), score))
    }

    /// `true` if nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes each mean under the metric's name and, if there are several draws, the deviation
    /// under `NAME_deviation` and the values of the draws under `values`.
    pub(super) fn write(&self, object: &mut Value) {
        for (name, score) in self.iter() {
            object[name] = json!(score.mean);
            if let Some(deviation) = score.deviation {
                object[format!("{name}_deviation")] = json!(deviation);
            }
        }
        let several = self.iter().filter(|(_, score)| score.values.len() > 1);
        let values: Map<_, _> =
            several.map(|(name, score)| (name.to_owned(), json!(score.values))).collect();
        if !values.is_empty() {
            object["values"] = Value::Object(values);
        }
    }
}

/// Values of metrics while they are measured, one a draw.
#[derive(Debug)]
pub(super) struct Draws<'m> {
    catalogue: &'m Catalogue,
    /// Values of each metric of the catalogue, or the reason why it failed.
    values: Vec<Result<Vec<f64>, String>>,
    /// True if nothing is measured, because another process does it.
    idle: bool,
}

impl<'m> Draws<'m> {
    /// No values of the metrics of `catalogue` yet.
    pub fn new(catalogue: &'m Catalogue) -> Self {
        Self { catalogue, values: catalogue.iter().map(|_| Ok(Vec::new())).collect(), idle: false }
    }

    /// These values, which only rank 0 of `group` measures.
    pub fn by_first(self, group: &Group) -> Self {
        Self { idle: !group.is_first(), ..self }
    }

    /// `true` if a metric that has not failed needs one of `needs`.
    pub fn want(&self, needs: &[Need]) -> bool {
        let mut all = self.catalogue.iter().zip(&self.values);
        all.any(|(metric, values)| values.is_ok() && metric.info().needs_any(needs))
    }

    /// Measures all metrics whose needs `input` has, but for those that failed before.
    pub fn add(&mut self, input: &MetricInput<'_>) {
        self.add_if(input, &|_| true);
    }

    /// As [`add`](Self::add), of the metrics that `which` accepts.
    pub fn add_if(&mut self, input: &MetricInput<'_>, which: &dyn Fn(&Measure) -> bool) {
        for (metric, values) in self.catalogue.iter().zip(&mut self.values) {
            let Ok(measured) = values else { continue };
            if self.idle || !which(metric) {
                continue;
            }
            match metric.value(input) {
                Ok(value) => measured.extend(value),
                Err(e) => {
                    log::warn!("the metric `{}` could not be measured: {e}", metric.name());
                    *values = Err(e.to_string());
                }
            }
        }
    }

    /// The scores, and the metrics that failed with their reasons.
    pub fn finish(self) -> (Scores, Vec<(String, String)>) {
        let (mut scores, mut failed) = (Vec::new(), Vec::new());
        for (metric, values) in self.catalogue.iter().zip(self.values) {
            let name = metric.name().to_owned();
            match values {
                Ok(values) if values.is_empty() => {}
                Ok(values) => scores.push((name, Score::of(&values))),
                Err(why) => failed.push((name, why)),
            }
        }
        (Scores(scores), failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_means_beside_deviations() {
        let score = |values: &[f64]| Score::of(values);
        let scores = Scores(vec![
            ("w2".to_owned(), score(&[1.0, 2.0, 6.0])),
            ("mmd2".to_owned(), score(&[0.25])),
            ("recall".to_owned(), score(&[0.5; 3])),
        ]);
        let values = vec![1.0, 2.0, 6.0];
        let w2 = Score { mean: 3.0, deviation: Some(7f64.sqrt()), values };
        assert_eq!(scores.get("w2"), Some(&w2));
        assert_eq!(scores.get("coverage"), None);
        let mut object = json!({});
        scores.write(&mut object);
        let expected = json!({
            "w2": 3.0, "w2_deviation": 7f64.sqrt(), "mmd2": 0.25, "recall": 0.5, "recall_deviation": 0.0,
            "values": { "w2": [1.0, 2.0, 6.0], "recall": [0.5, 0.5, 0.5] },
        });
        assert_eq!(object.to_string(), expected.to_string());
    }
}
