//! Rows are read from their file, not mapped into memory: a file that has been truncated since it
//! was opened gives an error instead of ending the process, and only the rows asked for take
//! memory.

use crate::{Error, Result, memory};
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::num::NonZero;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tch::{Kind, Tensor};

/// Rows of an array in a file, in a chosen order, read when they are asked for. A clone shares the
/// file.
#[derive(Clone, Debug)]
pub struct DiskRows {
    array: Arc<Array>,
    /// Numbers of the chosen rows in the array; `None`: all rows in the order of the file.
    index: Option<Arc<[i64]>>,
}

/// An uncompressed array in C order in a file.
#[derive(Debug)]
struct Array {
    path: PathBuf,
    name: String,
    file: File,
    /// Offset of the first row in the file, in bytes.
    start: u64,
    rows: i64,
    /// Shape of one row.
    shape: Vec<i64>,
    /// Size of one row, in bytes.
    width: usize,
    kind: Kind,
}

/// Help for an array whose rows cannot stay on disk.
const NEEDED: &str = "rows that stay on disk are float32, or bytes of shape [n, C, H, W], neither compressed nor in \
                      Fortran order, as numpy.savez and safetensors write them; or leave `keep` out";

/// Error for an array whose rows cannot stay on disk, at the key `keep` of the data source.
pub fn unstorable(path: &Path, name: &str, why: &str) -> Error {
    let file = path.file_name().unwrap_or_default().display();
    let message = format!("array `{name}` of {file} cannot stay on disk: it {why}");
    Error::config("keep", message).help(NEEDED)
}

/// Largest read, in bytes, for which free memory is not checked first.
const SMALL: usize = 64 << 20;

/// Layout of an array's values in its file.
pub struct Layout<'a> {
    /// Shape of the whole array; its first axis counts the rows.
    pub shape: &'a [usize],
    /// Type of the values under numpy's name, such as `float32`.
    pub dtype: &'a str,
    /// Offset of the first value in the file, in bytes.
    pub start: u64,
}

impl DiskRows {
    /// The rows of an uncompressed array in `file`. `None` where the array has one integer a row,
    /// as labels do: those are few enough to be read into memory.
    ///
    /// # Errors
    /// [`Error::Config`] where the array is neither float32 nor bytes of shape `[n, C, H, W]`;
    /// [`Error::Data`] where the file ends before the array does or its size cannot be read.
    pub fn new(
        path: &Path,
        name: &str,
        file: File,
        Layout { shape, dtype, start }: Layout<'_>,
    ) -> Result<Option<Self>> {
        let integers = dtype.starts_with("int") || dtype.starts_with("uint") || dtype == "bool";
        let kind = match (dtype, shape.len()) {
            (_, 1) if integers => return Ok(None),
            ("float32", 1..) => Kind::Float,
            ("uint8", 4) => Kind::Uint8,
            _ => {
                return Err(unstorable(path, name, &format!("is {dtype} of shape {shape:?}")));
            }
        };
        let too_large =
            || Error::data(path, format!("array `{name}` is damaged: its shape is too large"));
        let lengths: Option<Vec<i64>> = shape.iter().map(|n| i64::try_from(*n).ok()).collect();
        let mut shape = lengths.filter(|all| !all.is_empty()).ok_or_else(too_large)?;
        let rows = shape.remove(0);
        if shape.is_empty() {
            shape.push(1);
        }
        // From one row: in an array without rows the product over all axes is 0 and checks nothing.
        let width =
            shape.iter().try_fold(kind.elt_size_in_bytes() as i64, |n, d| n.checked_mul(*d));
        let width = width.ok_or_else(too_large)?;
        let (path, name) = (path.to_owned(), name.to_owned());
        let array = Array { path, name, file, start, rows, shape, width: width as usize, kind };
        let end = rows.checked_mul(width).and_then(|bytes| start.checked_add_signed(bytes));
        let length = array.file.metadata().map_err(|e| array.unreadable(&e))?.len();
        if end.is_none_or(|end| length < end) {
            return Err(array.wrong("is damaged: the file ends before the array does"));
        }
        Ok(Some(Self { array: Arc::new(array), index: None }))
    }

    /// Number of rows.
    pub fn len(&self) -> i64 {
        self.index.as_ref().map_or(self.array.rows, |index| index.len() as i64)
    }

    /// True if there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of one row; a single number is a row of one.
    pub fn shape(&self) -> &[i64] {
        &self.array.shape
    }

    /// Type of the values: `Float` or `Uint8`.
    pub fn kind(&self) -> Kind {
        self.array.kind
    }

    /// Size of one row, in bytes.
    pub fn width(&self) -> usize {
        self.array.width
    }

    /// The rows at `rows`, in that order, without reading them.
    pub fn select(&self, rows: &[i64]) -> Self {
        let index: Arc<[i64]> = rows.iter().map(|row| self.place(*row)).collect();
        Self { array: Arc::clone(&self.array), index: Some(index) }
    }

    /// Row numbers in the order of the file, which is the fastest to read; `None` where the rows
    /// are in that order.
    pub fn order_in_file(&self) -> Option<Vec<i64>> {
        let index = self.index.as_ref()?;
        let mut order: Vec<i64> = (0..index.len() as i64).collect();
        order.sort_unstable_by_key(|row| index[*row as usize]);
        Some(order)
    }

    /// Reads the rows at `rows`: `[rows, …shape]` on the CPU, in the type that the file has.
    ///
    /// # Errors
    /// [`Error::Data`] where a row is out of range or the file cannot be read; [`Error::Runtime`]
    /// where memory is too small.
    pub fn read(&self, rows: &[i64]) -> Result<Tensor> {
        let array = &self.array;
        let runs = self.runs(rows)?;
        if runs.len() > 1 {
            // All reads are announced first, so that the system does not wait for them one after
            // another.
            runs.iter().for_each(|run| array.announce(run));
        }
        if rows.len().checked_mul(array.width).is_none_or(|bytes| bytes > SMALL) {
            let what = format!("{} rows of array `{}`", rows.len(), array.name);
            memory::check_count(&what, rows.len() as u64, array.width as u64)?;
        }
        let mut bytes = vec![0; rows.len() * array.width];
        let mut left = bytes.as_mut_slice();
        for run in runs {
            let (into, rest) = left.split_at_mut((run.end - run.start) as usize);
            array.file.read_exact_at(into, run.start).map_err(|e| array.unreadable(&e))?;
            left = rest;
        }
        let shape: Vec<i64> =
            std::iter::once(rows.len() as i64).chain(array.shape.iter().copied()).collect();
        Ok(Tensor::f_from_data_size(&bytes, &shape, array.kind)?)
    }

    /// Byte ranges of the rows at `rows` in the file; adjacent rows share one range.
    fn runs(&self, rows: &[i64]) -> Result<Vec<Range<u64>>> {
        let (array, width) = (&self.array, self.array.width as u64);
        let mut runs: Vec<Range<u64>> = Vec::new();
        for row in rows {
            let place = self.place(*row);
            if !(0..array.rows).contains(&place) {
                return Err(array.wrong(&format!("has {} rows and no row {place}", array.rows)));
            }
            let start = array.start + place as u64 * width;
            match runs.last_mut() {
                Some(run) if run.end == start => run.end += width,
                _ => runs.push(start..start + width),
            }
        }
        Ok(runs)
    }

    /// Error for a `value` that is not finite in row `row` of these rows; it names the row of the
    /// array.
    pub fn bad_value(&self, row: i64, value: f64) -> Error {
        self.array.wrong(&format!(
            "holds {value:?} in row {} (counted from 0); remove or fill such rows first",
            self.place(row)
        ))
    }

    /// Number in the array of row `row` of these rows; −1 where there is none.
    fn place(&self, row: i64) -> i64 {
        match &self.index {
            Some(index) => {
                usize::try_from(row).ok().and_then(|row| index.get(row)).copied().unwrap_or(-1)
            }
            None => row,
        }
    }
}

impl Array {
    /// Tells the system that a range will be read.
    fn announce(&self, run: &Range<u64>) {
        let length = NonZero::new(run.end - run.start);
        // Only a hint: where it fails, rows are still read.
        let _ = fadvise(&self.file, run.start, length, Advice::WillNeed);
    }

    fn wrong(&self, what: &str) -> Error {
        Error::data(&self.path, format!("array `{}` {what}", self.name))
    }

    fn unreadable(&self, e: &std::io::Error) -> Error {
        self.wrong(&format!("cannot be read: {e}"))
    }
}
