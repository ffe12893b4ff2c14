//! Data for the page's script: results without what only tables show, thinned to what a screen can
//! resolve, so that the page stays small.

use super::super::number::{self, is_known};
use super::super::results::{
    Better, Cell, Curve, Losses, Metric, Results, Schedule, Spread, Verdict,
};
use super::super::tables::order;
use crate::metrics::mean;
use crate::plot::{Differences, share_a_unit};
use serde::Serialize;

/// Number of epochs of a loss curve, at most; more are averaged in groups.
const EPOCHS: usize = 300;
/// Number of points in a picture of samples, at most.
const SAMPLES: usize = 1500;
/// Number of paths of a cell, at most.
const MOVING: usize = 500;
/// Number of times of a path, at most.
const TIMES: usize = 41;
/// Number of coordinates of all paths of the page, about.
const COORDINATES: usize = 1_000_000;
/// Number of steps across the plane: coordinates are whole numbers of them.
const STEPS: f64 = 4000.0;

/// Everything that the script reads.
#[derive(Serialize)]
pub(super) struct Page<'a> {
    metric: Option<MetricView<'a>>,
    axes: &'a [String],
    seeds: usize,
    judged: bool,
    cells: Vec<CellView<'a>>,
    /// Indices of cells from the best to the worst.
    order: Vec<usize>,
    plane: Option<Plane>,
}

#[derive(Serialize)]
struct MetricView<'a> {
    title: &'a str,
    better: Better,
    floor: Option<Value>,
}

/// A spread, with its text in the tables.
#[derive(Serialize)]
struct Value {
    mean: f64,
    interval: Option<[f64; 2]>,
    values: Vec<f64>,
    text: String,
}

#[derive(Serialize)]
struct CellView<'a> {
    name: &'a str,
    settings: &'a [Option<String>],
    score: Option<Value>,
    verdict: Option<Verdict>,
    nfe: Option<Value>,
    sampling: Option<Value>,
    training: Option<Value>,
    curves: Vec<CurveView<'a>>,
    losses: LossView,
    schedule: Option<ScheduleView>,
    samples: Option<Points>,
    paths: Option<PathsView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<DifferencesView<'a>>,
}

/// Differences of generated from real rows of a table, in thousandths; null if not defined.
#[derive(Serialize)]
struct DifferencesView<'a> {
    names: Vec<&'a str>,
    /// Distances of the columns on the diagonal, differences of the pairs elsewhere, row by row.
    values: Vec<Option<i32>>,
}

#[derive(Serialize)]
struct CurveView<'a> {
    solver: &'a str,
    adaptive: bool,
    points: Vec<(f64, Value)>,
}

#[derive(Serialize)]
struct LossView {
    /// Number of epochs that each value is the mean of.
    every: usize,
    train: Vec<Option<f64>>,
    val: Vec<Option<f64>>,
    gradient_norm: Vec<Option<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
}

#[derive(Serialize)]
struct ScheduleView {
    t: Vec<f64>,
    gamma: Vec<f64>,
    alpha_bar: Vec<f64>,
}

/// The plane of the points: coordinate = origin + step · whole number, each axis by itself.
#[derive(Serialize)]
struct Plane {
    origin: [f64; 2],
    step: [f64; 2],
    /// The ranges `[x0, x1, y0, y1]` that pictures of samples show; a square if x and y share a
    /// unit.
    samples: [f64; 4],
    /// The ranges that pictures of paths show.
    moving: [f64; 4],
    real: Option<Points>,
    /// Names of the classes; empty if they are numbered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
}

#[derive(Serialize)]
struct Points {
    /// x and y in alternation; null if a coordinate is not finite.
    xy: Vec<Option<i32>>,
    labels: Option<Vec<usize>>,
    /// Number of points before thinning.
    of: usize,
}

#[derive(Serialize)]
struct PathsView {
    times: Vec<f64>,
    states: Vec<Vec<Option<i32>>>,
    labels: Option<Vec<usize>>,
    /// Number of paths before thinning.
    of: usize,
}

impl<'a> Page<'a> {
    pub(super) fn new(results: &'a Results, differences: &'a [Option<Differences>]) -> Self {
        let metric = results.metrics.first();
        let plane = plane(results);
        let moving = moving(results);
        let cell = |(cell, differences): (&'a Cell, &'a Option<Differences>)| {
            let differences = differences.as_ref().map(differences_view);
            CellView { differences, ..cell_view(cell, plane.as_ref(), moving) }
        };
        Page {
            metric: metric.map(metric_view),
            axes: &results.axes,
            seeds: results.seeds.len(),
            judged: results.seeds.len() > 1,
            cells: results.cells.iter().zip(differences).map(cell).collect(),
            order: order(results),
            plane,
        }
    }
}

fn metric_view(metric: &Metric) -> MetricView<'_> {
    let floor = metric.floor.as_ref().and_then(value);
    MetricView { title: &metric.title, better: metric.better, floor }
}

fn value(spread: &Spread) -> Option<Value> {
    is_known(spread).then(|| Value {
        mean: digits(spread.mean),
        interval: spread
            .interval
            .filter(|ends| ends.iter().all(|v| v.is_finite()))
            .map(|e| e.map(digits)),
        values: spread
            .values
            .iter()
            .flatten()
            .filter(|v| v.is_finite())
            .map(|v| digits(*v))
            .collect(),
        text: number::spread(spread),
    })
}

fn cell_view<'a>(cell: &'a Cell, plane: Option<&Plane>, moving: usize) -> CellView<'a> {
    let score = cell.metrics.first().and_then(Option::as_ref);
    let paths = cell.paths.as_ref().zip(plane);
    CellView {
        name: &cell.name,
        settings: &cell.settings,
        score: score.and_then(|score| value(&score.spread)),
        verdict: score.map(|score| score.verdict),
        nfe: value(&cell.cost.nfe),
        sampling: value(&cell.cost.seconds_per_1000_samples),
        training: value(&cell.cost.training_seconds),
        curves: cell.curves.iter().map(curve_view).collect(),
        losses: loss_view(&cell.losses),
        schedule: cell.schedule.as_ref().map(schedule_view),
        samples: paths.and_then(|(paths, plane)| {
            let kept = some_of(paths.states.last()?.len(), SAMPLES);
            Some(plane.points(paths.states.last()?, paths.labels.as_deref(), &kept))
        }),
        paths: paths
            .filter(|(paths, _)| paths.times.len() > 1 && paths.times.len() == paths.states.len())
            .map(|(paths, plane)| {
                let n = paths.states.iter().map(Vec::len).min().unwrap_or(0);
                let kept = some_of(n, moving);
                let times = spaced(paths.times.len(), TIMES);
                PathsView {
                    times: times.iter().map(|&i| digits(paths.times[i])).collect(),
                    states: times.iter().map(|&i| plane.numbers(&paths.states[i], &kept)).collect(),
                    labels: labels(paths.labels.as_deref(), &kept),
                    of: n,
                }
            }),
        differences: None,
    }
}

fn differences_view(differences: &Differences) -> DifferencesView<'_> {
    let Differences { names, columns, compared, pairs } = differences;
    let at = |(i, pair): (usize, &f64)| match (i / compared.len(), i % compared.len()) {
        (a, b) if a == b => columns[compared[a]],
        _ => Some(*pair),
    };
    let thousandths = |value: f64| value.is_finite().then(|| (1000.0 * value).round() as i32);
    DifferencesView {
        names: compared.iter().map(|column| names[*column].as_str()).collect(),
        values: pairs.iter().enumerate().map(|pair| at(pair).and_then(thousandths)).collect(),
    }
}

fn curve_view(curve: &Curve) -> CurveView<'_> {
    let points = curve.points.iter().filter(|point| point.nfe.is_finite() && point.nfe > 0.0);
    let points = points.filter_map(|point| Some((digits(point.nfe), value(&point.value)?)));
    CurveView { solver: &curve.solver, adaptive: curve.adaptive, points: points.collect() }
}

fn loss_view(losses: &Losses) -> LossView {
    let every = losses.train.len().max(losses.val.len()).div_ceil(EPOCHS).max(1);
    let of = |group: &[Option<f64>]| {
        let known: Vec<f64> = group.iter().flatten().copied().filter(|v| v.is_finite()).collect();
        (!known.is_empty()).then(|| digits(mean(&known)))
    };
    let thin = |values: &[Option<f64>]| values.chunks(every).map(of).collect();
    LossView {
        every,
        train: thin(&losses.train),
        val: thin(&losses.val),
        gradient_norm: thin(&losses.gradient_norm),
        stopped: losses.stopped.clone(),
    }
}

fn schedule_view(schedule: &Schedule) -> ScheduleView {
    let rounded = |values: &[f64]| values.iter().copied().map(digits).collect();
    ScheduleView {
        t: rounded(&schedule.t),
        gamma: rounded(&schedule.gamma),
        alpha_bar: rounded(&schedule.alpha_bar),
    }
}

/// The plane that holds all real points and nearly all others; `None` if there are no points.
fn plane(results: &Results) -> Option<Plane> {
    let paths = || results.cells.iter().filter_map(|cell| cell.paths.as_ref());
    let real = results.real.iter().flat_map(|cloud| &cloud.points);
    let ends = paths().filter_map(|paths| paths.states.last()).flatten();
    let samples = union(extent(real, 0.0), extent(ends, 0.005))?;
    let square = share_a_unit(samples[1] - samples[0], samples[3] - samples[2]);
    let samples = with_margin(samples, square);
    let all = paths().flat_map(|paths| &paths.states).flatten();
    let moving = with_margin(union(Some(samples), extent(all, 0.005))?, square);
    let mut plane = Plane {
        origin: [moving[0], moving[2]],
        step: [(moving[1] - moving[0]) / STEPS, (moving[3] - moving[2]) / STEPS],
        samples,
        moving,
        real: None,
        names: results.real.as_ref().map(|cloud| cloud.names.clone()).unwrap_or_default(),
    };
    plane.real = results.real.as_ref().filter(|cloud| !cloud.points.is_empty()).map(|cloud| {
        plane.points(&cloud.points, cloud.labels.as_deref(), &some_of(cloud.points.len(), SAMPLES))
    });
    Some(plane)
}

impl Plane {
    fn points(&self, points: &[[f32; 2]], classes: Option<&[usize]>, kept: &[usize]) -> Points {
        Points { xy: self.numbers(points, kept), labels: labels(classes, kept), of: points.len() }
    }

    fn numbers(&self, points: &[[f32; 2]], kept: &[usize]) -> Vec<Option<i32>> {
        let number = |value: f32, axis: usize| {
            let at = (f64::from(value) - self.origin[axis]) / self.step[axis];
            // A point far away stays outside the picture, with a small number.
            at.is_finite().then(|| at.round().clamp(-STEPS, 2.0 * STEPS) as i32)
        };
        let both = |&i: &usize| [0, 1].map(|d| points.get(i).and_then(|p| number(p[d], d)));
        kept.iter().flat_map(both).collect()
    }
}

fn labels(labels: Option<&[usize]>, kept: &[usize]) -> Option<Vec<usize>> {
    let labels = labels?;
    kept.iter().map(|&i| labels.get(i).copied()).collect()
}

/// Lowest and highest x and y, without the share `outside` of the points at each end.
fn extent<'a>(points: impl Iterator<Item = &'a [f32; 2]>, outside: f64) -> Option<[f64; 4]> {
    let mut values = [Vec::new(), Vec::new()];
    for point in points.filter(|point| point.iter().all(|v| v.is_finite())) {
        values[0].push(f64::from(point[0]));
        values[1].push(f64::from(point[1]));
    }
    let [x, y] = values.map(|mut values| {
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let out = (last as f64 * outside) as usize;
        Some([values[out], values[last - out]])
    });
    let ([x0, x1], [y0, y1]) = (x?, y?);
    Some([x0, x1, y0, y1])
}

fn union(a: Option<[f64; 4]>, b: Option<[f64; 4]>) -> Option<[f64; 4]> {
    match (a, b) {
        (Some(a), Some(b)) => {
            Some([a[0].min(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].max(b[3])])
        }
        (a, b) => a.or(b),
    }
}

/// The extent with a margin; `square`: both ranges as long as the longer one.
fn with_margin([x0, x1, y0, y1]: [f64; 4], square: bool) -> [f64; 4] {
    let mut lengths = [x1 - x0, y1 - y0];
    if square {
        lengths = [lengths[0].max(lengths[1]); 2];
    }
    let [across, up] = lengths.map(|length| length.max(1e-6) * 0.53);
    let (x, y) = (f64::midpoint(x0, x1), f64::midpoint(y0, y1));
    [x - across, x + across, y - up, y + up]
}

/// Number of paths that a cell may show.
fn moving(results: &Results) -> usize {
    let paths = results.cells.iter().filter_map(|cell| cell.paths.as_ref());
    let times: usize = paths.map(|paths| paths.times.len().min(TIMES)).sum();
    (COORDINATES / (2 * times.max(1))).min(MOVING)
}

/// At most `most` indices of `0..n`, ascending, chosen independently of their order, as labels may
/// alternate.
fn some_of(n: usize, most: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    if n > most {
        // Multiples of the golden ratio, modulo 1.
        let key = |i: &usize| (*i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
        all.sort_by_key(key);
        all.truncate(most);
        all.sort_unstable();
    }
    all
}

/// At most `most` indices of `0..n`, evenly spaced, with the first and the last.
fn spaced(n: usize, most: usize) -> Vec<usize> {
    if n <= most {
        return (0..n).collect();
    }
    (0..most).map(|i| i * (n - 1) / (most - 1)).collect()
}

/// A number rounded to five significant digits, as many as a picture can show.
fn digits(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_ends_and_both_labels() {
        assert_eq!(spaced(5, 9), [0, 1, 2, 3, 4]);
        let times = spaced(101, 41);
        assert_eq!((times[0], times[40], times.len()), (0, 100, 41));
        let kept = some_of(1000, 300);
        assert_eq!(kept.len(), 300);
        let odd = kept.iter().filter(|i| *i % 2 == 1).count();
        assert!((100..200).contains(&odd), "{odd}");
    }

    #[test]
    fn an_outlier_does_not_shrink_the_picture() {
        let mut points = vec![[0.5_f32, 0.5]; 998];
        points.extend([[0.0, 0.0], [1.0, 1.0], [1e9, 0.0], [f32::NAN, 0.0]]);
        let plane = with_margin(extent(points.iter(), 0.005).unwrap(), true);
        assert!(plane[1] - plane[0] < 2.0, "{plane:?}");
        assert_eq!(extent([].iter(), 0.0), None);
    }

    #[test]
    fn columns_of_different_units_fill_the_picture_each() {
        let mut results = super::super::super::example::example();
        let stretch = |point: &mut [f32; 2]| *point = [40.0 + point[0], 4000.0 + 500.0 * point[1]];
        let real = results.real.as_mut().unwrap();
        real.points.iter_mut().for_each(stretch);
        let paths = results.cells.iter_mut().filter_map(|cell| cell.paths.as_mut());
        paths.flat_map(|paths| &mut paths.states).flatten().for_each(stretch);
        let plane = plane(&results).unwrap();
        let [x0, x1, y0, y1] = plane.samples;
        assert!(x1 - x0 < 10.0 && y1 - y0 > 500.0, "{:?}", plane.samples);
        let xy = plane.real.unwrap().xy;
        let range = |axis: usize| {
            let all = xy.iter().skip(axis).step_by(2).flatten();
            f64::from(all.clone().max().unwrap() - all.min().unwrap()) / STEPS
        };
        // Noise takes more room than the points.
        assert!(range(0) > 0.2 && range(1) > 0.2, "{} {}", range(0), range(1));
    }

    #[test]
    fn long_losses_are_averaged_in_groups() {
        let losses = Losses {
            train: (0..900).map(|i| Some(f64::from(i))).collect(),
            val: vec![None],
            gradient_norm: vec![Some(2.0), None, Some(4.0)],
            ..Losses::default()
        };
        let view = loss_view(&losses);
        assert_eq!((view.every, view.train.len(), view.train[0]), (3, 300, Some(1.0)));
        assert_eq!((view.val, view.gradient_norm), (vec![None], vec![Some(3.0)]));
    }
}
