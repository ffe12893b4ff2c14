//! A model: objective, path, encoder, decoder and CRN over one set of variables.

use crate::component::{
    BuildContext, Condition, CouplingContext, Crn, CrnInput, Decoder, Encoder, Likelihood,
    NoiseSchedule, Objective, Pass, Posterior, Sense, Source, SourceContext, shape_text,
};
use crate::config::{
    Experiment, LossConfig, ModelPart, Precision, Recon, Reduction, Task, TimeSampling, Weighting,
};
use crate::data::Shapes;
use crate::error::{Error, Result};
use crate::joint::{JointLaw, predicts_velocity};
use crate::kernels;
use crate::kernels::reduced::{Reduced, is_worth_it};
use crate::loss::{self, Terms, Weights};
use crate::path::{Path, PathKind, PathPoint, Reading, rows};
use crate::sequence;
use tch::{Device, Kind, Tensor, nn};

/// A model, ready to be trained or sampled.
pub struct Model {
    /// All variables, by component.
    pub vars: nn::VarStore,
    objective: Box<dyn Objective>,
    path: Path,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    crn: Box<dyn Crn>,
    source: Box<dyn Source>,
    standard_normal: bool,
    independent: bool,
    given: bool,
    likelihood: Likelihood,
    latent_shape: Vec<i64>,
    /// Whether a latent has a position for each of the target's.
    along: bool,
    learnable_schedule: bool,
    loss: LossConfig,
    recon: Recon,
    weights: Weights,
    /// Whether the CRN multiplies in bfloat16.
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
    /// Builds the model of an experiment and writes into it what its nulls turned out to be. The caller has
    /// seeded LibTorch for the initial values.
    pub fn build(experiment: &mut Experiment, shapes: &Shapes, device: Device) -> Result<Self> {
        let mut vars = nn::VarStore::new(device);
        if experiment.training.precision == Precision::Float64 {
            vars.set_kind(Kind::Double);
        }
        let objective = experiment.objective.build(&()).map_err(at("objective"))?;
        let path_kind = match experiment.path {
            Some(kind) => kind,
            None => objective.default_path()?,
        };
        let context = |name: &str, latent: Option<Vec<i64>>| BuildContext {
            vars: vars.root().sub(name),
            target_shape: shapes.target.clone(),
            condition_shape: shapes.condition.clone(),
            latent_shape: latent,
        };
        let wanted = experiment.latent_shape.clone().or_else(|| Some(shapes.target.clone()));
        let encoder =
            experiment.encoder.build(&context("encoder", wanted)).map_err(at("encoder"))?;
        let latent_shape = encoder.latent_shape()?;
        let latent = || Some(latent_shape.clone());
        let schedule = experiment
            .noise_schedule
            .build(&context("noise_schedule", latent()))
            .map_err(at("noise_schedule"))?;
        let learnable_schedule = has_parameters(&vars, "noise_schedule.");
        let path = match path_kind {
            PathKind::Rectified if learnable_schedule => {
                return Err(Error::config(
                    "noise_schedule.learnable",
                    "the rectified path has no noise schedule to learn",
                )
                .help("set `path: variance_preserving`, or leave the schedule fixed"));
            }
            PathKind::Rectified => Path::rectified(),
            PathKind::VariancePreserving => Path::variance_preserving(schedule, device),
        };
        let decoder =
            experiment.decoder.build(&context("decoder", latent())).map_err(at("decoder"))?;
        let crn = experiment.crn.build(&context("crn", latent())).map_err(at("crn"))?;
        let likelihood = decoder.likelihood()?;
        let reduced = experiment.training.precision == Precision::Bf16;
        if reduced && !is_worth_it(device) {
            log::warn!(
                "this processor has no instructions for bfloat16: `training.precision: bf16` is slow here"
            );
        }

        let source = SourceContext { z_shape: latent_shape.clone(), seed: experiment.seed() };
        let source = experiment.source.build(&source).map_err(at("source"))?;
        let coupling = CouplingContext {
            z_shape: latent_shape.clone(),
            condition_shape: shapes.condition.clone(),
        };
        let coupling = experiment.coupling.build(&coupling).map_err(at("coupling"))?;

        let frozen = &experiment.training.freeze;
        let (coded, decoded) =
            (has_parameters(&vars, "encoder."), has_parameters(&vars, "decoder."));
        let learned = Learned {
            schedule: learnable_schedule,
            encoder: coded && !frozen.contains(&ModelPart::Encoder),
            decoder: decoded && !frozen.contains(&ModelPart::Decoder),
            settled: coded || decoded,
        };
        if let Some(schedule) = &path.schedule {
            check_schedule(&**schedule, vars.kind(), device).map_err(at("noise_schedule"))?;
        }
        let given = coupling.is_given()?;
        let joint = JointLaw {
            standard_normal: source.is_standard_normal()?,
            independent: coupling.is_independent()? && !given,
            keeps_condition: coupling.keeps_condition()?,
        };
        joint.check(experiment, path_kind, &*objective, learned.encoder)?;
        if joint.standard_normal && joint.independent {
            let times =
                Tensor::from_slice(&[0.25, 0.5, 0.75]).to_kind(vars.kind()).to_device(device);
            refuse_wrong_sense(crn.sense()?, &*objective, &path.at(&times)?)?;
        }
        resolve(experiment, path_kind, &learned)?;
        if path_kind == PathKind::Rectified {
            refuse_infinite_terms(&experiment.loss, &*objective)?;
        }
        experiment.latent_shape = Some(latent_shape.clone());
        experiment.sampling.grid.get_or_insert(path.natural_clock(&*objective)?.into());
        let loss = experiment.loss;
        let recon = loss.recon.unwrap_or(match likelihood {
            Likelihood::Gaussian => Recon::Mse,
            Likelihood::Categorical => Recon::CrossEntropy,
        });
        experiment.loss.recon = Some(recon);
        let weighting =
            if loss.use_snr_weight == Some(true) { loss.weighting } else { Weighting::None };
        let normalise = loss.normalise == Some(true);
        let weights = tch::no_grad(|| Weights::new(weighting, normalise, &path, &*objective))?;
        Ok(Self {
            vars,
            objective,
            path,
            encoder,
            decoder,
            crn,
            source,
            standard_normal: joint.standard_normal,
            independent: joint.independent,
            given,
            likelihood,
            along: latent_shape.len() == 2 && latent_shape.first() == shapes.target.first(),
            latent_shape,
            learnable_schedule,
            loss,
            recon,
            weights,
            reduced,
        })
    }

    /// What the decoder's output means.
    pub fn likelihood(&self) -> Likelihood {
        self.likelihood
    }

    /// Shape of one latent.
    pub fn latent_shape(&self) -> &[i64] {
        &self.latent_shape
    }

    /// The path from noise to data.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the network predicts.
    pub fn objective(&self) -> &dyn Objective {
        &*self.objective
    }

    /// The law of z_0.
    pub fn source(&self) -> &dyn Source {
        &*self.source
    }

    /// Whether z_0 is N(0, I) and independent of the data. Only then is a state of the path Gaussian given
    /// the data, with a log-SNR, and only then do the velocity, the noise and the score follow from each
    /// other; else the velocity alone is what it was learned to be.
    pub fn gaussian(&self) -> bool {
        self.standard_normal && self.independent
    }

    /// Whether the output is the velocity of the rectified path: what can be learned of any joint law of z_0
    /// and the data.
    pub fn predicts_velocity(&self) -> Result<bool> {
        Ok(self.path.kind == PathKind::Rectified && predicts_velocity(&*self.objective)?)
    }

    /// Whether z_0 is independent of the data in training, so that nothing has to be paired.
    pub(crate) fn independent(&self) -> bool {
        self.independent
    }

    /// Whether the data give the z_0 of each row in training.
    pub(crate) fn given(&self) -> bool {
        self.given
    }

    /// The mask of latents, for targets of which the positions in `mask` are there: the same where a latent is
    /// a sequence as the target is, none where it is not.
    pub fn latent_mask<'m>(&self, mask: Option<&'m Tensor>) -> Option<&'m Tensor> {
        mask.filter(|_| self.along)
    }

    /// The law of z_1 given targets `[batch, …target_shape]`.
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

    /// Values or logits of latents `[batch, …z_shape]`.
    pub fn decode(&self, z: &Tensor, pass: Pass) -> Result<Tensor> {
        self.decoder.decode(z, pass)
    }

    /// What a user is shown: values, or probabilities.
    pub fn present(&self, decoded: &Tensor) -> Tensor {
        match self.likelihood {
            Likelihood::Gaussian => decoded.shallow_clone(),
            Likelihood::Categorical => decoded.softmax(-1, decoded.kind()),
        }
    }

    /// The network's output at a point of the path.
    pub fn output(
        &self,
        z: &Tensor,
        point: &PathPoint,
        condition: Option<&Condition>,
        pass: Pass,
    ) -> Result<Tensor> {
        let time = self.time_input(point)?.to_kind(z.kind()).expand([z.size()[0]], false);
        let mask = self.latent_mask(pass.mask);
        let z = &sequence::keep(z, mask);
        let input = CrnInput { z, time: &time, condition };
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

    /// Products in bfloat16 for as long as this is held, if the model is one of these. Held around a path, each weight
    /// is cast once.
    pub(crate) fn reduced(&self) -> Option<Reduced> {
        self.reduced.then(|| Reduced::on(self.vars.device()))
    }

    fn time_input(&self, point: &PathPoint) -> Result<Tensor> {
        match &self.path.schedule {
            Some(schedule) if self.learnable_schedule => {
                let ends = schedule.gamma(&self.ends())?;
                Ok((point.gamma() - ends.get(0)) / (ends.get(1) - ends.get(0)))
            }
            _ => Ok(point.t.shallow_clone()),
        }
    }

    /// The times 0 and 1, made on the device: a copy to it would wait.
    fn ends(&self) -> Tensor {
        Tensor::arange(2, (self.vars.kind(), self.vars.device()))
    }

    /// Times for a batch and the factor of the flow weight that goes with them.
    fn times(&self, batch: i64, sampling: TimeSampling) -> Result<(PathPoint, Option<Tensor>)> {
        let options = (self.vars.kind(), self.vars.device());
        let u = Tensor::rand([batch], options);
        let u = match sampling {
            TimeSampling::Uniform => u,
            TimeSampling::Stratified | TimeSampling::Importance => {
                (Tensor::arange(batch, options) + u) / batch as f64
            }
        };
        match (&self.path.schedule, sampling) {
            (Some(schedule), TimeSampling::Importance) => {
                let ends = tch::no_grad(|| schedule.gamma(&self.ends()))?;
                let range = ends.get(1) - ends.get(0);
                let t = schedule.time_of(&(u * &range + ends.get(0)))?.detach();
                let point = self.path.at(&t)?;
                let factor = range / point.gamma_prime().detach();
                Ok((point, Some(factor)))
            }
            _ => Ok((self.path.at(&u)?, None)),
        }
    }

    /// The loss of a batch: `target` `[batch, …target_shape]`. With `everything`, terms of weight 0 are
    /// measured too. Padding, as the mask of the pass says, does not count.
    pub fn losses(
        &self,
        target: &Tensor,
        condition: Option<&Condition>,
        pass: Pass,
        sampling: TimeSampling,
        everything: bool,
    ) -> Result<Terms> {
        self.losses_from(None, target, condition, pass, sampling, everything)
    }

    /// [`losses`](Self::losses) with z_0 `[batch, …z_shape]` where it is drawn already.
    pub(crate) fn losses_from(
        &self,
        z0: Option<Tensor>,
        target: &Tensor,
        condition: Option<&Condition>,
        pass: Pass,
        sampling: TimeSampling,
        everything: bool,
    ) -> Result<Terms> {
        let (config, reduction) = (&self.loss, self.loss.reduction);
        let (mask, latent_mask) = (pass.mask, self.latent_mask(pass.mask));
        let posterior = self.encode(target, pass)?;
        let data = posterior.sample();
        let noise = match z0 {
            Some(z0) => z0,
            None => self.source.draw(&data.size(), (data.kind(), data.device()))?,
        };
        let noise = sequence::keep(&noise, latent_mask);
        let (point, factor) = self.times(target.size()[0], sampling)?;
        let z = kernels::blend(&point.a, &data, &point.b, &noise);
        let output = self.output(&z, &point, condition, pass)?;
        let reading = Reading::new(&*self.objective, &point)?;
        let weighted = |errors: Tensor, weight: &Tensor| {
            let errors = errors * weight;
            match &factor {
                Some(f) => errors * f,
                None => errors,
            }
            .mean(None)
        };
        let aim = reading.target(&data, &noise);
        let weight = (!self.weights.flow_is_one(point.kind)).then(|| self.weights.flow(&reading));
        let flow = if latent_mask.is_some() || output.dim() < 2 {
            let errors = loss::squared_error(&output, &aim, reduction, latent_mask);
            weighted(errors, &weight.unwrap_or_else(|| point.t.ones_like()))
        } else {
            let weight = match (weight, &factor) {
                (Some(weight), Some(factor)) => Some(weight * factor),
                (weight, factor) => weight.or(factor.as_ref().map(Tensor::shallow_clone)),
            };
            let mean = reduction == Reduction::Mean;
            kernels::squared_error(&output, &aim, weight.as_ref(), mean)
        };
        // The bound takes half of the weighted error.
        let flow = if self.learnable_schedule { flow * 0.5 } else { flow };
        let mut total = flow.shallow_clone();
        let mut add =
            |weight: f64, term: &mut dyn FnMut() -> Result<Tensor>| -> Result<Option<Tensor>> {
                if weight == 0.0 && !everything {
                    return Ok(None);
                }
                let value = term()?;
                if weight != 0.0 {
                    total = &total + &value * weight;
                }
                Ok(Some(value))
            };
        let recon = add(config.recon_weight, &mut || {
            let decoded = self.decode(&reading.data(&z, &output), pass)?;
            Ok(weighted(
                loss::reconstruction(self.recon, &decoded, target, reduction, mask),
                &self.weights.data(&point),
            ))
        })?;
        let reg = add(config.reg_weight, &mut || {
            let velocity = reading.derivative(&z, &output, crate::path::Clock::Time);
            let squares = loss::reduce(&velocity.square(), reduction, latent_mask);
            Ok(weighted(squares, &self.weights.data(&point)))
        })?;
        let vae = add(config.vae_weight.unwrap_or(0.0), &mut || self.vae(&data, target, pass))?;
        let kl = match &self.path.schedule {
            None => None,
            Some(schedule) => add(config.kl_weight, &mut || {
                let zero = Tensor::zeros([1], (self.vars.kind(), self.vars.device()));
                let alpha_bar = schedule.gamma(&zero)?.sigmoid();
                Ok(loss::kl(&posterior, &alpha_bar, reduction, latent_mask).mean(None))
            })?,
        };
        Ok(Terms { total, flow, recon, reg, vae, kl })
    }

    /// Reconstruction from z_1, or, for the bound, −ln p(target | z at t = 1).
    fn vae(&self, data: &Tensor, target: &Tensor, pass: Pass) -> Result<Tensor> {
        let reduction = self.loss.reduction;
        let Some(schedule) =
            self.path.schedule.as_ref().filter(|_| self.loss.vae_noised == Some(true))
        else {
            return Ok(loss::reconstruction(
                self.recon,
                &self.decode(data, pass)?,
                target,
                reduction,
                pass.mask,
            )
            .mean(None));
        };
        let gamma = schedule.gamma(&Tensor::ones([1], (self.vars.kind(), self.vars.device())))?;
        // z / a_1 = z_1 + ε·e^(−γ/2)
        let noised = data + data.randn_like() * rows(&(&gamma * -0.5).exp(), data);
        let noised = sequence::keep(&noised, self.latent_mask(pass.mask));
        let decoded = self.decode(&noised, pass)?;
        let errors = loss::reconstruction(self.recon, &decoded, target, reduction, pass.mask);
        let errors = errors.mean(None);
        if self.recon != Recon::Mse {
            return Ok(errors);
        }
        let entries = match reduction {
            Reduction::Mean => 1.0,
            Reduction::Sum => {
                let all = (target.numel() as i64 / target.size()[0]) as f64;
                pass.mask.map_or(all, |mask| all * mask.mean(Kind::Double).double_value(&[]))
            }
        };
        let log_scale = (gamma.neg() + (2.0 * std::f64::consts::PI).ln()) * (0.5 * entries);
        Ok((errors * gamma.exp() * 0.5 + log_scale).mean(None))
    }
}

fn has_parameters(vars: &nn::VarStore, prefix: &str) -> bool {
    vars.variables().iter().any(|(name, v)| name.starts_with(prefix) && v.requires_grad())
}

fn at(key: &'static str) -> impl FnOnce(Error) -> Error {
    move |e| e.under(key)
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

/// Largest |γ|: beyond it SNR = e^γ leaves float32.
const GAMMA_BOUND: f64 = 80.0;

/// An error unless log-SNR is finite and rising at 1,001 times.
fn check_schedule(schedule: &dyn NoiseSchedule, kind: Kind, device: Device) -> Result<()> {
    tch::no_grad(|| {
        let t = Tensor::linspace(0.0, 1.0, 1001, (kind, device));
        let gamma = schedule.gamma(&t)?.to_kind(Kind::Double);
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

/// On the rectified path the data read from the noise are infinite at t = 0, and the velocity read from the
/// noise there or from the data at t = 1: errors of those readings have no finite mean.
fn refuse_infinite_terms(loss: &LossConfig, objective: &dyn Objective) -> Result<()> {
    let ends = PathPoint::rectified(&Tensor::from_slice(&[0.0, 1.0]));
    let reading = Reading::new(objective, &ends)?;
    let singular = |end| reading.determinant().double_value(&[end]) == 0.0;
    let terms = [
        ("loss.recon_weight", loss.recon_weight != 0.0 && singular(0)),
        ("loss.reg_weight", loss.reg_weight != 0.0 && (singular(0) || singular(1))),
    ];
    match terms.iter().find(|(_, infinite)| *infinite) {
        Some((key, _)) => {
            let message = "on the rectified path this objective makes the term infinite";
            Err(Error::config(*key, message).help("leave it 0, or set `path: variance_preserving`"))
        }
        None => Ok(()),
    }
}

/// The mean of the data given a state of a Gaussian path is the gradient of a convex function of the state
/// (its Jacobian is the covariance of the data there times a/b²): an objective that predicts the data alone is
/// not met by what can only fall.
fn refuse_wrong_sense(
    sense: Option<Sense>,
    objective: &dyn Objective,
    point: &PathPoint,
) -> Result<()> {
    let Some(sense) = sense else { return Ok(()) };
    let (data, noise) = objective.mix(point)?;
    let all = |holds: Tensor| holds.all().int64_value(&[]) == 1;
    let wrong = if sense.rising { data.lt(0.0) } else { data.gt(0.0) };
    if !(all(noise.eq(0.0)) && all(wrong)) {
        return Ok(());
    }
    let (minus, other) = if sense.rising { ("", "minus ") } else { ("minus ", "") };
    let message = format!(
        "the output is {minus}the gradient of a convex function of z, but what this objective predicts is \
         {other}the gradient of one"
    );
    Err(Error::config("crn", message).help(sense.otherwise))
}

/// Which parts have parameters.
struct Learned {
    schedule: bool,
    encoder: bool,
    decoder: bool,
    /// Whether encoder or decoder have parameters, learned or frozen.
    settled: bool,
}

/// Fills the nulls of the loss and the sampling, and refuses what cannot be sound.
fn resolve(experiment: &mut Experiment, path: PathKind, learned: &Learned) -> Result<()> {
    let generation = experiment.task() != Task::Regression;
    let loss = &mut experiment.loss;
    let vp = path == PathKind::VariancePreserving;
    if learned.schedule {
        let wrong = [
            ("loss.weighting", loss.weighting != Weighting::Elbo),
            ("loss.use_snr_weight", loss.use_snr_weight == Some(false)),
            ("loss.normalise", loss.normalise == Some(true)),
            ("loss.vae_noised", loss.vae_noised == Some(false)),
            ("loss.vae_weight", loss.vae_weight == Some(0.0)),
            ("loss.kl_weight", loss.kl_weight == 0.0),
            ("loss.recon", loss.recon == Some(Recon::None)),
        ];
        if let Some((key, _)) = wrong.iter().find(|(_, wrong)| *wrong) {
            return Err(Error::config(*key, "a learnable noise schedule is only sound under the full variational bound")
                .help("leave weighting, use_snr_weight, normalise, recon, vae_noised, vae_weight and kl_weight to their defaults"));
        }
        log::info!(
            "learnable noise schedule: minimising the variational bound (weighting elbo, kl, noised vae)"
        );
    }
    loss.use_snr_weight.get_or_insert(vp);
    loss.normalise.get_or_insert(!learned.schedule);
    loss.vae_noised.get_or_insert(learned.schedule);
    // What decodes has to be learned from a reconstruction.
    let frozen = learned.settled && !learned.encoder && !learned.decoder;
    let vae = (generation && learned.settled && !frozen)
        || learned.schedule
        || (learned.decoder && loss.recon_weight == 0.0);
    loss.vae_weight.get_or_insert(if vae { 1.0 } else { 0.0 });
    let unseen = loss.recon == Some(Recon::None)
        || (loss.recon_weight == 0.0 && loss.vae_weight == Some(0.0));
    if unseen && (learned.encoder || learned.decoder) {
        let what = if learned.encoder {
            "an encoder with parameters collapses"
        } else {
            "a decoder with parameters learns nothing"
        };
        let message = format!("{what} when nothing is reconstructed");
        return Err(Error::config("loss.vae_weight", message)
            .help("set `loss.vae_weight: 1.0`, or use one without parameters"));
    }
    if !vp && experiment.training.time_sampling == TimeSampling::Importance {
        return Err(Error::config(
            "training.time_sampling",
            "`importance` needs a bounded log-SNR, which the rectified path has not",
        )
        .help("use `stratified` or `uniform`"));
    }
    experiment.path = Some(path);
    Ok(())
}
