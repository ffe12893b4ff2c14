use super::code_of;
use crate::table::TableRows;

/// Encoding of rows as numbers and one-hot categories. A missing number becomes the mean of the
/// rows that the encoding is fitted to; a missing or unknown category has an entry of its own.
pub struct Encoder {
    numbers: Vec<(usize, f64)>,
    /// Column, number of names and first entry of each category.
    categories: Vec<(usize, usize, usize)>,
    width: usize,
}

/// Encoded rows, in which a category is the place of its one.
#[derive(Clone)]
pub struct Features {
    /// Number of rows.
    pub rows: usize,
    /// Number of entries of a row.
    pub width: usize,
    /// Number of the first entries, which are numbers.
    pub numbers: usize,
    /// Numbers, row by row.
    pub values: Vec<f64>,
    /// Number of categories of a row.
    pub categories: usize,
    /// Entries that are one, row by row.
    pub ones: Vec<usize>,
}

impl Encoder {
    /// Fits the means to `rows`. The column `without` is left out.
    pub fn fit(rows: TableRows<'_>, without: Option<usize>) -> Self {
        let (mut numbers, mut categories) = (Vec::new(), Vec::new());
        for (number, column) in rows.columns.iter().enumerate() {
            match column.names() {
                _ if without == Some(number) => {}
                Some(names) => categories.push((number, names.len(), 0)),
                None => {
                    let there: Vec<f64> = rows.column(number).filter(|v| !v.is_nan()).collect();
                    let mean = there.iter().sum::<f64>() / there.len().max(1) as f64;
                    numbers.push((number, mean));
                }
            }
        }
        let mut width = numbers.len();
        for (_, names, first) in &mut categories {
            *first = width;
            width += *names + 2;
        }
        Self { numbers, categories, width }
    }

    /// Encodes rows of the same columns.
    pub fn encode(&self, rows: TableRows<'_>) -> Features {
        let cells = rows.values.chunks_exact(rows.columns.len().max(1));
        let (mut values, mut ones) = (Vec::new(), Vec::new());
        for row in cells {
            values.extend(self.numbers.iter().map(|(column, mean)| match row[*column] {
                cell if cell.is_nan() => *mean,
                cell => cell,
            }));
            let one = |(column, names, first): &(usize, usize, usize)| {
                first + code_of(row[*column], *names)
            };
            ones.extend(self.categories.iter().map(one));
        }
        Features {
            rows: rows.len(),
            width: self.width,
            numbers: self.numbers.len(),
            values,
            categories: self.categories.len(),
            ones,
        }
    }
}

impl Features {
    /// These rows, followed by `others` of the same encoding.
    pub fn followed_by(mut self, others: &Self) -> Self {
        self.rows += others.rows;
        self.values.extend(&others.values);
        self.ones.extend(&others.ones);
        self
    }

    /// The rows of these numbers.
    pub fn take(&self, rows: &[usize]) -> Self {
        let values = rows.iter().flat_map(|row| self.values_of(*row));
        let ones = rows.iter().flat_map(|row| self.ones_of(*row));
        Self {
            rows: rows.len(),
            values: values.copied().collect(),
            ones: ones.copied().collect(),
            ..*self
        }
    }

    /// Numbers of a row.
    pub fn values_of(&self, row: usize) -> &[f64] {
        &self.values[row * self.numbers..(row + 1) * self.numbers]
    }

    /// Entries of a row that are one.
    pub fn ones_of(&self, row: usize) -> &[usize] {
        &self.ones[row * self.categories..(row + 1) * self.categories]
    }
}
