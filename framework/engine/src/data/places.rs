use crate::component::{Columns, DataSource};

/// Places of rows in their file, for messages.
#[derive(Clone, Copy)]
pub(super) struct Places<'p> {
    /// Numbers of the rows in the file, from 0; empty where all are used.
    pub kept: &'p [i64],
    /// Describes the place of a row of the file, such as `line 7 of rows.csv`.
    pub describe: &'p dyn Fn(i64) -> String,
}

impl Places<'_> {
    /// Place of the row at `row` of those that are used.
    pub fn of(&self, row: usize) -> String {
        (self.describe)(self.kept.get(row).copied().unwrap_or(row as i64))
    }
}

/// Names the places of rows in the files that a data source reads.
#[derive(Clone, Copy)]
pub(super) struct Namer<'s>(pub Option<&'s dyn DataSource>);

impl Namer<'_> {
    /// Place of the training row that has the number `row` in its file.
    pub fn training(self, row: i64) -> String {
        self.0.and_then(|source| source.place(row).ok()).unwrap_or_else(|| by_number(row))
    }

    /// Place of the row at `row` of a table; `None` if it is not of a file.
    pub fn within(self, table: &Columns, row: usize) -> Option<String> {
        let file = table.file.as_deref()?;
        let row = table.kept.get(row).copied().unwrap_or(row as i64);
        let place = self.0?.place_in(file, row, false).ok()?;
        Some(format!("{place} of {}", file.display()))
    }
}

/// Place of a row that is in no file of which more is known.
pub(super) fn by_number(row: i64) -> String {
    format!("row {row} (counted from 0)")
}
