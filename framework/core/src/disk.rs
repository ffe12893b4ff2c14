//! Rows that stay in their file until they are asked for. They are read, not mapped into memory: a file that
//! was cut off since is an error then, and what is held is what was asked for.

use crate::{Error, Result, memory};
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::num::NonZero;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tch::{Kind, Tensor};

/// Some rows of an array of a file, in some order. A clone shares the file.
#[derive(Clone, Debug)]
pub struct DiskRows {
    array: Arc<Array>,
    /// Which rows of the array, where it is not all as they stand.
    index: Option<Arc<[i64]>>,
}

/// An array as it lies in its file: in C order, not compressed.
#[derive(Debug)]
struct Array {
    path: PathBuf,
    name: String,
    file: File,
    /// Where the first row begins.
    start: u64,
    rows: i64,
    /// Of one row.
    shape: Vec<i64>,
    /// Bytes of one row.
    width: usize,
    kind: Kind,
}

/// What is needed of an array whose rows stay on disk.
const NEEDED: &str = "rows that stay on disk are float32, or bytes of shape [n, C, H, W], neither compressed nor in \
                      Fortran order, as numpy.savez and safetensors write them; or leave `keep` out";

/// An error for an array whose rows cannot stay on disk, under the key of the data source that asked for it.
pub fn refused(path: &Path, name: &str, why: &str) -> Error {
    let file = path.file_name().unwrap_or_default().display();
    let message = format!("array `{name}` of {file} cannot stay on disk: it {why}");
    Error::config("keep", message).help(NEEDED)
}

/// Bytes that are read without a question whether memory holds them.
const SMALL: usize = 64 << 20;

/// How the values of an array lie in its file.
pub struct Layout<'a> {
    /// Of the whole array; rows lie along its first axis.
    pub shape: &'a [usize],
    /// As numpy calls it.
    pub dtype: &'a str,
    /// Where the values begin.
    pub start: u64,
}

impl DiskRows {
    /// The rows of an array that lies in `file` as it is; `None` where it is a list of integers, one a row,
    /// such as labels, which are few enough to be read.
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
                return Err(refused(path, name, &format!("is {dtype} of shape {shape:?}")));
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
        // Of a single row: where there is none, the product over all of them says nothing.
        let width =
            shape.iter().try_fold(kind.elt_size_in_bytes() as i64, |n, d| n.checked_mul(*d));
        let width = width.ok_or_else(too_large)?;
        let (path, name) = (path.to_owned(), name.to_owned());
        let array = Array { path, name, file, start, rows, shape, width: width as usize, kind };
        let end = rows.checked_mul(width).and_then(|bytes| start.checked_add_signed(bytes));
        let found = array.file.metadata().map_err(|e| array.unreadable(&e))?.len();
        if end.is_none_or(|end| found < end) {
            return Err(array.wrong("is damaged: the file ends before it"));
        }
        Ok(Some(Self { array: Arc::new(array), index: None }))
    }

    /// Number of rows.
    pub fn len(&self) -> i64 {
        self.index.as_ref().map_or(self.array.rows, |index| index.len() as i64)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of one row; a single number is a row of one.
    pub fn shape(&self) -> &[i64] {
        &self.array.shape
    }

    /// Float, or Uint8.
    pub fn kind(&self) -> Kind {
        self.array.kind
    }

    /// Bytes of one row.
    pub fn width(&self) -> usize {
        self.array.width
    }

    /// The rows at `rows`, in that order, left where they are.
    pub fn select(&self, rows: &[i64]) -> Self {
        let index: Arc<[i64]> = rows.iter().map(|row| self.place(*row)).collect();
        Self { array: Arc::clone(&self.array), index: Some(index) }
    }

    /// The numbers of the rows in the order of the file, which is the fastest to read; none where they stand so.
    pub fn order_in_file(&self) -> Option<Vec<i64>> {
        let index = self.index.as_ref()?;
        let mut order: Vec<i64> = (0..index.len() as i64).collect();
        order.sort_unstable_by_key(|row| index[*row as usize]);
        Some(order)
    }

    /// Reads the rows at `rows`: `[k, …shape]` on the CPU, as they are in the file.
    pub fn read(&self, rows: &[i64]) -> Result<Tensor> {
        let array = &self.array;
        let runs = self.runs(rows)?;
        if runs.len() > 1 {
            // All are fetched together, and none of them by itself while it is waited for.
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

    /// Where in the file the rows at `rows` lie, those that lie one behind the other as one.
    fn runs(&self, rows: &[i64]) -> Result<Vec<Range<u64>>> {
        let (array, width) = (&self.array, self.array.width as u64);
        let mut runs: Vec<Range<u64>> = Vec::new();
        for row in rows {
            let place = self.place(*row);
            if !(0..array.rows).contains(&place) {
                return Err(array.wrong(&format!("has {} rows, none at {place}", array.rows)));
            }
            let start = array.start + place as u64 * width;
            match runs.last_mut() {
                Some(run) if run.end == start => run.end += width,
                _ => runs.push(start..start + width),
            }
        }
        Ok(runs)
    }

    /// An error that says that a row, counted among these, holds `value`.
    pub fn holds(&self, row: i64, value: f64) -> Error {
        self.array.wrong(&format!(
            "holds {value:?} in row {} (counted from 0); remove or fill such rows first",
            self.place(row)
        ))
    }

    /// Where in the array a row is.
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
    /// Tells the system what will be read.
    fn announce(&self, run: &Range<u64>) {
        let length = NonZero::new(run.end - run.start);
        // A hint: where it is not taken, rows are read all the same.
        let _ = fadvise(&self.file, run.start, length, Advice::WillNeed);
    }

    fn wrong(&self, what: &str) -> Error {
        Error::data(&self.path, format!("array `{}` {what}", self.name))
    }

    fn unreadable(&self, e: &std::io::Error) -> Error {
        self.wrong(&format!("cannot be read: {e}"))
    }
}
