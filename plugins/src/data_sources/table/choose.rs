//! Choice of the columns of x and y, by names, numbers or usual names.

use super::keys::Column;
use crate::data_sources::words::likely_y;
use triflow::error::suggestion;
use triflow::io::table::TableFile;
use triflow::prelude::*;

/// Columns of a file that are read, counted from 0.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Columns of x.
    pub x: Vec<usize>,
    /// Columns of y.
    pub y: Vec<usize>,
    /// Column of weights.
    pub weights: Option<usize>,
    /// True if x are all columns that are nothing else.
    pub every: bool,
}

impl Selection {
    /// Columns of `part`.
    pub fn columns(&self, part: Part) -> &[usize] {
        match part {
            Part::X => &self.x,
            Part::Y => &self.y,
        }
    }

    /// The error that the columns of `parts` are undecided, with advice how to name them.
    pub fn undecided(&self, file: &TableFile, parts: &[Part]) -> Error {
        let text = |i: usize| column_text(file, i);
        let known = selectable(file);
        let list = |columns: &[usize]| columns.iter().map(|i| text(*i)).collect::<Vec<_>>();
        let free: Vec<usize> =
            known.iter().copied().filter(|i| !self.x.contains(i) && !self.y.contains(i)).collect();
        // A column with a usual name of the other part is not proposed.
        let free: Vec<usize> = match parts {
            [Part::X] => free.into_iter().filter(|i| !is_usual(file.name(*i), Part::Y)).collect(),
            [Part::Y] => free.into_iter().filter(|i| !is_usual(file.name(*i), Part::X)).collect(),
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
        Error::data(file.path(), message)
    }

    /// Reason why x are some of the columns only, and the key that names all.
    pub fn usual(&self, file: &TableFile) -> String {
        let text = |columns: &mut dyn Iterator<Item = &usize>| -> Vec<String> {
            columns.map(|i| column_text(file, *i)).collect()
        };
        let all = selectable(file);
        let others = text(&mut all.iter().filter(|i| !self.y.contains(i)));
        format!(
            "x are the columns with usual names ({}); for all others too set data.x=[{}]",
            text(&mut self.x.iter()).join(", "),
            others.join(",")
        )
    }

    /// Advice how to name the column of x or y, where one of them is missing.
    pub fn advice(&self, file: &TableFile) -> Option<String> {
        if self.x.is_empty() == self.y.is_empty() {
            return None;
        }
        let known = selectable(file);
        let used = |i: &usize| (!self.every && self.x.contains(i)) || self.y.contains(i);
        let list = |columns: &mut dyn Iterator<Item = &usize>| {
            columns.map(|i| column_text(file, *i)).collect::<Vec<_>>()
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
pub(super) fn column_text(file: &TableFile, column: usize) -> String {
    match file.name(column) {
        "" => column.to_string(),
        name => name.to_owned(),
    }
}

/// All columns but those of the names of the rows: of R and pandas in a text file, which have no
/// name where others have one, and the index of pandas in Parquet and Arrow files.
pub(super) fn selectable(file: &TableFile) -> Vec<usize> {
    let is_index = |name: &str| {
        let number = name.strip_prefix("__index_level_").and_then(|rest| rest.strip_suffix("__"));
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let of_rows =
        |i: &usize| file.names().is_some() && (file.name(*i).is_empty() || is_index(file.name(*i)));
    (0..file.width()).filter(|i| !of_rows(i)).collect()
}

/// The keys under which later files are read: names where there are any, else numbers.
pub(super) fn column_keys(file: &TableFile, columns: &[usize]) -> Vec<Column> {
    let column = |i: &usize| match file.name(*i) {
        "" => Column::Number(*i),
        name => Column::Name(name.to_owned()),
    };
    columns.iter().map(column).collect()
}

/// Numbers of the columns of `part`: the `given` ones, or those with usual names.
///
/// # Errors
/// A column does not exist or is given twice, or two usual names compete.
pub(super) fn columns_of(file: &TableFile, given: &[Column], part: Part) -> Result<Vec<usize>> {
    if !given.is_empty() {
        let columns: Vec<usize> =
            given.iter().map(|column| number_of(file, column)).collect::<Result<_>>()?;
        if let Some((_, twice)) =
            columns.iter().enumerate().find(|(i, c)| columns[..*i].contains(c))
        {
            let message = format!("{} is named twice in data.{part}", file.called(*twice));
            return Err(Error::data(file.path(), message));
        }
        return Ok(columns);
    }
    let number = |i: usize| usual_number(file.name(i), part).map(|number| (number, i));
    let mut usual: Vec<(u64, usize)> = (0..file.width()).filter_map(number).collect();
    usual.sort_unstable();
    let label = (0..file.width()).find(|i| part == Part::Y && file.name(*i) == "label");
    match (label, usual.first()) {
        (Some(_), Some((_, y))) => {
            let y = file.name(*y);
            let message = format!(
                "both `{y}` and `label` may be y; say which it is, with data.y=[{y}] or \
                 data.y=[label]"
            );
            Err(Error::data(file.path(), message))
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

/// Number of a column.
///
/// # Errors
/// There is no such column.
pub(super) fn number_of(file: &TableFile, column: &Column) -> Result<usize> {
    let n = file.width();
    let wrong = |message: String| Err(Error::data(file.path(), message));
    match (column, file.names()) {
        (Column::Number(i), _) if *i < n => Ok(*i),
        (Column::Number(i), _) => {
            wrong(format!("there is no column {i}: it has {n}, counted from 0"))
        }
        (Column::Name(name), Some(names)) => {
            let place = names.iter().position(|known| known == name && !name.is_empty());
            place.map_or_else(
                || {
                    let known = names.iter().map(String::as_str).filter(|name| !name.is_empty());
                    let help = suggestion(name, "columns", known);
                    wrong(format!("there is no column `{name}`; {help}"))
                },
                Ok,
            )
        }
        (Column::Name(name), None) => match name.parse::<usize>() {
            Ok(number) if number < n => Ok(number),
            _ => wrong(format!(
                "there is no column `{name}`: the file has no line of names, so number its {n} \
                 columns from 0"
            )),
        },
    }
}
