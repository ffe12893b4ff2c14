use super::classes::one_hot_rows;
use super::layout::{Cells, TableLayout};
use super::{Normaliser, bytes};
use crate::error::{Error, Result};
use crate::io::DiskRows;
use crate::sequence;
use std::ops::Range;
use tch::{Device, Kind, Tensor};

/// A selection of rows.
#[derive(Debug)]
pub enum Pick<'a> {
    /// Consecutive rows, which are not copied.
    Range(Range<i64>),
    /// Rows by number, `[k]` int64 on the device of the rows.
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
    /// The selected rows of `values` `[n, …]`.
    pub(super) fn select(&self, values: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Range(rows) => values.f_narrow(0, rows.start, rows.end - rows.start)?,
            Self::At(index) => values.f_index_select(0, index)?,
        })
    }

    /// Numbers of the selected rows; waits for the device if they are there.
    pub(super) fn numbers(&self) -> Result<Vec<i64>> {
        match self {
            Self::Range(rows) => Ok(rows.clone().collect()),
            Self::At(index) => Ok(Vec::try_from(*index)?),
        }
    }
}

/// Values `[n, …shape]` of one side of the rows, in memory or in their file. They are scaled when
/// they are taken, unless they are normalised numbers already.
#[derive(Debug)]
pub struct Column {
    pub(super) values: Values,
    /// Shape of one row, as it is taken.
    shape: Vec<i64>,
    /// Normaliser that is applied when rows are taken; `None` if only the precision may have to
    /// change.
    scale: Option<Normaliser>,
    /// Precision and device of rows that are taken.
    options: (Kind, Device),
}

/// Values as they are kept.
#[derive(Debug)]
pub(super) enum Values {
    /// `[n, …shape]`, numbers or bytes.
    Held(Tensor),
    /// Labels `[n]` int64, which become one-hot rows when they are taken.
    Labels(Tensor),
    /// Cells of a table, whose categories become one-hot when rows are taken.
    Table(Cells, TableLayout),
    /// Rows of a file, numbers or bytes.
    Stored(DiskRows),
}

impl Column {
    /// Column of numbers, or bytes of images, `[n, …]`, whose rows are taken in `kind`.
    pub(crate) fn held(values: Tensor, kind: Kind) -> Self {
        let (shape, device) = (values.size()[1..].to_vec(), values.device());
        Self { values: Values::Held(values), shape, scale: None, options: (kind, device) }
    }

    /// Column of labels `[n]` int64, whose rows are one-hot of length `classes`.
    pub(super) fn labels(labels: Tensor, classes: i64, kind: Kind) -> Self {
        let options = (kind, labels.device());
        Self { values: Values::Labels(labels), shape: vec![classes], scale: None, options }
    }

    /// Column of the rows of a table `[n, columns]` in the data's own units.
    pub(super) fn table(table: &Tensor, layout: TableLayout, kind: Kind) -> Self {
        let (shape, options) = (vec![layout.width()], (kind, table.device()));
        let values = Values::Table(layout.cells(table), layout);
        Self { values, shape, scale: None, options }
    }

    /// Column of rows that stay in their file, each of which is taken in `shape`.
    pub(super) fn stored(rows: DiskRows, shape: Vec<i64>, options: (Kind, Device)) -> Self {
        Self { values: Values::Stored(rows), shape, scale: None, options }
    }

    /// Number of rows.
    pub fn len(&self) -> i64 {
        match &self.values {
            Values::Held(values) | Values::Labels(values) => values.size()[0],
            Values::Table(cells, _) => cells.hot.size()[0],
            Values::Stored(rows) => rows.len(),
        }
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of one row, as it is taken.
    pub fn shape(&self) -> &[i64] {
        &self.shape
    }

    /// Device of rows that are taken.
    pub fn device(&self) -> Device {
        self.options.1
    }

    /// Type of the values as they are kept: bytes and labels become numbers only when they are
    /// taken.
    pub fn kind(&self) -> Kind {
        match &self.values {
            Values::Held(values) | Values::Labels(values) => values.kind(),
            Values::Table(cells, _) => cells.numbers.kind(),
            Values::Stored(rows) => rows.kind(),
        }
    }

    /// The labels `[n]` int64 of a column whose rows are one-hot; `None` for other columns.
    pub fn as_labels(&self) -> Option<&Tensor> {
        match &self.values {
            Values::Labels(labels) => Some(labels),
            _ => None,
        }
    }

    /// Number of entries of a row in which labels or categories become one-hot when it is taken;
    /// `None` for rows that are kept as they are taken.
    pub(super) fn one_hot_width(&self) -> Option<i64> {
        match &self.values {
            Values::Labels(_) | Values::Table(..) => Some(self.shape[0]),
            _ => None,
        }
    }

    /// The rows of a column that stays in its file; `None` for one in memory.
    pub(super) fn on_disk(&self) -> Option<&DiskRows> {
        match &self.values {
            Values::Stored(rows) => Some(rows),
            _ => None,
        }
    }

    /// This column, normalised: numbers in memory at once, bytes and rows of a file when they are
    /// taken. `mask` `[n, T]` is 1 at positions of a sequence and 0 at padding.
    pub(super) fn scaled(self, scale: &Normaliser, mask: Option<&Tensor>) -> Self {
        match self.values {
            // One-hot rows are not normalised.
            Values::Labels(_) => self,
            Values::Table(cells, layout) => {
                let numbers = scale.of_entries(layout.number_entries()).apply(&cells.numbers);
                // A missing number is its mean.
                let numbers = numbers.nan_to_num(Some(0.0), None, None);
                Self { values: Values::Table(Cells { numbers, ..cells }, layout), ..self }
            }
            Values::Held(values) if !bytes::is_image(&values) => {
                let values = sequence::keep(&scale.apply(&values), mask).contiguous();
                Self { values: Values::Held(values), ..self }
            }
            _ => Self { scale: Some(scale.clone()), ..self },
        }
    }

    /// This column for use on `device`; rows of a file stay in the file.
    pub(crate) fn to_device(&self, device: Device) -> Self {
        let values = match &self.values {
            Values::Held(values) => Values::Held(values.to_device(device)),
            Values::Labels(labels) => Values::Labels(labels.to_device(device)),
            Values::Table(cells, layout) => {
                Values::Table(cells.map(|t| t.to_device(device)), layout.to_device(device))
            }
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

    /// Takes rows `[k, …shape]`, normalised and on the device.
    ///
    /// # Errors
    /// [`Error::Data`]: the file cannot be read. [`Error::Runtime`]: there are no such rows, or
    /// one-hot rows do not fit into memory.
    pub fn take<'a>(&self, rows: impl Into<Pick<'a>>) -> Result<Tensor> {
        let rows = rows.into();
        let read = self.on_disk().map(|stored| read_rows(stored, &rows.numbers()?, self.options.1));
        self.finish(&rows, read.transpose()?)
    }

    /// Takes rows, of which those that stay in a file were `read` before.
    pub(super) fn finish(&self, rows: &Pick<'_>, read: Option<Tensor>) -> Result<Tensor> {
        let (kind, _) = self.options;
        let raw = match (&self.values, read) {
            (Values::Held(values), _) => rows.select(values)?,
            (Values::Labels(labels), _) => {
                return Ok(one_hot_rows(&rows.select(labels)?, self.shape[0])?.to_kind(kind));
            }
            (Values::Table(cells, layout), _) => {
                let cells =
                    Cells { numbers: rows.select(&cells.numbers)?, hot: rows.select(&cells.hot)? };
                return Ok(layout.rows(&cells, kind));
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
            Some(scale) => scale.apply_to_raw(&raw),
            None => raw.to_kind(kind),
        })
    }
}

/// Reads rows of a file, in the file's type, to `device`.
pub(super) fn read_rows(stored: &DiskRows, rows: &[i64], device: Device) -> Result<Tensor> {
    Ok(stored.read(rows)?.to_device(device))
}
