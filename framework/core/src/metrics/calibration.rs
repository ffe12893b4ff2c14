use super::{Points, classification::class_indices, predictions};
use crate::{Error, Result};

/// Number of bins in Guo et al. 2017.
pub const CALIBRATION_BINS: usize = 15;

/// Expected calibration error (Guo et al. 2017, arXiv 1706.04599), in \[0, 1\], from logits with
/// one row per example and one column per class. Examples are sorted into `bins` equal intervals of
/// their highest probability, each with its upper end. The error is the mean over the examples of
/// the distance between the share of correct predictions and the mean probability in their bin.
///
/// # Errors
/// [`Error::Runtime`] where `bins` is 0, and unless there is one label a row, each the index of a
/// class.
pub fn expected_calibration_error(logits: Points, labels: &[i64], bins: usize) -> Result<f64> {
    let labels = class_indices(logits, labels)?;
    if bins == 0 {
        return Err(Error::runtime("the calibration error needs at least one bin"));
    }
    // Number of correct predictions minus the sum of probabilities, in each bin.
    let mut gaps = vec![0.0; bins];
    for ((row, predicted), label) in logits.rows().zip(predictions(logits)).zip(&labels) {
        let sum: f64 = row.iter().map(|v| (v - row[predicted]).exp()).sum();
        let confidence = 1.0 / sum;
        let bin = (confidence * bins as f64).ceil() as usize;
        let correct = f64::from(u8::from(predicted == *label));
        gaps[bin.clamp(1, bins) - 1] += correct - confidence;
    }
    Ok(gaps.iter().map(|gap| gap.abs()).sum::<f64>() / labels.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, points};
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    /// Logits of two classes with the given probabilities of the second one.
    fn logits(second: &[f64]) -> Vec<f64> {
        second.iter().flat_map(|p| [(1.0 - p).ln(), p.ln()]).collect()
    }

    fn error(second: &[f64], labels: &[i64], bins: usize) -> f64 {
        let logits = logits(second);
        expected_calibration_error(points(&logits, 2), labels, bins).unwrap()
    }

    #[test]
    fn it_agrees_with_a_count_by_hand() {
        // Ten bins. 0.61 and 0.68 (= 1 - 0.32): one is correct, mean 0.645. 0.83: correct. 0.95,
        // 0.98, 0.97: two are correct.
        let second = [0.61, 0.32, 0.83, 0.95, 0.98, 0.97];
        let labels = [1, 1, 1, 1, 1, 0];
        let by_hand = (2.0 * (0.645_f64 - 0.5) + (1.0 - 0.83) + (2.9 - 2.0)) / 6.0;
        close(error(&second, &labels, 10), by_hand);
        // One bin: 4 of 6 are correct.
        let sum: f64 = 0.61 + 0.68 + 0.83 + 0.95 + 0.98 + 0.97;
        close(error(&second, &labels, 1), (sum - 4.0) / 6.0);
    }

    #[test]
    fn an_upper_end_belongs_to_its_bin() {
        // A probability of exactly 1/2 is in the first of two bins, alone.
        close(error(&[0.5, 0.75], &[0, 0], 2), (0.5 + 0.75) / 2.0);
        // In one bin with a larger one, their deviations cancel in part.
        close(error(&[0.5, 0.75], &[0, 0], 1), (1.25 - 1.0) / 2.0);
    }

    #[test]
    fn certain_and_right_is_no_error_certain_and_wrong_is_one() {
        let logits = [1000.0, 0.0, -1000.0, 1000.0];
        let error_of = |labels: &[i64]| {
            expected_calibration_error(points(&logits, 2), labels, CALIBRATION_BINS).unwrap()
        };
        assert_eq!((error_of(&[0, 1]), error_of(&[1, 0]), error_of(&[0, 0])), (0.0, 1.0, 0.5));
    }

    #[test]
    fn labels_drawn_with_the_probabilities_are_calibrated() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let second: Vec<f64> = (0..200_000).map(|_| 0.02 + 0.96 * rng.random::<f64>()).collect();
        let labels: Vec<i64> = second.iter().map(|p| i64::from(rng.random::<f64>() < *p)).collect();
        assert!(error(&second, &labels, CALIBRATION_BINS) < 0.006);
        // Squared odds are overconfident: the expected error is the mean of |p²/(p²+q²) - p|.
        let sure: Vec<f64> = second.iter().map(|p| p * p / (p * p + (1.0 - p).powi(2))).collect();
        let expected =
            second.iter().zip(&sure).map(|(p, s)| (s - p).abs()).sum::<f64>() / 200_000.0;
        let found = error(&sure, &labels, CALIBRATION_BINS);
        assert!((found - expected).abs() < 0.006, "{found} {expected}");
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        let logits = [0.0, 1.0];
        assert!(expected_calibration_error(points(&logits, 2), &[2], 15).is_err());
        assert!(expected_calibration_error(points(&logits, 2), &[], 15).is_err());
        let none = expected_calibration_error(points(&logits, 2), &[0], 0).unwrap_err();
        assert!(none.to_string().contains("at least one bin"));
    }
}
