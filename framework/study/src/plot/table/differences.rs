use super::TableView;
use super::correlations::{MOST_COLUMNS, matrix};
use super::marginals::distances;
use crate::Result;

/// Differences of generated from real rows, column by column and pair by pair.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Differences {
    /// Names of all columns.
    pub names: Vec<String>,
    /// Distance of each column, in 0..=1: the Kolmogorov-Smirnov distance of numbers and times, the
    /// total variation distance of categories; `None` for a column that was given.
    pub columns: Vec<Option<f64>>,
    /// Dependence of two of the first [`width`](Self::width) columns in generated rows − that in
    /// real ones, row by row; NaN on the diagonal, and where it is not defined or both columns were
    /// given.
    pub pairs: Vec<f64>,
    /// Number of columns of which pairs are compared.
    pub width: usize,
}

impl Differences {
    /// Compares the rows of `view`.
    ///
    /// # Errors
    /// If a side has no row, or the columns of both sides differ.
    pub fn of(view: &TableView<'_>) -> Result<Self> {
        let columns = view.columns(false)?;
        let all = distances(view)?.into_iter().zip(&columns);
        let compared = &columns[..columns.len().min(MOST_COLUMNS)];
        let real = matrix(compared, |column| &column.real);
        let generated = matrix(compared, |column| &column.generated);
        let width = compared.len();
        let difference = |(i, (generated, real)): (usize, (&f64, &f64))| {
            let (a, b) = (i / width, i % width);
            match a == b || (compared[a].given && compared[b].given) {
                true => f64::NAN,
                false => generated - real,
            }
        };
        Ok(Self {
            names: columns.iter().map(|column| column.info.name.clone()).collect(),
            columns: all.map(|(distance, column)| distance.filter(|_| !column.given)).collect(),
            pairs: generated.iter().zip(&real).enumerate().map(difference).collect(),
            width,
        })
    }

    /// Mean distance of the columns, and the column that is farthest apart with its distance;
    /// `None` if every column was given.
    pub fn of_columns(&self) -> Option<(f64, &str, f64)> {
        let all = self.names.iter().zip(&self.columns);
        let all = all.filter_map(|(name, distance)| Some((name.as_str(), (*distance)?)));
        summary(all, |distance| *distance)
    }

    /// Mean absolute difference of the pairs, and the pair with the largest one; `None` if no pair
    /// has a value.
    pub fn of_pairs(&self) -> Option<(f64, (&str, &str), f64)> {
        let all = self.pairs.iter().enumerate().filter(|(_, value)| value.is_finite());
        let all = all.map(|(i, value)| ((i / self.width, i % self.width), *value));
        let all = all.filter(|((a, b), _)| a < b);
        let all = all.map(|((a, b), v)| ((self.names[a].as_str(), self.names[b].as_str()), v));
        summary(all, |value| value.abs())
    }
}

/// Mean of the sizes of all values, and the item of the largest one with its value.
fn summary<T>(
    all: impl Iterator<Item = (T, f64)>,
    size: impl Fn(&f64) -> f64,
) -> Option<(f64, T, f64)> {
    let all: Vec<(T, f64)> = all.collect();
    let mean = all.iter().map(|(_, value)| size(value)).sum::<f64>() / all.len() as f64;
    let (item, value) = all.into_iter().max_by(|a, b| size(&a.1).total_cmp(&size(&b.1)))?;
    Some((mean, item, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{TableColumn, TableRows};

    #[test]
    fn a_turned_sign_is_the_largest_difference_of_pairs_and_a_shift_that_of_columns() {
        let columns = ["a", "b", "c"].map(TableColumn::number);
        let rows = |sign: f64, shift: f64| -> Vec<f64> {
            (0..100).map(f64::from).flat_map(|x| [x, sign * x, x * x % 17.0 + shift]).collect()
        };
        let (real, generated) = (rows(1.0, 0.0), rows(-1.0, 1e3));
        let mut view = TableView {
            title: String::new(),
            subtitle: String::new(),
            sides: ["real", "generated"].map(str::to_owned),
            real: TableRows { columns: &columns, values: &real },
            generated: TableRows { columns: &columns, values: &generated },
            given: Vec::new(),
        };
        let found = Differences::of(&view).unwrap();
        let (mean, pair, difference) = found.of_pairs().unwrap();
        assert_eq!(pair, ("a", "b"));
        assert!((difference + 2.0).abs() < 1e-9 && (0.6..1.0).contains(&mean), "{mean}");
        // `b` is −x in 0..100, which shares the value 0 with x.
        assert_eq!(found.of_columns().unwrap().1, "c");
        assert_eq!(found.columns, [Some(0.0), Some(0.99), Some(1.0)]);
        view.given = vec![true, false, true];
        let found = Differences::of(&view).unwrap();
        assert_eq!(found.columns, [None, Some(0.99), None]);
        let defined: Vec<bool> = found.pairs.iter().map(|v| v.is_finite()).collect();
        assert_eq!(defined, [false, true, false, true, false, true, false, true, false]);
    }
}
