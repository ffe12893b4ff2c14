//! Values of metrics in each draw, and their means and deviations.

use super::{Goal, Metric};
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

/// Scores of several metrics, in the order of the goal's tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores(Vec<(Metric, Score)>);

impl Scores {
    /// The score of `metric`; `None` if it was not measured.
    pub fn get(&self, metric: Metric) -> Option<&Score> {
        self.0.iter().find(|(m, _)| *m == metric).map(|(_, score)| score)
    }

    /// Iterates over all metrics that were measured.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, &Score)> {
        self.0.iter().map(|(metric, score)| (*metric, score))
    }

    /// `true` if nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes each mean under the metric's name and, if there are several draws, the deviation
    /// under `NAME_deviation` and the values of the draws under `values`.
    pub(super) fn write(&self, object: &mut Value) {
        for (metric, score) in self.iter() {
            object[metric.name()] = json!(score.mean);
            if let Some(deviation) = score.deviation {
                object[format!("{}_deviation", metric.name())] = json!(deviation);
            }
        }
        let several = self.iter().filter(|(_, score)| score.values.len() > 1);
        let values: Map<_, _> = several
            .map(|(metric, score)| (metric.name().to_owned(), json!(score.values)))
            .collect();
        if !values.is_empty() {
            object["values"] = Value::Object(values);
        }
    }
}

/// Values of metrics while they are measured, one a draw.
#[derive(Debug)]
pub(super) struct Draws {
    only: Option<Metric>,
    values: Vec<(Metric, Vec<f64>)>,
}

impl Draws {
    /// Collects all metrics, or `only` one.
    pub fn new(only: Option<Metric>) -> Self {
        Self { only, values: Vec::new() }
    }

    /// `true` if `metric` is to be measured.
    pub fn wants(&self, metric: Metric) -> bool {
        self.only.is_none_or(|only| only == metric)
    }

    /// `true` if any of `metrics` is to be measured.
    pub fn wants_any(&self, metrics: &[Metric]) -> bool {
        metrics.iter().any(|metric| self.wants(*metric))
    }

    /// Adds the value of one draw if the metric is to be measured.
    pub fn add(&mut self, metric: Metric, value: f64) {
        if !self.wants(metric) {
            return;
        }
        match self.values.iter_mut().find(|(m, _)| *m == metric) {
            Some((_, values)) => values.push(value),
            None => self.values.push((metric, vec![value])),
        }
    }

    /// The scores of the metrics of `goal`.
    pub fn finish(self, goal: Goal) -> Scores {
        let score = |metric: &Metric| {
            let (_, values) = self.values.iter().find(|(m, _)| m == metric)?;
            Some((*metric, Score::of(values)))
        };
        Scores(goal.metrics().iter().filter_map(score).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_means_beside_deviations_in_the_order_of_the_catalogue() {
        let mut draws = Draws::new(None);
        for (w2, recall) in [(1.0, 0.5), (2.0, 0.5), (6.0, 0.5)] {
            draws.add(Metric::Recall, recall);
            draws.add(Metric::W2, w2);
        }
        draws.add(Metric::Mmd2, 0.25);
        let scores = draws.finish(Goal::Generation);
        let order: Vec<Metric> = scores.iter().map(|(metric, _)| metric).collect();
        assert_eq!(order, [Metric::W2, Metric::Mmd2, Metric::Recall]);
        let values = vec![1.0, 2.0, 6.0];
        let w2 = Score { mean: 3.0, deviation: Some(7f64.sqrt()), values };
        assert_eq!(scores.get(Metric::W2), Some(&w2));
        assert_eq!(scores.get(Metric::Coverage), None);
        let mut object = json!({});
        scores.write(&mut object);
        let expected = json!({
            "w2": 3.0, "w2_deviation": 7f64.sqrt(), "mmd2": 0.25, "recall": 0.5, "recall_deviation": 0.0,
            "values": { "w2": [1.0, 2.0, 6.0], "recall": [0.5, 0.5, 0.5] },
        });
        assert_eq!(object.to_string(), expected.to_string());
    }

    #[test]
    fn what_was_not_asked_for_is_not_kept() {
        let mut draws = Draws::new(Some(Metric::W2));
        assert!(draws.wants_any(&[Metric::Recall, Metric::W2]) && !draws.wants(Metric::Recall));
        draws.add(Metric::Recall, 1.0);
        assert!(draws.finish(Goal::Generation).is_empty());
    }
}
