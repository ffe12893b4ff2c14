//! Images in bytes, which stay so (a quarter of the memory) and are scaled when rows are taken.

use super::Normaliser;
use tch::{Kind, Tensor};

/// Value of the byte 1 in the data's own units.
const STEP: f64 = 1.0 / 255.0;

/// True if values are images in bytes, `[n, C, H, W]`.
pub(super) fn is_image(values: &Tensor) -> bool {
    values.kind() == Kind::Uint8 && values.dim() == 4
}

/// Converts bytes of images to the data's own units, \[0, 1\]; other values stay as they are, in
/// `kind` or in float64.
pub(crate) fn own_units(values: &Tensor, kind: Kind) -> Tensor {
    match values.kind() {
        Kind::Double => values.shallow_clone(),
        _ if is_image(values) => values.to_kind(kind) * STEP,
        _ => values.to_kind(kind),
    }
}

/// Number of occurrences of each byte, `[256]` int64: exact, and without a copy of the data in a
/// wider type.
pub(super) fn histogram(values: &Tensor) -> Tensor {
    values.reshape([-1]).bincount(None::<&Tensor>, 256)
}

impl Normaliser {
    /// Normalises rows as a file has them, in numbers or bytes.
    pub(super) fn apply_to_raw(&self, values: &Tensor) -> Tensor {
        self.apply(&own_units(values, self.kind()))
    }

    /// Fits a normaliser to bytes, all entries together.
    pub(super) fn fit_bytes(values: &Tensor, kind: Kind) -> Self {
        Self::fit_histogram(&histogram(values), kind)
    }

    /// Fits a normaliser to bytes, given the number of occurrences of each.
    pub(super) fn fit_histogram(counts: &Tensor, kind: Kind) -> Self {
        let counts = counts.to_kind(Kind::Double);
        let own = Tensor::arange(256, (Kind::Double, counts.device())) * STEP;
        let count = counts.sum(Kind::Double);
        let mean = (&counts * &own).sum(Kind::Double) / &count;
        let variance = (&counts * (own - &mean).square()).sum(Kind::Double) / count;
        let as_row = |t: Tensor| t.reshape([1]).to_kind(kind);
        Self::new(as_row(mean), as_row(variance.sqrt()), kind)
    }
}
