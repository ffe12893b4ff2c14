//! Models of components, with their losses and parameters.

mod losses;
mod parameters;
mod soundness;

pub use parameters::Parameters;

use self::soundness::{
    Learned, Variational, check_log_snr, refuse_infinite_terms, refuse_wrong_sense, resolve,
};
use crate::component::{
    BuildContext, Condition, CouplingContext, Crn, CrnInput, Decoder, Encoder, Likelihood,
    Objective, Pass, Posterior, Source, SourceContext, shape_text,
};
use crate::config::{Experiment, LossConfig, ModelPart, Precision, Reconstruction};
use crate::data::Shapes;
use crate::error::{Error, Result};
use crate::joint_distribution::JointDistribution;
use crate::kernels::reduced::{Reduced, is_worth_it};
use crate::loss::{Times, Weights};
use crate::path::{Path, PathPoint, Reading, rows};
use crate::sequence;
use tch::{Device, Kind, Tensor, nn};

/// A model, ready to be trained or sampled: objective, path, encoder, decoder, source and
/// conditional residual network (CRN) over one set of variables.
pub struct Model {
    /// All variables; the names of each part's begin with its key and a point, such as `crn.`.
    pub vars: nn::VarStore,
    objective: Box<dyn Objective>,
    path: Path,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    crn: Box<dyn Crn>,
    source: Box<dyn Source>,
    /// True if z_0 is N(0, I).
    standard_normal: bool,
    /// True if z_0 is independent of z_1 in training.
    independent: bool,
    /// True if the encoder is the identity.
    latent_is_target: bool,
    /// True if the data give the z_0 of each row.
    z0_from_data: bool,
    likelihood: Likelihood,
    latent_shape: Vec<i64>,
    /// True if a latent is a sequence with the positions of the target.
    latent_is_sequence: bool,
    learnable_schedule: bool,
    loss: LossConfig,
    recon: Reconstruction,
    weights: Weights,
    times: Times,
    /// True if the CRN multiplies in bfloat16.
    reduced: bool,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("path", &self.path)
            .field("latent_shape", &self.latent_shape)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Builds the model of an experiment, and replaces the nulls that it decides in the experiment.
    /// Initial values come from LibTorch's generator, which the caller has seeded.
    ///
    /// # Errors
    /// [`Error::Config`]: a part cannot be built, or the parts do not suit each other, so that the
    /// model could not be trained or sampled. [`Error::Component`]: a part fails.
    pub fn build(experiment: &mut Experiment, shapes: &Shapes, device: Device) -> Result<Self> {
        let mut vars = nn::VarStore::new(device);
        if experiment.training.precision == Precision::Float64 {
            vars.set_kind(Kind::Double);
        }
        let objective = experiment.objective.build(&()).map_err(within("objective"))?;
        let path = experiment.path()?;
        let context = |name: &str, latent: Option<Vec<i64>>| BuildContext {
            vars: vars.root().sub(name),
            target_shape: shapes.target.clone(),
            condition_shape: shapes.condition.clone(),
            latent_shape: latent,
        };
        let requested = experiment.latent_shape.clone().or_else(|| Some(shapes.target.clone()));
        let encoder =
            experiment.encoder.build(&context("encoder", requested)).map_err(within("encoder"))?;
        let latent_shape = encoder.latent_shape()?;
        let latent = || Some(latent_shape.clone());
        let schedule = experiment
            .noise_schedule
            .build(&context("noise_schedule", latent()))
            .map_err(within("noise_schedule"))?;
        let learnable_schedule = has_parameters(&vars, "noise_schedule.");
        let component = experiment.path.insert(path);
        let path = Path::build(component, Some(schedule), device).map_err(within("path"))?;
        if learnable_schedule && !path.scheduled() {
            let message = format!("the path `{}` has no noise schedule to learn", component.name());
            return Err(Error::config("noise_schedule.learnable", message)
                .help("use a path that follows one, or leave the schedule fixed"));
        }
        let decoder =
            experiment.decoder.build(&context("decoder", latent())).map_err(within("decoder"))?;
        let crn = experiment.crn.build(&context("crn", latent())).map_err(within("crn"))?;
        let likelihood = decoder.likelihood()?;
        let reduced = experiment.training.precision == Precision::Bf16;
        if reduced && !is_worth_it(device) {
            log::warn!(
                "this processor has no instructions for bfloat16: \
                 `training.precision: bf16` is slow here"
            );
        }

        let source = SourceContext { z_shape: latent_shape.clone(), seed: experiment.seed() };
        let source = experiment.source.build(&source).map_err(within("source"))?;
        let coupling = CouplingContext {
            z_shape: latent_shape.clone(),
            condition_shape: shapes.condition.clone(),
            conditions_repeat: None,
        };
        let coupling = experiment.coupling.build(&coupling).map_err(within("coupling"))?;

        let frozen = &experiment.training.freeze;
        let (encoder_has, decoder_has) =
            (has_parameters(&vars, "encoder."), has_parameters(&vars, "decoder."));
        let learned = Learned {
            schedule: learnable_schedule,
            encoder: encoder_has && !frozen.contains(&ModelPart::Encoder),
            decoder: decoder_has && !frozen.contains(&ModelPart::Decoder),
            autoencoder: encoder_has || decoder_has,
        };
        if path.bounded() {
            let key = if path.scheduled() { "noise_schedule" } else { "path" };
            check_log_snr(&path, vars.kind()).map_err(within(key))?;
        }
        let z0_from_data = coupling.z0_from_data()?;
        let joint = JointDistribution {
            standard_normal: source.is_standard_normal()?,
            independent: coupling.is_independent()? && !z0_from_data,
            keeps_condition: coupling.keeps_condition()?,
        };
        joint.check(experiment, &path, &*objective, learned.encoder)?;
        if joint.standard_normal && joint.independent {
            let times =
                Tensor::from_slice(&[0.25, 0.5, 0.75]).to_kind(vars.kind()).to_device(device);
            refuse_wrong_sense(crn.sense()?, &*objective, &path.at(&times)?)?;
        }
        let times = Times::new(&experiment.training.time_sampling, &path, (vars.kind(), device));
        let times = times.map_err(|e| e.under("training.time_sampling"))?;
        let weighting = experiment.loss.weighting.build(&());
        let weighting = weighting.map_err(|e| e.under("loss.weighting"))?;
        let variational = Variational {
            weighting: weighting.is_variational_bound()?,
            times: times.keep_the_loss(),
        };
        resolve(experiment, &path, &learned, &variational)?;
        if !path.bounded() {
            refuse_infinite_terms(&experiment.loss, &path, &*objective)?;
        }
        experiment.latent_shape = Some(latent_shape.clone());
        let loss = experiment.loss.clone();
        let recon = loss.recon.unwrap_or(match likelihood {
            Likelihood::Gaussian => Reconstruction::Mse,
            Likelihood::Categorical => Reconstruction::CrossEntropy,
        });
        experiment.loss.recon = Some(recon);
        let weights = tch::no_grad(|| {
            let weighting = (loss.use_snr_weight == Some(true)).then_some(weighting);
            let weights = Weights::new(weighting, &path)?;
            match loss.normalise {
                Some(true) => weights.normalised(&path, &*objective, &times),
                _ => Ok(weights),
            }
        })?;
        Ok(Self {
            vars,
            objective,
            path,
            latent_is_target: encoder.is_identity()?,
            encoder,
            decoder,
            crn,
            source,
            standard_normal: joint.standard_normal,
            independent: joint.independent,
            z0_from_data,
            likelihood,
            latent_is_sequence: latent_shape.len() == 2
                && latent_shape.first() == shapes.target.first(),
            latent_shape,
            learnable_schedule,
            loss,
            recon,
            weights,
            times,
            reduced,
        })
    }

    /// Meaning of the decoder's output.
    pub fn likelihood(&self) -> Likelihood {
        self.likelihood
    }

    /// Shape of one latent.
    pub fn latent_shape(&self) -> &[i64] {
        &self.latent_shape
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
        self.standard_normal && self.independent
    }

    /// True if the output is dz/dt of a path from z_0 itself to z_1 itself, which can be learned
    /// from any joint distribution of the two.
    ///
    /// # Errors
    /// [`Error::Component`]: the objective or the path fails.
    pub fn predicts_velocity(&self) -> Result<bool> {
        Ok(self.path.interpolates()? && self.path.is_velocity(&*self.objective)?)
    }

    /// True if z_0 is independent of the data in training, so that no pairing is needed.
    pub(crate) fn independent(&self) -> bool {
        self.independent
    }

    /// True if the data give the z_0 of each row in training.
    pub(crate) fn z0_from_data(&self) -> bool {
        self.z0_from_data
    }

    /// Mask of latents, given the mask `[batch, T]` of targets: the same if latents are sequences
    /// like the targets, otherwise `None`.
    pub fn latent_mask<'m>(&self, mask: Option<&'m Tensor>) -> Option<&'m Tensor> {
        mask.filter(|_| self.latent_is_sequence)
    }

    /// Encodes targets `[batch, …target_shape]` to the distribution of z_1 given each.
    ///
    /// # Errors
    /// [`Error::Component`]: the encoder fails. [`Error::Config`]: its result has another shape
    /// than a latent.
    pub fn encode(&self, target: &Tensor, pass: Pass) -> Result<Posterior> {
        let posterior = self.encoder.encode(target, pass)?;
        expect_shape("encoder", &posterior.mean, &self.latent_shape)?;
        let Some(mask) = self.latent_mask(pass.mask) else { return Ok(posterior) };
        let keep = |t: &Tensor| sequence::keep(t, Some(mask));
        Ok(Posterior {
            mean: keep(&posterior.mean),
            log_variance: posterior.log_variance.as_ref().map(keep),
        })
    }

    /// True if the latents are the targets.
    pub(crate) fn latent_is_target(&self) -> bool {
        self.latent_is_target
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
        match self.likelihood {
            Likelihood::Gaussian => decoded.shallow_clone(),
            Likelihood::Categorical => decoded.softmax(-1, decoded.kind()),
        }
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
        if !self.learnable_schedule {
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

fn has_parameters(vars: &nn::VarStore, prefix: &str) -> bool {
    vars.variables().iter().any(|(name, v)| name.starts_with(prefix) && v.requires_grad())
}

/// Puts the key of a component's error below the component's own.
fn within(key: &'static str) -> impl FnOnce(Error) -> Error {
    move |e| e.within(key)
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
