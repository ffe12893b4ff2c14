//! Collects the results of a comparison from the files in its folder.

use super::folder::{file_of, seeded};
use super::job::{self, JobFolder, Measured, Sampled};
use super::measurements::of_likelihoods;
use super::name::digest;
use super::plan::{Job, Plan, Planned, Unit};
use super::results::{
    Cell, Cost, Curve, CurveOver, Metric as Described, Provenance, Results, Spread,
};
use super::seal::Sealed as Part;
use super::standing::standing;
use super::statistics::scores;
use crate::component::Need;
use crate::error::{Error, Result};
use crate::measure::{Catalogue, Goal};
use crate::metrics::mean;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Files found for a cell with one seed.
struct Found {
    seed: u64,
    sampled: Option<Sampled>,
    measured: Option<Measured>,
    /// Metrics of likelihoods, by name.
    likelihoods: BTreeMap<String, f64>,
    manifest: Value,
    peak_memory: Option<f64>,
    /// Reasons why the run failed, or why its files cannot be used.
    errors: Vec<String>,
    /// `true` if it is not complete yet and has not failed.
    waits: bool,
    /// A note on information that is lost unless the run is trained again.
    lost: Option<String>,
    /// Versions of triflow that measured it; `None` for files that do not say.
    versions: Vec<Option<String>>,
}

/// Collects the results so far of the comparison in `folder`.
///
/// # Errors
/// If no run is finished, and if a plan's experiment cannot be parsed.
pub fn collect(plan: &Plan, folder: &Path) -> Result<Results> {
    let units: HashMap<&str, &Unit> = plan.units.iter().map(|u| (u.id.as_str(), u)).collect();
    let unit = |cell: &Planned| units.get(cell.unit.as_deref()?).copied();
    let mut all: Vec<Vec<Found>> =
        plan.cells.iter().map(|cell| found(plan, (cell, unit(cell)), folder)).collect();
    let catalogue = job::catalogue(plan);
    for found in all.iter_mut().flatten() {
        found.find_likelihoods(&catalogue);
    }
    let metrics = metrics(&all, &catalogue, plan.metric.as_deref());
    if metrics.is_empty() {
        let why = all.iter().flatten().find_map(|f| f.errors.first().cloned());
        let message = format!("{} holds no finished run", folder.display());
        return Err(Error::runtime(match why {
            Some(why) => format!("{message}; the first failure:\n{why}"),
            None => message,
        }));
    }
    for found in all.iter_mut().flatten() {
        found.judged_by(plan.metric.as_deref().unwrap_or(&metrics[0].name), &catalogue);
    }
    let mut results = Results {
        title: plan.title.clone(),
        command: plan.command.clone(),
        made: made(seconds(plan, &all)),
        axes: plan.axes.clone(),
        budget: plan.budget.clone(),
        seeds: plan.seeds.clone(),
        notes: plan.notes.clone(),
        real: all.iter().flatten().find_map(|f| f.measured.as_ref()?.real.clone()),
        ..Results::default()
    };
    for (i, found) in all.iter().enumerate() {
        results.cells.push(describe(plan, i, found, folder)?);
    }
    results.notes.extend(unmeasured(&results.cells, &all));
    results.notes.extend(all.iter().flatten().filter_map(|f| f.lost.clone()));
    results.notes.dedup();
    results.notes.extend(versions(&all));
    results.notes.extend(units_of_distances(&all));
    results.notes.extend(in_progress(plan, folder));
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
    if let Some(experiment) = plan.cells.iter().find_map(|c| job::experiment_of(c, plan).ok()) {
        results.task = experiment.task_name().to_owned();
        results.data = experiment.data.name().to_owned();
    }
    Ok(results)
}

/// A note on runs that other processes are at work on.
fn in_progress(plan: &Plan, folder: &Path) -> Option<String> {
    let runs = standing(plan, folder).in_progress.len();
    let are = if runs == 1 { "1 run was" } else { &format!("{runs} runs were") };
    (runs > 0).then(|| format!("{are} in progress when this report was written."))
}

/// A note on the units in which samples were compared with held-out points.
fn units_of_distances(all: &[Vec<Found>]) -> Option<String> {
    let of = |f: &Found| f.sampled.as_ref()?.metrics["units"].as_str().map(str::to_owned);
    let found: BTreeSet<String> = all.iter().flatten().filter_map(of).collect();
    let names = found.into_iter().collect::<Vec<_>>().join("; ");
    (!names.is_empty()).then(|| format!("Units of distances, neighbours and kernels: {names}."))
}

/// Indices of cells, grouped by their data: only cells with the same data are compared.
fn same_data(plan: &Plan) -> Result<Vec<Vec<usize>>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut known = HashMap::new();
    for (i, cell) in plan.cells.iter().enumerate() {
        let experiment: serde_yaml::Value =
            serde_yaml::from_str(&cell.experiment).map_err(|e| Error::runtime(e.to_string()))?;
        let at = *known.entry(digest(&experiment.get("data"))?).or_insert(groups.len());
        if at == groups.len() {
            groups.push(Vec::new());
        }
        groups[at].push(i);
    }
    Ok(groups)
}

fn found(plan: &Plan, (cell, unit): (&Planned, Option<&Unit>), folder: &Path) -> Vec<Found> {
    let of = |seed: &u64| {
        let mut found = Found {
            seed: *seed,
            sampled: None,
            measured: None,
            likelihoods: BTreeMap::new(),
            manifest: Value::Null,
            peak_memory: None,
            errors: Vec::new(),
            waits: false,
            lost: None,
            versions: Vec::new(),
        };
        if let Some(unit) = unit {
            found.read(plan, cell, &JobFolder { folder: Job { unit, seed: *seed }.folder(folder) });
        }
        found
    };
    plan.seeds.iter().map(of).collect()
}

/// A note if not all files were measured by the same version.
fn versions(all: &[Vec<Found>]) -> Option<String> {
    let mut counts: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    for version in all.iter().flatten().flat_map(|f| &f.versions) {
        *counts.entry(version.as_deref()).or_default() += 1;
    }
    let n: usize = counts.values().sum();
    let name = |version: Option<&str>| version.map_or("an earlier one".into(), str::to_owned);
    let each = counts.iter().map(|(version, k)| format!("{} ({k} of {n} files)", name(*version)));
    let each: Vec<_> = each.collect();
    (counts.len() > 1).then(|| {
        format!(
            "Measured by more than one version of triflow: {}; what they measure may differ.",
            each.join(", ")
        )
    })
}

impl Found {
    fn read(&mut self, plan: &Plan, cell: &Planned, here: &JobFolder) {
        self.sampled = self.part(here.sampled(plan, cell));
        self.measured = self.part(here.measured(plan));
        let (path, trained) = here.trained();
        match trained {
            Part::Whole(trained, _) => {
                self.peak_memory = trained.peak_memory_bytes;
                self.manifest = trained.manifest;
            }
            Part::Damaged(why) => {
                let path = path.display();
                self.lost = Some(format!("{path} {why}: that run's memory is not known"));
            }
            Part::Missing => {}
        }
        if self.manifest.is_null() {
            self.manifest = here.manifest();
        }
        if self.sampled.is_some() && self.measured.is_some() {
            return;
        }
        self.errors.extend(here.failure());
        self.waits = self.errors.is_empty();
    }

    /// The content of a complete file; the reason is noted if it is damaged.
    fn part<T>(&mut self, (path, found): (PathBuf, Part<T>)) -> Option<T> {
        match found {
            Part::Whole(value, version) => {
                self.versions.push(version);
                Some(value)
            }
            Part::Missing => None,
            Part::Damaged(why) => {
                let again = "`compare --resume` measures it again";
                self.errors.push(format!("{} {why}; {again}", path.display()));
                None
            }
        }
    }

    /// Notes the reason if everything was measured but the primary metric is missing.
    fn judged_by(&mut self, name: &str, catalogue: &Catalogue) {
        let (Some(sampled), Some(measured)) = (&self.sampled, &self.measured) else { return };
        if self.metric(name).is_some() {
            return;
        }
        let likelihood = catalogue.named(name).is_ok_and(|metric| metric.is_of_likelihood());
        let why = match &measured.likelihood {
            Some(Err(why)) if likelihood => why.clone(),
            _ => {
                let is_there = |name: &&str| sampled.metrics[*name].is_number();
                let there: Vec<_> = catalogue.iter().map(|m| m.name()).filter(is_there).collect();
                match (sampled.metrics["failed"][name].as_str(), there.is_empty()) {
                    (Some(why), _) => why.to_owned(),
                    (None, true) => "nothing that counts was measured".to_owned(),
                    (None, false) => format!("measured are {}", there.join(", ")),
                }
            }
        };
        self.errors.push(format!("there is no `{name}`, by which cells are judged: {why}"));
    }

    fn metric(&self, name: &str) -> Option<f64> {
        let of_samples = || self.sampled.as_ref()?.metrics[name].as_f64();
        self.likelihoods.get(name).copied().or_else(of_samples)
    }

    /// Takes the metrics of likelihoods from the measurements. Files of earlier versions have the
    /// means alone, which are the values of the built-in ones.
    fn find_likelihoods(&mut self, catalogue: &Catalogue) {
        let likelihood = || self.measured.as_ref()?.likelihood.as_ref()?.as_ref().ok();
        let Some(nll) = likelihood() else { return };
        self.likelihoods = match &nll.metrics {
            Some(metrics) => metrics.clone(),
            None => {
                let bound = nll.bound.as_slice();
                let rows = (&[nll.exact][..], (!bound.is_empty()).then_some(bound));
                let mut found = of_likelihoods(catalogue, Goal::Generation, rows);
                found.retain(|name, _| catalogue.named(name).is_ok_and(|m| m.is_built_in()));
                found
            }
        };
    }

    fn floor(&self, name: &str) -> Option<f64> {
        self.sampled.as_ref()?.metrics["floor"][name].as_f64()
    }

    fn manifest(&self, name: &str) -> Option<f64> {
        self.manifest[name].as_f64()
    }

    /// Seconds of the whole training, extrapolated from its last part if the run was resumed.
    fn training_seconds(&self) -> Option<f64> {
        let (steps, before) = (self.manifest("steps")?, self.manifest("steps_before_resuming")?);
        Some(self.manifest("training_seconds")? * steps / (steps - before).max(1.0))
    }
}

/// Notes on likelihoods and curves that could not be measured, each with its reason.
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

/// Metrics that were measured, in the order of the tables: the primary one comes first.
fn metrics(all: &[Vec<Found>], catalogue: &Catalogue, decides: Option<&str>) -> Vec<Described> {
    let is_there = |name: &str| all.iter().flatten().any(|f| f.metric(name).is_some());
    let mut found: Vec<_> = catalogue.iter().filter(|m| is_there(m.name())).collect();
    found.sort_by_key(|m| Some(m.name()) != decides);
    // Behind the one that decides come those of tables, which tell more about rows of a table than
    // distances of encoded ones.
    if let Some((_, others)) = found.split_first_mut() {
        others.sort_by_key(|m| !m.info().needs_any(&[Need::Table]));
    }
    found
        .into_iter()
        .map(|metric| {
            // The floor depends on the seed's data, which all cells share: any cell gives it.
            let seeds = all.first().map_or(0, Vec::len);
            let of = |seed: usize| all.iter().find_map(|cell| cell[seed].floor(metric.name()));
            let values: Vec<_> = (0..seeds).map(of).collect();
            let floor = values.iter().any(Option::is_some).then(|| Spread::of(values));
            Described {
                name: metric.name().to_owned(),
                title: metric.info().title.clone(),
                what: metric.what().to_owned(),
                better: metric.info().better,
                floor,
            }
        })
        .collect()
}

/// Errors of a cell, each once, with the seeds that have it.
fn of_seeds(found: &[Found]) -> Vec<String> {
    let mut all: Vec<(&str, Vec<String>)> = Vec::new();
    for (why, seed) in found.iter().flat_map(|f| f.errors.iter().map(|why| (why, f.seed))) {
        match all.iter_mut().find(|(known, _)| known == why) {
            Some((_, seeds)) => seeds.push(seed.to_string()),
            None => all.push((why, vec![seed.to_string()])),
        }
    }
    let told = |(why, seeds): (&str, Vec<String>)| {
        let word = if seeds.len() == 1 { "seed" } else { "seeds" };
        format!("{word} {}: {why}", seeds.join(", "))
    };
    all.into_iter().map(told).collect()
}

fn describe(plan: &Plan, i: usize, found: &[Found], folder: &Path) -> Result<Cell> {
    let cell = &plan.cells[i];
    let over = |of: &dyn Fn(&Found) -> Option<f64>| Spread::of(found.iter().map(of).collect());
    let first = found.iter().find(|f| f.sampled.is_some());
    let sampled = first.and_then(|f| f.sampled.as_ref());
    let measured = found.iter().find_map(|f| f.measured.as_ref());
    let mut errors: Vec<String> = cell.error.iter().cloned().collect();
    errors.extend(of_seeds(found));
    let seed = plan.seeds.first().copied().unwrap_or_default();
    let curves = plan.curve.as_ref().map(|c| c.names()).unwrap_or_default();
    Ok(Cell {
        name: cell.name.clone(),
        settings: cell.settings.clone(),
        config: seeded(&cell.experiment, seed)?,
        command: format!("triflow run {}", folder.join(file_of(i, cell)).display()),
        errors,
        waiting: found.iter().filter(|f| f.waits).map(|f| f.seed).collect(),
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
        rows: found.iter().find_map(|f| f.sampled.as_ref()?.rows.clone()),
    })
}

/// Sampling settings for readers, such as `midpoint, 20 steps in time, EMA weights, 1,000 points, 3
/// draws`.
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

/// A solver's curve over the seeds, point by point.
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
        let values = points.iter().map(|p| p.as_ref().map(|p| p.value)).collect();
        CurveOver { nfe: mean(&nfe), value: Spread::of(values) }
    });
    Some(Curve { solver: solver.to_owned(), adaptive, points: points.collect() })
}

/// Seconds of training and measuring, summed over all runs; a run that several cells share counts
/// once.
fn seconds(plan: &Plan, all: &[Vec<Found>]) -> f64 {
    let mut seen = HashMap::new();
    let cells = plan.cells.iter().zip(all);
    let first = cells.filter(|(cell, _)| seen.insert(cell.unit.as_deref(), ()).is_none());
    let of = |f: &Found| {
        f.manifest("training_seconds").unwrap_or_default()
            + f.measured.as_ref().map_or(0.0, |m| m.seconds)
    };
    first.flat_map(|(_, found)| found.iter().map(of)).sum()
}

fn made(seconds: f64) -> Provenance {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Provenance {
        at: chrono::Local::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, false),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: format!("{}, {cores} cores", processor()),
        seconds,
    }
}

/// Name of the processor as the system reports it, or its architecture.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

#[cfg(test)]
mod tests;
