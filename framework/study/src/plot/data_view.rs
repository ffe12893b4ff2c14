//! Pictures of a data set, and the frames and histograms that other pictures share with them.

use std::path::Path;

use super::axis::Axis;
use super::canvas::Canvas;
use super::figure::{Figure, INNER};
use super::frame::Frame;
use super::groups::Groups;
use super::panel::{Panel, first_coordinate};
use super::plane::Plane;
use super::rect::Rect;
use super::regression;
use super::stats::{bin_edges, density, padded, robust_range, sorted, thinned};
use super::style::{self, BLUE, Color, count};
use super::{Scatter, check_labels};
use crate::{Error, Result};

/// Number of points that are drawn at most; more would cover each other.
pub(super) const MOST_POINTS: usize = 20_000;

/// Contents of a picture of a data set, or of one split of it.
#[derive(Debug, Clone, Default)]
pub struct DataView {
    /// The picture's title.
    pub title: String,
    /// Conditions, x of x → y; `None` without a condition.
    pub condition: Option<Scatter>,
    /// Targets, y of x → y, or the data without a condition.
    pub target: Scatter,
    /// Label of each point; `None` without labels.
    pub labels: Option<Vec<usize>>,
    /// Names of the labels; a label without one is numbered.
    pub label_names: Vec<String>,
    /// Name of the rows that are shown, such as "training data, 6,554 points".
    pub split_name: String,
}

/// Draws a data set to `path`. One dimension gives a histogram, two a scatter at equal aspect, more
/// their first two principal components, coloured by label. With a condition: classes over x if the
/// target is the label, the target by label if the condition is, and y against x otherwise.
///
/// # Errors
/// If there is no finite value, there is not one label or condition a point, or the file cannot be
/// written.
pub fn data_visualization(path: &Path, view: &DataView) -> Result<()> {
    view.target.check("data")?;
    let labels = view.labels.as_deref();
    check_labels(labels, &view.target, "data")?;
    let shown = thinned(view.target.len(), MOST_POINTS);
    let mut subtitle = view.split_name.clone();
    if shown.len() < view.target.len() {
        subtitle +=
            &format!(" ({} of {} points drawn)", count(shown.len()), count(view.target.len()));
    }
    let target = view.target.select(&shown);
    let labels: Option<Vec<usize>> = labels.map(|l| shown.iter().map(|i| l[*i]).collect());
    let groups = Groups::of(labels.iter().flatten(), &view.label_names);
    let cloud = |points: &Scatter, name: &str| {
        Cloud { points, labels: labels.as_deref(), groups: &groups, name }
            .draw(path, view, &subtitle)
    };

    let Some(condition) = &view.condition else {
        return cloud(&target, "x");
    };
    condition.check("condition")?;
    if condition.len() != view.target.len() {
        let (n, m) = (condition.len(), view.target.len());
        return Err(Error::runtime(format!("data: {n} conditions for {m} targets")));
    }
    let condition = condition.select(&shown);
    match &labels {
        Some(labels) if follows_labels(&target, labels) => cloud(&condition, "x"),
        Some(labels) if follows_labels(&condition, labels) => cloud(&target, "x"),
        _ => regression::pairs(path, &view.title, &subtitle, &condition, &target),
    }
}

/// `true` if all points of a label are equal, so that the label says all about them.
fn follows_labels(points: &Scatter, labels: &[usize]) -> bool {
    let mut first: std::collections::BTreeMap<usize, &[f64]> = std::collections::BTreeMap::new();
    labels
        .iter()
        .enumerate()
        .all(|(i, label)| *first.entry(*label).or_insert(points.row(i)) == points.row(i))
}

/// Drawing of points, coloured by label.
struct Cloud<'a> {
    points: &'a Scatter,
    labels: Option<&'a [usize]>,
    groups: &'a Groups<'a>,
    name: &'a str,
}

impl Cloud<'_> {
    fn draw(&self, path: &Path, view: &DataView, subtitle: &str) -> Result<()> {
        let legend = self.groups.legend();
        if self.points.dim == 1 {
            let mut figure = Figure::new(&view.title, subtitle, &legend, 560.0)?;
            let body = figure.body;
            self.histogram(&mut figure.canvas, body)?;
            return figure.save(path);
        }
        let plane = Plane::of(self.points, self.name);
        let flat = plane.flatten(self.points);
        let frame = plane_frame("", &plane, flat_ranges(&flat));
        let height = frame.height_for(INNER, 460.0, 760.0);
        let mut figure = Figure::new(&view.title, subtitle, &legend, height)?;
        let panel = frame.draw(&mut figure.canvas, figure.body)?;
        let (radius, alpha) = style::point(flat.len());
        // A single large panel has room for larger points.
        panel.dots(&mut figure.canvas, &flat, (radius * 1.25, alpha), |i| {
            self.groups.color_of(self.labels, i)
        });
        panel.note_missing(&mut figure.canvas, &flat)?;
        figure.save(path)
    }

    fn histogram(&self, canvas: &mut Canvas, cell: Rect) -> Result<()> {
        let values = first_coordinate(self.points);
        let range = padded(robust_range(values.iter().copied()), 0.02);
        let edges = bin_edges(&sorted(values.iter().copied()), range);
        let mut series: Vec<(Vec<f64>, Color)> = Vec::new();
        match self.labels {
            Some(labels) if self.groups.distinct() => {
                let total = values.len() as f64;
                let mut used = labels.to_vec();
                used.sort_unstable();
                used.dedup();
                for label in used {
                    let own: Vec<f64> = values
                        .iter()
                        .zip(labels)
                        .filter(|(_, l)| **l == label)
                        .map(|p| *p.0)
                        .collect();
                    let share = own.len() as f64 / total;
                    let heights = density(own, &edges).iter().map(|d| d * share).collect();
                    series.push((heights, self.groups.color(label)));
                }
            }
            _ => series.push((density(values.iter().copied(), &edges), BLUE)),
        }
        let top = series.iter().flat_map(|s| &s.0).copied().fold(0.0, f64::max);
        let frame = Frame::new("", Axis::linear(range), Axis::linear((0.0, 1.08 * top.max(1e-12))))
            .labels(self.points.name(0, self.name), "density (share of points per unit)");
        let panel = frame.draw(canvas, cell)?;
        draw_histograms(canvas, &panel, &edges, &series);
        panel.note_missing(canvas, &values.iter().map(|v| (*v, 0.0)).collect::<Vec<_>>())
    }
}

/// Draws filled histograms over each other, with outlines if there are several.
pub(super) fn draw_histograms(
    canvas: &mut Canvas,
    panel: &Panel,
    edges: &[f64],
    series: &[(Vec<f64>, Color)],
) {
    for (heights, color) in series {
        panel.bars(canvas, edges, heights, color.fade(if series.len() > 1 { 0.4 } else { 0.75 }));
    }
    if series.len() > 1 {
        for (heights, color) in series {
            panel.steps(canvas, edges, heights, 1.8, *color);
        }
    }
}

/// Robust ranges of projected points, with a margin.
pub(super) fn flat_ranges(points: &[(f64, f64)]) -> [(f64, f64); 2] {
    [
        padded(robust_range(points.iter().map(|p| p.0)), 0.05),
        padded(robust_range(points.iter().map(|p| p.1)), 0.05),
    ]
}

/// A frame at equal aspect for projected points.
pub(super) fn plane_frame(
    title: impl Into<String>,
    plane: &Plane,
    [x, y]: [(f64, f64); 2],
) -> Frame {
    let [x_label, y_label] = &plane.labels;
    Frame::new(title, Axis::linear(x), Axis::linear(y)).labels(x_label, y_label).equal()
}
