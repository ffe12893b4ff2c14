//! Sets whose rows stay on disk: what is read of them, and the one pass that checks them and fits the
//! normaliser.

use super::moments::Moments;
use super::{Normaliser, bytes};
use crate::error::Result;
use crate::io::DiskRows;
use tch::{Device, Kind, Tensor};

/// Bytes that the pass over all rows holds at once.
pub(super) const CHUNK: usize = 16 << 20;

/// Something for each side of a set that lies on disk.
#[derive(Clone, Debug)]
pub(crate) struct Sides<T> {
    pub(super) target: Option<T>,
    pub(super) condition: Option<T>,
    pub(super) z0: Option<T>,
}

/// The rows of a set that lie on disk.
pub(crate) type OnDisk = Sides<DiskRows>;

impl<T> Default for Sides<T> {
    fn default() -> Self {
        Self { target: None, condition: None, z0: None }
    }
}

impl<T> Sides<T> {
    pub(super) fn try_map<U>(&self, f: impl Fn(&T) -> Result<U>) -> Result<Sides<U>> {
        let of = |side: &Option<T>| side.as_ref().map(&f).transpose();
        Ok(Sides { target: of(&self.target)?, condition: of(&self.condition)?, z0: of(&self.z0)? })
    }

    fn all(&self) -> impl Iterator<Item = &T> {
        [&self.target, &self.condition, &self.z0].into_iter().flatten()
    }
}

impl OnDisk {
    /// Whether nothing lies on disk.
    pub(crate) fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// The rows at `rows`, as they are in the file, on the device.
    pub(crate) fn read(&self, rows: &[i64], device: Device) -> Result<Sides<Tensor>> {
        self.try_map(|side| Ok(side.read(rows)?.to_device(device)))
    }

    /// `n` rows from `start`, left where they are.
    pub(super) fn part(&self, start: i64, n: i64) -> Self {
        let rows: Vec<i64> = (start..start + n).collect();
        let of = |side: &Option<DiskRows>| side.as_ref().map(|side| side.select(&rows));
        Self { target: of(&self.target), condition: of(&self.condition), z0: of(&self.z0) }
    }

    /// An error if a number is NaN or infinite.
    pub(super) fn check(&self) -> Result<()> {
        self.all().try_for_each(|side| pass(side, chunk(side), &mut |_| {}))
    }
}

/// The normaliser of rows; an error if one holds NaN or infinity.
pub(super) fn fit(rows: &DiskRows, kind: Kind) -> Result<Normaliser> {
    fit_by(rows, kind, chunk(rows))
}

fn fit_by(rows: &DiskRows, kind: Kind, chunk: i64) -> Result<Normaliser> {
    if rows.kind() == Kind::Uint8 {
        let mut often = Tensor::zeros([256], (Kind::Int64, Device::Cpu));
        pass(rows, chunk, &mut |values| often += bytes::count(values))?;
        return Ok(Normaliser::of_bytes(&often, kind));
    }
    Ok(moments_by(rows, chunk)?.normaliser(kind))
}

/// Mean and deviation of rows of numbers; an error if one holds NaN or infinity.
pub(super) fn moments(rows: &DiskRows) -> Result<Moments> {
    moments_by(rows, chunk(rows))
}

fn moments_by(rows: &DiskRows, chunk: i64) -> Result<Moments> {
    let mut moments = Moments::default();
    pass(rows, chunk, &mut |values| moments.add(values))?;
    Ok(moments)
}

/// Rows that are read at once.
fn chunk(rows: &DiskRows) -> i64 {
    (CHUNK / rows.width().max(1)).max(1) as i64
}

/// Hands all rows to `f`, some at once, in the order of the file, each checked to be finite.
fn pass(rows: &DiskRows, chunk: i64, f: &mut dyn FnMut(&Tensor)) -> Result<()> {
    let rows = rows.in_file_order();
    for from in (0..rows.len()).step_by(chunk as usize) {
        let numbers: Vec<i64> = (from..rows.len().min(from + chunk)).collect();
        let values = rows.read(&numbers)?;
        let finite = values.isfinite();
        if finite.all().int64_value(&[]) == 0 {
            let first = finite.reshape([-1]).to_kind(Kind::Int64).argmin(0, false).int64_value(&[]);
            let row = first / (values.numel() as i64 / values.size()[0]);
            return Err(rows.holds(from + row, values.reshape([-1]).double_value(&[first])));
        }
        f(&values);
    }
    Ok(())
}

/// A set whose targets lie on disk, scaled as they are with `target`.
#[cfg(test)]
pub(crate) fn set_of(rows: DiskRows, target: Normaliser, labels: Option<Tensor>) -> super::Set {
    let condition = Normaliser::identity(Kind::Float, Device::Cpu);
    super::Set {
        target: Tensor::empty([&[0], rows.shape()].concat(), (Kind::Float, Device::Cpu)),
        condition: None,
        z0: None,
        mask: None,
        condition_mask: None,
        labels,
        scale: bytes::Scale { target, condition },
        on_disk: OnDisk { target: Some(rows), ..OnDisk::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{ArrayData, NamedArray, safetensors};
    use crate::registry::guard_engine;
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

    fn same(a: &Normaliser, b: &Normaliser) {
        // Sums of parts are rounded otherwise than one sum, in float64, by far less than float32 shows.
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
            same(&fit_by(&rows, Kind::Float, chunk).unwrap(), &expected);
        }
    }

    #[test]
    fn bytes_are_counted_in_parts_and_constants_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<u8> = (0..80_u32).map(|i| (i * i % 251) as u8).collect();
        let expected =
            Normaliser::fit_bytes(&Tensor::from_slice(&values).view([10, 2, 2, 2]), Kind::Float);
        let rows = on_disk(&folder, &[10, 2, 2, 2], values);
        let found = fit_by(&rows, Kind::Float, 3).unwrap();
        assert_eq!((found.mean, found.deviation), (expected.mean, expected.deviation));
        let rows = on_disk(&folder, &[9], vec![0.1_f32; 9]);
        let found = fit_by(&rows, Kind::Float, 2).unwrap();
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
        let rows = on_disk(&folder, &[6, 2], values).select(&[5, 4, 0]);
        let message = fit_by(&rows, Kind::Float, 2).unwrap_err().to_string();
        assert!(
            message.ends_with(
                "array `x` holds NaN in row 4 (counted from 0); remove or fill such rows first"
            ),
            "{message}"
        );
        let side = |rows: &[i64]| OnDisk {
            target: Some(rows_of(&folder).select(rows)),
            ..OnDisk::default()
        };
        assert!(side(&[4]).check().is_err() && side(&[0, 5]).check().is_ok());
    }

    #[test]
    fn rows_taken_from_disk_are_those_of_a_set_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<f32> = (0..24).map(|i| (i as f32).exp().fract()).collect();
        let all = Tensor::from_slice(&values).view([8, 3]);
        let rows = on_disk(&folder, &[8, 3], values);
        let order = [6, 1, 7, 0, 3];
        let set = |normaliser: &Normaliser| {
            let labels = Tensor::from_slice(&order);
            set_of(rows.select(&order), normaliser.clone(), Some(labels))
        };
        let normaliser = fit(&rows, Kind::Float).unwrap();
        let set = set(&normaliser);
        let resident = normaliser.apply(&all.index_select(0, &Tensor::from_slice(&order)));
        assert_eq!(set.len(), 5);
        let index = Tensor::from_slice(&[4_i64, 0, 2]);
        assert_eq!(set.rows(&index).target, resident.index_select(0, &index));
        let narrow = set.narrow(1, 3);
        assert_eq!(narrow.target, resident.narrow(0, 1, 3));
        assert_eq!(narrow.labels.unwrap(), Tensor::from_slice(&[1_i64, 7, 0]));
        let part = set.part(2, 3);
        assert_eq!((part.len(), part.target.size()), (3, vec![0, 3]));
        let first = part.first(2);
        assert!(first.on_disk().is_empty());
        assert_eq!(first.target, resident.narrow(0, 2, 2));
        assert_eq!(first.labels.unwrap(), Tensor::from_slice(&[7_i64, 0]));
    }

    #[test]
    fn rows_that_can_no_longer_be_read_are_an_error_of_whatever_takes_them() {
        let folder = tempfile::tempdir().unwrap();
        let rows = on_disk(&folder, &[8, 3], vec![0.5_f32; 24]);
        let set = set_of(rows, Normaliser::identity(Kind::Float, Device::Cpu), None);
        let path = folder.path().join("a.safetensors");
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 8]).unwrap();
        let taken: [(&str, &dyn Fn() -> super::super::Set); 3] = [
            ("narrow", &|| set.narrow(6, 2)),
            ("first", &|| set.first(8)),
            ("rows", &|| set.rows(&Tensor::from_slice(&[0_i64, 7]))),
        ];
        for (how, take) in taken {
            let told = guard_engine(|| Ok(take())).unwrap_err().to_string();
            assert!(told.contains("a.safetensors: array `x` cannot be read"), "{how}: {told}");
        }
        assert_eq!(set.narrow(0, 7).len(), 7);
    }

    fn rows_of(folder: &tempfile::TempDir) -> DiskRows {
        safetensors::disk_rows(&folder.path().join("a.safetensors"), "x").unwrap().unwrap()
    }
}
