use std::path::Path;

use super::Scatter;
use super::axis::Axis;
use super::data_view::{flat_ranges, plane_frame};
use super::figure::{COLOR_SCALE_WIDTH, Figure, INNER, color_scale};
use super::frame::Frame;
use super::panel::first_coordinate;
use super::plane::Plane;
use super::stats::{padded, robust_range};
use super::style::{self, BLUE, GREY, sequence};
use crate::Result;

/// Number of outputs that get a panel, at most.
const MOST_OUTPUTS: usize = 4;

/// Draws targets `y` against conditions `x`, as many of each: every output against x if x has one
/// dimension, else as a colour over the plane of x.
pub(super) fn pairs(
    path: &Path,
    title: &str,
    subtitle: &str,
    x: &Scatter,
    y: &Scatter,
) -> Result<()> {
    let outputs = y.dim.min(MOST_OUTPUTS);
    let mut subtitle = subtitle.to_owned();
    if y.dim > outputs {
        subtitle += &format!("; outputs 1 to {outputs} of {}", y.dim);
    }
    if x.dim == 1 {
        against_one(path, title, &subtitle, x, y, outputs)
    } else {
        over_plane(path, title, &subtitle, x, y, outputs)
    }
}

/// The name of coordinate `j`; without names the letter and its number, or the letter alone for a
/// single coordinate.
fn name_of(points: &Scatter, j: usize, letter: &str) -> String {
    match points.dim == 1 && points.names.is_empty() {
        true => letter.to_owned(),
        false => points.name(j, letter),
    }
}

fn against_one(
    path: &Path,
    title: &str,
    subtitle: &str,
    x: &Scatter,
    y: &Scatter,
    outputs: usize,
) -> Result<()> {
    let xs = first_coordinate(x);
    let columns = outputs.min(2);
    let rows = outputs.div_ceil(columns);
    let with_plane = y.dim == 2;
    let height = if outputs == 1 { 600.0 } else { 430.0 };
    let plane_height = if with_plane { 560.0 } else { 0.0 };
    let mut figure = Figure::new(title, subtitle, &[], rows as f64 * height + plane_height)?;
    let mut top = figure.body;
    top.y1 -= plane_height;
    let x_range = padded(robust_range(xs.iter().copied()), 0.03);
    let size = style::point(xs.len());
    for (j, cell) in top.cells(columns, rows, 30.0, 20.0).into_iter().enumerate().take(outputs) {
        let flat: Vec<(f64, f64)> = xs.iter().copied().zip(y.column(j)).collect();
        let y_range = padded(robust_range(y.column(j)), 0.06);
        let frame = Frame::new("", Axis::linear(x_range), Axis::linear(y_range)).labels(
            format!("condition {}", name_of(x, 0, "x")),
            format!("target {}", name_of(y, j, "y")),
        );
        let panel = frame.draw(&mut figure.canvas, cell)?;
        panel.dots(&mut figure.canvas, &flat, size, |_| BLUE);
        panel.note_missing(&mut figure.canvas, &flat)?;
    }
    if with_plane {
        // Two outputs are also drawn in their own plane, coloured by x.
        let plane = Plane::of(y, "y");
        let flat = plane.flatten(y);
        let mut cell = figure.body;
        (cell.y0, cell.x1) = (cell.y1 - plane_height + 16.0, cell.x1 - COLOR_SCALE_WIDTH);
        let colour = name_of(x, 0, "x");
        let title = format!("targets, coloured by {colour}");
        let frame = plane_frame(title, &plane, flat_ranges(&flat));
        let panel = frame.draw(&mut figure.canvas, cell)?;
        panel.dots(&mut figure.canvas, &flat, size, |i| value_color(xs[i], x_range));
        panel.note_missing(&mut figure.canvas, &flat)?;
        color_scale(&mut figure.canvas, panel.plot, x_range, &colour)?;
    }
    figure.save(path)
}

fn over_plane(
    path: &Path,
    title: &str,
    subtitle: &str,
    x: &Scatter,
    y: &Scatter,
    outputs: usize,
) -> Result<()> {
    let plane = Plane::of(x, "x");
    let flat = plane.flatten(x);
    let columns = outputs.min(2);
    let rows = outputs.div_ceil(columns);
    let cell_width = (INNER - 30.0 * (columns - 1) as f64) / columns as f64 - COLOR_SCALE_WIDTH;
    let ranges = flat_ranges(&flat);
    let most = if rows == 1 { 800.0 } else { 480.0 };
    let height = plane_frame("t", &plane, ranges).height_for(cell_width, 380.0, most);
    let mut figure = Figure::new(title, subtitle, &[], rows as f64 * (height + 20.0) - 20.0)?;
    let size = style::point(flat.len());
    for (j, mut cell) in
        figure.body.cells(columns, rows, 30.0, 20.0).into_iter().enumerate().take(outputs)
    {
        cell.x1 -= COLOR_SCALE_WIDTH;
        let name = name_of(y, j, "y");
        let panel = plane_frame(format!("target {name} over x"), &plane, ranges)
            .draw(&mut figure.canvas, cell)?;
        let values: Vec<f64> = y.column(j).collect();
        let range = padded(robust_range(values.iter().copied()), 0.0);
        panel.dots(&mut figure.canvas, &flat, (size.0 * 1.15, size.1.max(0.75)), |i| {
            value_color(values[i], range)
        });
        panel.note_missing(&mut figure.canvas, &flat)?;
        color_scale(&mut figure.canvas, panel.plot, range, &name)?;
    }
    figure.save(path)
}

/// The colour of a value in its range; grey if it is not finite.
fn value_color(v: f64, (lo, hi): (f64, f64)) -> style::Color {
    if v.is_finite() { sequence((v - lo) / (hi - lo)) } else { GREY }
}
