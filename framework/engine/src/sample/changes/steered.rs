use super::{Change, Prediction, Shift};
use crate::component::{Condition, Guidance, GuidanceInput};
use crate::error::Result;

/// The force of a [`Guidance`], added to the score.
pub struct Steered<'g> {
    /// The force.
    pub force: &'g dyn Guidance,
    /// The condition, which the force may depend on.
    pub condition: Option<&'g Condition>,
}

impl Change for Steered<'_> {
    fn shift(&self, prediction: &Prediction<'_>) -> Result<Shift> {
        let point = prediction.reading.point();
        let force = self.force.force(&GuidanceInput {
            z: &prediction.z,
            data: &prediction.data,
            a: &point.a,
            b: &point.b,
            time: &point.t,
            condition: self.condition,
        })?;
        Ok(Shift::Score(force))
    }
}
