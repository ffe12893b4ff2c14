//! Batches of rows that lie on disk, read on threads of their own ahead of the steps that use them. Which rows
//! those are is told on the training thread, so the pace of the readers changes nothing.

use crate::data::{OnDisk, Set, Sides};
use crate::error::{Error, Result};
use crate::registry::guard_engine;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use tch::{Device, Tensor};

/// Threads that read: a disk answers several better than one.
const READERS: u64 = 4;
/// Batches that are asked for before they are needed, and so the most that are held.
const AHEAD: u64 = 8;

/// What is read of a batch.
type Read = Result<Sides<Tensor>>;

/// Reads the batches of the steps of a training.
#[derive(Debug)]
pub(super) struct Prefetch {
    readers: Vec<Reader>,
    /// The order of the epoch that was asked for last.
    order: Option<(u64, Vec<i64>)>,
    /// The first step that is not asked for yet.
    next: u64,
    batch: usize,
    /// Steps in an epoch, and in all.
    steps: (u64, u64),
}

impl Prefetch {
    /// For the training from `step` on, of `steps` in an epoch and in all; `None` where no row lies on disk.
    pub(super) fn start(
        set: &Set,
        batch: i64,
        step: u64,
        steps: (u64, u64),
    ) -> Result<Option<Self>> {
        if set.on_disk().is_empty() {
            return Ok(None);
        }
        let reader = |_| Reader::start(set.on_disk().clone(), set.target.device());
        let readers = (0..READERS).map(reader).collect::<Result<_>>()?;
        Ok(Some(Self { readers, order: None, next: step, batch: batch as usize, steps }))
    }

    /// What is read for `step`, the steps one after the other. `order` gives that of the rows in an epoch.
    pub(super) fn take(&mut self, step: u64, order: &dyn Fn(u64) -> Tensor) -> Read {
        while self.next < self.steps.1.min(step + AHEAD) {
            let rows = self.rows(self.next, order)?;
            self.reader(self.next).ask(rows)?;
            self.next += 1;
        }
        self.reader(step).answer()
    }

    fn reader(&self, step: u64) -> &Reader {
        &self.readers[(step % READERS) as usize]
    }

    /// The numbers of the rows of a step.
    fn rows(&mut self, step: u64, order: &dyn Fn(u64) -> Tensor) -> Result<Vec<i64>> {
        let (epoch, within) = (step / self.steps.0, (step % self.steps.0) as usize);
        let order = match &self.order {
            Some((known, order)) if *known == epoch => order,
            _ => &self.order.insert((epoch, Vec::try_from(order(epoch))?)).1,
        };
        Ok(order.chunks(self.batch).nth(within).unwrap_or_default().to_vec())
    }
}

/// A thread that reads what it is asked for, in that order. It ends when this is dropped.
#[derive(Debug)]
struct Reader {
    /// None once it is to end.
    asked: Option<Sender<Vec<i64>>>,
    read: Receiver<Read>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    fn start(on_disk: OnDisk, device: Device) -> Result<Self> {
        let (asked, rows) = channel::<Vec<i64>>();
        let (give, read) = channel();
        let work = move || {
            for rows in rows {
                if give.send(guard_engine(|| on_disk.read(&rows, device))).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("reader".into())
            .spawn(work)
            .map_err(|e| Error::runtime(format!("no thread to read rows on: {e}")))?;
        Ok(Self { asked: Some(asked), read, thread: Some(thread) })
    }

    fn ask(&self, rows: Vec<i64>) -> Result<()> {
        let asked = self.asked.as_ref().map(|asked| asked.send(rows));
        asked.and_then(Result::ok).ok_or_else(ended)
    }

    fn answer(&self) -> Read {
        self.read.recv().unwrap_or_else(|_| Err(ended()))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It reads what is left, a few batches, and ends.
        self.asked = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn ended() -> Error {
    Error::runtime("a thread that reads rows has ended")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Normaliser, set_of};
    use crate::io::{NamedArray, safetensors};
    use std::collections::BTreeMap;
    use std::path::Path;
    use tch::Kind;

    /// 50 rows of which the i-th is (i, i + 0.5).
    fn numbered(path: &Path) -> Set {
        let values: Vec<f32> = (0..100).map(|i| i as f32 / 2.0).collect();
        let array = NamedArray::new("x", vec![50, 2], values).unwrap();
        safetensors::write_safetensors(path, &[array], &BTreeMap::new()).unwrap();
        let rows = safetensors::disk_rows(path, "x").unwrap().unwrap();
        set_of(rows, Normaliser::identity(Kind::Float, Device::Cpu), None)
    }

    /// Another order in each epoch.
    fn order(epoch: u64) -> Tensor {
        let rows: Vec<i64> = (0..50).map(|row| (row * 7 + epoch as i64) % 50).collect();
        Tensor::from_slice(&rows)
    }

    #[test]
    fn batches_come_in_the_order_of_the_steps_from_any_step_on() {
        let folder = tempfile::tempdir().unwrap();
        let set = numbered(&folder.path().join("a.safetensors"));
        // Seven batches of 8, the last of 2.
        for begin in [0, 5, 20] {
            let mut ahead = Prefetch::start(&set, 8, begin, (7, 25)).unwrap().unwrap();
            for step in begin..25 {
                let within = (step % 7) as i64 * 8;
                let index = order(step / 7).narrow(0, within, 8.min(50 - within));
                let read = ahead.take(step, &order).unwrap();
                assert_eq!(set.rows_read(&index, &read).target, set.rows(&index).target);
            }
        }
    }

    #[test]
    fn no_more_is_read_than_a_few_batches_ahead() {
        let folder = tempfile::tempdir().unwrap();
        let set = numbered(&folder.path().join("a.safetensors"));
        let mut ahead = Prefetch::start(&set, 1, 0, (50, 1000)).unwrap().unwrap();
        ahead.take(0, &order).unwrap();
        assert_eq!(ahead.next, AHEAD);
        let resident = set.first(50);
        assert!(Prefetch::start(&resident, 1, 0, (50, 1000)).unwrap().is_none());
    }

    #[test]
    fn what_goes_wrong_in_a_thread_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let set = numbered(&path);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let mut ahead = Prefetch::start(&set, 50, 0, (1, 9)).unwrap().unwrap();
        let message = ahead.take(0, &order).unwrap_err().to_string();
        assert!(message.contains("a.safetensors: array `x` cannot be read"), "{message}");
    }
}
