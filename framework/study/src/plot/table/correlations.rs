use std::path::Path;

use super::super::canvas::Canvas;
use super::super::figure::Figure;
use super::super::rect::Rect;
use super::super::style::{self, BLUE, Color, FRAME, GRID, INK, PAPER, VERMILION, fixed};
use super::super::text::{Align, Font, write, write_up};
use super::dependence::{Cells, dependence};
use super::{Column, TableView, shown};
use crate::{Error, Result};

/// Number of columns of a matrix, at most.
const MOST_COLUMNS: usize = 40;
/// Number of columns from which these are chosen, at most.
const MOST_SOUGHT: usize = 200;
/// Room for the names of the columns, and between matrices.
const NAMES: f64 = 150.0;
const GAP: f64 = 22.0;

/// Draws the dependence of all pairs of columns to `path`, of real rows, of generated ones, and the
/// difference: Pearson's correlation of two numbers, Cramér's V of two categories, the correlation
/// ratio of a number and a category. A pair without a value, such as one with a constant column, is
/// left grey.
///
/// # Errors
/// If there is no row, fewer than two columns, the columns of both sides differ, or the file cannot
/// be written.
pub fn correlations(path: &Path, view: &TableView<'_>) -> Result<()> {
    figure(view)?.save(path)
}

/// The picture of [`correlations`].
pub(super) fn figure(view: &TableView<'_>) -> Result<Figure> {
    let columns = view.columns(false)?;
    if columns.len() < 2 {
        return Err(Error::runtime("correlations: nothing to draw, there is a single column"));
    }
    let shown_columns = &most_dependent(&columns, MOST_COLUMNS)[..];
    let k = shown_columns.len();
    let real = matrix(shown_columns, |column| &column.real);
    let generated = matrix(shown_columns, |column| &column.generated);
    let difference: Vec<f64> = generated.iter().zip(&real).map(|(g, r)| g - r).collect();
    let pairs = difference.iter().enumerate().filter(|(i, d)| i / k < i % k && d.is_finite());
    let apart: Vec<f64> = pairs.map(|(_, d)| d.abs()).collect();
    let mut subtitle = format!(
        "{}; correlation of numbers, Cramér's V of categories, correlation ratio of both",
        view.subtitle
    );
    if columns.len() > k {
        subtitle += &format!("; the {k} most dependent of {} columns", columns.len());
    }
    let label = label_font(k);
    let mut widest = 0.0f64;
    for column in shown_columns {
        widest = widest.max(label.width(&shown(&column.info.name))?);
    }
    let names = widest.min(NAMES) + 10.0;
    let side = ((super::super::figure::INNER - names - 2.0 * GAP) / 3.0 / k as f64).min(120.0);
    let size = side * k as f64;
    let mut figure = Figure::new(&view.title, &subtitle, &[], 30.0 + size + names + 46.0)?;
    let body = figure.body;
    let mean = apart.iter().sum::<f64>() / apart.len().max(1) as f64;
    let titles = [
        view.sides[0].clone(),
        view.sides[1].clone(),
        format!("difference · {} on average", fixed(mean, 3)),
    ];
    for (i, (values, title)) in [real, generated, difference].iter().zip(titles).enumerate() {
        let x = body.x0 + names + (size + GAP) * i as f64;
        let plot = Rect::new(x, body.y0 + 30.0, x + size, body.y0 + 30.0 + size);
        let font = Font::semi_bold(style::PANEL_TITLE, INK);
        let text = font.fit(&title, size.max(180.0))?;
        write(&mut figure.canvas, &text, (plot.x0, plot.y0 - 11.0), Align::Start, font)?;
        draw(&mut figure.canvas, plot, values, k)?;
        for (j, column) in shown_columns.iter().enumerate() {
            let text = label.fit(&shown(&column.info.name), names - 10.0)?;
            let middle = side * (j as f64 + 0.5) + label.cap() / 2.0;
            if i == 0 {
                let at = (plot.x0 - 7.0, plot.y0 + middle);
                write(&mut figure.canvas, &text, at, Align::End, label)?;
            }
            let at = (plot.x0 + middle, plot.y1 + 8.0);
            write_up(&mut figure.canvas, &text, at, Align::End, label)?;
        }
    }
    let bar = Rect::new(body.x0 + names, body.y1 - 24.0, body.x0 + names + 300.0, body.y1 - 10.0);
    scale(&mut figure.canvas, bar.round())?;
    Ok(figure)
}

fn label_font(columns: usize) -> Font {
    Font::regular(if columns > 25 { 11.0 } else { style::TICK }, INK)
}

/// The `most` columns whose squared dependence on all others is largest in the real rows, in the
/// order of the table.
pub(super) fn most_dependent<'a>(columns: &'a [Column<'a>], most: usize) -> Vec<&'a Column<'a>> {
    let all: Vec<&Column<'_>> = columns.iter().take(MOST_SOUGHT).collect();
    if all.len() <= most {
        return all;
    }
    let k = all.len();
    let real = matrix(&all, |column| &column.real);
    let strength = |i: usize| -> f64 {
        real[i * k..(i + 1) * k].iter().filter(|v| v.is_finite()).map(|v| v * v).sum()
    };
    let strengths: Vec<f64> = (0..k).map(strength).collect();
    let mut places: Vec<usize> = (0..k).collect();
    places.sort_by(|a, b| strengths[*b].total_cmp(&strengths[*a]));
    places.truncate(most);
    places.sort_unstable();
    places.into_iter().map(|place| all[place]).collect()
}

/// Dependence of all pairs, row by row; 1 on the diagonal of columns that vary.
pub(super) fn matrix<'a>(
    columns: &[&'a Column<'a>],
    side: impl Fn(&'a Column<'a>) -> &'a Vec<f64>,
) -> Vec<f64> {
    let k = columns.len();
    let cells = |i: usize| Cells {
        cells: side(columns[i]),
        categories: columns[i].info.names().map(<[String]>::len),
    };
    let mut all = vec![f64::NAN; k * k];
    for i in 0..k {
        for j in i..k {
            let value = dependence(cells(i), cells(j));
            // Without the bias, a column of many categories would not be 1 with itself.
            let value = if i == j && value.is_finite() { 1.0 } else { value };
            (all[i * k + j], all[j * k + i]) = (value, value);
        }
    }
    all
}

fn color(value: f64) -> Color {
    match value {
        v if v.is_nan() => GRID,
        v if v < 0.0 => PAPER.mix(VERMILION, -v),
        v => PAPER.mix(BLUE, v),
    }
}

fn draw(canvas: &mut Canvas, plot: Rect, values: &[f64], k: usize) -> Result<()> {
    let side = plot.width() / k as f64;
    let gap = if side > 14.0 { 0.5 } else { 0.0 };
    for (i, value) in values.iter().enumerate() {
        let (x, y) = (plot.x0 + side * (i % k) as f64, plot.y0 + side * (i / k) as f64);
        let fill = color(*value);
        canvas.fill(Rect::new(x, y, x + side, y + side).round().grow(-gap), fill);
        let font = Font::regular((side * 0.3).min(15.0), if fill.is_dark() { PAPER } else { INK });
        if side >= 33.0 && value.is_finite() {
            let at = (x + side / 2.0, y + side / 2.0 + font.cap() / 2.0);
            write(canvas, &fixed(*value, 2), at, Align::Middle, font)?;
        }
    }
    canvas.outline(plot.grow(1.0), FRAME);
    Ok(())
}

/// Draws the scale of the colours, from −1 to 1.
fn scale(canvas: &mut Canvas, bar: Rect) -> Result<()> {
    let steps = bar.width().round() as usize;
    for i in 0..steps {
        let x = bar.x0 + i as f64;
        let value = 2.0 * (i as f64 + 0.5) / steps as f64 - 1.0;
        canvas.fill(Rect::new(x, bar.y0, x + 1.0, bar.y1), color(value));
    }
    canvas.fill(Rect { y1: bar.y0 + 1.0, ..bar }, FRAME);
    canvas.fill(Rect { y0: bar.y1 - 1.0, ..bar }, FRAME);
    let font = Font::regular(style::TICK, style::SOFT_INK);
    for value in [-1.0, -0.5, 0.0, 0.5, 1.0] {
        let x = bar.x0 + (value + 1.0) / 2.0 * bar.width();
        write(canvas, &fixed(value, 1), (x, bar.y1 + 6.0 + font.cap()), Align::Middle, font)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::TableColumn;

    #[test]
    fn of_many_columns_those_that_depend_on_others_are_drawn_in_the_order_of_the_table() {
        let infos: Vec<_> = "abcd".chars().map(TableColumn::number).collect();
        // Columns b and d are one; a and c depend on nothing.
        let rows = [[1.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [1.0, 2.0, 1.0], [-1.0, 3.0, 1.0]];
        let columns: Vec<_> = [0, 1, 2, 1]
            .into_iter()
            .zip(&infos)
            .map(|(j, info)| {
                let noise = [0.0, 1.0, 1.0, 0.0];
                let real = rows.iter().zip(noise).map(|(row, noise)| match j {
                    2 => noise,
                    j => row[j],
                });
                Column { info, real: real.collect(), generated: Vec::new(), given: false }
            })
            .collect();
        let names = |most: usize| -> Vec<&str> {
            most_dependent(&columns, most).iter().map(|c| c.info.name.as_str()).collect()
        };
        assert_eq!(names(2), ["b", "d"]);
        assert_eq!(names(4), ["a", "b", "c", "d"]);
    }
}
