use crate::component::{Condition, Pass};
use crate::config::Sampling;
use crate::error::Result;
use crate::model::Model;
use crate::path::{PathPoint, Reading};
use std::cell::Cell;
use tch::Tensor;

/// Classifier-free guidance: the output unconditional + w·(conditional − unconditional) (Ho &
/// Salimans 2022, arXiv 2207.12598). It has the same effect for every objective, because velocity,
/// noise and data are affine in the output.
#[derive(Debug)]
pub struct ClassifierFree {
    scale: f64,
    interval: [f64; 2],
    /// Evaluations beyond one for each output.
    further: Cell<usize>,
}

impl ClassifierFree {
    /// Guidance with an experiment's scale and interval; `None` for scale 1.
    pub fn new(sampling: &Sampling) -> Option<Self> {
        let Sampling { guidance: scale, guidance_interval: interval, .. } = *sampling;
        (scale != 1.0).then(|| Self { scale, interval, further: Cell::new(0) })
    }

    /// Number of network evaluations so far, beyond one for each output.
    pub fn further_evaluations(&self) -> usize {
        self.further.get()
    }

    /// Evaluates the model at `z` `[batch, …z_shape]` and one point of the path, with and without
    /// the condition in one batch, and returns the guided output, of the shape of `z`.
    ///
    /// # Errors
    /// Those of [`Model::output`].
    pub fn output(
        &self,
        model: &Model,
        z: &Tensor,
        reading: &Reading<'_>,
        condition: &Condition,
        pass: Pass,
    ) -> Result<Tensor> {
        if !self.acts_at(reading.point()) {
            return model.output(z, reading, Some(condition), pass);
        }
        self.further.set(self.further.get() + 1);
        let present = match &condition.present {
            Some(present) => present.shallow_clone(),
            None => Tensor::ones([z.size()[0]], (z.kind(), z.device())),
        };
        let twice = |t: &Tensor| Tensor::cat(&[t, t], 0);
        let present = Tensor::cat(&[&present, &present.zeros_like()], 0);
        let both = Condition::new(twice(&condition.value))
            .with(Some(present), condition.mask.as_ref().map(twice));
        let mask = pass.mask.map(twice);
        let pass = pass.masked(mask.as_ref());
        let output = model.output(&twice(z), reading, Some(&both), pass)?;
        let halves = output.chunk(2, 0);
        Ok(halves[1].lerp(&halves[0], self.scale))
    }

    fn acts_at(&self, point: &PathPoint<'_>) -> bool {
        let [from, to] = self.interval;
        // Reading the time waits for the device, so it is read only if it matters.
        (from <= 0.0 && to >= 1.0) || (from..=to).contains(&point.t.double_value(&[0]))
    }
}
