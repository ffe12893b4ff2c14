//! Pictures of sequences over their positions: observed, predicted with bands of uncertainty,
//! generated.

use std::path::Path;

use super::axis::Axis;
use super::figure::{Entry, Figure, Key};
use super::frame::Frame;
use super::stats::{padded, robust_range, union};
use super::style::{BLUE, INK, VERMILION};
use crate::{Error, Result};

/// Numbers of features and examples that get a panel, at most.
const MOST_FEATURES: usize = 4;
const MOST_EXAMPLES: usize = 6;

/// One series, `[positions, features]` in row-major order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Values in the units of the picture.
    pub values: Vec<f64>,
    /// Number of features of a position.
    pub features: usize,
}

impl Series {
    /// Points (position, value) of feature `j`; positions count from 1.
    fn feature(&self, j: usize) -> Vec<(f64, f64)> {
        let values = self.values.iter().skip(j).step_by(self.features.max(1));
        values.enumerate().map(|(i, v)| ((i + 1) as f64, *v)).collect()
    }
}

/// A true series and its prediction.
#[derive(Debug, Clone, Default)]
pub struct SeriesExample {
    /// The observed series.
    pub truth: Series,
    /// The prediction, if there is one.
    pub predicted: Option<Series>,
    /// Lower and upper end of the band, if there is one.
    pub band: Option<(Series, Series)>,
}

/// Contents of a picture of series.
#[derive(Debug, Clone)]
pub struct SeriesView {
    /// The picture's title.
    pub title: String,
    /// Description of how the series were made.
    pub subtitle: String,
    /// Meaning of the band, for the legend.
    pub band_name: String,
    /// Examples, of which the first six are drawn, a panel an example and feature.
    pub examples: Vec<SeriesExample>,
}

/// Draws examples to `path`, a row an example and a column a feature: the truth, and over it the
/// prediction in its band.
///
/// # Errors
/// If there is no example, a series is empty, the series have different numbers of features, or the
/// file cannot be written.
pub fn series(path: &Path, view: &SeriesView) -> Result<()> {
    let examples = &view.examples[..view.examples.len().min(MOST_EXAMPLES)];
    let features = check(examples.iter().map(|e| &e.truth))?;
    let shown = features.min(MOST_FEATURES);
    let has = |f: fn(&SeriesExample) -> bool| examples.iter().any(f);
    let mut legend = vec![Entry::new(Key::Dot, INK, "observed")];
    if has(|e| e.predicted.is_some()) {
        legend.push(Entry::new(Key::Line, BLUE, "predicted"));
    }
    if has(|e| e.band.is_some()) {
        legend.push(Entry::new(Key::Area, BLUE.fade(0.25), &view.band_name));
    }
    // A single feature leaves room for two examples side by side.
    let columns = if shown == 1 { 2 } else { shown };
    let rows = (examples.len() * shown).div_ceil(columns);
    let mut figure = Figure::new(&view.title, &view.subtitle, &legend, 230.0 * rows as f64)?;
    let cells = figure.body.cells(columns, rows, 24.0, 14.0);
    for (i, example) in examples.iter().enumerate() {
        for j in 0..shown {
            let cell = cells[i * shown + j];
            let truth = example.truth.feature(j);
            let predicted = example.predicted.as_ref().map(|s| s.feature(j));
            let band = example.band.as_ref().map(|(low, high)| (low.feature(j), high.feature(j)));
            let mut all: Vec<f64> = truth.iter().map(|p| p.1).collect();
            all.extend(predicted.iter().flatten().map(|p| p.1));
            all.extend(band.iter().flat_map(|(low, high)| low.iter().chain(high)).map(|p| p.1));
            let frame =
                Frame::new("", positions(&truth), Axis::linear(padded(robust_range(all), 0.06)))
                    .labels(
                        if i * shown + j + columns >= rows * columns { "position" } else { "" },
                        name(j, features),
                    );
            let panel = frame.draw(&mut figure.canvas, cell)?;
            if let Some((low, high)) = &band {
                let column = |points: &[(f64, f64)], coordinate: fn(&(f64, f64)) -> f64| {
                    points.iter().map(coordinate).collect::<Vec<_>>()
                };
                let (xs, low, high) =
                    (column(low, |p| p.0), column(low, |p| p.1), column(high, |p| p.1));
                panel.band(&mut figure.canvas, &xs, &low, &high, BLUE.fade(0.25));
            }
            match &predicted {
                Some(predicted) => panel.path(&mut figure.canvas, predicted, 2.2, BLUE),
                None => panel.path(&mut figure.canvas, &truth, 1.4, INK.fade(0.5)),
            }
            panel.dots(&mut figure.canvas, &truth, (2.6, 0.9), |_| INK);
        }
    }
    figure.save(path)
}

/// Draws generated series below real ones to `path`, a column a feature.
///
/// # Errors
/// If there is no series, one is empty, they have different numbers of features, or the file cannot
/// be written.
pub fn series_samples(
    path: &Path,
    title: &str,
    subtitle: &str,
    real: &[Series],
    generated: &[Series],
) -> Result<()> {
    let features = check(real.iter().chain(generated))?;
    let shown = features.min(MOST_FEATURES);
    let legend =
        [Entry::new(Key::Line, INK, "real"), Entry::new(Key::Line, VERMILION, "generated")];
    let mut figure = Figure::new(title, subtitle, &legend, 640.0)?;
    let cells = figure.body.cells(shown, 2, 24.0, 18.0);
    for j in 0..shown {
        let curves = |all: &[Series]| all.iter().map(|s| s.feature(j)).collect::<Vec<_>>();
        let sides = [(curves(real), INK, "real"), (curves(generated), VERMILION, "generated")];
        let range = |side: &[Vec<(f64, f64)>]| robust_range(side.iter().flatten().map(|p| p.1));
        let y = padded(union(range(&sides[0].0), range(&sides[1].0)), 0.06);
        for (row, (curves, color, what)) in sides.iter().enumerate() {
            let longest = curves.iter().max_by_key(|c| c.len()).cloned().unwrap_or_default();
            let label = if row == 1 { "position" } else { "" };
            let frame = Frame::new(*what, positions(&longest), Axis::linear(y))
                .labels(label, name(j, features));
            let panel = frame.draw(&mut figure.canvas, cells[row * shown + j])?;
            for curve in curves {
                panel.path(&mut figure.canvas, curve, 1.3, color.fade(0.55));
            }
        }
    }
    figure.save(path)
}

fn positions(points: &[(f64, f64)]) -> Axis {
    let last = points.len().max(2) as f64;
    Axis::counting((1.0 - 0.015 * last, last * 1.015))
}

fn name(j: usize, features: usize) -> String {
    if features == 1 { "value".to_owned() } else { format!("feature {}", j + 1) }
}

/// Number of features, which must be one for all series.
fn check<'s>(all: impl Iterator<Item = &'s Series>) -> Result<usize> {
    let mut features = None;
    for series in all {
        if series.features == 0
            || series.values.is_empty()
            || series.values.len() % series.features != 0
        {
            return Err(Error::runtime("series: nothing to draw, a series has no positions"));
        }
        if features.is_some_and(|f| f != series.features) {
            return Err(Error::runtime("series: the numbers of features differ"));
        }
        features = Some(series.features);
    }
    features.ok_or_else(|| Error::runtime("series: nothing to draw, there are none"))
}
