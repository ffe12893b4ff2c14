//! Pictures of tables, real beside generated: each column, the most dependent pairs of columns, and
//! the dependence of all pairs.

mod correlations;
mod dependence;
mod differences;
mod marginals;
mod pairs;

pub use correlations::correlations;
pub(crate) use differences::Differences;
pub use marginals::marginals;
pub use pairs::pairs;

use super::axis::Axis;
use super::figure::Figure;
use super::stats::{robust_range, union, within};
use crate::table::{TableColumn, TableRows};
use crate::{Error, Result};

/// Number of letters of a name in a label, at most.
const MOST_LETTERS: usize = 26;
/// Name of the entry for missing cells.
const MISSING: &str = "(missing)";

/// Real rows of a table and generated ones.
#[derive(Debug, Clone)]
pub struct TableView<'a> {
    /// The picture's title.
    pub title: String,
    /// Description of the rows and of sampling.
    pub subtitle: String,
    /// Names of the real and of the generated rows.
    pub sides: [String; 2],
    /// Real rows.
    pub real: TableRows<'a>,
    /// Generated rows, of the same columns; `marginals` may have none.
    pub generated: TableRows<'a>,
    /// True for each column that generated rows were given, as a condition; empty if none was.
    pub given: Vec<bool>,
}

/// The pictures of real beside generated rows that can be drawn, each with its name, as the content
/// of a PNG file.
pub(crate) fn table_pictures(view: &TableView<'_>) -> Vec<(&'static str, Vec<u8>)> {
    type Draw = fn(&TableView<'_>) -> Result<Figure>;
    let all: [(&str, Draw); 3] = [
        ("marginals", marginals::figure),
        ("correlations", correlations::figure),
        ("pairs", pairs::figure),
    ];
    let drawn = all.into_iter().filter_map(|(name, draw)| {
        match draw(view).and_then(|figure| figure.canvas.png()) {
            Ok(png) => Some((name, png)),
            Err(e) => {
                log::debug!("{name}: {e}");
                None
            }
        }
    });
    drawn.collect()
}

/// Cells of a column, of real and of generated rows.
struct Column<'a> {
    info: &'a TableColumn,
    real: Vec<f64>,
    generated: Vec<f64>,
    given: bool,
}

impl TableView<'_> {
    /// The columns; `alone` if no row is generated.
    ///
    /// # Errors
    /// [`Error::Runtime`]: a side has no row, values are no whole rows, or the columns differ.
    fn columns(&self, alone: bool) -> Result<Vec<Column<'_>>> {
        for (what, rows) in self.sides.iter().zip([self.real, self.generated]) {
            let (cells, columns) = (rows.values.len(), rows.columns.len());
            if (rows.is_empty() && !alone) || !cells.is_multiple_of(columns.max(1)) {
                let message =
                    format!("{what} rows: {cells} cells are no rows of {columns} columns");
                return Err(Error::runtime(message));
            }
        }
        if self.real.columns != self.generated.columns {
            return Err(Error::runtime("real and generated rows have different columns"));
        }
        let column = |(j, info)| Column {
            info,
            real: self.real.column(j).collect(),
            generated: self.generated.column(j).collect(),
            given: self.given.get(j).copied().unwrap_or(false),
        };
        Ok(self.real.columns.iter().enumerate().map(column).collect())
    }
}

impl Column<'_> {
    fn is_category(&self) -> bool {
        self.info.names().is_some()
    }

    /// Axis that shows the numbers or times of both sides: the real ones, and the generated ones as
    /// far as the real ones stay readable, or all if most of them are far away.
    fn axis(&self, margin: f64) -> Axis {
        let present = |cells: &[f64]| cells.iter().copied().filter(|v| v.is_finite()).collect();
        let (real, generated): (Vec<f64>, Vec<f64>) =
            (present(&self.real), present(&self.generated));
        let own = robust_range(real.iter().copied());
        let near = own.map(|(lo, hi)| (lo - 0.5 * (hi - lo), hi + 0.5 * (hi - lo)));
        let is_near = |v: &&f64| near.is_none_or(|(lo, hi)| (lo..=hi).contains(*v));
        let mostly_near = 2 * generated.iter().filter(is_near).count() >= generated.len();
        let others = match near {
            Some(near) if mostly_near => within(&generated, near),
            _ => robust_range(generated.iter().copied()),
        };
        Axis::of(&self.info.kind, union(own, others), margin)
    }
}

/// Number of rows of each category, and of missing cells.
struct Counts {
    names: Vec<usize>,
    missing: usize,
    /// Number of rows.
    all: usize,
}

impl Counts {
    /// Counts codes of `names` categories; a code without a name counts as missing.
    fn of(cells: &[f64], names: usize) -> Self {
        let mut counts = vec![0; names];
        let mut missing = 0;
        for cell in cells {
            match counts.get_mut(*cell as usize).filter(|_| *cell >= 0.0) {
                Some(count) => *count += 1,
                None => missing += 1,
            }
        }
        Self { names: counts, missing, all: cells.len() }
    }

    /// Share of the rows.
    fn share(&self, count: usize) -> f64 {
        count as f64 / self.all.max(1) as f64
    }
}

/// The `most` most frequent of `counts` categories, in the order of their codes if that means
/// something, else by frequency.
fn frequent(counts: &[usize], most: usize, ordered: bool) -> Vec<usize> {
    let mut codes: Vec<usize> = (0..counts.len()).collect();
    codes.sort_by_key(|code| std::cmp::Reverse(counts[*code]));
    codes.truncate(most);
    if ordered {
        codes.sort_unstable();
    }
    codes
}

/// Name of a column as a label of an axis.
fn brief(name: &str) -> String {
    let name = shown(name);
    match name.chars().nth(MOST_LETTERS) {
        Some(_) => name.chars().take(MOST_LETTERS - 1).chain(['…']).collect(),
        None => name,
    }
}

/// Name of a category or column as it is drawn.
fn shown(name: &str) -> String {
    match name.trim() {
        "" => "(empty)".to_owned(),
        name => name.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}
