//! How found and expected are compared.

use crate::component::shape_text;
use crate::error::{Error, Result};
use tch::{Kind as DType, Tensor};

/// An error with this message, unless `holds`.
pub(super) fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::runtime(message())) }
}

/// Shape, precision and device are those of `like`, but for the shape.
pub(super) fn form(what: &str, found: &Tensor, shape: &[i64], like: &Tensor) -> Result<()> {
    ensure(found.size() == shape, || {
        format!("{what} is {}, expected {}", shape_text(&found.size()), shape_text(shape))
    })?;
    ensure(found.kind() == like.kind(), || {
        format!("{what} is {:?}, expected {:?} as what was given", found.kind(), like.kind())
    })?;
    ensure(found.device() == like.device(), || {
        format!("{what} lies on {:?}, expected {:?}", found.device(), like.device())
    })
}

/// No entry is infinite or not a number.
pub(super) fn finite(what: &str, found: &Tensor) -> Result<()> {
    ensure(found.isfinite().all().int64_value(&[]) == 1, || format!("{what} is not finite"))
}

/// The same shape, precision and values; what is not a number equals itself.
pub(super) fn identical(a: &Tensor, b: &Tensor) -> bool {
    let same = || if a.is_floating_point() { a.allclose(b, 0.0, 0.0, true) } else { a.equal(b) };
    a.size() == b.size() && a.kind() == b.kind() && same()
}

/// Bit for bit the same lists.
pub(super) fn all_identical(a: &[Tensor], b: &[Tensor]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| identical(a, b))
}

/// The largest difference between two tensors of one shape, relative to entries above 1; infinite where
/// one is not a number.
pub(super) fn distance(found: &Tensor, expected: &Tensor) -> f64 {
    let (found, expected) = (found.to_kind(DType::Double), expected.to_kind(DType::Double));
    if found.numel() == 0 {
        return 0.0;
    }
    let error = (&found - &expected).abs() / expected.abs().clamp_min(1.0);
    let worst = error.max().double_value(&[]);
    if worst.is_nan() { f64::INFINITY } else { worst }
}

/// Every entry of `found` is within `tolerance` of `expected`, as [`distance`] measures it.
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
