//! Normalisers of the training rows.

use super::column::Values;
use super::layout::{Cells, TableLayout};
use super::moments::columns;
use super::normaliser::{Normaliser, features};
use super::quantiles::{Quantiles, Ties};
use super::rows::Side;
use super::summary::DataSummary;
use super::{bytes, disk};
use crate::component::Part;
use crate::config::Experiment;
use crate::error::Result;
use crate::sequence;
use crate::table::Scaling;
use tch::{Device, Kind, Tensor};

/// Options with which normalisers are fitted.
pub(super) struct Fit<'e> {
    pub experiment: &'e Experiment,
    pub kind: Kind,
    pub device: Device,
}

impl Fit<'_> {
    /// Fits the normaliser of a side of the training rows, and adds its deviations to `summary`.
    pub fn normaliser(
        &self,
        side: &Side,
        (part, ties): (Part, Ties),
        summary: &mut DataSummary,
    ) -> Result<Normaliser> {
        let Self { kind, device, .. } = *self;
        let standardise = self.experiment.data.common().standardise;
        let sequences = self.experiment.task().is_sequence();
        let identity = || Normaliser::identity(kind, device);
        let if_standardised = |fitted: Normaliser| match standardise {
            true => fitted.to_device(device),
            false => identity(),
        };
        let measured = match &side.column.values {
            Values::Labels(_) => return Ok(identity()),
            Values::Table(cells, layout) => {
                return self.of_table((cells, layout), (part, ties), summary);
            }
            Values::Stored(rows) if rows.kind() == Kind::Uint8 => {
                return Ok(if_standardised(disk::fit_bytes(rows, kind)?));
            }
            Values::Stored(rows) => disk::moments(rows, side.lengths.as_ref(), sequences)?.finish(),
            Values::Held(values) if bytes::is_image(values) => {
                return Ok(if_standardised(Normaliser::fit_bytes(values, kind)));
            }
            Values::Held(values) if sequences => {
                let mask = side.mask(&(0..values.size()[0]).into(), kind)?;
                columns(&sequence::positions(values, mask.as_ref()), kind)
            }
            Values::Held(values) => columns(values, kind),
        };
        let Some((mean, deviation)) = measured else { return Ok(identity()) };
        summary.set_deviations(part, None, &deviation);
        if standardise {
            return Ok(Normaliser::fitted(mean, deviation, kind).to_device(device));
        }
        if matches!(&side.column.values, Values::Held(v) if loses_digits(v, &deviation, kind)) {
            log::warn!(
                "float32 rounds {part} by more than a thousandth of its deviation: leave \
                 `data.standardise` true, or set `training.precision: float64`"
            );
        }
        Ok(identity())
    }

    /// Fits the normaliser of the rows of a table: numbers by their mean and deviation or by their
    /// quantiles, in float64, categories not at all.
    fn of_table(
        &self,
        (cells, layout): (&Cells, &TableLayout),
        (part, ties): (Part, Ties),
        summary: &mut DataSummary,
    ) -> Result<Normaliser> {
        let options = (Kind::Double, self.device);
        let (width, entries) = (layout.width(), layout.number_entries());
        let (mut mean, mut deviation) =
            (Tensor::zeros([width], options), Tensor::ones([width], options));
        let mut quantiles = None;
        if cells.numbers.numel() > 0 {
            let (own_mean, own_deviation) = known_moments(&cells.numbers);
            let names = layout.number_columns().map(|column| column.name.clone()).collect();
            summary.set_deviations(part, Some(names), &own_deviation);
            if self.experiment.data.common().standardise {
                mean = mean.index_copy(0, entries, &own_mean);
                deviation = deviation.index_copy(0, entries, &own_deviation);
                let by_quantiles = layout.number_columns().zip(0..);
                let by_quantiles: Vec<i64> = by_quantiles
                    .filter(|(column, _)| column.scaling == Scaling::Quantile)
                    .map(|(_, i)| i)
                    .collect();
                if !by_quantiles.is_empty() {
                    let index = Tensor::from_slice(&by_quantiles).to_device(self.device);
                    let values = cells.numbers.index_select(1, &index);
                    let entries = entries.index_select(0, &index);
                    quantiles = Some(Quantiles::fit(&values, entries, ties));
                }
            }
        }
        Ok(Normaliser::new(mean, deviation, self.kind).with_quantiles(quantiles))
    }
}

/// Mean and standard deviation of each column of `[n, columns]` without its missing cells; 0 where
/// all are missing.
fn known_moments(values: &Tensor) -> (Tensor, Tensor) {
    let known = values.isnan().logical_not();
    let count = known.sum_dim_intlist([0].as_slice(), false, Kind::Double).clamp_min(1.0);
    let sum = |values: Tensor| values.nansum([0].as_slice(), false, Kind::Double) / &count;
    let mean = sum(values.shallow_clone());
    let deviation = sum((values - &mean).square()).sqrt();
    let rounding = mean.abs() * 1e-15;
    let varies = deviation.gt_tensor(&rounding);
    (mean, deviation.where_self(&varies, &deviation.zeros_like()))
}

/// True if rounding to the precision `kind` changes some column of `values` by more than a
/// thousandth of its deviation.
fn loses_digits(values: &Tensor, deviation: &Tensor, kind: Kind) -> bool {
    if values.kind() != Kind::Double || kind == Kind::Double {
        return false;
    }
    let values = features(values);
    let change =
        (&values - values.to_kind(kind).to_kind(Kind::Double)).abs().amax([0].as_slice(), false);
    let most = deviation.to_device(values.device()) * 1e-3;
    let lost = change.gt_tensor(&most).logical_and(&deviation.to_device(values.device()).gt(0.0));
    lost.any().int64_value(&[]) == 1
}
