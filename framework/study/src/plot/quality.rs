use std::path::Path;

use super::axis::Axis;
use super::figure::{Entry, Figure, Key};
use super::frame::Frame;
use super::stats::{padded, sorted};
use super::style::{GREY, PAPER, category, counted};
use crate::{Error, Result};

/// Contents of a picture of quality against network evaluations, one curve a solver.
#[derive(Debug, Clone, Default)]
pub struct QualityView {
    /// The picture's title.
    pub title: String,
    /// Description of the measurement and its rows.
    pub subtitle: String,
    /// Name of the metric; less is better.
    pub metric: String,
    /// Curves in the order of the legend.
    pub curves: Vec<QualityCurve>,
    /// The metric of real rows in place of generated ones: the best that a model can reach.
    pub floor: Option<f64>,
}

/// A curve of a [`QualityView`].
#[derive(Debug, Clone, Default)]
pub struct QualityCurve {
    /// Name in the legend.
    pub name: String,
    /// Points (network evaluations a sample, metric), joined in this order.
    pub points: Vec<(f64, f64)>,
}

/// Draws quality against network evaluations to `path`, on logarithmic axes; that of the metric is
/// linear if a value is not positive. A curve of one point is a ring.
///
/// # Errors
/// If no value is finite, or the file cannot be written.
pub fn quality(path: &Path, view: &QualityView) -> Result<()> {
    let all: Vec<(f64, f64)> = view.curves.iter().flat_map(|c| c.points.iter().copied()).collect();
    let shown = |p: &&(f64, f64)| p.0.is_finite() && p.0 > 0.0 && p.1.is_finite();
    let values = sorted(all.iter().filter(shown).map(|p| p.1).chain(view.floor));
    let (Some(least), Some(most)) = (values.first().copied(), values.last().copied()) else {
        return Err(Error::runtime("quality: nothing to draw, no value is finite"));
    };
    let single = |c: &QualityCurve| c.points.len() == 1;
    let mut legend: Vec<Entry> = view
        .curves
        .iter()
        .enumerate()
        .map(|(i, c)| {
            let key = if single(c) { Key::Ring } else { Key::Line };
            Entry::new(key, category(i), c.name.as_str())
        })
        .collect();
    if view.floor.is_some() {
        legend.push(Entry::new(Key::Dashes, GREY, "real against real"));
    }
    let mut figure = Figure::new(&view.title, &view.subtitle, &legend, 620.0)?;
    let log_range = |lo: f64, hi: f64, margin: f64| {
        let (lo, hi) = padded(Some((lo.ln(), hi.ln())), margin);
        Axis::log((lo.exp(), hi.exp()))
    };
    let y = match least > 0.0 {
        true => log_range(least, most, 0.08),
        false => Axis::linear(padded(Some((least, most)), 0.08)),
    };
    let evaluations = sorted(all.iter().filter(shown).map(|p| p.0));
    let ends = (evaluations.first().copied(), evaluations.last().copied());
    let x = log_range(ends.0.unwrap_or(1.0), ends.1.unwrap_or(1.0), 0.05);
    let label = if y.log { format!("{} (log scale)", view.metric) } else { view.metric.clone() };
    let frame = Frame::new("", x, y).labels("network evaluations a sample (log scale)", label);
    let body = figure.body;
    let canvas = &mut figure.canvas;
    let panel = frame.draw(canvas, body)?;
    if let Some(floor) = view.floor {
        panel.dashed(canvas, &[(panel.x.lo, floor), (panel.x.hi, floor)], 1.8, GREY);
    }
    for (i, curve) in view.curves.iter().enumerate() {
        panel.path(canvas, &curve.points, 2.2, category(i));
        for point in curve.points.iter().filter(shown) {
            let at = panel.at(*point);
            if single(curve) {
                canvas.dot(at, 7.5, PAPER);
                canvas.ring(at, 6.5, 2.4, category(i));
            } else {
                canvas.dot(at, 4.2, category(i));
            }
        }
    }
    let broken = all.iter().filter(|p| !shown(p)).count();
    if broken > 0 {
        panel.notes(canvas, &[format!("{} not finite", counted(broken, "point"))])?;
    }
    figure.save(path)
}
