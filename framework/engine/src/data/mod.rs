//! Data on the device: splits, one-hot labels, normalisation, and the task's binding of x and y.

mod bytes;
mod classes;
mod disk;
pub mod files;
mod found;
mod hints;
mod identity;
mod moments;
mod split;
mod units;

pub(crate) use bytes::own_units;
#[cfg(test)]
pub(crate) use disk::set_of;
pub(crate) use disk::{OnDisk, Sides};
pub use found::{Class, Found, Side, Sizes, Spread};
pub use identity::Identity;
pub use units::{Names, Normaliser, Shapes, Units, check_labels, one_hot};

use crate::component::{
    Condition, DataContext, DataOptions, Keep, Split, Splits, Table, shape_text,
};
use crate::config::Experiment;
use crate::error::{Error, Result};
use crate::io::DiskRows;
use bytes::Scale;
use classes::Classes;
use std::path::Path;
use tch::{Device, Kind, Tensor};
use units::Bound;

/// Rows of one set, as the task binds them, normalised, on the device. Images may be kept as bytes, and rows
/// on disk (see [`Table`]); whatever takes rows out of a set reads and scales them.
///
/// Rows on disk that cannot be read are a panic wherever they are taken, as what LibTorch cannot do is.
#[derive(Debug)]
pub struct Set {
    /// `[n, …target_shape]`; bytes alone where the whole set is kept so, and no row where it lies on disk.
    pub target: Tensor,
    /// `[n, …condition_shape]`, likewise.
    pub condition: Option<Tensor>,
    /// `[n, …z_shape]`: the z_0 of each row, where the data give it.
    pub z0: Option<Tensor>,
    /// `[n, T]` of 1 and 0, where the targets are sequences of different lengths: positions that are there. The
    /// others hold zeros.
    pub mask: Option<Tensor>,
    /// Likewise of the conditions.
    pub condition_mask: Option<Tensor>,
    /// `[n]` int64: classes that the data give and the model does not see, for generation without condition.
    pub labels: Option<Tensor>,
    /// How bytes become normalised values.
    scale: Scale,
    /// Sides that lie on disk.
    on_disk: OnDisk,
}

impl Set {
    /// Number of rows.
    pub fn len(&self) -> i64 {
        self.on_disk.target.as_ref().map_or_else(|| self.target.size()[0], DiskRows::len)
    }

    /// Numbers in a row, of all sides that are held.
    pub(crate) fn numbers_of_row(&self) -> i64 {
        let sides = [&self.condition, &self.z0, &self.mask, &self.condition_mask];
        let held = sides.into_iter().flatten().chain([&self.target]);
        held.map(|t| t.size().iter().skip(1).product::<i64>()).sum()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Something done to each of its tensors; those on disk are `read` instead.
    fn map(&self, f: impl Fn(&Tensor) -> Tensor, read: &Sides<Tensor>) -> Set {
        let side = |own: &Tensor, read: &Option<Tensor>, scale: &Normaliser| match read {
            Some(raw) => scale.raw(raw),
            None => scale.values(f(own)),
        };
        let condition = self.condition.as_ref();
        Set {
            target: side(&self.target, &read.target, &self.scale.target),
            condition: condition.map(|c| side(c, &read.condition, &self.scale.condition)),
            z0: self.z0.as_ref().map(|z0| match &read.z0 {
                Some(raw) => raw.to_kind(z0.kind()),
                None => f(z0),
            }),
            mask: self.mask.as_ref().map(&f),
            condition_mask: self.condition_mask.as_ref().map(&f),
            labels: self.labels.as_ref().map(&f),
            scale: self.scale.clone(),
            on_disk: OnDisk::default(),
        }
    }

    fn read(&self, rows: impl Iterator<Item = i64>) -> Sides<Tensor> {
        if self.on_disk.is_empty() {
            return Sides::default();
        }
        let rows: Vec<i64> = rows.collect();
        self.on_disk.read(&rows, self.target.device()).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The rows that lie on disk.
    pub(crate) fn on_disk(&self) -> &OnDisk {
        &self.on_disk
    }

    /// The conditions, if there are some, all present.
    pub fn condition(&self) -> Option<Condition> {
        let mask = self.condition_mask.as_ref().map(Tensor::shallow_clone);
        self.condition.as_ref().map(|value| Condition::new(value.shallow_clone()).with(None, mask))
    }

    /// `n` rows from `start`.
    pub fn narrow(&self, start: i64, n: i64) -> Set {
        self.map(|t| t.narrow(0, start, n), &self.read(start..start + n))
    }

    /// `n` rows from `start`; those on disk stay there.
    pub fn part(&self, start: i64, n: i64) -> Set {
        if self.on_disk.is_empty() {
            return self.narrow(start, n);
        }
        let left = |t: &Tensor, on_disk: bool| match on_disk {
            true => t.shallow_clone(),
            false => t.narrow(0, start, n),
        };
        let held = |t: &Option<Tensor>| t.as_ref().map(|t| left(t, false));
        let (condition, z0_on_disk) = (self.on_disk.condition.is_some(), self.on_disk.z0.is_some());
        Set {
            target: left(&self.target, self.on_disk.target.is_some()),
            condition: self.condition.as_ref().map(|c| left(c, condition)),
            z0: self.z0.as_ref().map(|z0| left(z0, z0_on_disk)),
            mask: held(&self.mask),
            condition_mask: held(&self.condition_mask),
            labels: held(&self.labels),
            scale: self.scale.clone(),
            on_disk: self.on_disk.part(start, n),
        }
    }

    /// The first `n` rows, or all where there are fewer.
    pub fn first(&self, n: i64) -> Set {
        self.narrow(0, n.min(self.len()))
    }

    /// The rows at `index` (`[k]` int64).
    pub fn rows(&self, index: &Tensor) -> Set {
        let numbers = || Vec::<i64>::try_from(index).unwrap_or_else(|e| panic!("{e}"));
        let rows = if self.on_disk.is_empty() { Vec::new() } else { numbers() };
        self.rows_read(index, &self.read(rows.into_iter()))
    }

    /// The rows at `index`, of which those on disk were read.
    pub(crate) fn rows_read(&self, index: &Tensor, read: &Sides<Tensor>) -> Set {
        self.map(|t| t.index_select(0, index), read)
    }
}

/// Images mirrored left to right with probability 1/2, each row by itself, target and condition alike.
pub(crate) fn mirror_some(target: &Tensor, condition: Option<&Tensor>) -> (Tensor, Option<Tensor>) {
    let options = (Kind::Float, target.device());
    let which = Tensor::rand([target.size()[0], 1, 1, 1], options).lt(0.5);
    let mirror = |side: &Tensor| match side.dim() {
        4 => side.flip([3]).where_self(&which, side),
        _ => side.shallow_clone(),
    };
    (mirror(target), condition.map(mirror))
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
    /// What tells these rows from others.
    pub identity: Identity,
    /// What was found in them.
    pub found: Found,
    /// How rows were divided, each share spelled out.
    split: Split,
}

/// Rows that a model is measured on.
#[derive(Debug)]
pub struct HeldOut<'d> {
    /// Their name.
    pub name: String,
    /// The rows.
    pub rows: Set,
    /// Further sets of as many held-out rows, as far as there are any: another draw is compared with another set,
    /// so that the mean over draws hangs on no single one. Rows on disk are still there.
    pub others: Vec<Set>,
    /// Further rows to which a perfect model's samples would be alike, if there are any.
    pub train: Option<&'d Set>,
}

impl HeldOut<'_> {
    /// The rows for a draw: another set for each, from the first again when all have been used.
    pub fn rows_of(&self, draw: u64) -> Set {
        let sets = 1 + self.others.len() as u64;
        let set = match draw % sets {
            0 => &self.rows,
            i => &self.others[i as usize - 1],
        };
        set.first(set.len())
    }
}

impl Data {
    /// Loads an experiment's data. Relative paths are read from `base`. Which columns they are and how classes
    /// are called is written into the experiment, so that it reads later files in the same way.
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
        let mut found = Found::of([&train, &val, &test], classes, sequences);
        // A table is dropped as soon as its rows are bound.
        let bind = |table: Table| units::bind(&table, experiment, classes, kind, device);
        let (train, val, test) = (bind(train)?, bind(val)?, bind(test)?);
        check_shapes(experiment, &train)?;
        let units = match fitted {
            Some(units) => {
                train.on_disk.check()?;
                units.clone()
            }
            None => Units::fit(&train, experiment, classes, (kind, device), &mut found)?,
        };
        for set in [&train, &val, &test] {
            units.check(set)?;
        }
        val.on_disk.check()?;
        test.on_disk.check()?;
        let [train, val, test] = [train, val, test].map(|set| units.apply(set));
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
    pub fn held_out(&self, n: i64) -> HeldOut<'_> {
        let (name, set) = [("test", &self.test), ("validation", &self.val)]
            .into_iter()
            .find(|(_, s)| !s.is_empty())
            .unwrap_or(("training", &self.train));
        // Training rows are no measure of themselves.
        let train = Some(&self.train).filter(|train| !std::ptr::eq(*train, set));
        let others = (1..set.len() / n.max(1)).map(|i| set.part(i * n, n)).collect();
        HeldOut { name: name.to_owned(), rows: set.first(n), others, train }
    }
}

fn check_shapes(experiment: &Experiment, train: &Bound) -> Result<()> {
    let shape = |t: &Tensor| t.size()[1..].to_vec();
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
    use crate::rng::{Purpose, seed_torch};

    fn set(target: Tensor, condition: Option<Tensor>) -> Set {
        let identity = || Normaliser::identity(Kind::Float, Device::Cpu);
        let scale = Scale { target: identity(), condition: identity() };
        let (z0, mask, condition_mask, labels) = (None, None, None, None);
        let on_disk = OnDisk::default();
        Set { target, condition, z0, mask, condition_mask, labels, scale, on_disk }
    }

    /// Rows of one number, that of the row.
    pub(crate) fn numbered(rows: std::ops::Range<i64>) -> Set {
        let target = Tensor::arange_start(rows.start, rows.end, (Kind::Float, Device::Cpu));
        set(target.view([-1, 1]), None)
    }

    #[test]
    fn every_draw_has_held_out_rows_of_its_own_as_far_as_they_go() {
        let (train, val, test) = (numbered(0..5), numbered(5..6), numbered(10..21));
        let (identity, found) = (Identity::default(), Found::default());
        let data = Data { train, val, test, identity, found, split: Split::default() };
        let held = data.held_out(4);
        let rows = |draw: u64| Vec::<f32>::try_from(held.rows_of(draw).target.view(-1)).unwrap();
        assert_eq!(rows(0), [10.0, 11.0, 12.0, 13.0]);
        assert_eq!(rows(1), [14.0, 15.0, 16.0, 17.0]);
        // The last three are too few.
        assert_eq!(rows(2), rows(0));
        assert_eq!(data.held_out(100).rows_of(7).len(), 11);
    }

    #[test]
    fn each_row_is_mirrored_or_not_its_condition_alike() {
        let _stream = seed_torch(1, Purpose::Train, 0);
        let options = (Kind::Float, Device::Cpu);
        let target = Tensor::arange(64 * 6, options).view([64, 1, 2, 3]);
        let (rows, condition) = mirror_some(&target, Some(&(&target * 2.0)));
        let same = |a: &Tensor, b: &Tensor| a.eq_tensor(b).view([64, -1]).all_dim(1, false);
        let (kept, mirrored) = (same(&rows, &target), same(&rows, &target.flip([3])));
        assert_eq!(kept.logical_xor(&mirrored).all().int64_value(&[]), 1);
        assert!((20..44).contains(&mirrored.sum(Kind::Int64).int64_value(&[])));
        assert_eq!(condition.unwrap(), rows * 2.0);
    }
}
