use super::{code_of, same_columns};
use crate::Result;
use crate::table::TableRows;

/// Squared distance of two different categories, as of their one-hot vectors.
const DIFFERENT: f64 = 2.0;

/// Distance of each of `rows` to the closest of `reference`: numbers and times in units of their
/// deviation in `reference`, categories one-hot, a missing cell being a category of its own with
/// the mean as its number. Empty if there is no reference.
///
/// # Errors
/// [`Error::Runtime`](crate::Error::Runtime) for tables of different columns.
pub fn closest_distances(rows: TableRows<'_>, reference: TableRows<'_>) -> Result<Vec<f64>> {
    same_columns(rows, reference)?;
    if reference.is_empty() {
        return Ok(Vec::new());
    }
    let (mut numbers, mut categories) = (Vec::new(), Vec::new());
    for (number, column) in rows.columns.iter().enumerate() {
        let sides = [rows, reference].map(|side| side.column(number).collect::<Vec<f64>>());
        match column.names() {
            Some(names) => {
                categories
                    .push(sides.map(|cells| codes(&cells, |cell| code_of(cell, names.len()))));
            }
            None => {
                if sides.iter().flatten().any(|cell| cell.is_nan()) {
                    let there = |cells: &Vec<f64>| codes(cells, |cell| usize::from(cell.is_nan()));
                    categories.push(sides.each_ref().map(there));
                }
                numbers.push(scaled(sides));
            }
        }
    }
    let mut squares = vec![0.0; reference.len()];
    let nearest = |row: usize| {
        squares.fill(0.0);
        for [own, others] in &numbers {
            let own = own[row];
            squares.iter_mut().zip(others).for_each(|(sum, other)| *sum += (own - other).powi(2));
        }
        for [own, others] in &categories {
            let own = own[row];
            let different = |other: &u32| if *other == own { 0.0 } else { DIFFERENT };
            squares.iter_mut().zip(others).for_each(|(sum, other)| *sum += different(other));
        }
        squares.iter().copied().fold(f64::INFINITY, f64::min).sqrt()
    };
    Ok((0..rows.len()).map(nearest).collect())
}

fn codes(cells: &[f64], code: impl Fn(f64) -> usize) -> Vec<u32> {
    cells.iter().map(|cell| code(*cell) as u32).collect()
}

/// Cells in units of mean and deviation of the second side, missing ones at the mean.
fn scaled([rows, reference]: [Vec<f64>; 2]) -> [Vec<f64>; 2] {
    let there: Vec<f64> = reference.iter().copied().filter(|v| !v.is_nan()).collect();
    let n = there.len().max(1) as f64;
    let mean = there.iter().sum::<f64>() / n;
    let deviation = (there.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let deviation = if deviation > 0.0 { deviation } else { 1.0 };
    let place = |v: f64| if v.is_nan() { 0.0 } else { (v - mean) / deviation };
    [rows, reference].map(|cells| cells.into_iter().map(place).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::cases;
    use super::*;
    use crate::table::TableColumn;

    #[test]
    fn distances_are_those_of_encoded_rows() {
        let names = ["a", "b"].map(str::to_owned).to_vec();
        let columns = [TableColumn::number("x"), TableColumn::category("k", names)];
        let rows = |values| TableRows { columns: &columns, values };
        // Mean 2, deviation 1.
        let reference = [1.0, 0.0, 3.0, 1.0, f64::NAN, 1.0];
        let found = closest_distances(
            rows(&[1.0, 0.0, 2.5, 1.0, f64::NAN, 0.0, 3.0, f64::NAN]),
            rows(&reference),
        );
        let expected = [0.0, 0.5, 2f64.sqrt(), 2f64.sqrt()];
        for (found, expected) in found.unwrap().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert!(closest_distances(rows(&reference), rows(&[])).unwrap().is_empty());
    }

    #[test]
    fn a_copy_is_at_no_distance() {
        for case in cases() {
            let real = case.real();
            assert!(closest_distances(real, real).unwrap().iter().all(|distance| *distance == 0.0));
            let made = closest_distances(case.generated(), real).unwrap();
            assert!(made.iter().any(|distance| *distance > 0.1));
        }
    }
}
