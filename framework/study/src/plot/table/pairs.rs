use std::path::Path;

use super::super::axis::Axis;
use super::super::canvas::Canvas;
use super::super::figure::Figure;
use super::super::frame::Frame;
use super::super::panel::Panel;
use super::super::rect::Rect;
use super::super::stats::{Quartiles, thinned};
use super::super::style::{self, BLUE, Color, GREY, INK, PAPER, count, fixed};
use super::super::text::{Align, Font, write};
use super::dependence::{Cells, dependence};
use super::{Column, Counts, TableView, brief, frequent, shown};
use crate::table::CellType;
use crate::{Error, Result};

/// Number of pairs that are drawn, at most.
const MOST_PAIRS: usize = 6;
/// Number of columns of which pairs are sought, at most.
const MOST_COLUMNS: usize = 200;
/// Number of categories of a panel, at most.
const MOST_NAMES: usize = 8;
/// Number of points of a panel, at most.
const MOST_POINTS: usize = 2000;
const HEIGHT: f64 = 330.0;

/// Draws the pairs of columns that depend most on each other in the real rows to `path`, each real
/// beside generated: points for two numbers, a box for each category for a number and a category,
/// and for two categories a table whose rows are shaded by the shares of their columns, with a row
/// for each category of the column of more.
///
/// # Errors
/// If there is no row, no pair of columns that vary, the columns of both sides differ, or the file
/// cannot be written.
pub fn pairs(path: &Path, view: &TableView<'_>) -> Result<()> {
    figure(view)?.save(path)
}

/// The picture of [`pairs`].
pub(super) fn figure(view: &TableView<'_>) -> Result<Figure> {
    let columns = view.columns(false)?;
    let chosen = dependent(&columns[..columns.len().min(MOST_COLUMNS)]);
    if chosen.is_empty() {
        return Err(Error::runtime("pairs: nothing to draw, no two columns vary together"));
    }
    let across = if chosen.len() == 1 { 1 } else { 2 };
    let rows = chosen.len().div_ceil(across);
    let mut figure = Figure::new(&view.title, &view.subtitle, &[], rows as f64 * HEIGHT)?;
    let cells = figure.body.cells(across, rows, 40.0, 16.0);
    for ((strength, pair), cell) in chosen.into_iter().zip(cells) {
        draw(&mut figure.canvas, cell, (pair, strength), &view.sides)?;
    }
    Ok(figure)
}

/// A pair with a number, if it has one, first; of two categories, the one with more names, which
/// stand one below the other.
type Pair<'a> = [&'a Column<'a>; 2];

fn ordered<'a>(a: &'a Column<'a>, b: &'a Column<'a>) -> Pair<'a> {
    let names = |column: &Column<'_>| column.info.names().map(<[String]>::len);
    let swap = match (names(a), names(b)) {
        (Some(_), None) => true,
        (Some(a), Some(b)) => a < b,
        _ => false,
    };
    if swap { [b, a] } else { [a, b] }
}

/// The most dependent pairs in the real rows, each with its dependence.
fn dependent<'a>(columns: &'a [Column<'a>]) -> Vec<(f64, Pair<'a>)> {
    let cells = |column: &'a Column<'a>| Cells {
        cells: &column.real,
        categories: column.info.names().map(<[String]>::len),
    };
    let mut all: Vec<(f64, Pair<'a>)> = Vec::new();
    for (i, a) in columns.iter().enumerate() {
        for b in columns.iter().skip(i + 1).filter(|b| !(a.given && b.given)) {
            let strength = dependence(cells(a), cells(b));
            if strength.is_finite() {
                all.push((strength, ordered(a, b)));
            }
        }
    }
    all.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
    all.truncate(MOST_PAIRS);
    all
}

fn draw(
    canvas: &mut Canvas,
    cell: Rect,
    (pair, strength): (Pair<'_>, f64),
    sides: &[String; 2],
) -> Result<()> {
    let [a, b] = pair;
    let name = match (a.is_category(), b.is_category()) {
        (false, false) => "correlation",
        (true, true) => "Cramér's V",
        _ => "correlation ratio",
    };
    let font = Font::semi_bold(style::PANEL_TITLE, INK);
    let measure = format!(" · {name} {}", fixed(strength, 2));
    let joint = " and ";
    let room = (cell.width() - font.width(&measure)? - font.width(joint)?) / 2.0;
    let named = |column: &Column<'_>| font.fit(&shown(&column.info.name), room);
    let title = named(a)? + joint + &named(b)? + &measure;
    write(canvas, &title, (cell.x0, cell.y0 + 18.0), Align::Start, font)?;
    let below = Rect { y0: cell.y0 + 26.0, ..cell };
    let real = |column: &Column<'_>| column.real.clone();
    let generated = |column: &Column<'_>| column.generated.clone();
    let halves = below.cells(2, 1, 18.0, 0.0);
    for (side, half) in halves.into_iter().enumerate() {
        let (what, color) = (sides[side].as_str(), [GREY, BLUE][side]);
        let cells = |column: &Column<'_>| if side == 0 { real(column) } else { generated(column) };
        let cells = [cells(a), cells(b)];
        match (a.info.names(), b.info.names()) {
            (Some(x), Some(y)) => table(canvas, half, (what, color), pair, [x, y], &cells)?,
            (_, Some(names)) => boxes(canvas, half, (what, color), pair, names, &cells)?,
            _ => points(canvas, half, (what, color), pair, &cells)?,
        }
    }
    Ok(())
}

/// Side of a pair: its name and colour.
type Side<'a> = (&'a str, Color);

fn points(
    canvas: &mut Canvas,
    cell: Rect,
    (what, color): Side<'_>,
    [a, b]: Pair<'_>,
    cells: &[Vec<f64>; 2],
) -> Result<()> {
    let frame = Frame::new(what, a.axis(0.05), b.axis(0.05))
        .labels(brief(&a.info.name), brief(&b.info.name));
    let panel = frame.draw(canvas, cell)?;
    let rows = cells[0].iter().copied().zip(cells[1].iter().copied());
    let all: Vec<(f64, f64)> = rows.filter(|(x, y)| !(x.is_nan() || y.is_nan())).collect();
    let drawn = thinned(all.len(), MOST_POINTS);
    let drawn: Vec<(f64, f64)> = drawn.into_iter().map(|i| all[i]).collect();
    if drawn.is_empty() {
        return panel.remark(canvas, "no such row");
    }
    panel.dots(canvas, &drawn, style::point(2 * drawn.len()), |_| color);
    panel.notes(canvas, &panel.missing(&all))
}

/// Codes of the categories that a column's panels show.
fn codes(column: &Column<'_>, names: usize) -> Vec<usize> {
    let real = Counts::of(&column.real, names);
    let used = real.names.iter().filter(|n| **n > 0).count();
    let ordered = !matches!(column.info.kind, CellType::Category { ordered: false, .. });
    frequent(&real.names, used.clamp(1, MOST_NAMES), ordered)
}

fn axis_of(codes: &[usize], names: &[String]) -> Axis {
    Axis::names(codes.iter().map(|code| shown(&names[*code])).collect())
}

/// Label of an axis of names, which may leave some out.
fn label(column: &Column<'_>, shown_names: usize, names: usize) -> String {
    let name = brief(&column.info.name);
    match shown_names < names {
        true => format!("{name} ({shown_names} of {})", count(names)),
        false => name,
    }
}

/// Draws, for each category, a box from the lower to the upper quartile with a line at the median,
/// and a line from the 5 % to the 95 % quantile.
fn boxes(
    canvas: &mut Canvas,
    cell: Rect,
    (what, color): Side<'_>,
    [number, category]: Pair<'_>,
    names: &[String],
    cells: &[Vec<f64>; 2],
) -> Result<()> {
    let codes = codes(category, names.len());
    let frame = Frame::new(what, number.axis(0.05), axis_of(&codes, names).reversed())
        .labels(brief(&number.info.name), label(category, codes.len(), names.len()));
    let panel = frame.draw(canvas, cell)?;
    let mut empty = true;
    for (place, code) in codes.iter().enumerate() {
        let own = cells[0].iter().zip(&cells[1]).filter(|(_, c)| **c == *code as f64);
        let Some(q) = Quartiles::of(own.map(|(value, _)| *value)) else { continue };
        draw_box(canvas, &panel, place as f64, &q, color);
        empty = false;
    }
    if empty { panel.remark(canvas, "no such row") } else { Ok(()) }
}

fn draw_box(canvas: &mut Canvas, panel: &Panel, place: f64, q: &Quartiles, color: Color) {
    let y = panel.py(place);
    let half = (0.3 * (panel.py(0.0) - panel.py(1.0)).abs()).min(16.0);
    let x = |value: f64| panel.px(value);
    canvas.clipped(panel.plot, |canvas| {
        canvas.line(&[(x(q.low), y), (x(q.high), y)], 1.6, color);
        let inside = Rect::new(x(q.lower), y - half, x(q.upper).max(x(q.lower) + 1.0), y + half);
        canvas.fill(inside, PAPER);
        canvas.fill(inside, color.fade(0.45));
        canvas.line(&[(x(q.median), y - half), (x(q.median), y + half)], 2.6, color);
    });
}

/// Draws a table of categories; each row is shaded by the shares of its columns.
fn table(
    canvas: &mut Canvas,
    cell: Rect,
    (what, color): Side<'_>,
    [a, b]: Pair<'_>,
    [a_names, b_names]: [&[String]; 2],
    cells: &[Vec<f64>; 2],
) -> Result<()> {
    let (rows, columns) = (codes(a, a_names.len()), codes(b, b_names.len()));
    let frame = Frame::new(
        format!("{what}: % of each row"),
        axis_of(&columns, b_names),
        axis_of(&rows, a_names).reversed(),
    )
    .labels(label(b, columns.len(), b_names.len()), label(a, rows.len(), a_names.len()));
    let panel = frame.draw(canvas, cell)?;
    let pairs: Vec<(f64, f64)> =
        cells[0].iter().copied().zip(cells[1].iter().copied()).filter(|p| p.1 >= 0.0).collect();
    if !pairs.iter().any(|pair| rows.iter().any(|row| pair.0 == *row as f64)) {
        return panel.remark(canvas, "no such row");
    }
    // All numbers or none.
    let side = |a: f64, b: f64| (a - b).abs() - 2.0;
    let widest = Font::regular(style::NOTE, INK).width("100")?;
    let with_numbers = widest < side(panel.px(0.0), panel.px(1.0)) - 2.0
        && side(panel.py(0.0), panel.py(1.0)) > 16.0;
    for (i, row) in rows.iter().enumerate() {
        let own: Vec<f64> =
            pairs.iter().filter(|pair| pair.0 == *row as f64).map(|pair| pair.1).collect();
        for (j, column) in columns.iter().enumerate() {
            let n = own.iter().filter(|code| **code == *column as f64).count();
            let share = n as f64 / own.len().max(1) as f64;
            let (x, y) = (j as f64, i as f64);
            let (x0, x1, y0, y1) =
                (panel.px(x - 0.5), panel.px(x + 0.5), panel.py(y - 0.5), panel.py(y + 0.5));
            let rect = Rect::new(x0, y0, x1, y1).grow(-1.0);
            let fill = if own.is_empty() { PAPER } else { PAPER.mix(color, 0.04 + 0.9 * share) };
            canvas.fill(rect, fill);
            let ink = if fill.is_dark() { PAPER } else { INK };
            let font = Font::regular(style::NOTE, ink);
            let text = fixed(100.0 * share, 0);
            if with_numbers && !own.is_empty() {
                let at = ((x0 + x1) / 2.0, (y0 + y1) / 2.0 + font.cap() / 2.0);
                write(canvas, &text, at, Align::Middle, font)?;
            }
        }
    }
    Ok(())
}
