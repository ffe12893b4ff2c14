//! Jobs of a comparison: a model is trained with one seed, and measured with the sampling of each
//! of its cells. Finished parts are not repeated.

use super::plan::{Job, Plan, Planned, with_seed};
use super::results::{Cloud, CurveOver, Losses, Paths, Schedule};
use super::seal::{self, Sealed};
use crate::component::MetricInput;
use crate::component::{Condition, DataSource};
use crate::config::Experiment;
use crate::curve::{self, CurvePoint};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::measure::likelihood;
use crate::measure::{self, Catalogue, Goal, Measure, draw_paths, draw_rows, drawn_scales, labels};
use crate::registry::Component;
use crate::rng::{Purpose, stream_seed};
use crate::run::{self, Run, RunObserver};
use crate::sample::ModelField;
use crate::train::{Control, Trainer};
use crate::trained::Trained;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tch::{Kind, Tensor};

/// Number of rows of a likelihood, at most.
const LIKELY: i64 = 1000;
/// Number of points in a picture, at most.
const SHOWN: i64 = 400;
/// Number of steps of a calibration that are not timed.
const WARM_UP: u64 = 20;

/// Measurements of a model with the sampling of one cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sampled {
    /// Content of `metrics.json`.
    pub metrics: Value,
    pub seconds_per_1000_samples: f64,
    pub paths: Option<Paths>,
}

/// Measurements of a model that do not depend on a cell's sampling.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Measured {
    pub losses: Losses,
    pub schedule: Option<Schedule>,
    pub real: Option<Cloud>,
    /// Curve of each solver, or the reason why it could not be measured.
    pub curves: Vec<(String, Result<Vec<CurvePoint>, String>)>,
    /// Likelihood, or the reason why there is none; `None` if it was not requested.
    #[serde(default)]
    pub likelihood: Option<Result<Nll, String>>,
    /// Wall-clock seconds of all measurements of the job, if none was made earlier.
    pub seconds: f64,
}

/// Negative log-likelihood of held-out rows: mean in nats a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Nll {
    pub exact: f64,
    /// Variational bound in nats a row; `None` if there is none.
    pub bound: Option<f64>,
    /// Metrics of the likelihoods of the rows, by name; missing in files of earlier versions.
    #[serde(default)]
    pub metrics: Option<BTreeMap<String, f64>>,
}

/// Values of the metrics that need likelihoods, given −ln p of each row and its bound, in nats.
pub(super) fn of_likelihoods(
    catalogue: &Catalogue,
    goal: Goal,
    (exact, bound): (&[f64], Option<&[f64]>),
) -> BTreeMap<String, f64> {
    let likelihood = Some(exact);
    let input = MetricInput { likelihood, bound, ..MetricInput::new(goal, &[], 0) };
    let mut found = BTreeMap::new();
    for metric in catalogue.iter().filter(|metric| metric.is_of_likelihood()) {
        match metric.value(&input) {
            Ok(value) => found.extend(value.map(|value| (metric.name().to_owned(), value))),
            Err(e) => log::warn!("the metric `{}` could not be measured: {e}", metric.name()),
        }
    }
    found
}

/// Memory and manifest of a trained run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Footprint {
    /// Peak resident memory of the process in bytes; `None` if the system does not report it.
    pub peak_memory_bytes: Option<f64>,
    /// Content of the run's `manifest.json`.
    #[serde(default)]
    pub manifest: Value,
}

/// The file in a run's folder with the error of its last failure.
pub const FAILURE: &str = "error.txt";
/// The file whose presence marks a run as trained.
const MANIFEST: &str = "manifest.json";
const TRAINED: &str = "trained.json";

/// The folder of a job. Its files are returned with their paths.
#[derive(Debug)]
pub(super) struct JobFolder {
    pub folder: PathBuf,
}

impl JobFolder {
    /// Measurements of a cell. A file of another version without the primary metric counts as
    /// damaged, as this version measures it.
    pub fn sampled(&self, plan: &Plan, cell: &Planned) -> (PathBuf, Sealed<Sampled>) {
        let (path, found) = self.part(&format!("sampled_{}.json", cell.sampling));
        let lacks = |sampled: &Sampled| {
            let decide = deciding(plan)?;
            let is_there = |name: &String| sampled.metrics[name.as_str()].is_number();
            let names: Vec<_> = decide.iter().map(|name| format!("`{name}`")).collect();
            (!decide.iter().any(is_there)).then(|| names.join(" or "))
        };
        (path, found.of_another_version_if(lacks))
    }

    /// Measurements of the model. A file of another version without a requested likelihood counts
    /// as damaged.
    pub fn measured(&self, plan: &Plan) -> (PathBuf, Sealed<Measured>) {
        let (path, found) = self.part(&format!("measured_{}.json", plan.measuring));
        let lacks = |measured: &Measured| {
            let lacks = plan.likelihood.is_some() && measured.likelihood.is_none();
            lacks.then(|| "likelihood".to_owned())
        };
        (path, found.of_another_version_if(lacks))
    }

    pub fn trained(&self) -> (PathBuf, Sealed<Footprint>) {
        self.part(TRAINED)
    }

    fn part<T: serde::de::DeserializeOwned>(&self, name: &str) -> (PathBuf, Sealed<T>) {
        let path = self.folder.join(name);
        let found = seal::read(&path);
        (path, found)
    }

    pub fn is_trained(&self) -> bool {
        self.folder.join(MANIFEST).is_file()
    }

    /// The run's manifest; null if it cannot be read.
    pub fn manifest(&self) -> Value {
        let bytes = std::fs::read(self.folder.join(MANIFEST)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// The error of the last attempt; `None` if it did not fail.
    pub fn failure(&self) -> Option<String> {
        let path = self.folder.join(FAILURE);
        match std::fs::read(&path) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).trim_end().to_owned()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => Some(Error::io("read", &path)(e).to_string()),
        }
    }
}

/// Names of the metrics of samples of which one decides; `None` if a likelihood does, or a metric
/// that is not known.
fn deciding(plan: &Plan) -> Option<Vec<String>> {
    let catalogue = catalogue(plan);
    let name = |metric: &Measure| metric.name().to_owned();
    let Some(own) = plan.metric.as_deref() else {
        let mut of_any: Vec<_> =
            Goal::ALL.iter().filter_map(|goal| catalogue.primary(*goal)).map(name).collect();
        of_any.dedup();
        return Some(of_any);
    };
    let metric = catalogue.named(own).ok()?;
    (!metric.is_of_likelihood()).then(|| vec![name(metric)])
}

/// The metrics of all cells that can be built here.
pub(super) fn catalogue(plan: &Plan) -> Catalogue {
    let mut listed = Vec::new();
    for cell in &plan.cells {
        let experiment = with_seed(&cell.experiment, 0);
        listed.extend(experiment.map(|e| e.metrics.extra).unwrap_or_default());
    }
    Catalogue::lenient(&listed)
}

/// A job that is not complete.
#[derive(Clone, Debug)]
pub struct Unfinished<'p> {
    /// The job itself.
    pub job: Job<'p>,
    /// Unusable files of an earlier attempt, which are made again, each with the reason.
    pub damaged: Vec<String>,
}

/// Jobs that are not complete, among those whose index in [`Plan::jobs`] `mine` accepts. The error
/// file of a complete job is removed.
pub fn left<'p>(
    plan: &'p Plan,
    comparison: &Path,
    mine: &dyn Fn(usize) -> bool,
) -> Vec<Unfinished<'p>> {
    let cells = plan.cells_by_unit();
    let jobs = plan.jobs().into_iter().enumerate().filter(|(i, _)| mine(*i));
    jobs.filter_map(|(_, job)| {
        let here = JobFolder { folder: job.folder(comparison) };
        let mut parts = vec![state(here.measured(plan))];
        let cells = cells.get(job.unit.id.as_str()).into_iter().flatten();
        parts.extend(cells.map(|cell| state(here.sampled(plan, cell))));
        if here.is_trained() && parts.iter().all(Result::is_ok) {
            let _ = std::fs::remove_file(here.folder.join(FAILURE));
            return None;
        }
        let damaged = parts.into_iter().filter_map(|part| part.err().flatten()).collect();
        Some(Unfinished { job, damaged })
    })
    .collect()
}

/// Checks that the data have not changed since runs of the comparison were trained, with one run of
/// each model: seeds are compared with each other, so that all need the same rows. Runs that cannot
/// be read are skipped.
///
/// # Errors
/// If the data are not those of a trained run.
pub fn check_data(plan: &Plan, comparison: &Path) -> Result<()> {
    let mut asked: Vec<Component<dyn DataSource>> = Vec::new();
    let mut units = std::collections::BTreeSet::new();
    for job in plan.jobs() {
        let here = JobFolder { folder: job.folder(comparison) };
        if units.contains(job.unit.id.as_str()) || !here.is_trained() {
            continue;
        }
        units.insert(job.unit.id.as_str());
        let Ok(run) = Run::open(&here.folder) else { continue };
        let Ok(experiment) = run.experiment() else { continue };
        if asked.contains(&experiment.data) {
            continue;
        }
        asked.push(experiment.data);
        let Ok(model) = run.load() else { continue };
        if let Err(Error::Config(e)) = run.data(&model)
            && e.key == "data"
        {
            let help = "put the former data back, or compare into another folder, with --out DIR";
            return Err(Error::config("data", e.message).help(help));
        }
    }
    Ok(())
}

/// `Ok` for a complete file; an error with the reason for a damaged one, without for a missing one.
fn state<T>((path, found): (PathBuf, Sealed<T>)) -> Result<(), Option<String>> {
    match found {
        Sealed::Whole(..) => Ok(()),
        Sealed::Missing => Err(None),
        Sealed::Damaged(why) => Err(Some(format!("{} {why}", path.display()))),
    }
}

/// Completes a job in the comparison's folder: trains the model if needed, and measures what is
/// missing.
///
/// # Errors
/// If the experiment cannot be trained or measured, its files cannot be read or written, or `watch`
/// stops the run.
pub fn work(
    plan: &Plan,
    job: Job<'_>,
    comparison: &Path,
    watch: &mut dyn RunObserver,
) -> Result<()> {
    let folder =
        std::path::absolute(job.folder(comparison)).map_err(Error::io("find", comparison))?;
    let mut experiment = with_seed(&job.unit.experiment, job.seed)?;
    if let Some(seconds) = plan.seconds
        && !folder.join("config.yaml").is_file()
    {
        experiment.training.steps = Some(steps_in(experiment.clone(), seconds)?);
    }
    let here = JobFolder { folder: folder.clone() };
    let fresh = !here.is_trained();
    let run = run::ensure_trained(experiment, &folder, watch)?;
    if fresh {
        let footprint = Footprint { peak_memory_bytes: peak_memory(), manifest: here.manifest() };
        seal::write(&folder.join(TRAINED), &footprint)?;
    }
    watch.note("measuring");
    let mut model = run.load()?;
    let data = run.data(&model)?;
    let (own, began) = (model.experiment().sampling.clone(), Instant::now());
    let cells = plan.cells.iter().filter(|cell| cell.unit.as_deref() == Some(&*job.unit.id));
    for cell in cells {
        let (path, found) = here.sampled(plan, cell);
        if found.whole().is_none() {
            let sampling = with_seed(&cell.experiment, job.seed)?.sampling;
            model.set_sampling(sampling)?;
            seal::write(&path, &sample(&mut model, &data, plan)?)?;
        }
    }
    let (path, found) = here.measured(plan);
    if found.whole().is_none() {
        // Cells may have changed the sampling: the curve uses the run's own, but for solver and
        // steps.
        model.set_sampling(own)?;
        let mut found = measure(&mut model, &data, &run, plan)?;
        found.seconds = began.elapsed().as_secs_f64();
        seal::write(&path, &found)?;
    }
    Ok(())
}

/// Number of training steps that the experiment takes in `seconds`, at least 1.
fn steps_in(experiment: Experiment, seconds: f64) -> Result<u64> {
    let mut trainer = Trainer::new(experiment, &PathBuf::new())?;
    let least = (0.02 * seconds).clamp(0.2, 5.0);
    let (mut began, mut timed) = (None::<Instant>, (0, 1.0));
    trainer.fit(&mut |_, event| {
        if event.step >= WARM_UP {
            let began = *began.get_or_insert_with(Instant::now);
            timed = (event.step - WARM_UP, began.elapsed().as_secs_f64());
        }
        let enough = timed.0 > 0 && timed.1 >= least;
        Ok(if enough { Control::Stop } else { Control::Continue })
    })?;
    Ok(((timed.0 as f64 / timed.1 * seconds).round() as u64).max(1))
}

fn sample(model: &mut Trained, data: &Data, plan: &Plan) -> Result<Sampled> {
    let held = data.held_out(plan.points)?;
    let options = measure::Options { draws: plan.draws, ..measure::Options::default() };
    let metrics = measure::evaluate(model, &held, &options)?.to_json();
    let rows = held.rows.first(1000);
    let mut best = f64::INFINITY;
    for draw in 0..3 {
        let began = Instant::now();
        let (_, drawn) = draw_rows(model, &rows, Some((0, draw)))?;
        // Reading a number waits for the device.
        let _ = drawn.sum(Kind::Float).double_value(&[]);
        best = best.min(began.elapsed().as_secs_f64());
    }
    Ok(Sampled {
        metrics,
        seconds_per_1000_samples: best * 1000.0 / rows.len() as f64,
        paths: paths(model, data)?,
    })
}

fn measure(model: &mut Trained, data: &Data, run: &Run, plan: &Plan) -> Result<Measured> {
    let reason = |e: Error| e.to_string().lines().next().unwrap_or("").to_owned();
    let mut curves = Vec::new();
    if let Some(asked) = &plan.curve {
        let metric = plan.metric.clone();
        let held = data.held_out(asked.points)?;
        for solver in &asked.solvers {
            let options = curve::Options {
                solvers: vec![solver.clone()],
                evaluations: asked.nfe.clone(),
                metric: metric.clone(),
                draws: asked.draws,
                seed: None,
            };
            let found = curve::measure(model, &held, &options, &mut |_| {});
            curves.push((solver.name().to_owned(), found.map_err(reason)));
        }
    }
    let likelihood = plan.likelihood.as_ref().map(|solver| {
        let options = likelihood::Options {
            solver,
            steps: model.experiment().sampling.steps,
            probes: likelihood::PROBES,
            draws: likelihood::DRAWS,
            seed: model.experiment().seed(),
        };
        let held = data.held_out(LIKELY);
        let found = held.and_then(|held| likelihood::measure(model, &held.rows, &options));
        let nll = found.and_then(|found| {
            let rows = (&found.rows.nll[..], found.rows.bound.as_deref());
            let catalogue = Catalogue::of_model(model)?;
            Ok(Nll {
                exact: found.density.nats,
                bound: found.bound.map(|b| b.nats),
                metrics: Some(of_likelihoods(&catalogue, measure::goal(model), rows)),
            })
        });
        nll.map_err(reason)
    });
    let history = run.history()?;
    let total = |of: &dyn Fn(&crate::train::Epoch) -> Option<f64>| {
        history.epochs.iter().map(of).collect::<Vec<_>>()
    };
    let losses = Losses {
        train: total(&|e| e.train.first().copied().flatten()),
        val: total(&|e| e.val.first().copied().flatten()),
        stopped: run.stopped(),
    };
    let real = match data.held_out(SHOWN)?.rows {
        rows if plane(model) => Some(Cloud {
            points: in_plane(&model.units().target.undo(&rows.target))?,
            labels: labels_of(model, rows.condition.as_ref())?,
            names: model.units().names.classes.clone(),
        }),
        _ => None,
    };
    Ok(Measured { losses, schedule: schedule(model)?, real, curves, likelihood, seconds: 0.0 })
}

/// `true` if targets and latents are points in a plane.
fn plane(model: &Trained) -> bool {
    let target = &model.units().shapes.target;
    target == &[2] && model.model().latent_shape() == [2] && !model.units().target_is_label
}

fn in_plane(points: &Tensor) -> Result<Vec<[f32; 2]>> {
    let flat: Vec<f32> =
        Vec::try_from(points.to_device(tch::Device::Cpu).to_kind(Kind::Float).reshape([-1]))?;
    Ok(flat.chunks_exact(2).map(|p| [p[0], p[1]]).collect())
}

fn labels_of(model: &Trained, condition: Option<&Tensor>) -> Result<Option<Vec<usize>>> {
    match condition {
        Some(c) if model.units().condition_is_label => Ok(Some(labels(c)?)),
        _ => Ok(None),
    }
}

/// Paths of samples at up to a few dozen times; `None` unless they are in a plane.
fn paths(model: &mut Trained, data: &Data) -> Result<Option<Paths>> {
    if !plane(model) {
        return Ok(None);
    }
    const TIMES: usize = 33;
    let rows = data.held_out(SHOWN)?.rows;
    let seed = stream_seed(model.experiment().seed(), Purpose::Report, 2);
    let plan = model.plan();
    let clock = model.clock()?;
    let (sampled, seen) = draw_paths(model, &rows, (seed, 0), plan)?;
    let mut times = model.sampling(|model, _| {
        let field = ModelField::new(model, None::<&Condition>, clock);
        seen.clock.iter().map(|s| Ok(field.time(*s)?.clamp(0.0, 1.0))).collect::<Result<Vec<_>>>()
    })?;
    let mut states: Vec<Tensor> = seen.states;
    // The final denoising follows the last state of the path.
    if sampled.denoised {
        times.push(1.0);
        states.push(sampled.z);
    }
    if let Some(scales) = model.sampling(|model, _| drawn_scales(model, &times))? {
        states.iter_mut().zip(scales).for_each(|(z, scale)| *z = &*z * scale);
    }
    let stride = states.len().div_ceil(TIMES).max(1);
    let keep = |i: usize| i.is_multiple_of(stride) || i + 1 == times.len();
    let kept: Vec<usize> = (0..states.len()).filter(|i| keep(*i)).collect();
    let states = kept.iter().map(|i| in_plane(&model.present(&states[*i])?));
    Ok(Some(Paths {
        states: states.collect::<Result<_>>()?,
        times: kept.iter().map(|i| times[*i]).collect(),
        labels: labels_of(model, rows.condition.as_ref())?,
    }))
}

fn schedule(model: &mut Trained) -> Result<Option<Schedule>> {
    const TIMES: i64 = 101;
    model.sampling(|model, _| {
        if !model.path().scheduled() {
            return Ok(None);
        }
        let device = model.vars.device();
        let t = Tensor::linspace(0.0, 1.0, TIMES, (Kind::Double, device));
        let point = model.path().at(&t.to_kind(model.vars.kind()))?;
        let list = |t: &Tensor| -> Result<Vec<f64>> {
            let t = t.detach().to_device(tch::Device::Cpu).to_kind(Kind::Double);
            Ok(Vec::try_from(t.reshape([-1]))?)
        };
        Ok(Some(Schedule {
            t: list(&t)?,
            gamma: list(&point.gamma())?,
            alpha_bar: list(&point.alpha_bar())?,
        }))
    })
}

/// Peak resident memory of this process, in bytes.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024.0)
}

/// A point of a curve over the seeds.
pub(super) fn over_seeds(nfe: f64, values: Vec<Option<f64>>) -> CurveOver {
    CurveOver { nfe, value: super::Spread::of(values) }
}

/// The experiment of a cell with the first seed.
pub(super) fn experiment_of(cell: &Planned, plan: &Plan) -> Result<Experiment> {
    with_seed(&cell.experiment, plan.seeds.first().copied().unwrap_or_default())
}
