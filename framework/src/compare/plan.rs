//! The plan of a comparison: which cells there are, and which models have to be trained for them.

use super::grid::{self, Axis, Place};
use super::results::Better;
use crate::component::Solver;
use crate::config::{Comparison, CurveOfAll, Experiment, Layers, Task};
use crate::error::{Error, Result};
use crate::io::write_atomically;
use crate::measure::Metric;
use crate::path::PathKind;
use crate::registry::Component;
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
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
    experiment: Experiment,
    /// What determines the trained model, and how it samples.
    identity: (String, String),
    error: Option<String>,
}

impl Plan {
    /// The plan of the experiment's `comparison`. `command` is what asks for it.
    ///
    /// # Errors
    /// A key or value that does not exist; a grid of which no cell can be.
    pub fn new(layers: &Layers, command: String) -> Result<Self> {
        let base = layers.finish()?;
        let asked = base.comparison.clone();
        check(&asked).map_err(|e| layers.locate(e))?;
        let axes = grid::axes(&asked).map_err(|e| layers.locate(e))?;
        let places = grid::places(&axes);
        let all = places.into_iter().map(|place| resolve(layers, &base, place));
        let all: Vec<Resolved<'_>> = all.collect::<Result<_>>()?;
        if let Some(error) = all.iter().map(|r| r.error.clone()).collect::<Option<Vec<_>>>() {
            let first = error.into_iter().next().unwrap_or_default();
            return Err(Error::config("comparison.over", format!("no cell can be: {first}")));
        }
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
            measuring: digest(&as_value(&(&asked.curve, &asked.metric, &asked.likelihood))?)?,
            curve: asked.curve.clone(),
            likelihood: asked.likelihood.clone(),
            notes: Vec::new(),
            units: Vec::new(),
            cells: Vec::new(),
        };
        let mut groups: Vec<Vec<&Resolved<'_>>> = Vec::new();
        for one in &all {
            match groups.iter_mut().find(|g| g[0].identity == one.identity) {
                Some(group) => group.push(one),
                None => groups.push(vec![one]),
            }
        }
        for group in &groups {
            plan.add_cell(&axes, group)?;
        }
        if all.iter().any(|r| r.experiment.data != all[0].experiment.data) {
            let note = "Cells differ in their data: what they score is not on one scale, and each is \
                        judged among those of its own data. Real data are those of the first cell.";
            plan.notes.push(note.to_owned());
        }
        Ok(plan)
    }

    fn add_cell(&mut self, axes: &[Axis], group: &[&Resolved<'_>]) -> Result<()> {
        let first = group[0];
        let settings: Vec<Option<String>> =
            axes.iter().enumerate().map(|(i, axis)| setting(axis, i, group)).collect();
        let name = settings.iter().flatten().cloned().collect::<Vec<_>>().join(", ");
        let name = if name.is_empty() { "as it is".to_owned() } else { name };
        if group.len() > 1 {
            let idle = axes.iter().zip(&settings).filter(|(_, s)| s.is_none());
            let idle: Vec<_> = idle.map(|(axis, _)| format!("`{}`", axis.name)).collect();
            self.notes.push(format!(
                "{name}: {} combinations are the same experiment{}, so they are one cell",
                group.len(),
                if idle.is_empty() {
                    String::new()
                } else {
                    format!(", which does not use {}", idle.join(" and "))
                }
            ));
        }
        let experiment = first.experiment.to_yaml()?;
        let unit = first.error.is_none().then(|| {
            let trained = axes.iter().zip(&settings).filter(|(a, _)| !a.is_of_sampling());
            let words: Vec<_> = trained.filter_map(|(_, s)| s.as_deref()).collect();
            format!("{}-{}", slug(&words.join("_")), first.identity.0)
        });
        if let Some(id) = &unit
            && !self.units.iter().any(|u| u.id.ends_with(&first.identity.0))
        {
            self.units.push(Unit { id: id.clone(), experiment: experiment.clone() });
        }
        let unit = unit.and_then(|_| {
            Some(self.units.iter().find(|u| u.id.ends_with(&first.identity.0))?.id.clone())
        });
        self.cells.push(Planned {
            name,
            settings,
            unit,
            sampling: first.identity.1.clone(),
            experiment,
            error: first.error.clone(),
        });
        Ok(())
    }

    /// Every (unit, seed) that has to be trained, seeds slowest: a comparison that is cut short has whole
    /// seeds.
    pub fn jobs(&self) -> Vec<Job<'_>> {
        let of = |seed: u64| self.units.iter().map(move |unit| Job { unit, seed });
        self.seeds.iter().flat_map(|seed| of(*seed)).collect()
    }

    /// The cells that sample from a unit.
    pub fn cells_of<'p>(&'p self, unit: &'p Unit) -> impl Iterator<Item = &'p Planned> {
        self.cells.iter().filter(|cell| cell.unit.as_deref() == Some(&*unit.id))
    }

    /// The cell's experiment with the first seed, in the comparison's folder.
    pub(super) fn file_of(&self, cell: &Planned) -> PathBuf {
        let i = self.cells.iter().position(|c| c == cell).unwrap_or_default();
        PathBuf::from("cells").join(format!("{:02}_{}.yaml", i + 1, slug(&cell.name)))
    }

    /// Reads the plan of a comparison's folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(PLAN);
        let text = std::fs::read_to_string(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                Error::config("", format!("{} is not the folder of a comparison", folder.display()))
                    .help(format!("it has no {PLAN}"))
            }
            _ => Error::io("read", &path)(e),
        })?;
        serde_json::from_str(&text)
            .map_err(|e| Error::data(&path, format!("is not what a comparison writes: {e}")))
    }

    /// Writes the plan into a comparison's folder, and beside it every cell's experiment.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::runtime(e.to_string()))?;
        let cells = folder.join("cells");
        std::fs::create_dir_all(&cells).map_err(Error::io("make the folder", &cells))?;
        let seed = self.seeds.first().copied().unwrap_or_default();
        for cell in &self.cells {
            let yaml = with_seed(&cell.experiment, seed)?.to_yaml()?;
            write_atomically(&folder.join(self.file_of(cell)), |f| f.write_all(yaml.as_bytes()))?;
        }
        write_atomically(&folder.join(PLAN), |file| writeln!(file, "{text}"))
    }
}

const PLAN: &str = "plan.json";

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

fn check(asked: &Comparison) -> Result<()> {
    if asked.over.is_empty() {
        return Err(Error::config("comparison.over", "nothing varies")
            .help("such as `--over objective=flow_matching,diffusion,ct`"));
    }
    let counts = [
        ("seeds", asked.seeds as i64),
        ("points", asked.points - 1),
        ("draws", asked.draws as i64),
    ];
    if let Some((key, _)) = counts.into_iter().find(|(_, n)| *n < 1) {
        let least = if key == "points" { 2 } else { 1 };
        return Err(Error::config(format!("comparison.{key}"), format!("needs at least {least}")));
    }
    if let Some(name) = &asked.metric {
        let metric = Metric::named(name).map_err(|e| e.under("comparison.metric"))?;
        if metric.info().better == Better::None {
            let message = format!("`{name}` describes, it does not judge: it cannot decide");
            return Err(Error::config("comparison.metric", message));
        }
    }
    if let Some(curve) = &asked.curve
        && (curve.points < 2 || curve.draws < 1 || curve.nfe.contains(&0))
    {
        let message = "needs at least 2 points, a draw, and numbers of evaluations above 0";
        return Err(Error::config("comparison.curve", message));
    }
    asked.budget.map_or(Ok(()), |budget| budget.check())
}

fn resolve<'a>(layers: &Layers, base: &Experiment, place: Place<'a>) -> Result<Resolved<'a>> {
    let asked = &base.comparison;
    let mut layers = grid::layers_at(layers, &place)?;
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
    let identity = identity(&experiment, kind, (asked.points, asked.draws))?;
    Ok(Resolved { place, experiment, identity, error })
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
    Ok((digest(&Value::Mapping(map))?, digest(&as_value(&(sampling, measured))?)?))
}

fn as_value(of: &impl Serialize) -> Result<Value> {
    serde_yaml::to_value(of).map_err(|e| Error::runtime(e.to_string()))
}

fn digest(value: &Value) -> Result<String> {
    let text = serde_yaml::to_string(value).map_err(|e| Error::runtime(e.to_string()))?;
    let bytes = Sha256::digest(text.as_bytes());
    Ok(bytes.iter().take(4).map(|b| format!("{b:02x}")).collect())
}

impl Axis {
    fn is_of_sampling(&self) -> bool {
        self.name.starts_with("sampling.")
    }
}

/// What a group of equal places says of an axis: its value; none where every value is the same.
fn setting(axis: &Axis, i: usize, group: &[&Resolved<'_>]) -> Option<String> {
    let mut labels: Vec<&str> = Vec::new();
    for label in group.iter().map(|r| r.place[i].label.as_str()) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    (labels.len() < axis.values.len() || axis.values.len() == 1).then(|| labels.join("/"))
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

/// A name for a folder.
fn slug(text: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '.' { c } else { '-' };
    let slug: String = text.chars().map(keep).take(60).collect();
    if slug.is_empty() { "model".into() } else { slug }
}

impl CurveOfAll {
    /// The solvers' names.
    pub fn names(&self) -> Vec<&'static str> {
        self.solvers.iter().map(Component::<dyn Solver>::name).collect()
    }
}
