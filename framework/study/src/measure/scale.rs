//! Units for comparisons of generated and real points. Distances, neighbours and kernels use all
//! columns together: in the data's own units the widest column could decide alone.

use crate::config::MetricUnits;
use crate::data::{Batch, Normaliser, Units};
use crate::sequence;
use crate::trained::Trained;
use tch::{Kind, Tensor};

/// Ratio of the largest to the smallest deviation, up to which columns share one scale.
const ONE_SCALE: f64 = 2.0;

/// The units in which generated and real points are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    /// `true` for the units of the model's normaliser, `false` for the data's own.
    pub standardised: bool,
    /// Name of the units and the reason for them, for `metrics.json`.
    pub text: &'static str,
}

impl Scale {
    /// The units that the experiment sets. With null, they are the data's own if all columns share
    /// one scale or the data are not standardised, so that numbers can be read, and standardised
    /// ones otherwise.
    pub fn of(model: &Trained) -> Self {
        let experiment = model.experiment();
        let (standardised, text) = match experiment.metrics.units {
            Some(MetricUnits::Standardised) => (true, "standardised"),
            Some(MetricUnits::Data) => (false, "data"),
            None if !experiment.data.common().standardise => (false, "data (not standardised)"),
            None if shares_one_scale(&model.units().target) => {
                (false, "data (columns share one scale)")
            }
            None => (true, "standardised (columns differ in scale)"),
        };
        Self { standardised, text }
    }

    /// Converts `values` `[n, …]` from the data's own units; the padding outside `mask` stays
    /// zero.
    pub fn values(self, units: &Units, values: &Tensor, mask: Option<&Tensor>) -> Tensor {
        match self.standardised {
            true => sequence::keep(&units.target.apply(values), mask),
            false => values.shallow_clone(),
        }
    }

    /// Targets of normalised rows in these units; zeros in the padding of sequences.
    pub fn targets(self, units: &Units, rows: &Batch) -> Tensor {
        let mask = rows.mask.as_ref();
        match self.standardised {
            true => sequence::keep(&rows.target, mask),
            false => sequence::keep(&units.target.undo(&rows.target), mask),
        }
    }
}

fn shares_one_scale(normaliser: &Normaliser) -> bool {
    let deviation = normaliser.deviation.to_kind(Kind::Double).reshape([-1]);
    // Columns that do not vary have deviation 0 and no scale.
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
        let shared = |deviations: &[f64]| {
            let deviation = Tensor::from_slice(deviations);
            shares_one_scale(&Normaliser::new(deviation.zeros_like(), deviation, Kind::Double))
        };
        assert!(shared(&[0.87, 0.5]) && shared(&[1.0]) && shared(&[2.0, 1.0, 1.5]));
        assert!(shared(&[0.0, 1.0]) && shared(&[0.0]));
        assert!(!shared(&[2.01, 1.0]) && !shared(&[5.0, 800.0]));
    }
}
