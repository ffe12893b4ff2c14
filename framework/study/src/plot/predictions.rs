use std::path::Path;

use super::axis::Axis;
use super::data_view::MOST_POINTS;
use super::figure::{Entry, Figure, Key};
use super::frame::Frame;
use super::stats::{padded, robust_range, thinned, union};
use super::style::{self, BLUE, INK, counted, fixed};
use super::{Scatter, confusion};
use crate::table::{CellType, TableColumn};
use crate::{Error, Result};

/// Contents of a picture of predictions beside the truth.
#[derive(Debug, Clone)]
pub struct PredictionView {
    /// The picture's title.
    pub title: String,
    /// The rows that were predicted, and how.
    pub subtitle: String,
    /// Inputs of the predictions; drawn for classes if they have two dimensions.
    pub x: Option<Scatter>,
    /// The truth and the predictions.
    pub predicted: Predicted,
}

/// Classes or numbers, true and predicted.
#[derive(Debug, Clone)]
pub enum Predicted {
    /// Classification.
    Classes {
        /// True class of each point.
        truth: Vec<usize>,
        /// Predicted class of each point.
        predicted: Vec<usize>,
        /// Names of the classes; a class without one is numbered.
        names: Vec<String>,
    },
    /// Regression.
    Values {
        /// True outputs.
        truth: Scatter,
        /// Predicted outputs.
        predicted: Scatter,
        /// Names and types of the outputs; an output without one is a number, and numbered.
        columns: Vec<TableColumn>,
    },
}

/// Draws predictions against the truth to `path`: for classes a confusion matrix, and the points
/// with errors marked if x has two dimensions; for numbers predicted against true, for up to four
/// outputs.
///
/// # Errors
/// If there is no (finite) value, truth and predictions differ in shape, there are more than 1000
/// classes, or the file cannot be written.
pub fn predictions(path: &Path, view: &PredictionView) -> Result<()> {
    match &view.predicted {
        Predicted::Classes { truth, predicted, names } => {
            confusion::classes(path, view, truth, predicted, names)
        }
        Predicted::Values { truth, predicted, columns } => {
            values(path, view, truth, predicted, columns)
        }
    }
}

pub(super) fn with_remark(subtitle: &str, remark: String) -> String {
    if subtitle.is_empty() { remark } else { format!("{subtitle}; {remark}") }
}

fn values(
    path: &Path,
    view: &PredictionView,
    truth: &Scatter,
    predicted: &Scatter,
    named: &[TableColumn],
) -> Result<()> {
    truth.check("predictions (truth)")?;
    predicted.check("predictions")?;
    if truth.dim != predicted.dim || truth.len() != predicted.len() {
        return Err(Error::runtime(
            "predictions: the predictions do not have the shape of the truth",
        ));
    }
    let outputs = truth.dim.min(4);
    let mut subtitle = with_remark(&view.subtitle, counted(truth.len(), "point"));
    if truth.dim > outputs {
        subtitle += &format!("; outputs 1 to {outputs} of {}", truth.dim);
    }
    let legend =
        [Entry::new(Key::Dashes, INK, "perfect prediction"), Entry::new(Key::Dot, BLUE, "points")];
    let (columns, rows) = if outputs <= 2 { (outputs, 1) } else { (2, 2) };
    let side = if columns == 1 { 700.0 } else { 640.0 };
    let mut figure =
        Figure::new(&view.title, &subtitle, &legend, rows as f64 * (side + 16.0) - 16.0)?;
    let shown = thinned(truth.len(), MOST_POINTS);
    for (j, mut cell) in
        figure.body.cells(columns, rows, 30.0, 16.0).into_iter().enumerate().take(outputs)
    {
        let pairs: Vec<(f64, f64)> = truth.column(j).zip(predicted.column(j)).collect();
        let both =
            union(robust_range(pairs.iter().map(|p| p.0)), robust_range(pairs.iter().map(|p| p.1)));
        let column = named.get(j);
        let axis = axis_of(column, both);
        let range = (axis.lo, axis.hi);
        let name = column.map(|column| column.name.clone());
        let name = name.unwrap_or_else(|| format!("output {}", j + 1));
        let title = match r_squared(&pairs) {
            Some(r2) if r2 > -10.0 => format!("{name}: R² = {}", fixed(r2, 3)),
            Some(r2) => format!("{name}: R² = {}", style::number(r2, 3)),
            None => format!("{name}: R² undefined, the truth does not vary"),
        };
        // A square panel, so that the identity is the diagonal.
        let spare = (cell.width() - 66.0) - (cell.height() - 82.0);
        if spare > 0.0 {
            (cell.x0, cell.x1) = (cell.x0 + spare / 2.0, cell.x1 - spare / 2.0);
        }
        let frame = Frame::new(title, axis.clone(), axis).labels("true", "predicted").equal();
        let panel = frame.draw(&mut figure.canvas, cell)?;
        let ends = (range.0 - 10.0 * (range.1 - range.0), range.1 + 10.0 * (range.1 - range.0));
        let drawn: Vec<(f64, f64)> = shown.iter().map(|i| pairs[*i]).collect();
        panel.dots(&mut figure.canvas, &drawn, style::point(drawn.len()), |_| BLUE);
        panel.dashed(&mut figure.canvas, &[(ends.0, ends.0), (ends.1, ends.1)], 1.6, INK);
        // The upper right corner holds the end of the identity.
        panel.notes_below(&mut figure.canvas, &panel.missing(&pairs))?;
    }
    figure.save(path)
}

/// The axis of true and predicted outputs: dates for times, and else numbers, as predictions of
/// whole numbers are not whole.
fn axis_of(column: Option<&TableColumn>, range: Option<(f64, f64)>) -> Axis {
    const MARGIN: f64 = 0.04;
    match column.map(|column| &column.kind) {
        Some(kind @ CellType::Time { .. }) => Axis::of(kind, range, MARGIN),
        _ => Axis::linear(padded(range, MARGIN)),
    }
}

/// R² of the pairs (true, predicted) that are finite; `None` if the truth does not vary.
fn r_squared(pairs: &[(f64, f64)]) -> Option<f64> {
    let pairs: Vec<_> = pairs.iter().filter(|p| p.0.is_finite() && p.1.is_finite()).collect();
    let mean = pairs.iter().map(|p| p.0).sum::<f64>() / pairs.len() as f64;
    let total: f64 = pairs.iter().map(|p| (p.0 - mean).powi(2)).sum();
    let left: f64 = pairs.iter().map(|p| (p.1 - p.0).powi(2)).sum();
    (total > 0.0).then(|| 1.0 - left / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_dates_or_hours_on_their_axes_and_whole_numbers_have_fractions() {
        let ticks = |kind: CellType, range| -> Vec<String> {
            let axis = axis_of(Some(&TableColumn::new("at", kind)), Some(range));
            axis.ticks(4.0).into_iter().map(|tick| tick.1).collect()
        };
        let time = |format: &str| CellType::Time { format: format.to_owned() };
        let days = |n: f64| n * 86_400.0;
        assert_eq!(
            ticks(time("%d.%m.%Y"), (days(19_000.0), days(19_002.0))),
            ["2022-01-08", "2022-01-09", "2022-01-10"]
        );
        assert_eq!(ticks(time("%H:%M"), (0.0, days(0.5))), ["00:00", "06:00", "12:00"]);
        let whole = CellType::Number { decimals: Some(0) };
        assert_eq!(ticks(whole, (0.0, 1.0)), ["0.0", "0.5", "1.0"]);
    }

    #[test]
    fn r_squared_is_one_for_the_truth_and_zero_for_its_mean() {
        assert_eq!(r_squared(&[(1.0, 1.0), (2.0, 2.0), (f64::NAN, 9.0)]), Some(1.0));
        assert_eq!(r_squared(&[(1.0, 1.5), (2.0, 1.5)]), Some(0.0));
        assert_eq!(r_squared(&[(1.0, 1.5), (1.0, 0.5)]), None);
    }
}
