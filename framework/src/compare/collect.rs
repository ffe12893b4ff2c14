//! From what lies in a comparison's folder to its results.

use super::plan::{Job, Plan, Planned};
use super::results::{Cell, Cost, Curve, Made, Metric as Described, Results, Spread};
use super::statistics::scores;
use super::work::{self, Measured, Sampled};
use crate::error::{Error, Result};
use crate::measure::Metric;
use serde_json::Value;
use std::path::Path;

/// A file beside a run that says why it failed.
pub const FAILURE: &str = "error.txt";

/// What was found for a cell with one seed.
struct Found {
    seed: u64,
    sampled: Option<Sampled>,
    measured: Option<Measured>,
    manifest: Option<Value>,
    peak_memory: Option<f64>,
    error: Option<String>,
}

/// The results so far of the comparison in `folder`.
///
/// # Errors
/// None of it is there.
pub fn collect(plan: &Plan, folder: &Path) -> Result<Results> {
    let all: Vec<Vec<Found>> = plan.cells.iter().map(|cell| found(plan, cell, folder)).collect();
    let metrics = metrics(&all, plan.metric.as_deref());
    if metrics.is_empty() {
        let why = all.iter().flatten().find_map(|f| f.error.clone());
        let message = format!("{} holds no finished run", folder.display());
        return Err(Error::runtime(match why {
            Some(why) => format!("{message}; the first failure:\n{why}"),
            None => message,
        }));
    }
    let mut results = Results {
        title: plan.title.clone(),
        command: plan.command.clone(),
        made: made(plan, folder),
        axes: plan.axes.clone(),
        budget: plan.budget.clone(),
        seeds: plan.seeds.clone(),
        notes: plan.notes.clone(),
        real: all.iter().flatten().find_map(|f| f.measured.as_ref()?.real.clone()),
        ..Results::default()
    };
    for (cell, found) in plan.cells.iter().zip(&all) {
        results.cells.push(describe(plan, cell, found, folder)?);
    }
    results.notes.extend(unmeasured(&results.cells, &all));
    let groups = same_data(plan)?;
    for metric in metrics {
        for group in &groups {
            let values = |cell: &usize| all[*cell].iter().map(|f| f.metric(&metric.name)).collect();
            let values: Vec<Vec<Option<f64>>> = group.iter().map(values).collect();
            for (cell, score) in group.iter().zip(scores(&values, metric.better)) {
                results.cells[*cell].metrics.push(score);
            }
        }
        results.metrics.push(metric);
    }
    if let Some(experiment) = plan.cells.iter().find_map(|c| work::experiment_of(c, plan).ok()) {
        results.task = experiment.task_name().to_owned();
        results.data = experiment.data.name().to_owned();
    }
    Ok(results)
}

/// The places of cells that have their data in common: only those can be better or worse than one another.
fn same_data(plan: &Plan) -> Result<Vec<Vec<usize>>> {
    let mut groups: Vec<(Option<serde_yaml::Value>, Vec<usize>)> = Vec::new();
    for (i, cell) in plan.cells.iter().enumerate() {
        let experiment: serde_yaml::Value =
            serde_yaml::from_str(&cell.experiment).map_err(|e| Error::runtime(e.to_string()))?;
        let data = experiment.get("data").cloned();
        match groups.iter_mut().find(|(of, _)| *of == data) {
            Some((_, group)) => group.push(i),
            None => groups.push((data, vec![i])),
        }
    }
    Ok(groups.into_iter().map(|(_, group)| group).collect())
}

fn found(plan: &Plan, cell: &Planned, folder: &Path) -> Vec<Found> {
    let unit = plan.units.iter().find(|u| cell.unit.as_deref() == Some(&*u.id));
    let of = |seed: &u64| {
        let path = unit.map(|unit| Job { unit, seed: *seed }.folder(folder));
        let path = path.as_deref();
        Found {
            seed: *seed,
            sampled: path.and_then(|p| work::sampled(p, cell)),
            measured: path.and_then(|p| work::measured(p, plan)),
            manifest: path.and_then(|p| work::read(p, "manifest.json")),
            peak_memory: path.and_then(|p| work::trained(p)?.peak_memory_bytes),
            error: path.and_then(|p| std::fs::read_to_string(p.join(FAILURE)).ok()),
        }
    };
    plan.seeds.iter().map(of).collect()
}

impl Found {
    fn metric(&self, name: &str) -> Option<f64> {
        let likelihood = || self.measured.as_ref()?.likelihood.as_ref()?.as_ref().ok();
        match name {
            _ if name == Metric::Nll.name() => Some(likelihood()?.exact),
            _ if name == Metric::NllBound.name() => likelihood()?.bound,
            name => self.sampled.as_ref()?.metrics[name].as_f64(),
        }
    }

    fn floor(&self, name: &str) -> Option<f64> {
        self.sampled.as_ref()?.metrics["floor"][name].as_f64()
    }

    fn manifest(&self, name: &str) -> Option<f64> {
        self.manifest.as_ref()?[name].as_f64()
    }

    /// Of all of it, where a part of it was done before a stop.
    fn training_seconds(&self) -> Option<f64> {
        let (steps, before) = (self.manifest("steps")?, self.manifest("steps_before_resuming")?);
        Some(self.manifest("training_seconds")? * steps / (steps - before).max(1.0))
    }
}

/// Curves that could not be measured, each with its reason.
fn unmeasured(cells: &[Cell], all: &[Vec<Found>]) -> Vec<String> {
    let mut notes = Vec::new();
    for (cell, found) in cells.iter().zip(all) {
        let Some(measured) = found.iter().find_map(|f| f.measured.as_ref()) else { continue };
        if let Some(Err(why)) = &measured.likelihood {
            notes.push(format!("{}: {why}", cell.name));
        }
        for (solver, curve) in &measured.curves {
            if let Err(why) = curve {
                notes.push(format!("{}: no curve along {solver}: {why}", cell.name));
            }
        }
    }
    notes
}

/// The metrics that were measured, in the order of a table: what decides comes first.
fn metrics(all: &[Vec<Found>], decides: Option<&str>) -> Vec<Described> {
    let is_there = |name: &str| all.iter().flatten().any(|f| f.metric(name).is_some());
    let known = Metric::ALL.iter().map(|metric| metric.info());
    let mut found: Vec<_> = known.filter(|info| is_there(info.name)).collect();
    found.sort_by_key(|info| Some(info.name) != decides);
    found
        .into_iter()
        .map(|info| {
            // Seeds have their own data, cells share them: any cell's floor is that of the seed.
            let seeds = all.first().map_or(0, Vec::len);
            let of = |seed: usize| all.iter().find_map(|cell| cell[seed].floor(info.name));
            let values: Vec<_> = (0..seeds).map(of).collect();
            let floor = values.iter().any(Option::is_some).then(|| Spread::of(values));
            Described {
                name: info.name.to_owned(),
                title: info.title.to_owned(),
                what: info.what.to_owned(),
                better: info.better,
                floor,
            }
        })
        .collect()
}

fn describe(plan: &Plan, cell: &Planned, found: &[Found], folder: &Path) -> Result<Cell> {
    let over = |of: &dyn Fn(&Found) -> Option<f64>| Spread::of(found.iter().map(of).collect());
    let first = found.iter().find(|f| f.sampled.is_some());
    let sampled = first.and_then(|f| f.sampled.as_ref());
    let measured = found.iter().find_map(|f| f.measured.as_ref());
    let mut errors: Vec<String> = cell.error.iter().cloned().collect();
    errors.extend(
        found
            .iter()
            .filter_map(|f| Some(format!("seed {}: {}", f.seed, f.error.as_ref()?.trim_end()))),
    );
    let seed = plan.seeds.first().copied().unwrap_or_default();
    let curves = plan.curve.as_ref().map(|c| c.names()).unwrap_or_default();
    Ok(Cell {
        name: cell.name.clone(),
        settings: cell.settings.clone(),
        config: super::plan::with_seed(&cell.experiment, seed)?.to_yaml()?,
        command: format!("triflow run {}", folder.join(plan.file_of(cell)).display()),
        errors,
        parameters: found.iter().find_map(|f| f.manifest("parameters")).unwrap_or_default() as i64,
        sampling: sampled.map(|s| sampling(&s.metrics["sampling"])).unwrap_or_default(),
        metrics: Vec::new(),
        cost: Cost {
            training_seconds: over(&Found::training_seconds),
            examples_per_second: over(&|f| f.manifest("examples_per_second")),
            peak_memory_bytes: over(&|f| f.peak_memory),
            nfe: over(&|f| f.sampled.as_ref()?.metrics["sampling"]["nfe"].as_f64()),
            seconds_per_1000_samples: over(&|f| Some(f.sampled.as_ref()?.seconds_per_1000_samples)),
        },
        curves: curves.into_iter().filter_map(|solver| curve(solver, found)).collect(),
        losses: measured.map(|m| m.losses.clone()).unwrap_or_default(),
        schedule: measured.and_then(|m| m.schedule.clone()),
        paths: sampled.and_then(|s| s.paths.clone()),
    })
}

/// As `midpoint, 20 steps in time, 40 evaluations, EMA, 3 draws`.
fn sampling(how: &Value) -> String {
    let text = |key: &str| match &how[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let weights = if how["ema"] == true { "EMA weights" } else { "last weights" };
    let draws = how["draws"].as_u64().unwrap_or(1);
    format!(
        "{}, {} steps in {}, {weights}, {} points, {draws} draw{}",
        text("solver"),
        text("steps"),
        text("grid"),
        text("n"),
        if draws == 1 { "" } else { "s" }
    )
}

/// A solver's curve over the seeds, place by place.
fn curve(solver: &str, found: &[Found]) -> Option<Curve> {
    let of = |f: &Found| {
        let measured = f.measured.as_ref()?;
        let (_, points) = measured.curves.iter().find(|(name, _)| name == solver)?;
        points.as_ref().ok().cloned()
    };
    let by_seed: Vec<Option<Vec<_>>> = found.iter().map(of).collect();
    let places = by_seed.iter().flatten().map(Vec::len).min()?;
    let adaptive = by_seed.iter().flatten().flatten().any(|p| p.adaptive);
    let points = (0..places).map(|i| {
        let at = |f: &Option<Vec<crate::curve::CurvePoint>>| f.as_ref().map(|all| all[i].clone());
        let points: Vec<_> = by_seed.iter().map(at).collect();
        let nfe: Vec<f64> = points.iter().flatten().map(|p| p.nfe as f64).collect();
        let nfe = nfe.iter().sum::<f64>() / nfe.len() as f64;
        work::over_seeds(nfe, points.iter().map(|p| p.as_ref().map(|p| p.value)).collect())
    });
    Some(Curve { solver: solver.to_owned(), adaptive, points: points.collect() })
}

fn made(plan: &Plan, folder: &Path) -> Made {
    let mut seconds = 0.0;
    for job in plan.jobs() {
        let path = job.folder(folder);
        let manifest: Option<Value> = work::read(&path, "manifest.json");
        seconds += manifest.and_then(|m| m["training_seconds"].as_f64()).unwrap_or_default();
        seconds += work::measured(&path, plan).map_or(0.0, |m| m.seconds);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Made {
        at: chrono::Local::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, false),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: format!("{}, {cores} cores", processor()),
        seconds,
    }
}

/// What the system calls the processor.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}
