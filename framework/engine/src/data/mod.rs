//! An experiment's data on the device: splits, one-hot labels, normalisation, and the binding of x
//! and y by the task.

mod bind;
mod bytes;
mod classes;
mod column;
mod completion;
mod disk;
pub mod files;
mod filled;
mod fit;
mod given;
mod hints;
mod identity;
mod layout;
mod marginals;
mod moments;
mod normaliser;
mod places;
mod quantiles;
mod rows;
mod saved;
mod simplex;
mod split;
mod summary;
mod table;
mod tables;
mod units;
mod weights;

pub(crate) use bytes::own_units;
pub use classes::{check_labels, one_hot};
pub use column::{Column, Pick};
pub(crate) use completion::Completion;
pub use completion::Known;
#[cfg(test)]
pub(crate) use disk::rows_of_file;
pub use identity::Identity;
pub use layout::TableLayout;
pub(crate) use marginals::Marginals;
pub use normaliser::Normaliser;
pub use rows::{Batch, Rows, Side, spread};
pub(crate) use rows::{Stored, mirror_some};
pub use summary::{Class, DataSummary, SideSummary, Sizes, Spread};
pub use table::Table;
pub use tables::Predicted;
pub use units::{Names, Shapes, Units};

use crate::component::{
    ClassNames, Columns, DataContext, DataOptions, DataSource, Keep, Part, Split, Splits,
    shape_text,
};
use crate::config::Experiment;
use crate::error::{Error, Result};
use classes::Classes;
use places::Namer;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// The training, validation and test rows of an experiment.
#[derive(Debug)]
pub struct Data {
    /// Rows for training.
    pub train: Rows,
    /// Rows for validation while training.
    pub val: Rows,
    /// Rows for the final evaluation.
    pub test: Rows,
    /// Fingerprint of the rows.
    pub identity: Identity,
    /// Shapes, columns, classes and sizes.
    pub summary: DataSummary,
    /// Weights by which the training rows are drawn, one each; `None`: all alike.
    pub weights: Option<Vec<f64>>,
    /// The division into these sets, with all shares.
    split: Split,
}

/// Rows that a model is measured on.
#[derive(Debug)]
pub struct HeldOut<'d> {
    /// Name of their set: `test`, `validation` or `training`.
    pub name: String,
    /// The first set of rows.
    pub rows: Batch,
    /// Further sets of equally many held-out rows; `None` if there are none. Each draw is compared
    /// with another set, so that a mean over draws does not depend on a single one.
    pub others: Option<Sets<'d>>,
    /// Training rows, which have the same distribution; `None` if the held-out rows are training
    /// rows.
    pub train: Option<&'d Rows>,
}

/// Equally many rows of a table in each of several sets, each spread over all rows. Their numbers
/// are computed, and the rows taken, when a set is used.
#[derive(Clone, Copy, Debug)]
pub struct Sets<'d> {
    rows: &'d Rows,
    /// Number of sets, at least 1.
    sets: i64,
    /// Number of rows of each, at least 1.
    n: i64,
}

impl Sets<'_> {
    /// Takes the rows of set `i`, from 0.
    fn take(&self, i: i64) -> Result<Batch> {
        let Self { rows, sets, n } = *self;
        let row = |j: i64| (j * sets + i) * rows.len() / (sets * n);
        let numbers: Vec<i64> = (0..n).map(row).collect();
        rows.take(&Tensor::from_slice(&numbers).to_device(rows.device()))
    }
}

impl HeldOut<'_> {
    /// The number of sets of rows, at least 1.
    pub fn sets(&self) -> u64 {
        self.others.map_or(1, |others| others.sets as u64)
    }

    /// The number of rows of which those of a set are some.
    pub fn of(&self) -> i64 {
        self.others.map_or(self.rows.len(), |others| others.rows.len())
    }

    /// The rows for a draw: another set for each, and the first again after the last.
    ///
    /// # Errors
    /// [`Error::Data`]: rows on disk cannot be read.
    pub fn rows_of(&self, draw: u64) -> Result<Batch> {
        match (draw % self.sets(), &self.others) {
            (0, _) | (_, None) => Ok(self.rows.first(self.rows.len())),
            (i, Some(sets)) => sets.take(i as i64),
        }
    }
}

impl Data {
    /// Drops the z_0 of test rows, and of all rows unless they are `used`.
    pub(crate) fn keep_z0(&mut self, used: bool) {
        for (name, set) in [("training", &mut self.train), ("validation", &mut self.val)] {
            if !used && set.z0.take().is_some() {
                log::warn!(
                    "the {name} rows have z_0 of their own, which the coupling does not use"
                );
            }
        }
        self.test.z0 = None;
    }

    /// Loads an experiment's data. Relative paths refer to `base`; `options` are the model's
    /// precision and device. The columns that were used and the names of classes are written into
    /// the experiment, so that it reads later files in the same way.
    ///
    /// # Errors
    /// [`Error::Data`]: a file cannot be read or has unexpected content. [`Error::Config`]: the
    /// data source cannot be built, or its data do not suit the task.
    pub fn load(
        experiment: &mut Experiment,
        base: &Path,
        options: (Kind, Device),
    ) -> Result<(Self, Units)> {
        let (mut splits, source) = Self::read(experiment, base)?;
        let decided = std::mem::take(&mut splits.decided);
        let places = Namer(Some(&*source));
        let (data, units) = Self::build(experiment, splits, options, (None, places))?;
        let source = experiment.data.with_keys(&decided).map_err(|e| e.under("data"))?;
        let classes = units.names.classes.clone();
        let common = DataOptions { classes: ClassNames(classes), ..source.common().clone() };
        experiment.data = source.with_common(common);
        Ok((data, units))
    }

    /// Loads data for a trained model, normalised in the units that it was trained in.
    ///
    /// # Errors
    /// Those of [`load`](Self::load), and [`Error::Config`] for rows of other shapes or classes
    /// than the model's.
    pub fn load_in(experiment: &Experiment, base: &Path, units: &Units) -> Result<Self> {
        let options = (units.target.kind(), units.target.mean.device());
        let (splits, source) = Self::read(experiment, base)?;
        let places = Namer(Some(&*source));
        Ok(Self::build(experiment, splits, options, (Some(units), places))?.0)
    }

    /// The rows of an experiment, and their source.
    fn read(experiment: &Experiment, base: &Path) -> Result<(Splits, Box<dyn DataSource>)> {
        let column = experiment.data.common().split.division()?.column();
        let context = DataContext {
            split_column: column.map(str::to_owned),
            ..DataContext::new(experiment.seed(), base)
        };
        let source = experiment.data.build(&context).map_err(|e| e.under("data"))?;
        let splits = match experiment.data.common().keep {
            Keep::Device => source.load(),
            Keep::Disk => source.load_on_disk(),
        };
        Ok((splits.map_err(|e| e.under("data"))?, source))
    }

    /// Makes data of tables: splits off missing sets, turns labels into one-hot rows, and
    /// normalises values by the training rows. `options` are the model's precision and device.
    ///
    /// # Errors
    /// [`Error::Config`]: x and y have different numbers of rows, the tables do not suit the task,
    /// a value is NaN or infinite, or there is no training row. [`Error::Data`]: rows on disk
    /// cannot be read.
    pub fn from_splits(
        experiment: &Experiment,
        splits: Splits,
        options: (Kind, Device),
    ) -> Result<(Self, Units)> {
        Self::build(experiment, splits, options, (None, Namer(None)))
    }

    /// Makes data of tables, in units that were `fitted` before or are fitted to the training rows.
    /// `places` names the places of rows in their files, for messages.
    fn build(
        experiment: &Experiment,
        mut splits: Splits,
        (kind, device): (Kind, Device),
        (fitted, places): (Option<&Units>, Namer<'_>),
    ) -> Result<(Self, Units)> {
        let common = experiment.data.common();
        let identity =
            Identity::compute(&splits, split::seed_of(&common.split, experiment.seed()))?;
        let trained = fitted.and_then(Units::class_names);
        let given = trained.as_ref().map_or(&common.classes[..], Classes::names);
        let classes = Classes::determine(&mut splits, given, places)?;
        let describe: &dyn Fn(i64) -> String = &|row| places.training(row);
        weights::check(&splits.train, experiment.training.row_weights, describe)?;
        let seed = experiment.seed();
        let (tables, split) = split::divide(splits, &common.split, seed, describe)?;
        let learned = bind::sides(experiment.task()).0;
        let known = |table: Columns, set: &str| match experiment.task().predicts() {
            true => layout::without_gaps(table, learned, set),
            false => Ok(table),
        };
        let [train, val, test] = tables;
        let train = known(train, "training")?;
        let (mut val, mut test) = (known(val, "validation")?, known(test, "test")?);
        for part in [Part::X, Part::Y] {
            for table in [&mut val, &mut test] {
                table.align_columns(part, train.columns(part))?;
            }
        }
        let sequences = experiment.task().is_sequence();
        hints::hint_at_axes(&train, sequences);
        if let Some(classes) = &classes {
            classes.check(&train, experiment.task().learns_y())?;
        }
        if fitted.is_none() && train.weights.is_some() && experiment.training.row_weights.is_none()
        {
            log::warn!("the data give weights, which only `training.row_weights: given` uses");
        }
        let weights = weights::of_rows(&train, experiment.training.row_weights)?;
        let classes = classes.as_ref().map(Classes::len);
        let mut summary = DataSummary::new([&train, &val, &test], classes, sequences);
        // Binding consumes a table, so that no two copies of all rows are in memory.
        let bind = |table: Columns| bind::bind(&table, experiment, classes, (kind, device));
        let ((train, names), (val, _), (test, _)) = (bind(train)?, bind(val)?, bind(test)?);
        check_shapes(experiment, &train)?;
        let units = match fitted {
            Some(units) => {
                disk::check(&train)?;
                units.clone()
            }
            None => Units::fit(&train, names, experiment, (kind, device), &mut summary)?,
        };
        for set in [&train, &val, &test] {
            units.check(set)?;
        }
        disk::check(&val)?;
        disk::check(&test)?;
        let [train, val, test] = [units.apply(train)?, units.apply(val)?, units.apply(test)?];
        Ok((Self { train, val, test, identity, summary, weights, split }, units))
    }

    /// Writes the division into training, validation and test into an experiment.
    pub(crate) fn record_split(&self, experiment: &mut Experiment) {
        let common = DataOptions { split: self.split.clone(), ..experiment.data.common().clone() };
        experiment.data = experiment.data.clone().with_common(common);
    }

    /// Logs the summary, with a warning about different scales if the data are not standardised.
    pub(crate) fn log_summary(&self, experiment: &Experiment) {
        log::info!("data: {}", self.summary);
        if let Some(weights) = &self.weights {
            log::info!(
                "training rows are drawn by weight: {} rows, as good as {:.0} of equal weight",
                weights.len(),
                weights::effective(weights)
            );
        }
        if !experiment.data.common().standardise {
            for uneven in self.summary.uneven() {
                log::warn!("{uneven}, and the data are not standardised");
            }
        }
    }

    /// Returns held-out rows in sets of `n`, or of fewer for [labels of many
    /// classes](Rows::at_most): test rows; validation rows if there are none; otherwise training
    /// rows. Each set is spread over all rows, which may be sorted.
    ///
    /// # Errors
    /// [`Error::Data`]: rows on disk cannot be read.
    pub fn held_out(&self, n: i64) -> Result<HeldOut<'_>> {
        match self.test.is_empty() {
            true => self.validation(n),
            false => self.sets_of("test", &self.test, n),
        }
    }

    /// Returns validation rows, or training rows if there are none, as
    /// [`held_out`](Self::held_out) does.
    ///
    /// # Errors
    /// Those of [`held_out`](Self::held_out).
    pub fn validation(&self, n: i64) -> Result<HeldOut<'_>> {
        match self.val.is_empty() {
            true => self.sets_of("training", &self.train, n),
            false => self.sets_of("validation", &self.val, n),
        }
    }

    fn sets_of<'d>(&'d self, name: &str, set: &'d Rows, n: i64) -> Result<HeldOut<'d>> {
        // Training rows are not compared with themselves.
        let train = Some(&self.train).filter(|train| !std::ptr::eq(*train, set));
        let (name, n) = (name.to_owned(), set.at_most(n));
        if set.len() <= n {
            return Ok(HeldOut { name, rows: set.all()?, others: None, train });
        }
        let n = n.max(1);
        let sets = Sets { rows: set, sets: set.len() / n, n };
        Ok(HeldOut { name, rows: sets.take(0)?, others: Some(sets), train })
    }
}

fn check_shapes(experiment: &Experiment, train: &Rows) -> Result<()> {
    let shape = |side: &Side| side.column.shape().to_vec();
    let (x, y) = if experiment.task().learns_y() {
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
            .help("remove it: shapes come from the data"));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) use tests::numbered as numbered_rows;

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Tensor;

    /// Rows of one value, the number of the row.
    pub(crate) fn numbered(rows: std::ops::Range<i64>) -> Rows {
        let target = Tensor::arange_start(rows.start, rows.end, (Kind::Float, Device::Cpu));
        let column = Column::held(target.view([-1, 1]), Kind::Float);
        let target = Side { column, lengths: None };
        Rows { target, condition: None, z0: None, labels: None }
    }

    fn holds_no_list<T: Copy>(_: Option<T>) {}

    #[test]
    fn every_draw_has_held_out_rows_of_its_own_as_far_as_they_go() {
        let (train, val, test) = (numbered(0..5), numbered(5..6), numbered(10..21));
        let (identity, summary) = (Identity::default(), DataSummary::default());
        let (weights, split) = (None, Split::default());
        let data = Data { train, val, test, identity, summary, weights, split };
        let held = data.held_out(4).unwrap();
        let rows = |draw: u64| -> Vec<f32> {
            Vec::try_from(held.rows_of(draw).unwrap().target.view(-1)).unwrap()
        };
        // The two sets are spread over all eleven rows, of which three are in neither.
        assert_eq!(rows(0), [10.0, 12.0, 15.0, 18.0]);
        assert_eq!(rows(1), [11.0, 14.0, 16.0, 19.0]);
        assert_eq!(rows(2), rows(0));
        assert_eq!(data.held_out(100).unwrap().rows_of(7).unwrap().len(), 11);
        let most: Vec<f32> =
            Vec::try_from(data.held_out(10).unwrap().rows.target.view(-1)).unwrap();
        assert_eq!(most, [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0]);
        let whole = data.held_out(11).unwrap();
        assert_eq!((whole.rows.len(), whole.sets()), (11, 1));
        // Two million sets are no list: their rows are found by arithmetic.
        let many = Data { test: numbered(0..2_000_000), ..data };
        let held = many.held_out(1).unwrap();
        assert_eq!(held.sets(), 2_000_000);
        let row = held.rows_of(1_234_567).unwrap().target;
        assert_eq!(row.double_value(&[0, 0]), 1_234_567.0);
        holds_no_list(held.others);
    }
}
