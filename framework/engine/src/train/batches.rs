//! The batches of a training, in the order of its steps. Rows in memory are gathered and rows in a
//! file are read ahead; each row has its z_0 if that is paired with the data.

use super::coupled::{PairingCost, Pairs};
use super::prefetch::Prefetch;
use super::share::Share;
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
    /// Weights by which rows are drawn; `None`: each once an epoch.
    weights: Option<Vec<f64>>,
    /// Rows of a step; the last of an epoch may have fewer.
    batch: i64,
    seed: u64,
    /// The parts of each batch that this process takes.
    share: Share,
    /// Orders on the CPU, of the epoch of the current step and of those that are prepared.
    epochs: BTreeMap<u64, Tensor>,
}

impl Order {
    pub fn new(rows: i64, batch: i64, seed: u64) -> Self {
        let share = Share::ALL;
        Self { rows, weights: None, batch, seed, share, epochs: BTreeMap::new() }
    }

    /// This order with a share of each batch.
    pub fn shared(self, share: Share) -> Self {
        Self { share, ..self }
    }

    /// This order with the rows drawn by `weights`, one for each; `None`: each once an epoch.
    pub fn weighted(self, weights: Option<&[f64]>) -> Self {
        Self { weights: weights.map(<[f64]>::to_vec), ..self }
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

    /// The epoch of a step, and the range of this process's rows of it in the order of that epoch.
    pub fn own(&self, step: u64) -> (u64, Range<i64>) {
        let (epoch, within) = self.place(step);
        let own = self.share.rows(within.end - within.start);
        (epoch, within.start + own.start..within.start + own.end)
    }

    /// Number of this process's rows in each step but the last of an epoch.
    fn own_batch(&self) -> i64 {
        let own = self.share.rows(self.batch);
        own.end - own.start
    }

    /// The order in an epoch, `[rows]` int64 on the CPU.
    pub fn epoch(&mut self, epoch: u64) -> &Tensor {
        let Self { rows, seed, weights, epochs, .. } = self;
        epochs.entry(epoch).or_insert_with(|| {
            let _stream = seed_torch(*seed, Purpose::Shuffle, epoch);
            let order = Tensor::randperm(*rows, (Kind::Int64, Device::Cpu));
            match weights {
                None => order,
                Some(weights) => {
                    let shift = Tensor::rand([], (Kind::Double, Device::Cpu)).double_value(&[]);
                    Tensor::from_slice(&drawn(weights, shift)).index_select(0, &order)
                }
            }
        })
    }

    /// Drops the orders of earlier epochs.
    fn forget_before(&mut self, epoch: u64) {
        self.epochs = self.epochs.split_off(&epoch);
    }
}

/// Draws as many rows as there are weights, in their order, row i n·w_i/Σw times on average.
///
/// The draws are n equal steps along the sum of the weights, which begin at the share `shift`, in
/// \[0, 1), of the first: each row is taken as often as it has steps, so n·w_i/Σw rounded down or
/// up (systematic sampling).
fn drawn(weights: &[f64], shift: f64) -> Vec<i64> {
    let n = weights.len();
    let largest = weights.iter().copied().fold(0.0, f64::max);
    let sum: f64 = weights.iter().map(|weight| weight / largest).sum();
    let (mut rows, mut end) = (Vec::with_capacity(n), 0.0);
    for (row, weight) in (0..).zip(weights) {
        end += weight / largest;
        while rows.len() < n && (rows.len() as f64 + shift) * sum < end * n as f64 {
            rows.push(row);
        }
    }
    // The rounding of the sum may leave out the last step.
    let last = weights.iter().rposition(|weight| *weight > 0.0).unwrap_or_default();
    rows.resize(n, last as i64);
    rows
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
    /// Batches for the steps from `step` up to `total`, which take `rows` in this order.
    pub fn start(rows: &Rows, order: Order, (step, total): (u64, u64)) -> Result<Self> {
        let several = NUMBERS / order.own_batch().saturating_mul(rows.numbers_of_row()).max(1);
        let gathered = Gathered { several: several.clamp(1, 64) as u64, near: None };
        let stored = rows.stored();
        let ahead = stored.map(|stored| Prefetch::start(&stored, (step, total))).transpose()?;
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

    /// Number of rows of a step, of all processes.
    pub fn rows(&self, step: u64) -> i64 {
        let (_, within) = self.order.place(step);
        within.end - within.start
    }

    /// Cost of pairing so far; `None` without pairing.
    pub fn pairing_cost(&self) -> Option<PairingCost> {
        self.pairs.as_ref().map(Pairs::cost)
    }

    /// Takes this process's rows of a step, with their z_0 if it is paired. Steps must be taken one
    /// after the other.
    pub fn take(&mut self, rows: &Rows, model: &Model, step: u64) -> Result<Batch> {
        let batch = self.rows_of(rows, step)?;
        let Some(pairs) = &mut self.pairs else { return Ok(batch) };
        let z0 = Some(pairs.take(model, &mut self.order, step)?);
        Ok(Batch { z0, ..batch })
    }

    fn rows_of(&mut self, rows: &Rows, step: u64) -> Result<Batch> {
        let (epoch, within) = self.order.own(step);
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
        let (_, within) = order.own(step);
        // The same steps are always gathered together, even after resuming, because the rounding of
        // a product can depend on the place of its rows in memory.
        let first = step - step % order.steps() % self.several;
        let near = match &self.near {
            Some((of, near)) if *of == first => near,
            _ => {
                let last =
                    (first + self.several).min(first - first % order.steps() + order.steps());
                let own = (first..last).map(|step| order.own(step).1);
                let index: Vec<Tensor> =
                    own.map(|own| here.narrow(0, own.start, own.end - own.start)).collect();
                &self.near.insert((first, rows.take(&Tensor::cat(&index, 0))?)).1
            }
        };
        // All steps before this one have as many rows.
        let from = (step - first) as i64 * order.own_batch();
        Ok(near.narrow(from, within.end - within.start))
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
        let mut batches = Batches::start(&rows, Order::new(50, batch, 6), (begin, end)).unwrap();
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
        let mut batches = Batches::start(&rows, Order::new(50, 8, 6), (0, 700)).unwrap();
        for step in 0..700 {
            batches.rows_of(&rows, step).unwrap();
            assert!(batches.order.epochs.len() < 3, "{step}");
        }
    }

    /// Number of draws of each row in an epoch.
    fn counts(order: &mut Order, epoch: u64, rows: usize) -> Vec<u64> {
        let mut counts = vec![0; rows];
        let drawn = Vec::<i64>::try_from(order.epoch(epoch)).unwrap();
        assert_eq!(drawn.len(), rows);
        drawn.into_iter().for_each(|row| counts[row as usize] += 1);
        counts
    }

    #[test]
    fn a_row_is_drawn_in_proportion_to_its_weight_with_the_least_scatter() {
        let weights = [3.0, 0.0, 1.0, 0.5, 2.5, 1.0, 1.5, 0.5];
        let mut order = Order::new(8, 3, 6).weighted(Some(&weights));
        let mut totals = [0.0; 8];
        for epoch in 0..1000 {
            for (row, count) in counts(&mut order, epoch, 8).into_iter().enumerate() {
                // n·w/Σw, with a sum of 10.
                let expected = 0.8 * weights[row];
                assert!((count as f64 - expected).abs() < 1.0, "{row}: {count} in epoch {epoch}");
                totals[row] += count as f64 / 1000.0;
            }
        }
        for (row, mean) in totals.iter().enumerate() {
            assert!((mean - 0.8 * weights[row]).abs() < 0.05, "{row}: {mean}");
        }
        // The same again from any epoch on, and in another order in each.
        let mut again = Order::new(8, 3, 6).weighted(Some(&weights));
        assert_eq!(again.epoch(77), order.epoch(77));
        assert_ne!(again.epoch(78), order.epoch(77));
    }

    #[test]
    fn equal_weights_take_every_row_once_an_epoch() {
        for weight in [1.0, 0.1, 1e300, 1e-300, 7.0 / 3.0] {
            let mut order = Order::new(1000, 8, 6).weighted(Some(&[weight; 1000]));
            for epoch in 0..20 {
                assert!(counts(&mut order, epoch, 1000).iter().all(|count| *count == 1));
            }
        }
    }

    #[test]
    fn the_last_row_is_not_drawn_without_a_weight() {
        for shift in [0.0, 0.5, 1.0 - f64::EPSILON] {
            assert_eq!(drawn(&[0.0, 0.1, 0.0], shift), [1, 1, 1]);
            assert_eq!(drawn(&[1.0, 0.0], shift), [0, 0]);
        }
    }
}
