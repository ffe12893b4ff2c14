use super::Predictor;
use crate::component::{Objective, Projection};
use crate::data::Normaliser;
use crate::error::Result;
use crate::path::{Path, Reading, rows};
use tch::{Device, Tensor};

/// A predictor whose data are projected. If the projection changes the data by δ, the noise of the
/// state changes by −(a/b)·δ, and so the output p·data + q·noise by −(D/b)·δ. Where the state holds
/// no noise (b = 0), the state alone determines the data, and nothing changes.
pub struct Projected<'g, P> {
    /// The predictor without the projection.
    pub predictor: P,
    /// The projection.
    pub projection: &'g dyn Projection,
    /// Units that latents are converted to for the projection; `None`: it has latents.
    pub units: Option<&'g Normaliser>,
}

impl<P> Projected<'_, P> {
    /// Change of `data` `[batch, …z_shape]` by the projection; exactly 0 where there is none.
    fn change(&self, data: &Tensor) -> Result<Tensor> {
        let own = self.units.map(|units| units.undo(data));
        let own = own.as_ref().unwrap_or(data);
        let change = self.projection.project(own)? - own;
        Ok(match self.units {
            Some(units) => (change / units.scale()).to_kind(data.kind()),
            None => change,
        })
    }
}

impl<P: Predictor> Predictor for Projected<'_, P> {
    fn path(&self) -> &Path {
        self.predictor.path()
    }

    fn objective(&self) -> &dyn Objective {
        self.predictor.objective()
    }

    fn output(&self, z: &Tensor, reading: &Reading<'_>) -> Result<Tensor> {
        let output = self.predictor.output(z, reading)?;
        let point = reading.point();
        let data = reading.data(z, &output).to_kind(z.kind());
        let gain = reading.determinant() / &point.b;
        let gain = gain.where_scalarother(&point.b.gt(0.0), 0.0).to_kind(z.kind());
        Ok(output - rows(&gain, z) * self.change(&data)?)
    }

    fn finished(&self, data: Tensor) -> Result<Tensor> {
        let data = self.predictor.finished(data)?;
        Ok(&data + self.change(&data)?)
    }

    fn further_evaluations(&self) -> usize {
        self.predictor.further_evaluations()
    }

    fn gaussian(&self) -> bool {
        self.predictor.gaussian()
    }

    fn device(&self) -> Device {
        self.predictor.device()
    }
}
