//! The confusion matrix, and the points with errors marked.

use std::path::Path;

use super::canvas::Canvas;
use super::check_labels;
use super::data_view::{MOST_POINTS, flat_ranges, plane_frame};
use super::figure::{Entry, Figure, INNER, Key, cross};
use super::groups::Groups;
use super::plane::Plane;
use super::predictions::{PredictionView, with_remark};
use super::rect::Rect;
use super::stats::thinned;
use super::style::{self, BLUE, Color, FRAME, INK, PAPER, SOFT_INK, count, fixed, label_name};
use super::text::{Align, Font, write, write_up};
use crate::{Error, Result};

/// Number of classes of a confusion matrix at most, a pixel or two each.
const MOST_CLASSES: usize = 1000;

/// Draws the classes `predicted` of points of the classes `truth`.
pub(super) fn classes(
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
    if k > MOST_CLASSES {
        return Err(Error::runtime(format!(
            "predictions: a confusion matrix is drawn of {MOST_CLASSES} classes at most, and there \
             are {k}"
        )));
    }
    let mut table = vec![vec![0usize; k]; k];
    truth.iter().zip(predicted).for_each(|(t, p)| table[*t][*p] += 1);
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
    let mut left = Rect { x1: body.x0 + 0.5 * INNER - 15.0, ..body };
    if plane_points.is_none() {
        left.x1 = body.x1.min(body.x0 + height + 260.0);
    }
    confusion(&mut figure.canvas, left, &table, names)?;
    if let Some(x) = plane_points {
        let plane = Plane::of(x, "x");
        let shown = thinned(x.len(), MOST_POINTS);
        let flat: Vec<(f64, f64)> = plane.flatten(&x.select(&shown));
        let frame = plane_frame("points by predicted class", &plane, flat_ranges(&flat));
        let panel =
            frame.draw(&mut figure.canvas, Rect { x0: body.x0 + 0.5 * INNER + 15.0, ..body })?;
        panel.dots(&mut figure.canvas, &flat, style::point(flat.len()), |i| {
            groups.color(predicted[shown[i]])
        });
        figure.canvas.clipped(panel.plot, |canvas| {
            for (at, i) in flat.iter().zip(&shown).filter(|(_, i)| truth[**i] != predicted[**i]) {
                canvas.dot(panel.at(*at), 4.4, PAPER);
                canvas.dot(panel.at(*at), 3.4, groups.color(predicted[*i]).mix(PAPER, 0.35));
                cross(canvas, panel.at(*at), 3.4, 1.3, INK);
            }
        });
        panel.note_missing(&mut figure.canvas, &flat)?;
    }
    figure.save(path)
}

/// Draws the confusion matrix. Rows are true classes and add up to 100 %, columns predicted ones.
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
    // Names below the columns are rotated if they do not fit.
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
            let share = if total > 0 { *n as f64 / total as f64 } else { 0.0 };
            let fill = PAPER.mix(BLUE, 0.04 + 0.9 * share.sqrt() * share.clamp(0.35, 1.0));
            let gap = if cell > 12.0 { 1.0 } else { 0.0 };
            canvas.fill(
                Rect::new(x + gap, y + gap, x + cell - gap, y + cell - gap),
                if *n > 0 { fill } else { PAPER },
            );
            write_cell(canvas, (x + cell / 2.0, y + cell / 2.0), cell, *n, share, fill)?;
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
                write(canvas, &text, (middle, end.1 + 10.0 + label.cap()), Align::Middle, label)?;
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
    write_up(canvas, "true class", (area.x0 + 14.0, (top + end.1) / 2.0), Align::Middle, axis)
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
