use std::path::Path;

use super::axis::Axis;
use super::data_view::{MOST_POINTS, draw_histograms, plane_frame};
use super::figure::{Entry, Figure, INNER, Key};
use super::frame::Frame;
use super::groups::Groups;
use super::panel::first_coordinate;
use super::plane::Plane;
use super::stats::{
    bin_edges, density, padded, quantile, robust_range, sorted, thinned, union, within,
};
use super::style::{self, BLUE, Color, GREY, count};
use super::{Scatter, check_labels};
use crate::{Error, Result};

/// Generated samples and the real data to compare them with.
#[derive(Debug, Clone, Default)]
pub struct SampleView {
    /// The picture's title.
    pub title: String,
    /// Description of sampling: solver, steps, network evaluations, EMA weights or not, number.
    pub subtitle: String,
    /// The generated samples.
    pub generated: Scatter,
    /// Real data, held out from training if there are such rows.
    pub real: Scatter,
    /// Labels of the generated and of the real points; `None` without labels.
    pub labels: Option<(Vec<usize>, Vec<usize>)>,
    /// Names of the labels; a label without one is numbered.
    pub label_names: Vec<String>,
}

/// The points and labels of one panel, thinned to a number that can be drawn.
struct Side {
    title: String,
    points: Scatter,
    labels: Option<Vec<usize>>,
    color: Color,
}

impl Side {
    fn new(name: &str, points: &Scatter, labels: Option<&[usize]>, color: Color) -> Self {
        let shown = thinned(points.len(), MOST_POINTS);
        let mut title = format!("{name} (n = {})", count(points.len()));
        if shown.len() < points.len() {
            title = format!("{name} ({} of {} drawn)", count(shown.len()), count(points.len()));
        }
        let labels = labels.map(|l| shown.iter().map(|i| l[*i]).collect());
        Side { title, points: points.select(&shown), labels, color }
    }
}

/// Draws generated samples and real data side by side to `path`, on the same axes, at equal aspect
/// if both share a unit, coloured by label if there are at most ten. One dimension gives
/// histograms, more than two the principal components of the real data.
///
/// # Errors
/// If one side has no finite value, their dimensions differ, there is not one label a point, or the
/// file cannot be written.
pub fn samples(path: &Path, view: &SampleView) -> Result<()> {
    view.generated.check("generated samples")?;
    view.real.check("real data")?;
    if view.generated.dim != view.real.dim {
        let (g, r) = (view.generated.dim, view.real.dim);
        return Err(Error::runtime(format!("samples have {g} dimensions, real data {r}")));
    }
    let (generated_labels, real_labels) = match &view.labels {
        Some((g, r)) => (Some(g.as_slice()), Some(r.as_slice())),
        None => (None, None),
    };
    check_labels(generated_labels, &view.generated, "generated samples")?;
    check_labels(real_labels, &view.real, "real data")?;
    let all_labels = generated_labels.into_iter().chain(real_labels).flatten();
    let groups = Groups::of(all_labels, &view.label_names);
    let colored = view.labels.is_some() && groups.distinct();
    let sides = [
        Side::new("generated", &view.generated, generated_labels.filter(|_| colored), BLUE),
        Side::new("real", &view.real, real_labels.filter(|_| colored), GREY),
    ];
    let legend = if colored { groups.legend() } else { Vec::new() };
    if view.real.dim == 1 {
        return histograms(path, view, &sides, &groups, legend);
    }

    let plane = Plane::of(&sides[1].points, "x");
    let flat = [plane.flatten(&sides[0].points), plane.flatten(&sides[1].points)];
    let frame = plane_frame("t", &plane, shared_ranges(&flat));
    let height = frame.height_for((INNER - 30.0) / 2.0, 420.0, 700.0);
    let mut figure = Figure::new(&view.title, &view.subtitle, &legend, height)?;
    for ((side, flat), cell) in sides.iter().zip(&flat).zip(figure.body.cells(2, 1, 30.0, 0.0)) {
        let frame = Frame { title: side.title.clone(), ..frame.clone() };
        let panel = frame.draw(&mut figure.canvas, cell)?;
        panel.dots(&mut figure.canvas, flat, style::point(flat.len()), |i| match &side.labels {
            Some(labels) => groups.color(labels[i]),
            None => side.color,
        });
        panel.note_missing(&mut figure.canvas, flat)?;
    }
    figure.save(path)
}

/// Takes one coordinate of a projected point.
type Coordinate = fn(&(f64, f64)) -> f64;

/// Ranges that show the real data, and the generated points as far as the real data stay readable.
/// If most generated points are far away, the ranges hold them as well.
fn shared_ranges([generated, real]: &[Vec<(f64, f64)>; 2]) -> [(f64, f64); 2] {
    let axes: [Coordinate; 2] = [|p| p.0, |p| p.1];
    let robust = axes.map(|axis| padded(robust_range(real.iter().map(axis)), 0.0));
    let limits = robust.map(|(lo, hi)| (lo - 0.75 * (hi - lo), hi + 0.75 * (hi - lo)));
    let near =
        |p: &&(f64, f64)| (0..2).all(|i| axes[i](p) >= limits[i].0 && axes[i](p) <= limits[i].1);
    let mostly_near = 2 * generated.iter().filter(near).count() >= generated.len();
    [0, 1].map(|i| {
        let values: Vec<f64> = generated.iter().map(axes[i]).collect();
        let own = if mostly_near { within(&values, limits[i]) } else { robust_range(values) };
        padded(union(Some(robust[i]), own), 0.05)
    })
}

fn histograms(
    path: &Path,
    view: &SampleView,
    sides: &[Side; 2],
    groups: &Groups,
    mut legend: Vec<Entry>,
) -> Result<()> {
    let values = [first_coordinate(&sides[0].points), first_coordinate(&sides[1].points)];
    let flat = values.clone().map(|v| v.into_iter().map(|x| (x, 0.0)).collect::<Vec<_>>());
    let [range, _] = shared_ranges(&flat);
    let real = sorted(values[1].iter().copied().filter(|v| *v >= range.0 && *v <= range.1));
    let edges = bin_edges(&real, range);
    let real_density = density(values[1].iter().copied(), &edges);
    let series = |side: &Side, values: &[f64]| -> Vec<(Vec<f64>, Color)> {
        let Some(labels) = &side.labels else {
            return vec![(density(values.iter().copied(), &edges), side.color)];
        };
        let mut used = labels.clone();
        used.sort_unstable();
        used.dedup();
        let part = |label: usize| {
            let own: Vec<f64> =
                values.iter().zip(labels).filter(|(_, l)| **l == label).map(|p| *p.0).collect();
            let share = own.len() as f64 / values.len() as f64;
            density(own, &edges).iter().map(|d| d * share).collect()
        };
        used.into_iter().map(|label| (part(label), groups.color(label))).collect()
    };
    let series = [series(&sides[0], &values[0]), series(&sides[1], &values[1])];
    let drawn = series.iter().flatten().flat_map(|s| &s.0).chain(&real_density).copied();
    // A single bin that holds all samples (of a collapsed model) must not flatten the real data.
    let top =
        drawn.fold(0.0, f64::max).min(6.0 * real_density.iter().copied().fold(1e-12, f64::max));
    if legend.is_empty() {
        legend.extend([
            Entry::new(Key::Area, BLUE, "generated"),
            Entry::new(Key::Area, GREY, "real"),
        ]);
    }
    legend.push(Entry::new(Key::Line, style::INK, "outline of the real data"));
    let mut figure = Figure::new(&view.title, &view.subtitle, &legend, 470.0)?;
    for (i, cell) in figure.body.cells(2, 1, 30.0, 0.0).into_iter().enumerate() {
        let frame =
            Frame::new(&sides[i].title, Axis::linear(range), Axis::linear((0.0, 1.08 * top)))
                .labels(view.real.name(0, "x"), "density (share of points per unit)");
        let panel = frame.draw(&mut figure.canvas, cell)?;
        draw_histograms(&mut figure.canvas, &panel, &edges, &series[i]);
        panel.steps(&mut figure.canvas, &edges, &real_density, 1.4, style::INK);
        let mut notes = panel.missing(&flat[i]);
        let middle = quantile(&sorted(values[i].iter().copied()), 0.5);
        notes.push(format!("median {}", style::number(middle, 3)));
        panel.notes(&mut figure.canvas, &notes)?;
    }
    figure.save(path)
}

/// The robust range of one coordinate of several sets of points.
pub(super) fn coordinate_range<'a>(
    sets: impl IntoIterator<Item = &'a Scatter>,
    j: usize,
) -> (f64, f64) {
    let range = sets.into_iter().fold(None, |r, p| union(r, robust_range(p.column(j))));
    padded(range, 0.05)
}
