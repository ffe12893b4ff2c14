//! The trainer: one loop for every objective.
//!
//! Nothing inside a step waits for the device: batches are index-selected from resident data or read ahead
//! from disk, loss sums accumulate there and are read once an epoch.

use super::batches::Batches;
use super::checkpoint::State;
use super::coupled::{PairingCost, ValidationPairs};
use super::graph::{self, Recorder, Steps};
use super::rates::Schedule;
use super::settle::{check_flip, settle_z0};
use super::start::warn_of_shift;
use super::step::{Inputs, Learning};
use super::{Epoch, History};
use crate::component::{Optimizer, OptimizerState, Pass, Splits};
use crate::config::{Experiment, Task};
use crate::data::{Data, Units};
use crate::error::{DIVERGED, Error, Result};
use crate::loss::TERMS;
use crate::registry::guard_engine;
use crate::rng::{Purpose, seed_torch};
use crate::start::Named;
use crate::trained::{Trained, options};
use std::path::Path;
use tch::{Device, Kind, Tensor};

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
    trained: Trained,
    data: Data,
    optimizer: Box<dyn Optimizer>,
    state: OptimizerState,
    step: u64,
    /// Row-weighted sums of the epoch's loss terms, and the rows, `[7]`.
    sums: Tensor,
    history: History,
    /// What pairing z_0 with the data cost, where they depend on each other.
    pairing: Option<PairingCost>,
    /// How the validation rows are paired, likewise.
    paired_val: Option<ValidationPairs>,
}

impl Trainer {
    /// Loads the experiment's data and builds its model. Relative data paths are read from `base`.
    pub fn new(experiment: Experiment, base: &Path) -> Result<Self> {
        experiment.check_threads()?;
        let mut new = Self::to_restore(experiment, base)?;
        new.begin(None)?;
        Ok(new)
    }

    /// The same, beginning with these parameters in place of those of the run that `start_from` names.
    pub fn starting_with(experiment: Experiment, base: &Path, parameters: &Named) -> Result<Self> {
        experiment.check_threads()?;
        let mut new = Self::to_restore(experiment, base)?;
        new.begin(Some(parameters))?;
        Ok(new)
    }

    /// The same for a state that is restored into it: what it would have started from is not needed.
    pub fn to_restore(experiment: Experiment, base: &Path) -> Result<Self> {
        Self::build(experiment, |experiment, options| Data::load(experiment, base, options))
    }

    /// The same on tables in memory; sets that are missing are split off the training rows.
    pub fn with_tables(experiment: Experiment, splits: Splits) -> Result<Self> {
        experiment.check_threads()?;
        let mut new = Self::build(experiment, |experiment, options| {
            Data::from_splits(experiment, splits, options)
        })?;
        new.begin(None)?;
        Ok(new)
    }

    /// Takes over what it starts from, and says what nothing reads.
    fn begin(&mut self, parameters: Option<&Named>) -> Result<()> {
        guard_engine(|| self.trained.start(parameters))?;
        self.trained.say_unused("")?;
        if self.trained.parameter_count() == 0 {
            log::info!("the model has no parameters: there is nothing to train");
        }
        Ok(())
    }

    fn build(
        mut experiment: Experiment,
        load: impl FnOnce(&mut Experiment, (Kind, Device)) -> Result<(Data, Units)>,
    ) -> Result<Self> {
        experiment.task.get_or_insert(Task::Generation);
        experiment.check()?;
        let (kind, device) = options(&experiment)?;
        guard_engine(move || {
            let (mut data, units) = load(&mut experiment, (kind, device))?;
            data.settle(&mut experiment);
            data.say(&experiment);
            let trained = Trained::untrained(experiment, units, data.train.len())?;
            let _threads = trained.threads();
            settle_z0(&trained.model, &mut data)?;
            warn_of_shift(&trained, &data.train)?;
            check_flip(&trained)?;
            let optimizer = trained.experiment().training.optimizer.build(&());
            let optimizer = optimizer.map_err(|e| e.under("training.optimizer"))?;
            let rate = optimizer.learning_rate()?;
            if !(rate.is_finite() && rate > 0.0) {
                return Err(Error::config(
                    "training.optimizer.learning_rate",
                    format!("needs a number above 0, got {rate}"),
                ));
            }
            let state = OptimizerState::start(&*optimizer, &trained.parameters.flat)?;
            let sums = Tensor::zeros([TERMS.len() as i64 + 1], (Kind::Double, device));
            let history = History::default();
            let (pairing, paired_val) = (None, None);
            Ok(Self {
                trained,
                data,
                optimizer,
                state,
                step: 0,
                sums,
                history,
                pairing,
                paired_val,
            })
        })
    }

    /// The experiment with every null resolved.
    pub fn experiment(&self) -> &Experiment {
        self.trained.experiment()
    }

    /// The data.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The model so far.
    pub fn trained(&self) -> &Trained {
        &self.trained
    }

    /// The model so far, to sample from, and the data.
    pub fn trained_mut(&mut self) -> (&mut Trained, &Data) {
        (&mut self.trained, &self.data)
    }

    /// The model, without data and state of training.
    pub fn into_trained(self) -> Trained {
        self.trained
    }

    /// The loss terms so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Steps in an epoch; the last may be smaller.
    pub fn steps_per_epoch(&self) -> u64 {
        let batch = self.experiment().training.batch_size;
        ((self.data.train.len() + batch - 1) / batch) as u64
    }

    /// Trains to the end, or until `on` says stop. Returns whether the end was reached.
    pub fn fit(
        &mut self,
        on: &mut dyn FnMut(&Trainer, &Event<'_>) -> Result<Control>,
    ) -> Result<bool> {
        let _threads = self.trained.threads();
        let (device, capture) = (self.trained.device(), self.experiment().training.capture);
        self.fit_with(graph::recorder(device, capture), on)
    }

    /// The same with what records steps, if anything does.
    pub(super) fn fit_with(
        &mut self,
        recorder: Option<Box<dyn Recorder>>,
        on: &mut dyn FnMut(&Trainer, &Event<'_>) -> Result<Control>,
    ) -> Result<bool> {
        guard_engine(|| self.run(Steps::new(recorder), on))
    }

    /// Steps in all; none for a model without parameters.
    pub fn total_steps(&self) -> u64 {
        let training = &self.experiment().training;
        match self.trained.parameter_count() {
            0 => 0,
            _ => training.steps.unwrap_or(self.steps_per_epoch().saturating_mul(training.epochs)),
        }
    }

    fn run(
        &mut self,
        mut steps: Steps,
        on: &mut dyn FnMut(&Trainer, &Event<'_>) -> Result<Control>,
    ) -> Result<bool> {
        let (per_epoch, total) = (self.steps_per_epoch(), self.total_steps());
        let mut schedule = {
            let (config, like) = (&self.experiment().training, &self.trained.parameters.flat);
            Schedule::new(config, self.optimizer.learning_rate()?, total, like)
        };
        let mut batches = self.batches(total)?;
        while self.step < total {
            let epoch = self.step / per_epoch;
            let batch = batches.take(&self.data.train, &self.trained.model, self.step)?;
            let rows = batch.len();
            self.take_step(&mut steps, &Inputs::new(batch, schedule.row(self.step)), epoch)?;
            self.pairing = batches.pairing_cost();
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

    /// The batches from this step on, paired with z_0 where they depend on each other.
    fn batches(&mut self, total: u64) -> Result<Batches> {
        let (model, experiment) = (&self.trained.model, &self.trained.experiment);
        let (rows, steps) = (&self.data.train, (self.step, total));
        let (batch, seed) = (experiment.training.batch_size, experiment.training.seed);
        let batches = Batches::start(rows, (batch, seed), steps)?;
        if model.independent() || model.given() || self.step >= total {
            return Ok(batches);
        }
        let coupling = &experiment.coupling;
        if self.paired_val.is_none() && !self.data.val.is_empty() {
            let of = ValidationPairs::of(model, coupling, &self.data.val, (seed, batch))?;
            self.paired_val = Some(of);
        }
        batches.paired(model, coupling, rows, steps)
    }

    /// What pairing z_0 with the data cost since training began or went on; none where they are
    /// independent.
    pub fn pairing_cost(&self) -> Option<PairingCost> {
        self.pairing
    }

    fn take_step(&mut self, steps: &mut Steps, batch: &Inputs, epoch: u64) -> Result<()> {
        let Trained { parameters, ema, experiment, model, .. } = &mut self.trained;
        let (config, step) = (&experiment.training, self.step);
        let mut learning = Learning {
            parameters,
            ema: ema.as_mut(),
            optimizer: &*self.optimizer,
            state: &mut self.state,
            sums: &mut self.sums,
        };
        let dropout = config.dropout_epochs.is_none_or(|n| epoch < n);
        let seed = || seed_torch(config.seed, Purpose::Train, step);
        steps.take(batch, dropout, &seed, &mut |batch| {
            learning.step(model, config, batch, dropout)
        })?;
        self.step += 1;
        Ok(())
    }

    fn end_epoch(&mut self, epoch: u64) -> Result<Epoch> {
        let val = self.validate()?;
        let done = Epoch { epoch, step: self.step, train: means(&self.sums), val: means(&val) };
        let _ = self.sums.zero_();
        let lost = |losses: &[Option<f64>]| losses.first() == Some(&None);
        let lost_val = !self.data.val.is_empty() && lost(&done.val);
        if lost(&done.train) || (lost_val && !self.is_finite()) {
            return Err(Error::runtime(format!(
                "the loss is no longer finite in epoch {epoch}\n  {DIVERGED}"
            )));
        }
        if lost_val && !self.history.epochs.last().is_some_and(|before| lost(&before.val)) {
            log::warn!("{}", self.about_validation(epoch)?);
        }
        self.history.epochs.push(done.clone());
        Ok(done)
    }

    /// Whether every parameter is.
    fn is_finite(&self) -> bool {
        self.trained.parameters.flat.isfinite().all().int64_value(&[]) != 0
    }

    /// What is said where only the loss on the validation rows is not finite: it is not the training that failed.
    fn about_validation(&self, epoch: u64) -> Result<String> {
        let (val, batch) = (&self.data.val, self.experiment().training.batch_size);
        let size = |t: &Tensor| t.abs().max().to_kind(Kind::Double).double_value(&[]);
        let mut largest: f64 = 0.0;
        for from in (0..val.len()).step_by(batch as usize) {
            let rows = val.take(from..val.len().min(from + batch))?;
            let condition = rows.condition.as_ref().map_or(0.0, size);
            largest = largest.max(size(&rows.target)).max(condition);
        }
        Ok(format!(
            "the loss on the validation rows is not finite in epoch {epoch}, though that on the training rows \
             and the parameters are: the largest value among the {} validation rows is {:.1e} in the units of \
             the model; look for outliers. Training goes on without it",
            val.len(),
            largest
        ))
    }

    /// Sums of the loss terms over the validation rows, with the same draws in every epoch.
    fn validate(&self) -> Result<Tensor> {
        let (config, model) = (&self.experiment().training, &self.trained.model);
        let (mut sums, mut block) = (self.sums.zeros_like(), None);
        tch::no_grad(|| -> Result<()> {
            let n = self.data.val.len();
            for (i, from) in (0..n).step_by(config.batch_size as usize).enumerate() {
                let rows = config.batch_size.min(n - from);
                let batch = self.data.val.take(from..from + rows)?;
                let z0 = match &self.paired_val {
                    Some(pairs) => Some(pairs.z0(model, &mut block, (from, rows))?),
                    None => batch.z0.as_ref().map(Tensor::shallow_clone),
                };
                let _stream = seed_torch(config.seed, Purpose::Validate, i as u64);
                let terms = model.losses_from(
                    z0,
                    &batch.target,
                    batch.condition().as_ref(),
                    Pass::EVAL.masked(batch.mask.as_ref()),
                    config.time_sampling,
                    true,
                )?;
                terms.add_to(&mut sums, rows);
            }
            Ok(())
        })?;
        Ok(sums)
    }

    /// The state of training, to be saved. One that has diverged is an error: nothing good is replaced by it.
    pub fn state(&self) -> Result<State> {
        if !self.is_finite() {
            let message =
                format!("the parameters are no longer finite at step {}\n  {DIVERGED}", self.step);
            return Err(Error::runtime(message));
        }
        let copy = |(name, t): (String, &Tensor)| (name, t.copy());
        let tensors = self.tensors()?.into_iter().map(copy).collect();
        Ok(State { step: self.step, tensors, history: self.history.clone() })
    }

    /// What steps change, by name.
    pub(super) fn tensors(&self) -> Result<Vec<(String, &Tensor)>> {
        let Trained { parameters, ema, .. } = &self.trained;
        let mut tensors =
            vec![("parameters".to_owned(), &parameters.flat), ("sums".to_owned(), &self.sums)];
        tensors.extend(ema.iter().map(|ema| ("ema".to_owned(), ema)));
        let names = self.optimizer.moments()?.into_iter().map(|(name, _)| format!("moment.{name}"));
        tensors.extend(names.zip(&self.state.moments));
        Ok(tensors)
    }

    /// Continues from a saved state of the same experiment.
    ///
    /// # Errors
    /// A state that this experiment cannot have come to; nothing is changed then.
    pub fn restore(&mut self, state: State) -> Result<()> {
        state.history.check(state.step, self.steps_per_epoch(), self.total_steps())?;
        let find = |name: &str, like: &Tensor| -> Result<Tensor> {
            let found = state.tensors.iter().find(|(n, _)| n == name).map(|(_, t)| t);
            match found {
                Some(t) if t.size() == like.size() => Ok(t.to_device(self.trained.device())),
                Some(t) => Err(Error::runtime(format!(
                    "the checkpoint's {name} has {} values, the model {}",
                    t.numel(),
                    like.numel()
                ))),
                None => Err(Error::runtime(format!("the checkpoint has no {name}"))),
            }
        };
        let parameters = find("parameters", &self.trained.parameters.flat)?;
        let ema = self.trained.ema.as_ref().map(|ema| find("ema", ema)).transpose()?;
        let names = self.optimizer.moments()?;
        let moments = names
            .iter()
            .zip(&self.state.moments)
            .map(|((name, _), m)| find(&format!("moment.{name}"), m))
            .collect::<Result<Vec<_>>>()?;
        let sums = find("sums", &self.sums)?;
        tch::no_grad(|| self.trained.parameters.flat.copy_(&parameters));
        self.trained.ema = ema;
        self.state.moments = moments;
        self.sums = sums;
        self.step = state.step;
        self.history = state.history;
        self.pairing = None;
        Ok(())
    }

    /// Takes over what a training of the same experiment came to.
    pub fn take_over(&mut self, trained: Trained, history: History) -> Result<()> {
        let total = self.total_steps();
        history.check(total, self.steps_per_epoch(), total)?;
        self.trained = trained;
        self.step = total;
        self.history = history;
        Ok(())
    }

    /// Steps taken.
    pub fn step(&self) -> u64 {
        self.step
    }
}

/// Means from sums; `None` where NaN.
fn means(sums: &Tensor) -> Vec<Option<f64>> {
    let sums: Vec<f64> = Vec::try_from(sums.to_device(Device::Cpu)).unwrap_or_default();
    let rows = sums.last().copied().unwrap_or(0.0);
    sums.iter().take(TERMS.len()).map(|s| Some(s / rows).filter(|m| m.is_finite())).collect()
}
