//! Rows of a table, generated beside real ones: pictures of the best cell, and the differences of
//! every cell.

use super::super::results::{Cell, Results};
use super::super::tables::order;
use crate::plot::style::fixed;
use crate::plot::{Differences, table_pictures};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use maud::{Markup, html};

/// Number of columns whose pairs a cell's picture shows, at most.
const COLUMNS: usize = 24;

/// Differences of each cell's generated rows from real ones; `None` for a cell without rows of a
/// table, or whose rows cannot be compared.
pub(super) fn differences(results: &Results) -> Vec<Option<Differences>> {
    let of = |cell: &Cell| {
        let found = Differences::of(&cell.rows.as_ref()?.view(&cell.name), COLUMNS);
        found.inspect_err(|e| log::warn!("rows of {}: {e}", cell.name)).ok()
    };
    results.cells.iter().map(of).collect()
}

/// The section, which is hidden without rows.
pub(super) fn section(results: &Results, differences: &[Option<Differences>]) -> Markup {
    let order = order(results);
    let shown: Vec<(usize, &Differences)> =
        order.iter().filter_map(|i| Some((*i, differences[*i].as_ref()?))).collect();
    html! {
        section #tables hidden[shown.is_empty()] {
            @if let Some((best, _)) = shown.first() {
                h2 { "Rows of the table" }
                p.how {
                    "Generated rows of the first seed beside real ones under the same conditions. \
                     Columns and pairs that differ most stand out; with few rows real ones differ from \
                     each other as well."
                }
                @if shown.len() > 1 { (every(results, &shown)) }
                (best_cell(&results.cells[*best], shown.len() > 1))
            }
        }
    }
}

/// The pictures of a cell, as those of a run.
fn best_cell(cell: &Cell, is_one_of_many: bool) -> Markup {
    let pictures = cell.rows.as_ref().map(|rows| table_pictures(&rows.view(&cell.name)));
    html! {
        @if is_one_of_many { h3 { "The best cell in full: " (cell.name) } }
        @for (name, png) in pictures.into_iter().flatten() {
            figure.sheet {
                img alt={ (title(name)) " of " (cell.name) }
                    src={ "data:image/png;base64," (BASE64_STANDARD.encode(png)) };
            }
        }
    }
}

fn title(picture: &str) -> &'static str {
    match picture {
        "marginals" => "Columns, generated beside real,",
        "correlations" => {
            "Dependence of all pairs of columns, real, generated and their difference,"
        }
        _ => "Most dependent pairs of columns, generated beside real,",
    }
}

/// A small picture of each cell, which the script draws.
fn every(results: &Results, shown: &[(usize, &Differences)]) -> Markup {
    let most = shown.iter().map(|(_, found)| found.names.len()).max().unwrap_or(0);
    html! {
        h3 { "Every cell" }
        p.how {
            "Dark squares on the diagonal are the distances of single columns: Kolmogorov-Smirnov of \
             numbers and times, total variation of categories. Others are the dependence of two \
             columns in generated rows − that in real ones: " span.more { "too strong" } " or "
            span.less { "too weak" } ", full colour from 0.5 on. Point at a square for its number."
            @if most > COLUMNS {
                " Pictures, and means over pairs, are of the " (COLUMNS) " of " (most) " columns that \
                 depend most on others."
            }
        }
        div.many.differences {
            @for (i, found) in shown {
                figure data-cell=(i) {
                    figcaption {
                        span { span.swatch data-swatch=(i) {} (results.cells[*i].name) }
                        (numbers(found))
                    }
                    canvas data-differences=(i) width="640" height="640" role="img"
                        aria-label={ "Differences of the columns of " (results.cells[*i].name) } {}
                }
            }
        }
    }
}

/// Means over columns and pairs, and the column and the pair that differ most.
fn numbers(found: &Differences) -> Markup {
    html! {
        @if let Some((mean, name, distance)) = found.of_columns() {
            span.value {
                "columns " (fixed(mean, 3)) ", most: " (name) " " (fixed(distance, 3))
            }
        }
        @if let Some((mean, (a, b), difference)) = found.of_pairs() {
            span.value {
                "pairs " (fixed(mean, 3)) ", most: " (a) " × " (b) " " (fixed(difference, 3))
            }
        }
    }
}
