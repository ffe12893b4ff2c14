//! Mean and standard deviation of numbers.

/// The mean; NaN of none.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The mean, NaN of none, and the standard deviation with n − 1, none for fewer than two values.
pub fn mean_and_deviation(values: &[f64]) -> (f64, Option<f64>) {
    let mean = mean(values);
    let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    (mean, (values.len() > 1).then(|| (squares / (values.len() as f64 - 1.0)).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample_and_needs_two_values() {
        assert_eq!(mean_and_deviation(&[1.0, 2.0, 6.0]), (3.0, Some(7f64.sqrt())));
        assert_eq!(mean_and_deviation(&[4.0, 4.0]), (4.0, Some(0.0)));
        assert_eq!(mean_and_deviation(&[4.0]), (4.0, None));
        let (mean, deviation) = mean_and_deviation(&[]);
        assert!(mean.is_nan() && deviation.is_none());
    }
}
