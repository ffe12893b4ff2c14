//! Reflow (Liu et al. 2023, arXiv 2209.03003): pairs for a second, straighter model, which are z_0
//! and the end of the trained model's own path from it. Paths between such ends need not cross, so
//! that a model of them gets by with few steps.

use crate::component::{Columns, Splits};
use crate::config::{Experiment, Task};
use crate::data::{Data, Rows, Units};
use crate::error::{Error, Result};
use crate::measure::finite;
use crate::rng::{Purpose, Streams, rust_rng, stream_seed};
use crate::table::TableColumn;
use crate::trained::Trained;
use rand::RngExt as _;
use tch::{Device, Tensor};

/// Rows that are sampled at once.
const BATCH: i64 = 4096;

/// Checks that the paths of a run can be straightened.
///
/// # Errors
/// If the run predicts or its data are sequences, and if its solver is stochastic: the end of a
/// path then does not follow from z_0 alone.
pub fn check(experiment: &Experiment) -> Result<()> {
    if experiment.task() != Task::Generation {
        let message = match experiment.task().predicts() {
            true => "only the paths of a run that generates can be straightened; this one predicts",
            false => "paths of sequences cannot be straightened",
        };
        return Err(Error::config("task", message));
    }
    let solver = &experiment.sampling.solver;
    if solver.build(&()).map_err(|e| e.under("sampling.solver"))?.stochastic()? {
        let message = format!(
            "`{}` draws noise at its steps: its ends do not follow from z_0",
            solver.name()
        );
        return Err(Error::config("sampling.solver", message)
            .help("use a solver that draws none, such as an adaptive one"));
    }
    Ok(())
}

/// Samples `n` rows x, each beside the z_0 that its path started from.
///
/// Both are in the train split: x in the data's own units, z_0 `[n, …z_shape]`, and y, the
/// conditions that were drawn from the training rows, where the model has a condition. The test
/// split holds the real held-out rows, to measure on. `seed` decides z_0 and the conditions.
/// `progress` is called with the number of rows so far; an error that it returns ends the sampling.
///
/// # Errors
/// The errors of [`check`], of `progress`, of sampling and of reading the rows, and samples that
/// are not finite.
pub fn pairs(
    model: &mut Trained,
    data: &Data,
    (n, seed): (i64, u64),
    progress: &mut dyn FnMut(i64) -> Result<()>,
) -> Result<Splits> {
    check(model.experiment())?;
    let mut rng = rust_rng(seed, Purpose::Reflow, 0);
    let noise = Streams::new(stream_seed(seed, Purpose::Reflow, 1), 0);
    let (mut x, mut z0s, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
    for from in (0..n).step_by(BATCH as usize) {
        let rows = BATCH.min(n - from);
        let z0 = model.z0(rows, Some(&noise.from(from)))?;
        let condition = match data.train.condition {
            Some(_) => {
                let picked: Vec<i64> =
                    (0..rows).map(|_| rng.random_range(0..data.train.len())).collect();
                let index = Tensor::from_slice(&picked).to_device(data.train.device());
                data.train.take(&index)?.condition()
            }
            None => None,
        };
        let sampled = model.sample_latents(&z0, condition.as_ref(), &model.plan(), &mut ())?;
        x.push(finite(model.present(&sampled.z)?)?.to_device(Device::Cpu));
        z0s.push(z0.to_device(Device::Cpu));
        conditions.extend(condition.map(|c| c.value));
        progress(from + rows)?;
    }
    let joined = |all: Vec<Tensor>| (!all.is_empty()).then(|| Tensor::cat(&all, 0));
    let units = model.units();
    let y = joined(conditions).map(|c| own_condition(units, &c));
    let real = [&data.test, &data.val].into_iter().find(|set| !set.is_empty());
    let train = Columns {
        x: joined(x),
        y,
        z0: joined(z0s),
        x_columns: TableColumn::numbers(units.names.target_entries()),
        classes: units.names.classes.clone(),
        ..Columns::default()
    };
    let test = real.map(|rows| in_own_units(units, rows)).transpose()?;
    Ok(Splits { train, test, ..Splits::default() })
}

/// Rows in the data's own units.
fn in_own_units(units: &Units, rows: &Rows) -> Result<Columns> {
    let rows = rows.all()?;
    let x = units.target.undo(&rows.target).to_device(Device::Cpu);
    let y = rows.condition.as_ref().map(|c| own_condition(units, c));
    let names = &units.names;
    Ok(Columns {
        x: Some(x),
        y,
        x_columns: TableColumn::numbers(names.target_entries()),
        classes: names.classes.clone(),
        ..Columns::default()
    })
}

/// Conditions in the data's own units; one-hot rows as labels.
fn own_condition(units: &Units, condition: &Tensor) -> Tensor {
    let condition = condition.to_device(Device::Cpu);
    match units.condition_is_label {
        true => condition.argmax(-1, false),
        false => units
            .condition
            .undo(&condition.to_device(units.condition.mean.device()))
            .to_device(Device::Cpu),
    }
}
