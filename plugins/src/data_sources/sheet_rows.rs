//! From a table of text to rows: which columns are x and y, and what their cells hold.

use super::csv::Column;
use super::files::numbers;
use super::words::{Words, likely_y};
use std::path::Path as FsPath;
use triflow::error::suggestion;
use triflow::io::csv::{Sheet, is_missing, number};
use triflow::log;
use triflow::prelude::*;

/// What stands before the fraction of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decimal {
    /// As the cells have it.
    Seen,
    Point,
    Comma,
}

/// What becomes of rows that miss a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Refused,
    Dropped,
}

/// What is read of a sheet.
#[derive(Debug)]
pub(super) struct Rows {
    /// Columns of x.
    pub x: Vec<usize>,
    /// Columns of y.
    pub y: Vec<usize>,
    /// Whether y is class labels, if that is said.
    pub labels: Option<bool>,
    pub decimal: Decimal,
    pub missing: Missing,
}

impl Rows {
    pub(super) fn of(&self, part: Part) -> &[usize] {
        match part {
            Part::X => &self.x,
            Part::Y => &self.y,
        }
    }

    /// An error that says how to name the columns of `parts`.
    pub(super) fn not_told(&self, path: &FsPath, sheet: &Sheet, parts: &[Part]) -> Error {
        let text = |i: usize| written(sheet, i);
        let known: Vec<usize> = (0..sheet.width()).filter(|i| has_name_if_any(sheet, *i)).collect();
        let list = |columns: &[usize]| columns.iter().map(|i| text(*i)).collect::<Vec<_>>();
        let free: Vec<usize> =
            known.iter().copied().filter(|i| !self.x.contains(i) && !self.y.contains(i)).collect();
        // Of one side alone, what is called as the other side is not proposed.
        let free: Vec<usize> = match parts {
            [Part::X] => free.into_iter().filter(|i| !is_usual(name(sheet, *i), Part::Y)).collect(),
            [Part::Y] => free.into_iter().filter(|i| !is_usual(name(sheet, *i), Part::X)).collect(),
            _ => free,
        };
        let which = match (parts, &free[..]) {
            (_, []) => String::new(),
            ([_, _], [x]) => format!("say which it is, with data.x=[{}]; ", text(*x)),
            ([_, _], [x @ .., y]) => format!(
                "say which columns are which, such as data.x=[{}] and data.y=[{}]; ",
                list(x).join(","),
                text(*y)
            ),
            ([Part::Y], free) => {
                let free = list(free);
                let likely = likely_y(&free).unwrap_or_default();
                format!("say which column it is, as data.y=[{likely}]; ")
            }
            _ => {
                format!("say which columns they are, such as data.x=[{}]; ", list(&free).join(","))
            }
        };
        let what: Vec<String> = parts.iter().map(ToString::to_string).collect();
        let message = format!(
            "{} cannot be told from the names; {which}known columns: {}",
            what.join(" and "),
            list(&known).join(", ")
        );
        Error::data(path, message)
    }

    /// How to say which column x or y is, where one of them is missing.
    fn advice(&self, sheet: &Sheet) -> Option<String> {
        if self.x.is_empty() == self.y.is_empty() {
            return None;
        }
        let known: Vec<usize> = (0..sheet.width()).filter(|i| has_name_if_any(sheet, *i)).collect();
        let used = |i: &usize| self.x.contains(i) || self.y.contains(i);
        let list = |columns: &mut dyn Iterator<Item = &usize>| {
            columns.map(|i| written(sheet, *i)).collect::<Vec<_>>()
        };
        let (free, all) = (list(&mut known.iter().filter(|i| !used(i))), list(&mut known.iter()));
        let known = format!("the file has the columns {}", all.join(", "));
        Some(match (likely_y(&free), self.y.is_empty()) {
            (None, _) => known,
            (Some(y), true) => format!("say which it is, as data.y=[{y}]; {known}"),
            (Some(_), false) => format!("say which it is, as data.x=[{}]; {known}", free.join(",")),
        })
    }
}

/// A column as it is asked for: by name, or by number where it has none.
fn written(sheet: &Sheet, column: usize) -> String {
    match name(sheet, column) {
        "" => column.to_string(),
        name => name.to_owned(),
    }
}

fn name(sheet: &Sheet, column: usize) -> &str {
    sheet.names().and_then(|names| names.get(column)).map_or("", String::as_str)
}

/// Not so of the names of rows.
fn has_name_if_any(sheet: &Sheet, column: usize) -> bool {
    sheet.names().is_none() || !name(sheet, column).is_empty()
}

/// Columns as a later file is asked for them: by name, where there are names.
pub(super) fn decided(sheet: &Sheet, columns: &[usize]) -> Vec<Column> {
    let column = |i: &usize| match name(sheet, *i) {
        "" => Column::Number(*i),
        name => Column::Name(name.to_owned()),
    };
    columns.iter().map(column).collect()
}

/// The numbers of the columns of one side; of those with the usual names where none is given.
pub(super) fn columns_of(
    path: &FsPath,
    sheet: &Sheet,
    given: &[Column],
    part: Part,
) -> Result<Vec<usize>> {
    if !given.is_empty() {
        let columns: Vec<usize> =
            given.iter().map(|column| number_of(path, sheet, column)).collect::<Result<_>>()?;
        if let Some((_, twice)) =
            columns.iter().enumerate().find(|(i, c)| columns[..*i].contains(c))
        {
            let message = format!("{} is named twice in data.{part}", sheet.called(*twice));
            return Err(Error::data(path, message));
        }
        return Ok(columns);
    }
    let number = |i: usize| usual_number(name(sheet, i), part).map(|number| (number, i));
    let mut usual: Vec<(u64, usize)> = (0..sheet.width()).filter_map(number).collect();
    usual.sort_unstable();
    let label = (0..sheet.width()).find(|i| part == Part::Y && name(sheet, *i) == "label");
    match (label, usual.first()) {
        (Some(_), Some((_, y))) => {
            let y = name(sheet, *y);
            let message = format!(
                "both `{y}` and `label` may be y; say which it is, with data.y=[{y}] or data.y=[label]"
            );
            Err(Error::data(path, message))
        }
        (Some(label), None) => Ok(vec![label]),
        (None, _) => Ok(usual.into_iter().map(|(_, i)| i).collect()),
    }
}

fn is_usual(name: &str, part: Part) -> bool {
    usual_number(name, part).is_some() || part == Part::Y && name == "label"
}

/// 0 for `x`, 1 + n for `xn` and `x_n`.
fn usual_number(name: &str, part: Part) -> Option<u64> {
    let digits = name.strip_prefix(if part == Part::X { 'x' } else { 'y' })?;
    let digits = digits.strip_prefix('_').unwrap_or(digits);
    if digits.is_empty() {
        return Some(0);
    }
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse::<u64>().map_or(u64::MAX, |n| n.saturating_add(1)))
}

fn number_of(path: &FsPath, sheet: &Sheet, column: &Column) -> Result<usize> {
    let n = sheet.width();
    match (column, sheet.names()) {
        (Column::Number(i), _) if *i < n => Ok(*i),
        (Column::Number(i), _) => {
            Err(Error::data(path, format!("there is no column {i}: it has {n}, counted from 0")))
        }
        (Column::Name(name), Some(names)) => {
            names.iter().position(|known| known == name && !name.is_empty()).ok_or_else(|| {
                let known = names.iter().map(String::as_str).filter(|name| !name.is_empty());
                let help = suggestion(name, "columns", known);
                Error::data(path, format!("there is no column `{name}`; {help}"))
            })
        }
        (Column::Name(name), None) => Err(Error::data(
            path,
            format!(
                "there is no column `{name}`: the file has no line of names, so number its {n} columns \
                 from 0"
            ),
        )),
    }
}

/// What a first look at the used cells finds.
struct Seen {
    /// Whether each row misses a value.
    incomplete: Vec<bool>,
    /// Whether numbers have a decimal comma.
    comma: bool,
    /// Whether the one column of y holds no number.
    y_is_text: bool,
}

/// The rows of a sheet.
pub(super) fn read(path: &FsPath, sheet: &Sheet, rows: &Rows) -> Result<Columns> {
    let columns = [&rows.x[..], &rows.y[..]].concat();
    let seen = look(path, sheet, rows, &columns)?;
    let left_out = seen.incomplete.iter().filter(|out| **out).count();
    let all = sheet.row_count();
    if left_out == all {
        let message = "no row is left: each misses a value in a column of x or y";
        return Err(Error::data(path, message));
    }
    if left_out > 0 {
        log::warn!(
            "{}: {} of {all} rows are used: {left_out} miss a value (data.missing: drop)",
            path.display(),
            all - left_out
        );
    }
    let kept = match left_out {
        0 => Vec::new(),
        _ => (0..all).filter(|row| !seen.incomplete[*row]).map(|row| row as i64).collect(),
    };
    let one_y = match rows.y[..] {
        [y] => Some(y),
        _ => None,
    };
    let is_label = rows
        .labels
        .unwrap_or_else(|| one_y.is_some_and(|y| name(sheet, y) == "label" || seen.y_is_text))
        && !rows.y.is_empty();
    if is_label && one_y.is_none() {
        return Err(Error::config(
            "labels",
            format!("class labels need one column of y, got {}", rows.y.len()),
        ));
    }
    let numeric = if is_label { rows.x.len() } else { columns.len() };
    let mut values = vec![Vec::with_capacity(all - left_out); numeric];
    let mut words = Words::default();
    let mut row = 0;
    sheet.visit(&columns, &mut |cells| {
        row += 1;
        if seen.incomplete[row - 1] {
            return Ok(());
        }
        for (i, (cell, values)) in cells.iter().zip(&mut values).enumerate() {
            let is_y = i >= rows.x.len();
            values.push(finite(cell, seen.comma, is_y).map_err(|what| (i, what))?);
        }
        if is_label {
            words.add(cells[numeric]);
        }
        Ok(())
    })?;
    let names = |columns: &[usize]| match sheet.names() {
        Some(_) => columns.iter().map(|i| name(sheet, *i).to_owned()).collect(),
        None => Vec::new(),
    };
    let side = |columns: &[usize], values: &[Vec<f64>]| -> Result<Option<Tensor>> {
        let mut sides = Vec::with_capacity(columns.len());
        for (i, exact) in columns.iter().zip(values) {
            let called = sheet.called(*i);
            sides.push(numbers(path, &called, &[exact.len()], exact.clone().into())?);
        }
        Ok((!sides.is_empty()).then(|| Tensor::stack(&sides, 1)))
    };
    let x = side(&rows.x, &values[..rows.x.len()])?;
    let (y, classes) = match one_y.filter(|_| is_label) {
        Some(y) => {
            let (labels, classes) = words.labels(path, &sheet.called(y), seen.comma)?;
            (Some(labels), classes)
        }
        None => (side(&rows.y, &values[rows.x.len()..])?, Vec::new()),
    };
    Ok(Columns {
        x,
        y,
        x_names: names(&rows.x),
        y_names: names(&rows.y),
        classes,
        kept,
        advice: rows.advice(sheet),
        ..Columns::default()
    })
}

fn look(path: &FsPath, sheet: &Sheet, rows: &Rows, columns: &[usize]) -> Result<Seen> {
    let mut incomplete = vec![false; sheet.row_count()];
    let (mut commas, mut points, mut y_numbers) = (false, false, false);
    let mut row = 0;
    sheet.visit(columns, &mut |cells| {
        for (i, cell) in cells.iter().enumerate() {
            if is_missing(cell) {
                if rows.missing == Missing::Refused {
                    let what = if cell.is_empty() { "is empty".to_owned() } else { format!("holds `{cell}`") };
                    return Err((i, format!("the cell {what}; fill it, or leave such rows out with data.missing=drop")));
                }
                incomplete[row] = true;
                continue;
            }
            let (point, comma) = (number(cell, false).is_some(), number(cell, true).is_some());
            points |= point && !comma;
            commas |= comma && !point;
            y_numbers |= i >= rows.x.len() && (point || comma);
        }
        row += 1;
        Ok(())
    })?;
    let comma = match rows.decimal {
        Decimal::Point => false,
        Decimal::Comma => true,
        Decimal::Seen => sheet.separator() != b',' && commas && !points,
    };
    if comma && rows.decimal == Decimal::Seen {
        log::info!("{}: commas are read as decimal signs, as in 1,5", path.display());
    }
    Ok(Seen { incomplete, comma, y_is_text: rows.y.len() == 1 && !y_numbers })
}

fn finite(cell: &str, decimal_comma: bool, is_y: bool) -> Result<f64, String> {
    match number(cell, decimal_comma) {
        Some(value) if value.is_finite() => Ok(value),
        Some(_) => Err(format!("`{cell}` is not finite")),
        None => Err(format!(
            "`{cell}` is no number{}",
            match (number(cell, !decimal_comma).is_some(), decimal_comma, is_y) {
                (true, false, _) => "; where commas are decimal signs, say data.decimal=comma",
                (true, true, _) => "; where points are decimal signs, say data.decimal=point",
                (false, _, true) => "; where y holds class labels, say data.labels=true",
                (false, _, false) => "; leave the column out, or write its categories as numbers",
            }
        )),
    }
}
