//! Trained models, which sample, predict, and are saved and loaded.

mod file;
mod sampling;
mod trajectories;

pub use trajectories::Trajectories;

use crate::component::{Condition, shape_text};
use crate::config::{Experiment, Sampling};
use crate::data::{Data, Marginals, Units, one_hot, own_units};
use crate::error::{Error, Result};
use crate::model::{Model, Parameters};
use crate::registry::guard_engine;
use crate::resolve::{Facts, SamplingFacts, Unused, check_rules, unused};
use crate::threads::Threads;
use tch::{Device, Kind, Tensor};

/// A model with its parameters, their exponential moving average (EMA) and the units of the data:
/// everything that prediction and generation need, without the training data.
#[derive(Debug)]
pub struct Trained {
    pub(crate) experiment: Experiment,
    pub(crate) facts: Facts,
    pub(crate) units: Units,
    pub(crate) model: Model,
    pub(crate) parameters: Parameters,
    pub(crate) ema: Option<Tensor>,
    /// Changes of generated rows; `None`: they were not fitted.
    pub(crate) marginals: Option<Marginals>,
    pub(crate) row_observer: RowObserver,
    pub(crate) trajectories: Option<trajectories::Kept>,
}

/// A function that is called with the number of rows of each sampled block. Its error ends the
/// sampling.
#[derive(Default)]
pub(crate) struct RowObserver(Option<Box<dyn FnMut(i64) -> Result<()> + Send>>);

impl RowObserver {
    pub fn sampled(&mut self, rows: i64) -> Result<()> {
        self.0.as_mut().map_or(Ok(()), |observer| observer(rows))
    }
}

impl std::fmt::Debug for RowObserver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RowObserver").field(&self.0.is_some()).finish()
    }
}

impl Trained {
    /// Calls `observer` with the number of rows of each block that any method samples from now on.
    /// An error of it ends the sampling, which returns it.
    pub fn observe_rows(&mut self, observer: impl FnMut(i64) -> Result<()> + Send + 'static) {
        self.row_observer.0 = Some(Box::new(observer));
    }

    /// The experiment's model with its initial parameters, to be trained on `data` if they are
    /// given.
    pub(crate) fn untrained(
        experiment: Experiment,
        units: Units,
        data: Option<&Data>,
    ) -> Result<Self> {
        let resolved = experiment.resolve(&units, data)?;
        let (experiment, facts) = (resolved.experiment.clone(), resolved.facts.clone());
        let model = Model::from(resolved);
        let mut parameters = Parameters::new(&model.vars);
        for part in &experiment.training.freeze {
            parameters.freeze(part.prefix());
        }
        let ema = experiment.training.ema.map(|_| parameters.flat.copy());
        Ok(Self {
            experiment,
            facts,
            units,
            model,
            parameters,
            ema,
            marginals: None,
            row_observer: RowObserver::default(),
            trajectories: None,
        })
    }

    /// Replaces the options of sampling.
    ///
    /// # Errors
    /// [`Error::Config`]: a value is out of its range or not possible with this model. The options
    /// stay as they were then.
    pub fn set_sampling(&mut self, sampling: Sampling) -> Result<()> {
        let experiment = Experiment { sampling, ..self.experiment.clone() };
        experiment.check()?;
        let sampling = SamplingFacts::of(&experiment.sampling)?;
        let facts = Facts { sampling, ..self.facts.clone() };
        check_rules(&experiment, &facts)?;
        (self.experiment, self.facts) = (experiment, facts);
        Ok(())
    }

    /// The settings that are given, by a value other than the default or by a flag, and have no
    /// effect on training or sampling.
    pub fn unused(&self) -> Vec<Unused> {
        unused(&self.experiment, &self.facts)
    }

    /// Logs a warning for each setting without effect whose key begins with `prefix`.
    pub fn warn_unused(&self, prefix: &str) {
        for unused in self.unused().iter().filter(|unused| unused.key.starts_with(prefix)) {
            log::warn!("{unused}");
        }
    }

    /// The experiment, with the nulls that the data and the model decide resolved.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// The units of the data.
    pub fn units(&self) -> &Units {
        &self.units
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Copies of the parameters by name.
    pub fn parameters(&self) -> Vec<(String, Tensor)> {
        self.parameters.named(&self.parameters.flat.copy())
    }

    /// Makes LibTorch use the experiment's number of threads until the returned guard is dropped.
    /// Training and sampling do so by themselves.
    pub fn threads(&self) -> Threads {
        Threads::set(self.experiment.threads.unwrap_or(1))
    }

    /// Number of parameters.
    pub fn parameter_count(&self) -> i64 {
        self.parameters.count()
    }

    /// Device of the model.
    pub fn device(&self) -> Device {
        self.model.vars.device()
    }

    /// Runs `f` with the parameters that the model samples with: the EMA weights if
    /// `sampling.use_ema`.
    ///
    /// # Errors
    /// Those of `f`, and [`Error::Runtime`] if LibTorch fails in it.
    pub fn sampling<T>(&mut self, f: impl FnOnce(&Model, &Units) -> Result<T>) -> Result<T> {
        let _threads = self.threads();
        let (model, units) = (&self.model, &self.units);
        match self.ema.as_ref().filter(|_| self.experiment.sampling.use_ema) {
            Some(ema) => self.parameters.with(ema, || guard_engine(|| f(model, units))),
            None => guard_engine(|| f(model, units)),
        }
    }

    /// Normalises conditions `[n, …condition_shape]` in the data's own units, or one without the
    /// batch axis. Labels may also be int64 `[n]` or `[]`. Returns `true` beside the condition if
    /// it was a single one.
    ///
    /// # Errors
    /// [`Error::Config`]: the model takes no condition, or one of another shape, or a label is no
    /// class of it.
    pub fn condition(&self, rows: &Tensor) -> Result<(Condition, bool)> {
        let shape = self.units.shapes.condition.as_ref();
        let shape =
            shape.ok_or_else(|| Error::config("unconditional", "this model takes no condition"))?;
        let labels = self.units.condition_is_label && rows.kind() == Kind::Int64 && rows.dim() < 2;
        let rows = if labels { &one_hot(rows, shape[0])? } else { rows };
        let rows = own_units(rows, self.model.vars.kind()).to_device(self.device());
        let single = rows.size() == *shape;
        let rows = if single { rows.unsqueeze(0) } else { rows };
        if rows.size().get(1..) != Some(shape.as_slice()) {
            let (expected, given) =
                (shape_text(shape), shape_text(rows.size().get(1..).unwrap_or_default()));
            let message =
                format!("a condition of this model has shape {expected}, but these have {given}");
            return Err(Error::config("", message));
        }
        Ok((Condition::new(self.units.condition.apply(&rows)), single))
    }
}
