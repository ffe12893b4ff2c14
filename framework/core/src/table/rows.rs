use super::TableColumn;

/// Rows of a table in the data's own units.
#[derive(Clone, Copy, Debug)]
pub struct TableRows<'a> {
    /// The columns.
    pub columns: &'a [TableColumn],
    /// Cells, row by row: numbers, codes of categories, seconds since 1970-01-01, NaN for a missing
    /// cell.
    pub values: &'a [f64],
}

impl<'a> TableRows<'a> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.columns.len()).unwrap_or(0)
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cells of the column number `column`, which counts from 0.
    pub fn column(&self, column: usize) -> impl ExactSizeIterator<Item = f64> + 'a {
        self.values.iter().skip(column).step_by(self.columns.len().max(1)).copied()
    }
}
