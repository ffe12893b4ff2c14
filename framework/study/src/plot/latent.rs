use std::path::Path;

use super::axis::Axis;
use super::canvas::Canvas;
use super::figure::{Entry, Figure, Key};
use super::frame::Frame;
use super::groups::Groups;
use super::rect::Rect;
use super::stats::{Spread, padded, robust_range, thinned, union};
use super::style::{BLUE, INK, PAPER, VERMILION, counted};
use super::trajectories::TrajectoryView;
use crate::Result;

const LINES: usize = 60;
const MOST_COORDINATES: usize = 6;

/// Draws each latent coordinate (up to six) against time to `path`: lines of about sixty samples,
/// the mean and the band between the 5 % and 95 % quantiles of all, and real latent values at the
/// end.
///
/// # Errors
/// If the states do not fit together, none of them is finite, or the file cannot be written.
pub fn latent_trajectories(path: &Path, view: &TrajectoryView) -> Result<()> {
    view.check()?;
    let groups = Groups::of(view.labels.iter().flatten(), &view.label_names);
    let labels = view.labels.as_deref().filter(|_| groups.distinct());
    let chosen = thinned(view.samples(), LINES);
    let shown = view.dim().min(MOST_COORDINATES);
    let mut legend = vec![
        Entry::new(
            Key::Line,
            BLUE.fade(0.4),
            format!("{} of {}", chosen.len(), counted(view.samples(), "sample")),
        ),
        Entry::new(Key::Line, INK, "mean"),
        Entry::new(Key::Area, BLUE.fade(0.18), "5–95 %"),
    ];
    if view.real().is_some() {
        legend.push(Entry::new(Key::Line, VERMILION, "real data: mean and 5–95 %"));
    }
    if labels.is_some() {
        legend.extend(groups.legend());
    }
    let mut subtitle = view.subtitle.clone();
    if view.dim() > shown {
        let more = format!("coordinates 1 to {shown} of {}", view.dim());
        subtitle = if subtitle.is_empty() { more } else { format!("{subtitle}; {more}") };
    }
    let (columns, rows) = match shown {
        1 => (1, 1),
        2 => (2, 1),
        4 => (2, 2),
        n => (3, n.div_ceil(3)),
    };
    let height = if columns == 3 { 340.0 } else { 440.0 };
    let mut figure =
        Figure::new(&view.title, &subtitle, &legend, rows as f64 * (height + 18.0) - 18.0)?;
    let canvas = &mut figure.canvas;
    for (j, cell) in
        figure.body.cells(columns, rows, 26.0, 18.0).into_iter().enumerate().take(shown)
    {
        draw_coordinate(canvas, cell, view, j, &chosen, |i| groups.color_of(labels, i))?;
    }
    figure.save(path)
}

fn draw_coordinate(
    canvas: &mut Canvas,
    cell: Rect,
    view: &TrajectoryView,
    j: usize,
    chosen: &[usize],
    color: impl Fn(usize) -> super::style::Color,
) -> Result<()> {
    let spreads: Vec<Spread> = view.states.iter().map(|s| Spread::of(s.column(j))).collect();
    let real = view.real().map(|r| Spread::of(r.column(j)));
    let lines: Vec<Vec<(f64, f64)>> = chosen
        .iter()
        .map(|i| view.times.iter().zip(&view.states).map(|(t, s)| (*t, s.row(*i)[j])).collect())
        .collect();
    let limits = spreads.iter().chain(&real).flat_map(|s| [s.low, s.high]);
    let drawn = union(robust_range(lines.iter().flatten().map(|p| p.1)), robust_range(limits));
    let range = padded(drawn, 0.05);
    let mut time = view.time_axis();
    if view.real().is_some() {
        time.hi += 0.05 * (view.end_time() - view.start_time());
    }
    let named = view.names.get(j).filter(|_| view.names.len() == view.dim());
    let name = named.cloned().unwrap_or_else(|| format!("coordinate {}", j + 1));
    let panel =
        Frame::new(&name, time, Axis::linear(range)).labels("time t", "z").draw(canvas, cell)?;
    let (low, high): (Vec<f64>, Vec<f64>) = spreads.iter().map(|s| (s.low, s.high)).unzip();
    panel.band(canvas, &view.times, &low, &high, BLUE.fade(0.14));
    for (i, line) in chosen.iter().zip(&lines) {
        panel.path(canvas, line, 1.1, color(*i).fade(0.38));
    }
    let mean: Vec<(f64, f64)> =
        view.times.iter().zip(&spreads).map(|(t, s)| (*t, s.mean)).collect();
    panel.path(canvas, &mean, 5.0, PAPER.fade(0.8));
    panel.path(canvas, &mean, 2.6, INK);
    if let Some(spread) = real {
        let at = view.end_time() + 0.038 * (view.end_time() - view.start_time());
        panel.path(canvas, &[(at, spread.low), (at, spread.high)], 3.0, VERMILION);
        canvas.dot(panel.at((at, spread.mean)), 5.0, VERMILION);
    }
    let mean_outside = panel.outside(&mean);
    let outside = lines.iter().filter(|line| panel.outside(line) > 0).count();
    let broken = view.states.iter().flat_map(|s| s.column(j)).filter(|z| !z.is_finite()).count();
    let mut notes = Vec::new();
    if outside > 0 {
        notes.push(format!("{} partly outside", counted(outside, "line")));
    }
    if mean_outside > 0 {
        notes.push(format!("mean outside at {}", counted(mean_outside, "time")));
    }
    if broken > 0 {
        notes.push(format!("{} not finite", counted(broken, "value")));
    }
    panel.notes(canvas, &notes)
}
