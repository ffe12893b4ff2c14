//! Latents of a trained model: drawn, inverted and decoded.

use super::Trained;
use crate::component::{Condition, Observer, Pass};
use crate::data::Marginals;
use crate::error::{Error, Result};
use crate::path::Clock;
use crate::rng::Streams;
use crate::sample::{
    Changes, ClassifierFree, Conditioned, Given, Sampled, SamplingPlan, Space, invert, noise,
    sample,
};
use crate::sequence;
use tch::Tensor;

impl Trained {
    /// Steps, grid and random streams with which the experiment samples.
    pub fn plan(&self) -> SamplingPlan {
        let sampling = &self.experiment.sampling;
        SamplingPlan {
            steps: sampling.steps,
            from: None,
            repeats: sampling.repeats,
            grid: sampling.grid.clone(),
            final_denoise: sampling.final_denoise,
            streams: Streams::new(self.experiment.seed(), 0),
        }
    }

    /// The clock in which the experiment's solver steps.
    ///
    /// # Errors
    /// [`Error::Config`]: the step grid cannot be built. [`Error::Component`]: the objective or the
    /// grid fails.
    pub fn clock(&self) -> Result<Clock> {
        match self.experiment.sampling.build_grid()? {
            Some(grid) => grid.clock(),
            None => self.model.path().natural_clock(self.model.objective()),
        }
    }

    /// Draws z_0 `[n, …z_shape]` from the random streams of the rows; zeros without streams.
    ///
    /// # Errors
    /// [`Error::Component`]: the source fails. [`Error::Runtime`]: there are fewer streams than
    /// rows.
    pub fn z0(&self, n: i64, streams: Option<&Streams>) -> Result<Tensor> {
        let shape = self.model.latent_shape();
        let options = (self.model.vars.kind(), self.device());
        match streams {
            Some(streams) => {
                let (noise, source) = (self.experiment.sampling.noise, self.model.source());
                noise::draw(noise, source, n, shape, streams, options)
            }
            None => {
                let full: Vec<i64> = std::iter::once(n).chain(shape.iter().copied()).collect();
                Ok(Tensor::zeros(full.as_slice(), options))
            }
        }
    }

    /// Samples latents from z_0 `[n, …z_shape]`, or from the states at time `plan.from`, under
    /// normalised conditions. `observer` gets
    /// every state on the path: pass a [`Trajectory`](crate::sample::Trajectory) to keep them.
    ///
    /// # Errors
    /// [`Error::Component`]: the CRN, the solver or the force fails. [`Error::Config`]: the solver
    /// or the force cannot be built.
    pub fn sample_latents(
        &mut self,
        z0: &Tensor,
        condition: Option<&Condition>,
        plan: &SamplingPlan,
        observer: &mut dyn Observer,
    ) -> Result<Sampled> {
        self.sample_sequences(z0, None, condition, plan, observer)
    }

    /// Samples latents of sequences, as [`sample_latents`](Self::sample_latents) does. `mask`
    /// `[n, T]` is 1 at positions of a sequence and 0 at padding, where z stays zero.
    ///
    /// # Errors
    /// Those of [`sample_latents`](Self::sample_latents).
    pub fn sample_sequences(
        &mut self,
        z0: &Tensor,
        mask: Option<&Tensor>,
        condition: Option<&Condition>,
        plan: &SamplingPlan,
        observer: &mut dyn Observer,
    ) -> Result<Sampled> {
        self.sample_given(z0, None, mask, condition, plan, observer)
    }

    /// Samples latents of sequences some of whose entries are `given`, as
    /// [`sample_sequences`](Self::sample_sequences) does; see
    /// [`Observed`](crate::sample::Observed).
    ///
    /// # Errors
    /// Those of [`sample_latents`](Self::sample_latents).
    pub fn sample_given(
        &mut self,
        z0: &Tensor,
        given: Option<&Given>,
        mask: Option<&Tensor>,
        condition: Option<&Condition>,
        plan: &SamplingPlan,
        observer: &mut dyn Observer,
    ) -> Result<Sampled> {
        let sampling = &self.experiment.sampling;
        let (solver, force) = (sampling.build_solver()?, sampling.build_steering()?);
        let projection = sampling.build_projection()?;
        let guidance = ClassifierFree::new(sampling);
        self.sampling(|model, units| {
            let z0 = sequence::keep(z0, model.latent_mask(mask));
            let conditioned = Conditioned { model, condition, guidance: guidance.as_ref(), mask };
            let projection = match projection.as_deref() {
                None => None,
                Some(own) => Some((own, Space::of(own, model, &units.target, mask)?)),
            };
            let changes = Changes { force: force.as_deref(), given, projection };
            let mut sampled = sample(conditioned, &*solver, plan, &z0, &changes, observer)?;
            // A stochastic solver leaves noise in the padding.
            sampled.z = sequence::keep(&sampled.z, model.latent_mask(mask));
            Ok(sampled)
        })
    }

    /// Integrates from latents `data` `[n, …z_shape]` of sequences back to the states at time
    /// `plan.from` (`None`: to z_0) that lead to them, under normalised conditions and with the
    /// experiment's guidance and steering.
    ///
    /// # Errors
    /// [`Error::Config`]: the solver draws noise or goes from noise to data only, or there is a
    /// projection, which cannot be undone. Those of [`sample_latents`](Self::sample_latents).
    pub fn invert_latents(
        &mut self,
        data: &Tensor,
        mask: Option<&Tensor>,
        condition: Option<&Condition>,
        plan: &SamplingPlan,
    ) -> Result<Sampled> {
        let sampling = &self.experiment.sampling;
        if sampling.projection.is_some() {
            let message = "a projection cannot be undone: no path leads back from the data";
            return Err(Error::config("sampling.projection", message).help("set it to null"));
        }
        let (solver, force) = (sampling.build_solver()?, sampling.build_steering()?);
        let guidance = ClassifierFree::new(sampling);
        self.sampling(|model, _| {
            let data = sequence::keep(data, model.latent_mask(mask));
            let conditioned = Conditioned { model, condition, guidance: guidance.as_ref(), mask };
            let changes = Changes { force: force.as_deref(), ..Changes::default() };
            let mut state = invert(conditioned, &*solver, plan, &data, &changes)?;
            state.z = sequence::keep(&state.z, model.latent_mask(mask));
            Ok(state)
        })
    }

    /// Decodes latents to targets `[n, …target_shape]` in the data's own units; logits become
    /// probabilities, and rows of a table that are generated have one category in each column. With
    /// `sampling.match_marginals`, columns are moved to the distributions of the training rows.
    ///
    /// # Errors
    /// [`Error::Component`]: the decoder fails.
    pub fn present(&mut self, z: &Tensor) -> Result<Tensor> {
        self.present_sequences(z, None)
    }

    /// Decodes latents of sequences, as [`present`](Self::present) does. `mask` `[n, T]` is 1 at
    /// positions of a sequence and 0 at padding, where the result is zero.
    ///
    /// # Errors
    /// [`Error::Component`]: the decoder fails.
    pub fn present_sequences(&mut self, z: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        self.present_matched(z, mask, true)
    }

    /// Decodes latents as [`present_sequences`](Self::present_sequences) does; without `matched`
    /// columns keep the distributions that the model gives them.
    pub(crate) fn present_matched(
        &mut self,
        z: &Tensor,
        mask: Option<&Tensor>,
        matched: bool,
    ) -> Result<Tensor> {
        let generates = !self.experiment.task().predicts();
        let marginals = self.marginals.as_ref();
        let marginals = marginals.filter(|_| matched && self.experiment.sampling.match_marginals);
        let marginals = marginals.map(Marginals::shallow_clone);
        self.sampling(|model, units| {
            tch::no_grad(|| {
                let decoded = model.present(&model.decode(z, Pass::EVAL.masked(mask))?);
                let decoded = match &marginals {
                    Some(marginals) => marginals.apply(&decoded),
                    None => decoded,
                };
                let own = units.target.undo(&decoded);
                let own = if generates { units.as_data(own) } else { own };
                Ok(sequence::keep(&own, mask))
            })
        })
    }
}
