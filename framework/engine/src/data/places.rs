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

/// Place of a row that is in no file of which more is known.
pub(super) fn by_number(row: i64) -> String {
    format!("row {row} (counted from 0)")
}
