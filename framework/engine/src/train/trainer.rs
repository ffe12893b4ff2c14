//! The training loop, the same for every objective.
//!
//! No step waits for the device: batches are selected from rows on the device or read ahead from
//! disk, and sums of losses accumulate on the device and are read once an epoch.

use super::batches::{Batches, Order};
use super::coupled::{PairingCost, ValidationPairs};
use super::course::{Course, PERIOD};
use super::divergence::Divergence;
use super::graph::{self, Recorder, Steps};
use super::pieces::Pieces;
use super::rates::Schedule;
use super::share::Share;
use super::start::warn_of_shift;
use super::step::{Inputs, Learning, Taken};
use super::{Control, Event, History};
use crate::component::{LrSchedule, Optimizer, OptimizerState, Recovery, Splits, Stopping};
use crate::config::{Every, Experiment, Task};
use crate::data::{Data, Units};
use crate::device;
use crate::error::{Error, Result};
use crate::group::Group;
use crate::registry::guard_engine;
use crate::rng::{Purpose, seed_torch, stream_seed};
use crate::start::Named;
use crate::threads;
use crate::trained::Trained;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// The end of a call that trains.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The training is at its end.
    Ended,
    /// An observer has stopped it.
    Stopped,
    /// It has diverged; its state is of no use.
    Diverged(Divergence),
}

/// A training: data, model, and the state of the optimizer.
#[derive(Debug)]
pub struct Trainer {
    pub(super) trained: Trained,
    pub(super) data: Data,
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) state: OptimizerState,
    pub(super) stopping: Box<dyn Stopping>,
    pub(super) recovery: Box<dyn Recovery>,
    pub(super) step: u64,
    /// Sums over the epoch so far, and their course over the last steps.
    pub(super) course: Course,
    pub(super) history: History,
    /// Cost of pairing z_0 with the data; `None` if they are independent.
    pub(super) pairing: Option<PairingCost>,
    /// Pairs of the validation rows; `None` if z_0 is independent of the data.
    pub(super) paired_val: Option<ValidationPairs>,
    /// The processes that train together.
    pub(super) group: Group,
    /// True if an observer of this process asks the group to stop.
    stop: bool,
    /// Number of processes that asked to stop before the last step, `[]`; `None` for a process
    /// alone.
    asked: Option<Tensor>,
}

impl Trainer {
    /// Loads the experiment's data and builds its model. Relative paths of data refer to `base`.
    ///
    /// # Errors
    /// [`Error::Config`]: the experiment is not valid, or its parts or data do not suit each other.
    /// [`Error::Data`]: the data, or the run in `start_from`, cannot be read. [`Error::Device`]:
    /// the device is not there. [`Error::Component`]: a component fails.
    pub fn new(experiment: Experiment, base: &Path) -> Result<Self> {
        check_threads(&experiment)?;
        let mut new = Self::to_restore(experiment, base)?;
        new.begin(None)?;
        Ok(new)
    }

    /// Makes a trainer as [`new`](Self::new) does, but takes initial parameters from `parameters`
    /// instead of the folder in `start_from`.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn starting_with(experiment: Experiment, base: &Path, parameters: &Named) -> Result<Self> {
        check_threads(&experiment)?;
        let mut new = Self::to_restore(experiment, base)?;
        new.begin(Some(parameters))?;
        Ok(new)
    }

    /// Makes a trainer as [`new`](Self::new) does, into which a state is [restored](Self::restore):
    /// the run in `start_from` is not read.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn to_restore(experiment: Experiment, base: &Path) -> Result<Self> {
        Self::build(experiment, |experiment, options| Data::load(experiment, base, options))
    }

    /// Makes a trainer as [`new`](Self::new) does, for tables in memory; missing sets are split off
    /// the training rows.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with_tables(experiment: Experiment, splits: Splits) -> Result<Self> {
        check_threads(&experiment)?;
        let mut new = Self::build(experiment, |experiment, options| {
            Data::from_splits(experiment, splits, options)
        })?;
        new.begin(None)?;
        Ok(new)
    }

    /// Makes a trainer that trains together with those of the other processes of `group`, by one of
    /// the functions above: `Trainer::in_group(&group, experiment, |e| Trainer::new(e, base))`. The
    /// ranks of one machine take a GPU each. Every process has to call the same methods of its
    /// trainer; [`fit`](Self::fit) begins from the state of rank 0.
    ///
    /// # Errors
    /// Those of `make`. [`Error::Config`]: the processes cannot divide `training.parts`.
    /// [`Error::Runtime`]: another process is lost.
    pub fn in_group(
        group: &Group,
        mut experiment: Experiment,
        make: impl FnOnce(Experiment) -> Result<Self>,
    ) -> Result<Self> {
        group.guard(|| {
            if !group.is_alone() {
                let own = experiment.training.parts.unwrap_or(group.size() as i64);
                let first = group.tell(&own.to_string())?.parse().unwrap_or(own);
                experiment.training.parts.get_or_insert(first);
                experiment.device = device_of(group.local_rank(), &experiment.device)?;
            }
            Share::new(&experiment.training, group)?;
            let mut new = make(experiment)?;
            new.group = group.clone();
            Ok(new)
        })
    }

    /// The processes that train together.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Copies the initial parameters of `start_from`, and warns of settings without effect.
    fn begin(&mut self, parameters: Option<&Named>) -> Result<()> {
        guard_engine(|| self.trained.start(parameters))?;
        self.trained.warn_unused("");
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
        let (kind, device) = experiment.options()?;
        guard_engine(move || {
            let (mut data, units) = load(&mut experiment, (kind, device))?;
            data.record_split(&mut experiment);
            data.log_summary(&experiment);
            let trained = Trained::untrained(experiment, units, Some(&data))?;
            let _threads = trained.threads();
            data.keep_z0(trained.model.z0_from_data());
            warn_of_shift(&trained, &data.train)?;
            let training = &trained.experiment.training;
            let optimizer = training.optimizer.build(&())?;
            let stopping = training.stopping.build(&())?;
            let state = OptimizerState::start(&*optimizer, &trained.parameters.flat)?;
            let recovery = training.on_divergence.build(&())?;
            let course = Course::new(device);
            let history = History::default();
            let (pairing, paired_val) = (None, None);
            Ok(Self {
                trained,
                data,
                optimizer,
                state,
                stopping,
                recovery,
                step: 0,
                course,
                history,
                pairing,
                paired_val,
                group: Group::alone(),
                stop: false,
                asked: None,
            })
        })
    }

    /// The experiment, with the nulls that the data and the model decide resolved.
    pub fn experiment(&self) -> &Experiment {
        self.trained.experiment()
    }

    /// The data.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The model as trained so far.
    pub fn trained(&self) -> &Trained {
        &self.trained
    }

    /// The model as trained so far, mutable for sampling, and the data.
    pub fn trained_mut(&mut self) -> (&mut Trained, &Data) {
        (&mut self.trained, &self.data)
    }

    /// The model as trained so far, without data and the state of the optimizer.
    pub fn into_trained(self) -> Trained {
        self.trained
    }

    /// Losses of the epochs so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Number of steps in an epoch, the last of which may have fewer rows.
    pub fn steps_per_epoch(&self) -> u64 {
        let batch = self.experiment().training.batch_size;
        ((self.data.train.len() + batch - 1) / batch) as u64
    }

    /// Trains to the end, or until `on` stops it, which is called after each step and may sample
    /// from the model. Returns `true` if the end was reached: the planned steps were taken, or
    /// `training.stopping` has ended the training ([`stopped`](Self::stopped)).
    ///
    /// In a group, all processes begin from the state of rank 0, and stop together, up to two steps
    /// after `on` of any of them has asked for it.
    ///
    /// # Errors
    /// [`Error::Data`]: rows of a file can no longer be read. [`Error::Runtime`]: the training
    /// [diverges](Divergence), or another process is lost. [`Error::Config`]: the processes have
    /// different experiments, data or plugins. [`Error::Component`]: a component fails. Those of
    /// `on`.
    pub fn fit(
        &mut self,
        on: &mut dyn FnMut(&mut Trainer, &Event<'_>) -> Result<Control>,
    ) -> Result<bool> {
        let group = self.group.clone();
        group.guard(|| match self.train(on)? {
            Outcome::Ended => Ok(true),
            Outcome::Stopped => Ok(false),
            Outcome::Diverged(divergence) => Err(divergence.error(&self.history.restores, None)),
        })
    }

    /// Trains as [`fit`](Self::fit) does; a divergence is no error, so that the training can
    /// [return](Self::return_to) to an earlier state.
    ///
    /// # Errors
    /// Those of [`fit`](Self::fit), without divergence.
    pub fn train(
        &mut self,
        on: &mut dyn FnMut(&mut Trainer, &Event<'_>) -> Result<Control>,
    ) -> Result<Outcome> {
        let _threads = self.trained.threads();
        let (device, training) = (self.trained.device(), &self.experiment().training);
        let whole = self.group.is_alone() && training.parts.unwrap_or(1) == 1;
        let recorder = if whole { graph::recorder(device, training.capture) } else { None };
        self.train_with(recorder, on)
    }

    /// Trains as [`train`](Self::train) does, with a recorder of steps if there is one.
    pub(super) fn train_with(
        &mut self,
        recorder: Option<Box<dyn Recorder>>,
        on: &mut dyn FnMut(&mut Trainer, &Event<'_>) -> Result<Control>,
    ) -> Result<Outcome> {
        let group = self.group.clone();
        group.guard(|| {
            guard_engine(|| {
                self.meet()?;
                let outcome = self.run(Steps::new(recorder), on)?;
                let matches = self.experiment().sampling.match_marginals;
                if outcome == Outcome::Ended && matches && self.trained.marginals.is_none() {
                    self.trained.fit_marginals(&self.data.train)?;
                }
                Ok(outcome)
            })
        })
    }

    /// Number of planned steps; 0 for a model without parameters.
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
        on: &mut dyn FnMut(&mut Trainer, &Event<'_>) -> Result<Control>,
    ) -> Result<Outcome> {
        let (per_epoch, total) = (self.steps_per_epoch(), self.total_steps());
        (self.stop, self.asked) = (false, None);
        if self.has_ended()? {
            return Ok(Outcome::Ended);
        }
        self.course.begin()?;
        let (mut schedule, mut batches) = (self.schedule()?, self.batches(total)?);
        let mut pieces = Pieces::new(&self.trained.parameters, &self.group);
        while !self.has_ended()? {
            let epoch = self.step / per_epoch;
            let batch = batches.take(&self.data.train, &self.trained.model, self.step)?;
            let rows = batches.rows(self.step);
            let inputs = Inputs::new(batch, schedule.row(self.step)?);
            let asked = self.take_step((&mut steps, &mut pieces), &inputs, (epoch, rows))?;
            self.pairing = batches.pairing_cost();
            let ends = self.step.is_multiple_of(per_epoch) || self.step == total;
            if ends || self.course.logged() >= PERIOD || self.is_planned(self.step) {
                if let Some(divergence) = self.divergence()? {
                    return Ok(Outcome::Diverged(divergence));
                }
                self.course.begin()?;
            }
            let ended = ends.then(|| self.end_epoch(epoch + 1)).transpose()?;
            let event = Event { step: self.step, total, rows, epoch: ended.as_ref() };
            match on(self, &event) {
                Ok(control) => self.stop |= control == Control::Stop,
                // It may have been about to save the state.
                Err(e) => match self.divergence()? {
                    Some(divergence) if self.group.is_alone() => {
                        return Ok(Outcome::Diverged(divergence));
                    }
                    _ => return Err(e),
                },
            }
            if self.stops(asked) && self.step < total {
                return Ok(self.divergence()?.map_or(Outcome::Stopped, Outcome::Diverged));
            }
        }
        Ok(Outcome::Ended)
    }

    /// True if `checkpoint.every` plans a checkpoint at `step`, and before the first step.
    pub fn is_planned(&self, step: u64) -> bool {
        match self.experiment().checkpoint.every {
            Every::Steps(n) => step.is_multiple_of(n),
            Every::Epochs(n) => step.is_multiple_of(n.saturating_mul(self.steps_per_epoch())),
            Every::Seconds(_) => step == 0,
        }
    }

    /// The numbers of all steps.
    pub(super) fn schedule(&self) -> Result<Schedule> {
        let rate = (self.optimizer.learning_rate()?, lr_schedule(self.experiment())?);
        let (decay, like) = (self.experiment().training.ema, &self.trained.parameters.flat);
        let schedule = Schedule::new(rate, decay, self.total_steps(), like);
        Ok(schedule.after(&self.history.restores))
    }

    /// True if training stops here; `asked` is what the last step says of the group. It is read
    /// after the next step, so that no step waits for the device, and is the same in every process.
    fn stops(&mut self, asked: Option<Tensor>) -> bool {
        if self.group.is_alone() {
            return std::mem::take(&mut self.stop);
        }
        let before = std::mem::replace(&mut self.asked, asked);
        let stops = before.is_some_and(|asked| asked.double_value(&[]) > 0.0);
        if stops {
            (self.stop, self.asked) = (false, None);
        }
        stops
    }

    /// True if no step is left to take.
    fn has_ended(&self) -> Result<bool> {
        Ok(self.step >= self.total_steps() || self.stopped()?.is_some())
    }

    /// Reason for which `training.stopping` has ended the training before its planned steps; `None`
    /// if it has not.
    ///
    /// # Errors
    /// [`Error::Component`]: the rule fails.
    pub fn stopped(&self) -> Result<Option<String>> {
        let ended = self.history.epochs.last().is_some_and(|epoch| epoch.step == self.step);
        match ended && self.step < self.total_steps() {
            true => self.stopping.stop(&self.history.epochs),
            false => Ok(None),
        }
    }

    /// The batches from this step on, paired with z_0 if the coupling pairs them.
    fn batches(&mut self, total: u64) -> Result<Batches> {
        let (model, experiment) = (&self.trained.model, &self.trained.experiment);
        let (rows, steps) = (&self.data.train, (self.step, total));
        let (batch, seed) = (experiment.training.batch_size, experiment.training.seed);
        let share = Share::new(&experiment.training, &self.group)?;
        let order = Order::new(rows.len(), batch, seed).shared(share);
        let order = order.weighted(self.data.weights.as_deref());
        let batches = Batches::start(rows, order, steps)?;
        if model.independent() || model.z0_from_data() || self.step >= total {
            return Ok(batches);
        }
        let coupling = &experiment.coupling;
        if self.paired_val.is_none() && !self.data.val.is_empty() {
            let pairs = ValidationPairs::new(model, coupling, &self.data.val, (seed, batch))?;
            self.paired_val = Some(pairs);
        }
        batches.paired(model, coupling, rows, steps)
    }

    /// Cost of pairing z_0 with the data since training began or was resumed; `None` if they are
    /// independent.
    pub fn pairing_cost(&self) -> Option<PairingCost> {
        self.pairing
    }

    fn take_step(
        &mut self,
        (steps, pieces): (&mut Steps, &mut Pieces),
        batch: &Inputs,
        (epoch, rows): (u64, i64),
    ) -> Result<Option<Tensor>> {
        let Trained { parameters, ema, experiment, model, .. } = &mut self.trained;
        let (config, step) = (&experiment.training, self.step);
        let share = Share::new(config, &self.group)?;
        let mut learning = Learning {
            parameters,
            ema: ema.as_mut(),
            optimizer: &*self.optimizer,
            state: &mut self.state,
            course: &mut self.course,
            pieces,
        };
        let dropout = config.dropout_epochs.is_none_or(|n| epoch < n);
        let seed = |part: i64| {
            // The first part has the stream of a whole batch.
            let seed = match part {
                0 => config.seed,
                part => stream_seed(config.seed, Purpose::Part, part as u64),
            };
            seed_torch(seed, Purpose::Train, step)
        };
        let (group, stop) = (&self.group, self.stop);
        let taken = Taken { share: &share, rows, group, stop, dropout, seed: &seed };
        let mut asked = None;
        steps.take(batch, dropout, &|| seed(share.own.start), &mut |batch| {
            asked = learning.step(model, config, batch, &taken)?;
            Ok(())
        })?;
        self.step += 1;
        self.course.log();
        Ok(asked)
    }

    /// Number of steps taken.
    pub fn step(&self) -> u64 {
        self.step
    }
}

/// Checks that `threads` is a number that this machine can use.
fn check_threads(experiment: &Experiment) -> Result<()> {
    let most = threads::max_threads();
    match experiment.threads {
        Some(n) if n > most => {
            let message = format!("needs at most {most}, 4 for each core, got {n}");
            Err(Error::config("threads", message))
        }
        _ => Ok(()),
    }
}

/// The device of a process that is number `local` of its machine: a GPU for each in turn.
fn device_of(local: usize, name: &str) -> Result<String> {
    if local == 0 || !matches!(name, "auto" | "cuda") {
        return Ok(name.to_owned());
    }
    match device::choose(name)? {
        Device::Cuda(_) => {
            Ok(format!("cuda:{}", local % (tch::Cuda::device_count().max(1) as usize)))
        }
        _ => Ok(name.to_owned()),
    }
}

fn lr_schedule(experiment: &Experiment) -> Result<Box<dyn LrSchedule>> {
    let built = experiment.training.lr_schedule.build(&());
    built.map_err(|e| e.under("training.lr_schedule"))
}
