use super::Predictor;
use crate::component::{Condition, Guidance, GuidanceInput, Objective};
use crate::error::Result;
use crate::path::{Path, Reading, rows};
use tch::{Device, Tensor};

/// A predictor with the force g of a [`Guidance`] added to its score ∇ log p_t(z): the noise
/// changes by −b·g, the data by b²/a·g, and so the output p·data + q·noise by
/// −(b·D/a)·g. Where the state holds no data (a = 0), nothing changes.
pub struct Steered<'g, P> {
    /// The predictor without the force.
    pub predictor: P,
    /// The force.
    pub force: &'g dyn Guidance,
    /// The condition, which the force may depend on.
    pub condition: Option<&'g Condition>,
}

impl<P: Predictor> Predictor for Steered<'_, P> {
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
        let force = self.force.force(&GuidanceInput {
            z,
            data: &data,
            a: &point.a,
            b: &point.b,
            time: &point.t,
            condition: self.condition,
        })?;
        let gain = &point.b * reading.determinant() / &point.a;
        let gain = gain.where_scalarother(&point.a.gt(0.0), 0.0).to_kind(z.kind());
        Ok(output - rows(&gain, z) * force)
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
