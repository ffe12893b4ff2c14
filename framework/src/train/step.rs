//! What a step computes before the optimizer moves: the loss of a batch and its gradient. Nothing in it waits
//! for the device, so that a device may record it and play it back.

use super::Parameters;
use crate::component::{Condition, Pass};
use crate::config::Training;
use crate::data::{Set, mirror_some};
use crate::error::Result;
use crate::loss::Terms;
use crate::model::Model;
use tch::Tensor;

/// The rows of a step.
#[derive(Debug)]
pub(crate) struct Batch {
    pub target: Tensor,
    pub condition: Option<Tensor>,
    pub z0: Option<Tensor>,
    pub mask: Option<Tensor>,
    pub condition_mask: Option<Tensor>,
}

impl From<Set> for Batch {
    fn from(set: Set) -> Self {
        let Set { target, condition, z0, mask, condition_mask, .. } = set;
        Self { target, condition, z0, mask, condition_mask }
    }
}

impl Batch {
    /// Its tensors, in one order.
    pub fn tensors(&self) -> [Option<&Tensor>; 5] {
        let Self { target, condition, z0, mask, condition_mask } = self;
        [Some(target), condition.as_ref(), z0.as_ref(), mask.as_ref(), condition_mask.as_ref()]
    }

    /// Copies of all of them.
    pub fn copy(&self) -> Self {
        let copy = |t: &Option<Tensor>| t.as_ref().map(Tensor::copy);
        Self {
            target: self.target.copy(),
            condition: copy(&self.condition),
            z0: copy(&self.z0),
            mask: copy(&self.mask),
            condition_mask: copy(&self.condition_mask),
        }
    }
}

/// What the optimizer and the history need of a step.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub terms: Terms,
    /// `[parameters]`, clipped.
    pub gradient: Tensor,
}

impl Outcome {
    /// Its tensors, in one order.
    pub fn tensors(&self) -> [Option<&Tensor>; 7] {
        let Terms { total, flow, recon, reg, vae, kl } = &self.terms;
        let [recon, reg, vae, kl] = [recon, reg, vae, kl].map(Option::as_ref);
        [Some(&self.gradient), Some(total), Some(flow), recon, reg, vae, kl]
    }

    /// The same tensors, without what they were computed from.
    pub fn detached(&self) -> Self {
        let cut = |t: &Option<Tensor>| t.as_ref().map(Tensor::detach);
        let Terms { total, flow, recon, reg, vae, kl } = &self.terms;
        Self {
            terms: Terms {
                total: total.detach(),
                flow: flow.detach(),
                recon: cut(recon),
                reg: cut(reg),
                vae: cut(vae),
                kl: cut(kl),
            },
            gradient: self.gradient.detach(),
        }
    }
}

/// The loss of a batch and its gradient. Whatever a step draws, it draws here.
pub(crate) fn loss_and_gradient(
    model: &Model,
    parameters: &Parameters,
    config: &Training,
    batch: &Batch,
    dropout: bool,
) -> Result<Outcome> {
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
    let pass = Pass { training: true, dropout, mask: batch.mask.as_ref() };
    let (z0, times) = (batch.z0.as_ref().map(same), config.time_sampling);
    let terms = model.losses_from(z0, &target, condition.as_ref(), pass, times, false)?;
    let mut gradient = parameters.gradient(&terms.total)?;
    if let Some(longest) = config.clip_grad_norm {
        tch::no_grad(|| {
            let scale = (gradient.norm().reciprocal() * longest).clamp_max(1.0);
            gradient *= scale;
        });
    }
    Ok(Outcome { terms, gradient })
}
