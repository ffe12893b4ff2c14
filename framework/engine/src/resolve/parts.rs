use crate::component::{
    BuildContext, Coupling, CouplingContext, Crn, Decoder, Encoder, NoiseSchedule, Objective,
    Source, SourceContext,
};
use crate::config::{Experiment, LossConfig, ModelPart};
use crate::data::{Completion, Units};
use crate::error::{Error, Result};
use crate::loss::{Times, Weights};
use crate::path::Path;
use crate::table::Segments;
use tch::{Device, Kind, Tensor, nn};

/// Largest |γ|, beyond which SNR = e^γ leaves the range of float32.
const GAMMA_BOUND: f64 = 80.0;

/// The built components of a model over one set of variables.
pub(crate) struct Parts {
    pub vars: nn::VarStore,
    pub objective: Box<dyn Objective>,
    pub path: Path,
    pub encoder: Box<dyn Encoder>,
    pub latent_shape: Vec<i64>,
    /// Numbers and categories of a target.
    pub segments: Segments,
    /// Form of conditions with known cells; `None` if the model is not given any.
    pub completion: Option<Completion>,
    pub decoder: Box<dyn Decoder>,
    pub crn: Box<dyn Crn>,
    pub source: Box<dyn Source>,
    pub coupling: Box<dyn Coupling>,
    pub times: Times,
    /// Weights of the errors over time, not normalised.
    pub weights: Weights,
}

impl Parts {
    /// Builds the parts of an experiment with the given path. Initial values come from LibTorch's
    /// generator.
    ///
    /// # Errors
    /// [`Error::Config`]: a part cannot be built, or its numbers are not sound. Errors of the
    /// components.
    pub fn build(
        experiment: &Experiment,
        units: &Units,
        (kind, device): (Kind, Device),
    ) -> Result<Self> {
        let (shapes, blocks) = (&units.shapes, units.target_blocks());
        let mut vars = nn::VarStore::new(device);
        vars.set_kind(kind);
        let completion = experiment.training.mask_columns.map(|_| Completion::new(units, device));
        let condition = match &completion {
            Some(completion) => Some(vec![completion.width()]),
            None => shapes.condition.clone(),
        };
        let context = |name: &str, latent: Option<Vec<i64>>| BuildContext {
            vars: vars.root().sub(name),
            target_shape: shapes.target.clone(),
            target_blocks: blocks.clone(),
            condition_shape: condition.clone(),
            latent_shape: latent,
        };
        let objective = experiment.objective.build(&()).map_err(within("objective"))?;
        let requested = experiment.latent_shape.clone().or_else(|| Some(shapes.target.clone()));
        let encoder =
            experiment.encoder.build(&context("encoder", requested)).map_err(within("encoder"))?;
        let latent_shape = encoder.latent_shape()?;
        let latent = || Some(latent_shape.clone());
        let schedule = experiment.noise_schedule.build(&context("noise_schedule", latent()));
        let path = path(experiment, schedule.map_err(within("noise_schedule"))?, (kind, device))?;
        // A decoder that cannot be built may not be the one that belongs to the encoder.
        let needed = encoder.decoder()?.filter(|needed| needed != experiment.decoder.name());
        let advice = |e: Error| match needed {
            Some(needed) => e.help(format!("set `decoder: {needed}`")),
            None => e,
        };
        let decoder = experiment.decoder.build(&context("decoder", latent()));
        let decoder = decoder.map_err(within("decoder")).map_err(advice)?;
        let crn = experiment.crn.build(&context("crn", latent())).map_err(within("crn"))?;
        let source = SourceContext { z_shape: latent_shape.clone(), seed: experiment.seed() };
        let coupling = CouplingContext {
            z_shape: latent_shape.clone(),
            condition_shape: shapes.condition.clone(),
            conditions_repeat: None,
        };
        let times = Times::new(&experiment.training.time_sampling, &path, (kind, device));
        let weighting = experiment.loss.weighting.build(&());
        let weighting = weighting.map_err(|e| e.under("loss.weighting"))?;
        Ok(Self {
            source: experiment.source.build(&source).map_err(within("source"))?,
            coupling: experiment.coupling.build(&coupling).map_err(within("coupling"))?,
            times: times.map_err(|e| e.under("training.time_sampling"))?,
            weights: tch::no_grad(|| Weights::new(weighting, &path))?,
            vars,
            objective,
            path,
            encoder,
            latent_shape,
            segments: Segments::new(&blocks, device),
            completion,
            decoder,
            crn,
        })
    }

    /// Gives the weights the form that a loss without nulls has.
    ///
    /// # Errors
    /// [`Error::Config`]: they cannot be normalised. Errors of the components.
    pub fn settle_weights(&mut self, loss: &LossConfig) -> Result<()> {
        let weights = std::mem::replace(&mut self.weights, Weights::one());
        self.weights = match (loss.use_snr_weight, loss.normalise) {
            (Some(true), Some(true)) => {
                tch::no_grad(|| weights.normalised(&self.path, &*self.objective, &self.times))?
            }
            (Some(true), _) => weights,
            _ => Weights::one(),
        };
        Ok(())
    }

    /// Number of parameters of a part, trained or frozen.
    pub fn count(&self, part: ModelPart) -> i64 {
        let all = self.vars.variables();
        let own =
            all.iter().filter(|(name, v)| name.starts_with(part.prefix()) && v.requires_grad());
        own.map(|(_, v)| v.numel() as i64).sum()
    }
}

/// Builds the path, whose log-SNR is sound if it is finite at both ends.
fn path(
    experiment: &Experiment,
    schedule: Box<dyn NoiseSchedule>,
    (kind, device): (Kind, Device),
) -> Result<Path> {
    let path = Path::build(&experiment.path()?, Some(schedule), device).map_err(within("path"))?;
    if path.bounded() {
        let key = if path.scheduled() { "noise_schedule" } else { "path" };
        check_log_snr(&path, kind).map_err(within(key))?;
    }
    Ok(path)
}

/// Checks that log-SNR is finite, bounded and rising, at 1,001 times.
fn check_log_snr(path: &Path, kind: Kind) -> Result<()> {
    tch::no_grad(|| {
        let t = Tensor::linspace(0.0, 1.0, 1001, (kind, path.device()));
        let gamma = path.at(&t)?.gamma().to_kind(Kind::Double);
        let bad = |message: String| {
            Err(Error::config("", message).help("choose other parameters of the schedule"))
        };
        if gamma.isfinite().all().int64_value(&[]) == 0 {
            return bad("with these parameters log-SNR is not finite on all of [0, 1]".into());
        }
        let (low, high) = (gamma.min().double_value(&[]), gamma.max().double_value(&[]));
        if low < -GAMMA_BOUND || high > GAMMA_BOUND {
            return bad(format!(
                "with these parameters log-SNR goes from {low:.3} to {high:.3}; it has to stay \
                 within ±{GAMMA_BOUND}"
            ));
        }
        let falls = gamma.diff::<Tensor>(1, -1, None, None).lt(-1e-4).any().int64_value(&[]) == 1;
        if falls || low >= high {
            return bad("with these parameters log-SNR does not rise from t = 0 to t = 1".into());
        }
        Ok(())
    })
}

/// Puts the key of a component's error below the component's own.
fn within(key: &'static str) -> impl FnOnce(Error) -> Error {
    move |e| e.within(key)
}
