use super::moments::columns;
use super::quantiles::Quantiles;
use tch::{Device, Kind, Tensor};

/// Scales values to mean 0 and standard deviation 1, or by their quantiles, and back.
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
    /// Quantiles of the entries that are scaled by them.
    quantiles: Option<Quantiles>,
}

impl Clone for Normaliser {
    fn clone(&self) -> Self {
        Self {
            mean: self.mean.shallow_clone(),
            deviation: self.deviation.shallow_clone(),
            divisor: self.divisor.shallow_clone(),
            kind: self.kind,
            quantiles: self.quantiles.as_ref().map(Quantiles::shallow_clone),
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
        Self { mean, deviation, divisor, kind, quantiles: None }
    }

    /// This normaliser with the quantiles of some entries.
    pub(super) fn with_quantiles(self, quantiles: Option<Quantiles>) -> Self {
        Self { quantiles, ..self }
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
        Self {
            quantiles: self.quantiles.as_ref().map(|own| own.to_device(device)),
            ..Self::new(self.mean.to_device(device), self.deviation.to_device(device), self.kind)
        }
    }

    /// This normaliser for some entries of a row, in the order of `entries` `[k]` int64, all of
    /// those with quantiles among them.
    pub(super) fn of_entries(&self, entries: &Tensor) -> Self {
        let some = |values: &Tensor| values.index_select(0, entries);
        let quantiles = self.quantiles.as_ref().map(|own| {
            let place = own.entries.unsqueeze(1).eq_tensor(&entries.unsqueeze(0));
            let entries = place.to_kind(Kind::Uint8).argmax(1, false);
            Quantiles { entries, ..own.shallow_clone() }
        });
        Self { quantiles, ..Self::new(some(&self.mean), some(&self.deviation), self.kind) }
    }

    /// Precision of normalised values.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Quantiles of the entries that are scaled by them.
    pub(super) fn quantiles(&self) -> Option<&Quantiles> {
        self.quantiles.as_ref()
    }

    /// True if normalised values are a linear function of values.
    pub fn is_linear(&self) -> bool {
        self.quantiles.is_none()
    }

    /// Size of a unit of normalised values in the data's own units, of the mean's shape; 1 for a
    /// feature that does not vary. Without meaning for entries that are scaled by quantiles.
    pub fn scale(&self) -> &Tensor {
        &self.divisor
    }

    /// Normalises values.
    pub fn apply(&self, values: &Tensor) -> Tensor {
        let mut centred = values.to_kind(self.mean.kind()) - &self.mean;
        centred /= &self.divisor;
        let scaled = centred.to_kind(self.kind);
        match &self.quantiles {
            Some(quantiles) => quantiles.apply(values, &scaled),
            None => scaled,
        }
    }

    /// Converts normalised values back to the data's own units.
    pub fn undo(&self, values: &Tensor) -> Tensor {
        let own = values.to_kind(self.mean.kind()) * &self.deviation + &self.mean;
        match &self.quantiles {
            Some(quantiles) => quantiles.undo(values, &own),
            None => own,
        }
    }
}
