//! Columns x and y from the columns of a file.

use super::cells::{counts_rows, is_constant, is_empty};
use super::choose::{Selection, column_text};
use super::doubts::doubt;
use super::gaps::Gaps;
use super::{ColumnOptions, ColumnType, Source, Table};
use crate::data_sources::files::{self, numbers};
use std::collections::BTreeMap;
use triflow::io::table::{Cells, Column, TableFile, Typed, Wanted, infer};
use triflow::log;
use triflow::prelude::*;
use triflow::tch::Kind;

/// A file that is read.
pub(super) struct Reading<'s> {
    pub source: &'s Source,
    pub spec: &'s Table,
    pub file: &'s TableFile,
    /// True if types are decided here, and peculiarities reported.
    pub is_training: bool,
}

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
            Some((values, classes, storage)) => {
                let name = TableColumn::number(file.name(selection.y[0]));
                let name = TableColumn { storage, ..name };
                let values: Vec<i64> = rest.of(values).into_iter().flatten().collect();
                let labels = files::labels(file.path(), &file.called(selection.y[0]), &values)?;
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
            file: Some(file.path().to_owned()),
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

    /// The options of a column.
    pub fn options(&self, column: usize) -> ColumnOptions {
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
        let options = self.options(place);
        let key = column_text(self.file, place);
        let doubt = match self.is_training {
            true => doubt(self.file, place, &column, &options)?,
            false => None,
        };
        let mut typed = infer(column, options.wish().as_ref()).map_err(|what| {
            let what = match &doubt {
                Some(doubt) if options.kind.is_none() => format!(
                    "{called}: {doubt}; or make it a category, or leave it out (type `category`, \
                     `ignore`) in data.columns.{key}"
                ),
                _ => format!("{called} {what} in data.columns.{key}"),
            };
            Error::data(self.file.path(), what)
        })?;
        if let Some(doubt) = doubt {
            log::warn!("{}: {called}: {doubt}", self.file.path().display());
        }
        if options.scaling.is_some() && typed.column.names().is_some() {
            let message = format!("{called} is a category, which is not scaled");
            return Err(Error::config(format!("columns.{key}.scaling"), message));
        }
        typed.column.scaling = options.scaling.unwrap_or(self.spec.scaling).into();
        Ok(typed)
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
