//! The plan of a comparison: its cells, and the models to train for them.

use super::grid::{self, Axis, Place};
use super::idle::{Idle, reset};
use super::limits::{check, check_task};
use super::name::{Digests, digest, slug};
use crate::component::{GaussianPath, Solver};
use crate::config::{Comparison, CurveOfAll, Experiment, Layers, Origin, Task};
use crate::error::{Error, Result};
use crate::measure::Catalogue;
use crate::path::Path as ModelPath;
use crate::registry::Component;
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A comparison before it is trained and measured, with everything needed to continue it on another
/// machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Title, such as `two_moons: objective × noise_schedule`.
    pub title: String,
    /// The command that made the plan.
    pub command: String,
    /// Keys that vary.
    pub axes: Vec<String>,
    /// Budget of each run for readers, such as `50 epochs`.
    pub budget: String,
    /// Seconds that each run may train; `None` if the budget is not a time.
    pub seconds: Option<f64>,
    /// Seeds with which every unit is trained.
    pub seeds: Vec<u64>,
    /// Name of the primary metric; `None` for that of the task.
    #[serde(default)]
    pub metric: Option<String>,
    /// Number of held-out points, at most.
    pub points: i64,
    /// Number of draws of each measurement.
    pub draws: u64,
    /// Settings of quality against network evaluations; `None` for no curves.
    pub curve: Option<CurveOfAll>,
    /// Solver of the likelihood; `None` to measure none.
    #[serde(default)]
    pub likelihood: Option<Component<dyn Solver>>,
    /// Short digest of the settings of the measurements of every model.
    pub measuring: String,
    /// Remarks for readers, such as on cells that were merged.
    pub notes: Vec<String>,
    /// Models to train, each with every seed.
    pub units: Vec<Unit>,
    /// Cells to compare.
    pub cells: Vec<Planned>,
}

/// A model to train, which all cells that differ only in sampling share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Name of its folder, which depends on the experiment alone, whatever else is compared.
    pub id: String,
    /// Its experiment without the seed, as YAML.
    pub experiment: String,
}

/// A cell of the grid before it is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Name, which joins its settings.
    pub name: String,
    /// Value of each axis; `None` if the axis has no effect on this cell.
    pub settings: Vec<Option<String>>,
    /// Id of the unit that it samples from; `None` if the experiment is not valid.
    pub unit: Option<String>,
    /// Short digest of its sampling settings.
    pub sampling: String,
    /// Experiment without the seed, as YAML.
    pub experiment: String,
    /// The reason why the experiment is not valid; `None` if it is.
    pub error: Option<String>,
}

/// A place of the grid with its complete experiment.
struct Candidate<'a> {
    place: Place<'a>,
    /// The experiment without the seed, as YAML.
    experiment: String,
    /// Digest of the data section.
    data: String,
    /// Digests of what determines the trained model, and of what determines its samples.
    identity: (String, String),
    task: Task,
    error: Option<String>,
}

/// Places with the same experiment, which become one cell.
struct Group<'a> {
    first: Candidate<'a>,
    others: Vec<Place<'a>>,
}

impl Plan {
    /// Plans the `comparison` section of an experiment. `command` is the command line that results
    /// name.
    ///
    /// # Errors
    /// If a key or value does not exist, a setting is out of range, no cell of the grid is a valid
    /// experiment, or the grid is too large.
    pub fn new(layers: &Layers, command: String) -> Result<Self> {
        let base = layers.finish()?;
        let comparison = base.comparison.clone();
        let catalogue = Catalogue::of(&base).map_err(|e| layers.locate(e))?;
        check(&comparison, &catalogue).map_err(|e| layers.locate(e))?;
        let axes = grid::axes(&comparison).map_err(|e| layers.locate(e))?;
        grid::check_size(&axes, comparison.seeds).map_err(|e| layers.locate(e))?;
        let origin = layers.origin(grid::OVER);
        // A cell has no use for the section, which would be copied for each of them.
        let cell_layers = layers.without("comparison");
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut known: HashMap<(String, String), usize> = HashMap::new();
        let (mut reason, mut data) = (None, HashMap::new());
        let mut idle = Idle::of(&axes);
        for place in grid::places(&axes) {
            let mut one = candidate((&cell_layers, &origin), &base, place, &mut idle)?;
            let metric = comparison.metric.as_deref();
            let judged = check_task(metric, one.task, &catalogue).map_err(|e| layers.locate(e));
            one.error = one.error.or(judged.err().map(|e| e.to_string()));
            match &one.error {
                Some(error) => reason = reason.or(Some(error.clone())),
                None => _ = data.insert(one.data.clone(), ()),
            }
            match known.get(&one.identity) {
                Some(at) => groups[*at].others.push(one.place),
                None => {
                    known.insert(one.identity.clone(), groups.len());
                    groups.push(Group { first: one, others: Vec::new() });
                }
            }
        }
        if let Some(first) = reason.filter(|_| data.is_empty()) {
            return Err(Error::config(
                grid::OVER,
                format!("no cell is a valid experiment: {first}"),
            ));
        }
        let mut measuring = Digests::default();
        let mut plan = Self {
            title: title(&base, &axes),
            command,
            axes: axes.iter().map(|a| a.name.clone()).collect(),
            budget: budget(&base, &comparison),
            seconds: comparison.budget.and_then(|b| b.seconds),
            seeds: (0..comparison.seeds).map(|i| base.seed().wrapping_add(i)).collect(),
            metric: comparison.metric.clone(),
            points: comparison.points,
            draws: comparison.draws,
            measuring: measuring.short(&digest(&(
                &comparison.curve,
                &comparison.metric,
                &comparison.likelihood,
            ))?),
            curve: comparison.curve.clone(),
            likelihood: comparison.likelihood.clone(),
            notes: Vec::new(),
            units: Vec::new(),
            cells: Vec::new(),
        };
        plan.add_cells(&axes, groups);
        if data.len() > 1 {
            let note = "Cells differ in their data: their scores are not on one scale, and each cell \
                        is compared with those of its own data only. Real data are those of the first \
                        cell.";
            plan.notes.push(note.to_owned());
        }
        Ok(plan)
    }

    fn add_cells(&mut self, axes: &[Axis], groups: Vec<Group<'_>>) {
        let (mut trained, mut sampled) = (Digests::default(), Digests::default());
        let mut ids: HashMap<String, String> = HashMap::new();
        for Group { first, others } in groups {
            let places: Vec<&Place<'_>> = std::iter::once(&first.place).chain(&others).collect();
            let settings: Vec<Option<String>> =
                axes.iter().enumerate().map(|(i, axis)| setting(axis, i, &places)).collect();
            let name = settings.iter().flatten().cloned().collect::<Vec<_>>().join(", ");
            let name = if name.is_empty() { "as it is".to_owned() } else { name };
            if !others.is_empty() {
                self.notes.push(merged(&name, places.len(), axes, &settings));
            }
            let (model, sampling) = first.identity;
            let unit = first.error.is_none().then(|| {
                let id = ids.entry(model).or_insert_with_key(|model| {
                    let own = axes.iter().zip(&settings).filter(|(a, _)| !a.is_of_sampling());
                    let words: Vec<_> = own.filter_map(|(_, s)| s.as_deref()).collect();
                    let id = format!("{}-{}", slug(&words.join("_")), trained.short(model));
                    self.units.push(Unit { id: id.clone(), experiment: first.experiment.clone() });
                    id
                });
                id.clone()
            });
            self.cells.push(Planned {
                name,
                settings,
                unit,
                sampling: sampled.short(&sampling),
                experiment: first.experiment,
                error: first.error,
            });
        }
    }

    /// Every (unit, seed) to train, all units of the first seed first: a comparison that is stopped
    /// early has complete seeds.
    pub fn jobs(&self) -> Vec<Job<'_>> {
        let with = |seed: u64| self.units.iter().map(move |unit| Job { unit, seed });
        self.seeds.iter().flat_map(|seed| with(*seed)).collect()
    }

    /// Cells that sample from each unit, by its id.
    pub(super) fn cells_by_unit(&self) -> HashMap<&str, Vec<&Planned>> {
        let mut cells: HashMap<&str, Vec<&Planned>> = HashMap::new();
        for cell in &self.cells {
            if let Some(unit) = cell.unit.as_deref() {
                cells.entry(unit).or_default().push(cell);
            }
        }
        cells
    }

    /// Cells whose experiment is not valid, each with the reason.
    pub fn impossible(&self) -> impl Iterator<Item = (&Planned, &str)> {
        self.cells.iter().filter_map(|cell| Some((cell, cell.error.as_deref()?)))
    }
}

/// A model to train with one seed.
#[derive(Clone, Copy, Debug)]
pub struct Job<'p> {
    /// Model to train.
    pub unit: &'p Unit,
    /// Seed of its training.
    pub seed: u64,
}

impl Job<'_> {
    /// Its folder within that of the comparison: a run folder, with the measurements.
    pub fn folder(&self, comparison: &Path) -> PathBuf {
        comparison.join("runs").join(&self.unit.id).join(format!("seed_{}", self.seed))
    }
}

/// An experiment of a plan with one seed.
pub(super) fn with_seed(yaml: &str, seed: u64) -> Result<Experiment> {
    let mut layers = Layers::new()?;
    layers.add_text(yaml, "the plan")?;
    layers.set("training.seed", seed.into(), "the plan")?;
    let mut experiment = layers.finish()?;
    experiment.comparison = Comparison::default();
    Ok(experiment)
}

fn candidate<'a>(
    (layers, origin): (&Layers, &Origin),
    base: &Experiment,
    place: Place<'a>,
    idle: &mut Idle,
) -> Result<Candidate<'a>> {
    let comparison = &base.comparison;
    let mut layers = grid::layers_at(layers, origin, &place)?;
    for (key, value) in [
        ("training.epochs", comparison.budget.and_then(|b| b.epochs)),
        ("training.steps", comparison.budget.and_then(|b| b.steps)),
    ] {
        if let Some(n) = value {
            layers.set("training.steps", Value::Null, "comparison.budget")?;
            layers.set(key, n.into(), "comparison.budget")?;
        }
    }
    let mut experiment = layers.finish()?;
    experiment.task.get_or_insert(Task::Generation);
    // One thread, so that results do not depend on what runs at the same time.
    experiment.threads.get_or_insert(1);
    experiment.comparison = Comparison::default();
    let path = experiment.path()?;
    let scheduled = ModelPath::follows_schedule(&path).map_err(|e| e.under("path"))?;
    if !scheduled {
        // Cells that vary a schedule which the path does not follow become one.
        experiment.noise_schedule = base.noise_schedule.clone();
    }
    let error = experiment.check().err().map(|e| layers.locate(e).to_string());
    let idle = if error.is_none() { idle.keys(&experiment)? } else { Vec::new() };
    let measured = (comparison.points, comparison.draws);
    Ok(Candidate {
        place,
        identity: identity(&experiment, (&path, scheduled), &idle, measured)?,
        data: digest(&experiment.data)?,
        experiment: experiment.to_yaml()?,
        task: experiment.task(),
        error,
    })
}

/// Digests of what determines the trained model, and of what determines its samples. Settings
/// without effect on them are left out, and those of the keys `idle` count as not given.
fn identity(
    experiment: &Experiment,
    (path, scheduled): (&Component<dyn GaussianPath>, bool),
    idle: &[&str],
    measured: (i64, u64),
) -> Result<(String, String)> {
    let mut value = as_value(experiment)?;
    reset(&mut value, idle)?;
    let Value::Mapping(mut map) = value else {
        return Err(Error::runtime("no map"));
    };
    let sampling = map.remove("sampling").unwrap_or_default();
    for key in ["output_dir", "device", "threads", "checkpoint", "plugins"] {
        map.remove(key);
    }
    if !scheduled {
        map.remove("noise_schedule");
    }
    // A path without parameters is its name, as it was before paths had any.
    let path = match as_value(path)? {
        Value::Mapping(keys) if keys.len() == 1 => path.name().into(),
        other => other,
    };
    map.insert("path".into(), path);
    if let Some(training) = map.get_mut("training").and_then(Value::as_mapping_mut) {
        training.remove("seed");
        if training.get("steps").is_some_and(|s| !s.is_null()) {
            training.remove("epochs");
        }
    }
    // Metrics that are listed decide what is measured, not what is trained.
    let listed = map.get_mut("metrics").and_then(Value::as_mapping_mut);
    let listed = listed.and_then(|metrics| metrics.remove("extra"));
    let model = digest(&Value::Mapping(map))?;
    Ok(match listed {
        None => (model, digest(&(sampling, measured))?),
        Some(listed) => (model, digest(&(sampling, measured, listed))?),
    })
}

/// An item as a YAML value.
fn as_value(item: &impl Serialize) -> Result<Value> {
    serde_yaml::to_value(item).map_err(|e| Error::runtime(e.to_string()))
}

impl Axis {
    fn is_of_sampling(&self) -> bool {
        self.name.starts_with("sampling.")
    }
}

/// The value of an axis at places with the same experiment; several values are joined by `/`.
/// Returns `None` if the axis has no effect: all of its values are among them.
fn setting(axis: &Axis, i: usize, places: &[&Place<'_>]) -> Option<String> {
    let mut known = HashMap::new();
    let labels = places.iter().map(|place| place[i].label.as_str());
    let labels: Vec<&str> = labels.filter(|label| known.insert(*label, ()).is_none()).collect();
    (labels.len() < axis.values.len() || axis.values.len() == 1).then(|| labels.join("/"))
}

/// The note on combinations that are one cell.
fn merged(name: &str, n: usize, axes: &[Axis], settings: &[Option<String>]) -> String {
    let idle = axes.iter().zip(settings).filter(|(_, s)| s.is_none());
    let idle: Vec<_> = idle.map(|(axis, _)| format!("`{}`", axis.name)).collect();
    let why = match idle.is_empty() {
        true => String::new(),
        false => format!(", which does not use {}", idle.join(" and ")),
    };
    format!("{name}: {n} combinations are the same experiment{why}, so they are one cell")
}

fn title(base: &Experiment, axes: &[Axis]) -> String {
    let axes: Vec<_> = axes.iter().map(|a| a.name.as_str()).collect();
    format!("{}: {}", base.data.name(), axes.join(" × "))
}

fn budget(base: &Experiment, asked: &Comparison) -> String {
    match (asked.budget, base.training.steps) {
        (Some(budget), _) => budget.text(),
        (None, Some(steps)) => format!("{steps} steps"),
        (None, None) => format!("{} epochs", base.training.epochs),
    }
}
