use super::moments::columns;
use tch::{Device, Kind, Tensor};

/// Scales values to mean 0 and standard deviation 1, and back.
///
/// The scaling is in the model's precision, or in float64 if float32 would lose digits of a feature
/// because of its large mean; values in the data's own units are float64 then.
#[derive(Debug)]
pub struct Normaliser {
    /// Mean, broadcastable to a row, in the precision of the data's own units.
    pub mean: Tensor,
    /// Standard deviation, of the mean's shape and precision; 0 for a feature that does not vary,
    /// which [`undo`](Self::undo) gives its mean.
    pub deviation: Tensor,
    /// The deviation, or 1 where it is 0.
    divisor: Tensor,
    /// Precision of normalised values.
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

/// Reshapes `[n, …]` to the columns that are scaled separately; larger shapes have a single one.
pub(super) fn features(values: &Tensor) -> Tensor {
    if values.dim() == 2 { values.shallow_clone() } else { values.reshape([-1, 1]) }
}

impl Normaliser {
    /// Normaliser with a mean and a deviation of the same precision; normalised values are of
    /// `kind`.
    pub fn new(mean: Tensor, deviation: Tensor, kind: Kind) -> Self {
        let divisor = deviation.where_self(&deviation.ne(0.0), &deviation.ones_like());
        Self { mean, deviation, divisor, kind }
    }

    /// Normaliser that leaves values as they are.
    pub fn identity(kind: Kind, device: Device) -> Self {
        let options = (kind, device);
        Self::new(Tensor::zeros([1], options), Tensor::ones([1], options), kind)
    }

    /// Fits a normaliser to `values` `[n, …]`, for a model of precision `kind`: each feature of
    /// vectors separately, all entries of larger shapes together.
    pub fn fit(values: &Tensor, kind: Kind) -> Self {
        let fitted =
            columns(values, kind).map(|(mean, deviation)| Self::fitted(mean, deviation, kind));
        fitted.map_or_else(
            || Self::identity(kind, values.device()),
            |own| own.to_device(values.device()),
        )
    }

    pub(super) fn to_device(&self, device: Device) -> Self {
        Self::new(self.mean.to_device(device), self.deviation.to_device(device), self.kind)
    }

    /// Precision of normalised values.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Size of a unit of normalised values in the data's own units, of the mean's shape; 1 for a
    /// feature that does not vary.
    pub fn scale(&self) -> &Tensor {
        &self.divisor
    }

    /// Normalises values.
    pub fn apply(&self, values: &Tensor) -> Tensor {
        let mut centred = values.to_kind(self.mean.kind()) - &self.mean;
        centred /= &self.divisor;
        centred.to_kind(self.kind)
    }

    /// Converts normalised values back to the data's own units.
    pub fn undo(&self, values: &Tensor) -> Tensor {
        values.to_kind(self.mean.kind()) * &self.deviation + &self.mean
    }
}
