//! Metrics of predicted against true values, one row per example and one column per feature.

use super::{Points, mean, same_dim};
use crate::{Error, Result};

/// Mean squared error over all examples and features.
///
/// # Errors
/// [`Error::Runtime`] for predictions of another shape.
pub fn mse(truth: Points, predicted: Points) -> Result<f64> {
    mean_over_values(truth, predicted, |d| d * d)
}

/// Mean absolute error over all examples and features.
///
/// # Errors
/// [`Error::Runtime`] for predictions of another shape.
pub fn mae(truth: Points, predicted: Points) -> Result<f64> {
    mean_over_values(truth, predicted, f64::abs)
}

/// Percentage of variance explained, 100 R² = 100 (1 - SSE / SST), with SST about the mean of each
/// feature: at most 100, and 0 for a prediction as good as these means. `None` where the truth is
/// constant and there is no variance to explain.
#[derive(Clone, Debug, PartialEq)]
pub struct VarianceExplained {
    /// Percentage of each feature.
    pub per_feature: Vec<Option<f64>>,
    /// Mean over the features that have a value.
    pub uniform_average: Option<f64>,
    /// Percentage from errors and variances summed over all features, so that features of more
    /// variance count more.
    pub pooled: Option<f64>,
}

/// Percentage of variance explained, of each feature and of all.
///
/// # Errors
/// [`Error::Runtime`] for predictions of another shape.
pub fn variance_explained(truth: Points, predicted: Points) -> Result<VarianceExplained> {
    same_shape(truth, predicted)?;
    let (n, dim) = (truth.len() as f64, truth.dim());
    let mut means = vec![0.0; dim];
    for row in truth.rows() {
        means.iter_mut().zip(row).for_each(|(mean, v)| *mean += v / n);
    }
    let (mut errors, mut variances) = (vec![0.0; dim], vec![0.0; dim]);
    for (row, guess) in truth.rows().zip(predicted.rows()) {
        for k in 0..dim {
            errors[k] += (row[k] - guess[k]).powi(2);
            variances[k] += (row[k] - means[k]).powi(2);
        }
    }
    let first = truth.row(0);
    for k in 0..dim {
        // The mean of equal values may differ from them by rounding.
        if truth.rows().all(|row| row[k] == first[k]) {
            variances[k] = 0.0;
        }
    }
    let percent = |sse: f64, sst: f64| (sst > 0.0).then(|| 100.0 * (1.0 - sse / sst));
    let per_feature: Vec<_> = errors.iter().zip(&variances).map(|(e, v)| percent(*e, *v)).collect();
    let known: Vec<f64> = per_feature.iter().flatten().copied().collect();
    Ok(VarianceExplained {
        uniform_average: (!known.is_empty()).then(|| mean(&known)),
        pooled: percent(errors.iter().sum(), variances.iter().sum()),
        per_feature,
    })
}

fn mean_over_values(truth: Points, predicted: Points, loss: impl Fn(f64) -> f64) -> Result<f64> {
    same_shape(truth, predicted)?;
    let pairs = truth.values().iter().zip(predicted.values());
    Ok(pairs.map(|(t, p)| loss(t - p)).sum::<f64>() / truth.values().len() as f64)
}

pub(super) fn same_shape(truth: Points, predicted: Points) -> Result<()> {
    same_dim(truth, predicted)?;
    if truth.len() == predicted.len() {
        return Ok(());
    }
    Err(Error::runtime(format!(
        "{} predictions for {} true values; there must be one each",
        predicted.len(),
        truth.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, cloud, flat, golden, number, points};
    use super::*;

    #[test]
    fn golden_values_hold() {
        let golden = &golden()["regression"];
        let (truth, predicted) = (flat(&golden["y_true"]), flat(&golden["y_pred"]));
        let (truth, predicted) = (points(&truth, 3), points(&predicted, 3));
        close(mse(truth, predicted).unwrap(), number(&golden["mse"]));
        close(mae(truth, predicted).unwrap(), number(&golden["mae"]));
        let explained = variance_explained(truth, predicted).unwrap();
        for (actual, expected) in explained.per_feature.iter().zip(flat(&golden["pve_per_feature"]))
        {
            close(actual.unwrap(), expected);
        }
        close(explained.uniform_average.unwrap(), number(&golden["pve_uniform_average"]));
        close(explained.pooled.unwrap(), number(&golden["pve_pooled"]));
    }

    #[test]
    fn the_truth_explains_everything_and_the_mean_nothing() {
        let truth = cloud(50, 2, 3.0, 1);
        let explained = variance_explained(points(&truth, 2), points(&truth, 2)).unwrap();
        assert_eq!(explained.per_feature, [Some(100.0); 2]);
        assert_eq!((explained.uniform_average, explained.pooled), (Some(100.0), Some(100.0)));
        let mean = |k| truth.iter().skip(k).step_by(2).sum::<f64>() / 50.0;
        let means: Vec<f64> = (0..100).map(|i| mean(i % 2)).collect();
        let explained = variance_explained(points(&truth, 2), points(&means, 2)).unwrap();
        assert!(explained.per_feature.iter().all(|v| v.unwrap().abs() < 1e-10));
        assert!(explained.pooled.unwrap().abs() < 1e-10);
    }

    #[test]
    fn a_constant_feature_has_nothing_to_explain() {
        // The sum of six times 0.1/6 is not 0.1 in double precision.
        assert_ne!((0..6).map(|_| 0.1 / 6.0).sum::<f64>(), 0.1);
        let truth: Vec<f64> = (0..6).flat_map(|i| [0.1, f64::from(i)]).collect();
        let predicted: Vec<f64> = (0..6).flat_map(|i| [0.2, f64::from(i)]).collect();
        let explained = variance_explained(points(&truth, 2), points(&predicted, 2)).unwrap();
        assert_eq!(explained.per_feature, [None, Some(100.0)]);
        assert_eq!(explained.uniform_average, Some(100.0));
        close(explained.pooled.unwrap(), 100.0 * (1.0 - 0.06 / 17.5));
        let constant = [0.1; 6];
        let explained = variance_explained(points(&constant, 1), points(&constant, 1)).unwrap();
        assert_eq!((explained.uniform_average, explained.pooled), (None, None));
    }

    #[test]
    fn shapes_must_agree() {
        let values = [0.0; 6];
        assert!(mse(points(&values, 2), points(&values, 3)).is_err());
        assert!(mae(points(&values, 2), points(&values[..4], 2)).is_err());
    }
}
