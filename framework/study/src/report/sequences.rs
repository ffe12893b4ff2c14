//! Pictures of sequences, and their predictions as arrays.

use super::{Pictures, caption, write_npz};
use crate::data::{Data, HeldOut};
use crate::error::Result;
use crate::group::Group;
use crate::measure::{BAND, Cost, band, draw_rows, ensemble, finite, how};
use crate::plot::{self, Series, SeriesExample, SeriesView};
use crate::rng::{Purpose, stream_seed};
use crate::sequence;
use crate::trained::Trained;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// Rows in a picture of predictions; curves in one of samples.
const EXAMPLES: i64 = 6;
const CURVES: i64 = 24;
/// Rows in `predictions.npz`, at most.
const ROWS: i64 = 1000;

/// Series of `values` `[n, T, features]`, without their padding.
fn all_series(values: &Tensor, mask: Option<&Tensor>) -> Result<Vec<Series>> {
    let lengths: Option<Vec<i64>> =
        mask.map(|m| Vec::try_from(sequence::lengths(m))).transpose()?;
    let one = |i: i64| {
        let row = values.get(i).to_device(Device::Cpu).to_kind(Kind::Double);
        let steps = lengths.as_ref().map_or(row.size()[0], |all| all[i as usize]);
        let row = row.narrow(0, 0, steps);
        Ok(Series {
            features: row.size()[1] as usize,
            values: Vec::try_from(row.contiguous().view([-1]))?,
        })
    };
    (0..values.size()[0]).map(one).collect()
}

/// Draws the first training targets.
pub(super) fn draw_data(model: &Trained, data: &Data, folder: &Path) -> Result<()> {
    let rows = data.train.first(EXAMPLES)?;
    let target = model.units().target.undo(&rows.target);
    let truth = all_series(&target, rows.mask.as_ref())?;
    plot::series(
        &folder.join("data_visualization.png"),
        &SeriesView {
            title: format!("Data: {}", model.experiment().data.name()),
            subtitle: format!("the first {} of {} training targets", truth.len(), data.train.len()),
            band_name: String::new(),
            examples: truth
                .into_iter()
                .map(|truth| SeriesExample { truth, ..SeriesExample::default() })
                .collect(),
        },
    )
}

/// Draws predictions from z_0 = 0 in the band of several random draws, and writes
/// `predictions.npz`.
pub(super) fn draw_predictions(
    model: &mut Trained,
    data: &Data,
    pictures: &mut Pictures<'_>,
) -> Result<()> {
    let HeldOut { name: set, rows, .. } = data.held_out(ROWS)?;
    let (sampled, predicted) = draw_rows(model, &rows, None)?;
    let (mask, predicted) = (rows.mask.as_ref(), finite(predicted)?);
    let seed = stream_seed(model.experiment().seed(), Purpose::Report, 3);
    let few = rows.first(EXAMPLES);
    let draws = ensemble(model, &few, seed, &Group::alone(), &mut Cost::default())?;
    let (low, high) = band(&draws);
    let truth = sequence::keep(&model.units().target.undo(&rows.target), mask);
    let mut arrays = vec![
        ("predictions".to_owned(), predicted.shallow_clone()),
        ("truth".to_owned(), truth.shallow_clone()),
    ];
    arrays.extend(mask.map(|m| ("lengths".to_owned(), sequence::lengths(m))));
    let folder = pictures.folder;
    write_npz(folder, "predictions.npz", &arrays, model.units())?;
    pictures.draw("predictions.png", || {
        let some = |t: &Tensor| all_series(&t.narrow(0, 0, few.len()), few.mask.as_ref());
        let (truth, predicted, low, high) =
            (some(&truth)?, some(&predicted)?, some(&low)?, some(&high)?);
        let examples = truth.into_iter().zip(predicted).zip(low.into_iter().zip(high));
        plot::series(
            &folder.join("predictions.png"),
            &SeriesView {
                title: format!(
                    "{}: predictions on {set} data",
                    model.experiment().objective.name()
                ),
                subtitle: caption(&how(model, &sampled, rows.len(), None)),
                band_name: format!("central {} % of {} draws", BAND * 100.0, draws.size()[0]),
                examples: examples
                    .map(|((truth, predicted), band)| SeriesExample {
                        truth,
                        predicted: Some(predicted),
                        band: Some(band),
                    })
                    .collect(),
            },
        )
    })
}

/// Draws generated series below real ones.
pub(super) fn draw_samples(model: &mut Trained, data: &Data, folder: &Path) -> Result<()> {
    let seed = stream_seed(model.experiment().seed(), Purpose::Report, 1);
    let HeldOut { name: set, rows, .. } = data.held_out(CURVES)?;
    let (sampled, generated) = draw_rows(model, &rows, Some((seed, 0)))?;
    let (mask, generated) = (rows.mask.as_ref(), finite(generated)?);
    let real = model.units().target.undo(&rows.target);
    let name = match rows.condition {
        Some(_) => "conditional_generation.png",
        None => "unconditional_generation.png",
    };
    plot::series_samples(
        &folder.join(name),
        &format!("{}: generated beside {set} data", model.experiment().objective.name()),
        &caption(&how(model, &sampled, rows.len(), Some(model.experiment().seed()))),
        &all_series(&real, mask)?,
        &all_series(&generated, mask)?,
    )
}
