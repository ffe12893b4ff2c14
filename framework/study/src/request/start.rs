//! Samples from another beginning than noise: states of a file, rows with noise added, rows some of
//! whose entries are given; and the way back from rows to states.

use super::origin::{Beside, complete, incomplete, states};
use super::samples::{along, check_memory, condition_array, latents_of, length_arrays};
use super::{Begin, Output, Samples, counted, row_array, rows_of};
use crate::data::Table;
use crate::data::files::array;
use crate::error::{Error, Result};
use crate::inference::Start;
use crate::io::NamedArray;
use crate::rng::Streams;
use crate::trained::{Trained, Trajectories};
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// Beginning of the paths: a file, with a time.
#[derive(Clone, Copy, Debug)]
pub enum Beginning<'a> {
    /// States of the path, at a time in \[0, 1); `None`: that of the file, or z_0.
    From(&'a Path, Option<f64>),
    /// Rows to which noise is added up to a time in \[0, 1).
    Edit(&'a Path, f64),
    /// Rows with unknown entries.
    Given(&'a Path),
}

/// A request for samples from a beginning, or for the states of rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct StartRequest<'a> {
    /// Samples of each row; `None`: one.
    pub n: Option<i64>,
    /// Seed of the noise; `None`: the run's.
    pub seed: Option<u64>,
    /// Classes in place of the conditions of the file: one for all rows, or one each.
    pub labels: &'a [String],
    /// A file of conditions, as the labels.
    pub condition: Option<&'a Path>,
    /// Keep the states along the path of each sample.
    pub trajectories: bool,
}

impl StartRequest<'_> {
    /// True if it gives the conditions.
    pub(super) fn has_conditions(&self) -> bool {
        !self.labels.is_empty() || self.condition.is_some()
    }

    /// Numbers of `rows` rows, each as often as it is asked for, in a row.
    fn repeated(&self, rows: i64) -> Tensor {
        let index = Tensor::arange(rows, (Kind::Int64, Device::Cpu));
        index.repeat_interleave_self_int(self.n.unwrap_or(1), 0, None::<i64>)
    }

    /// Checks the number of samples of each row.
    ///
    /// # Errors
    /// [`Error::Config`]: there is to be none.
    pub fn check(&self) -> Result<()> {
        match self.n {
            Some(n) if n < 1 => Err(Error::config("", format!("--n {n}: needs at least 1"))),
            _ => Ok(()),
        }
    }
}

/// States at one time of the path that lead to rows of data.
#[derive(Debug)]
pub struct States {
    /// States `[n, …z_shape]`.
    pub z: Tensor,
    /// Their time.
    pub at: f64,
    /// Conditions, lengths and numbers of the rows.
    beside: Beside,
}

/// Draws samples from a beginning.
///
/// # Errors
/// [`Error::Config`]: there is to be no sample, a condition is none of the model's, or the model
/// cannot begin there. [`Error::Data`]: a file cannot be read, or does not fit the run.
/// [`Error::Runtime`]: memory does not hold the samples.
pub fn start(
    model: &mut Trained,
    beginning: Beginning<'_>,
    request: StartRequest<'_>,
    begin: &mut Begin<'_>,
) -> Result<Samples> {
    request.check()?;
    let streams = Streams::new(request.seed.unwrap_or_else(|| model.experiment().seed()), 0);
    let mut draw = |model: &mut Trained, start: Start<'_>, beside: &Beside| {
        drawn(model, start, beside, (&streams, request.trajectories), begin)
    };
    let (drawn, beside, origin) = match beginning {
        Beginning::From(file, at) => {
            let (z, at, beside) = states(model, file, at, &request)?;
            let drawn = draw(model, Start::States { z: &z, at }, &beside)?;
            let what = at.map_or("z_0".to_owned(), |at| format!("states at t = {at}"));
            (drawn, beside, format!("from {what}"))
        }
        Beginning::Edit(file, at) => {
            let (batch, beside) = complete(model, file, &request)?;
            let index = request.repeated(batch.len());
            let beside = beside.rows(&index)?;
            let batch = batch.rows(&index.to_device(batch.target.device()));
            let z = model.noised(&batch, at, &streams)?;
            let start = Start::States { z: &z, at: Some(at) };
            (draw(model, start, &beside)?, beside, format!("edited from t = {at}"))
        }
        Beginning::Given(file) => {
            model.takes_given()?;
            let (values, beside) = incomplete(model, file, &request)?;
            let index = request.repeated(values.size()[0]);
            let (values, beside) = (values.index_select(0, &index), beside.rows(&index)?);
            let given = model.given(&values).map_err(|e| Error::data(file, e.to_string()))?;
            let (samples, trajectories) = draw(model, Start::Given(&given), &beside)?;
            // The given entries as they are in the file, without the rounding of units.
            let samples = model.units().with_given(&samples, &values);
            ((samples, trajectories), beside, "with the given entries".to_owned())
        }
    };
    let ((samples, trajectories), Beside { conditions, lengths, kept }) = (drawn, beside);
    Ok(Samples { samples, conditions, lengths, z0: None, trajectories, kept, origin })
}

/// Samples from `start`, in the data's own units, with their trajectories if they are asked for.
fn drawn(
    model: &mut Trained,
    start: Start<'_>,
    beside: &Beside,
    (streams, trajectories): (&Streams, bool),
    begin: &mut Begin<'_>,
) -> Result<(Tensor, Option<Trajectories>)> {
    let n = start.rows().unwrap_or(1);
    check_memory(model, n, 1, 1 + latents_of(trajectories, model))?;
    begin(model, n, "samples");
    let conditions = &beside.conditions;
    let conditions = conditions.as_ref().map(|asked| rows_of(model, asked)).transpose()?;
    let (conditions, lengths) = (conditions.as_ref(), &beside.lengths);
    along(model, trajectories, |model| model.sample_starting(start, conditions, lengths, streams))
}

/// Computes the states at time `at` (`None`: the path's start) that lead to the rows of a file.
///
/// # Errors
/// Those of [`start`], and [`Error::Config`]: the solver leads in one direction only.
pub fn invert(
    model: &mut Trained,
    (file, at): (&Path, Option<f64>),
    request: StartRequest<'_>,
    begin: &mut Begin<'_>,
) -> Result<States> {
    let (batch, beside) = complete(model, file, &request)?;
    begin(model, batch.len(), "states");
    let z = model.invert(&batch, at)?;
    Ok(States { z, at: at.unwrap_or(0.0), beside })
}

impl Output for States {
    /// States are no rows of data.
    fn table(&self, _: &Trained) -> Result<Table> {
        Err(Error::config("", "states are written as arrays, not as a table"))
    }

    /// `z`, `t`, `labels` or `conditions`, `lengths`, `condition_lengths` and `rows`, those that
    /// there are.
    fn arrays(&self, model: &Trained) -> Result<Vec<NamedArray>> {
        let mut arrays = vec![array("z", &self.z)?, array("t", &Tensor::from_slice(&[self.at]))?];
        arrays.extend(condition_array(self.beside.conditions.as_ref(), model)?);
        arrays.extend(length_arrays(&self.beside.lengths)?);
        arrays.extend(row_array(&self.beside.kept)?);
        Ok(arrays)
    }
}

/// Description of the states for readers.
impl std::fmt::Display for States {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at t = {}", counted(self.z.size()[0], "state"), self.at)
    }
}
