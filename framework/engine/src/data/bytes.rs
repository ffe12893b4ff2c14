//! Images as bytes: kept as they are, a quarter of the memory, and scaled when rows are taken.

use super::Normaliser;
use tch::{Kind, Tensor};

/// What a byte of 1 is worth in the data's own units.
const STEP: f64 = 1.0 / 255.0;

/// Whether a table's values are kept as bytes: images `[n, C, H, W]`.
pub(super) fn kept(values: &Tensor) -> bool {
    values.kind() == Kind::Uint8 && values.dim() == 4
}

/// Bytes in the data's own units, \[0, 1\]; other values as they are, in `kind` or in float64.
pub(crate) fn own_units(values: &Tensor, kind: Kind) -> Tensor {
    match values.kind() {
        Kind::Double => values.shallow_clone(),
        _ if kept(values) => values.to_kind(kind) * STEP,
        _ => values.to_kind(kind),
    }
}

/// How often each byte occurs, `[256]` int64: exact, and no copy of the data in a wider type.
pub(super) fn count(values: &Tensor) -> Tensor {
    values.reshape([-1]).bincount(None::<&Tensor>, 256)
}

impl Normaliser {
    /// Normalised values of rows as they are in a file.
    pub(super) fn raw(&self, values: &Tensor) -> Tensor {
        self.apply(&own_units(values, self.kind()))
    }

    /// Fitted on bytes, all entries together.
    pub(super) fn fit_bytes(values: &Tensor, kind: Kind) -> Self {
        Self::of_bytes(&count(values), kind)
    }

    /// Fitted on as often as each byte occurs.
    pub(super) fn of_bytes(often: &Tensor, kind: Kind) -> Self {
        let often = often.to_kind(Kind::Double);
        let own = Tensor::arange(256, (Kind::Double, often.device())) * STEP;
        let count = often.sum(Kind::Double);
        let mean = (&often * &own).sum(Kind::Double) / &count;
        let variance = (&often * (own - &mean).square()).sum(Kind::Double) / count;
        let as_row = |t: Tensor| t.reshape([1]).to_kind(kind);
        Self::new(as_row(mean), as_row(variance.sqrt()), kind)
    }
}
