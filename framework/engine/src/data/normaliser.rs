//! Mean and deviation by which values are scaled, and back.

use super::moments::columns;
use tch::{Device, Kind, Tensor};

/// Scales values to mean 0 and deviation 1, and back.
///
/// It works in the model's precision, or in float64 where float32 would not hold the digits of a feature beside its
/// mean; the data's own units are float64 then.
#[derive(Debug)]
pub struct Normaliser {
    /// `[…]`, broadcastable to a row; in the precision of the data's own units.
    pub mean: Tensor,
    /// Likewise; 0 for a feature that does not vary, which comes back as its mean.
    pub deviation: Tensor,
    /// What values are divided by: the deviation, or 1.
    divisor: Tensor,
    /// The precision of normalised values.
    kind: Kind,
}

impl Clone for Normaliser {
    fn clone(&self) -> Self {
        Self {
            mean: self.mean.shallow_clone(),
            deviation: self.deviation.shallow_clone(),
            divisor: self.divisor.shallow_clone(),
            kind: self.kind,
        }
    }
}

/// `[n, …]` as columns that are scaled each by itself: of a larger shape there is one.
pub(super) fn features(values: &Tensor) -> Tensor {
    if values.dim() == 2 { values.shallow_clone() } else { values.reshape([-1, 1]) }
}

impl Normaliser {
    /// From mean and deviation of one precision; normalised values are of `kind`.
    pub fn new(mean: Tensor, deviation: Tensor, kind: Kind) -> Self {
        let divisor = deviation.where_self(&deviation.ne(0.0), &deviation.ones_like());
        Self { mean, deviation, divisor, kind }
    }

    /// Leaves values alone.
    pub fn identity(kind: Kind, device: Device) -> Self {
        let options = (kind, device);
        Self::new(Tensor::zeros([1], options), Tensor::ones([1], options), kind)
    }

    /// Fitted on `[n, …]`, for a model of precision `kind`: each feature of a vector by itself, all entries of a
    /// larger shape together.
    pub fn fit(values: &Tensor, kind: Kind) -> Self {
        let fitted =
            columns(values, kind).map(|(mean, deviation)| Self::fitted(mean, deviation, kind));
        fitted.map_or_else(
            || Self::identity(kind, values.device()),
            |own| own.to_device(values.device()),
        )
    }

    pub(super) fn to_device(&self, device: Device) -> Self {
        let of = |t: &Tensor| t.to_device(device);
        Self::new(of(&self.mean), of(&self.deviation), self.kind)
    }

    /// The precision of normalised values.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What a unit of normalised values is in the data's own units, `[…]`; 1 for a feature that does not vary.
    pub fn scale(&self) -> &Tensor {
        &self.divisor
    }

    /// To mean 0 and deviation 1.
    pub fn apply(&self, values: &Tensor) -> Tensor {
        let mut centred = values.to_kind(self.mean.kind()) - &self.mean;
        centred /= &self.divisor;
        centred.to_kind(self.kind)
    }

    /// Back to the data's own units.
    pub fn undo(&self, values: &Tensor) -> Tensor {
        values.to_kind(self.mean.kind()) * &self.deviation + &self.mean
    }
}
