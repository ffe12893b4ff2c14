use super::axis::Axis;
use super::canvas::Canvas;
use super::data_view::{flat_ranges, plane_frame};
use super::figure::{Entry, Figure, INNER, Key};
use super::frame::Frame;
use super::groups::Groups;
use super::panel::Panel;
use super::plane::Plane;
use super::rect::Rect;
use super::samples::coordinate_range;
use super::stats::{bin_edges, density, sorted, thinned};
use super::style::{self, BLUE, Color, INK, PALE, PAPER, SOFT_INK, VERMILION, counted, short};
use super::trajectories::{MOMENTS, TrajectoryView};
use crate::Result;

/// Number of paths that are drawn, and of points in a panel.
const PATHS: usize = 100;
const CLOUD: usize = 3000;

/// Drawing of trajectories: the paths of some samples over the real data, and all samples at a few
/// times.
pub(super) struct Drawing<'a> {
    view: &'a TrajectoryView,
    groups: Groups<'a>,
    labels: Option<&'a [usize]>,
    chosen: Vec<usize>,
}

impl<'a> Drawing<'a> {
    pub fn new(view: &'a TrajectoryView) -> Self {
        let groups = Groups::of(view.labels.iter().flatten(), &view.label_names);
        let labels = view.labels.as_deref().filter(|_| groups.distinct());
        Drawing { view, groups, labels, chosen: thinned(view.samples(), PATHS) }
    }

    fn start_color(&self) -> Color {
        if self.labels.is_some() { SOFT_INK } else { VERMILION }
    }

    fn path_color(&self, i: usize) -> Color {
        if self.labels.is_some() {
            self.groups.color_of(self.labels, i).fade(0.45)
        } else {
            INK.fade(0.22)
        }
    }

    fn legend(&self) -> Vec<Entry> {
        let mut legend = vec![
            Entry::new(
                Key::Ring,
                self.start_color(),
                format!("start, t = {}", short(self.view.start_time())),
            ),
            Entry::new(
                Key::Dot,
                if self.labels.is_some() { INK } else { BLUE },
                format!("end, t = {}", short(self.view.end_time())),
            ),
            Entry::new(
                Key::Line,
                INK.fade(0.4),
                format!("paths of {}", counted(self.chosen.len(), "sample")),
            ),
        ];
        if self.view.real().is_some() {
            legend.push(Entry::new(Key::Dot, PALE, "real data"));
        }
        if self.labels.is_some() {
            legend.extend(self.groups.legend());
        }
        legend
    }

    /// Draws the chosen paths and marks their ends.
    fn paths(
        &self,
        canvas: &mut Canvas,
        panel: &Panel,
        path_of: impl Fn(usize) -> Vec<(f64, f64)>,
    ) {
        let paths: Vec<(usize, Vec<(f64, f64)>)> =
            self.chosen.iter().map(|i| (*i, path_of(*i))).collect();
        for (i, path) in &paths {
            panel.path(canvas, path, 1.3, self.path_color(*i));
        }
        canvas.clipped(panel.plot, |canvas| {
            for (_, path) in &paths {
                if let Some(first) = path.first() {
                    canvas.dot(panel.at(*first), 3.0, PAPER.fade(0.9));
                    canvas.ring(panel.at(*first), 3.0, 1.4, self.start_color());
                }
            }
            for (i, path) in &paths {
                if let Some(last) = path.last() {
                    canvas.dot(panel.at(*last), 4.6, PAPER);
                    canvas.dot(panel.at(*last), 3.7, self.groups.color_of(self.labels, *i));
                }
            }
        });
    }

    pub fn in_the_plane(&self) -> Result<Figure> {
        let view = self.view;
        let end = &view.states[view.states.len() - 1];
        let plane = Plane::of(view.real().unwrap_or(end), "z");
        let real = view.real().map(|r| plane.flatten(&r.select(&thinned(r.len(), CLOUD))));
        let states: Vec<Vec<(f64, f64)>> = view.states.iter().map(|s| plane.flatten(s)).collect();

        let mut all: Vec<(f64, f64)> = states.iter().flatten().copied().collect();
        all.extend(real.iter().flatten());
        let ranges = flat_ranges(&all);
        let on_paths = states.iter().flat_map(|s| self.chosen.iter().map(|i| s[*i]));
        let near: Vec<(f64, f64)> = on_paths.chain(real.iter().flatten().copied()).collect();
        let left_width = 0.41 * INNER;
        let frame = plane_frame("paths", &plane, flat_ranges(&near));
        let height = frame.height_for(left_width, 480.0, 620.0);
        let mut figure = Figure::new(&view.title, &view.subtitle, &self.legend(), height)?;
        let (body, canvas) = (figure.body, &mut figure.canvas);

        let panel = frame.draw(canvas, Rect { x1: body.x0 + left_width, ..body })?;
        panel.dots(canvas, real.as_deref().unwrap_or(&[]), (2.6, 0.55), |_| PALE);
        self.paths(canvas, &panel, |i| states.iter().map(|s| s[i]).collect());
        let drawn: Vec<(f64, f64)> =
            self.chosen.iter().map(|i| states[states.len() - 1][*i]).collect();
        let ends = panel
            .missing(&drawn)
            .into_iter()
            .map(|n| format!("at the end: {n}"))
            .collect::<Vec<_>>();
        panel.notes(canvas, &ends)?;

        let cells = Rect { x0: body.x0 + left_width + 28.0, ..body }.cells(3, 2, 8.0, 6.0);
        let moments = view.moments();
        let shown = thinned(view.samples(), CLOUD);
        for (moment, cell) in moments.iter().zip(cells) {
            let title = format!("t = {}", short(view.times[*moment]));
            let mut small = plane_frame(title, &plane, ranges);
            (small.x_label, small.y_label) = (String::new(), String::new());
            let panel = small.draw(canvas, cell)?;
            panel.dots(canvas, real.as_deref().unwrap_or(&[]), (1.3, 0.5), |_| PALE);
            let cloud: Vec<(f64, f64)> = shown.iter().map(|i| states[*moment][*i]).collect();
            let (radius, alpha) = style::point(cloud.len());
            panel.dots(canvas, &cloud, (radius * 0.62, alpha), |k| {
                self.groups.color_of(self.labels, shown[k])
            });
            panel.note_missing(canvas, &cloud)?;
        }
        Ok(figure)
    }

    pub fn in_one_dimension(&self) -> Result<Figure> {
        let view = self.view;
        let range = coordinate_range(view.states.iter().chain(view.real()), 0);
        let mut figure = Figure::new(&view.title, &view.subtitle, &self.legend(), 860.0)?;
        let (body, canvas) = (figure.body, &mut figure.canvas);
        let upper = Rect { y1: body.y0 + 540.0, x1: body.x1 - 190.0, ..body };
        let frame =
            Frame::new("paths", view.time_axis(), Axis::linear(range)).labels("time t", "state z");
        let panel = frame.draw(canvas, upper)?;
        let last = &view.states[view.states.len() - 1];
        self.paths(canvas, &panel, |i| {
            view.times.iter().zip(&view.states).map(|(t, s)| (*t, s.row(i)[0])).collect()
        });
        panel.note_missing(
            canvas,
            &last.column(0).map(|z| (view.end_time(), z)).collect::<Vec<_>>(),
        )?;

        // Beside the ends of the paths: histograms of the end states and of the real data.
        let reference = view.real().unwrap_or(last);
        let edges = bin_edges(&sorted(reference.column(0)), range);
        let real = view.real().map(|r| density(r.column(0), &edges));
        let end = density(last.column(0), &edges);
        let top = end.iter().chain(real.iter().flatten()).copied().fold(1e-12, f64::max);
        let side = Rect::new(panel.plot.x1 + 12.0, panel.plot.y0, body.x1 - 8.0, panel.plot.y1);
        for (heights, color) in real.iter().map(|r| (r, PALE)).chain([(&end, BLUE.fade(0.6))]) {
            for (edge, height) in edges.windows(2).zip(heights) {
                let (y0, y1) = (panel.py(edge[1]), panel.py(edge[0]));
                canvas.fill(
                    Rect::new(side.x0, y0 + 0.5, side.x0 + height / top * side.width(), y1 - 0.5),
                    color,
                );
            }
        }

        let lower = Rect { y0: body.y0 + 560.0, ..body }.cells(MOMENTS, 1, 8.0, 0.0);
        let moments = view.moments();
        let heights: Vec<Vec<f64>> =
            moments.iter().map(|m| density(view.states[*m].column(0), &edges)).collect();
        let top = heights.iter().flatten().copied().fold(top, f64::max);
        for ((moment, heights), cell) in moments.iter().zip(&heights).zip(lower) {
            let title = format!("t = {}", short(view.times[*moment]));
            let frame = Frame::new(title, Axis::linear(range), Axis::linear((0.0, 1.08 * top)))
                .labels("state z", "")
                .hide_y();
            let panel = frame.draw(canvas, cell)?;
            panel.bars(canvas, &edges, real.as_deref().unwrap_or(&[]), PALE);
            panel.bars(canvas, &edges, heights, BLUE.fade(0.6));
        }
        Ok(figure)
    }
}
