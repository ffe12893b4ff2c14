use super::same_columns;
use crate::Result;
use crate::table::TableRows;

/// Similarity of the distributions of each column, in \[0, 1\]: for numbers and times 1 − the
/// Kolmogorov-Smirnov statistic, for flags and categories 1 − the total variation distance. Missing
/// cells do not count; `None` for a column that has no others on one side. These are the column
/// shapes of `sdmetrics`.
///
/// # Errors
/// [`Error::Runtime`](crate::Error::Runtime) for tables of different columns.
pub fn column_shapes(real: TableRows<'_>, generated: TableRows<'_>) -> Result<Vec<Option<f64>>> {
    same_columns(real, generated)?;
    let shape = |(number, column): (usize, &crate::table::TableColumn)| {
        let there = |rows: TableRows<'_>| rows.column(number).filter(|v| !v.is_nan()).collect();
        let (mut real, mut generated): (Vec<f64>, Vec<f64>) = (there(real), there(generated));
        for values in [&mut real, &mut generated] {
            values.sort_unstable_by(f64::total_cmp);
        }
        let distance = match column.names() {
            None => kolmogorov_smirnov(&real, &generated),
            Some(_) => total_variation(&real, &generated),
        };
        (!real.is_empty() && !generated.is_empty()).then_some(1.0 - distance)
    };
    Ok(real.columns.iter().enumerate().map(shape).collect())
}

/// Share of missing cells of each column: real, generated.
///
/// # Errors
/// [`Error::Runtime`](crate::Error::Runtime) for tables of different columns.
pub fn missing_cells(real: TableRows<'_>, generated: TableRows<'_>) -> Result<Vec<(f64, f64)>> {
    same_columns(real, generated)?;
    let share = |rows: TableRows<'_>, column: usize| {
        rows.column(column).filter(|v| v.is_nan()).count() as f64 / rows.len().max(1) as f64
    };
    Ok((0..real.columns.len())
        .map(|column| (share(real, column), share(generated, column)))
        .collect())
}

/// Largest difference of the shares of values that are at most x, over all x, of sorted values.
fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> f64 {
    runs(a, b)
        .fold((0.0, 0.0, 0.0_f64), |(of_a, of_b, most), (in_a, in_b)| {
            let (of_a, of_b) = (of_a + in_a, of_b + in_b);
            let difference = of_a / a.len() as f64 - of_b / b.len() as f64;
            (of_a, of_b, most.max(difference.abs()))
        })
        .2
}

/// Half the sum of the differences of the shares of each value, of sorted values.
fn total_variation(a: &[f64], b: &[f64]) -> f64 {
    let difference = |(in_a, in_b)| in_a / a.len() as f64 - in_b / b.len() as f64;
    runs(a, b).map(|run| difference(run).abs()).sum::<f64>() / 2.0
}

/// Number of values in `a` and in `b`, both sorted, that are equal to the smallest, the second
/// smallest and so on of all values.
fn runs<'a>(mut a: &'a [f64], mut b: &'a [f64]) -> impl Iterator<Item = (f64, f64)> + 'a {
    std::iter::from_fn(move || {
        let least = match (a.first(), b.first()) {
            (Some(a), Some(b)) => a.min(*b),
            (Some(only), None) | (None, Some(only)) => *only,
            (None, None) => return None,
        };
        let take = |values: &mut &'a [f64]| {
            let equal = values.iter().take_while(|v| **v == least).count();
            *values = &values[equal..];
            equal as f64
        };
        Some((take(&mut a), take(&mut b)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::mean_of_defined;
    use super::super::testing::{cases, close, column_scores};
    use super::*;

    #[test]
    fn golden_values_hold() {
        for case in cases() {
            let found = column_shapes(case.real(), case.generated()).unwrap();
            for (column, (found, expected)) in
                found.iter().zip(column_scores(&case.expected["shapes"])).enumerate()
            {
                close(&format!("{} column {column}", case.name), *found, expected);
            }
            let all = case.expected["shapes_mean"].as_f64();
            close(&case.name, mean_of_defined(found), all);
        }
    }

    #[test]
    fn missing_cells_are_counted_on_both_sides() {
        let columns =
            [crate::table::TableColumn::number("a"), crate::table::TableColumn::number("b")];
        let rows = |values| TableRows { columns: &columns, values };
        let (real, generated) = ([f64::NAN, 1.0, 2.0, f64::NAN], [f64::NAN; 2]);
        let found = missing_cells(rows(&real), rows(&generated)).unwrap();
        assert_eq!(found, [(0.5, 1.0), (0.5, 1.0)]);
        let one = TableRows { columns: &columns[..1], values: &real };
        assert!(
            missing_cells(rows(&real), one).is_err() && column_shapes(rows(&real), one).is_err()
        );
    }
}
