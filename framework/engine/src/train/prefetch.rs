use super::batches::Order;
use super::worker::Worker;
use crate::data::Stored;
use crate::error::Result;
use tch::Tensor;

/// Number of reading threads: a disk serves several requests at once better than one after the
/// other.
const READERS: u64 = 4;
/// Number of batches that are requested before they are needed, and so the most that are in memory.
const AHEAD: u64 = 8;

/// Reads batches of rows that stay in a file, on threads of their own, ahead of the steps that use
/// them.
#[derive(Debug)]
pub(super) struct Prefetch {
    /// Workers that read the rows of given numbers.
    readers: Vec<Worker<Vec<i64>, Vec<Tensor>>>,
    /// The first step that is not requested yet.
    next: u64,
    /// Number of steps of the training.
    total: u64,
}

impl Prefetch {
    /// Starts reading for the steps from `step` up to `total`.
    pub fn start(stored: &Stored, (step, total): (u64, u64)) -> Result<Self> {
        let reader = |_| {
            let stored = stored.clone();
            Worker::start("reader", move || Ok(move |rows: Vec<i64>| stored.read(&rows)))
        };
        let readers = (0..READERS).map(reader).collect::<Result<_>>()?;
        Ok(Self { readers, next: step, total })
    }

    /// Takes the rows of `step`, of each column in its file's type. Steps must be taken one after
    /// the other.
    pub fn take(&mut self, step: u64, order: &mut Order) -> Result<Vec<Tensor>> {
        while self.next < self.total.min(step + AHEAD) {
            let (epoch, within) = order.own(self.next);
            let rows = order.epoch(epoch).narrow(0, within.start, within.end - within.start);
            self.reader(self.next).submit(Vec::try_from(rows)?)?;
            self.next += 1;
        }
        self.reader(step).receive()
    }

    fn reader(&self, step: u64) -> &Worker<Vec<i64>, Vec<Tensor>> {
        &self.readers[(step % READERS) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Normaliser, Rows, rows_of_file};
    use crate::io::{NamedArray, safetensors};
    use std::collections::BTreeMap;
    use std::path::Path;
    use tch::{Device, Kind};

    /// 50 rows, of which number i is (i, i + 0.5).
    fn numbered(path: &Path) -> Rows {
        let values: Vec<f32> = (0..100).map(|i| i as f32 / 2.0).collect();
        let array = NamedArray::new("x", vec![50, 2], values).unwrap();
        safetensors::write_safetensors(path, &[array], &BTreeMap::new()).unwrap();
        let rows = safetensors::disk_rows(path, "x").unwrap().unwrap();
        rows_of_file(rows, &Normaliser::identity(Kind::Float, Device::Cpu), None)
    }

    fn start(rows: &Rows, steps: (u64, u64)) -> Prefetch {
        Prefetch::start(&rows.stored().unwrap(), steps).unwrap()
    }

    #[test]
    fn batches_come_in_the_order_of_the_steps_from_any_step_on() {
        let folder = tempfile::tempdir().unwrap();
        let rows = numbered(&folder.path().join("a.safetensors"));
        // Seven batches of 8, the last of 2.
        let mut order = Order::new(50, 8, 6);
        for begin in [0, 5, 20] {
            let mut ahead = start(&rows, (begin, 25));
            for step in begin..25 {
                let (epoch, within) = order.place(step);
                let index = order.epoch(epoch).narrow(0, within.start, within.end - within.start);
                let read = ahead.take(step, &mut order).unwrap();
                let found = rows.finish(&(&index).into(), read).unwrap();
                assert_eq!(found.target, rows.take(&index).unwrap().target);
            }
        }
    }

    #[test]
    fn no_more_is_read_than_a_few_batches_ahead() {
        let folder = tempfile::tempdir().unwrap();
        let rows = numbered(&folder.path().join("a.safetensors"));
        let mut ahead = start(&rows, (0, 1000));
        ahead.take(0, &mut Order::new(50, 1, 6)).unwrap();
        assert_eq!(ahead.next, AHEAD);
    }

    #[test]
    fn what_goes_wrong_in_a_thread_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let rows = numbered(&path);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let error = start(&rows, (0, 9)).take(0, &mut Order::new(50, 50, 6));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("a.safetensors: array `x` cannot be read"), "{error}");
    }
}
