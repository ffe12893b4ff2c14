//! Data on the device: splits, one-hot labels, normalisation, and the task's binding of x and y.

mod bind;
mod bytes;
mod classes;
mod column;
mod disk;
pub mod files;
mod hints;
mod identity;
mod moments;
mod normaliser;
mod rows;
mod split;
mod summary;
mod units;

pub(crate) use bytes::own_units;
pub use classes::{check_labels, one_hot};
pub use column::{Column, Pick};
#[cfg(test)]
pub(crate) use disk::rows_of_file;
pub use identity::Identity;
pub use normaliser::Normaliser;
pub use rows::{Batch, Rows, Side};
pub(crate) use rows::{Stored, mirror_some};
pub use summary::{Class, DataSummary, SideSummary, Sizes, Spread};
pub use units::{Names, Shapes, Units};

use crate::component::{Columns, DataContext, DataOptions, Keep, Split, Splits, shape_text};
use crate::config::Experiment;
use crate::error::{Error, Result};
use classes::Classes;
use std::path::Path;
use tch::{Device, Kind};

/// All sets of an experiment.
#[derive(Debug)]
pub struct Data {
    /// Rows to learn from.
    pub train: Rows,
    /// Rows for validation while training.
    pub val: Rows,
    /// Rows for the final evaluation.
    pub test: Rows,
    /// What tells these rows from others.
    pub identity: Identity,
    /// What was found in them.
    pub found: DataSummary,
    /// How rows were divided, each share spelled out.
    split: Split,
}

/// Rows that a model is measured on.
#[derive(Debug)]
pub struct HeldOut<'d> {
    /// Their name.
    pub name: String,
    /// The rows.
    pub rows: Batch,
    /// Further sets of as many held-out rows, as far as there are any: another draw is compared with another set,
    /// so that the mean over draws hangs on no single one. Rows on disk are still there.
    pub others: Vec<Rows>,
    /// Further rows to which a perfect model's samples would be alike, if there are any.
    pub train: Option<&'d Rows>,
}

impl HeldOut<'_> {
    /// The rows for a draw: another set for each, from the first again when all have been used.
    ///
    /// # Errors
    /// Rows on disk that cannot be read.
    pub fn rows_of(&self, draw: u64) -> Result<Batch> {
        let sets = 1 + self.others.len() as u64;
        match draw % sets {
            0 => Ok(self.rows.first(self.rows.len())),
            i => self.others[i as usize - 1].all(),
        }
    }
}

impl Data {
    /// Loads an experiment's data. Relative paths are read from `base`. Which columns they are and how classes
    /// are called is written into the experiment, so that it reads later files in the same way.
    ///
    /// # Errors
    /// Data that cannot be read, or that the task cannot use.
    pub fn load(
        experiment: &mut Experiment,
        base: &Path,
        options: (Kind, Device),
    ) -> Result<(Self, Units)> {
        let mut splits = Self::read(experiment, base)?;
        let decided = std::mem::take(&mut splits.decided);
        let (data, units) = Self::from_splits(experiment, splits, options)?;
        let source = experiment.data.with_keys(&decided).map_err(|e| e.under("data"))?;
        let classes = units.names.classes.clone();
        let common = DataOptions { classes, ..source.common().clone() };
        experiment.data = source.with_common(common);
        Ok((data, units))
    }

    /// Loads the data of a trained model, in the units that it was trained in.
    ///
    /// # Errors
    /// As for [`load`](Self::load); rows of other shapes or classes than the model's.
    pub fn load_in(experiment: &Experiment, base: &Path, units: &Units) -> Result<Self> {
        let options = (units.target.kind(), units.target.mean.device());
        Ok(Self::build(experiment, Self::read(experiment, base)?, options, Some(units))?.0)
    }

    fn read(experiment: &Experiment, base: &Path) -> Result<Splits> {
        let context = DataContext { seed: experiment.seed(), base: base.to_owned() };
        let source = experiment.data.build(&context).map_err(|e| e.under("data"))?;
        let splits = match experiment.data.common().keep {
            Keep::Device => source.load(),
            Keep::Disk => source.load_on_disk(),
        };
        splits.map_err(|e| e.under("data"))
    }

    /// From tables: sets that are missing are split off, labels become one-hot rows, values are normalised
    /// by the training rows. The model's kind and device.
    ///
    /// # Errors
    /// Tables whose sides do not fit each other, or that the task cannot use.
    pub fn from_splits(
        experiment: &Experiment,
        splits: Splits,
        options: (Kind, Device),
    ) -> Result<(Self, Units)> {
        Self::build(experiment, splits, options, None)
    }

    /// The same in units that are fitted already, if there are some.
    fn build(
        experiment: &Experiment,
        mut splits: Splits,
        (kind, device): (Kind, Device),
        fitted: Option<&Units>,
    ) -> Result<(Self, Units)> {
        let identity = Identity::of(&splits, experiment.seed())?;
        let common = experiment.data.common();
        let trained = fitted.and_then(Units::class_names);
        let given = trained.as_ref().map_or(&common.classes[..], Classes::names);
        let named = Classes::settle(&mut splits, given)?;
        let (tables, shares) = split::divide(splits, &common.split, experiment.seed())?;
        let [train, val, test] = tables;
        let sequences = experiment.task().is_sequence();
        hints::hint_at_axes(&train, sequences);
        if let Some(classes) = &named {
            classes.check(&train, experiment.task().learns_y())?;
        }
        let classes = named.as_ref().map(Classes::len);
        let mut found = DataSummary::of([&train, &val, &test], classes, sequences);
        // A table is dropped as soon as its rows are bound.
        let bind = |table: Columns| bind::bind(&table, experiment, classes, (kind, device));
        let ((train, names), (val, _), (test, _)) = (bind(train)?, bind(val)?, bind(test)?);
        check_shapes(experiment, &train)?;
        let units = match fitted {
            Some(units) => {
                disk::check(&train)?;
                units.clone()
            }
            None => Units::fit(&train, names, experiment, (kind, device), &mut found)?,
        };
        for set in [&train, &val, &test] {
            units.check(set)?;
        }
        disk::check(&val)?;
        disk::check(&test)?;
        let [train, val, test] = [units.apply(train)?, units.apply(val)?, units.apply(test)?];
        let split = shares.written();
        Ok((Self { train, val, test, identity, found, split }, units))
    }

    /// Writes into an experiment how its rows were divided.
    pub(crate) fn settle(&self, experiment: &mut Experiment) {
        let common = DataOptions { split: self.split.clone(), ..experiment.data.common().clone() };
        experiment.data = experiment.data.clone().with_common(common);
    }

    /// Says what was found, and what an experiment makes of it that is odd.
    pub(crate) fn say(&self, experiment: &Experiment) {
        log::info!("data: {}", self.found);
        if !experiment.data.common().standardise {
            for uneven in self.found.uneven() {
                log::warn!("{uneven}, and the data are not standardised");
            }
        }
    }

    /// Held-out rows, `n` at once: test rows, else validation, else training.
    ///
    /// # Errors
    /// Rows on disk that cannot be read.
    pub fn held_out(&self, n: i64) -> Result<HeldOut<'_>> {
        let (name, set) = [("test", &self.test), ("validation", &self.val)]
            .into_iter()
            .find(|(_, s)| !s.is_empty())
            .unwrap_or(("training", &self.train));
        // Training rows are no measure of themselves.
        let train = Some(&self.train).filter(|train| !std::ptr::eq(*train, set));
        let others = (1..set.len() / n.max(1)).map(|i| set.part(i * n, n)).collect();
        Ok(HeldOut { name: name.to_owned(), rows: set.first(n)?, others, train })
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
            .help("leave it out: shapes come from the data"));
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

    /// Rows of one number, that of the row.
    pub(crate) fn numbered(rows: std::ops::Range<i64>) -> Rows {
        let target = Tensor::arange_start(rows.start, rows.end, (Kind::Float, Device::Cpu));
        let column = Column::held(target.view([-1, 1]), Kind::Float);
        let target = Side { column, lengths: None };
        Rows { target, condition: None, z0: None, labels: None }
    }

    #[test]
    fn every_draw_has_held_out_rows_of_its_own_as_far_as_they_go() {
        let (train, val, test) = (numbered(0..5), numbered(5..6), numbered(10..21));
        let (identity, found) = (Identity::default(), DataSummary::default());
        let data = Data { train, val, test, identity, found, split: Split::default() };
        let held = data.held_out(4).unwrap();
        let rows = |draw: u64| -> Vec<f32> {
            Vec::try_from(held.rows_of(draw).unwrap().target.view(-1)).unwrap()
        };
        assert_eq!(rows(0), [10.0, 11.0, 12.0, 13.0]);
        assert_eq!(rows(1), [14.0, 15.0, 16.0, 17.0]);
        // The last three are too few.
        assert_eq!(rows(2), rows(0));
        assert_eq!(data.held_out(100).unwrap().rows_of(7).unwrap().len(), 11);
    }
}
