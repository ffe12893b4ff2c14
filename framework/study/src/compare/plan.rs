//! The plan of a comparison: which cells there are, and which models have to be trained for them.

use super::asked::check;
use super::grid::{self, Axis, Place};
use super::name::{Digests, digest, slug};
use crate::component::Solver;
use crate::config::{Comparison, CurveOfAll, Experiment, Layers, Origin, Task};
use crate::error::{Error, Result};
use crate::path::PathKind;
use crate::registry::Component;
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What is trained and measured. Everything that is needed to go on with it elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// As `two_moons: objective × noise_schedule`.
    pub title: String,
    /// The command that made it.
    pub command: String,
    /// The keys that vary.
    pub axes: Vec<String>,
    /// As `50 epochs`.
    pub budget: String,
    /// Seconds that each run may train, where that is the budget.
    pub seconds: Option<f64>,
    /// Of every unit.
    pub seeds: Vec<u64>,
    /// The name of the metric that decides; none for the task's own.
    #[serde(default)]
    pub metric: Option<String>,
    /// Held-out points, at most.
    pub points: i64,
    /// Draws of each measurement.
    pub draws: u64,
    /// Quality against network evaluations.
    pub curve: Option<CurveOfAll>,
    /// The solver of the likelihood.
    #[serde(default)]
    pub likelihood: Option<Component<dyn Solver>>,
    /// Identifies what is measured of every model.
    pub measuring: String,
    /// What a reader has to know.
    pub notes: Vec<String>,
    /// Models to train, with every seed.
    pub units: Vec<Unit>,
    /// What is compared.
    pub cells: Vec<Planned>,
}

/// A model to train: what all cells share that only differ in sampling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Name of its folder; the same for the same experiment, whatever else is compared.
    pub id: String,
    /// Its experiment but for the seed, as YAML.
    pub experiment: String,
}

/// A cell before it is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// What sets it apart.
    pub name: String,
    /// The value of each axis; none where the axis has no meaning for this cell.
    pub settings: Vec<Option<String>>,
    /// The model that it samples from; none where the experiment cannot be.
    pub unit: Option<String>,
    /// Identifies how it samples.
    pub sampling: String,
    /// The experiment but for the seed, as YAML.
    pub experiment: String,
    /// Why it cannot be.
    pub error: Option<String>,
}

/// A place of the grid, resolved.
struct Resolved<'a> {
    place: Place<'a>,
    /// But for the seed, as YAML.
    experiment: String,
    /// Of its data alone.
    data: String,
    /// Digests of what determines the trained model, and of how it samples.
    identity: (String, String),
    error: Option<String>,
}

/// Places that are the same experiment, of which the first stands for all.
struct Group<'a> {
    first: Resolved<'a>,
    others: Vec<Place<'a>>,
}

impl Plan {
    /// The plan of the experiment's `comparison`. `command` is what asks for it.
    ///
    /// # Errors
    /// A key or value that does not exist; a grid of which no cell can be, or that is too large.
    pub fn new(layers: &Layers, command: String) -> Result<Self> {
        let base = layers.finish()?;
        let asked = base.comparison.clone();
        check(&asked).map_err(|e| layers.locate(e))?;
        let axes = grid::axes(&asked).map_err(|e| layers.locate(e))?;
        grid::check_size(&axes, asked.seeds).map_err(|e| layers.locate(e))?;
        let origin = layers.origin(grid::OVER);
        // What every cell would carry with it, and none uses.
        let below = layers.without("comparison");
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut known: HashMap<(String, String), usize> = HashMap::new();
        let (mut reason, mut data) = (None, HashMap::new());
        for place in grid::places(&axes) {
            let one = resolve((&below, &origin), &base, place)?;
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
            return Err(Error::config(grid::OVER, format!("no cell can be: {first}")));
        }
        let mut measuring = Digests::default();
        let mut plan = Self {
            title: title(&base, &axes),
            command,
            axes: axes.iter().map(|a| a.name.clone()).collect(),
            budget: budget(&base, &asked),
            seconds: asked.budget.and_then(|b| b.seconds),
            seeds: (0..asked.seeds).map(|i| base.seed().wrapping_add(i)).collect(),
            metric: asked.metric.clone(),
            points: asked.points,
            draws: asked.draws,
            measuring: measuring.short(&digest(&(&asked.curve, &asked.metric, &asked.likelihood))?),
            curve: asked.curve.clone(),
            likelihood: asked.likelihood.clone(),
            notes: Vec::new(),
            units: Vec::new(),
            cells: Vec::new(),
        };
        plan.add_cells(&axes, groups);
        if data.len() > 1 {
            let note = "Cells differ in their data: what they score is not on one scale, and each is \
                        judged among those of its own data. Real data are those of the first cell.";
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

    /// Every (unit, seed) that has to be trained, seeds slowest: a comparison that is cut short has whole
    /// seeds.
    pub fn jobs(&self) -> Vec<Job<'_>> {
        let of = |seed: u64| self.units.iter().map(move |unit| Job { unit, seed });
        self.seeds.iter().flat_map(|seed| of(*seed)).collect()
    }

    /// The cells that sample from each unit, by its id.
    pub(super) fn cells_by_unit(&self) -> HashMap<&str, Vec<&Planned>> {
        let mut cells: HashMap<&str, Vec<&Planned>> = HashMap::new();
        for cell in &self.cells {
            if let Some(unit) = cell.unit.as_deref() {
                cells.entry(unit).or_default().push(cell);
            }
        }
        cells
    }

    /// Cells whose experiment cannot be, each with the reason.
    pub fn impossible(&self) -> impl Iterator<Item = (&Planned, &str)> {
        self.cells.iter().filter_map(|cell| Some((cell, cell.error.as_deref()?)))
    }
}

/// A model to train, with one seed.
#[derive(Clone, Copy, Debug)]
pub struct Job<'p> {
    /// What is trained.
    pub unit: &'p Unit,
    /// With which seed.
    pub seed: u64,
}

impl Job<'_> {
    /// Its folder in the folder of the comparison: a run folder, and what was measured.
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

fn resolve<'a>(
    (layers, origin): (&Layers, &Origin),
    base: &Experiment,
    place: Place<'a>,
) -> Result<Resolved<'a>> {
    let asked = &base.comparison;
    let mut layers = grid::layers_at(layers, origin, &place)?;
    for (key, value) in [
        ("training.epochs", asked.budget.and_then(|b| b.epochs)),
        ("training.steps", asked.budget.and_then(|b| b.steps)),
    ] {
        if let Some(n) = value {
            layers.set("training.steps", Value::Null, "comparison.budget")?;
            layers.set(key, n.into(), "comparison.budget")?;
        }
    }
    let mut experiment = layers.finish()?;
    experiment.task.get_or_insert(Task::Generation);
    // The same numbers whatever runs beside it.
    experiment.threads.get_or_insert(1);
    experiment.comparison = Comparison::default();
    let objective = experiment.objective.build(&()).map_err(|e| e.under("objective"))?;
    let kind = match experiment.path {
        Some(kind) => kind,
        None => objective.default_path()?,
    };
    if kind == PathKind::Rectified {
        // It uses none, so that what varies in the schedule is left as it was.
        experiment.noise_schedule = base.noise_schedule.clone();
    }
    let error = experiment.check().err().map(|e| layers.locate(e).to_string());
    Ok(Resolved {
        place,
        identity: identity(&experiment, kind, (asked.points, asked.draws))?,
        data: digest(&experiment.data)?,
        experiment: experiment.to_yaml()?,
        error,
    })
}

/// Digests of what determines the trained model, and of how it samples. What has no effect is left out.
fn identity(
    experiment: &Experiment,
    path: PathKind,
    measured: (i64, u64),
) -> Result<(String, String)> {
    let Value::Mapping(mut map) = as_value(experiment)? else {
        return Err(Error::runtime("no map"));
    };
    let sampling = map.remove("sampling").unwrap_or_default();
    for key in ["output_dir", "device", "threads", "checkpoint", "plugins"] {
        map.remove(key);
    }
    if path == PathKind::Rectified {
        map.remove("noise_schedule");
    }
    map.insert("path".into(), as_value(&path)?);
    if let Some(training) = map.get_mut("training").and_then(Value::as_mapping_mut) {
        training.remove("seed");
        if training.get("steps").is_some_and(|s| !s.is_null()) {
            training.remove("epochs");
        }
    }
    Ok((digest(&Value::Mapping(map))?, digest(&(sampling, measured))?))
}

/// Its YAML as a value.
fn as_value(of: &impl Serialize) -> Result<Value> {
    serde_yaml::to_value(of).map_err(|e| Error::runtime(e.to_string()))
}

impl Axis {
    fn is_of_sampling(&self) -> bool {
        self.name.starts_with("sampling.")
    }
}

/// What equal places say of an axis: its value; none where every value is the same.
fn setting(axis: &Axis, i: usize, places: &[&Place<'_>]) -> Option<String> {
    let mut seen = HashMap::new();
    let labels = places.iter().map(|place| place[i].label.as_str());
    let labels: Vec<&str> = labels.filter(|label| seen.insert(*label, ()).is_none()).collect();
    (labels.len() < axis.values.len() || axis.values.len() == 1).then(|| labels.join("/"))
}

/// What is said of combinations that are one cell.
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
