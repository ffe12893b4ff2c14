use std::path::Path;

use super::axis::Axis;
use super::canvas::Canvas;
use super::figure::{Entry, Figure, Key};
use super::frame::Frame;
use super::panel::Panel;
use super::rect::Rect;
use super::stats::{padded, robust_range, sorted};
use super::style::{BLUE, Color, GREEN, INK, PAPER, VERMILION, counted, number};
use crate::{Error, Result};

/// Contents of a picture of the losses of a training run.
#[derive(Debug, Clone, Default)]
pub struct LossTrends {
    /// The picture's title.
    pub title: String,
    /// Terms in the order of their panels, such as `total`, `flow` and `recon`.
    pub terms: Vec<Term>,
    /// Epoch whose weights were kept as the best; `None` if none were.
    pub kept: Option<u64>,
    /// Epoch and reason of a training that stopped before its planned steps, such as "after epoch
    /// 31: no better `total`"; `None` if it did not.
    pub stopped: Option<String>,
}

/// A term of the loss; element `i` belongs to epoch `i + 1`, `None` if it was not measured.
#[derive(Debug, Clone, Default)]
pub struct Term {
    /// Name of the term.
    pub name: String,
    /// Means over the training rows.
    pub train: Vec<Option<f64>>,
    /// Means over the validation rows.
    pub val: Vec<Option<f64>>,
}

/// Points (epoch, value) of the epochs in which the term was measured.
type Curve = Vec<(f64, f64)>;

impl Term {
    fn curve(values: &[Option<f64>]) -> Curve {
        values.iter().enumerate().filter_map(|(i, v)| Some((i as f64 + 1.0, (*v)?))).collect()
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.train.iter().chain(&self.val).filter_map(|v| *v)
    }

    fn finite(&self) -> bool {
        self.values().any(f64::is_finite)
    }

    /// `true` if the term was never measured, or is always zero.
    fn is_idle(&self) -> bool {
        self.values().all(|v| v == 0.0)
    }
}

/// Draws the losses over the epochs to `path`: one panel a term, logarithmic if a term is positive
/// and spans more than a factor of ten. Terms that stay zero or are never measured are named, not
/// drawn. Vertical lines mark the epoch whose weights were kept, and the end of a training that
/// stopped early.
///
/// # Errors
/// If no term has a finite value other than zero, or the file cannot be written.
pub fn loss_trends(path: &Path, view: &LossTrends) -> Result<()> {
    let (idle, busy): (Vec<&Term>, Vec<&Term>) = view.terms.iter().partition(|t| t.is_idle());
    if !busy.iter().any(|t| t.finite()) {
        return Err(Error::runtime(
            "loss trends: nothing to draw, no term has a finite value other than zero",
        ));
    }
    let epochs = busy.iter().map(|t| t.train.len().max(t.val.len())).max().unwrap_or(1);
    let has_val = busy.iter().any(|t| t.val.iter().any(Option::is_some));
    let mut subtitle = counted(epochs, "epoch");
    if let Some(why) = &view.stopped {
        subtitle += &format!("; training stopped {why}");
    }
    if !idle.is_empty() {
        let names: Vec<&str> = idle.iter().map(|t| t.name.as_str()).collect();
        subtitle += &format!("; zero or not measured, so not shown: {}", names.join(", "));
    }
    let mut legend = vec![Entry::new(Key::Line, BLUE, "training")];
    if has_val {
        legend.push(Entry::new(Key::Line, VERMILION, "validation"));
        legend.push(Entry::new(Key::Ring, VERMILION, "best validation"));
    }
    let mut marks = Vec::new();
    if let Some(epoch) = view.kept {
        marks.push((epoch as f64, GREEN));
        legend.push(Entry::new(Key::Dashes, GREEN, format!("weights kept: epoch {epoch}")));
    }
    if view.stopped.is_some() {
        marks.push((epochs as f64, INK));
        legend.push(Entry::new(Key::Dashes, INK, format!("training stopped: epoch {epochs}")));
    }
    let (columns, rows) = match busy.len() {
        1 => (1, 1),
        2 => (2, 1),
        4 => (2, 2),
        n => (3, n.div_ceil(3)),
    };
    let height = if columns == 3 { 350.0 } else { 430.0 };
    let gap = 26.0;
    let mut figure =
        Figure::new(&view.title, &subtitle, &legend, rows as f64 * (height + gap) - gap)?;
    let cells = figure.body.cells(columns, rows, 30.0, gap);
    for (i, (term, cell)) in busy.iter().zip(&cells).enumerate() {
        let last_row = i + columns >= busy.len();
        draw_term(&mut figure.canvas, *cell, term, (epochs, &marks), last_row)?;
    }
    figure.save(path)
}

fn draw_term(
    canvas: &mut Canvas,
    cell: Rect,
    term: &Term,
    (epochs, marks): (usize, &[(f64, Color)]),
    last_row: bool,
) -> Result<()> {
    let (train, val) = (Term::curve(&term.train), Term::curve(&term.val));
    let all = sorted(term.values());
    let (least, most) = (all.first().copied().unwrap_or(0.0), all.last().copied().unwrap_or(1.0));
    let log = least > 0.0 && most / least > 10.0;
    let y = if log {
        let (lo, hi) = with_headroom(padded(robust_range(all.iter().map(|v| v.ln())), 0.05));
        Axis::log((lo.exp(), hi.exp()))
    } else {
        let margin = if epochs == 1 { 0.4 } else { 0.06 };
        Axis::linear(with_headroom(padded(robust_range(all), margin)))
    };
    // Epochs start at 1, so the axis leaves 0 out.
    let margin = (epochs as f64 - 1.0) * 0.02;
    let x = Axis::counting((1.0 - margin.clamp(0.3, 0.9), epochs as f64 + margin.max(0.3)));
    let y_label = if log { "loss (log scale)" } else { "loss" };
    let x_label = if last_row { "epoch" } else { "" };
    let mut frame = Frame::new(&term.name, x, y).labels(x_label, y_label);
    // A blank label keeps the plots of upper rows as tall as those of the last row.
    frame.x_label = if x_label.is_empty() { " ".to_owned() } else { frame.x_label };
    let panel = frame.draw(canvas, cell)?;

    for (epoch, color) in marks {
        // The notes are above.
        let (x, y) = (panel.px(*epoch), panel.plot);
        canvas.dashes(&[(x, y.y1), (x, y.y0 + 34.0)], 1.8, 7.0, 5.0, *color);
    }
    draw_curve(canvas, &panel, &train, epochs, BLUE);
    draw_curve(canvas, &panel, &val, epochs, VERMILION);
    let mut notes = Vec::new();
    let best = val.iter().filter(|p| p.1.is_finite()).min_by(|a, b| a.1.total_cmp(&b.1));
    if let Some(best) = best {
        let at = panel.at(*best);
        canvas.dot(at, 6.5, PAPER);
        canvas.ring(at, 5.5, 2.2, VERMILION);
        canvas.dot(at, 2.2, VERMILION);
        notes.push(format!("best validation {} at epoch {}", number(best.1, 4), best.0));
    } else if let Some(last) = train.iter().rev().find(|p| p.1.is_finite()) {
        notes.push(format!("training {} at epoch {}", number(last.1, 4), last.0));
    }
    let curves = [train, val].concat();
    let outside = panel.outside(&curves);
    if outside > 0 {
        notes.push(format!("{} outside", counted(outside, "value")));
    }
    let broken = curves.iter().filter(|p| !p.1.is_finite()).count();
    if broken > 0 {
        notes.push(format!("{} not finite", counted(broken, "value")));
    }
    panel.notes(canvas, &notes)
}

/// The range with room above the curves for the notes.
fn with_headroom((lo, hi): (f64, f64)) -> (f64, f64) {
    (lo, hi + 0.18 * (hi - lo))
}

/// Draws a line, broken where a value is not finite, with markers if epochs are few or isolated.
fn draw_curve(canvas: &mut Canvas, panel: &Panel, curve: &Curve, epochs: usize, color: Color) {
    panel.path(canvas, curve, 2.2, color);
    let finite = |i: Option<usize>| i.and_then(|i| curve.get(i)).is_some_and(|p| p.1.is_finite());
    for (i, point) in curve.iter().enumerate() {
        let alone = !finite(i.checked_sub(1)) && !finite(Some(i + 1));
        if alone || epochs <= 25 || curve.len() <= 12 {
            let at = panel.at(*point);
            canvas.clipped(panel.plot.grow(5.0), |canvas| {
                if panel.y.contains(point.1) {
                    canvas.dot(at, if alone { 5.0 } else { 3.6 }, color);
                }
            });
        }
    }
}
