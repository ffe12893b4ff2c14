//! Predictions and samples of a trained model, in the data's own units.

mod blocks;
mod impute;
mod marginals;
mod states;

pub use blocks::{Block, Rows, Start};
pub use impute::Imputed;

use crate::error::{Error, Result};
use crate::rng::Streams;
use crate::sample::SamplingPlan;
use crate::sequence;
use crate::trained::Trained;
use tch::{Kind, Tensor};

/// Lengths of the sequences of some rows, integers `[n]`; `None`: the length in training.
#[derive(Debug, Default)]
pub struct Lengths {
    /// Lengths of the conditions.
    pub condition: Option<Tensor>,
    /// Lengths of the targets.
    pub target: Option<Tensor>,
}

/// Mean and standard deviation of a prediction over several draws, in the data's own units
/// (probabilities for labels).
#[derive(Debug)]
pub struct Prediction {
    /// Mean over the draws, `[n, …target_shape]`, float64.
    pub mean: Tensor,
    /// Standard deviation over the draws, `[n, …target_shape]`, float64; 0 for a single draw.
    pub deviation: Tensor,
}

impl Trained {
    /// Predicts or samples targets `[n, …target_shape]` under `conditions`:
    /// `[n, …condition_shape]` in the data's own units, labels also as int64 `[n]`, or one
    /// condition without the batch axis, which gives one target without it. z_0 is 0 without a seed
    /// and drawn from the source with one. `steps`: `None` for those of the experiment.
    ///
    /// # Errors
    /// [`Error::Config`]: the model takes no condition, or `conditions` have another shape.
    /// [`Error::Component`]: a component fails.
    pub fn generate(
        &mut self,
        conditions: &Tensor,
        steps: Option<usize>,
        seed: Option<u64>,
    ) -> Result<Tensor> {
        let streams = seed.map(|seed| Streams::new(seed, 0));
        self.generate_from(conditions, &Lengths::default(), steps, streams.as_ref(), Start::Noise)
    }

    /// Predicts or samples sequences of the given lengths, as [`generate`](Self::generate) does,
    /// with zeros behind their ends. `streams`: random streams of the rows; `None`: z_0 = 0.
    ///
    /// # Errors
    /// Those of [`generate`](Self::generate), and [`Error::Config`] for lengths outside \[1, T\].
    pub fn generate_sequences(
        &mut self,
        conditions: &Tensor,
        lengths: &Lengths,
        streams: Option<&Streams>,
    ) -> Result<Tensor> {
        self.generate_from(conditions, lengths, None, streams, Start::Noise)
    }

    fn generate_from(
        &mut self,
        conditions: &Tensor,
        lengths: &Lengths,
        steps: Option<usize>,
        streams: Option<&Streams>,
        start: Start<'_>,
    ) -> Result<Tensor> {
        let shape = self.units.shapes.condition.clone();
        let labels = self.units.condition_is_label && conditions.kind() == Kind::Int64;
        let single = match labels && conditions.dim() < 2 {
            true => conditions.dim() == 0,
            false => Some(conditions.size()) == shape,
        };
        let conditions = if single { conditions.unsqueeze(0) } else { conditions.shallow_clone() };
        let Some(n) = conditions.size().first().copied() else {
            // Its error describes what is wrong.
            self.condition(&conditions)?;
            return Err(Error::config("", "there are no rows of conditions"));
        };
        let condition_mask = self.mask(&lengths.condition, n, shape.as_deref())?;
        let mask = self.mask(&lengths.target, n, Some(&self.units.shapes.target))?;
        let out = self.values(
            &Rows {
                n,
                streams,
                condition: &|model, from, n| {
                    let (mut condition, _) = model.condition(&conditions.narrow(0, from, n))?;
                    condition.mask = condition_mask.as_ref().map(|mask| mask.narrow(0, from, n));
                    condition.value = sequence::keep(&condition.value, condition.mask.as_ref());
                    Ok(Some(condition))
                },
                mask: mask.as_ref(),
                start,
            },
            steps,
        )?;
        Ok(if single { out.squeeze_dim(0) } else { out })
    }

    /// Samples all rows, in the data's own units.
    fn values(&mut self, rows: &Rows<'_>, steps: Option<usize>) -> Result<Tensor> {
        let plan = self.plan();
        let plan = SamplingPlan { steps: steps.unwrap_or(plan.steps), ..plan };
        self.check_start(rows)?;
        let mut all: Option<Tensor> = None;
        let mut from = 0;
        self.sample_blocks(rows, &plan, &mut |block| {
            let size = block.values.size();
            if size[0] == rows.n {
                // One block needs no copy.
                all = Some(block.values);
                return Ok(());
            }
            let shape = [&[rows.n], &size[1..]].concat();
            let options = (block.values.kind(), block.values.device());
            let all = all.get_or_insert_with(|| Tensor::empty(shape, options));
            all.narrow(0, from, size[0]).copy_(&block.values);
            from += size[0];
            Ok(())
        })?;
        all.ok_or_else(|| Error::runtime("nothing was sampled"))
    }

    /// Samples the latents of all rows, `[n, …z_shape]`.
    pub(crate) fn draw_latents(&mut self, rows: &Rows<'_>) -> Result<Tensor> {
        let (mut latents, plan) = (Vec::new(), self.plan());
        self.sample_blocks(rows, &plan, &mut |block| {
            latents.push(block.sampled.z);
            Ok(())
        })?;
        Ok(Tensor::cat(&latents, 0))
    }

    /// Mask of `n` rows of `shape` with the given lengths.
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

    /// Computes mean and standard deviation of `draws` predictions of [`generate`](Self::generate)
    /// under `conditions`, each from its own z_0; without a seed there is one, from z_0 = 0. Draw k
    /// of row i depends on (seed, k, i) only, not on the other rows.
    ///
    /// # Errors
    /// Those of [`generate`](Self::generate).
    pub fn predict(
        &mut self,
        conditions: &Tensor,
        seed: Option<u64>,
        draws: u64,
    ) -> Result<Prediction> {
        let streams = seed.map(|seed| Streams::new(seed, 0));
        self.predict_sequences(conditions, &Lengths::default(), streams.as_ref(), draws)
    }

    /// Computes mean and standard deviation of predicted sequences of the given lengths, as
    /// [`predict`](Self::predict) does, with zeros behind their ends. `streams`: random streams of
    /// the rows; `None`: one draw, from z_0 = 0.
    ///
    /// # Errors
    /// Those of [`generate_sequences`](Self::generate_sequences).
    pub fn predict_sequences(
        &mut self,
        conditions: &Tensor,
        lengths: &Lengths,
        streams: Option<&Streams>,
        draws: u64,
    ) -> Result<Prediction> {
        let mean = self.generate_sequences(conditions, lengths, streams)?;
        let (mut mean, mut squares) =
            (mean.to_kind(Kind::Double), mean.zeros_like().to_kind(Kind::Double));
        let draws = if streams.is_some() { draws.max(1) } else { 1 };
        for draw in 1..draws {
            let streams = streams.map(|streams| streams.later(draw));
            let new = self.generate_sequences(conditions, lengths, streams.as_ref())?;
            // Welford's update, which avoids the difference of large sums.
            let new = new.to_kind(Kind::Double);
            let step = &new - &mean;
            mean += &step / (draw + 1) as f64;
            squares += step * (new - &mean);
        }
        let deviation = (squares / (draws.max(2) - 1) as f64).sqrt();
        Ok(Prediction { mean, deviation })
    }

    /// Draws unconditional samples `[…batch_shape, …target_shape]` in the data's own units.
    /// `steps`: `None` for those of the experiment.
    ///
    /// # Errors
    /// [`Error::Config`]: the model needs a condition, or `batch_shape` has a negative size or too
    /// many entries. [`Error::Component`]: a component fails.
    pub fn sample(
        &mut self,
        batch_shape: &[i64],
        steps: Option<usize>,
        seed: u64,
    ) -> Result<Tensor> {
        let n = batch_shape.iter().try_fold(1_i64, |n, d| n.checked_mul(*d)).filter(|n| *n >= 0);
        let n = n.ok_or_else(|| {
            Error::config("", format!("{batch_shape:?} is no shape of a batch of samples"))
        })?;
        let out = self.sample_from(n, steps, &Streams::new(seed, 0))?;
        let shape: Vec<i64> = batch_shape.iter().chain(&out.size()[1..]).copied().collect();
        Ok(out.view(shape.as_slice()))
    }

    /// Draws `n` unconditional samples `[n, …target_shape]`, each from its own random stream.
    ///
    /// # Errors
    /// [`Error::Config`]: the model needs a condition. [`Error::Component`]: a component fails.
    pub fn sample_from(
        &mut self,
        n: i64,
        steps: Option<usize>,
        streams: &Streams,
    ) -> Result<Tensor> {
        self.unconditional(&Lengths::default(), n, steps, streams, Start::Noise)
    }

    /// Draws samples `[n, …target_shape]` from `start`, each with its own random stream: under
    /// `conditions`, as [`generate`](Self::generate) does, or unconditional without them; sequences
    /// of the given lengths, with zeros behind their ends. There are as many as states, rows with
    /// known entries, or conditions.
    ///
    /// # Errors
    /// Those of [`generate_sequences`](Self::generate_sequences) and
    /// [`sample_from`](Self::sample_from), and [`Error::Config`] for another number of conditions,
    /// states or known entries of another shape, or a time outside \[0, 1).
    pub fn sample_starting(
        &mut self,
        start: Start<'_>,
        conditions: Option<&Tensor>,
        lengths: &Lengths,
        streams: &Streams,
    ) -> Result<Tensor> {
        match conditions {
            Some(conditions) => self.generate_from(conditions, lengths, None, Some(streams), start),
            None => self.unconditional(lengths, start.rows().unwrap_or(1), None, streams, start),
        }
    }

    fn unconditional(
        &mut self,
        lengths: &Lengths,
        n: i64,
        steps: Option<usize>,
        streams: &Streams,
        start: Start<'_>,
    ) -> Result<Tensor> {
        if self.units.shapes.condition.is_some() {
            let message = "this model needs conditions; use `generate`";
            return Err(Error::config("unconditional", message));
        }
        let mask = self.mask(&lengths.target, n, Some(&self.units.shapes.target))?;
        let condition = |_: &Trained, _: i64, _: i64| Ok(None);
        let (streams, mask) = (Some(streams), mask.as_ref());
        self.values(&Rows { n, streams, condition: &condition, mask, start }, steps)
    }
}
