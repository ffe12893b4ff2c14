//! The rows of a set, and batches that are taken from it.

use super::Normaliser;
use super::column::{Column, Pick, read_rows};
use crate::component::Condition;
use crate::error::Result;
use crate::io::DiskRows;
use crate::sequence;
use tch::{Device, Kind, Tensor};

/// One side of the rows: the targets or the conditions.
#[derive(Debug)]
pub struct Side {
    /// Values `[n, …]`.
    pub column: Column,
    /// Lengths `[n]` int64 on the device, if the rows are sequences `[T, …]` of different
    /// lengths; positions behind the end hold zeros.
    pub lengths: Option<Tensor>,
}

impl Side {
    /// Mask `[k, T]` of rows, 1 at positions of a sequence and 0 at padding; `None` without
    /// padding.
    pub(super) fn mask(&self, rows: &Pick<'_>, kind: Kind) -> Result<Option<Tensor>> {
        let Some(lengths) = &self.lengths else { return Ok(None) };
        Ok(Some(sequence::mask_of(&rows.select(lengths)?, self.column.shape()[0], kind)))
    }

    /// Takes values and mask of rows, of which those that stay in a file were `read` before.
    fn finish(&self, rows: &Pick<'_>, read: Option<Tensor>) -> Result<(Tensor, Option<Tensor>)> {
        let stored = read.is_some();
        let values = self.column.finish(rows, read)?;
        let mask = self.mask(rows, values.kind())?;
        // A file may hold anything behind the end of a sequence.
        Ok((if stored { sequence::keep(&values, mask.as_ref()) } else { values }, mask))
    }

    /// This side, normalised.
    pub(super) fn scaled(self, scale: &Normaliser) -> Result<Self> {
        let mask = self.mask(&(0..self.column.len()).into(), scale.kind())?;
        Ok(Self { column: self.column.scaled(scale, mask.as_ref()), lengths: self.lengths })
    }

    /// Number of values of a row and its mask.
    fn numbers(&self) -> i64 {
        let positions = if self.lengths.is_some() { self.column.shape()[0] } else { 0 };
        self.column.shape().iter().product::<i64>() + positions
    }
}

/// Number of entries of one-hot rows for metrics and pictures, at most: 256 MB in float32.
const MOST_ENTRIES: i64 = 1 << 26;

/// Rows of one set, as the task binds them. Each column is on the device or stays in its file.
/// Images may be kept as bytes and labels as integers; rows that are taken are normalised numbers.
#[derive(Debug)]
pub struct Rows {
    /// The targets.
    pub target: Side,
    /// The conditions; `None` for generation without condition.
    pub condition: Option<Side>,
    /// z_0 of each row, `[n, …z_shape]`, if the data have it.
    pub z0: Option<Column>,
    /// Class labels `[n]` int64 that the model does not see, for generation without condition.
    pub labels: Option<Tensor>,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> i64 {
        self.target.column.len()
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Device of rows that are taken.
    pub fn device(&self) -> Device {
        self.target.column.device()
    }

    /// Number of values of a row in all columns.
    pub(crate) fn numbers_of_row(&self) -> i64 {
        let z0 = self.z0.as_ref().map_or(0, |z0| z0.shape().iter().product());
        self.target.numbers() + self.condition.as_ref().map_or(0, Side::numbers) + z0
    }

    /// `n`, or as many rows as have 67 million entries where labels and categories become one-hot:
    /// of 13,421 classes 5,000 rows.
    pub fn at_most(&self, n: i64) -> i64 {
        let widest = self.columns().filter_map(Column::one_hot_width).max();
        widest.map_or(n, |width| n.min((MOST_ENTRIES / width.max(1)).max(1)))
    }

    fn columns(&self) -> impl Iterator<Item = &Column> {
        let condition = self.condition.as_ref().map(|side| &side.column);
        std::iter::once(&self.target.column).chain(condition).chain(&self.z0)
    }

    /// The columns that stay in a file; `None` if all are in memory.
    pub(crate) fn stored(&self) -> Option<Stored> {
        let columns: Vec<_> = self.columns().filter_map(Column::on_disk).cloned().collect();
        (!columns.is_empty()).then(|| Stored { columns, device: self.device() })
    }

    /// Takes rows, normalised and on the device.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data): a file cannot be read.
    /// [`Error::Runtime`](crate::Error::Runtime): there are no such rows.
    pub fn take<'a>(&self, rows: impl Into<Pick<'a>>) -> Result<Batch> {
        let rows = rows.into();
        let read = match self.stored() {
            Some(stored) => stored.read(&rows.numbers()?)?,
            None => Vec::new(),
        };
        self.finish(&rows, read)
    }

    /// Takes all rows.
    ///
    /// # Errors
    /// Those of [`take`](Self::take).
    pub fn all(&self) -> Result<Batch> {
        self.take(0..self.len())
    }

    /// Takes the first `n` rows, or all if there are fewer.
    ///
    /// # Errors
    /// Those of [`take`](Self::take).
    pub fn first(&self, n: i64) -> Result<Batch> {
        self.take(0..n.min(self.len()))
    }

    /// Takes `n` rows that are spread over the set, which may be sorted, or all if there are fewer.
    ///
    /// # Errors
    /// Those of [`take`](Self::take).
    pub fn spread(&self, n: i64) -> Result<Batch> {
        self.take(&spread(self.len(), n).to_device(self.device()))
    }

    /// Takes rows as [`take`](Self::take) does, of which those that stay in a file were
    /// [`read`](Stored::read) before.
    pub(crate) fn finish(&self, rows: &Pick<'_>, read: Vec<Tensor>) -> Result<Batch> {
        let mut read = read.into_iter();
        let mut next_read = |column: &Column| column.on_disk().and_then(|_| read.next());
        let (target, mask) = self.target.finish(rows, next_read(&self.target.column))?;
        let condition =
            self.condition.as_ref().map(|side| side.finish(rows, next_read(&side.column)));
        let (condition, condition_mask) = condition.transpose()?.unzip();
        let z0 = self.z0.as_ref().map(|z0| z0.finish(rows, next_read(z0))).transpose()?;
        let labels = self.labels.as_ref().map(|labels| rows.select(labels)).transpose()?;
        let condition_mask = condition_mask.flatten();
        Ok(Batch { target, condition, z0, mask, condition_mask, labels })
    }
}

/// The columns of a set that stay in a file; they can be read on any thread.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    columns: Vec<DiskRows>,
    device: Device,
}

impl Stored {
    /// Reads the rows of the given numbers from each column, in the file's type, to the device.
    pub fn read(&self, rows: &[i64]) -> Result<Vec<Tensor>> {
        self.columns.iter().map(|column| read_rows(column, rows, self.device)).collect()
    }
}

/// Rows that were taken from a set, normalised and on the device.
#[derive(Debug)]
pub struct Batch {
    /// Targets `[k, …target_shape]`.
    pub target: Tensor,
    /// Conditions `[k, …condition_shape]`; `None` for generation without condition.
    pub condition: Option<Tensor>,
    /// z_0 of each row, `[k, …z_shape]`, if the data have it.
    pub z0: Option<Tensor>,
    /// Mask `[k, T]` of targets that are sequences of different lengths: 1 at positions of a
    /// sequence, 0 at padding, where the target is zero.
    pub mask: Option<Tensor>,
    /// Mask `[k, T]` of conditions that are sequences of different lengths.
    pub condition_mask: Option<Tensor>,
    /// Class labels `[k]` int64 that the model does not see.
    pub labels: Option<Tensor>,
}

impl Batch {
    /// Number of rows.
    pub fn len(&self) -> i64 {
        self.target.size()[0]
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The conditions, none of them dropped; `None` for generation without condition.
    pub fn condition(&self) -> Option<Condition> {
        let mask = self.condition_mask.as_ref().map(Tensor::shallow_clone);
        self.condition.as_ref().map(|value| Condition::new(value.shallow_clone()).with(None, mask))
    }

    /// Views of `n` rows from `start`.
    pub fn narrow(&self, start: i64, n: i64) -> Self {
        self.map(|t| t.narrow(0, start, n))
    }

    /// Views of the first `n` rows, or of all if there are fewer.
    pub fn first(&self, n: i64) -> Self {
        self.narrow(0, n.min(self.len()))
    }

    /// Copies of `n` rows that are [spread](spread) over these, which may be sorted, or of all if
    /// there are fewer.
    pub fn spread(&self, n: i64) -> Self {
        self.rows(&spread(self.len(), n).to_device(self.target.device()))
    }

    /// Copies of the rows at `index`, `[k]` int64.
    pub fn rows(&self, index: &Tensor) -> Self {
        self.map(|t| t.index_select(0, index))
    }

    fn map(&self, f: impl Fn(&Tensor) -> Tensor) -> Self {
        let map = |t: &Option<Tensor>| t.as_ref().map(&f);
        Self {
            target: f(&self.target),
            condition: map(&self.condition),
            z0: map(&self.z0),
            mask: map(&self.mask),
            condition_mask: map(&self.condition_mask),
            labels: map(&self.labels),
        }
    }
}

/// Numbers of `n` rows at equal distances among `len` rows, or of all if there are fewer, `[n]`
/// int64.
pub fn spread(len: i64, n: i64) -> Tensor {
    let n = n.clamp(0, len);
    let number = |i: i64| (i128::from(i) * i128::from(len) / i128::from(n)) as i64;
    Tensor::from_slice(&(0..n).map(number).collect::<Vec<_>>())
}

/// Mirrors images left to right with probability 1/2, independently for each row and alike for
/// target and condition.
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
        let expected = Tensor::from_slice(&[0.0_f32, 0.0, 1.0, 1.0, 0.0, 0.0]).view([2, 3]);
        assert_eq!(column.take(&index).unwrap(), expected);
        assert_eq!(column.take(0..2).unwrap().size(), [2, 3]);
    }

    #[test]
    fn rows_of_many_classes_are_taken_in_smaller_numbers() {
        let rows = |classes: i64| {
            let labels = Tensor::from_slice(&[0_i64, 1]);
            let column = Column::labels(labels, classes, Kind::Float);
            let mut rows = super::super::numbered_rows(0..2);
            rows.condition = Some(Side { column, lengths: None });
            rows
        };
        let most = |classes: i64| rows(classes).at_most(5000);
        assert_eq!([most(10), most(13_421), most(50_000)], [5000, 5000, 1342]);
        assert_eq!((most(i64::MAX), super::super::numbered_rows(0..2).at_most(5000)), (1, 5000));
    }

    #[test]
    fn rows_that_are_not_there_are_an_error() {
        let rows = super::super::numbered_rows(0..5);
        assert!(rows.take(3..6).is_err() && rows.take(&Tensor::from_slice(&[5_i64])).is_err());
        assert_eq!(rows.first(9).unwrap().len(), 5);
        assert!(rows.take(5..5).unwrap().is_empty());
    }

    #[test]
    fn some_rows_are_spread_over_all() {
        let numbers = |len, n| Vec::<i64>::try_from(spread(len, n)).unwrap();
        assert_eq!((numbers(10, 4), numbers(3, 9)), (vec![0, 2, 5, 7], vec![0, 1, 2]));
        assert!(numbers(0, 5).is_empty() && numbers(5, 0).is_empty());
        assert_eq!(numbers(i64::MAX, 2), [0, i64::MAX / 2]);
        let rows = super::super::numbered_rows(0..10);
        let some = rows.spread(4).unwrap();
        assert_eq!(some.target, rows.all().unwrap().spread(4).target);
        assert_eq!(Vec::<f32>::try_from(some.target.view(-1)).unwrap(), [0.0, 2.0, 5.0, 7.0]);
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
