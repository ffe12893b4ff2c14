//! Columns x and y from the columns of a file.

use super::choose::{Selection, column_text};
use super::{ColumnOptions, ColumnType, Source, Table};
use crate::data_sources::files::{labels, numbers};
use std::collections::BTreeMap;
use std::path::Path as FsPath;
use triflow::io::table::{Cells, Column, MISSING, TableFile, TypeWish, Typed, Wanted, infer};
use triflow::log;
use triflow::prelude::*;
use triflow::tch::Kind;

/// Largest class label: whole numbers above it are not exact in float64.
const MAX_LABEL: f64 = 9e15;
/// Fewest rows in which a column that counts them is taken for their numbers.
const COUNTED: usize = 10;

/// Treatment of rows with a missing value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gaps {
    /// They are an error.
    Error,
    /// They are left out.
    Drop,
    /// They are kept, unless they have no value of y.
    Keep,
    /// They are kept.
    KeepAll,
}

/// A file that is read.
pub(super) struct Reading<'s> {
    pub source: &'s Source,
    pub spec: &'s Table,
    pub file: &'s TableFile,
    /// True if types are decided here, and peculiarities reported.
    pub is_training: bool,
}

/// Class labels, `None` where one is missing, and the names of their classes.
type Labels = (Vec<Option<i64>>, Vec<String>);

impl Reading<'_> {
    /// Columns x and y of a selection, and the selection without columns that were passed over.
    ///
    /// # Errors
    /// A cell is missing or does not have the column's type, no row is left, or class labels have
    /// several columns.
    pub fn columns(&self, selection: Selection, gaps: Gaps) -> Result<(Columns, Selection)> {
        let file = self.file;
        let table = file.read(&self.wanted(&selection))?;
        let (all, mut columns) = (table.rows, table.columns);
        let selection = self.prune(selection, &columns)?;
        let mut take =
            |i: &usize| columns[*i].take().ok_or_else(|| Error::runtime("no such column"));
        let weights = selection.weights.as_ref().map(&mut take).transpose()?;
        let mut x =
            selection.x.iter().map(|i| self.typed(*i, take(i)?)).collect::<Result<Vec<_>>>()?;
        let mut given =
            selection.y.iter().map(|i| Ok((*i, take(i)?))).collect::<Result<Vec<_>>>()?;
        let (mut y, labels) = match self.is_label(&given)? {
            true => {
                let (i, column) = given.remove(0);
                (Vec::new(), Some(self.labels(i, column)?))
            }
            false => {
                let typed = given.into_iter().map(|(i, column)| self.typed(i, column));
                (typed.collect::<Result<Vec<_>>>()?, None)
            }
        };
        let out = self.left_out(all, &selection, (&x, &y, labels.as_ref()), gaps)?;
        let kept: Vec<i64> = match out.contains(&true) {
            true => (0..all).filter(|row| !out[*row]).map(|row| row as i64).collect(),
            false => Vec::new(),
        };
        let rest = Rest { file, out: &out };
        for typed in x.iter_mut().chain(&mut y) {
            typed.values = rest.of(std::mem::take(&mut typed.values));
            typed.column.missing =
                self.source.is_typed && typed.values.iter().any(|value| value.is_nan());
        }
        let x_columns = self.names(&x, Part::X);
        let (y_columns, y, classes) = match labels {
            None => (self.names(&y, Part::Y), rest.matrix(&selection.y, y)?, Vec::new()),
            Some((values, classes)) => {
                let name = TableColumn::number(file.name(selection.y[0]));
                let values: Vec<i64> = rest.of(values).into_iter().flatten().collect();
                let labels = labels_of(file, selection.y[0], &values)?;
                let named = file.names().is_some();
                (Vec::from_iter(named.then_some(name)), Some(labels), classes)
            }
        };
        let weights = weights.map(|column| rest.weights(column)).transpose()?;
        let columns = Columns {
            x: rest.matrix(&selection.x, x)?,
            y,
            weights,
            order: self.order(&selection),
            x_columns,
            y_columns,
            classes,
            kept,
            advice: selection.advice(file),
            ..Columns::default()
        };
        Ok((columns, selection))
    }

    /// The types by which a later file is read, by name.
    pub fn decided(
        &self,
        selection: &Selection,
        train: &Columns,
    ) -> BTreeMap<String, ColumnOptions> {
        let mut all = self.spec.columns.clone();
        let sides = [(&selection.x, &train.x_columns), (&selection.y, &train.y_columns)];
        for (places, columns) in sides {
            for (i, place) in places.iter().enumerate() {
                let own = self.source.options(self.file, self.spec, *place);
                let is_label = train.y.as_ref().is_some_and(|y| y.kind() == Kind::Int64)
                    && selection.y.contains(place);
                let number = TableColumn::number("");
                let own = match is_label {
                    true if own.kind.is_some() => own,
                    true if train.classes.is_empty() => {
                        ColumnOptions { kind: Some(ColumnType::Integer), ..own }
                    }
                    true => ColumnOptions { kind: Some(ColumnType::Category), ..own },
                    false => own.decided(columns.get(i).unwrap_or(&number)),
                };
                all.insert(column_text(self.file, *place), own);
            }
        }
        all
    }

    /// The types of cells that are wanted, by column.
    fn wanted(&self, selection: &Selection) -> Vec<Wanted> {
        let mut wanted = vec![Wanted::Nothing; self.file.width()];
        for i in &selection.x {
            wanted[*i] = match self.source.is_typed {
                true => wanted_of(&self.options(*i)),
                false => Wanted::Numbers,
            };
        }
        for i in &selection.y {
            let labels = self.spec.labels;
            wanted[*i] = match (self.source.is_typed, labels) {
                (true, _) => wanted_of(&self.options(*i)),
                (false, Some(false)) => Wanted::Numbers,
                (false, _) if selection.y.len() > 1 => Wanted::Numbers,
                (false, _) => Wanted::NumbersOrTexts,
            };
        }
        if let Some(i) = selection.weights {
            wanted[i] = Wanted::Numbers;
        }
        wanted
    }

    fn options(&self, column: usize) -> ColumnOptions {
        self.source.options(self.file, self.spec, column)
    }

    /// Passes over columns that say nothing, where x are all columns of the file.
    fn prune(&self, selection: Selection, columns: &[Option<Column>]) -> Result<Selection> {
        let warn = |what: &str, which: &[usize]| {
            if !which.is_empty() && self.is_training {
                let which: Vec<String> = which.iter().map(|i| self.file.called(*i)).collect();
                log::warn!("{}: {what}: {}", self.file.path().display(), which.join(", "));
            }
        };
        let of = |is: &dyn Fn(&Column) -> bool| -> Vec<usize> {
            let x = selection.x.iter().copied();
            x.filter(|i| columns[*i].as_ref().is_some_and(is)).collect()
        };
        let is_typed = |column: &Column| self.source.is_typed && !is_empty(column);
        warn("never varies", &of(&|column| is_typed(column) && is_constant(column)));
        if !selection.every {
            warn("holds no value", &of(&is_empty));
            return Ok(selection);
        }
        let given = |i: &usize| self.options(*i).kind.is_some();
        let (empty, mut counted) = (of(&is_empty), of(&counts_rows));
        counted.retain(|i| !given(i));
        warn("holds no value and is passed over", &empty);
        warn("holds the numbers of the rows and is passed over", &counted);
        let x: Vec<usize> = selection.x.to_vec();
        let x: Vec<usize> =
            x.into_iter().filter(|i| !empty.contains(i) && !counted.contains(i)).collect();
        if x.is_empty() && selection.y.is_empty() {
            return Err(Error::data(self.file.path(), "no column holds values"));
        }
        Ok(Selection { x, ..selection })
    }

    /// A column with its type.
    fn typed(&self, place: usize, column: Column) -> Result<Typed> {
        let called = self.file.called(place);
        if !self.source.is_typed {
            let Cells::Numbers { values, .. } = column.cells else {
                return Err(self.not_a_number(place));
            };
            return Ok(Typed { column: TableColumn::number(column.name), values });
        }
        if let Cells::Times { format, certain: false, .. } = &column.cells
            && self.is_training
            && self.options(place).format.is_none()
            && (format.contains("/%") || format.contains("-%d-") || format.contains("%d-%m"))
            && !format.starts_with("%Y")
        {
            log::warn!(
                "{}: {called}: each date may be month and day, or day and month: it is read as \
                 {format}; say which with data.columns={{{}: {{format: …}}}}",
                self.file.path().display(),
                column.name
            );
        }
        let options = self.options(place);
        let named = || format!("data.columns.{}", column_text(self.file, place));
        let mut typed = infer(column, options.wish().as_ref()).map_err(|what| {
            Error::data(self.file.path(), format!("{called} {what} in {}", named()))
        })?;
        typed.column.scaling = options.scaling.unwrap_or(self.spec.scaling).into();
        Ok(typed)
    }

    /// True if y are class labels.
    fn is_label(&self, y: &[(usize, Column)]) -> Result<bool> {
        let [(place, column)] = y else {
            if self.spec.labels == Some(true) && !y.is_empty() {
                let message = format!("class labels need one column of y, got {}", y.len());
                return Err(Error::config("labels", message));
            }
            return Ok(false);
        };
        if let Some(given) = self.spec.labels {
            return Ok(given);
        }
        if column.name == "label" {
            return Ok(true);
        }
        // A word among numbers may be a mistake.
        if let Cells::Texts { texts, .. } = &column.cells
            && self.options(*place).kind.is_none()
            && texts.iter().any(|text| is_number(text))
            && !(self.source.is_typed && texts.iter().all(|text| is_number(text)))
        {
            return Err(self.not_a_number(*place));
        }
        if self.source.is_typed {
            let kind = self.options(*place).kind;
            return Ok(match (kind, &column.cells) {
                (Some(kind), _) => matches!(kind, ColumnType::Category | ColumnType::Flag),
                (None, Cells::Texts { .. } | Cells::Many) => true,
                (None, Cells::Times { .. }) => false,
                (None, Cells::Numbers { .. }) => {
                    infer(column.clone(), None).is_ok_and(|typed| typed.column.names().is_some())
                }
            });
        }
        Ok(!matches!(column.cells, Cells::Numbers { .. }) || is_empty(column))
    }

    fn not_a_number(&self, place: usize) -> Error {
        match self.file.find(place, false, &mut |cell| !is_number(cell)) {
            Ok(found) => {
                let (place, cell) = found.unwrap_or_default();
                let message = format!(
                    "{place}: `{cell}` is not a number; if y holds class labels, set \
                     data.labels=true"
                );
                Error::data(self.file.path(), message)
            }
            Err(e) => e,
        }
    }

    /// Class labels, and the names of their classes unless they are numbers.
    fn labels(&self, place: usize, column: Column) -> Result<Labels> {
        let wrong = |what: String| {
            Error::data(self.file.path(), format!("{}{what}", self.file.called(place)))
        };
        let wish = self.options(place).wish();
        if let Cells::Numbers { values, .. } = &column.cells {
            let is_bad = |v: &f64| !v.is_nan() && (v.fract() != 0.0 || v.abs() > MAX_LABEL);
            return match values.iter().position(is_bad) {
                Some(row) => Err(wrong(format!(
                    ": row {row} (counted from 0) holds {}, which is not a class label: class \
                     labels are whole numbers or texts; set data.labels=false to read numbers",
                    values[row]
                ))),
                None => {
                    let label = |v: &f64| (!v.is_nan()).then_some(*v as i64);
                    Ok((values.iter().map(label).collect(), Vec::new()))
                }
            };
        }
        let is_given = self.spec.labels == Some(true) || !self.source.is_typed;
        let wish = match wish {
            Some(wish @ TypeWish::Category { .. }) => Some(wish),
            _ if is_given => Some(TypeWish::Category { order: Vec::new() }),
            _ => None,
        };
        let typed = infer(column, wish.as_ref()).map_err(|what| wrong(format!(" {what}")))?;
        let names = typed.column.names().map(<[String]>::to_vec).unwrap_or_default();
        let label = |code: &f64| (!code.is_nan()).then_some(*code as i64);
        Ok((typed.values.iter().map(label).collect(), names))
    }

    /// True for each row that is left out.
    fn left_out(
        &self,
        all: usize,
        selection: &Selection,
        (x, y, labels): (&[Typed], &[Typed], Option<&Labels>),
        gaps: Gaps,
    ) -> Result<Vec<bool>> {
        let mut out = vec![false; all];
        if gaps == Gaps::KeepAll {
            return Ok(out);
        }
        let places = || selection.x.iter().chain(&selection.y);
        let gaps_of = |typed: &Typed| typed.values.iter().map(|v| v.is_nan()).collect::<Vec<_>>();
        let label_gaps = labels.map(|(l, _)| l.iter().map(Option::is_none).collect::<Vec<_>>());
        let y_gaps: Vec<Vec<bool>> = y.iter().map(gaps_of).chain(label_gaps).collect();
        let help = match gaps {
            Gaps::Keep => {
                if let [first, rest @ ..] = &y_gaps[..] {
                    out.clone_from(first);
                    for gaps in rest {
                        out.iter_mut().zip(gaps).for_each(|(out, gap)| *out &= gap);
                    }
                }
                "have no value of y"
            }
            _ => {
                let x_gaps = x.iter().map(gaps_of);
                let mut first = (all, None);
                for (gaps, place) in x_gaps.chain(y_gaps).zip(places()) {
                    let row = gaps.iter().position(|gap| *gap).unwrap_or(all);
                    if row < first.0 {
                        first = (row, Some(*place));
                    }
                    out.iter_mut().zip(gaps).for_each(|(out, gap)| *out |= gap);
                }
                if let (Gaps::Error, Some(place)) = (gaps, first.1) {
                    return Err(self.gap(place));
                }
                "lack a value (data.missing: drop)"
            }
        };
        let count = out.iter().filter(|out| **out).count();
        if count == all {
            let message = "no row is left: each lacks a value in a column of x or y";
            return Err(Error::data(self.file.path(), message));
        }
        if count > 0 {
            log::warn!(
                "{}: {} of {all} rows are used: {count} {help}",
                self.file.path().display(),
                all - count
            );
        }
        Ok(out)
    }

    /// The error about the first missing cell of a column.
    fn gap(&self, place: usize) -> Error {
        let found = match self.file.find(place, true, &mut |_| true) {
            Ok(found) => found.unwrap_or_default(),
            Err(e) => return e,
        };
        let (place, cell) = found;
        let what = if cell.is_empty() { "is empty".into() } else { format!("holds `{cell}`") };
        let help = "fill it, or leave such rows out with data.missing=drop";
        Error::data(self.file.path(), format!("{place}: the cell {what}; {help}"))
    }

    /// Names and types of the columns of a part; empty for numbers in a file without names.
    fn names(&self, columns: &[Typed], part: Part) -> Vec<TableColumn> {
        let plain = columns.iter().all(|typed| typed.column.is_plain());
        if self.file.names().is_none() && plain {
            return Vec::new();
        }
        let named = self.file.names().is_some();
        let single = columns.len() == 1;
        let column = |(i, typed): (usize, &Typed)| match (named, single) {
            (true, _) => typed.column.clone(),
            (false, true) => TableColumn { name: part.to_string(), ..typed.column.clone() },
            (false, false) => TableColumn { name: format!("{part}{i}"), ..typed.column.clone() },
        };
        columns.iter().enumerate().map(column).collect()
    }

    /// Names of the columns in the order of the file.
    fn order(&self, selection: &Selection) -> Vec<String> {
        if !self.source.is_typed || self.file.names().is_none() {
            return Vec::new();
        }
        let mut places: Vec<usize> = selection.x.iter().chain(&selection.y).copied().collect();
        places.sort_unstable();
        places.iter().map(|i| self.file.name(*i).to_owned()).collect()
    }
}

/// The type of cells that is wanted of a column.
pub(super) fn wanted_of(options: &ColumnOptions) -> Wanted {
    match options.kind {
        None | Some(ColumnType::Flag | ColumnType::Ignore) => Wanted::Any,
        Some(ColumnType::Number | ColumnType::Integer) => Wanted::Numbers,
        Some(ColumnType::Category) => Wanted::Texts,
        Some(ColumnType::Time) => Wanted::Times(options.format.clone()),
    }
}

/// The rows that are not left out.
struct Rest<'f> {
    file: &'f TableFile,
    out: &'f [bool],
}

impl Rest<'_> {
    fn of<T>(&self, values: Vec<T>) -> Vec<T> {
        if !self.out.contains(&true) {
            return values;
        }
        values.into_iter().zip(self.out).filter(|(_, out)| !**out).map(|(value, _)| value).collect()
    }

    /// The columns of a part side by side; `None` without any.
    fn matrix(&self, places: &[usize], columns: Vec<Typed>) -> Result<Option<Tensor>> {
        let path = self.file.path();
        let mut tensors = Vec::with_capacity(columns.len());
        for (i, typed) in places.iter().zip(columns) {
            let (called, rows) = (self.file.called(*i), typed.values.len());
            tensors.push(numbers(path, &called, &[rows], typed.values.into(), true)?);
        }
        Ok((!tensors.is_empty()).then(|| Tensor::stack(&tensors, 1)))
    }

    fn weights(&self, column: Column) -> Result<Tensor> {
        let Cells::Numbers { values, .. } = column.cells else {
            return Err(Error::data(self.file.path(), "the weights are no numbers"));
        };
        Ok(Tensor::from_slice(&self.of(values)))
    }
}

/// Cells of the column by which rows are divided, of the rows at `kept`, or of all if it is empty.
///
/// # Errors
/// The column cannot be read.
pub(super) fn split_column(file: &TableFile, column: usize, kept: &[i64]) -> Result<SplitColumn> {
    let mut wanted = vec![Wanted::Nothing; file.width()];
    wanted[column] = Wanted::Any;
    let column = file.read(&wanted)?.columns.swap_remove(column);
    let Column { name, cells, .. } = column.ok_or_else(|| Error::runtime("no such column"))?;
    let all = match cells {
        Cells::Numbers { values, .. } => SplitColumn::of_numbers(&name, values),
        Cells::Times { values, format, .. } => {
            let column = TableColumn::new(name, CellType::Time { format });
            SplitColumn { column, cells: values }
        }
        Cells::Texts { codes, texts } => {
            let text = |code: &u32| texts.get(*code as usize).map_or("", String::as_str);
            SplitColumn::of_texts(&name, &codes.iter().map(text).collect::<Vec<_>>())
        }
        Cells::Many => {
            let message = format!("column `{name}` has too many different texts to divide rows by");
            return Err(Error::data(file.path(), message));
        }
    };
    Ok(if kept.is_empty() { all } else { all.rows(kept) })
}

fn labels_of(file: &TableFile, place: usize, values: &[i64]) -> Result<Tensor> {
    labels(file.path(), &file.called(place), values)
}

fn is_number(cell: &str) -> bool {
    cell.parse::<f64>().is_ok() || cell.replacen(',', ".", 1).parse::<f64>().is_ok()
}

pub(super) fn is_empty(column: &Column) -> bool {
    match &column.cells {
        Cells::Numbers { values, .. } | Cells::Times { values, .. } => {
            values.len() == column.missing
        }
        Cells::Texts { texts, .. } => texts.is_empty(),
        Cells::Many => false,
    }
}

pub(super) fn is_constant(column: &Column) -> bool {
    match &column.cells {
        Cells::Numbers { values, .. } | Cells::Times { values, .. } => {
            let mut present = values.iter().filter(|value| !value.is_nan());
            let first = present.next();
            column.missing == 0 && present.all(|value| Some(value) == first)
        }
        Cells::Texts { codes, texts } => texts.len() == 1 && !codes.contains(&MISSING),
        Cells::Many => false,
    }
}

/// True if the cells count the rows.
pub(super) fn counts_rows(column: &Column) -> bool {
    let Cells::Numbers { values, decimals: Some(0) } = &column.cells else { return false };
    let counts = |(i, value): (usize, &f64)| *value == values[0] + i as f64;
    values.len() >= COUNTED && values.iter().enumerate().all(counts)
}

/// Gives the categories of another set the codes of the training rows.
///
/// # Errors
/// A column is missing, or a category is none of the training rows'.
pub(super) fn align(
    path: &FsPath,
    train: &Columns,
    columns: &mut Columns,
    set: &str,
) -> Result<()> {
    for (part, known) in [(Part::X, &train.x_columns), (Part::Y, &train.y_columns)] {
        let own = match part {
            Part::X => columns.x_columns.clone(),
            Part::Y => columns.y_columns.clone(),
        };
        columns.align_columns(part, known)?;
        let values = match part {
            Part::X => &columns.x,
            Part::Y => &columns.y,
        };
        let Some(values) = values.as_ref().filter(|values| values.dim() == 2) else { continue };
        for (i, column) in known.iter().enumerate().filter(|(_, c)| c.names().is_some()) {
            if values.select(1, i as i64).lt(0.0).any().int64_value(&[]) == 0 {
                continue;
            }
            let names = column.names().unwrap_or_default();
            let own = own.iter().find(|own| own.name == column.name);
            let new = own.and_then(TableColumn::names).unwrap_or_default();
            let new = new.iter().find(|name| !names.contains(name)).cloned().unwrap_or_default();
            let message = format!(
                "column `{}` of the {set} set has `{new}`, which no training row has",
                column.name
            );
            return Err(Error::data(path, message));
        }
    }
    Ok(())
}
