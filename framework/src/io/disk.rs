//! Rows that stay in their file until they are asked for. They are read, not mapped into memory: a file that
//! was cut off since is an error then, and what is held is what was asked for.

use crate::{Error, Result};
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
    kind: Kind,
}

/// What is needed of an array whose rows stay on disk.
const NEEDED: &str = "rows that stay on disk are float32, or bytes of shape [n, C, H, W], neither compressed nor in \
                      Fortran order, as numpy.savez and safetensors write them; or leave `keep` out";

/// An error for an array whose rows cannot stay on disk, under the key of the data source that asked for it.
pub(super) fn refused(path: &Path, name: &str, why: &str) -> Error {
    let file = path.file_name().unwrap_or_default().display();
    let message = format!("array `{name}` of {file} cannot stay on disk: it {why}");
    Error::config("keep", message).help(NEEDED)
}

/// How the values of an array lie in its file.
pub(super) struct Layout<'a> {
    pub(super) shape: &'a [usize],
    /// As numpy calls it.
    pub(super) dtype: &'a str,
    /// Where the values begin.
    pub(super) start: u64,
}

impl DiskRows {
    /// The rows of an array that lies in `file` as it is; `None` where it is a list of integers, one a row,
    /// such as labels, which are few enough to be read.
    pub(super) fn new(
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
        let lengths: Option<Vec<i64>> = shape.iter().map(|n| i64::try_from(*n).ok()).collect();
        let Some(mut shape) = lengths.filter(|all| !all.is_empty()) else {
            return Err(Error::data(
                path,
                format!("array `{name}` is damaged: its shape is too large"),
            ));
        };
        let rows = shape.remove(0);
        if shape.is_empty() {
            shape.push(1);
        }
        let array =
            Array { path: path.to_owned(), name: name.to_owned(), file, start, rows, shape, kind };
        let sizes =
            [rows, kind.elt_size_in_bytes() as i64].into_iter().chain(array.shape.iter().copied());
        let bytes = sizes.into_iter().try_fold(1_i64, i64::checked_mul);
        let end = bytes.and_then(|bytes| start.checked_add_signed(bytes));
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
    pub(crate) fn width(&self) -> usize {
        self.array.width()
    }

    /// The rows at `rows`, in that order, left where they are.
    pub fn select(&self, rows: &[i64]) -> Self {
        let index: Arc<[i64]> = rows.iter().map(|row| self.place(*row)).collect();
        Self { array: Arc::clone(&self.array), index: Some(index) }
    }

    /// The same rows in the order of the file, which is the fastest to read.
    pub(crate) fn in_file_order(&self) -> Self {
        let sorted = self.index.as_ref().map(|index| {
            let mut index = index.to_vec();
            index.sort_unstable();
            index.into()
        });
        Self { array: Arc::clone(&self.array), index: sorted }
    }

    /// Reads the rows at `rows`: `[k, …shape]` on the CPU, as they are in the file.
    pub fn read(&self, rows: &[i64]) -> Result<Tensor> {
        let array = &self.array;
        let runs = self.runs(rows)?;
        if runs.len() > 1 {
            // All are fetched together, and none of them by itself while it is waited for.
            runs.iter().for_each(|run| array.announce(run));
        }
        let mut bytes = vec![0; rows.len() * array.width()];
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
        let (array, width) = (&self.array, self.array.width() as u64);
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
    pub(crate) fn holds(&self, row: i64, value: f64) -> Error {
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
    fn width(&self) -> usize {
        self.shape.iter().product::<i64>() as usize * self.kind.elt_size_in_bytes()
    }

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

#[cfg(test)]
mod tests {
    use super::super::{NamedArray, npz, safetensors};
    use super::*;
    use std::collections::BTreeMap;

    fn numbered() -> NamedArray {
        let values: Vec<f32> = (0..30).map(|i| i as f32 / 7.0).collect();
        NamedArray::new("x", vec![10, 3], values).unwrap()
    }

    #[test]
    fn rows_are_read_in_the_order_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        safetensors::write_safetensors(&path, &[numbered()], &BTreeMap::new()).unwrap();
        let all = Tensor::arange(30, (Kind::Float, tch::Device::Cpu)).view([10, 3]) / 7.0;
        let rows = safetensors::disk_rows(&path, "x").unwrap().unwrap();
        assert_eq!((rows.len(), rows.shape(), rows.kind()), (10, &[3][..], Kind::Float));
        let expect = |index: &[i64]| all.index_select(0, &Tensor::from_slice(index));
        assert_eq!(rows.read(&[7, 2, 3, 4, 4, 0]).unwrap(), expect(&[7, 2, 3, 4, 4, 0]));
        let some = rows.select(&[9, 1, 5]);
        assert_eq!(some.select(&[2, 0]).read(&[0, 1]).unwrap(), expect(&[5, 9]));
        assert_eq!(some.in_file_order().read(&[0, 1, 2]).unwrap(), expect(&[1, 5, 9]));
        assert_eq!(rows.read(&[]).unwrap().size(), [0, 3]);
        let message = some.read(&[3]).unwrap_err().to_string();
        assert!(message.ends_with("array `x` has 10 rows, none at -1"), "{message}");
    }

    #[test]
    fn a_file_that_was_cut_off_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        safetensors::write_safetensors(&path, &[numbered()], &BTreeMap::new()).unwrap();
        let rows = safetensors::disk_rows(&path, "x").unwrap().unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 8]).unwrap();
        assert!(rows.read(&[8]).is_ok());
        let message = rows.read(&[9]).unwrap_err().to_string();
        assert!(message.contains("a.safetensors: array `x` cannot be read"), "{message}");
        assert!(safetensors::disk_rows(&path, "x").is_err());
    }

    #[test]
    fn what_needs_a_conversion_cannot_stay_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("a.npz"), folder.path().join("a.safetensors"));
        let array = |name: &str, shape: &[usize], data: super::super::ArrayData| {
            NamedArray::new(name, shape.to_vec(), data).unwrap()
        };
        let arrays = [
            array("double", &[1, 2], vec![1.0, 2.0].into()),
            array("labels", &[2], vec![1_i64, 2].into()),
            array("bytes", &[1, 2], vec![1_u8, 2].into()),
            array("images", &[2, 1, 1, 1], vec![1_u8, 2].into()),
        ];
        npz::write_npz(&one, &arrays).unwrap();
        safetensors::write_safetensors(&two, &arrays, &BTreeMap::new()).unwrap();
        let why = |name: &str| safetensors::disk_rows(&two, name).unwrap_err().to_string();
        assert!(why("double").contains(
            "array `double` of a.safetensors cannot stay on disk: it is float64 of shape [1, 2]"
        ));
        assert!(why("bytes").contains("it is uint8 of shape [1, 2]"));
        assert!(
            why("no")
                .contains("there is no array `no`; known arrays: bytes, double, images, labels")
        );
        assert!(safetensors::disk_rows(&two, "labels").unwrap().is_none());
        let images = safetensors::disk_rows(&two, "images").unwrap().unwrap();
        assert_eq!(images.read(&[1]).unwrap().reshape([-1]), Tensor::from_slice(&[2_u8]));
        let why = npz::disk_rows(&one, "images").unwrap_err().to_string();
        assert!(why.contains("it is compressed") && why.contains("numpy.savez"), "{why}");
        assert!(npz::disk_rows(&one, "labels").unwrap().is_none());
    }

    #[test]
    fn an_array_that_an_archive_stores_as_it_is_is_found_wherever_it_lies() {
        use npyz::WriterBuilder as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let mut archive = npyz::npz::NpzWriter::new(File::create(&path).unwrap());
        let stored =
            zip::write::FileOptions::default().compression_method(zip::CompressionMethod::Stored);
        let values: Vec<f32> = (0..30).map(|i| i as f32 / 7.0).collect();
        // A name of odd length moves what follows off every alignment.
        for (name, order) in
            [("odd", npyz::Order::C), ("x", npyz::Order::C), ("f", npyz::Order::Fortran)]
        {
            let array = archive.array(name, stored).unwrap().default_dtype();
            let mut writer = array.order(order).shape(&[10, 3]).begin_nd().unwrap();
            writer.extend(values.iter().copied()).unwrap();
            writer.finish().unwrap();
        }
        archive.zip_writer().finish().unwrap();
        let rows = npz::disk_rows(&path, "x").unwrap().unwrap();
        let all = Tensor::from_slice(&values).view([10, 3]);
        assert_eq!(
            rows.read(&[9, 0]).unwrap(),
            all.index_select(0, &Tensor::from_slice(&[9_i64, 0]))
        );
        let why = npz::disk_rows(&path, "f").unwrap_err().to_string();
        assert!(why.contains("it lies in Fortran order"), "{why}");
    }
}
