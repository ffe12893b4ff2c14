//! Cells of a column in the types of binary formats.

use std::borrow::Cow;
use std::ops::Range;

use arrow_schema::{DataType, TimeUnit};

use super::super::arrow_types::data_type;
use super::super::time::TimeFormat;
use super::Cells;
use crate::error::Result;
use crate::table::{Storage, TableColumn, TableRows};

/// Whole numbers up to this one are exact in float64.
pub(super) const EXACT: f64 = 9_007_199_254_740_992.0;
/// Rows that are written at once.
pub(super) const ROWS: usize = 1 << 16;
/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// Kind of the values of a column in a binary format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Whole,
    Real,
    Flag,
    Text,
    /// Days since 1970-01-01.
    Day,
    /// Microseconds since 1970-01-01.
    Time,
    /// Microseconds since midnight.
    Clock,
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

/// The columns of a table in the types that files with types hold, as wide as there are.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config): the format of a time is none.
pub fn typed_columns(rows: TableRows<'_>) -> Result<Vec<Values<'_>>> {
    let one = |(i, column)| {
        let cells = Cells::of(column)?;
        let kind = match kind(rows, i, &cells) {
            Kind::Clock => Kind::Text,
            kind => kind,
        };
        Ok(values(rows, 0..rows.len(), (i, &cells, kind)))
    };
    rows.columns.iter().enumerate().map(one).collect()
}

/// Kind of the values of the column number `column`, whose cells are `cells`: that of its storage,
/// if they have values of this kind.
pub(super) fn kind(rows: TableRows<'_>, column: usize, cells: &Cells<'_>) -> Kind {
    let storage = rows.columns[column].storage.of_values();
    let all = |is: fn(f64) -> bool| rows.column(column).all(|v| v.is_nan() || is(v));
    match (cells, storage) {
        // A narrow type has its nearest number for any.
        (Cells::Number(Some(0)), Storage::Integer { bits, .. })
            if *bits < 64 || all(|v| v.abs() < 2.0_f64.powi(63)) =>
        {
            Kind::Whole
        }
        (
            Cells::Number(_),
            Storage::Float { .. } | Storage::Decimal { .. } | Storage::Duration { .. },
        ) => Kind::Real,
        (Cells::Number(Some(0)), _) if all(|v| v.abs() <= EXACT) => Kind::Whole,
        (Cells::Number(_), _) => Kind::Real,
        (Cells::Name(_) | Cells::Time(_), Storage::Text { .. }) => Kind::Text,
        (Cells::Name([no, yes]), _) if is(no, "false") && is(yes, "true") => Kind::Flag,
        (Cells::Name(names), Storage::Integer { .. })
            if names.iter().all(|name| name.parse::<i64>().is_ok()) =>
        {
            Kind::Whole
        }
        (Cells::Name(names), Storage::Float { .. } | Storage::Decimal { .. })
            if names.iter().all(|name| name.parse::<f64>().is_ok()) =>
        {
            Kind::Real
        }
        (Cells::Name(_), _) => Kind::Text,
        (Cells::Time(_), Storage::Timestamp { .. }) => Kind::Time,
        (Cells::Time(_), Storage::Date64) => Kind::Day,
        (Cells::Time(_), Storage::Clock { .. }) => Kind::Clock,
        (Cells::Time(format), _) if format.is_date() => Kind::Day,
        (Cells::Time(format), _) if format.is_clock() => Kind::Text,
        (Cells::Time(_), _) => Kind::Time,
    }
}

/// Arrow's type of the values of a column: that of its storage if that holds values of this kind.
pub(super) fn value_type(column: &TableColumn, cells: &Cells<'_>, kind: Kind) -> DataType {
    let storage = column.storage.of_values();
    let has_digits = |scale: u8| scale > 9 || !matches!(cells, Cells::Number(None));
    let own = match (kind, storage) {
        (Kind::Whole, Storage::Integer { .. })
        | (Kind::Real, Storage::Float { .. } | Storage::Duration { .. })
        | (Kind::Text, Storage::Text { .. })
        | (Kind::Day, Storage::Date64)
        | (Kind::Time, Storage::Timestamp { .. })
        | (Kind::Clock, Storage::Clock { .. }) => data_type(storage),
        (Kind::Real, Storage::Decimal { scale, .. }) if has_digits(*scale) => data_type(storage),
        _ => None,
    };
    own.unwrap_or_else(|| match (kind, cells) {
        (Kind::Whole, _) => DataType::Int64,
        (Kind::Real, _) => DataType::Float64,
        (Kind::Flag, _) => DataType::Boolean,
        (Kind::Text, _) => DataType::Utf8,
        (Kind::Day, _) => DataType::Date32,
        (Kind::Clock, _) => DataType::Time64(TimeUnit::Microsecond),
        (Kind::Time, Cells::Time(format)) if format.is_utc() => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        (Kind::Time, _) => DataType::Timestamp(TimeUnit::Microsecond, None),
    })
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
    of_kind(there, cells, kind)
}

/// Values of `there`, cells that are numbers, codes of names, or times.
pub(super) fn of_kind<'a>(
    there: impl Iterator<Item = Option<f64>>,
    cells: &Cells<'a>,
    kind: Kind,
) -> Values<'a> {
    let time = |at: f64, format: &TimeFormat| format.rounded(at);
    match (kind, cells) {
        (Kind::Whole, Cells::Name(_)) => {
            Values::Whole(there.map(|v| cells.name(v?)?.parse().ok()).collect())
        }
        (Kind::Real, Cells::Name(_)) => {
            Values::Real(there.map(|v| cells.name(v?)?.parse().ok()).collect())
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
        (Kind::Time | Kind::Clock, Cells::Time(format)) => {
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
