//! Models of components, with their losses and parameters.

mod losses;
mod parameters;

pub use parameters::Parameters;

use crate::component::{
    Condition, Crn, CrnInput, Decoder, Encoder, Likelihood, Objective, Pass, Posterior, Source,
    shape_text,
};
use crate::config::{LossConfig, Precision};
use crate::data::Completion;
use crate::error::{Error, Result};
use crate::kernels::reduced::{Reduced, is_worth_it};
use crate::loss::{Times, Weights};
use crate::path::{Path, PathPoint, Reading, rows};
use crate::resolve::{ModelFacts, Pairing, Resolved, ScheduleUse};
use crate::sequence;
use crate::table::Segments;
use tch::{Tensor, nn};

/// A model, ready to be trained or sampled: objective, path, encoder, decoder, source and
/// conditional residual network (CRN) over one set of variables. Made of an experiment that is
/// [resolved](crate::config::Experiment::resolve).
pub struct Model {
    /// All variables; the names of each part's begin with its key and a point, such as `crn.`.
    pub vars: nn::VarStore,
    objective: Box<dyn Objective>,
    path: Path,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    crn: Box<dyn Crn>,
    source: Box<dyn Source>,
    weights: Weights,
    times: Times,
    segments: Segments,
    completion: Option<Completion>,
    facts: ModelFacts,
    loss: LossConfig,
    /// True if the CRN multiplies in bfloat16.
    reduced: bool,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("path", &self.path)
            .field("latent_shape", &self.latent_shape())
            .finish_non_exhaustive()
    }
}

impl From<Resolved> for Model {
    fn from(resolved: Resolved) -> Self {
        let Resolved { experiment, facts, parts } = resolved;
        let reduced = experiment.training.precision == Precision::Bf16;
        if reduced && !is_worth_it(parts.vars.device()) {
            log::warn!(
                "this processor has no instructions for bfloat16: \
                 `training.precision: bf16` is slow here"
            );
        }
        Self {
            vars: parts.vars,
            objective: parts.objective,
            path: parts.path,
            encoder: parts.encoder,
            decoder: parts.decoder,
            crn: parts.crn,
            source: parts.source,
            weights: parts.weights,
            times: parts.times,
            segments: parts.segments,
            completion: parts.completion,
            facts: facts.model,
            loss: experiment.loss,
            reduced,
        }
    }
}

impl Model {
    /// Meaning of the decoder's output.
    pub fn likelihood(&self) -> Likelihood {
        self.facts.likelihood
    }

    /// Shape of one latent.
    pub fn latent_shape(&self) -> &[i64] {
        &self.facts.latent_shape
    }

    /// Weights of the errors over time.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The path from noise to data.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Prediction target of the network.
    pub fn objective(&self) -> &dyn Objective {
        &*self.objective
    }

    /// The distribution of z_0.
    pub fn source(&self) -> &dyn Source {
        &*self.source
    }

    /// True if z_0 is N(0, I) and independent of the data. Only then is a state of the path
    /// Gaussian given the data, with a log-SNR, and only then do velocity, noise and score follow
    /// from each other; otherwise the velocity is the only one that the model knows.
    pub fn gaussian(&self) -> bool {
        self.facts.gaussian()
    }

    /// True if the output is dz/dt of a path from z_0 itself to z_1 itself, which can be learned
    /// from any joint distribution of the two.
    pub fn predicts_velocity(&self) -> bool {
        self.facts.interpolates && self.facts.is_velocity
    }

    /// True if z_0 is independent of the data in training, so that no pairing is needed.
    pub(crate) fn independent(&self) -> bool {
        self.facts.pairing == Pairing::Independent
    }

    /// True if the data give the z_0 of each row in training.
    pub(crate) fn z0_from_data(&self) -> bool {
        self.facts.pairing == Pairing::Data
    }

    /// Mask of latents, given the mask `[batch, T]` of targets: the same if latents are sequences
    /// like the targets, otherwise `None`.
    pub fn latent_mask<'m>(&self, mask: Option<&'m Tensor>) -> Option<&'m Tensor> {
        mask.filter(|_| self.facts.latent_is_sequence)
    }

    /// Encodes targets `[batch, …target_shape]` to the distribution of z_1 given each.
    ///
    /// # Errors
    /// [`Error::Component`]: the encoder fails. [`Error::Config`]: its result has another shape
    /// than a latent.
    pub fn encode(&self, target: &Tensor, pass: Pass) -> Result<Posterior> {
        let posterior = self.encoder.encode(target, pass)?;
        expect_shape("encoder", &posterior.mean, self.latent_shape())?;
        let Some(mask) = self.latent_mask(pass.mask) else { return Ok(posterior) };
        let keep = |t: &Tensor| sequence::keep(t, Some(mask));
        Ok(Posterior {
            mean: keep(&posterior.mean),
            log_variance: posterior.log_variance.as_ref().map(keep),
        })
    }

    /// For each coordinate of a latent the entry of a target that it comes from, as
    /// [`Encoder::origins`] has it.
    ///
    /// # Errors
    /// [`Error::Component`]: the encoder fails.
    pub fn latent_origins(&self) -> Result<Option<Vec<i64>>> {
        self.encoder.origins()
    }

    /// True if the latents are the targets.
    pub(crate) fn latent_is_target(&self) -> bool {
        self.facts.latent_is_target
    }

    /// Decodes latents `[batch, …z_shape]` to values or logits `[batch, …target_shape]`.
    ///
    /// # Errors
    /// [`Error::Component`]: the decoder fails.
    pub fn decode(&self, z: &Tensor, pass: Pass) -> Result<Tensor> {
        self.decoder.decode(z, pass)
    }

    /// Converts the decoder's output to values for the user: logits become probabilities.
    pub fn present(&self, decoded: &Tensor) -> Tensor {
        match self.facts.likelihood {
            Likelihood::Gaussian => decoded.shallow_clone(),
            Likelihood::Categorical => decoded.softmax(-1, decoded.kind()),
            Likelihood::Blocks => self.segments.probabilities(decoded),
        }
    }

    /// Form of conditions with known cells of the rows; `None` if the model is not given any.
    pub(crate) fn completion(&self) -> Option<&Completion> {
        self.completion.as_ref()
    }

    /// Evaluates the network at states `z` `[batch, …z_shape]` and the point of a reading, with one
    /// time for all or one for each; the output has the shape of `z`.
    ///
    /// # Errors
    /// [`Error::Component`]: the network fails. [`Error::Config`]: its output has another shape.
    pub fn output(
        &self,
        z: &Tensor,
        reading: &Reading<'_>,
        condition: Option<&Condition>,
        pass: Pass,
    ) -> Result<Tensor> {
        let point = reading.point();
        let time = self.time_input(point)?.to_kind(z.kind()).expand([z.size()[0]], false);
        let mask = self.latent_mask(pass.mask);
        let z = &sequence::keep(z, mask);
        let completed = self.completion.as_ref().filter(|own| !own.is_complete(condition));
        let completed = completed
            .map(|own| own.condition(condition, None, z.size()[0], (z.kind(), z.device())));
        let condition = completed.as_ref().or(condition);
        let scaled = point.input_scale()?.map(|scale| rows(&scale.to_kind(z.kind()), z) * z);
        let input =
            CrnInput { z: scaled.as_ref().unwrap_or(z), state: z, time: &time, condition, reading };
        let reduced = self.reduced();
        let output = self.crn.forward(&input, pass.masked(mask))?.to_kind(z.kind());
        drop(reduced);
        let output = sequence::keep(&output, mask);
        if output.size() != z.size() {
            return Err(Error::config(
                "crn",
                format!("gives {} for z of {}", shape_text(&output.size()), shape_text(&z.size())),
            ));
        }
        Ok(output)
    }

    /// Guard during whose life matrix products are in bfloat16; `None` if the model does not use
    /// it. While one is held around a whole path, each weight is cast only once.
    pub(crate) fn reduced(&self) -> Option<Reduced> {
        self.reduced.then(|| Reduced::on(self.vars.device()))
    }

    fn time_input(&self, point: &PathPoint<'_>) -> Result<Tensor> {
        if self.facts.schedule != ScheduleUse::Learned {
            return Ok(point.t.shallow_clone());
        }
        let ends = self.path.at(&self.ends())?.gamma();
        Ok((point.gamma() - ends.get(0)) / (ends.get(1) - ends.get(0)))
    }

    /// The times 0 and 1, made on the device because a copy to it would wait.
    fn ends(&self) -> Tensor {
        Tensor::arange(2, (self.vars.kind(), self.vars.device()))
    }
}

fn expect_shape(what: &str, tensor: &Tensor, shape: &[i64]) -> Result<()> {
    if tensor.size()[1..] == *shape {
        Ok(())
    } else {
        Err(Error::config(
            what,
            format!(
                "gives {} a row, but the latent shape is {}",
                shape_text(&tensor.size()[1..]),
                shape_text(shape)
            ),
        ))
    }
}
