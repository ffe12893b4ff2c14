//! The rows of a set, and those that are taken from it.

use super::Normaliser;
use super::column::{Column, Pick, read};
use crate::component::Condition;
use crate::error::Result;
use crate::io::DiskRows;
use crate::sequence;
use tch::{Device, Kind, Tensor};

/// One side of the rows: the targets, or the conditions that they are learned from.
#[derive(Debug)]
pub struct Side {
    /// `[n, …]`.
    pub column: Column,
    /// `[n]` int64 on the device, where the rows are sequences `[T, …]` of different lengths: how many positions of
    /// each are there. The others hold zeros.
    pub lengths: Option<Tensor>,
}

impl Side {
    /// 1 and 0 for the positions of these rows that are there and that are not, `[k, T]`; none where all are.
    pub(super) fn mask(&self, rows: &Pick<'_>, kind: Kind) -> Result<Option<Tensor>> {
        let Some(lengths) = &self.lengths else { return Ok(None) };
        Ok(Some(sequence::mask_of(&rows.of(lengths)?, self.column.shape()[0], kind)))
    }

    /// Values and mask of some rows, of which those in a file were `read`.
    fn finish(&self, rows: &Pick<'_>, read: Option<Tensor>) -> Result<(Tensor, Option<Tensor>)> {
        let stored = read.is_some();
        let values = self.column.finish(rows, read)?;
        let mask = self.mask(rows, values.kind())?;
        // What lies behind the end of a sequence may be anything in a file.
        Ok((if stored { sequence::keep(&values, mask.as_ref()) } else { values }, mask))
    }

    /// The side as the model takes it.
    pub(super) fn scaled(self, scale: &Normaliser) -> Result<Self> {
        let mask = self.mask(&(0..self.column.len()).into(), scale.kind())?;
        Ok(Self { column: self.column.scaled(scale, mask.as_ref()), lengths: self.lengths })
    }

    fn part(&self, start: i64, n: i64) -> Self {
        let lengths = self.lengths.as_ref().map(|lengths| lengths.narrow(0, start, n));
        Self { column: self.column.part(start, n), lengths }
    }

    /// Numbers of a row and its mask.
    fn numbers(&self) -> i64 {
        let positions = if self.lengths.is_some() { self.column.shape()[0] } else { 0 };
        self.column.shape().iter().product::<i64>() + positions
    }
}

/// Rows of one set, as the task binds them and in the model's units. Each column is held on the device or stays in its
/// file; images may be held as bytes, and labels as such.
#[derive(Debug)]
pub struct Rows {
    /// The targets.
    pub target: Side,
    /// The conditions; `None` without any.
    pub condition: Option<Side>,
    /// `[n, …z_shape]`: the z_0 of each row, where the data give it.
    pub z0: Option<Column>,
    /// `[n]` int64: classes that the data give and the model does not see, for generation without condition.
    pub labels: Option<Tensor>,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> i64 {
        self.target.column.len()
    }

    /// True where there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the rows are that are taken.
    pub fn device(&self) -> Device {
        self.target.column.device()
    }

    /// Numbers in a row, of all columns.
    pub(crate) fn numbers_of_row(&self) -> i64 {
        let z0 = self.z0.as_ref().map_or(0, |z0| z0.shape().iter().product());
        self.target.numbers() + self.condition.as_ref().map_or(0, Side::numbers) + z0
    }

    fn columns(&self) -> impl Iterator<Item = &Column> {
        let condition = self.condition.as_ref().map(|side| &side.column);
        std::iter::once(&self.target.column).chain(condition).chain(&self.z0)
    }

    /// The columns that stay in a file; none where all are held.
    pub(crate) fn stored(&self) -> Option<Stored> {
        let columns: Vec<_> = self.columns().filter_map(Column::on_disk).cloned().collect();
        (!columns.is_empty()).then(|| Stored { columns, device: self.device() })
    }

    /// Rows as the model takes them, on the device.
    ///
    /// # Errors
    /// A file that cannot be read; rows that are not there.
    pub fn take<'a>(&self, rows: impl Into<Pick<'a>>) -> Result<Batch> {
        let rows = rows.into();
        let read = match self.stored() {
            Some(stored) => stored.read(&rows.numbers()?)?,
            None => Vec::new(),
        };
        self.finish(&rows, read)
    }

    /// All rows, as [`take`](Self::take) gives them.
    ///
    /// # Errors
    /// As there.
    pub fn all(&self) -> Result<Batch> {
        self.take(0..self.len())
    }

    /// The first `n` rows, or all where there are fewer.
    ///
    /// # Errors
    /// As for [`take`](Self::take).
    pub fn first(&self, n: i64) -> Result<Batch> {
        self.take(0..n.min(self.len()))
    }

    /// The same as [`take`](Self::take) where those that stay in a file were [`read`](Stored::read).
    pub(crate) fn finish(&self, rows: &Pick<'_>, read: Vec<Tensor>) -> Result<Batch> {
        let mut read = read.into_iter();
        let mut of = |column: &Column| column.on_disk().and_then(|_| read.next());
        let (target, mask) = self.target.finish(rows, of(&self.target.column))?;
        let condition = self.condition.as_ref().map(|side| side.finish(rows, of(&side.column)));
        let (condition, condition_mask) = condition.transpose()?.unzip();
        let z0 = self.z0.as_ref().map(|z0| z0.finish(rows, of(z0))).transpose()?;
        let labels = self.labels.as_ref().map(|labels| rows.of(labels)).transpose()?;
        let condition_mask = condition_mask.flatten();
        Ok(Batch { target, condition, z0, mask, condition_mask, labels })
    }

    /// `n` rows from `start`; those in a file stay there.
    pub fn part(&self, start: i64, n: i64) -> Self {
        Self {
            target: self.target.part(start, n),
            condition: self.condition.as_ref().map(|side| side.part(start, n)),
            z0: self.z0.as_ref().map(|z0| z0.part(start, n)),
            labels: self.labels.as_ref().map(|labels| labels.narrow(0, start, n)),
        }
    }
}

/// The columns of some rows that stay in a file. They are read on whatever thread.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    columns: Vec<DiskRows>,
    device: Device,
}

impl Stored {
    /// The rows of these numbers, of each column as it is in its file, on the device.
    pub fn read(&self, rows: &[i64]) -> Result<Vec<Tensor>> {
        self.columns.iter().map(|column| read(column, rows, self.device)).collect()
    }
}

/// Rows as the model takes them, on the device.
#[derive(Debug)]
pub struct Batch {
    /// `[k, …target_shape]`.
    pub target: Tensor,
    /// `[k, …condition_shape]`.
    pub condition: Option<Tensor>,
    /// `[k, …z_shape]`: the z_0 of each row, where the data give it.
    pub z0: Option<Tensor>,
    /// `[k, T]` of 1 and 0, where the targets are sequences of different lengths: positions that are there. The
    /// others hold zeros.
    pub mask: Option<Tensor>,
    /// Likewise of the conditions.
    pub condition_mask: Option<Tensor>,
    /// `[k]` int64: classes that the model does not see.
    pub labels: Option<Tensor>,
}

impl Batch {
    /// Number of rows.
    pub fn len(&self) -> i64 {
        self.target.size()[0]
    }

    /// True where there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The conditions, if there are some, all present.
    pub fn condition(&self) -> Option<Condition> {
        let mask = self.condition_mask.as_ref().map(Tensor::shallow_clone);
        self.condition.as_ref().map(|value| Condition::new(value.shallow_clone()).with(None, mask))
    }

    /// `n` rows from `start`: views of these.
    pub fn narrow(&self, start: i64, n: i64) -> Self {
        self.map(|t| t.narrow(0, start, n))
    }

    /// The first `n` rows, or all where there are fewer.
    pub fn first(&self, n: i64) -> Self {
        self.narrow(0, n.min(self.len()))
    }

    /// The rows at `index` (`[k]` int64).
    pub fn rows(&self, index: &Tensor) -> Self {
        self.map(|t| t.index_select(0, index))
    }

    fn map(&self, f: impl Fn(&Tensor) -> Tensor) -> Self {
        let of = |t: &Option<Tensor>| t.as_ref().map(&f);
        Self {
            target: f(&self.target),
            condition: of(&self.condition),
            z0: of(&self.z0),
            mask: of(&self.mask),
            condition_mask: of(&self.condition_mask),
            labels: of(&self.labels),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, seed_torch};

    const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

    #[test]
    fn labels_are_held_as_such_and_taken_as_one_hot_rows() {
        let labels = Tensor::from_slice(&[2_i64, 0, 1, 2]);
        let column = Column::labels(labels, 3, Kind::Float);
        assert_eq!((column.len(), column.shape(), column.kind()), (4, &[3][..], Kind::Int64));
        let index = Tensor::from_slice(&[3_i64, 1]);
        let wanted = Tensor::from_slice(&[0.0_f32, 0.0, 1.0, 1.0, 0.0, 0.0]).view([2, 3]);
        assert_eq!(column.take(&index).unwrap(), wanted);
        assert_eq!(column.part(2, 2).take(1..2).unwrap(), wanted.narrow(0, 0, 1));
        assert_eq!(column.take(0..2).unwrap().size(), [2, 3]);
    }

    #[test]
    fn rows_that_are_not_there_are_an_error() {
        let rows = super::super::numbered_rows(0..5);
        assert!(rows.take(3..6).is_err() && rows.take(&Tensor::from_slice(&[5_i64])).is_err());
        assert_eq!(rows.first(9).unwrap().len(), 5);
        assert!(rows.take(5..5).unwrap().is_empty());
    }

    #[test]
    fn each_row_is_mirrored_or_not_its_condition_alike() {
        let _stream = seed_torch(1, Purpose::Train, 0);
        let target = Tensor::arange(64 * 6, CPU).view([64, 1, 2, 3]);
        let (rows, condition) = mirror_some(&target, Some(&(&target * 2.0)));
        let same = |a: &Tensor, b: &Tensor| a.eq_tensor(b).view([64, -1]).all_dim(1, false);
        let (kept, mirrored) = (same(&rows, &target), same(&rows, &target.flip([3])));
        assert_eq!(kept.logical_xor(&mirrored).all().int64_value(&[]), 1);
        assert!((20..44).contains(&mirrored.sum(Kind::Int64).int64_value(&[])));
        assert_eq!(condition.unwrap(), rows * 2.0);
    }
}
