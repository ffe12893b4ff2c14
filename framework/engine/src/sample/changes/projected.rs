use super::{Change, Prediction, Shift};
use crate::component::Projection;
use crate::data::Normaliser;
use crate::error::Result;
use tch::Tensor;

/// A projection of the data.
pub struct Projected<'g> {
    /// The projection.
    pub projection: &'g dyn Projection,
    /// Units that latents are converted to for the projection; `None`: it has latents.
    pub units: Option<&'g Normaliser>,
}

impl Projected<'_> {
    /// Change of `data` `[batch, …z_shape]` by the projection; exactly 0 where there is none.
    fn change(&self, data: &Tensor) -> Result<Tensor> {
        let own = self.units.map(|units| units.undo(data));
        let own = own.as_ref().unwrap_or(data);
        let projected = self.projection.project(own)?;
        Ok(match self.units {
            Some(units) if units.is_linear() => {
                ((projected - own) / units.scale()).to_kind(data.kind())
            }
            Some(units) => units.apply(&projected) - units.apply(own),
            None => projected - own,
        })
    }
}

impl Change for Projected<'_> {
    fn shift(&self, prediction: &Prediction<'_>) -> Result<Shift> {
        Ok(Shift::Data(self.change(&prediction.data)?))
    }

    fn finished(&self, data: Tensor) -> Result<Tensor> {
        Ok(&data + self.change(&data)?)
    }
}
