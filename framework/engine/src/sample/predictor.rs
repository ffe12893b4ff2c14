//! Predictions along a path: a model's under a condition, or one in closed form.

use super::ClassifierFree;
use crate::component::{Condition, Objective, Pass};
use crate::error::Result;
use crate::model::Model;
use crate::path::{Path, Reading};
use tch::{Device, Tensor};

/// A prediction along a path, of a model under a condition or in closed form.
pub trait Predictor {
    /// The path from noise to data.
    fn path(&self) -> &Path;
    /// Meaning of the output.
    fn objective(&self) -> &dyn Objective;
    /// Evaluates the prediction at `z` `[batch, …z_shape]` and the point of a reading, one for all
    /// rows; the output has the shape of `z`.
    ///
    /// # Errors
    /// Those of the model's components.
    fn output(&self, z: &Tensor, reading: &Reading<'_>) -> Result<Tensor>;
    /// The data at the end of a path, `[batch, …z_shape]`, given those that the state and the
    /// output determine.
    ///
    /// # Errors
    /// Those of a projection.
    fn finished(&self, data: Tensor) -> Result<Tensor> {
        Ok(data)
    }
    /// Number of network evaluations so far, beyond one for each output.
    fn further_evaluations(&self) -> usize {
        0
    }
    /// True if z_0 is N(0, I) and independent of the data, as in [`Model::gaussian`]; otherwise
    /// log-SNR has no meaning.
    fn gaussian(&self) -> bool {
        true
    }
    /// Device on which the path is evaluated.
    fn device(&self) -> Device {
        Device::Cpu
    }
}

/// A model under a condition.
#[derive(Clone, Copy, Debug)]
pub struct Conditioned<'m> {
    /// The model.
    pub model: &'m Model,
    /// The condition, if the model has one.
    pub condition: Option<&'m Condition>,
    /// Classifier-free guidance; `None` for the condition as trained.
    pub guidance: Option<&'m ClassifierFree>,
    /// Mask of targets that are sequences, `[n, T]`, 1 at positions of a sequence and 0 at padding;
    /// `None` without padding.
    pub mask: Option<&'m Tensor>,
}

impl Predictor for Conditioned<'_> {
    fn path(&self) -> &Path {
        self.model.path()
    }

    fn objective(&self) -> &dyn Objective {
        self.model.objective()
    }

    fn output(&self, z: &Tensor, reading: &Reading<'_>) -> Result<Tensor> {
        let pass = Pass::EVAL.masked(self.mask);
        match (self.guidance, self.condition) {
            (Some(guidance), Some(condition)) => {
                guidance.output(self.model, z, reading, condition, pass)
            }
            _ => self.model.output(z, reading, self.condition, pass),
        }
    }

    fn further_evaluations(&self) -> usize {
        self.guidance.map_or(0, ClassifierFree::further_evaluations)
    }

    fn gaussian(&self) -> bool {
        self.model.gaussian()
    }

    fn device(&self) -> Device {
        self.model.vars.device()
    }
}
