//! A training step, from the rows to the EMA of the parameters. Nothing in it waits for the device
//! or uses a number of the host that changes, so that a device can record and replay it.

use super::Parameters;
use super::rates::Rates;
use crate::component::{Condition, Optimizer, OptimizerState, Pass};
use crate::config::Training;
use crate::data::{Batch, mirror_some};
use crate::error::Result;
use crate::loss::Terms;
use crate::model::Model;
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
    /// Sums of the loss terms over the epoch; see [`Terms::add_to`].
    pub sums: &'t mut Tensor,
}

impl Learning<'_> {
    /// Takes a step on `batch`.
    pub fn step(
        &mut self,
        model: &Model,
        config: &Training,
        batch: &Inputs,
        dropout: bool,
    ) -> Result<()> {
        let (terms, gradient) = loss_and_gradient(model, self.parameters, config, batch, dropout)?;
        tch::no_grad(|| self.apply(&gradient, Rates::from(&batch.rates)))?;
        terms.add_to(self.sums, batch.target.size()[0]);
        Ok(())
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

/// Computes the loss of a batch and its gradient `[parameters]`, which is clipped. All random
/// numbers of a step are drawn here.
fn loss_and_gradient(
    model: &Model,
    parameters: &Parameters,
    config: &Training,
    batch: &Inputs,
    dropout: bool,
) -> Result<(Terms, Tensor)> {
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
    let terms = model.losses_from(z0, &target, condition.as_ref(), pass, false)?;
    let mut gradient = parameters.gradient(terms.total())?;
    if let Some(max_norm) = config.clip_grad_norm {
        tch::no_grad(|| {
            let scale = (gradient.norm().reciprocal() * max_norm).clamp_max(1.0);
            gradient *= scale;
        });
    }
    Ok((terms, gradient))
}
