use std::path::Path;

use super::super::axis::Axis;
use super::super::canvas::Canvas;
use super::super::dates::DAY;
use super::super::figure::{Entry, Figure, Key};
use super::super::frame::Frame;
use super::super::rect::Rect;
use super::super::stats::{bin_edges, sorted, usable};
use super::super::style::{self, BLUE, GREY, INK, count, fixed};
use super::super::text::Font;
use super::{Column, Counts, MISSING, TableView, frequent, shown};
use crate::Result;
use crate::metrics::table::{column_shapes, missing_cells};
use crate::table::CellType;

/// Number of columns that get a panel, at most.
const MOST_COLUMNS: usize = 24;
/// Number of categories that get a bar of their own, at most.
const MOST_NAMES: usize = 12;
/// Number of different whole numbers that get a bin each, at most.
const MOST_BINS: f64 = 40.0;
const HEIGHT: f64 = 236.0;

/// Draws every column to `path`, real beside generated, or alone if no row is generated: a
/// histogram of numbers and times, bars of the shares of categories. The columns that are least
/// alike come first, with their distance in the title: the Kolmogorov-Smirnov distance of numbers
/// and times, the total variation distance of categories, both without missing cells, whose shares
/// are noted. Columns that were given are left out.
///
/// # Errors
/// If there is no row or no column to draw, the columns of both sides differ, or the file cannot be
/// written.
pub fn marginals(path: &Path, view: &TableView<'_>) -> Result<()> {
    figure(view)?.save(path)
}

/// The picture of [`marginals`].
pub(super) fn figure(view: &TableView<'_>) -> Result<Figure> {
    let alone = view.generated.is_empty();
    let columns = view.columns(alone)?;
    let distances = if alone { vec![None; columns.len()] } else { distances(view)? };
    let all = distances.into_iter().zip(&columns).filter(|(_, column)| !column.given);
    let sides = &view.sides;
    let mut all: Vec<Marginal<'_>> =
        all.map(|(distance, column)| Marginal { column, distance, sides }).collect();
    if all.is_empty() {
        return Err(crate::Error::runtime("marginals: nothing to draw, every column was given"));
    }
    all.sort_by(|a, b| b.distance.unwrap_or(0.0).total_cmp(&a.distance.unwrap_or(0.0)));
    let mut subtitle = view.subtitle.clone();
    if all.len() > MOST_COLUMNS {
        let (which, n) = (if alone { "first" } else { "least alike" }, all.len());
        subtitle += &format!("; the {MOST_COLUMNS} {which} of {n} columns");
    }
    all.truncate(MOST_COLUMNS);
    let across = match all.len() {
        n @ 1..=3 => n,
        5 | 6 | 9 => 3,
        _ => 4,
    };
    let named = |side: usize, rows: usize| format!("{} (n = {})", view.sides[side], count(rows));
    let mut legend = vec![Entry::new(Key::Area, GREY.fade(FILL), named(0, view.real.len()))];
    if !alone {
        legend.push(Entry::new(Key::Line, BLUE, named(1, view.generated.len())));
    }
    let rows = all.len().div_ceil(across);
    let height = rows as f64 * if rows == 1 { 1.5 * HEIGHT } else { HEIGHT };
    let mut figure = Figure::new(&view.title, &subtitle, &legend, height)?;
    let cells = figure.body.cells(across, rows, 22.0, 12.0);
    for (marginal, cell) in all.into_iter().zip(cells) {
        match marginal.column.info.names() {
            Some(names) => bars(&mut figure.canvas, cell, &marginal, names)?,
            None => histogram(&mut figure.canvas, cell, &marginal)?,
        }
    }
    Ok(figure)
}

/// A column in a panel.
struct Marginal<'a> {
    column: &'a Column<'a>,
    /// Distance of the generated column from the real one; `None` for a column alone.
    distance: Option<f64>,
    sides: &'a [String; 2],
}

/// Opacity of real bars.
const FILL: f64 = 0.5;

/// Distance of each generated column from the real one, in 0..=1; 1 if one side alone has no value.
pub(super) fn distances(view: &TableView<'_>) -> Result<Vec<Option<f64>>> {
    let shapes = column_shapes(view.real, view.generated)?.into_iter();
    let gaps = missing_cells(view.real, view.generated)?;
    let distance = |(shape, (real, generated)): (Option<f64>, (f64, f64))| match shape {
        Some(shape) => Some(1.0 - shape),
        None => Some(f64::from(real != generated)),
    };
    Ok(shapes.zip(gaps).map(distance).collect())
}

/// The title of a panel: the name, shortened to what the distance leaves, and the distance.
fn title(of: &Marginal<'_>, room: f64) -> Result<String> {
    let measure = if of.column.is_category() { "TV" } else { "KS" };
    let text = of.distance.map(|d| format!(" · {measure} {}", fixed(d, 3))).unwrap_or_default();
    let font = Font::semi_bold(style::PANEL_TITLE, INK);
    let room = room - font.width(&text)?;
    Ok(font.fit(&shown(&of.column.info.name), room)? + &text)
}

/// Width that names and ticks beside a panel take, about.
const BESIDE: f64 = 64.0;

fn histogram(canvas: &mut Canvas, cell: Rect, of: &Marginal<'_>) -> Result<()> {
    let column = of.column;
    if !column.real.iter().chain(&column.generated).any(|cell| usable(*cell)) {
        let title = title(of, cell.width() - BESIDE)?;
        let nowhere = Axis::names(Vec::new());
        let panel = Frame::new(title, nowhere.clone(), nowhere).draw(canvas, cell)?;
        return panel.remark(canvas, "every cell is missing");
    }
    let axis = column.axis(0.03);
    let edges = edges(column, &axis);
    let axis = match (edges.first(), edges.last()) {
        (Some(first), Some(last)) => Axis { lo: *first, hi: *last, ..axis },
        _ => axis,
    };
    let sides = [&column.real, &column.generated].map(|cells| Bins::of(cells, &edges));
    let values = sides.iter().flat_map(|side| &side.shares).copied();
    let top = values.clone().fold(0.0, f64::max);
    let mut notes = missing(of);
    for (what, side) in of.sides.iter().zip(&sides) {
        if side.outside > 0 {
            let noun = if side.outside == 1 { "value" } else { "values" };
            notes.push(format!("{} {what} {noun} outside", count(side.outside)));
        }
    }
    // A spike, such as many zeros before a long tail, would leave the rest invisible.
    let used = sides[0].shares.iter().filter(|share| **share > 0.0).count();
    let spiked = used >= 8 && top > 0.6;
    let least = values.filter(|share| *share > 0.0).fold(1.0, f64::min);
    let y = match spiked {
        true => Axis::log((100.0 * least / 2.0, 130.0 * top)),
        false => Axis::linear((0.0, (108.0 + 13.0 * notes.len() as f64) * top.max(1e-3))),
    };
    let frame = Frame::new(title(of, cell.width() - BESIDE)?, axis, y).labels("", "% of rows");
    let panel = frame.draw(canvas, cell)?;
    let bottom = if spiked { panel.y.lo } else { 0.0 };
    let [real, generated] =
        sides.each_ref().map(|side| side.shares.iter().map(|s| (100.0 * s).max(bottom)));
    panel.bars(canvas, &edges, &real.collect::<Vec<_>>(), GREY.fade(FILL));
    let heights: Vec<f64> = generated.collect();
    if of.distance.is_some() {
        panel.path(canvas, &outline(&edges, &heights, bottom), 2.0, BLUE);
    }
    panel.notes(canvas, &notes)
}

/// The outline of bars from `bottom`.
fn outline(edges: &[f64], heights: &[f64], bottom: f64) -> Vec<(f64, f64)> {
    let mut path = Vec::new();
    path.extend(edges.first().map(|first| (*first, bottom)));
    for (edge, height) in edges.windows(2).zip(heights) {
        path.extend([(edge[0], *height), (edge[1], *height)]);
    }
    path.extend(edges.last().map(|last| (*last, bottom)));
    path
}

/// Edges of the bins. Values on a grid, such as whole numbers and days, are in the middle of a bin
/// or in bins that hold equally many of them.
fn edges(column: &Column<'_>, axis: &Axis) -> Vec<f64> {
    let real = sorted(column.real.iter().copied());
    let edges = bin_edges(&real, (axis.lo, axis.hi));
    let grid = match &column.info.kind {
        CellType::Number { decimals: Some(decimals) } => 0.1f64.powi(i32::from(*decimals)),
        CellType::Time { format } if is_date(format) => DAY,
        _ => return edges,
    };
    let width = (axis.hi - axis.lo) / (edges.len() - 1).max(1) as f64;
    let wanted = match (axis.hi - axis.lo) / grid {
        few if few <= MOST_BINS => 1.0,
        _ => (width / grid).round(),
    };
    // Bins of many grid points need no alignment.
    if !(1.0..=30.0).contains(&wanted) {
        return edges;
    }
    let width = wanted * grid;
    let first = ((axis.lo / grid).ceil() - 0.5) * grid;
    let bins = ((axis.hi - first) / width).ceil().clamp(1.0, 200.0) as usize;
    (0..=bins).map(|i| first + i as f64 * width).collect()
}

fn is_date(format: &str) -> bool {
    crate::io::table::TimeFormat::new(format).is_ok_and(|format| format.is_date())
}

/// Shares of the rows in each bin.
struct Bins {
    shares: Vec<f64>,
    /// Number of values outside the bins.
    outside: usize,
}

impl Bins {
    fn of(cells: &[f64], edges: &[f64]) -> Self {
        let mut bins = Self { shares: vec![0.0; edges.len() - 1], outside: 0 };
        let last = bins.shares.len();
        for cell in cells.iter().filter(|cell| usable(**cell)) {
            match edges.partition_point(|edge| edge <= cell) {
                0 => bins.outside += 1,
                place if place <= last => bins.shares[place - 1] += 1.0,
                _ if edges.last() == Some(cell) => bins.shares[last - 1] += 1.0,
                _ => bins.outside += 1,
            }
        }
        bins.shares.iter_mut().for_each(|share| *share /= cells.len().max(1) as f64);
        bins
    }
}

/// The remark on missing cells; none if there are none.
fn missing(of: &Marginal<'_>) -> Vec<String> {
    let share = |cells: &[f64]| {
        let missing = cells.iter().filter(|cell| cell.is_nan()).count();
        100.0 * missing as f64 / cells.len().max(1) as f64
    };
    let (real, generated) = (share(&of.column.real), share(&of.column.generated));
    if real == 0.0 && generated == 0.0 {
        return Vec::new();
    }
    let text = |share: f64, side: usize| format!("{} % {}", fixed(share, 1), of.sides[side]);
    let beside = of.distance.map(|_| format!(", {}", text(generated, 1))).unwrap_or_default();
    vec![format!("missing {}{beside}", text(real, 0))]
}

/// Draws a bar for each frequent category, one for all others, and one for missing cells.
fn bars(canvas: &mut Canvas, cell: Rect, of: &Marginal<'_>, names: &[String]) -> Result<()> {
    let column = of.column;
    let sides = [&column.real, &column.generated].map(|cells| Counts::of(cells, names.len()));
    let both: Vec<usize> = sides[0]
        .names
        .iter()
        .zip(&sides[1].names)
        .map(|(a, b)| 2 * a + usize::from(*b > 0))
        .collect();
    let ordered = !matches!(column.info.kind, CellType::Category { ordered: false, .. });
    let codes = frequent(&both, MOST_NAMES, ordered);
    let shares = |of: &dyn Fn(&Counts) -> usize| {
        [&sides[0], &sides[1]].map(|side| 100.0 * side.share(of(side)))
    };
    let mut bars: Vec<(String, [f64; 2])> = codes
        .iter()
        .map(|code| (shown(&names[*code]), shares(&|side| side.names[*code])))
        .collect();
    if codes.len() < names.len() {
        let others = |side: &Counts| {
            let own: usize = codes.iter().map(|code| side.names[*code]).sum();
            side.names.iter().sum::<usize>() - own
        };
        bars.push((format!("{} others", count(names.len() - codes.len())), shares(&others)));
    }
    let missing = shares(&|side| side.missing);
    if missing != [0.0, 0.0] {
        bars.push((MISSING.to_owned(), missing));
    }
    let top = bars.iter().flat_map(|bar| bar.1).fold(0.0, f64::max);
    let places = Axis::names(bars.iter().map(|bar| bar.0.clone()).collect()).reversed();
    let title = title(of, cell.width() - 10.0)?;
    let frame = Frame::new(title, Axis::linear((0.0, 1.08 * top.max(1.0))), places);
    let panel = frame.draw(canvas, cell)?;
    // Not on the frame, and no bar of a few names is a block.
    let half = (0.38 * (panel.py(1.0) - panel.py(0.0))).abs().min(13.0);
    for (i, (_, [real, generated])) in bars.iter().enumerate() {
        let middle = panel.py(i as f64);
        let rect = |value: f64| {
            Rect::new(panel.px(0.0) + 1.0, middle - half, panel.px(value), middle + half)
        };
        canvas.fill(rect(*real), GREY.fade(FILL));
        // An outline as that of histograms.
        let r = rect(*generated);
        if *generated > 0.0 {
            let corners = [(r.x0, r.y0), (r.x1, r.y0), (r.x1, r.y1), (r.x0, r.y1)];
            canvas.clipped(panel.plot, |canvas| canvas.line(&corners, 2.0, BLUE));
        }
    }
    Ok(())
}
