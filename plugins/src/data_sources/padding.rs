//! Padding of sequences that their lengths do not tell of.

use std::ops::ControlFlow;
use std::path::Path as FsPath;
use triflow::prelude::*;

/// Rows of sequences as a file holds them.
struct Padded<'a> {
    /// `[rows, T, …]`.
    shape: &'a [usize],
    /// All entries, those behind the ends as zeros where `lengths` are known.
    values: &'a [f32],
    /// How long each row is, `[rows]`, where the file says.
    lengths: Option<&'a [i64]>,
}

/// NaN that stands where padding would.
struct Tail {
    row: usize,
    /// The first position that holds NaN.
    from: usize,
    /// How many positions are there, by the lengths.
    told: usize,
}

impl Padded<'_> {
    /// What to say where every NaN is one of positions that are NaN as a whole, up to the end of what is
    /// there of their row; none where there is no NaN, or another one. `names` are those of the arrays of
    /// lengths that would be looked at, the first of them the rows' own.
    fn advice(&self, names: [&str; 2]) -> Option<String> {
        let Tail { row, from, told } = self.tail()?;
        Some(match self.lengths {
            None => format!(
                "row {row} (counted from 0) is NaN from position {from} to its end, as padding is; say how \
                 long each row is with an array `{}` of {} integers, here {from} (or `{}` for x and y alike)",
                names[0], self.shape[0], names[1]
            ),
            Some(_) => format!(
                "row {row} (counted from 0) is NaN from position {from} on, as padding is, but its length is \
                 {told}; the integers in `{}` (or `{}`) say how many positions of each row are there, here \
                 {from}",
                names[0], names[1]
            ),
        })
    }

    /// The first row that ends in NaN, if no NaN stands elsewhere.
    fn tail(&self) -> Option<Tail> {
        let [rows, steps, rest @ ..] = self.shape else { return None };
        let width = rest.iter().product::<usize>();
        if width == 0 || *steps == 0 {
            return None;
        }
        let mut first = None;
        let done = self.values.chunks(steps * width).take(*rows).enumerate().try_for_each(
            |(row, values)| {
                let told = self.lengths.and_then(|all| all.get(row).copied());
                let told = told.and_then(|n| usize::try_from(n).ok()).unwrap_or(*steps).min(*steps);
                let there = &values[..told * width];
                let Some(at) = there.iter().position(|v| v.is_nan()) else {
                    return ControlFlow::Continue(());
                };
                let from = at / width;
                // A row of padding alone is none.
                if from == 0 || !there[from * width..].iter().all(|v| v.is_nan()) {
                    return ControlFlow::Break(());
                }
                first.get_or_insert(Tail { row, from, told });
                ControlFlow::Continue(())
            },
        );
        first.filter(|_| done.is_continue())
    }
}

/// An error where the NaN of an array are padding. `part` is the usual name of the array, as `x_val`; `what` names
/// it in the error.
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

    fn told(values: &[f32], lengths: Option<&[i64]>) -> Option<String> {
        // Two rows of three positions of two features.
        Padded { shape: &[2, 3, 2], values, lengths }.advice(NAMES)
    }

    #[test]
    fn nan_up_to_the_ends_is_padding() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1.0, 2.0, NAN, NAN, NAN, NAN];
        assert_eq!(
            told(&values, None).unwrap(),
            "row 1 (counted from 0) is NaN from position 1 to its end, as padding is; say how long each row \
             is with an array `x_lengths` of 2 integers, here 1 (or `lengths` for x and y alike)"
        );
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1.0, 2.0, NAN, NAN, 0.0, 0.0];
        assert_eq!(
            told(&values, Some(&[3, 2])).unwrap(),
            "row 1 (counted from 0) is NaN from position 1 on, as padding is, but its length is 2; the \
             integers in `x_lengths` (or `lengths`) say how many positions of each row are there, here 1"
        );
    }

    #[test]
    fn a_nan_among_numbers_is_none() {
        let whole = [1.0; 12];
        assert_eq!(told(&whole, None), None);
        for at in [0, 2, 5] {
            let mut values = whole;
            values[at] = NAN;
            assert_eq!(told(&values, None), None, "{at}");
        }
        // Padding in one row does not excuse a gap in another.
        let mut values = [1.0, 2.0, 3.0, 4.0, NAN, NAN, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert!(told(&values, None).is_some());
        values[8] = NAN;
        assert_eq!(told(&values, None), None);
        assert_eq!(told(&[NAN; 12], None), None);
    }
}
