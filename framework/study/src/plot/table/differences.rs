use super::correlations::{matrix, most_dependent};
use super::marginals::distances;
use super::{Column, TableView};
use crate::Result;

/// Differences of generated from real rows, column by column and pair by pair.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Differences {
    /// Names of all columns.
    pub names: Vec<String>,
    /// Distance of each column, in 0..=1: the Kolmogorov-Smirnov distance of numbers and times, the
    /// total variation distance of categories; `None` for a column that was given.
    pub columns: Vec<Option<f64>>,
    /// Numbers of the columns of which pairs are compared, those that depend most on others.
    pub compared: Vec<usize>,
    /// Dependence of two [`compared`](Self::compared) columns in generated rows − that in real
    /// ones, row by row; NaN on the diagonal, and where it is not defined or both columns were
    /// given.
    pub pairs: Vec<f64>,
}

impl Differences {
    /// Compares the rows of `view`, and the pairs of at most `most` columns.
    ///
    /// # Errors
    /// If a side has no row, or the columns of both sides differ.
    pub fn of(view: &TableView<'_>, most: usize) -> Result<Self> {
        let columns = view.columns(false)?;
        let all = distances(view)?.into_iter().zip(&columns);
        let compared = most_dependent(&columns, most);
        let real = matrix(&compared, |column| &column.real);
        let generated = matrix(&compared, |column| &column.generated);
        let width = compared.len();
        let difference = |(i, (generated, real)): (usize, (&f64, &f64))| {
            let (a, b) = (i / width, i % width);
            match a == b || (compared[a].given && compared[b].given) {
                true => f64::NAN,
                false => generated - real,
            }
        };
        let place = |column: &&Column<'_>| columns.iter().position(|c| std::ptr::eq(c, *column));
        Ok(Self {
            names: columns.iter().map(|column| column.info.name.clone()).collect(),
            columns: all.map(|(distance, column)| distance.filter(|_| !column.given)).collect(),
            pairs: generated.iter().zip(&real).enumerate().map(difference).collect(),
            compared: compared.iter().filter_map(place).collect(),
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
        let width = self.compared.len();
        let all = all.map(|(i, value)| ((i / width, i % width), *value));
        let all = all.filter(|((a, b), _)| a < b);
        let name = |place: usize| self.names[self.compared[place]].as_str();
        let all = all.map(|((a, b), value)| ((name(a), name(b)), value));
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
        let found = Differences::of(&view, 9).unwrap();
        let (mean, pair, difference) = found.of_pairs().unwrap();
        assert_eq!(pair, ("a", "b"));
        assert!((difference + 2.0).abs() < 1e-9 && (0.6..1.0).contains(&mean), "{mean}");
        // `b` is −x in 0..100, which shares the value 0 with x.
        assert_eq!(found.of_columns().unwrap().1, "c");
        assert_eq!(found.columns, [Some(0.0), Some(0.99), Some(1.0)]);
        view.given = vec![true, false, true];
        let found = Differences::of(&view, 9).unwrap();
        assert_eq!(found.columns, [None, Some(0.99), None]);
        let defined: Vec<bool> = found.pairs.iter().map(|v| v.is_finite()).collect();
        assert_eq!(defined, [false, true, false, true, false, true, false, true, false]);
        // `c` depends least on the others.
        let found = Differences::of(&view, 2).unwrap();
        assert_eq!((found.compared, found.pairs.len(), found.columns.len()), (vec![0, 1], 4, 3));
    }
}
