//! The metrics of an experiment: the registered ones, and those that it lists.

use super::tables::Schema;
use crate::component::{
    Goal, Metric, MetricContext, MetricInfo, MetricInput, Need, check_metric_name,
};
use crate::config::{Experiment, SequenceMode, Task};
use crate::error::{Error, Result, suggestion};
use crate::metrics::Better;
use crate::registry::{Component, Kind, registry};
use crate::trained::Trained;
use tch::Device;

/// A metric that can be measured.
pub struct Measure {
    name: String,
    what: String,
    info: MetricInfo,
    metric: Box<dyn Metric>,
    listed: bool,
    built_in: bool,
}

impl std::fmt::Debug for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {:?}", self.name, self.info)
    }
}

impl Measure {
    fn new(component: &Component<dyn Metric>, context: &MetricContext) -> Result<Self> {
        let name = component.common().name.as_deref().unwrap_or(component.name());
        check_metric_name(name)?;
        let metric = component.build(context)?;
        let entry = registry().find(<dyn Metric as Kind>::NAME, component.name())?;
        Ok(Self {
            name: name.to_owned(),
            what: entry.summary(),
            info: metric.info()?,
            metric,
            listed: false,
            built_in: entry.plugin.is_none(),
        })
    }

    /// Name in `metrics.json` and on the command line.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Description in one sentence.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// True if it is measured only where an experiment lists it, and this one does not.
    pub(crate) fn is_left_out(&self) -> bool {
        self.info.on_request && !self.listed
    }

    /// Title, direction, goals and needs.
    pub fn info(&self) -> &MetricInfo {
        &self.info
    }

    /// True if the component is not a plugin's.
    pub(crate) fn is_built_in(&self) -> bool {
        self.built_in
    }

    /// True if it is measured where the likelihood is.
    pub fn is_of_likelihood(&self) -> bool {
        self.info.needs_any(&[Need::Likelihood, Need::Bound])
    }

    /// The value from the inputs that the metric needs; `None` if one of them is not given or the
    /// value is not defined.
    ///
    /// # Errors
    /// Errors of the metric, and a value that is not finite.
    pub fn value(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let Some(input) = input.only(&self.info.needs) else { return Ok(None) };
        match self.metric.measure(&input)? {
            Some(value) if !value.is_finite() => {
                Err(Error::runtime(format!("the value is {value}")))
            }
            value => Ok(value),
        }
    }

    /// See [`Metric::record`].
    pub(super) fn record(&self, seed: u64) -> Result<Option<(String, String)>> {
        self.metric.record(seed)
    }
}

/// Metrics in the order of tables.
#[derive(Debug)]
pub struct Catalogue(Vec<Measure>);

impl Catalogue {
    /// All registered metrics with their defaults and the `listed` ones, which replace others of
    /// their names. Registered ones that need parameters are left out.
    ///
    /// # Errors
    /// If a listed metric cannot be built, or two of them have one name; the key is below
    /// `metrics.extra`.
    pub fn new(listed: &[Component<dyn Metric>], context: &MetricContext) -> Result<Self> {
        let mut all = Vec::new();
        for (i, component) in listed.iter().enumerate() {
            let at = |e: Error| e.under(&format!("metrics.extra[{i}]"));
            let mut measure = Measure::new(component, context).map_err(at)?;
            measure.listed = true;
            if all.iter().any(|other: &Measure| other.name == measure.name) {
                let message = format!("two metrics are called `{}`", measure.name);
                return Err(at(
                    Error::config("name", message).help("give one of them another `name`")
                ));
            }
            all.push(measure);
        }
        Ok(Self::over_defaults(all, context))
    }

    /// As [`new`](Self::new), without the listed metrics that cannot be built here, such as those
    /// whose files are elsewhere.
    pub(crate) fn lenient(listed: &[Component<dyn Metric>]) -> Self {
        let context = MetricContext { device: Device::Cpu, shape: None, columns: None };
        let mut all: Vec<Measure> = Vec::new();
        for component in listed {
            match Measure::new(component, &context) {
                Ok(measure) if all.iter().any(|other| other.name == measure.name) => {}
                Ok(measure) => all.push(Measure { listed: true, ..measure }),
                Err(e) => log::warn!("the metric `{}` is left out: {e}", component.name()),
            }
        }
        Self::over_defaults(all, &context)
    }

    fn over_defaults(mut all: Vec<Measure>, context: &MetricContext) -> Self {
        for entry in registry().list(Some(<dyn Metric as Kind>::NAME)) {
            let name = entry.info.name;
            if all.iter().any(|other| other.name == name) {
                continue;
            }
            let default = Component::named(name).and_then(|c| Measure::new(&c, context));
            all.extend(default.inspect_err(|e| log::debug!("{e}")).ok());
        }
        all.sort_by(|a, b| (a.info.rank, &a.name).cmp(&(b.info.rank, &b.name)));
        Self(all)
    }

    /// The metrics of an experiment, before its data are known.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn of(experiment: &Experiment) -> Result<Self> {
        let context = MetricContext { device: Device::Cpu, shape: None, columns: None };
        Self::new(&experiment.metrics.extra, &context)
    }

    /// The metrics of a model.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn of_model(model: &Trained) -> Result<Self> {
        let shape = Some(model.units().shapes.target.clone());
        let columns = Schema::of(model.units()).map(Schema::into_columns);
        let context = MetricContext { device: model.device(), shape, columns };
        Self::new(&model.experiment().metrics.extra, &context)
    }

    /// All metrics, also those that are measured on request only.
    pub fn iter(&self) -> impl Iterator<Item = &Measure> {
        self.0.iter()
    }

    /// Metrics of models of `goal` that are measured without being asked for.
    pub fn of_goal(&self, goal: Goal) -> impl Iterator<Item = &Measure> {
        let applies =
            move |m: &&Measure| m.info.goals.contains(&goal) && (m.listed || !m.info.on_request);
        self.0.iter().filter(applies)
    }

    /// The metric of `goal` that ranks models, of which less is better: the first in tables.
    pub fn primary(&self, goal: Goal) -> Option<&Measure> {
        self.of_goal(goal).find(|m| m.info.better == Better::Less && !m.is_of_likelihood())
    }

    /// The metric called `name`.
    ///
    /// # Errors
    /// If there is no such metric; the error suggests the nearest name and lists all.
    pub fn named(&self, name: &str) -> Result<&Measure> {
        self.0.iter().find(|m| m.name == name).ok_or_else(|| {
            let known = self.0.iter().map(Measure::name);
            let unknown = Error::config("", format!("unknown metric `{name}`"));
            unknown.help(suggestion(name, "metrics", known))
        })
    }

    /// The metrics of `goal`, or the `only` one.
    pub(super) fn measured(self, goal: Goal, only: Option<&str>) -> Result<Self> {
        if let Some(name) = only {
            self.named(name)?;
        }
        let wanted = |m: &Measure| match only {
            Some(name) => m.name == name,
            None => m.info.goals.contains(&goal) && (m.listed || !m.info.on_request),
        };
        Ok(Self(self.0.into_iter().filter(wanted).collect()))
    }
}

/// The goals that models of a task may have; the data decide between them.
pub(crate) fn goals(task: Task) -> &'static [Goal] {
    match task {
        Task::Regression => &[Goal::Classification, Goal::Regression],
        Task::Sequence(SequenceMode::Predict) => &[Goal::Sequences],
        Task::Sequence(SequenceMode::Generate) | Task::Generation => &[Goal::Generation],
    }
}

/// The goal of a model.
pub fn goal(model: &Trained) -> Goal {
    match model.experiment().task() {
        Task::Regression if model.units().target_is_label => Goal::Classification,
        Task::Regression => Goal::Regression,
        Task::Sequence(_) if model.experiment().task().predicts() => Goal::Sequences,
        _ => Goal::Generation,
    }
}

/// Name of the primary metric of a model's task, of which less is better.
///
/// # Errors
/// If a metric that the experiment lists cannot be built, or no metric ranks models of the task.
pub fn primary(model: &Trained) -> Result<String> {
    let (catalogue, goal) = (Catalogue::of_model(model)?, goal(model));
    let none = || Error::runtime(format!("no registered metric ranks models for {}", goal.name()));
    catalogue.primary(goal).map(|m| m.name.clone()).ok_or_else(none)
}
