//! Cells of a column in the types of binary formats.

use std::borrow::Cow;
use std::ops::Range;

use super::super::time::TimeFormat;
use super::Cells;
use crate::error::Result;
use crate::table::TableRows;

/// Whole numbers up to this one are exact in float64.
pub(super) const EXACT: f64 = 9_007_199_254_740_992.0;
/// Rows that are written at once.
pub(super) const ROWS: usize = 1 << 16;
/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// Type of a column in a binary format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Whole,
    Real,
    Flag,
    Text,
    /// Days since 1970-01-01.
    Day,
    /// Microseconds since 1970-01-01.
    Time {
        /// True if the zone is known to be UTC.
        utc: bool,
    },
}

/// Cells of a column in the type that files with types hold; `None` for missing ones.
#[derive(Debug)]
pub enum Values<'a> {
    /// Whole numbers.
    Whole(Vec<Option<i64>>),
    /// Other numbers.
    Real(Vec<Option<f64>>),
    /// `true` and `false`.
    Flag(Vec<Option<bool>>),
    /// Texts, names of categories among them.
    Text(Vec<Option<Cow<'a, str>>>),
    /// Days since 1970-01-01.
    Day(Vec<Option<i32>>),
    /// Microseconds since 1970-01-01.
    Time(Vec<Option<i64>>),
}

/// The columns of a table in the types that files with types hold.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config): the format of a time is none.
pub fn typed_columns(rows: TableRows<'_>) -> Result<Vec<Values<'_>>> {
    let one = |(i, column)| {
        let cells = Cells::of(column)?;
        let kind = kind(rows, i, &cells);
        Ok(values(rows, 0..rows.len(), (i, &cells, kind)))
    };
    rows.columns.iter().enumerate().map(one).collect()
}

/// Type of the column number `column`, whose cells are `cells`.
pub(super) fn kind(rows: TableRows<'_>, column: usize, cells: &Cells<'_>) -> Kind {
    match cells {
        Cells::Number(Some(0)) if rows.column(column).all(|v| v.is_nan() || v.abs() <= EXACT) => {
            Kind::Whole
        }
        Cells::Number(_) => Kind::Real,
        Cells::Name([no, yes]) if is(no, "false") && is(yes, "true") => Kind::Flag,
        Cells::Name(names)
            if rows.columns[column].whole && names.iter().all(|name| is_whole(name)) =>
        {
            Kind::Whole
        }
        Cells::Name(_) => Kind::Text,
        Cells::Time(format) if format.is_date() => Kind::Day,
        Cells::Time(format) if format.is_clock() => Kind::Text,
        Cells::Time(format) => Kind::Time { utc: format.is_utc() },
    }
}

fn is_whole(name: &str) -> bool {
    name.parse::<i64>().is_ok()
}

fn is(name: &str, word: &str) -> bool {
    name.eq_ignore_ascii_case(word)
}

/// Cells of the column number `column` in the rows `range`.
pub(super) fn values<'a>(
    rows: TableRows<'_>,
    range: Range<usize>,
    (column, cells, kind): (usize, &Cells<'a>, Kind),
) -> Values<'a> {
    let width = rows.columns.len();
    let of = &rows.values[range.start * width..range.end * width];
    let there = of.iter().skip(column).step_by(width).map(|v| (!v.is_nan()).then_some(*v));
    let time = |at: f64, format: &TimeFormat| format.rounded(at);
    match (kind, cells) {
        (Kind::Whole, Cells::Name(_)) => {
            Values::Whole(there.map(|v| cells.name(v?)?.parse().ok()).collect())
        }
        (Kind::Whole, _) => {
            Values::Whole(there.map(|v| Some(v?.round_ties_even() as i64)).collect())
        }
        (Kind::Flag, _) => Values::Flag(there.map(|v| Some(v? >= 0.5)).collect()),
        (Kind::Text, Cells::Time(format)) => {
            let written = |at: f64| {
                let mut text = String::new();
                format.write(at, &mut text).ok().map(|()| Cow::Owned(text))
            };
            Values::Text(there.map(|v| written(v?)).collect())
        }
        (Kind::Text, _) => Values::Text(there.map(|v| cells.name(v?).map(Cow::Borrowed)).collect()),
        (Kind::Day, Cells::Time(format)) => {
            Values::Day(there.map(|v| Some((time(v?, format) / DAY).floor() as i32)).collect())
        }
        (Kind::Time { .. }, Cells::Time(format)) => {
            Values::Time(there.map(|v| Some((time(v?, format) * 1e6).round() as i64)).collect())
        }
        (_, Cells::Number(Some(decimals))) => {
            let scale = 10f64.powi(i32::from(*decimals));
            let rounded = move |v: f64| match (v * scale).round() / scale {
                near if near.is_finite() => near,
                _ => v,
            };
            Values::Real(there.map(|v| v.map(rounded)).collect())
        }
        _ => Values::Real(there.collect()),
    }
}
