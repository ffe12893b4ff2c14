//! Samples and predictions of a run.

use crate::arrays::{self, Given};
use crate::errors::run;
use crate::settings::{json, load_plugins};
use crate::tables;
use crate::watch::Watch;
use pyo3::prelude::*;
use serde_yaml::Value;
use std::path::{Path, PathBuf};
use triflow::config::parse_value;
use triflow::data::Table;
use triflow::io::NamedArray;
use triflow::measure::EXACT_POINTS;
use triflow::request::{
    self, Begin, Conditions, EvaluationRequest, ImputeRequest, Options, Output, PredictionRequest,
    SampleRequest, Seeds, StartRequest,
};
use triflow::run::Run;
use triflow::tch::Tensor;
use triflow::{Error, Exported, Result, Trained};
use triflow_plugins::solvers::of_likelihoods;

/// How a run is sampled. Parts are texts in YAML.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Sampling {
    steps: Option<usize>,
    solver: Option<String>,
    grid: Option<String>,
    guidance: Option<f64>,
    set: Vec<String>,
    seed: Option<u64>,
    noise: Option<String>,
    data_path: Option<PathBuf>,
    best: bool,
    units: Option<String>,
    metrics: Vec<String>,
}

impl Sampling {
    fn options(&self) -> Result<Options> {
        let part = |text: &Option<String>| -> Result<Option<Value>> {
            text.as_deref().map(parse_value).transpose()
        };
        Ok(Options {
            steps: self.steps,
            solver: part(&self.solver)?,
            grid: part(&self.grid)?,
            guidance: self.guidance,
            set: self.set.clone(),
            seed: self.seed,
            noise: part(&self.noise)?,
            data_path: self.data_path.clone(),
            best: self.best,
            units: self.units.clone(),
            metrics: self.metrics.clone(),
        })
    }
}

/// Conditions: rows with their name, the names of the classes if they are labels, and the lengths of
/// conditions and targets; or the path of a file.
#[derive(FromPyObject)]
#[allow(clippy::large_enum_variant, reason = "there is one in each call")]
pub enum Asked {
    /// Path of a file.
    File(PathBuf),
    /// Rows in memory.
    Rows(String, Given, Vec<String>, Option<Given>, Option<Given>),
}

/// Rows in memory as tensors.
struct Rows {
    name: String,
    values: Tensor,
    classes: Vec<String>,
    lengths: [Option<Tensor>; 2],
}

/// Conditions in the library's types.
enum Ready {
    None,
    File(PathBuf),
    Rows(Rows),
}

impl Ready {
    fn of(asked: Option<Asked>) -> PyResult<Self> {
        Ok(match asked {
            None => Self::None,
            Some(Asked::File(path)) => Self::File(path),
            Some(Asked::Rows(name, values, classes, condition, target)) => {
                let lengths = [condition, target].map(|l| l.as_ref().map(arrays::tensor));
                let [condition, target] = lengths;
                let lengths = [condition.transpose()?, target.transpose()?];
                Self::Rows(Rows { name, values: arrays::tensor(&values)?, classes, lengths })
            }
        })
    }

    /// The conditions of a request to `model`, of labels if there are no rows.
    fn conditions<'a>(&'a self, model: &Trained, labels: &'a [String]) -> Conditions<'a> {
        let rows = match self {
            Self::None => return Conditions::of(labels, None),
            Self::File(file) => return Conditions::of(labels, Some(file)),
            Self::Rows(rows) => rows,
        };
        let copy = |t: &Option<Tensor>| t.as_ref().map(Tensor::shallow_clone);
        let [condition, target] = &rows.lengths;
        let values = (rows.values.shallow_clone(), rows.classes.clone());
        Conditions::rows(&rows.name, values, [copy(condition), copy(target)], model)
    }
}

/// The result of a request: a table for data with named columns, arrays otherwise.
enum Drawn {
    Table(Table),
    Arrays(Vec<NamedArray>, Vec<(&'static str, Vec<String>)>),
}

impl Drawn {
    fn of(model: &Trained, as_table: bool, result: &impl Output) -> Result<Self> {
        Ok(match as_table {
            true => Self::Table(result.table(model)?),
            false => Self::Arrays(result.arrays(model)?, model.units().texts()),
        })
    }

    /// A list of columns, or a dictionary of arrays with lists of names.
    fn hand_over(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Table(table) => Ok(tables::columns(py, &table)?.into_any()),
            Self::Arrays(all, texts) => {
                let all = arrays::dictionary(py, &all)?;
                for (name, texts) in texts {
                    all.set_item(name, texts)?;
                }
                Ok(all.into_any())
            }
        }
    }
}

/// Calls `f` without Python's lock, with a run, its model as `sampling` says, and a [`Begin`] that
/// shows progress.
fn loaded<T: Send>(
    py: Python<'_>,
    path: &Path,
    sampling: &Sampling,
    progress: Option<Py<PyAny>>,
    f: impl FnOnce(&Run, &mut Trained, &mut Begin<'_>) -> Result<T> + Send,
) -> PyResult<T> {
    run(py, &mut Watch::new(progress), |watch| {
        load_plugins()?;
        let (run, mut model) = request::load(path, &sampling.options()?)?;
        let _threads = model.threads();
        f(&run, &mut model, &mut |model, n, what| watch.rows(model, n, what))
    })
}

/// What `f` draws with a model of [`loaded`], for Python.
fn drawn<'py>(
    py: Python<'py>,
    path: &Path,
    sampling: &Sampling,
    progress: Option<Py<PyAny>>,
    f: impl FnOnce(&Run, &mut Trained, &mut Begin<'_>) -> Result<Drawn> + Send,
) -> PyResult<Bound<'py, PyAny>> {
    loaded(py, path, sampling, progress, f)?.hand_over(py)
}

/// Draws samples of a run: a list of columns if `as_table`, otherwise a dictionary of arrays.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "the package calls it by names")]
#[pyo3(signature = (path, sampling, as_table, n=None, labels=Vec::new(), condition=None, seeds=None, save_z0=false, trajectories=false, progress=None))]
pub fn generate<'py>(
    py: Python<'py>,
    path: PathBuf,
    sampling: Sampling,
    as_table: bool,
    n: Option<i64>,
    labels: Vec<String>,
    condition: Option<Asked>,
    seeds: Option<Vec<u64>>,
    save_z0: bool,
    trajectories: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (condition, seed) = (Ready::of(condition)?, sampling.seed);
    drawn(py, &path, &sampling, progress, move |_, model, begin| {
        if as_table {
            request::check_shape(Path::new("a.csv"), model)?;
        }
        let seeds = seeds.map(|seeds| Seeds::given("seeds", seeds)).transpose()?;
        let conditions = condition.conditions(model, &labels);
        let limit = None;
        let request = SampleRequest { n, seed, seeds, conditions, save_z0, trajectories, limit };
        let samples = request::generate(model, request, begin)?;
        Drawn::of(model, as_table, &samples)
    })
}

/// Predicts the y of x: a list of columns if `as_table`, otherwise a dictionary of arrays.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "the package calls it by names")]
#[pyo3(signature = (path, sampling, as_table, x, samples=None, seeds=None, progress=None))]
pub fn predict<'py>(
    py: Python<'py>,
    path: PathBuf,
    sampling: Sampling,
    as_table: bool,
    x: Asked,
    samples: Option<u64>,
    seeds: Option<Vec<u64>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (x, seed) = (Ready::of(Some(x))?, sampling.seed);
    drawn(py, &path, &sampling, progress, move |run, model, begin| {
        request::check_predicts(run, model)?;
        let seeds = seeds.map(|seeds| Seeds::given("seeds", seeds)).transpose()?;
        let x = x.conditions(model, &[]);
        let request = PredictionRequest { samples, seed, seeds, x, limit: None };
        let predictions = request::predict((run, model), request, begin)?;
        Drawn::of(model, as_table, &predictions)
    })
}

/// A request for samples from another beginning than noise, or for states. Files are paths.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Beginning {
    /// `from`, `edit`, `given` or `invert`.
    how: String,
    file: PathBuf,
    at: Option<f64>,
    n: Option<i64>,
    labels: Vec<String>,
    condition: Option<PathBuf>,
    trajectories: bool,
}

/// Draws samples from another beginning than noise, or states that lead to rows of data: a list of
/// columns if `as_table`, otherwise a dictionary of arrays.
#[pyfunction]
#[pyo3(signature = (path, sampling, as_table, beginning, progress=None))]
pub fn start<'py>(
    py: Python<'py>,
    path: PathBuf,
    sampling: Sampling,
    as_table: bool,
    beginning: Beginning,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let Beginning { how, file, at, n, labels, condition, trajectories } = beginning;
    drawn(py, &path, &sampling, progress, |_, model, begin| {
        if let Some(at) = at.filter(|at| !(0.0..1.0).contains(at)) {
            return Err(Error::config("", format!("--at {at}: needs 0 <= at < 1")));
        }
        if as_table {
            request::check_shape(Path::new("a.csv"), model)?;
        }
        let (seed, labels, condition) = (sampling.seed, &labels[..], condition.as_deref());
        let request = StartRequest { n, seed, labels, condition, trajectories };
        let beginning = match how.as_str() {
            "from" => request::Beginning::From(&file, at),
            "edit" => request::Beginning::Edit(&file, at.unwrap_or(0.0)),
            "given" => request::Beginning::Given(&file),
            _ => {
                let states = request::invert(model, (&file, at), request, begin)?;
                return Drawn::of(model, false, &states);
            }
        };
        let samples = request::start(model, beginning, request, begin)?;
        Drawn::of(model, as_table, &samples)
    })
}

/// Fills in the missing cells of the table in a file: a list of columns.
#[pyfunction]
#[pyo3(signature = (path, sampling, file, draws=1, progress=None))]
pub fn impute<'py>(
    py: Python<'py>,
    path: PathBuf,
    sampling: Sampling,
    file: PathBuf,
    draws: u64,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    drawn(py, &path, &sampling, progress, |_, model, begin| {
        let request = ImputeRequest { data: &file, draws, seed: sampling.seed, texts: false };
        Ok(Drawn::Table(request::impute(model, request, begin)?.table))
    })
}

/// Measures a run: the metrics as JSON.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "the package calls it by names")]
#[pyo3(signature = (path, sampling, data=None, samples=None, draws=5, points=EXACT_POINTS, likelihood=None))]
pub fn evaluate(
    py: Python<'_>,
    path: PathBuf,
    sampling: Sampling,
    data: Option<PathBuf>,
    samples: Option<PathBuf>,
    draws: u64,
    points: i64,
    likelihood: Option<i64>,
) -> PyResult<String> {
    loaded(py, &path, &sampling, None, |run, model, begin| {
        begin(model, i64::MAX, "rows");
        let solver = match &sampling.solver {
            Some(_) => model.experiment().sampling.solver.clone(),
            None => of_likelihoods(),
        };
        let request = EvaluationRequest {
            data: data.as_deref(),
            samples: samples.as_deref(),
            seed: sampling.seed,
            draws,
            points,
            likelihood: likelihood.map(|rows| (rows, &solver)),
        };
        json(&request::evaluate((run, model), request)?.metrics)
    })
}

/// Writes the network of a run, or its sampler, as a TorchScript archive.
#[pyfunction]
#[pyo3(signature = (path, sampling, sampler, out))]
pub fn export(
    py: Python<'_>,
    path: PathBuf,
    sampling: Sampling,
    sampler: bool,
    out: PathBuf,
) -> PyResult<()> {
    run(py, &mut Watch::new(None), move |_| {
        let what = if sampler { Exported::Sampler } else { Exported::Network };
        load_plugins()?;
        request::export(&path, &sampling.options()?, what, &out)?;
        Ok(())
    })
}

/// True if the targets of a run are vectors whose columns have names, so that samples and
/// predictions are a table.
#[pyfunction]
pub fn has_columns(py: Python<'_>, path: PathBuf) -> PyResult<bool> {
    run(py, &mut Watch::new(None), |_| {
        load_plugins()?;
        let (_, model) = request::open(&path, &Options::default())?;
        let units = model.units();
        Ok(!units.names.target.is_empty() && units.shapes.target.len() == 1)
    })
}
