use std::path::Path;

use super::axis::Axis;
use super::figure::{Entry, Figure, Key};
use super::frame::Frame;
use super::stats::{padded, robust_range};
use super::style::category;
use crate::{Error, Result};

/// Contents of a picture of functions of time: one panel a quantity, one curve a component.
#[derive(Debug, Clone, Default)]
pub struct FunctionView {
    /// The picture's title.
    pub title: String,
    /// Description of what is drawn.
    pub subtitle: String,
    /// Names of the components, in the order of the legend.
    pub names: Vec<String>,
    /// Panels from left to right.
    pub quantities: Vec<Quantity>,
}

/// A panel of a [`FunctionView`].
#[derive(Debug, Clone, Default)]
pub struct Quantity {
    /// Title of the panel.
    pub name: String,
    /// Ends of the axis; `None` takes those of the values, without outliers.
    pub range: Option<(f64, f64)>,
    /// Points (t, value) of every component, t in \[0, 1\].
    pub curves: Vec<Vec<(f64, f64)>>,
}

/// Draws functions of time to `path`. Values outside a panel's axis are counted in it.
///
/// # Errors
/// If no value is finite, or the file cannot be written.
pub fn functions(path: &Path, view: &FunctionView) -> Result<()> {
    let mut values = view.quantities.iter().flat_map(|q| q.curves.iter().flatten());
    if !values.any(|point| point.1.is_finite()) {
        return Err(Error::runtime("functions: nothing to draw, no value is finite"));
    }
    let entry = |(i, name): (usize, &String)| Entry::new(Key::Line, category(i), name.as_str());
    let legend: Vec<Entry> = view.names.iter().enumerate().map(entry).collect();
    let mut figure = Figure::new(&view.title, &view.subtitle, &legend, 460.0)?;
    let cells = figure.body.cells(view.quantities.len(), 1, 30.0, 0.0);
    for (quantity, cell) in view.quantities.iter().zip(cells) {
        let values = || quantity.curves.iter().flatten().map(|point| point.1);
        let range = quantity.range.or_else(|| robust_range(values()));
        let (x, y) = (Axis::linear((0.0, 1.0)), Axis::linear(padded(range, 0.04)));
        let frame = Frame::new(&quantity.name, x, y).labels("time t: noise at 0, data at 1", "");
        let panel = frame.draw(&mut figure.canvas, cell)?;
        for (i, curve) in quantity.curves.iter().enumerate() {
            panel.path(&mut figure.canvas, curve, 2.4, category(i));
        }
        panel.note_missing(&mut figure.canvas, &quantity.curves.concat())?;
    }
    figure.save(path)
}
