//! The trainer: one loop for every objective.
//!
//! Nothing inside a step waits for the device: batches are index-selected from resident data, loss sums
//! accumulate there and are read once an epoch.

use super::checkpoint::State;
use super::{Epoch, History, Parameters};
use crate::component::{
    Condition, DataContext, Observer, Optimizer, OptimizerState, Pass, Splits, shape_text,
};
use crate::config::{Experiment, Precision, Task};
use crate::data::Data;
use crate::device;
use crate::error::{Error, Result};
use crate::loss::TERMS;
use crate::model::Model;
use crate::registry::guard_engine;
use crate::rng::{Purpose, seed_torch, stream_seed};
use crate::sample::{Plan, Sampled, sample};
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// Advice where training has diverged.
pub(crate) const DIVERGED: &str =
    "help: try a lower training.optimizer.learning_rate, or set training.clip_grad_norm";

/// What happens while training.
#[derive(Debug)]
pub enum Event<'a> {
    /// A step was taken.
    Step {
        /// Steps so far.
        step: u64,
        /// Steps in all.
        total: u64,
        /// Rows of this step.
        rows: i64,
    },
    /// An epoch ended; the trainer is at a step boundary and may be saved.
    Epoch(&'a Epoch),
}

/// What the observer of an [`Event`] wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Save the state now and go on.
    Checkpoint,
    /// Save the state now and stop.
    Stop,
}

/// An experiment in memory: data, model, and the state of training.
#[derive(Debug)]
pub struct Trainer {
    experiment: Experiment,
    data: Data,
    model: Model,
    parameters: Parameters,
    optimizer: Box<dyn Optimizer>,
    moments: OptimizerState,
    ema: Option<Tensor>,
    step: u64,
    /// Row-weighted sums of the epoch's loss terms, and the rows, `[7]`.
    sums: Tensor,
    history: History,
    device: Device,
}

/// What several draws of one prediction say, in the data's own units (probabilities for labels).
#[derive(Debug)]
pub struct Prediction {
    /// `[n, …target_shape]`, float64.
    pub mean: Tensor,
    /// Likewise; 0 for a single draw.
    pub deviation: Tensor,
}

impl std::fmt::Debug for Box<dyn Optimizer> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("optimizer")
    }
}

impl Trainer {
    /// Loads the experiment's data and builds its model. Relative data paths are read from `base`.
    pub fn new(experiment: Experiment, base: &Path) -> Result<Self> {
        let context = DataContext { seed: experiment.seed(), base: base.to_owned() };
        let source = experiment.data.build(&context).map_err(|e| e.under("data"))?;
        let splits = source.load().map_err(|e| e.under("data"))?;
        Self::with_tables(experiment, splits)
    }

    /// The same on tables in memory; sets that are missing are split off the training rows.
    pub fn with_tables(mut experiment: Experiment, splits: Splits) -> Result<Self> {
        experiment.task.get_or_insert(Task::Generation);
        check(&experiment)?;
        let device = device::choose(&experiment.device)?;
        guard_engine(move || {
            let kind = if experiment.training.precision == Precision::Float64 {
                Kind::Double
            } else {
                Kind::Float
            };
            let data = Data::from_splits(&experiment, splits, kind, device)?;
            seed_torch(experiment.seed(), Purpose::Init, 0);
            let model = Model::build(&mut experiment, &data.shapes(), device)?;
            let parameters = Parameters::new(&model.vars)?;
            experiment.threads = Some(device::set_threads(
                experiment.threads,
                parameters.count(),
                experiment.training.batch_size,
            ));
            let optimizer = experiment.training.optimizer.build(&());
            let optimizer = optimizer.map_err(|e| e.under("training.optimizer"))?;
            let rate = optimizer.learning_rate()?;
            if !(rate.is_finite() && rate > 0.0) {
                return Err(Error::config(
                    "training.optimizer.learning_rate",
                    format!("needs a number above 0, got {rate}"),
                ));
            }
            // What cannot sample is said before the training, not after it.
            experiment.sampling.solver.build(&()).map_err(|e| e.under("sampling.solver"))?;
            let full = |(_, value): (&str, f64)| parameters.flat.full_like(value);
            let moments = OptimizerState {
                step: 0,
                moments: optimizer.moments()?.into_iter().map(full).collect(),
            };
            let ema = experiment.training.ema.map(|_| parameters.flat.copy());
            let sums = Tensor::zeros([TERMS.len() as i64 + 1], (Kind::Double, device));
            Ok(Self {
                experiment,
                data,
                model,
                parameters,
                optimizer,
                moments,
                ema,
                step: 0,
                sums,
                history: History::default(),
                device,
            })
        })
    }

    /// The experiment with every null resolved.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// The data.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The loss terms so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Number of learned parameters.
    pub fn parameter_count(&self) -> i64 {
        self.parameters.count()
    }

    /// Where it runs.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Steps in an epoch; the last may be smaller.
    pub fn steps_per_epoch(&self) -> u64 {
        let batch = self.experiment.training.batch_size;
        ((self.data.train.len() + batch - 1) / batch) as u64
    }

    /// Trains to the end, or until `on` says stop. Returns whether the end was reached.
    pub fn fit(
        &mut self,
        on: &mut dyn FnMut(&Trainer, &Event<'_>) -> Result<Control>,
    ) -> Result<bool> {
        guard_engine(|| self.run(on))
    }

    /// Steps in all.
    pub fn total_steps(&self) -> u64 {
        let training = &self.experiment.training;
        training.steps.unwrap_or(self.steps_per_epoch() * training.epochs)
    }

    fn run(&mut self, on: &mut dyn FnMut(&Trainer, &Event<'_>) -> Result<Control>) -> Result<bool> {
        let (per_epoch, total) = (self.steps_per_epoch(), self.total_steps());
        let mut order = None;
        while self.step < total {
            let (epoch, within) = (self.step / per_epoch, (self.step % per_epoch) as i64);
            let order = match &order {
                Some((e, order)) if *e == epoch => order,
                _ => &order.insert((epoch, self.order(epoch))).1,
            };
            let batch = self.experiment.training.batch_size;
            let rows = batch.min(self.data.train.len() - within * batch);
            let index = order.narrow(0, within * batch, rows);
            self.take_step(&index, epoch, total)?;
            let mut stop =
                on(self, &Event::Step { step: self.step, total, rows })? == Control::Stop;
            if self.step.is_multiple_of(per_epoch) || self.step == total {
                let done = self.end_epoch(epoch + 1)?;
                stop |= on(self, &Event::Epoch(&done))? == Control::Stop;
            }
            if stop && self.step < total {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The order of the training rows in an epoch.
    fn order(&self, epoch: u64) -> Tensor {
        seed_torch(self.experiment.seed(), Purpose::Shuffle, epoch);
        Tensor::randperm(self.data.train.len(), (Kind::Int64, Device::Cpu)).to_device(self.device)
    }

    fn take_step(&mut self, index: &Tensor, epoch: u64, total: u64) -> Result<()> {
        let config = &self.experiment.training;
        seed_torch(config.seed, Purpose::Train, self.step);
        let (target, condition) = self.data.train.rows(index);
        let condition = condition.map(|value| Condition { value, present: None });
        let dropout = config.dropout_epochs.is_none_or(|n| epoch < n);
        let pass = Pass { training: true, dropout };
        let terms =
            self.model.losses(&target, condition.as_ref(), pass, config.time_sampling, false)?;
        let mut gradient = self.parameters.gradient(&terms.total)?;
        let rate = self.optimizer.learning_rate()? * config.lr_schedule.factor(self.step, total);
        tch::no_grad(|| -> Result<()> {
            if let Some(longest) = config.clip_grad_norm {
                let scale = (gradient.norm().reciprocal() * longest).clamp_max(1.0);
                gradient *= scale;
            }
            self.moments.step += 1;
            self.optimizer.step(&mut self.parameters.flat, &gradient, &mut self.moments, rate)?;
            if let (Some(ema), Some(decay)) = (&mut self.ema, config.ema) {
                // Early on the mean reaches no further back than training does.
                let n = self.moments.step as f64;
                let _ = ema.lerp_(&self.parameters.flat, 1.0 - decay.min((1.0 + n) / (10.0 + n)));
            }
            Ok(())
        })?;
        self.sums += weighed(&terms.values(), index.size()[0]);
        self.step += 1;
        Ok(())
    }

    fn end_epoch(&mut self, epoch: u64) -> Result<Epoch> {
        let val = self.validate()?;
        let done = Epoch { epoch, step: self.step, train: means(&self.sums), val: means(&val) };
        self.sums = self.sums.zeros_like();
        let lost = |losses: &[Option<f64>]| losses.first() == Some(&None);
        if lost(&done.train) || (!self.data.val.is_empty() && lost(&done.val)) {
            return Err(Error::runtime(format!(
                "the loss is no longer finite in epoch {epoch}\n  {DIVERGED}"
            )));
        }
        self.history.epochs.push(done.clone());
        Ok(done)
    }

    /// Sums of the loss terms over the validation rows, with the same draws in every epoch.
    fn validate(&self) -> Result<Tensor> {
        let config = &self.experiment.training;
        let mut sums = self.sums.zeros_like();
        tch::no_grad(|| -> Result<()> {
            let n = self.data.val.len();
            for (i, from) in (0..n).step_by(config.batch_size as usize).enumerate() {
                seed_torch(config.seed, Purpose::Validate, i as u64);
                let rows = config.batch_size.min(n - from);
                let target = self.data.val.target.narrow(0, from, rows);
                let condition = self
                    .data
                    .val
                    .condition
                    .as_ref()
                    .map(|c| Condition { value: c.narrow(0, from, rows), present: None });
                let terms = self.model.losses(
                    &target,
                    condition.as_ref(),
                    Pass::EVAL,
                    config.time_sampling,
                    true,
                )?;
                sums += weighed(&terms.values(), rows);
            }
            Ok(())
        })?;
        Ok(sums)
    }

    /// The state of training, to be saved.
    pub fn state(&self) -> Result<State> {
        let mut tensors = vec![
            ("parameters".to_owned(), self.parameters.flat.copy()),
            ("sums".to_owned(), self.sums.copy()),
        ];
        if let Some(ema) = &self.ema {
            tensors.push(("ema".to_owned(), ema.copy()));
        }
        for ((name, _), moment) in self.optimizer.moments()?.into_iter().zip(&self.moments.moments)
        {
            tensors.push((format!("moment.{name}"), moment.copy()));
        }
        Ok(State { step: self.step, tensors, history: self.history.clone() })
    }

    /// Continues from a saved state of the same experiment.
    pub fn restore(&mut self, state: State) -> Result<()> {
        let find = |name: &str, like: &Tensor| -> Result<Tensor> {
            let found = state.tensors.iter().find(|(n, _)| n == name).map(|(_, t)| t);
            match found {
                Some(t) if t.size() == like.size() => Ok(t.to_device(self.device)),
                Some(t) => Err(Error::runtime(format!(
                    "the checkpoint's {name} has {} values, the model {}",
                    t.numel(),
                    like.numel()
                ))),
                None => Err(Error::runtime(format!("the checkpoint has no {name}"))),
            }
        };
        let parameters = find("parameters", &self.parameters.flat)?;
        let ema = self.ema.as_ref().map(|ema| find("ema", ema)).transpose()?;
        let names = self.optimizer.moments()?;
        let moments = names
            .iter()
            .zip(&self.moments.moments)
            .map(|((name, _), m)| find(&format!("moment.{name}"), m))
            .collect::<Result<Vec<_>>>()?;
        let sums = find("sums", &self.sums)?;
        tch::no_grad(|| self.parameters.flat.copy_(&parameters));
        self.ema = ema;
        self.moments = OptimizerState { step: state.step as i64, moments };
        self.sums = sums;
        self.step = state.step;
        self.history = state.history;
        Ok(())
    }

    /// Parameters and their running mean by name (`ema.` in front), for a weights file.
    pub fn named_parameters(&self) -> Vec<(String, Tensor)> {
        let mut all = self.parameters.named(&self.parameters.flat);
        if let Some(ema) = &self.ema {
            all.extend(
                self.parameters.named(ema).into_iter().map(|(n, t)| (format!("ema.{n}"), t)),
            );
        }
        all
    }

    /// Steps taken.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Takes parameters, and their running mean, from a weights file's tensors, and the history that led to
    /// them.
    pub fn restore_named(
        &mut self,
        tensors: &std::collections::HashMap<String, Tensor>,
        history: History,
    ) -> Result<()> {
        let fill = |flat: &Tensor, prefix: &str| -> Result<()> {
            for (name, mut piece) in self.parameters.named(flat) {
                let saved =
                    tensors.get(&format!("{prefix}{name}")).filter(|t| t.size() == piece.size());
                let saved = saved.ok_or_else(|| {
                    Error::runtime(format!(
                        "the weights have no `{prefix}{name}` of shape {:?}",
                        piece.size()
                    ))
                })?;
                tch::no_grad(|| piece.copy_(saved));
            }
            Ok(())
        };
        self.history = history;
        fill(&self.parameters.flat, "")?;
        match &self.ema {
            Some(ema) => fill(ema, "ema."),
            None => Ok(()),
        }
    }

    /// How the experiment samples.
    pub fn plan(&self) -> Plan {
        let sampling = &self.experiment.sampling;
        let clock = sampling.grid.unwrap_or(crate::path::Clock::Time);
        Plan { steps: sampling.steps, clock, final_denoise: sampling.final_denoise }
    }

    /// Latents drawn from z_0 `[n, …z_shape]` under normalised conditions, with the running mean of the
    /// parameters where the experiment says so.
    pub fn sample_latents(
        &mut self,
        z0: &Tensor,
        condition: Option<&Condition>,
        plan: Plan,
        seen: &mut dyn Observer,
    ) -> Result<Sampled> {
        let solver = self.experiment.sampling.solver.build(&())?;
        let (model, parameters) = (&self.model, &mut self.parameters);
        let draw = move |seen: &mut dyn Observer| {
            guard_engine(|| sample(model, &*solver, plan, z0, condition, seen))
        };
        match self.ema.as_ref().filter(|_| self.experiment.sampling.use_ema) {
            Some(ema) => parameters.with(ema, || draw(seen)),
            None => draw(seen),
        }
    }

    /// z_0 for `n` samples: N(0, I) drawn for (seed, sample), or zeros without a seed.
    pub fn z0(&self, n: i64, seed: Option<u64>) -> Tensor {
        let mut shape = vec![n];
        shape.extend_from_slice(self.model.latent_shape());
        let options = (self.model.vars.kind(), self.device);
        match seed {
            Some(seed) => {
                tch::manual_seed(stream_seed(seed, Purpose::Sample, 0) as i64);
                Tensor::randn(shape.as_slice(), options)
            }
            None => Tensor::zeros(shape.as_slice(), options),
        }
    }

    /// Targets in the data's own units (probabilities for logits), `[n, …target_shape]`, for latents.
    pub fn present(&mut self, z: &Tensor) -> Result<Tensor> {
        let (model, target) = (&self.model, &self.data.target);
        let show =
            || tch::no_grad(|| Ok(target.undo(&model.present(&model.decode(z, Pass::EVAL)?))));
        match self.ema.as_ref().filter(|_| self.experiment.sampling.use_ema) {
            Some(ema) => self.parameters.with(ema, || guard_engine(show)),
            None => guard_engine(show),
        }
    }

    /// Predictions or samples under `conditions` (`[n, …condition_shape]` in the data's own units, or one
    /// without the batch axis): from z_0 = 0 without a seed, from N(0, I) with one.
    pub fn generate(
        &mut self,
        conditions: &Tensor,
        steps: Option<usize>,
        seed: Option<u64>,
    ) -> Result<Tensor> {
        let shape = self
            .data
            .shapes()
            .condition
            .ok_or_else(|| Error::config("unconditional", "this model takes no condition"))?;
        let conditions = conditions.to_kind(self.model.vars.kind()).to_device(self.device);
        let single = conditions.size() == shape;
        let conditions = if single { conditions.unsqueeze(0) } else { conditions };
        if conditions.size().get(1..) != Some(shape.as_slice()) {
            return Err(Error::config(
                "",
                format!(
                    "a condition of this model has shape {}, but these have {}",
                    shape_text(&shape),
                    shape_text(conditions.size().get(1..).unwrap_or_default())
                ),
            ));
        }
        let z0 = self.z0(conditions.size()[0], seed);
        let condition = Condition { value: self.data.condition.apply(&conditions), present: None };
        let plan = Plan { steps: steps.unwrap_or(self.experiment.sampling.steps), ..self.plan() };
        let z = self.sample_latents(&z0, Some(&condition), plan, &mut ())?.z;
        let out = self.present(&z)?;
        Ok(if single { out.squeeze_dim(0) } else { out })
    }

    /// Mean and standard deviation of `draws` predictions under `conditions`, as [`generate`](Self::generate)
    /// makes them: each from its own z_0 ~ N(0, I), the first that of `seed`; all from z_0 = 0 without one.
    pub fn predict(
        &mut self,
        conditions: &Tensor,
        seed: Option<u64>,
        draws: u64,
    ) -> Result<Prediction> {
        let mean = self.generate(conditions, None, seed)?;
        let (mut mean, mut squares) =
            (mean.to_kind(Kind::Double), mean.zeros_like().to_kind(Kind::Double));
        let draws = if seed.is_some() { draws.max(1) } else { 1 };
        for draw in 1..draws {
            let seed = seed.map(|seed| stream_seed(seed, Purpose::Sample, draw));
            let new = self.generate(conditions, None, seed)?.to_kind(Kind::Double);
            // Welford's update: no difference of large sums.
            let step = &new - &mean;
            mean += &step / (draw + 1) as f64;
            squares += step * (new - &mean);
        }
        let deviation = (squares / (draws.max(2) - 1) as f64).sqrt();
        Ok(Prediction { mean, deviation })
    }

    /// Unconditional samples `[…batch_shape, …target_shape]`.
    pub fn sample(
        &mut self,
        batch_shape: &[i64],
        steps: Option<usize>,
        seed: u64,
    ) -> Result<Tensor> {
        if self.data.shapes().condition.is_some() {
            return Err(Error::config(
                "unconditional",
                "this model needs conditions; use `generate`",
            ));
        }
        let n = batch_shape.iter().product();
        let z0 = self.z0(n, Some(seed));
        let plan = Plan { steps: steps.unwrap_or(self.experiment.sampling.steps), ..self.plan() };
        let z = self.sample_latents(&z0, None, plan, &mut ())?.z;
        let out = self.present(&z)?;
        let shape: Vec<i64> = batch_shape.iter().chain(&out.size()[1..]).copied().collect();
        Ok(out.view(shape.as_slice()))
    }
}

fn weighed(terms: &Tensor, rows: i64) -> Tensor {
    Tensor::cat(
        &[terms * rows as f64, terms.new_full([1], rows as f64, (Kind::Double, terms.device()))],
        0,
    )
}

/// Means from sums; `None` where NaN.
fn means(sums: &Tensor) -> Vec<Option<f64>> {
    let sums: Vec<f64> = Vec::try_from(sums.to_device(Device::Cpu)).unwrap_or_default();
    let rows = sums.last().copied().unwrap_or(0.0);
    sums.iter().take(TERMS.len()).map(|s| Some(s / rows).filter(|m| m.is_finite())).collect()
}

fn check(experiment: &Experiment) -> Result<()> {
    let t = &experiment.training;
    let one = |key: &str, n: i64| match n {
        ..1 => Err(Error::config(key, format!("needs at least 1, got {n}"))),
        _ => Ok(()),
    };
    one("training.batch_size", t.batch_size)?;
    one("training.epochs", t.epochs.try_into().unwrap_or(i64::MAX))?;
    one("training.steps", t.steps.map_or(1, |n| n.try_into().unwrap_or(i64::MAX)))?;
    one("sampling.steps", experiment.sampling.steps as i64)?;
    one("threads", experiment.threads.map_or(1, |n| n as i64))?;
    if let Some(ema) = t.ema.filter(|e| !(0.0..1.0).contains(e)) {
        return Err(Error::config("training.ema", format!("needs 0 <= ema < 1, got {ema}")));
    }
    if let Some(longest) = t.clip_grad_norm.filter(|c| c.is_nan() || *c <= 0.0) {
        let message = format!("needs a number above 0, got {longest}");
        return Err(Error::config("training.clip_grad_norm", message));
    }
    match &experiment.latent_shape {
        Some(shape) if shape.iter().any(|n| *n < 1) => {
            let message = format!("needs sizes of at least 1, got {}", shape_text(shape));
            Err(Error::config("latent_shape", message))
        }
        _ => Ok(()),
    }
}
