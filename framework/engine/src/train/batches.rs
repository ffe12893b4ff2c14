//! The rows of each step, in an order that is drawn anew for each epoch.

use super::prefetch::Prefetch;
use crate::data::Set;
use crate::error::Result;
use crate::rng::{Purpose, seed_torch};
use tch::{Device, Kind, Tensor};

/// Numbers in the rows that are gathered at once: steps that are smaller share the work of taking them.
const NUMBERS: i64 = 1 << 18;

/// Gathered where they are held, several small steps at once; or read ahead, where they stay on disk.
#[derive(Debug)]
pub(super) struct Batches {
    seed: u64,
    batch: i64,
    device: Device,
    per_epoch: u64,
    /// Steps whose rows are gathered at once.
    several: u64,
    order: Option<(u64, Tensor)>,
    /// Rows of the steps from this one on.
    near: Option<(u64, Set)>,
    ahead: Option<Prefetch>,
}

impl Batches {
    /// Those of `set` for the steps from the first of `steps` to before the second; `batch` and `seed`: see
    /// [`Training`](crate::config::Training).
    pub(super) fn start(
        set: &Set,
        (batch, seed): (i64, u64),
        device: Device,
        (step, total): (u64, u64),
    ) -> Result<Self> {
        let per_epoch = ((set.len() + batch - 1) / batch).max(1) as u64;
        let several =
            (NUMBERS / batch.saturating_mul(set.numbers_of_row()).max(1)).clamp(1, 64) as u64;
        let ahead = Prefetch::start(set, batch, step, (per_epoch, total))?;
        Ok(Self { seed, batch, device, per_epoch, several, order: None, near: None, ahead })
    }

    /// The rows of a step of `set`; steps are taken in turn.
    pub(super) fn take(&mut self, set: &Set, step: u64) -> Result<Set> {
        let (epoch, within) = (step / self.per_epoch, step % self.per_epoch);
        let (n, seed) = (set.len(), self.seed);
        let order = match &self.order {
            Some((of, order)) if *of == epoch => order,
            _ => {
                let order = shuffled(n, seed, epoch).to_device(self.device);
                &self.order.insert((epoch, order)).1
            }
        };
        let from = within as i64 * self.batch;
        let rows = self.batch.min(n - from);
        if let Some(ahead) = &mut self.ahead {
            let read = ahead.take(step, &|epoch| shuffled(n, seed, epoch))?;
            return Ok(set.rows_read(&order.narrow(0, from, rows), &read));
        }
        // Always the same steps together, wherever training went on: what a product rounds may depend on where
        // its rows lie.
        let first = within - within % self.several;
        let begin = first as i64 * self.batch;
        let key = epoch * self.per_epoch + first;
        let near = match &self.near {
            Some((of, near)) if *of == key => near,
            _ => {
                let many = (self.several as i64 * self.batch).min(n - begin);
                &self.near.insert((key, set.rows(&order.narrow(0, begin, many)))).1
            }
        };
        Ok(near.narrow(from - begin, rows))
    }
}

/// The order of `rows` rows in an epoch, on the CPU.
pub(super) fn shuffled(rows: i64, seed: u64, epoch: u64) -> Tensor {
    let _stream = seed_torch(seed, Purpose::Shuffle, epoch);
    Tensor::randperm(rows, (Kind::Int64, Device::Cpu))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::numbered_rows;

    #[test]
    fn each_step_has_its_rows_of_the_epochs_order_from_any_step_on() {
        let set = numbered_rows(0..50);
        // Seven batches of 8 an epoch, the last of 2, all gathered at once; and batches that are taken one by one.
        for (batch, per_epoch) in [(8, 7), (30, 2)] {
            for begin in [0, 3, 9] {
                let mut batches =
                    Batches::start(&set, (batch, 6), Device::Cpu, (begin, 25)).unwrap();
                if batch == 30 {
                    batches.several = 1;
                }
                for step in begin..25 {
                    let from = (step % per_epoch) as i64 * batch;
                    let order = shuffled(50, 6, step / per_epoch);
                    let index = order.narrow(0, from, batch.min(50 - from));
                    assert_eq!(batches.take(&set, step).unwrap().target, set.rows(&index).target);
                }
            }
        }
    }
}
