use std::path::Path;

use super::Scatter;
use super::axis::Axis;
use super::canvas::Canvas;
use super::figure::{Entry, Figure, Key};
use super::frame::Frame;
use super::panel::Panel;
use super::rect::Rect;
use super::stats::{Spread, bin_edges, density, padded, quantile, robust_range, sorted};
use super::style::{BLUE, GREY, INK, VERMILION, counted, fixed};
use super::trajectories::TrajectoryView;
use crate::Result;
use crate::metrics::mean;

/// A quantity of every sample over time.
struct Course {
    times: Vec<f64>,
    /// Values of the samples at each of `times`.
    values: Vec<Vec<f64>>,
}

/// Draws four panels to `path`: the size of the state, its speed and its distance to the end point
/// against time, and the straightness of the paths.
///
/// # Errors
/// If the states do not fit together, none of them is finite, or the file cannot be written.
pub fn trajectory_diagnostics(path: &Path, view: &TrajectoryView) -> Result<()> {
    view.check()?;
    let mut legend = vec![
        Entry::new(Key::Line, BLUE, format!("mean of {}", counted(view.samples(), "sample"))),
        Entry::new(Key::Dashes, BLUE, "median"),
        Entry::new(Key::Area, BLUE.fade(0.2), "5–95 % of the samples"),
    ];
    if view.real().is_some() {
        legend.push(Entry::new(Key::Dashes, GREY, "real data (mean)"));
    }
    let mut figure = Figure::new(&view.title, &view.subtitle, &legend, 860.0)?;
    let cells = figure.body.cells(2, 2, 34.0, 22.0);
    let canvas = &mut figure.canvas;

    let real = view.real().map(|r| mean(&sorted(rms(r))));
    let size = Course { times: view.times.clone(), values: view.states.iter().map(rms).collect() };
    let panel = draw_course(
        canvas,
        cells[0],
        view,
        &size,
        "size of the state",
        "rms of the coordinates",
        real,
    )?;
    if let Some(level) = real {
        panel.dashed(canvas, &[(panel.x.lo, level), (panel.x.hi, level)], 1.8, GREY);
    }
    draw_course(canvas, cells[1], view, &speed(view), "speed", "|dz/dt| between states", None)?;
    draw_course(
        canvas,
        cells[2],
        view,
        &distance_to_end(view),
        "distance to the end point",
        "|z(t) − z(end)|",
        None,
    )?;
    draw_straightness(canvas, cells[3], view)?;
    figure.save(path)
}

/// Root mean square of each point's coordinates.
fn rms(points: &Scatter) -> Vec<f64> {
    (0..points.len())
        .map(|i| (points.row(i).iter().map(|v| v * v).sum::<f64>() / points.dim as f64).sqrt())
        .collect()
}

fn distances(a: &Scatter, b: &Scatter) -> Vec<f64> {
    (0..a.len())
        .map(|i| a.row(i).iter().zip(b.row(i)).map(|(p, q)| (p - q).powi(2)).sum::<f64>().sqrt())
        .collect()
}

/// Distance between successive states over the time between them, at the middle of that time.
fn speed(view: &TrajectoryView) -> Course {
    let mut course = Course { times: Vec::new(), values: Vec::new() };
    for (times, states) in view.times.windows(2).zip(view.states.windows(2)) {
        let dt = (times[1] - times[0]).abs();
        if dt > 0.0 {
            course.times.push((times[0] + times[1]) / 2.0);
            course
                .values
                .push(distances(&states[0], &states[1]).into_iter().map(|d| d / dt).collect());
        }
    }
    course
}

/// Distance of each state to the end of its path.
fn distance_to_end(view: &TrajectoryView) -> Course {
    let end = &view.states[view.states.len() - 1];
    Course {
        times: view.times.clone(),
        values: view.states.iter().map(|s| distances(s, end)).collect(),
    }
}

/// Length of each path over the distance between its ends; NaN if these are equal.
fn straightness(view: &TrajectoryView) -> Vec<f64> {
    let mut length = vec![0.0; view.samples()];
    for pair in view.states.windows(2) {
        length.iter_mut().zip(distances(&pair[0], &pair[1])).for_each(|(l, d)| *l += d);
    }
    let direct = distances(&view.states[0], &view.states[view.states.len() - 1]);
    length.iter().zip(direct).map(|(l, d)| if d > 0.0 { l / d } else { f64::NAN }).collect()
}

fn draw_course(
    canvas: &mut Canvas,
    cell: Rect,
    view: &TrajectoryView,
    course: &Course,
    title: &str,
    y_label: &str,
    level: Option<f64>,
) -> Result<Panel> {
    let spreads: Vec<Spread> =
        course.values.iter().map(|v| Spread::of(v.iter().copied())).collect();
    // A mean far off because of a few samples must not flatten the band of most of them.
    let band = sorted(spreads.iter().flat_map(|s| [s.low, s.high]));
    let most = band.last().copied().unwrap_or(1.0);
    let means = spreads.iter().map(|s| s.mean).filter(|m| *m <= 2.0 * most);
    let (_, hi) =
        padded(robust_range(means.chain(band).chain(level)).map(|(_, hi)| (0.0, hi)), 0.06);
    let y = Axis::linear((0.0, hi));
    let panel =
        Frame::new(title, view.time_axis(), y).labels("time t", y_label).draw(canvas, cell)?;
    let (low, high): (Vec<f64>, Vec<f64>) = spreads.iter().map(|s| (s.low, s.high)).unzip();
    panel.band(canvas, &course.times, &low, &high, BLUE.fade(0.2));
    let mean: Vec<(f64, f64)> =
        course.times.iter().zip(&spreads).map(|(t, s)| (*t, s.mean)).collect();
    let median: Vec<(f64, f64)> =
        course.times.iter().zip(&spreads).map(|(t, s)| (*t, s.median)).collect();
    panel.dashed(canvas, &median, 1.5, BLUE);
    panel.path(canvas, &mean, 2.4, BLUE);
    if mean.len() <= 40 {
        canvas.clipped(panel.plot.grow(4.0), |canvas| {
            for point in mean.iter().filter(|p| panel.y.contains(p.1)) {
                canvas.dot(panel.at(*point), 3.2, BLUE);
            }
        });
    }
    let broken = course.values.iter().flatten().filter(|v| !v.is_finite()).count();
    let above = panel.outside(&mean);
    let mut notes = Vec::new();
    if above > 0 {
        notes.push(format!("mean outside at {}", counted(above, "time")));
    }
    if broken > 0 {
        notes.push(format!("{} not finite", counted(broken, "value")));
    }
    panel.notes(canvas, &notes)?;
    Ok(panel)
}

fn draw_straightness(canvas: &mut Canvas, cell: Rect, view: &TrajectoryView) -> Result<()> {
    let values = straightness(view);
    let ascending = sorted(values.iter().copied());
    // The ratio grows without bound for samples that end near their start.
    let hi = if ascending.is_empty() { 1.5 } else { quantile(&ascending, 0.98).max(1.02) };
    let range = (1.0 - 0.03 * (hi - 1.0), hi + 0.03 * (hi - 1.0));
    let edges = bin_edges(&ascending, (1.0, hi));
    let heights = density(ascending.iter().map(|v| v.max(1.0)), &edges);
    let shares: Vec<f64> = heights.iter().map(|d| 100.0 * d * (edges[1] - edges[0])).collect();
    let top = shares.iter().copied().fold(0.0, f64::max);
    let top = if top > 0.0 { top } else { 1.0 };
    let frame = Frame::new(
        "straightness of the paths",
        Axis::linear(range),
        Axis::linear((0.0, 1.12 * top)),
    )
    .labels("path length / distance between its ends (1 = straight)", "share of samples (%)");
    let panel = frame.draw(canvas, cell)?;
    panel.bars(canvas, &edges, &shares, BLUE.fade(0.75));
    panel.path(canvas, &[(1.0, 0.0), (1.0, 1.12 * top)], 1.6, INK);
    let median = quantile(&ascending, 0.5);
    let mut notes = Vec::new();
    if median.is_finite() {
        panel.path(canvas, &[(median, 0.0), (median, 1.12 * top)], 2.2, VERMILION);
        notes.push(format!("median {} (orange line)", fixed(median, 3)));
    }
    let outside = ascending.iter().filter(|v| **v > hi).count();
    if outside > 0 {
        notes.push(format!("{} outside", counted(outside, "sample")));
    }
    if ascending.len() < values.len() {
        notes.push(format!("{} without a path", counted(values.len() - ascending.len(), "sample")));
    }
    panel.notes(canvas, &notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_walk_at_constant_speed_is_recognised() {
        let view = TrajectoryView {
            times: vec![0.0, 0.5, 1.0],
            states: [0.0, 1.5, 3.0]
                .iter()
                .map(|x| Scatter::new(vec![*x, 0.0, 0.0, *x], 2))
                .collect(),
            ..TrajectoryView::default()
        };
        assert_eq!(straightness(&view), [1.0, 1.0]);
        assert_eq!(speed(&view).values, [[3.0, 3.0], [3.0, 3.0]]);
        assert_eq!(distance_to_end(&view).values[1], [1.5, 1.5]);
    }
}
