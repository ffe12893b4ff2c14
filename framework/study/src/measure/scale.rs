//! The units in which generated and real points are compared: distances, neighbours and kernels look at all
//! columns together, and the widest would decide alone.

use crate::config::MetricUnits;
use crate::data::{Batch, Normaliser, Units};
use crate::sequence;
use crate::trained::Trained;
use tch::{Kind, Tensor};

/// Columns share one scale where the largest deviation is at most so many times the smallest.
const ONE_SCALE: f64 = 2.0;

/// The units of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    /// Whether they are those of the model's normaliser.
    pub standardised: bool,
    /// What they are, and why.
    pub text: &'static str,
}

impl Scale {
    /// What the experiment asks for; without a wish the data's own units where all columns share one scale, so
    /// that numbers mean something, and standardised ones elsewhere.
    pub fn of(model: &Trained) -> Self {
        let experiment = model.experiment();
        let (standardised, text) = match experiment.metrics.units {
            Some(MetricUnits::Standardised) => (true, "standardised"),
            Some(MetricUnits::Data) => (false, "data"),
            None if !experiment.data.common().standardise => (false, "data (not standardised)"),
            None if is_one(&model.units().target) => (false, "data (columns share one scale)"),
            None => (true, "standardised (columns differ in scale)"),
        };
        Self { standardised, text }
    }

    /// Values in the data's own units, `[n, …]`, of which the positions in `mask` are there.
    pub fn values(self, units: &Units, values: &Tensor, mask: Option<&Tensor>) -> Tensor {
        match self.standardised {
            true => sequence::keep(&units.target.apply(values), mask),
            false => values.shallow_clone(),
        }
    }

    /// Targets of normalised rows; zeros in the padding of sequences.
    pub fn targets(self, units: &Units, rows: &Batch) -> Tensor {
        let mask = rows.mask.as_ref();
        match self.standardised {
            true => sequence::keep(&rows.target, mask),
            false => sequence::keep(&units.target.undo(&rows.target), mask),
        }
    }
}

fn is_one(normaliser: &Normaliser) -> bool {
    let deviation = normaliser.deviation.to_kind(Kind::Double).reshape([-1]);
    // Columns that do not vary have none.
    let deviation = deviation.masked_select(&deviation.gt(0.0));
    if deviation.numel() == 0 {
        return true;
    }
    let (most, least) = (deviation.max().double_value(&[]), deviation.min().double_value(&[]));
    most <= ONE_SCALE * least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_share_a_scale_where_no_deviation_is_more_than_twice_another() {
        let of = |deviations: &[f64]| {
            let deviation = Tensor::from_slice(deviations);
            is_one(&Normaliser::new(deviation.zeros_like(), deviation, Kind::Double))
        };
        assert!(of(&[0.87, 0.5]) && of(&[1.0]) && of(&[2.0, 1.0, 1.5]));
        assert!(of(&[0.0, 1.0]) && of(&[0.0]));
        assert!(!of(&[2.01, 1.0]) && !of(&[5.0, 800.0]));
    }
}
