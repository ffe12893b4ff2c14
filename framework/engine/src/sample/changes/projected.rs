use super::{Change, Prediction, Shift};
use crate::component::{Pass, Projection};
use crate::data::Normaliser;
use crate::error::Result;
use crate::model::Model;
use tch::Tensor;

/// A projection of the data.
pub struct Projected<'g> {
    /// The projection.
    pub projection: &'g dyn Projection,
    /// The data that it has.
    pub space: Space<'g>,
}

/// The data that a projection has.
#[derive(Clone, Copy, Debug)]
pub enum Space<'g> {
    /// Latents.
    Latents,
    /// Latents that are targets, in these units.
    Units(&'g Normaliser),
    /// Targets that a model decodes and encodes, with the mask of sequences.
    Targets(&'g Model, Option<&'g Tensor>),
}

impl<'g> Space<'g> {
    /// The data that `projection` has of latents of a model whose targets have these units.
    ///
    /// # Errors
    /// Those of the component.
    pub fn of(
        projection: &dyn Projection,
        model: &'g Model,
        units: &'g Normaliser,
        mask: Option<&'g Tensor>,
    ) -> Result<Self> {
        Ok(match projection.decodes()? {
            true => Self::Targets(model, mask),
            false if model.latent_is_target() => Self::Units(units),
            false => Self::Latents,
        })
    }
}

impl Projected<'_> {
    /// Change of `data` `[batch, …z_shape]` by the projection; exactly 0 where a projection of
    /// latents does nothing.
    fn change(&self, data: &Tensor) -> Result<Tensor> {
        match self.space {
            Space::Latents => Ok(self.projection.project(data)? - data),
            Space::Units(units) => {
                let own = units.undo(data);
                let projected = self.projection.project(&own)?;
                if units.is_linear() {
                    return Ok(((projected - own) / units.scale()).to_kind(data.kind()));
                }
                Ok(units.apply(&projected) - units.apply(&own))
            }
            Space::Targets(model, mask) => {
                let pass = Pass::EVAL.masked(mask);
                let decoded = model.decode(&data.to_kind(model.vars.kind()), pass)?;
                let target = self.projection.project(&model.present(&decoded))?;
                Ok(model.encode(&target, pass)?.mean.to_kind(data.kind()) - data)
            }
        }
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
