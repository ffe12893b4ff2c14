//! The folder of a job: its files, and what counts as complete.

use super::plan::{Plan, Planned, with_seed};
use super::results::{Cloud, Losses, Paths, Schedule};
use super::seal::{self, Sealed};
use crate::config::Experiment;
use crate::curve::CurvePoint;
use crate::error::{Error, Result};
use crate::io::{remove_abandoned, write_atomically};
use crate::lock::{Holder, Lock, OF_FOLDER, Taken};
use crate::measure::{Catalogue, Goal, Measure};
use crate::report::SampledRows;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

/// Measurements of a model with the sampling of one cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sampled {
    /// Content of `metrics.json`.
    pub metrics: Value,
    pub seconds_per_1000_samples: f64,
    pub paths: Option<Paths>,
    /// Rows of a table for the report, of the first seed alone; missing in files of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<SampledRows>,
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
const FAILURE: &str = "error.txt";
/// The file of the lock of a job, from the start of its training to the end of its measurements.
const LOCK: &str = ".job.lock";
/// The file whose presence marks a run as trained.
const MANIFEST: &str = "manifest.json";
/// The file with memory and manifest of a trained run.
pub(super) const TRAINED: &str = "trained.json";

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

    /// Unusable files of the job that are made again, each with the reason, if the job is not
    /// complete; `None` if it is. The error file of a complete job is removed.
    pub fn lacks(&self, plan: &Plan, cells: &[&Planned]) -> Option<Vec<String>> {
        let mut parts = vec![part(self.measured(plan))];
        parts.extend(cells.iter().map(|cell| part(self.sampled(plan, cell))));
        if self.is_trained() && parts.iter().all(Result::is_ok) {
            self.forget_failure();
            return None;
        }
        Some(parts.into_iter().filter_map(|part| part.err().flatten()).collect())
    }

    /// Takes the job's lock, unless another process holds it, and removes unfinished files of a
    /// killed one. The folder must exist.
    pub fn take(&self) -> Result<Taken> {
        let taken = Lock::take(&self.folder.join(LOCK))?;
        if matches!(taken, Taken::Here(_)) {
            remove_abandoned(&self.folder);
        }
        Ok(taken)
    }

    /// The process at work on the job; the inner `None` if its lock does not say which. A lock
    /// that cannot be read counts as free: taking it gives the reason.
    pub fn holder(&self) -> Option<Option<Holder>> {
        Lock::holder(&self.folder.join(LOCK)).ok().flatten().or_else(|| self.run_holder())
    }

    /// The process that trains the run, which may be another command than `compare`.
    pub fn run_holder(&self) -> Option<Option<Holder>> {
        Lock::holder(&self.folder.join(OF_FOLDER)).ok().flatten()
    }

    /// The run's manifest; null if it cannot be read.
    pub fn manifest(&self) -> Value {
        let bytes = std::fs::read(self.folder.join(MANIFEST)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Keeps the error of an attempt for reports. An error in doing so is ignored, as the attempt's
    /// own is told.
    pub fn fail(&self, why: &str) {
        let _ = std::fs::create_dir_all(&self.folder);
        let _ = write_atomically(&self.folder.join(FAILURE), |f| f.write_all(why.as_bytes()));
    }

    pub fn forget_failure(&self) {
        let _ = std::fs::remove_file(self.folder.join(FAILURE));
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

/// `Ok` for a complete file; an error with the reason for a damaged one, without for a missing one.
fn part<T>((path, found): (PathBuf, Sealed<T>)) -> Result<(), Option<String>> {
    match found {
        Sealed::Whole(..) => Ok(()),
        Sealed::Missing => Err(None),
        Sealed::Damaged(why) => Err(Some(format!("{} {why}", path.display()))),
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

/// The experiment of a cell with the first seed.
pub(super) fn experiment_of(cell: &Planned, plan: &Plan) -> Result<Experiment> {
    with_seed(&cell.experiment, plan.seeds.first().copied().unwrap_or_default())
}
