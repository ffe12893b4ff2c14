//! A training step, from the rows to the EMA of the parameters. Nothing in it waits for the device
//! or uses a number of the host that changes, so that a device can record and replay it.

use super::Parameters;
use super::course::Course;
use super::pieces::Pieces;
use super::rates::Rates;
use super::share::Share;
use crate::component::{Condition, Optimizer, OptimizerState, Pass};
use crate::config::Training;
use crate::data::{Batch, mirror_some};
use crate::error::Result;
use crate::group::Group;
use crate::kernels;
use crate::loss::{BatchRows, Terms};
use crate::model::Model;
use crate::rng::TorchStream;
use std::ops::Range;
use tch::Tensor;

/// Inputs of a step.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub target: Tensor,
    pub condition: Option<Tensor>,
    pub z0: Option<Tensor>,
    pub mask: Option<Tensor>,
    pub condition_mask: Option<Tensor>,
    /// The [`Rates`] as a row `[3]`.
    pub rates: Tensor,
}

impl Inputs {
    /// Inputs with the rows of `batch`.
    pub fn new(batch: Batch, rates: Tensor) -> Self {
        let Batch { target, condition, z0, mask, condition_mask, .. } = batch;
        Self { target, condition, z0, mask, condition_mask, rates }
    }

    /// The tensors, always in the same order.
    pub fn tensors(&self) -> [Option<&Tensor>; 6] {
        let Self { target, condition, z0, mask, condition_mask, rates } = self;
        let [condition, z0, mask, condition_mask] =
            [condition, z0, mask, condition_mask].map(Option::as_ref);
        [Some(target), condition, z0, mask, condition_mask, Some(rates)]
    }

    /// Views of `n` rows from `start`.
    fn narrow(&self, start: i64, n: i64) -> Self {
        let narrow = |t: &Option<Tensor>| t.as_ref().map(|t| t.narrow(0, start, n));
        Self {
            target: self.target.narrow(0, start, n),
            condition: narrow(&self.condition),
            z0: narrow(&self.z0),
            mask: narrow(&self.mask),
            condition_mask: narrow(&self.condition_mask),
            rates: self.rates.shallow_clone(),
        }
    }

    /// Copies all tensors.
    pub fn copy(&self) -> Self {
        let copy = |t: &Option<Tensor>| t.as_ref().map(Tensor::copy);
        Self {
            target: self.target.copy(),
            condition: copy(&self.condition),
            z0: copy(&self.z0),
            mask: copy(&self.mask),
            condition_mask: copy(&self.condition_mask),
            rates: self.rates.copy(),
        }
    }
}

/// State that a step changes in place, so that a replayed step finds it at the same addresses.
pub(crate) struct Learning<'t> {
    pub parameters: &'t mut Parameters,
    /// EMA of the parameters, `[parameters]`.
    pub ema: Option<&'t mut Tensor>,
    pub optimizer: &'t dyn Optimizer,
    pub state: &'t mut OptimizerState,
    /// Sums of the loss terms and of the gradient's norms over the epoch.
    pub course: &'t mut Course,
    /// Pieces in which the gradient is summed over the group.
    pub pieces: &'t mut Pieces,
}

/// The rows of a step that this process takes.
pub(crate) struct Taken<'t> {
    pub share: &'t Share,
    /// Number of rows of the whole batch.
    pub rows: i64,
    pub group: &'t Group,
    /// True if this process asks the group to stop.
    pub stop: bool,
    /// True for a step with dropout.
    pub dropout: bool,
    /// Seeds the random numbers of a part.
    pub seed: &'t dyn Fn(i64) -> TorchStream,
}

impl Taken<'_> {
    /// True if the step is a single part, of one process.
    fn is_whole(&self) -> bool {
        self.share.of == 1 && self.group.is_alone()
    }
}

impl Learning<'_> {
    /// Takes a step on `batch`, the rows of this process, with the random numbers of its first
    /// part. Returns the number of processes that ask to stop, `[]` float64; `None` for a process
    /// alone.
    pub fn step(
        &mut self,
        model: &Model,
        config: &Training,
        batch: &Inputs,
        taken: &Taken<'_>,
    ) -> Result<Option<Tensor>> {
        let (mut gradient, asked) = if taken.is_whole() {
            let rows = BatchRows::whole(taken.rows);
            let terms = losses(model, config, batch, rows, taken.dropout)?;
            let gradient = self.parameters.gradient(terms.total())?;
            self.course.add_terms(&terms, taken.rows, None);
            (gradient, None)
        } else {
            self.gradient_of_parts(model, config, batch, taken)?
        };
        tch::no_grad(|| {
            let norm = kernels::squares(&gradient).sqrt();
            self.course.add_norm(&norm);
            if let Some(max_norm) = config.clip_grad_norm {
                gradient *= (norm.reciprocal() * max_norm).clamp_max(1.0);
            }
        });
        tch::no_grad(|| self.apply(&gradient, Rates::from(&batch.rates)))?;
        Ok(asked)
    }

    /// Adds up the gradients of the own parts, each weighted by its share of the rows, and those of
    /// the group, which are summed while that of the last part is computed. Returns it with the
    /// number of processes that ask to stop.
    fn gradient_of_parts(
        &mut self,
        model: &Model,
        config: &Training,
        batch: &Inputs,
        taken: &Taken<'_>,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let Self { parameters, course, pieces, .. } = self;
        let (share, group, of) = (taken.share, taken.group, taken.rows);
        let begin = share.rows(of).start;
        let mut terms_of_parts = course.terms().zeros_like();
        let mut sums = group.sums();
        // Of the parts before the last.
        let mut before: Option<Tensor> = None;
        let mut gradient = None;
        let own = || share.own.clone().filter(|part| !share.part(*part, of).is_empty());
        let last = own().next_back();
        for part in own() {
            let rows = share.part(part, of);
            let (from, n) = (rows.start, rows.end - rows.start);
            let _stream = (part != share.own.start).then(|| (taken.seed)(part));
            let rows = BatchRows { from, rows: n, of };
            let batch = batch.narrow(from - begin, n);
            let terms = losses(model, config, &batch, rows, taken.dropout)?;
            let weight = n as f64 / of as f64;
            let add = |to: &mut Tensor, range: Range<i64>| {
                let _ = to.g_mul_scalar_(weight);
                if let Some(before) = &before {
                    let _ = to.g_add_(&before.narrow(0, range.start, range.end - range.start));
                }
            };
            if Some(part) == last {
                gradient = Some(pieces.sum(group, &mut sums, &mut { add }, |arrived| {
                    parameters.gradient_as_it_arrives(terms.total(), arrived)
                })?);
            } else {
                let mut of_part = parameters.gradient(terms.total())?;
                let count = of_part.numel() as i64;
                add(&mut of_part, 0..count);
                before = Some(of_part);
            }
            course.add_terms(&terms, n, Some(&mut terms_of_parts));
        }
        let gradient = match gradient {
            Some(gradient) => gradient,
            // A rank without rows of the last batch adds nothing.
            None => pieces.sum(group, &mut sums, &mut |_, _| {}, |arrived| {
                let mut zeros = parameters.flat.zeros_like();
                (0..parameters.sizes().len()).for_each(|i| arrived(&mut zeros, i));
                Ok(zeros)
            })?,
        };
        if group.is_alone() {
            course.add(&terms_of_parts);
            return Ok((gradient, None));
        }
        let options = (terms_of_parts.kind(), terms_of_parts.device());
        let stop = Tensor::full([1], f64::from(taken.stop), options);
        let mut numbers = Tensor::cat(&[terms_of_parts, stop], 0);
        sums.begin(&mut numbers)?;
        sums.finish()?;
        let terms = numbers.numel() as i64 - 1;
        course.add(&numbers.narrow(0, 0, terms));
        Ok((gradient, Some(numbers.get(terms))))
    }

    fn apply(&mut self, gradient: &Tensor, rates: Rates) -> Result<()> {
        let Self { parameters, ema, optimizer, state, .. } = self;
        state.step = rates.step;
        let places: Vec<Tensor> = state.moments.iter().map(Tensor::shallow_clone).collect();
        parameters.step(|flat| optimizer.step(flat, gradient, state, &rates.learning_rate))?;
        keep_places(&mut state.moments, places);
        if let Some(ema) = ema {
            let _ = ema.lerp_tensor_(&parameters.flat, &rates.share);
        }
        Ok(())
    }
}

/// Copies moments that the optimizer replaced by new tensors back to their former places.
fn keep_places(moments: &mut [Tensor], places: Vec<Tensor>) {
    for (moment, mut place) in moments.iter_mut().zip(places) {
        if moment.data_ptr() != place.data_ptr() {
            place.copy_(moment);
            *moment = place;
        }
    }
}

/// The conditions of a batch, with random known cells of the targets for a model that fills in the
/// others.
pub(super) fn with_known_cells(
    model: &Model,
    config: &Training,
    target: &Tensor,
    condition: Option<Condition>,
) -> Option<Condition> {
    let (Some(completion), Some(share)) = (model.completion(), config.mask_columns) else {
        return condition;
    };
    let known = completion.random(target, share);
    let options = (target.kind(), target.device());
    Some(completion.condition(condition.as_ref(), Some(&known), target.size()[0], options))
}

/// Computes the loss of the rows `rows` of a batch. All random numbers of a step are drawn here.
fn losses(
    model: &Model,
    config: &Training,
    batch: &Inputs,
    rows: BatchRows,
    dropout: bool,
) -> Result<Terms> {
    let same = |t: &Tensor| t.shallow_clone();
    let (target, condition) = if config.flip {
        mirror_some(&batch.target, batch.condition.as_ref())
    } else {
        (same(&batch.target), batch.condition.as_ref().map(same))
    };
    let condition = condition.map(|value| {
        let present = (config.condition_dropout > 0.0).then(|| {
            let kept = 1.0 - config.condition_dropout;
            value.new_full([value.size()[0]], kept, (value.kind(), value.device())).bernoulli()
        });
        Condition::new(value).with(present, batch.condition_mask.as_ref().map(same))
    });
    let condition = with_known_cells(model, config, &target, condition);
    let pass = Pass { training: true, dropout, mask: batch.mask.as_ref() };
    let z0 = batch.z0.as_ref().map(same);
    model.losses_from((z0, rows), &target, condition.as_ref(), pass, false)
}
