//! Comparisons of results with expected values.

use crate::component::shape_text;
use crate::error::{Error, Result};
use tch::{Kind as DType, Tensor};

/// Checks a condition; the error has the given message.
pub(super) fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::runtime(message())) }
}

/// Checks that `found` has the given shape, and the precision and device of `like`.
pub(super) fn layout(what: &str, found: &Tensor, shape: &[i64], like: &Tensor) -> Result<()> {
    ensure(found.size() == shape, || {
        format!("{what} is {}, expected {}", shape_text(&found.size()), shape_text(shape))
    })?;
    ensure(found.kind() == like.kind(), || {
        format!("{what} is {:?}, expected {:?} like the input", found.kind(), like.kind())
    })?;
    ensure(found.device() == like.device(), || {
        format!("{what} is on {:?}, expected {:?}", found.device(), like.device())
    })
}

/// Checks that every entry is finite.
pub(super) fn finite(what: &str, found: &Tensor) -> Result<()> {
    ensure(found.isfinite().all().int64_value(&[]) == 1, || format!("{what} is not finite"))
}

/// True if shape, precision and values are equal; NaN equals NaN.
pub(super) fn identical(a: &Tensor, b: &Tensor) -> bool {
    let same = || if a.is_floating_point() { a.allclose(b, 0.0, 0.0, true) } else { a.equal(b) };
    a.size() == b.size() && a.kind() == b.kind() && same()
}

/// True if the lists are equal, bit for bit.
pub(super) fn all_identical(a: &[Tensor], b: &[Tensor]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| identical(a, b))
}

/// Largest difference between two tensors of one shape, relative for entries above 1; infinite if
/// an entry is NaN.
pub(super) fn distance(found: &Tensor, expected: &Tensor) -> f64 {
    let (found, expected) = (found.to_kind(DType::Double), expected.to_kind(DType::Double));
    if found.numel() == 0 {
        return 0.0;
    }
    let error = (&found - &expected).abs() / expected.abs().clamp_min(1.0);
    let worst = error.max().double_value(&[]);
    if worst.is_nan() { f64::INFINITY } else { worst }
}

/// Checks that every entry of `found` is within `tolerance` of `expected`, as [`distance`] measures
/// it.
pub(super) fn close(what: &str, found: &Tensor, expected: &Tensor, tolerance: f64) -> Result<()> {
    ensure(found.size() == expected.size(), || {
        let (found, expected) = (found.size(), expected.size());
        format!("{what} is {}, expected {}", shape_text(&found), shape_text(&expected))
    })?;
    let off = distance(found, expected);
    ensure(off <= tolerance, || {
        format!("{what} is off by {off:.2e}, at most {tolerance:.0e} expected")
    })
}
