//! Answers of a trained model in the data's own units: predictions and samples.

use crate::error::{Error, Result};
use crate::sequence;
use crate::trained::Trained;
use tch::{Kind, Tensor};

/// How long the sequences of some rows are, `[n]` integers; `None`: as long as those of training.
#[derive(Debug, Default)]
pub struct Lengths {
    /// Of the conditions.
    pub condition: Option<Tensor>,
    /// Of the targets.
    pub target: Option<Tensor>,
}

/// What several draws of one prediction say, in the data's own units (probabilities for labels).
#[derive(Debug)]
pub struct Prediction {
    /// `[n, …target_shape]`, float64.
    pub mean: Tensor,
    /// Likewise; 0 for a single draw.
    pub deviation: Tensor,
}

impl Trained {
    /// Predictions or samples under `conditions` (`[n, …condition_shape]` in the data's own units, or one
    /// without the batch axis): from z_0 = 0 without a seed, from the source with one.
    pub fn generate(
        &mut self,
        conditions: &Tensor,
        steps: Option<usize>,
        seed: Option<u64>,
    ) -> Result<Tensor> {
        self.generate_nth(conditions, &Lengths::default(), steps, seed.map(|seed| (seed, 0)))
    }

    /// [`generate`](Self::generate) where rows are sequences of these lengths; zeros behind them.
    pub fn generate_sequences(
        &mut self,
        conditions: &Tensor,
        lengths: &Lengths,
        seed: Option<u64>,
    ) -> Result<Tensor> {
        self.generate_nth(conditions, lengths, None, seed.map(|seed| (seed, 0)))
    }

    fn generate_nth(
        &mut self,
        conditions: &Tensor,
        lengths: &Lengths,
        steps: Option<usize>,
        seed: Option<(u64, u64)>,
    ) -> Result<Tensor> {
        let (mut condition, single) = self.condition(conditions)?;
        let n = condition.value.size()[0];
        condition.mask =
            self.mask(&lengths.condition, n, self.units.shapes.condition.as_deref())?;
        condition.value = sequence::keep(&condition.value, condition.mask.as_ref());
        let mask = self.mask(&lengths.target, n, Some(&self.units.shapes.target))?;
        let z0 = self.z0(n, seed)?;
        let plan = self.plan_of(steps, seed);
        let z = self.sample_sequences(&z0, mask.as_ref(), Some(&condition), plan, &mut ())?.z;
        let out = self.present_sequences(&z, mask.as_ref())?;
        Ok(if single { out.squeeze_dim(0) } else { out })
    }

    /// The mask of `n` rows of `shape` with these lengths.
    fn mask(
        &self,
        lengths: &Option<Tensor>,
        n: i64,
        shape: Option<&[i64]>,
    ) -> Result<Option<Tensor>> {
        let (Some(lengths), Some([steps, _])) = (lengths, shape) else { return Ok(None) };
        let options = (self.model.vars.kind(), self.device());
        sequence::mask(lengths, (n, *steps), "the rows", options)
    }

    /// Mean and standard deviation of `draws` predictions under `conditions`, as [`generate`](Self::generate)
    /// makes them: each from its own z_0, the first that of `seed`; all from z_0 = 0 without one.
    pub fn predict(
        &mut self,
        conditions: &Tensor,
        seed: Option<u64>,
        draws: u64,
    ) -> Result<Prediction> {
        self.predict_sequences(conditions, &Lengths::default(), seed, draws)
    }

    /// [`predict`](Self::predict) where rows are sequences of these lengths; zeros behind them.
    pub fn predict_sequences(
        &mut self,
        conditions: &Tensor,
        lengths: &Lengths,
        seed: Option<u64>,
        draws: u64,
    ) -> Result<Prediction> {
        let mean = self.generate_sequences(conditions, lengths, seed)?;
        let (mut mean, mut squares) =
            (mean.to_kind(Kind::Double), mean.zeros_like().to_kind(Kind::Double));
        let draws = if seed.is_some() { draws.max(1) } else { 1 };
        for draw in 1..draws {
            let seed = seed.map(|seed| (seed, draw));
            let new = self.generate_nth(conditions, lengths, None, seed)?.to_kind(Kind::Double);
            // Welford's update: no difference of large sums.
            let step = &new - &mean;
            mean += &step / (draw + 1) as f64;
            squares += step * (new - &mean);
        }
        let deviation = (squares / (draws.max(2) - 1) as f64).sqrt();
        Ok(Prediction { mean, deviation })
    }

    /// Unconditional samples `[…batch_shape, …target_shape]`.
    pub fn sample(
        &mut self,
        batch_shape: &[i64],
        steps: Option<usize>,
        seed: u64,
    ) -> Result<Tensor> {
        if self.units.shapes.condition.is_some() {
            let message = "this model needs conditions; use `generate`";
            return Err(Error::config("unconditional", message));
        }
        let z0 = self.z0(batch_shape.iter().product(), Some((seed, 0)))?;
        let plan = self.plan_of(steps, Some((seed, 0)));
        let z = self.sample_latents(&z0, None, plan, &mut ())?.z;
        let out = self.present(&z)?;
        let shape: Vec<i64> = batch_shape.iter().chain(&out.size()[1..]).copied().collect();
        Ok(out.view(shape.as_slice()))
    }
}
