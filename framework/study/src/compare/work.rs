//! Jobs of a comparison: a model is trained with one seed, and measured with the sampling of each
//! of its cells. Finished parts are not repeated.

use super::job::{Footprint, JobFolder, TRAINED};
use super::measurements::{measure, sample};
use super::plan::{Job, Plan, Planned, with_seed};
use super::seal;
use crate::component::DataSource;
use crate::config::Experiment;
use crate::error::{Error, Result};
use crate::lock::{Holder, Lock, Taken};
use crate::registry::Component;
use crate::report::SampledRows;
use crate::run::{self, Run, RunObserver};
use crate::train::{Control, Event, Trainer};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Number of steps of a calibration that are not timed.
const WARM_UP: u64 = 20;

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
        let cells = cells.get(job.unit.id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let damaged = here.lacks(plan, cells)?;
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

/// The outcome of [`work`].
#[derive(Debug)]
pub enum Worked {
    /// The job is complete.
    Done,
    /// It was complete already, by the work of another process.
    Before,
    /// Another process is at work on the job; `None` if its lock does not say which.
    Elsewhere(Option<Holder>),
}

/// Completes a job in the comparison's folder, unless another process is at work on it: trains the
/// model if needed, and measures what is missing. If that fails, the job's folder gets a file
/// `error.txt` with the reason.
///
/// # Errors
/// If the experiment cannot be trained or measured, its files cannot be read or written, `watch`
/// stops the run, or the job's lock is removed.
pub fn work(
    plan: &Plan,
    job: Job<'_>,
    comparison: &Path,
    watch: &mut dyn RunObserver,
) -> Result<Worked> {
    let folder =
        std::path::absolute(job.folder(comparison)).map_err(Error::io("find", comparison))?;
    std::fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
    let here = JobFolder { folder };
    let lock = match here.take()? {
        Taken::Here(lock) => lock,
        Taken::Elsewhere(holder) => return Ok(Worked::Elsewhere(holder)),
    };
    // A `resume` of the run by itself.
    if let Some(holder) = here.run_holder() {
        return Ok(Worked::Elsewhere(holder));
    }
    let own = |cell: &&Planned| cell.unit.as_deref() == Some(&*job.unit.id);
    if here.lacks(plan, &plan.cells.iter().filter(own).collect::<Vec<_>>()).is_none() {
        return Ok(Worked::Before);
    }
    here.forget_failure();
    let done = complete(plan, job, &here, &mut Watched { watch, lock: &lock });
    if lock.is_lost() {
        let folder = here.folder.display();
        let gone = || Error::runtime(format!("{folder} or its lock was removed while at work"));
        return here.holder().map(Worked::Elsewhere).ok_or_else(gone);
    }
    if let Err(e) = &done
        && !matches!(e, Error::Interrupted { .. } | Error::Stopped { .. })
    {
        here.fail(&e.to_string());
    }
    done.map(|()| Worked::Done)
}

/// An observer that also stops the run if the job's lock is lost.
struct Watched<'w> {
    watch: &'w mut dyn RunObserver,
    lock: &'w Lock,
}

impl RunObserver for Watched<'_> {
    fn start(&mut self, trainer: &Trainer, run: &Run) {
        self.watch.start(trainer, run);
    }

    fn step(&mut self, event: &Event<'_>) {
        self.watch.step(event);
    }

    fn stop(&self) -> bool {
        self.lock.is_lost() || self.watch.stop()
    }

    fn note(&mut self, text: &str) {
        self.watch.note(text);
    }

    fn end(&mut self) {
        self.watch.end();
    }

    fn program(&self) -> serde_json::Value {
        self.watch.program()
    }
}

fn complete(
    plan: &Plan,
    job: Job<'_>,
    here: &JobFolder,
    watch: &mut dyn RunObserver,
) -> Result<()> {
    let folder = &here.folder;
    let mut experiment = with_seed(&job.unit.experiment, job.seed)?;
    if let Some(seconds) = plan.seconds
        && !folder.join("config.yaml").is_file()
    {
        experiment.training.steps = Some(steps_in(experiment.clone(), seconds)?);
    }
    let fresh = !here.is_trained();
    let run = run::ensure_trained(experiment, folder, watch)?;
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
            let mut found = sample(&mut model, &data, plan)?;
            // The report shows samples of one seed.
            if plan.seeds.first() == Some(&job.seed) {
                found.rows = SampledRows::of(&mut model, &data)?;
            }
            seal::write(&path, &found)?;
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

/// Peak resident memory of this process, in bytes.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024.0)
}
