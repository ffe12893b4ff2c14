//! Columns that stay in their file: a single pass checks them and fits the normaliser.

use super::moments::Moments;
use super::rows::Rows;
#[cfg(test)]
use super::rows::Side;
use super::{Column, Normaliser, bytes};
use crate::error::Result;
use crate::io::DiskRows;
use crate::sequence;
use tch::{Device, Kind, Tensor};

/// Bytes that the pass over all rows holds at once.
pub(super) const CHUNK: usize = 16 << 20;

/// Checks that all numbers of columns on disk are finite, except in the padding of sequences.
pub(super) fn check(rows: &Rows) -> Result<()> {
    for side in std::iter::once(&rows.target).chain(&rows.condition) {
        if let Some(rows) = side.column.on_disk() {
            Stored::new(rows, side.lengths.as_ref()).pass(&mut |_, _| {})?;
        }
    }
    match rows.z0.as_ref().and_then(Column::on_disk) {
        Some(z0) => Stored::new(z0, None).pass(&mut |_, _| {}),
        None => Ok(()),
    }
}

/// Fits a normaliser to bytes in a file.
pub(super) fn fit_bytes(rows: &DiskRows, kind: Kind) -> Result<Normaliser> {
    Stored::new(rows, None).fit_bytes(kind)
}

/// Computes mean and standard deviation of numbers in a file, over rows or over the positions of
/// `sequences`, and checks that they are finite.
pub(super) fn moments(
    rows: &DiskRows,
    lengths: Option<&Tensor>,
    sequences: bool,
) -> Result<Moments> {
    Stored::new(rows, lengths).moments(sequences)
}

/// A column in a file, which is read in chunks of rows.
struct Stored<'r> {
    rows: &'r DiskRows,
    /// Lengths of the sequences; see [`Side::lengths`].
    lengths: Option<&'r Tensor>,
    /// Rows of a chunk.
    chunk: i64,
}

impl<'r> Stored<'r> {
    fn new(rows: &'r DiskRows, lengths: Option<&'r Tensor>) -> Self {
        let chunk = (CHUNK / rows.width().max(1)).max(1) as i64;
        Self { rows, lengths, chunk }
    }

    fn fit_bytes(&self, kind: Kind) -> Result<Normaliser> {
        let mut counts = Tensor::zeros([256], (Kind::Int64, Device::Cpu));
        self.pass(&mut |values, _| counts += bytes::histogram(values))?;
        Ok(Normaliser::fit_histogram(&counts, kind))
    }

    fn moments(&self, sequences: bool) -> Result<Moments> {
        let mut moments = Moments::default();
        self.pass(&mut |values, mask| match sequences {
            true => moments.add(&sequence::positions(values, mask)),
            false => moments.add(values),
        })?;
        Ok(moments)
    }

    /// Calls `f` on chunks of all rows in the order of the file, with the masks of sequences, after
    /// a check that they are finite.
    fn pass(&self, f: &mut dyn FnMut(&Tensor, Option<&Tensor>)) -> Result<()> {
        let order = self.rows.order_in_file();
        let rows =
            order.as_ref().map_or_else(|| self.rows.clone(), |order| self.rows.select(order));
        let lengths = self.lengths.map(|lengths| {
            let lengths = lengths.to_device(Device::Cpu);
            order.map_or_else(
                || lengths.shallow_clone(),
                |order| lengths.index_select(0, &Tensor::from_slice(&order)),
            )
        });
        for from in (0..rows.len()).step_by(self.chunk as usize) {
            let n = self.chunk.min(rows.len() - from);
            let numbers: Vec<i64> = (from..from + n).collect();
            let values = rows.read(&numbers)?;
            let mask = lengths.as_ref().map(|lengths| {
                sequence::mask_of(&lengths.narrow(0, from, n), values.size()[1], Kind::Uint8)
            });
            let finite = sequence::keep(&values, mask.as_ref()).isfinite();
            if finite.all().int64_value(&[]) == 0 {
                let first = finite.reshape([-1]).to_kind(Kind::Int64).argmin(0, false);
                let first = first.int64_value(&[]);
                let row = first / (values.numel() as i64 / n);
                return Err(rows.bad_value(from + row, values.reshape([-1]).double_value(&[first])));
            }
            f(&values, mask.as_ref());
        }
        Ok(())
    }
}

/// Rows whose targets are in a file and normalised by `target`.
#[cfg(test)]
pub(crate) fn rows_of_file(rows: DiskRows, target: &Normaliser, labels: Option<Tensor>) -> Rows {
    let shape = rows.shape().to_vec();
    let column = Column::stored(rows, shape, (target.kind(), Device::Cpu));
    let target = Side { column: column.scaled(target, None), lengths: None };
    Rows { target, condition: None, z0: None, labels }
}

#[cfg(test)]
mod tests {
    use super::super::moments::Moments;
    use super::*;
    use crate::io::{ArrayData, NamedArray, safetensors};
    use std::collections::BTreeMap;

    fn on_disk(
        folder: &tempfile::TempDir,
        shape: &[usize],
        data: impl Into<ArrayData>,
    ) -> DiskRows {
        let path = folder.path().join("a.safetensors");
        let array = NamedArray::new("x", shape.to_vec(), data).unwrap();
        safetensors::write_safetensors(&path, &[array], &BTreeMap::new()).unwrap();
        safetensors::disk_rows(&path, "x").unwrap().unwrap()
    }

    /// This column, read in chunks of some rows.
    fn by(rows: &DiskRows, chunk: i64) -> Stored<'_> {
        Stored { chunk, ..Stored::new(rows, None) }
    }

    fn fit(stored: &Stored) -> Normaliser {
        stored.moments(false).unwrap().normaliser(Kind::Float)
    }

    fn same(a: &Normaliser, b: &Normaliser) {
        // Sums over chunks round differently from one sum, in float64, by far less than float32
        // resolves.
        assert!(a.mean.allclose(&b.mean, 1e-7, 0.0, false), "{:?} {:?}", a.mean, b.mean);
        assert!(a.deviation.allclose(&b.deviation, 1e-7, 0.0, false));
    }

    #[test]
    fn a_pass_in_parts_fits_what_all_rows_at_once_fit() {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<f32> =
            (0..60).map(|i| 5.0 + (i as f32).sin() * (1 + i % 3) as f32).collect();
        let all = Tensor::from_slice(&values).view([20, 3]);
        // The last feature of these does not vary.
        let some = [1, 4, 9, 16, 2, 3, 11];
        let rows = on_disk(&folder, &[20, 3], values).select(&some);
        let some = all.index_select(0, &Tensor::from_slice(&some));
        let expected = Normaliser::fit(&some, Kind::Float);
        for chunk in [1, 3, 100] {
            same(&fit(&by(&rows, chunk)), &expected);
        }
    }

    #[test]
    fn bytes_are_counted_in_parts_and_constants_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<u8> = (0..80_u32).map(|i| (i * i % 251) as u8).collect();
        let expected =
            Normaliser::fit_bytes(&Tensor::from_slice(&values).view([10, 2, 2, 2]), Kind::Float);
        let rows = on_disk(&folder, &[10, 2, 2, 2], values);
        let found = by(&rows, 3).fit_bytes(Kind::Float).unwrap();
        assert_eq!((found.mean, found.deviation), (expected.mean, expected.deviation));
        let rows = on_disk(&folder, &[9], vec![0.1_f32; 9]);
        let found = fit(&by(&rows, 2));
        assert_eq!(
            (found.mean, found.deviation),
            (Tensor::from_slice(&[0.1_f32]), Tensor::from_slice(&[0_f32]))
        );
    }

    #[test]
    fn a_row_that_is_not_finite_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut values = vec![1.0_f32; 12];
        values[9] = f32::NAN;
        let all = on_disk(&folder, &[6, 2], values);
        let rows = all.select(&[5, 4, 0]);
        let message = by(&rows, 2).moments(false).unwrap_err().to_string();
        assert!(
            message.ends_with(
                "array `x` holds NaN in row 4 (counted from 0); remove or fill such rows first"
            ),
            "{message}"
        );
        let side = |rows: &[i64]| {
            let identity = Normaliser::identity(Kind::Float, Device::Cpu);
            check(&rows_of_file(all.select(rows), &identity, None))
        };
        assert!(side(&[4]).is_err() && side(&[0, 5]).is_ok());
    }

    #[test]
    fn what_lies_behind_the_end_of_a_sequence_is_neither_looked_at_nor_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        let values = vec![1.0_f32, 2.0, nan, 4.0, inf, nan, 7.0, 8.0, 12.0];
        // The selected rows have lengths 3, 2 and 1.
        let rows = on_disk(&folder, &[3, 3], values).select(&[2, 0, 1]);
        let lengths = Tensor::from_slice(&[3_i64, 2, 1]);
        let there = Tensor::from_slice(&[7.0_f32, 8.0, 12.0, 1.0, 2.0, 4.0]).view([-1, 1]);
        for chunk in [1, 2, 100] {
            let stored = Stored { chunk, ..Stored::new(&rows, Some(&lengths)) };
            let found: Moments = stored.moments(true).unwrap();
            same(&found.normaliser(Kind::Float), &Normaliser::fit(&there, Kind::Float));
        }
        let (mean, deviation) = (Tensor::from_slice(&[4.0_f32]), Tensor::from_slice(&[2.0_f32]));
        let column = Column::stored(rows, vec![3, 1], (Kind::Float, Device::Cpu));
        let side = Side { column, lengths: Some(lengths) };
        let scale = Normaliser::new(mean, deviation, Kind::Float);
        let target = side.scaled(&scale).unwrap();
        let taken = Rows { target, condition: None, z0: None, labels: None }.all().unwrap();
        let found: Vec<f32> = Vec::try_from(taken.target.view(-1)).unwrap();
        assert_eq!(found, [1.5, 2.0, 4.0, -1.5, -1.0, 0.0, 0.0, 0.0, 0.0]);
        let mask: Vec<f32> = Vec::try_from(taken.mask.unwrap().view(-1)).unwrap();
        assert_eq!(mask, [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn rows_taken_from_disk_are_those_of_a_set_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<f32> = (0..24).map(|i| (i as f32).exp().fract()).collect();
        let all = Tensor::from_slice(&values).view([8, 3]);
        let rows = on_disk(&folder, &[8, 3], values);
        let order = [6, 1, 7, 0, 3];
        let normaliser = fit(&by(&rows, 3));
        let labels = Tensor::from_slice(&order);
        let set = rows_of_file(rows.select(&order), &normaliser, Some(labels));
        let resident = normaliser.apply(&all.index_select(0, &Tensor::from_slice(&order)));
        assert_eq!(set.len(), 5);
        let index = Tensor::from_slice(&[4_i64, 0, 2]);
        assert_eq!(set.take(&index).unwrap().target, resident.index_select(0, &index));
        let narrow = set.take(1..4).unwrap();
        assert_eq!(narrow.target, resident.narrow(0, 1, 3));
        assert_eq!(narrow.labels.unwrap(), Tensor::from_slice(&[1_i64, 7, 0]));
    }

    #[test]
    fn rows_that_can_no_longer_be_read_are_an_error_of_whatever_takes_them() {
        let folder = tempfile::tempdir().unwrap();
        let rows = on_disk(&folder, &[8, 3], vec![0.5_f32; 24]);
        let set = rows_of_file(rows, &Normaliser::identity(Kind::Float, Device::Cpu), None);
        let path = folder.path().join("a.safetensors");
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 8]).unwrap();
        let index = Tensor::from_slice(&[0_i64, 7]);
        for taken in [set.take(6..8), set.first(8), set.all(), set.take(&index)] {
            let error = taken.unwrap_err().to_string();
            assert!(error.contains("a.safetensors: array `x` cannot be read"), "{error}");
        }
        assert_eq!(set.take(0..7).unwrap().len(), 7);
    }
}
