//! What a model predicts against what is true: a confusion matrix for classes, a scatter for numbers.

use std::path::Path;

use super::axis::Axis;
use super::canvas::{Canvas, Rect};
use super::data_view::{flat_ranges, plane_frame};
use super::figure::{Entry, Figure, INNER, Key, cross};
use super::groups::Groups;
use super::panel::Frame;
use super::stats::{Plane, padded, robust_range, thinned, union};
use super::style::{
    self, BLUE, Color, FRAME, INK, PAPER, SOFT_INK, count, counted, fixed, label_name,
};
use super::text::{Align, Font, write, write_up};
use super::{Points, check_labels};
use crate::{Error, Result};

/// Predictions on data whose answers are known.
#[derive(Debug, Clone)]
pub struct PredictionView {
    /// The picture's title.
    pub title: String,
    /// On what and how it was predicted.
    pub subtitle: String,
    /// What the predictions were made from; drawn for classes over two dimensions.
    pub x: Option<Points>,
    /// The truth and the predictions.
    pub predicted: Predicted,
}

/// Classes or numbers, true and predicted.
#[derive(Debug, Clone)]
pub enum Predicted {
    /// Classification.
    Classes {
        /// The true class of each point.
        truth: Vec<usize>,
        /// The predicted class of each point.
        predicted: Vec<usize>,
        /// The names of the classes; those without one are numbered.
        names: Vec<String>,
    },
    /// Regression.
    Values {
        /// The true outputs.
        truth: Points,
        /// The predicted outputs.
        predicted: Points,
        /// The names of the outputs; those without one are numbered.
        names: Vec<String>,
    },
}

/// Draws predictions against the truth to `path`: for classes a confusion matrix, and the points with
/// the errors marked where x has two dimensions; for numbers predicted against true for up to four outputs.
pub fn predictions(path: &Path, view: &PredictionView) -> Result<()> {
    match &view.predicted {
        Predicted::Classes {
            truth,
            predicted,
            names,
        } => classes(path, view, truth, predicted, names),
        Predicted::Values {
            truth,
            predicted,
            names,
        } => values(path, view, truth, predicted, names),
    }
}

fn with_remark(subtitle: &str, remark: String) -> String {
    if subtitle.is_empty() {
        remark
    } else {
        format!("{subtitle}; {remark}")
    }
}

fn classes(
    path: &Path,
    view: &PredictionView,
    truth: &[usize],
    predicted: &[usize],
    names: &[String],
) -> Result<()> {
    if truth.is_empty() || truth.len() != predicted.len() {
        let (t, p) = (truth.len(), predicted.len());
        return Err(Error::runtime(format!(
            "predictions: {p} predicted classes for {t} true ones"
        )));
    }
    let highest = truth.iter().chain(predicted).max().map_or(0, |m| m + 1);
    let k = highest.max(names.len());
    if k > 1000 {
        return Err(Error::runtime(format!(
            "predictions: a confusion matrix of {k} classes cannot be drawn"
        )));
    }
    let mut table = vec![vec![0usize; k]; k];
    truth
        .iter()
        .zip(predicted)
        .for_each(|(t, p)| table[*t][*p] += 1);
    let right = (0..k).map(|i| table[i][i]).sum::<usize>();
    let accuracy = format!(
        "accuracy {} % ({} of {})",
        fixed(100.0 * right as f64 / truth.len() as f64, 1),
        count(right),
        count(truth.len())
    );
    let groups = Groups::of(truth.iter().chain(predicted), names);
    let plane_points = view.x.as_ref().filter(|x| x.dim == 2);
    if let Some(x) = plane_points {
        x.check("predictions")?;
        check_labels(Some(truth), x, "predictions")?;
    }
    let mut legend = Vec::new();
    if plane_points.is_some() {
        legend = groups.legend();
        for entry in &mut legend {
            entry.text = format!("predicted {}", entry.text);
        }
        legend.push(Entry::new(Key::Cross, INK, "wrong"));
    }
    let subtitle = with_remark(&view.subtitle, accuracy);
    let height = if k > 6 { 760.0 } else { 600.0 };
    let mut figure = Figure::new(&view.title, &subtitle, &legend, height)?;
    let body = figure.body;
    let mut left = Rect {
        x1: body.x0 + 0.5 * INNER - 15.0,
        ..body
    };
    if plane_points.is_none() {
        left.x1 = body.x1.min(body.x0 + height + 260.0);
    }
    confusion(&mut figure.canvas, left, &table, names)?;
    if let Some(x) = plane_points {
        let plane = Plane::of(x, "x");
        let shown = thinned(x.len(), super::data_view::MOST_POINTS);
        let flat: Vec<(f64, f64)> = plane.flatten(&x.select(&shown));
        let frame = plane_frame("points by predicted class", &plane, flat_ranges(&flat));
        let panel = frame.draw(
            &mut figure.canvas,
            Rect {
                x0: body.x0 + 0.5 * INNER + 15.0,
                ..body
            },
        )?;
        panel.dots(&mut figure.canvas, &flat, style::point(flat.len()), |i| {
            groups.color(predicted[shown[i]])
        });
        figure.canvas.clipped(panel.plot, |canvas| {
            for (at, i) in flat
                .iter()
                .zip(&shown)
                .filter(|(_, i)| truth[**i] != predicted[**i])
            {
                canvas.dot(panel.at(*at), 4.4, PAPER);
                canvas.dot(
                    panel.at(*at),
                    3.4,
                    groups.color(predicted[*i]).mix(PAPER, 0.35),
                );
                cross(canvas, panel.at(*at), 3.4, 1.3, INK);
            }
        });
        panel.note_missing(&mut figure.canvas, &flat)?;
    }
    figure.save(path)
}

/// Rows are true classes and add up to 100 %, columns predicted ones.
fn confusion(
    canvas: &mut Canvas,
    area: Rect,
    table: &[Vec<usize>],
    names: &[String],
) -> Result<()> {
    let k = table.len();
    let heading = Font::semi_bold(style::PANEL_TITLE, INK);
    let label = Font::regular(style::LABEL, INK);
    let names: Vec<String> = (0..k).map(|i| label_name(names, i)).collect();
    let mut widest = 0.0f64;
    for name in &names {
        widest = widest.max(label.width(name)?);
    }
    let room = widest.min(150.0);
    let (left, top) = (area.x0 + 28.0 + room + 10.0, area.y0 + 30.0);
    // names under the columns stand upright where they do not fit
    let side_if_flat = (area.x1 - left).min(area.y1 - top - 56.0) / k as f64;
    let upright = widest > side_if_flat - 8.0;
    let below = if upright { room + 44.0 } else { 56.0 };
    let cell = (area.x1 - left).min(area.y1 - top - below) / k as f64;
    let end = (left + cell * k as f64, top + cell * k as f64);
    write(
        canvas,
        "confusion matrix: count and share of the row",
        (area.x0, area.y0 + 19.0),
        Align::Start,
        heading,
    )?;

    let every = (18.0 / cell).ceil().max(1.0) as usize;
    for (i, row) in table.iter().enumerate() {
        let total: usize = row.iter().sum();
        let y = top + cell * i as f64;
        for (j, n) in row.iter().enumerate() {
            let x = left + cell * j as f64;
            let share = if total > 0 {
                *n as f64 / total as f64
            } else {
                0.0
            };
            let fill = PAPER.mix(BLUE, 0.04 + 0.9 * share.sqrt() * share.clamp(0.35, 1.0));
            let gap = if cell > 12.0 { 1.0 } else { 0.0 };
            canvas.fill(
                Rect::new(x + gap, y + gap, x + cell - gap, y + cell - gap),
                if *n > 0 { fill } else { PAPER },
            );
            write_cell(
                canvas,
                (x + cell / 2.0, y + cell / 2.0),
                cell,
                *n,
                share,
                fill,
            )?;
        }
        if i % every == 0 {
            let text = label.fit(&names[i], room)?;
            write(
                canvas,
                &text,
                (left - 10.0, y + cell / 2.0 + label.cap() / 2.0),
                Align::End,
                label,
            )?;
            let middle = left + cell * (i as f64 + 0.5);
            if upright {
                write_up(
                    canvas,
                    &text,
                    (middle + label.cap() / 2.0, end.1 + 10.0),
                    Align::End,
                    label,
                )?;
            } else {
                write(
                    canvas,
                    &text,
                    (middle, end.1 + 10.0 + label.cap()),
                    Align::Middle,
                    label,
                )?;
            }
        }
    }
    canvas.outline(Rect::new(left, top, end.0, end.1).grow(1.0), FRAME);
    let axis = Font::regular(style::LABEL, SOFT_INK);
    write(
        canvas,
        "predicted class",
        ((left + end.0) / 2.0, end.1 + below - 8.0),
        Align::Middle,
        axis,
    )?;
    write_up(
        canvas,
        "true class",
        (area.x0 + 14.0, (top + end.1) / 2.0),
        Align::Middle,
        axis,
    )
}

fn write_cell(
    canvas: &mut Canvas,
    (x, y): (f64, f64),
    cell: f64,
    n: usize,
    share: f64,
    fill: Color,
) -> Result<()> {
    let color = match n {
        0 => SOFT_INK.fade(0.6),
        _ if fill.is_dark() => PAPER,
        _ => INK,
    };
    let big = Font::semi_bold((cell * 0.2).clamp(12.0, 22.0), color);
    let text = count(n);
    if big.width(&text)? > cell - 6.0 || cell < 20.0 {
        return Ok(());
    }
    if cell < 54.0 || n == 0 {
        return write(canvas, &text, (x, y + big.cap() / 2.0), Align::Middle, big);
    }
    let small = Font::regular((cell * 0.14).clamp(11.5, 16.0), color);
    write(canvas, &text, (x, y - 1.0), Align::Middle, big)?;
    write(
        canvas,
        &format!("{} %", fixed(100.0 * share, 1)),
        (x, y + small.cap() + 8.0),
        Align::Middle,
        small,
    )
}

fn values(
    path: &Path,
    view: &PredictionView,
    truth: &Points,
    predicted: &Points,
    names: &[String],
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
    let legend = [
        Entry::new(Key::Dashes, INK, "perfect prediction"),
        Entry::new(Key::Dot, BLUE, "points"),
    ];
    let (columns, rows) = if outputs <= 2 { (outputs, 1) } else { (2, 2) };
    let side = if columns == 1 { 700.0 } else { 640.0 };
    let mut figure = Figure::new(
        &view.title,
        &subtitle,
        &legend,
        rows as f64 * (side + 16.0) - 16.0,
    )?;
    let shown = thinned(truth.len(), super::data_view::MOST_POINTS);
    for (j, mut cell) in figure
        .body
        .cells(columns, rows, 30.0, 16.0)
        .into_iter()
        .enumerate()
        .take(outputs)
    {
        let pairs: Vec<(f64, f64)> = truth.column(j).zip(predicted.column(j)).collect();
        let both = union(
            robust_range(pairs.iter().map(|p| p.0)),
            robust_range(pairs.iter().map(|p| p.1)),
        );
        let range = padded(both, 0.04);
        let name = names
            .get(j)
            .cloned()
            .unwrap_or_else(|| format!("output {}", j + 1));
        let title = match r_squared(&pairs) {
            Some(r2) if r2 > -10.0 => format!("{name}: R² = {}", fixed(r2, 3)),
            Some(r2) => format!("{name}: R² = {}", style::number(r2, 3)),
            None => format!("{name}: R² undefined, the truth does not vary"),
        };
        // square, so that the identity is the diagonal
        let spare = (cell.width() - 66.0) - (cell.height() - 82.0);
        if spare > 0.0 {
            (cell.x0, cell.x1) = (cell.x0 + spare / 2.0, cell.x1 - spare / 2.0);
        }
        let frame = Frame::new(title, Axis::linear(range), Axis::linear(range))
            .labels("true", "predicted")
            .equal();
        let panel = frame.draw(&mut figure.canvas, cell)?;
        let ends = (
            range.0 - 10.0 * (range.1 - range.0),
            range.1 + 10.0 * (range.1 - range.0),
        );
        let drawn: Vec<(f64, f64)> = shown.iter().map(|i| pairs[*i]).collect();
        panel.dots(
            &mut figure.canvas,
            &drawn,
            style::point(drawn.len()),
            |_| BLUE,
        );
        panel.dashed(
            &mut figure.canvas,
            &[(ends.0, ends.0), (ends.1, ends.1)],
            1.6,
            INK,
        );
        // the upper right corner belongs to the identity
        panel.notes_below(&mut figure.canvas, &panel.missing(&pairs))?;
    }
    figure.save(path)
}

/// The share of the truth's variance that is explained, over pairs (true, predicted) that are finite.
fn r_squared(pairs: &[(f64, f64)]) -> Option<f64> {
    let pairs: Vec<_> = pairs
        .iter()
        .filter(|p| p.0.is_finite() && p.1.is_finite())
        .collect();
    let mean = pairs.iter().map(|p| p.0).sum::<f64>() / pairs.len() as f64;
    let total: f64 = pairs.iter().map(|p| (p.0 - mean).powi(2)).sum();
    let left: f64 = pairs.iter().map(|p| (p.1 - p.0).powi(2)).sum();
    (total > 0.0).then(|| 1.0 - left / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_squared_is_one_for_the_truth_and_zero_for_its_mean() {
        assert_eq!(
            r_squared(&[(1.0, 1.0), (2.0, 2.0), (f64::NAN, 9.0)]),
            Some(1.0)
        );
        assert_eq!(r_squared(&[(1.0, 1.5), (2.0, 1.5)]), Some(0.0));
        assert_eq!(r_squared(&[(1.0, 1.5), (1.0, 0.5)]), None);
    }
}
