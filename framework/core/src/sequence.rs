//! Sequences of different lengths: rows `[T, …]` in one tensor `[batch, T, …]`, padded at the end,
//! with a mask `[batch, T]` that is 1 at positions of the sequence and 0 in the padding.

use crate::error::{Error, Result};
use tch::{Device, Kind, Tensor};

/// Appends axes of length 1 to `mask` `[batch, T]`, so that it broadcasts over `like` `[batch, T,
/// …]`; in the precision of `like`.
pub fn spread(mask: &Tensor, like: &Tensor) -> Tensor {
    let mut shape = mask.size();
    shape.resize(like.dim().max(2), 1);
    mask.to_kind(like.kind()).view(shape.as_slice())
}

/// `x` `[batch, T, …]` with zeros in the padding, even where it held NaN or infinity.
pub fn keep(x: &Tensor, mask: Option<&Tensor>) -> Tensor {
    match mask {
        Some(mask) => x.masked_fill(&spread(mask, x).eq(0.0), 0.0),
        None => x.shallow_clone(),
    }
}

/// Positions of `x` `[batch, T, …]` outside the padding, concatenated: `[positions, …]`.
pub fn positions(x: &Tensor, mask: Option<&Tensor>) -> Tensor {
    let flat = x.flatten(0, 1);
    match mask {
        Some(mask) => flat.index_select(0, &mask.reshape([-1]).nonzero().squeeze_dim(1)),
        None => flat,
    }
}

/// Length of each row of `mask`, `[batch]` int64.
pub fn lengths(mask: &Tensor) -> Tensor {
    mask.to_kind(Kind::Int64).sum_dim_intlist([1].as_slice(), false, Kind::Int64)
}

/// Checks `lengths` (`[n]` integers, each from 1 to `steps`) and returns them as int64; `None`
/// where all rows are full. `what` names the rows in errors.
///
/// # Errors
/// [`Error::Config`] for lengths of another shape or type, or out of range.
pub fn check(lengths: &Tensor, (n, steps): (i64, i64), what: &str) -> Result<Option<Tensor>> {
    if lengths.size() != [n] || !matches!(lengths.kind(), Kind::Int64 | Kind::Int) {
        let message = format!(
            "the lengths of {what} have shape {:?} and type {:?}; needed: one integer for each of its {n} rows",
            lengths.size(),
            lengths.kind()
        );
        return Err(Error::config("data", message));
    }
    if n == 0 {
        return Ok(None);
    }
    let (low, high) = (lengths.min().int64_value(&[]), lengths.max().int64_value(&[]));
    if low < 1 || high > steps {
        let wrong = if low < 1 { low } else { high };
        let message = format!("a length of {what} is {wrong}, but its rows have {steps} positions");
        return Err(
            Error::config("data", message).help(format!("lengths lie between 1 and {steps}"))
        );
    }
    Ok((low < steps).then(|| lengths.to_kind(Kind::Int64)))
}

/// The mask `[n, steps]` of `lengths` `[n]`, on their device, without synchronising with it.
pub fn mask_of(lengths: &Tensor, steps: i64, kind: Kind) -> Tensor {
    let steps = Tensor::arange(steps, (Kind::Int64, lengths.device()));
    steps.unsqueeze(0).lt_tensor(&lengths.unsqueeze(1)).to_kind(kind)
}

/// The mask `[n, steps]` of `lengths` for rows of `steps` positions; `None` where all rows are
/// full.
///
/// # Errors
/// [`Error::Config`] for lengths that [`check`] refuses.
pub fn mask(
    lengths: &Tensor,
    (n, steps): (i64, i64),
    what: &str,
    (kind, device): (Kind, Device),
) -> Result<Option<Tensor>> {
    let lengths = check(lengths, (n, steps), what)?;
    Ok(lengths.map(|lengths| mask_of(&lengths, steps, kind).to_device(device)))
}

/// Reshapes rows to sequences `[n, T, features]`; the axis of a single feature may be missing.
///
/// # Errors
/// [`Error::Config`] for rows of more than two axes.
pub fn rows(values: Tensor, what: &str) -> Result<Tensor> {
    let shape = row_shape(&values.size()[1..], what)?;
    Ok(match values.dim() {
        3 => values,
        _ => values.reshape([&values.size()[..1], &shape[..]].concat().as_slice()),
    })
}

/// The shape `[T, features]` of one row as a sequence, from its shape in a file.
///
/// # Errors
/// [`Error::Config`] for a row of more than two axes.
pub fn row_shape(shape: &[i64], what: &str) -> Result<[i64; 2]> {
    match *shape {
        [steps, features] => Ok([steps, features]),
        [] => Ok([1, 1]),
        [steps] => Ok([steps, 1]),
        _ => {
            let message = format!(
                "{what} has rows of shape {shape:?}; sequences have rows of shape [T, features], or [T]"
            );
            Err(Error::config("data", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: (Kind, Device) = (Kind::Double, Device::Cpu);

    #[test]
    fn a_mask_says_what_lengths_say() {
        let lengths_ = Tensor::from_slice(&[2_i64, 4, 1]);
        let found = mask(&lengths_, (3, 4), "x", CPU).unwrap().unwrap();
        let rows: Vec<Vec<f64>> = Vec::try_from(&found).unwrap();
        assert_eq!(rows, [[1.0, 1.0, 0.0, 0.0], [1.0; 4], [1.0, 0.0, 0.0, 0.0]]);
        assert!(lengths(&found).equal(&lengths_));
        assert!(mask(&Tensor::from_slice(&[4_i64; 3]), (3, 4), "x", CPU).unwrap().is_none());
    }

    #[test]
    fn what_stood_in_the_padding_is_gone() {
        let found = mask(&Tensor::from_slice(&[1_i64, 2]), (2, 2), "x", CPU).unwrap();
        let x = Tensor::from_slice(&[1.0, 2.0, f64::NAN, f64::INFINITY, 5.0, 6.0, 7.0, 8.0])
            .view([2, 2, 2]);
        let kept: Vec<f64> = Vec::try_from(keep(&x, found.as_ref()).view([-1])).unwrap();
        assert_eq!(kept, [1.0, 2.0, 0.0, 0.0, 5.0, 6.0, 7.0, 8.0]);
        let there: Vec<Vec<f64>> = Vec::try_from(positions(&x, found.as_ref())).unwrap();
        assert_eq!(there, [[1.0, 2.0], [5.0, 6.0], [7.0, 8.0]]);
    }

    #[test]
    fn lengths_that_are_none_are_refused() {
        let message = |lengths: Tensor| mask(&lengths, (2, 3), "x", CPU).unwrap_err().to_string();
        assert!(
            message(Tensor::from_slice(&[1_i64, 4]))
                .contains("a length of x is 4, but its rows have 3 positions")
        );
        assert!(message(Tensor::from_slice(&[0_i64, 3])).contains("is 0"));
        assert!(
            message(Tensor::from_slice(&[1.0, 2.0])).contains("one integer for each of its 2 rows")
        );
        assert!(message(Tensor::from_slice(&[1_i64])).contains("one integer"));
        assert!(rows(Tensor::zeros([2, 3, 4, 5], CPU), "y").is_err());
    }
}
