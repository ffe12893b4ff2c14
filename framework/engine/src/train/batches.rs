//! The batches of a training, in the order of its steps. Rows in memory are gathered and rows in a
//! file are read ahead; each row has its z_0 if that is paired with the data.

use super::coupled::{PairingCost, Pairs};
use super::prefetch::Prefetch;
use crate::component::Coupling;
use crate::data::{Batch, Rows};
use crate::error::Result;
use crate::model::Model;
use crate::registry::Component;
use crate::rng::{Purpose, seed_torch};
use std::collections::BTreeMap;
use std::ops::Range;
use tch::{Device, Kind, Tensor};

/// Number of values in the rows that are gathered at once: the rows of several smaller steps are
/// taken together.
const NUMBERS: i64 = 1 << 18;

/// Order in which steps take the rows, drawn anew for each epoch.
#[derive(Debug)]
pub(super) struct Order {
    rows: i64,
    /// Rows of a step; the last of an epoch may have fewer.
    batch: i64,
    seed: u64,
    /// Orders on the CPU, of the epoch of the current step and of those that are prepared.
    epochs: BTreeMap<u64, Tensor>,
}

impl Order {
    pub fn new(rows: i64, batch: i64, seed: u64) -> Self {
        Self { rows, batch, seed, epochs: BTreeMap::new() }
    }

    /// Number of rows in an epoch.
    pub fn rows(&self) -> i64 {
        self.rows
    }

    /// Seed of the order.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Number of rows in a step.
    pub fn batch(&self) -> i64 {
        self.batch
    }

    /// Number of steps in an epoch.
    pub fn steps(&self) -> u64 {
        self.parts(self.batch)
    }

    /// Number of parts in an epoch if each but the last has `rows` rows.
    pub fn parts(&self, rows: i64) -> u64 {
        ((self.rows + rows - 1) / rows).max(1) as u64
    }

    /// The epoch of a step, and the range of its rows in the order of that epoch.
    pub fn place(&self, step: u64) -> (u64, Range<i64>) {
        let (epoch, within) = (step / self.steps(), step % self.steps());
        let from = within as i64 * self.batch;
        (epoch, from..self.rows.min(from + self.batch))
    }

    /// The order in an epoch, `[rows]` int64 on the CPU.
    pub fn epoch(&mut self, epoch: u64) -> &Tensor {
        let (rows, seed) = (self.rows, self.seed);
        self.epochs.entry(epoch).or_insert_with(|| {
            let _stream = seed_torch(seed, Purpose::Shuffle, epoch);
            Tensor::randperm(rows, (Kind::Int64, Device::Cpu))
        })
    }

    /// Drops the orders of earlier epochs.
    fn forget_before(&mut self, epoch: u64) {
        self.epochs = self.epochs.split_off(&epoch);
    }
}

/// The batches of a training.
#[derive(Debug)]
pub(super) struct Batches {
    order: Order,
    /// Number and order of the epoch of the last step, on the device.
    here: Option<(u64, Tensor)>,
    gathered: Gathered,
    /// Readers of columns that stay in a file; `None` if all are in memory.
    ahead: Option<Prefetch>,
    /// Pairs of z_0 with the data; `None` if they are independent.
    pairs: Option<Pairs>,
}

/// Rows in memory that are taken for several small steps at once.
#[derive(Debug)]
struct Gathered {
    /// Number of steps whose rows are gathered at once.
    several: u64,
    /// The first of these steps, and their rows.
    near: Option<(u64, Batch)>,
}

impl Batches {
    /// Batches of `batch` rows for the steps from `step` up to `total`, in the order of `seed`.
    pub fn start(
        rows: &Rows,
        (batch, seed): (i64, u64),
        (step, total): (u64, u64),
    ) -> Result<Self> {
        let several = NUMBERS / batch.saturating_mul(rows.numbers_of_row()).max(1);
        let gathered = Gathered { several: several.clamp(1, 64) as u64, near: None };
        let stored = rows.stored();
        let ahead = stored.map(|stored| Prefetch::start(&stored, (step, total))).transpose()?;
        let order = Order::new(rows.len(), batch, seed);
        Ok(Self { order, here: None, gathered, ahead, pairs: None })
    }

    /// These batches, each row with the z_0 that `coupling` pairs with it.
    pub fn paired(
        mut self,
        model: &Model,
        coupling: &Component<dyn Coupling>,
        rows: &Rows,
        steps: (u64, u64),
    ) -> Result<Self> {
        self.pairs = Some(Pairs::start(model, coupling, rows, &self.order, steps)?);
        Ok(self)
    }

    /// Cost of pairing so far; `None` without pairing.
    pub fn pairing_cost(&self) -> Option<PairingCost> {
        self.pairs.as_ref().map(Pairs::cost)
    }

    /// Takes the rows of a step, with their z_0 if it is paired. Steps must be taken one after the
    /// other.
    pub fn take(&mut self, rows: &Rows, model: &Model, step: u64) -> Result<Batch> {
        let batch = self.rows_of(rows, step)?;
        let Some(pairs) = &mut self.pairs else { return Ok(batch) };
        let z0 = Some(pairs.take(model, &mut self.order, step, batch.len())?);
        Ok(Batch { z0, ..batch })
    }

    fn rows_of(&mut self, rows: &Rows, step: u64) -> Result<Batch> {
        let (epoch, within) = self.order.place(step);
        self.order.forget_before(epoch);
        let order = match &self.here {
            Some((of, order)) if *of == epoch => order,
            _ => {
                let order = self.order.epoch(epoch).to_device(rows.device());
                &self.here.insert((epoch, order)).1
            }
        };
        match &mut self.ahead {
            Some(ahead) => {
                let index = order.narrow(0, within.start, within.end - within.start);
                rows.finish(&(&index).into(), ahead.take(step, &mut self.order)?)
            }
            None => self.gathered.take(rows, order, &self.order, step),
        }
    }
}

impl Gathered {
    fn take(&mut self, rows: &Rows, here: &Tensor, order: &Order, step: u64) -> Result<Batch> {
        let (_, within) = order.place(step);
        // The same steps are always gathered together, even after resuming, because the rounding of
        // a product can depend on the place of its rows in memory.
        let first = step - step % order.steps() % self.several;
        let (_, begin) = order.place(first);
        let near = match &self.near {
            Some((of, near)) if *of == first => near,
            _ => {
                let many = (self.several as i64 * order.batch).min(order.rows - begin.start);
                let index = here.narrow(0, begin.start, many);
                &self.near.insert((first, rows.take(&index)?)).1
            }
        };
        Ok(near.narrow(within.start - begin.start, within.end - within.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Column, numbered_rows};

    /// Numbers of the rows of each step from `begin` up to `end`, for 50 rows of `width` values.
    fn steps(width: i64, batch: i64, (begin, end): (u64, u64)) -> Vec<Vec<i64>> {
        let mut rows = numbered_rows(0..50);
        let wide = rows.take(0..50).unwrap().target.expand([50, width], false).contiguous();
        rows.target.column = Column::held(wide, Kind::Float);
        let mut batches = Batches::start(&rows, (batch, 6), (begin, end)).unwrap();
        let of = |step| {
            let taken = batches.rows_of(&rows, step).unwrap().target;
            assert_eq!(taken.size()[1], width);
            let first = taken.select(1, 0).to_kind(Kind::Int64);
            assert!(taken.eq_tensor(&taken.narrow(1, 0, 1)).all().int64_value(&[]) == 1);
            Vec::try_from(first).unwrap()
        };
        (begin..end).map(of).collect()
    }

    #[test]
    fn each_epoch_takes_every_row_once_in_an_order_of_its_own_from_any_step_on() {
        // An epoch of small rows is gathered at once; large rows are gathered step by step.
        for (width, batch, of_epoch) in [(1, 8, &[8, 8, 8, 8, 8, 8, 2][..]), (8192, 30, &[30, 20])]
        {
            let n = of_epoch.len();
            let all = steps(width, batch, (0, 4 * n as u64));
            let mut orders = Vec::new();
            for epoch in all.chunks(n) {
                assert!(epoch.iter().map(Vec::len).eq(of_epoch.iter().copied()), "{epoch:?}");
                let order = epoch.concat();
                let mut sorted = order.clone();
                sorted.sort_unstable();
                assert!(sorted.into_iter().eq(0..50), "{order:?}");
                assert!(!orders.contains(&order), "{order:?}");
                orders.push(order);
            }
            for begin in [1, n - 1, n, 2 * n + 1] {
                let rest = steps(width, batch, (begin as u64, 4 * n as u64));
                assert_eq!(rest, all[begin..], "from {begin}");
            }
        }
        assert_eq!(steps(1, 8, (0, 20)), steps(8192, 8, (0, 20)), "gathered at once or not");
    }

    #[test]
    fn orders_of_epochs_that_are_over_are_forgotten() {
        let rows = numbered_rows(0..50);
        let mut batches = Batches::start(&rows, (8, 6), (0, 700)).unwrap();
        for step in 0..700 {
            batches.rows_of(&rows, step).unwrap();
            assert!(batches.order.epochs.len() < 3, "{step}");
        }
    }
}
