//! Data on the device: splits, one-hot labels, normalisation, and the task's binding of x and y.

pub mod files;

use crate::component::{DataContext, DataOptions, DataSource, Split, Splits, Table, shape_text};
use crate::config::{Experiment, Task};
use crate::error::{Error, Result};
use crate::model::Shapes;
use crate::registry::Component;
use crate::rng::{Purpose, rust_rng};
use rand::seq::SliceRandom as _;
use tch::{Device, Kind, Tensor};

/// Scales values to mean 0 and deviation 1, and back.
#[derive(Debug)]
pub struct Normaliser {
    /// `[…]`, broadcastable to a row.
    pub mean: Tensor,
    /// Likewise, positive.
    pub deviation: Tensor,
}

impl Normaliser {
    /// Leaves values alone.
    pub fn identity(kind: Kind, device: Device) -> Self {
        Self {
            mean: Tensor::zeros([1], (kind, device)),
            deviation: Tensor::ones([1], (kind, device)),
        }
    }

    /// Fitted on `[n, …]`: each feature of a vector by itself, all entries of a larger shape together.
    pub fn fit(values: &Tensor) -> Self {
        let flat = if values.dim() == 2 { values.shallow_clone() } else { values.reshape([-1, 1]) };
        let deviation = flat.std_dim([0].as_slice(), false, false);
        // A constant feature stays as it is.
        let deviation = deviation.where_self(&deviation.gt(1e-12), &deviation.ones_like());
        Self { mean: flat.mean_dim([0].as_slice(), false, flat.kind()), deviation }
    }

    /// To mean 0 and deviation 1.
    pub fn apply(&self, values: &Tensor) -> Tensor {
        (values - &self.mean) / &self.deviation
    }

    /// Back to the data's own units.
    pub fn undo(&self, values: &Tensor) -> Tensor {
        values * &self.deviation + &self.mean
    }
}

/// Rows of one set, as the task binds them, normalised, on the device.
#[derive(Debug)]
pub struct Set {
    /// `[n, …target_shape]`.
    pub target: Tensor,
    /// `[n, …condition_shape]`.
    pub condition: Option<Tensor>,
}

impl Set {
    /// Number of rows.
    pub fn len(&self) -> i64 {
        self.target.size()[0]
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows at `index` (`[k]` int64).
    pub fn rows(&self, index: &Tensor) -> (Tensor, Option<Tensor>) {
        (
            self.target.index_select(0, index),
            self.condition.as_ref().map(|c| c.index_select(0, index)),
        )
    }
}

/// All sets of an experiment.
#[derive(Debug)]
pub struct Data {
    /// Rows to learn from.
    pub train: Set,
    /// Rows for validation while training.
    pub val: Set,
    /// Rows for the final evaluation.
    pub test: Set,
    /// Undoes the target's scaling.
    pub target: Normaliser,
    /// Applies the condition's scaling.
    pub condition: Normaliser,
    /// Whether targets are one-hot labels.
    pub target_is_label: bool,
    /// Whether conditions are one-hot labels.
    pub condition_is_label: bool,
}

impl Data {
    /// Loads an experiment's data. `kind` is the precision of the model.
    pub fn load(
        experiment: &Experiment,
        context: &DataContext,
        kind: Kind,
        device: Device,
    ) -> Result<Self> {
        let source: &Component<dyn DataSource> = &experiment.data;
        let splits = source.build(context)?.load()?;
        Self::from_splits(experiment, splits, kind, device)
    }

    /// From tables in memory.
    pub fn from_splits(
        experiment: &Experiment,
        splits: Splits,
        kind: Kind,
        device: Device,
    ) -> Result<Self> {
        let options = experiment.data.common();
        let [train, val, test] = divide(splits, &options.split, experiment.seed())?;
        let classes = label_count(&[&train, &val, &test])?;
        let bind = |table: &Table| bind(table, experiment, classes, kind, device);
        let (train, val, test) = (bind(&train)?, bind(&val)?, bind(&test)?);
        check_shapes(experiment, &train)?;
        let y_is_label = classes.is_some();
        let regression = experiment.task == Some(Task::Regression);
        let (target_is_label, condition_is_label) =
            if regression { (y_is_label, false) } else { (false, y_is_label) };
        let fit = |values: Option<&Tensor>, is_label: bool| match values {
            Some(v) if options.standardise && !is_label => Normaliser::fit(v),
            _ => Normaliser::identity(kind, device),
        };
        let target = fit(Some(&train.target), target_is_label);
        let condition = fit(train.condition.as_ref(), condition_is_label);
        let scale = |set: Set| Set {
            target: target.apply(&set.target).contiguous(),
            condition: set.condition.map(|c| condition.apply(&c).contiguous()),
        };
        Ok(Self {
            train: scale(train),
            val: scale(val),
            test: scale(test),
            target,
            condition,
            target_is_label,
            condition_is_label,
        })
    }

    /// Shapes of one row.
    pub fn shapes(&self) -> Shapes {
        Shapes {
            target: self.train.target.size()[1..].to_vec(),
            condition: self.train.condition.as_ref().map(|c| c.size()[1..].to_vec()),
        }
    }
}

fn rows_of(table: &Table) -> Result<i64> {
    let count = |t: &Option<Tensor>| t.as_ref().map(|t| t.size().first().copied().unwrap_or(0));
    match (count(&table.x), count(&table.y)) {
        (Some(x), Some(y)) if x != y => {
            Err(Error::config("data", format!("x has {x} rows, y has {y}")))
        }
        (Some(n), _) | (None, Some(n)) => Ok(n),
        (None, None) => Err(Error::config("data", "the source yields neither x nor y")),
    }
}

/// Splits what the source did not split itself.
fn divide(splits: Splits, shares: &Split, seed: u64) -> Result<[Table; 3]> {
    let n = rows_of(&splits.train)?;
    let all = [shares.train, shares.val, shares.test];
    if all.iter().any(|s| !(0.0..=1.0).contains(s)) || all.iter().sum::<f64>() > 1.0 + 1e-9 {
        return Err(Error::config(
            "data.split",
            format!("shares must lie in [0, 1] and add up to at most 1, got {all:?}"),
        ));
    }
    let share = |s: f64, given: bool| if given { 0 } else { (s * n as f64).round() as i64 };
    let val = share(shares.val, splits.val.is_some());
    let test = share(shares.test, splits.test.is_some());
    let asked = (shares.train * n as f64).round() as i64;
    let train =
        if splits.val.is_some() && splits.test.is_some() { n } else { (n - val - test).min(asked) };
    if train < 1 {
        return Err(Error::config(
            "data.split",
            format!("no row to train on: of {n} rows {asked} for training, {val} for validation, {test} for test"),
        )
        .help("shares are such as { train: 0.8, val: 0.1, test: 0.1 }"));
    }
    let mut order: Vec<i64> = (0..n).collect();
    order.shuffle(&mut rust_rng(seed, Purpose::Split, 0));
    let pick = |from: i64, count: i64| {
        let index = Tensor::from_slice(&order[from as usize..(from + count) as usize]);
        let take = |t: &Option<Tensor>| t.as_ref().map(|t| t.index_select(0, &index));
        Table { x: take(&splits.train.x), y: take(&splits.train.y) }
    };
    let parts = [pick(0, train), pick(train, val), pick(train + val, test)];
    let [train, val, test] = parts;
    Ok([train, splits.val.unwrap_or(val), splits.test.unwrap_or(test)])
}

/// Number of classes, if y holds integer labels.
fn label_count(tables: &[&Table]) -> Result<Option<i64>> {
    let mut classes = None;
    for y in tables.iter().filter_map(|t| t.y.as_ref()) {
        if y.kind() == Kind::Int64 && y.dim() == 1 && y.numel() > 0 {
            let low = y.min().int64_value(&[]);
            if low < 0 {
                return Err(Error::config(
                    "data",
                    format!("class labels must not be negative, found {low}"),
                ));
            }
            classes = classes.max(Some(y.max().int64_value(&[]) + 1));
        }
    }
    Ok(classes)
}

fn bind(
    table: &Table,
    experiment: &Experiment,
    classes: Option<i64>,
    kind: Kind,
    device: Device,
) -> Result<Set> {
    rows_of(table)?;
    let numbers = |t: &Tensor, name: &str| -> Result<Tensor> {
        let t = match classes {
            Some(classes) if t.kind() == Kind::Int64 && t.dim() == 1 => t.one_hot(classes),
            _ => t.shallow_clone(),
        };
        let t = t.to_kind(kind).to_device(device);
        let t = if t.dim() == 1 { t.unsqueeze(1) } else { t };
        let bad = t.isfinite().logical_not().sum(Kind::Int64).int64_value(&[]);
        if bad > 0 {
            return Err(Error::config(
                "data",
                format!("{name} holds {bad} values that are NaN or infinite"),
            )
            .help("remove or fill them first"));
        }
        Ok(t)
    };
    let get = |t: &Option<Tensor>, name: &str| -> Result<Tensor> {
        let t = t.as_ref().ok_or_else(|| {
            let without =
                Error::config("data", format!("the data have no {name}, which the task needs"));
            match (experiment.task, name) {
                (Some(Task::Generation), "y") => {
                    without.help("generate without it: `unconditional: true`, or --unconditional")
                }
                _ => without,
            }
        })?;
        numbers(t, name)
    };
    let (target, condition) = match (experiment.task, experiment.unconditional) {
        (Some(Task::Regression), true) => {
            return Err(Error::config(
                "unconditional",
                "regression has a condition; only generation can go without",
            ));
        }
        (Some(Task::Regression), false) => (get(&table.y, "y")?, Some(get(&table.x, "x")?)),
        (_, true) => (get(&table.x, "x")?, None),
        (_, false) => (get(&table.x, "x")?, Some(get(&table.y, "y")?)),
    };
    Ok(Set { target, condition })
}

fn check_shapes(experiment: &Experiment, train: &Set) -> Result<()> {
    let shape = |t: &Tensor| t.size()[1..].to_vec();
    let regression = experiment.task == Some(Task::Regression);
    let (x, y) = if regression {
        (train.condition.as_ref(), Some(&train.target))
    } else {
        (Some(&train.target), train.condition.as_ref())
    };
    let sides = [
        ("input_shape", "x", &experiment.input_shape, x),
        ("output_shape", "y", &experiment.output_shape, y),
    ];
    for (key, name, given, found) in sides {
        if let (Some(given), Some(found)) = (given, found.map(shape))
            && *given != found
        {
            return Err(Error::config(
                key,
                format!(
                    "{key} is {}, but {name} of the data has shape {}",
                    shape_text(given),
                    shape_text(&found)
                ),
            )
            .help("leave it out: shapes come from the data"));
        }
    }
    Ok(())
}

/// Options that every source takes, for callers with tables in memory.
pub fn options(experiment: &Experiment) -> &DataOptions {
    experiment.data.common()
}
