//! Detection of padding by NaN that the lengths of sequences do not cover.

use std::ops::ControlFlow;
use std::path::Path as FsPath;
use triflow::prelude::*;

/// Rows of sequences in a file.
struct Padded<'a> {
    /// `[rows, T, …]`.
    shape: &'a [usize],
    /// All entries; those beyond the `lengths` are zero.
    values: &'a [f32],
    /// Length of each row, `[rows]`, where the file gives them.
    lengths: Option<&'a [i64]>,
}

/// NaN at the end of a row, as padding.
struct Tail {
    row: usize,
    /// First position that holds NaN.
    from: usize,
    /// Length of the row by the file.
    length: usize,
}

impl Padded<'_> {
    /// Advice how to give the lengths, if every NaN is in the tail of a row whose positions are NaN
    /// in all features. `names` are the possible arrays of lengths: that of the part, and that of x
    /// and y.
    fn advice(&self, names: [&str; 2]) -> Option<String> {
        let Tail { row, from, length } = self.tail()?;
        Some(match self.lengths {
            None => format!(
                "row {row} (counted from 0) is NaN from position {from} to its end, as padding is; \
                 give the length of each row in an array `{}` of {} integers, here {from} (or \
                 `{}` for both x and y)",
                names[0], self.shape[0], names[1]
            ),
            Some(_) => format!(
                "row {row} (counted from 0) is NaN from position {from} on, as padding is, but its \
                 length is {length}; the integers in `{}` (or `{}`) give the length of each row, \
                 here {from}",
                names[0], names[1]
            ),
        })
    }

    /// The first row that ends in NaN; `None` if there is none, or a NaN anywhere else.
    fn tail(&self) -> Option<Tail> {
        let [rows, steps, rest @ ..] = self.shape else { return None };
        let width = rest.iter().product::<usize>();
        if width == 0 || *steps == 0 {
            return None;
        }
        let mut first = None;
        let done = self.values.chunks(steps * width).take(*rows).enumerate().try_for_each(
            |(row, values)| {
                let length = self.lengths.and_then(|all| all.get(row).copied());
                let length = length.and_then(|n| usize::try_from(n).ok());
                let length = length.unwrap_or(*steps).min(*steps);
                let values = &values[..length * width];
                let Some(at) = values.iter().position(|v| v.is_nan()) else {
                    return ControlFlow::Continue(());
                };
                let from = at / width;
                // A row of nothing but NaN is not a padded sequence.
                if from == 0 || !values[from * width..].iter().all(|v| v.is_nan()) {
                    return ControlFlow::Break(());
                }
                first.get_or_insert(Tail { row, from, length });
                ControlFlow::Continue(())
            },
        );
        first.filter(|_| done.is_continue())
    }
}

/// Checks that the NaN of an array are not padding. `part` is the usual name of the array, such as
/// `x_val`; `what` names it in the error.
///
/// # Errors
/// All NaN are at the ends of rows, as padding is.
pub(super) fn check(
    path: &FsPath,
    what: &str,
    part: &str,
    shape: &[usize],
    values: &[f32],
    lengths: Option<&Tensor>,
) -> Result<()> {
    let lengths: Option<Vec<i64>> = lengths.map(Vec::try_from).transpose()?;
    let (side, set) = part.split_at(1);
    let names = [format!("{side}_lengths{set}"), format!("lengths{set}")];
    let padded = Padded { shape, values, lengths: lengths.as_deref() };
    match padded.advice([&names[0], &names[1]]) {
        Some(advice) => Err(Error::data(path, format!("{what}: {advice}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f32 = f32::NAN;
    const NAMES: [&str; 2] = ["x_lengths", "lengths"];

    fn advice(values: &[f32], lengths: Option<&[i64]>) -> Option<String> {
        // Two rows of three positions of two features.
        Padded { shape: &[2, 3, 2], values, lengths }.advice(NAMES)
    }

    #[test]
    fn nan_up_to_the_ends_is_padding() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1.0, 2.0, NAN, NAN, NAN, NAN];
        assert_eq!(
            advice(&values, None).unwrap(),
            "row 1 (counted from 0) is NaN from position 1 to its end, as padding is; give the \
             length of each row in an array `x_lengths` of 2 integers, here 1 (or `lengths` for \
             both x and y)"
        );
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1.0, 2.0, NAN, NAN, 0.0, 0.0];
        assert_eq!(
            advice(&values, Some(&[3, 2])).unwrap(),
            "row 1 (counted from 0) is NaN from position 1 on, as padding is, but its length is 2; \
             the integers in `x_lengths` (or `lengths`) give the length of each row, here 1"
        );
    }

    #[test]
    fn a_nan_among_numbers_is_not_padding() {
        let complete = [1.0; 12];
        assert_eq!(advice(&complete, None), None);
        for at in [0, 2, 5] {
            let mut values = complete;
            values[at] = NAN;
            assert_eq!(advice(&values, None), None, "{at}");
        }
        // Padding in one row does not excuse a gap in another.
        let mut values = [1.0, 2.0, 3.0, 4.0, NAN, NAN, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert!(advice(&values, None).is_some());
        values[8] = NAN;
        assert_eq!(advice(&values, None), None);
        assert_eq!(advice(&[NAN; 12], None), None);
    }
}
