//! Conversion of a table of text to columns x and y: their selection, and the values of their
//! cells.

use super::csv::Column;
use super::files::numbers;
use super::words::{Words, likely_y};
use std::path::Path as FsPath;
use triflow::error::suggestion;
use triflow::io::csv::{Sheet, is_missing, number};
use triflow::log;
use triflow::prelude::*;

/// Decimal sign of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decimal {
    /// Detected from the cells.
    Detect,
    Point,
    Comma,
}

/// Treatment of rows with a missing value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Error,
    Drop,
    /// Kept as NaN.
    Keep,
}

/// Columns of a sheet that are read, and how.
#[derive(Debug)]
pub(super) struct Selection {
    /// Columns of x, counted from 0.
    pub x: Vec<usize>,
    /// Columns of y, counted from 0.
    pub y: Vec<usize>,
    /// Read y as class labels; `None`: detected from its name and cells.
    pub labels: Option<bool>,
    pub decimal: Decimal,
    pub missing: Missing,
}

impl Selection {
    /// Columns of `part`.
    pub(super) fn columns(&self, part: Part) -> &[usize] {
        match part {
            Part::X => &self.x,
            Part::Y => &self.y,
        }
    }

    /// The error that the columns of `parts` are undecided, with advice how to name them.
    pub(super) fn undecided(&self, path: &FsPath, sheet: &Sheet, parts: &[Part]) -> Error {
        let text = |i: usize| column_text(sheet, i);
        let known: Vec<usize> = (0..sheet.width()).filter(|i| is_selectable(sheet, *i)).collect();
        let list = |columns: &[usize]| columns.iter().map(|i| text(*i)).collect::<Vec<_>>();
        let free: Vec<usize> =
            known.iter().copied().filter(|i| !self.x.contains(i) && !self.y.contains(i)).collect();
        // A column with a usual name of the other part is not proposed.
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
            "{} cannot be identified by name; {which}known columns: {}",
            what.join(" and "),
            list(&known).join(", ")
        );
        Error::data(path, message)
    }

    /// Advice how to name the column of x or y, where one of them is missing.
    fn advice(&self, sheet: &Sheet) -> Option<String> {
        if self.x.is_empty() == self.y.is_empty() {
            return None;
        }
        let known: Vec<usize> = (0..sheet.width()).filter(|i| is_selectable(sheet, *i)).collect();
        let used = |i: &usize| self.x.contains(i) || self.y.contains(i);
        let list = |columns: &mut dyn Iterator<Item = &usize>| {
            columns.map(|i| column_text(sheet, *i)).collect::<Vec<_>>()
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

/// The key of a column, as a user would write it: its name, or its number where it has none.
fn column_text(sheet: &Sheet, column: usize) -> String {
    match name(sheet, column) {
        "" => column.to_string(),
        name => name.to_owned(),
    }
}

fn name(sheet: &Sheet, column: usize) -> &str {
    sheet.names().and_then(|names| names.get(column)).map_or("", String::as_str)
}

/// `true` unless the column lacks a name where others have one, as a column of row names does.
fn is_selectable(sheet: &Sheet, column: usize) -> bool {
    sheet.names().is_none() || !name(sheet, column).is_empty()
}

/// The keys under which later files are read: names where there are any, else numbers.
pub(super) fn column_keys(sheet: &Sheet, columns: &[usize]) -> Vec<Column> {
    let column = |i: &usize| match name(sheet, *i) {
        "" => Column::Number(*i),
        name => Column::Name(name.to_owned()),
    };
    columns.iter().map(column).collect()
}

/// Numbers of the columns of `part`: the `given` ones, or those with usual names.
///
/// # Errors
/// A column does not exist or is given twice, or two usual names compete.
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
                "both `{y}` and `label` may be y; say which it is, with data.y=[{y}] or \
                 data.y=[label]"
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

/// Rank of a usual name: 0 for `x`, 1 + n for `xn` and `x_n`; `None` for any other name.
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
                "there is no column `{name}`: the file has no line of names, so number its {n} \
                 columns from 0"
            ),
        )),
    }
}

/// Facts about the selected cells, from a first pass over them.
struct Scan {
    /// `true` for each row with a missing value.
    incomplete: Vec<bool>,
    /// `true` if numbers have a decimal comma.
    comma: bool,
    /// `true` if the single column of y holds no number.
    y_is_text: bool,
}

/// Columns x and y of the selection.
///
/// # Errors
/// A cell is missing or not a finite number, no row is left, or class labels have several columns.
pub(super) fn read(path: &FsPath, sheet: &Sheet, selection: &Selection) -> Result<Columns> {
    let columns = [&selection.x[..], &selection.y[..]].concat();
    let scan = scan(path, sheet, selection, &columns)?;
    let left_out = scan.incomplete.iter().filter(|out| **out).count();
    let all = sheet.row_count();
    if left_out == all {
        let message = "no row is left: each lacks a value in a column of x or y";
        return Err(Error::data(path, message));
    }
    if left_out > 0 {
        log::warn!(
            "{}: {} of {all} rows are used: {left_out} lack a value (data.missing: drop)",
            path.display(),
            all - left_out
        );
    }
    let kept = match left_out {
        0 => Vec::new(),
        _ => (0..all).filter(|row| !scan.incomplete[*row]).map(|row| row as i64).collect(),
    };
    let single_y = match selection.y[..] {
        [y] => Some(y),
        _ => None,
    };
    let is_label = selection
        .labels
        .unwrap_or_else(|| single_y.is_some_and(|y| name(sheet, y) == "label" || scan.y_is_text))
        && !selection.y.is_empty();
    if is_label && single_y.is_none() {
        return Err(Error::config(
            "labels",
            format!("class labels need one column of y, got {}", selection.y.len()),
        ));
    }
    let gaps = selection.missing == Missing::Keep;
    let numeric = if is_label { selection.x.len() } else { columns.len() };
    let mut values = vec![Vec::with_capacity(all - left_out); numeric];
    let mut words = Words::default();
    let mut row = 0;
    sheet.visit(&columns, &mut |cells| {
        row += 1;
        if scan.incomplete[row - 1] {
            return Ok(());
        }
        for (i, (cell, values)) in cells.iter().zip(&mut values).enumerate() {
            let is_y = i >= selection.x.len();
            if gaps && is_missing(cell) {
                values.push(f64::NAN);
                continue;
            }
            values.push(finite(cell, scan.comma, is_y).map_err(|what| (i, what))?);
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
    let stacked = |columns: &[usize], values: &[Vec<f64>]| -> Result<Option<Tensor>> {
        let mut tensors = Vec::with_capacity(columns.len());
        for (i, column) in columns.iter().zip(values) {
            let called = sheet.called(*i);
            tensors.push(numbers(path, &called, &[column.len()], column.clone().into(), gaps)?);
        }
        Ok((!tensors.is_empty()).then(|| Tensor::stack(&tensors, 1)))
    };
    let (x_values, y_values) = values.split_at(selection.x.len());
    let x = stacked(&selection.x, x_values)?;
    let (y, classes) = match single_y.filter(|_| is_label) {
        Some(y) => {
            let (labels, classes) = words.labels(path, &sheet.called(y), scan.comma)?;
            (Some(labels), classes)
        }
        None => (stacked(&selection.y, y_values)?, Vec::new()),
    };
    Ok(Columns {
        x,
        y,
        x_columns: TableColumn::numbers(names(&selection.x)),
        y_columns: TableColumn::numbers(names(&selection.y)),
        classes,
        kept,
        advice: selection.advice(sheet),
        ..Columns::default()
    })
}

/// Weights `[n]` of the rows at `kept`, or of all if it is empty, from the numbers of a column.
///
/// # Errors
/// There is no such column, or a cell of such a row holds no number.
pub(super) fn weights(
    path: &FsPath,
    sheet: &Sheet,
    column: &Column,
    kept: &[i64],
) -> Result<Tensor> {
    let column = number_of(path, sheet, column)?;
    let (mut values, mut row, mut kept) = (Vec::new(), 0, kept.iter().peekable());
    let all = kept.peek().is_none();
    sheet.visit(&[column], &mut |cells| {
        if all || kept.next_if(|next| **next == row).is_some() {
            let value = number(cells[0], false).or(number(cells[0], true));
            values.push(value.ok_or_else(|| (0, format!("`{}` is not a weight", cells[0])))?);
        }
        row += 1;
        Ok(())
    })?;
    Ok(Tensor::from_slice(&values))
}

/// Cells of the column by which rows are divided, of the rows at `kept`, or of all if it is empty.
///
/// # Errors
/// There is no such column.
pub(super) fn split_column(
    path: &FsPath,
    sheet: &Sheet,
    name: &str,
    kept: &[i64],
) -> Result<SplitColumn> {
    let number = name.parse().ok().filter(|_| sheet.names().is_none());
    let column = number.map_or_else(|| Column::Name(name.to_owned()), Column::Number);
    let column = number_of(path, sheet, &column)?;
    let mut texts = Vec::with_capacity(sheet.row_count());
    sheet.visit(&[column], &mut |cells| {
        texts.push(if is_missing(cells[0]) { String::new() } else { cells[0].to_owned() });
        Ok(())
    })?;
    let all = SplitColumn::of_texts(name, &texts);
    Ok(if kept.is_empty() { all } else { all.rows(kept) })
}

/// First pass over the cells of `columns`.
///
/// # Errors
/// A cell is missing and the selection does not drop such rows.
fn scan(path: &FsPath, sheet: &Sheet, selection: &Selection, columns: &[usize]) -> Result<Scan> {
    let mut incomplete = vec![false; sheet.row_count()];
    let (mut commas, mut points, mut y_numbers) = (false, false, false);
    let mut row = 0;
    sheet.visit(columns, &mut |cells| {
        for (i, cell) in cells.iter().enumerate() {
            if is_missing(cell) {
                if selection.missing == Missing::Keep {
                    continue;
                }
                if selection.missing == Missing::Error {
                    let what =
                        if cell.is_empty() { "is empty".into() } else { format!("holds `{cell}`") };
                    let help = "fill it, or leave such rows out with data.missing=drop";
                    return Err((i, format!("the cell {what}; {help}")));
                }
                incomplete[row] = true;
                continue;
            }
            let (point, comma) = (number(cell, false).is_some(), number(cell, true).is_some());
            points |= point && !comma;
            commas |= comma && !point;
            y_numbers |= i >= selection.x.len() && (point || comma);
        }
        row += 1;
        Ok(())
    })?;
    let comma = match selection.decimal {
        Decimal::Point => false,
        Decimal::Comma => true,
        Decimal::Detect => sheet.separator() != b',' && commas && !points,
    };
    if comma && selection.decimal == Decimal::Detect {
        log::info!("{}: commas are read as decimal signs, as in 1,5", path.display());
    }
    Ok(Scan { incomplete, comma, y_is_text: selection.y.len() == 1 && !y_numbers })
}

/// The finite number in a cell; else a message with advice.
fn finite(cell: &str, decimal_comma: bool, is_y: bool) -> Result<f64, String> {
    match number(cell, decimal_comma) {
        Some(value) if value.is_finite() => Ok(value),
        Some(_) => Err(format!("`{cell}` is not finite")),
        None => Err(format!(
            "`{cell}` is not a number{}",
            match (number(cell, !decimal_comma).is_some(), decimal_comma, is_y) {
                (true, false, _) => "; for decimal commas, set data.decimal=comma",
                (true, true, _) => "; for decimal points, set data.decimal=point",
                (false, _, true) => "; if y holds class labels, set data.labels=true",
                (false, _, false) => "; leave the column out, or write its categories as numbers",
            }
        )),
    }
}
