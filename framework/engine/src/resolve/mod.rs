//! Experiments whose components are built, whose nulls are decided, and whose parts fit each other.

mod cost;
mod facts;
mod parts;
mod rules;
mod training_rules;
mod unused;

pub(crate) use facts::{Facts, ModelFacts, Pairing, SamplingFacts, ScheduleUse};
pub(crate) use parts::Parts;
pub(crate) use rules::check as check_rules;
pub use unused::Unused;
pub(crate) use unused::unused;

use crate::component::Likelihood;
use crate::config::{Experiment, ModelPart, Reconstruction, Task};
use crate::data::{Data, Units};
use crate::error::Result;
use crate::rng::{Purpose, seed_torch};
use crate::threads;

/// An experiment that can be trained and sampled: every null that its components and data decide is
/// decided, its components are built, and all [rules](Experiment::rules) hold. A
/// [`Model`](crate::model::Model) is made of it without further checks.
pub struct Resolved {
    pub(crate) experiment: Experiment,
    pub(crate) facts: Facts,
    pub(crate) parts: Parts,
}

impl std::fmt::Debug for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolved").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl Resolved {
    /// The experiment, without nulls that its components and data decide.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// The settings without effect, as [`Trained::unused`](crate::Trained::unused) gives them.
    pub fn unused(&self) -> Vec<Unused> {
        unused(&self.experiment, &self.facts)
    }
}

impl Experiment {
    /// Builds the components for data in these units, decides the nulls and checks every
    /// [rule](Self::rules). `data` are the rows to train on; `None` to sample a trained model.
    /// Initial parameters are drawn from the experiment's seed.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): a component cannot be built, or a rule is broken.
    /// [`Error::Device`](crate::Error::Device): the experiment's device is not there. Errors of the
    /// components.
    pub fn resolve(mut self, units: &Units, data: Option<&Data>) -> Result<Resolved> {
        self.check()?;
        self.path = Some(self.path()?);
        let options = self.options()?;
        let _stream = seed_torch(self.seed(), Purpose::Init, 0);
        let mut parts = Parts::build(&self, units, options)?;
        let facts = tch::no_grad(|| Facts::of(&self, &parts, units, data))?;
        self.decide(&facts, units);
        rules::check(&self, &facts)?;
        if facts.model.schedule == ScheduleUse::Learned {
            log::info!(
                "learnable noise schedule: minimising the variational bound \
                 (weighting {}, kl, noised vae)",
                self.loss.weighting.name()
            );
        }
        parts.settle_weights(&self.loss)?;
        self.threads = Some(match self.threads {
            Some(threads) => threads::limited(threads),
            None => {
                let batch = self.training.batch_size;
                let batch = facts.training.as_ref().map_or(batch, |own| batch.min(own.rows));
                // A component that fails here fails at the first step too, where it is reported.
                let row = cost::of_row(&parts, units).unwrap_or(0);
                threads::suited(row.saturating_mul(batch))
            }
        });
        Ok(Resolved { experiment: self, facts, parts })
    }

    /// Replaces the nulls that follow from the components and the data.
    fn decide(&mut self, facts: &Facts, units: &Units) {
        let model = &facts.model;
        let shapes = &units.shapes;
        let (x, y) = match self.task().learns_y() {
            true => (shapes.condition.as_ref(), Some(&shapes.target)),
            false => (Some(&shapes.target), shapes.condition.as_ref()),
        };
        (self.input_shape, self.output_shape) = (x.cloned(), y.cloned());
        self.latent_shape = Some(model.latent_shape.clone());
        let autoencoder = [ModelPart::Encoder, ModelPart::Decoder];
        let has = autoencoder.into_iter().any(|part| model.has_parameters(part));
        let learned = autoencoder.into_iter().any(|part| model.is_learned(part, self));
        let decoder = model.is_learned(ModelPart::Decoder, self);
        let generation = self.task() != Task::Regression;
        let bound = model.schedule == ScheduleUse::Learned;
        let loss = &mut self.loss;
        loss.recon.get_or_insert(match model.likelihood {
            Likelihood::Gaussian => Reconstruction::Mse,
            Likelihood::Categorical => Reconstruction::CrossEntropy,
            Likelihood::Blocks => Reconstruction::Blocks,
        });
        loss.use_snr_weight.get_or_insert(model.bounded);
        loss.normalise.get_or_insert(!bound);
        loss.vae_noised.get_or_insert(bound);
        // A decoder is learned from a reconstruction only.
        let vae = (generation && has && learned) || bound || (decoder && loss.recon_weight == 0.0);
        loss.vae_weight.get_or_insert(if vae { 1.0 } else { 0.0 });
    }
}
