//! A column: the values of one side of the rows, held in memory or stored in their file.

use super::classes::one_hot_rows;
use super::{Normaliser, bytes};
use crate::error::{Error, Result};
use crate::io::DiskRows;
use crate::sequence;
use std::ops::Range;
use tch::{Device, Kind, Tensor};

/// The rows that are to be taken.
#[derive(Debug)]
pub enum Pick<'a> {
    /// Those that lie one behind the other: they are not copied.
    Range(Range<i64>),
    /// Those of these numbers, `[k]` int64 on the device of the rows.
    At(&'a Tensor),
}

impl From<Range<i64>> for Pick<'_> {
    fn from(rows: Range<i64>) -> Self {
        Self::Range(rows)
    }
}

impl<'a> From<&'a Tensor> for Pick<'a> {
    fn from(rows: &'a Tensor) -> Self {
        Self::At(rows)
    }
}

impl Pick<'_> {
    /// These rows of `values` `[n, …]`.
    pub(super) fn of(&self, values: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Range(rows) => values.f_narrow(0, rows.start, rows.end - rows.start)?,
            Self::At(index) => values.f_index_select(0, index)?,
        })
    }

    /// Their numbers. On a device that waits for it.
    pub(super) fn numbers(&self) -> Result<Vec<i64>> {
        match self {
            Self::Range(rows) => Ok(rows.clone().collect()),
            Self::At(index) => Ok(Vec::try_from(*index)?),
        }
    }
}

/// Values `[n, …shape]`, wherever they lie. They are scaled when they are taken, unless they are held as the model
/// takes them.
#[derive(Debug)]
pub struct Column {
    pub(super) values: Values,
    /// Of one row, as it is taken.
    shape: Vec<i64>,
    /// From values as they lie to those that are taken; none where they differ in precision at most.
    scale: Option<Normaliser>,
    /// Precision and place of what is taken.
    options: (Kind, Device),
}

/// Values as they lie.
#[derive(Debug)]
pub(super) enum Values {
    /// `[n, …shape]`, numbers or bytes.
    Held(Tensor),
    /// `[n]` int64, of which one-hot rows are made.
    Labels(Tensor),
    /// Rows of a file, numbers or bytes.
    Stored(DiskRows),
}

impl Column {
    /// Numbers, or bytes of images, `[n, …]`, whose rows are taken in `kind`.
    pub(crate) fn held(values: Tensor, kind: Kind) -> Self {
        let (shape, device) = (values.size()[1..].to_vec(), values.device());
        Self { values: Values::Held(values), shape, scale: None, options: (kind, device) }
    }

    /// Labels of so many classes, `[n]` int64, whose rows are one-hot.
    pub(super) fn labels(labels: Tensor, classes: i64, kind: Kind) -> Self {
        let options = (kind, labels.device());
        Self { values: Values::Labels(labels), shape: vec![classes], scale: None, options }
    }

    /// Rows that stay in their file, each of which is taken as one of `shape`.
    pub(super) fn stored(rows: DiskRows, shape: Vec<i64>, options: (Kind, Device)) -> Self {
        Self { values: Values::Stored(rows), shape, scale: None, options }
    }

    /// Number of rows.
    pub fn len(&self) -> i64 {
        match &self.values {
            Values::Held(values) | Values::Labels(values) => values.size()[0],
            Values::Stored(rows) => rows.len(),
        }
    }

    /// True where there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of one row, as it is taken.
    pub fn shape(&self) -> &[i64] {
        &self.shape
    }

    /// Where the rows are that are taken.
    pub fn device(&self) -> Device {
        self.options.1
    }

    /// Type of the values as they lie: bytes and labels are made numbers only when they are taken.
    pub fn kind(&self) -> Kind {
        match &self.values {
            Values::Held(values) | Values::Labels(values) => values.kind(),
            Values::Stored(rows) => rows.kind(),
        }
    }

    /// The labels `[n]` int64, where the rows are one-hot rows of such.
    pub fn as_labels(&self) -> Option<&Tensor> {
        match &self.values {
            Values::Labels(labels) => Some(labels),
            _ => None,
        }
    }

    /// The rows that stay in a file, if these do.
    pub(super) fn on_disk(&self) -> Option<&DiskRows> {
        match &self.values {
            Values::Stored(rows) => Some(rows),
            _ => None,
        }
    }

    /// The column as the model takes it, its values scaled: held numbers at once, bytes and rows of a file when they are
    /// taken. `mask` `[n, T]`: the positions of sequences that are there.
    pub(super) fn scaled(self, scale: &Normaliser, mask: Option<&Tensor>) -> Self {
        match self.values {
            // One-hot rows are left alone.
            Values::Labels(_) => self,
            Values::Held(values) if !bytes::kept(&values) => {
                let values = sequence::keep(&scale.apply(&values), mask).contiguous();
                Self { values: Values::Held(values), ..self }
            }
            _ => Self { scale: Some(scale.clone()), ..self },
        }
    }

    /// `n` rows from `start`, left where they are.
    pub(super) fn part(&self, start: i64, n: i64) -> Self {
        let values = match &self.values {
            Values::Held(values) => Values::Held(values.narrow(0, start, n)),
            Values::Labels(labels) => Values::Labels(labels.narrow(0, start, n)),
            Values::Stored(rows) => {
                let numbers: Vec<i64> = (start..start + n).collect();
                Values::Stored(rows.select(&numbers))
            }
        };
        self.with(values, self.options.1)
    }

    /// This column for work on `device`; rows of a file stay there.
    pub(crate) fn to_device(&self, device: Device) -> Self {
        let values = match &self.values {
            Values::Held(values) => Values::Held(values.to_device(device)),
            Values::Labels(labels) => Values::Labels(labels.to_device(device)),
            Values::Stored(rows) => Values::Stored(rows.clone()),
        };
        self.with(values, device)
    }

    fn with(&self, values: Values, device: Device) -> Self {
        let scale = self.scale.as_ref().map(|scale| match scale.mean.device() {
            same if same == device => scale.clone(),
            _ => scale.to_device(device),
        });
        Self { values, shape: self.shape.clone(), scale, options: (self.options.0, device) }
    }

    /// Rows as the model takes them, `[k, …shape]` on the device.
    ///
    /// # Errors
    /// A file that cannot be read; rows that are not there.
    pub fn take<'a>(&self, rows: impl Into<Pick<'a>>) -> Result<Tensor> {
        let rows = rows.into();
        let read = self.on_disk().map(|stored| read(stored, &rows.numbers()?, self.options.1));
        self.finish(&rows, read.transpose()?)
    }

    /// This column where the rows of a file have been `read`.
    pub(super) fn finish(&self, rows: &Pick<'_>, read: Option<Tensor>) -> Result<Tensor> {
        let (kind, _) = self.options;
        let raw = match (&self.values, read) {
            (Values::Held(values), _) => rows.of(values)?,
            (Values::Labels(labels), _) => {
                return Ok(one_hot_rows(&rows.of(labels)?, self.shape[0])?.to_kind(kind));
            }
            (Values::Stored(_), Some(read)) => {
                let shape: Vec<i64> =
                    std::iter::once(read.size()[0]).chain(self.shape.iter().copied()).collect();
                read.f_view(shape.as_slice())?
            }
            (Values::Stored(_), None) => {
                return Err(Error::runtime("rows of a file were not read"));
            }
        };
        Ok(match &self.scale {
            Some(scale) => scale.raw(&raw),
            None => raw.to_kind(kind),
        })
    }
}

/// Rows of a file, as they are there, on `device`.
pub(super) fn read(stored: &DiskRows, rows: &[i64], device: Device) -> Result<Tensor> {
    Ok(stored.read(rows)?.to_device(device))
}
