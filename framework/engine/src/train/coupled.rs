//! z_0 of the training steps where it is paired with the data. A block of rows is paired at once, on a
//! thread of its own, while the steps before it are taken; what is paired is told by seed and block
//! alone, so neither the thread's pace nor a stop in the middle of a block changes anything.

use super::batches::Order;
use super::latents::{Flat, Sides};
use super::worker::Worker;
use crate::component::{Coupling, CouplingContext, Pairing};
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::registry::Component;
use crate::rng::{Purpose, TorchDraws, seed_torch, stream_seed};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tch::{Device, Tensor};

/// Blocks that are handed over before they are needed.
const AHEAD: u64 = 2;
/// Streams of validation blocks: apart from those of training.
const VALIDATION: u64 = 1 << 63;

/// What pairing cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct PairingCost {
    /// Blocks that were paired.
    pub blocks: u64,
    /// Rows of a block.
    pub rows: i64,
    /// Seconds that pairing took, beside training.
    pub seconds: f64,
    /// Seconds that training waited for it.
    pub waited_seconds: f64,
}

/// Pairs blocks of rows ahead of the steps that use them.
#[derive(Debug)]
pub(super) struct Pairs {
    blocks: Blocks,
    /// Rows of a block.
    rows: i64,
    /// The first block that is not handed over yet, and the last of the training.
    next: u64,
    last: u64,
    /// The block in use: z_0 in the order of its rows, on the device.
    current: Option<(u64, Tensor)>,
    cost: PairingCost,
}

impl Pairs {
    /// For the steps from the first of these to before the second, which take `data` in this order.
    pub fn start(
        model: &Model,
        coupling: &Component<dyn Coupling>,
        data: &Rows,
        order: &Order,
        (step, total): (u64, u64),
    ) -> Result<Self> {
        let sides = Sides::of(model, data)?;
        let context = CouplingContext {
            conditions_repeat: sides.conditions_repeat()?,
            ..sides.context(model)
        };
        let rows = coupling.common().batch.unwrap_or(order.batch());
        Ok(Self {
            blocks: Blocks::start(coupling, context, sides, order.seed())?,
            rows,
            next: place(order, rows, step).0,
            last: place(order, rows, total.max(1) - 1).0,
            current: None,
            cost: PairingCost { rows, ..PairingCost::default() },
        })
    }

    /// What it cost so far.
    pub fn cost(&self) -> PairingCost {
        self.cost
    }

    /// z_0 `[rows, …z_shape]` of a step, in the order of its rows; steps are taken in turn.
    pub fn take(
        &mut self,
        model: &Model,
        order: &mut Order,
        step: u64,
        rows: i64,
    ) -> Result<Tensor> {
        let (block, from) = place(order, self.rows, step);
        while self.next <= self.last.min(block + AHEAD) {
            let (epoch, within) =
                (self.next / order.parts(self.rows), self.next % order.parts(self.rows));
            let from = within as i64 * self.rows;
            let rows = self.rows.min(order.rows() - from);
            let index = order.epoch(epoch).narrow(0, from, rows);
            self.blocks.hand_over(model, self.next, &index)?;
            self.next += 1;
        }
        while self.current.as_ref().is_none_or(|(current, _)| *current != block) {
            let began = Instant::now();
            let done = self.blocks.take()?;
            self.cost.waited_seconds += began.elapsed().as_secs_f64();
            self.cost.seconds += done.took.as_secs_f64();
            self.cost.blocks += 1;
            let z0 = done.z0.index_select(0, &done.pairs);
            self.current = Some((done.block, z0.to_device(model.vars.device())));
        }
        let z0 = self.current.as_ref().map(|(_, z0)| z0.narrow(0, from, rows));
        z0.ok_or_else(|| Error::runtime("no block is paired"))
    }
}

/// The block of a step, where blocks have so many rows, and where in it the step's rows begin.
fn place(order: &Order, rows: i64, step: u64) -> (u64, i64) {
    let (epoch, within) = order.place(step);
    (epoch * order.parts(rows) + (within.start / rows) as u64, within.start % rows)
}

/// How the validation rows are paired: kept is which of a block's z_0 each row has, and the z_0 are drawn again.
#[derive(Debug)]
pub(super) struct ValidationPairs {
    seed: u64,
    /// Rows of a block.
    rows: i64,
    /// Of each block, `[rows]` int64 on the CPU.
    blocks: Vec<Tensor>,
}

impl ValidationPairs {
    /// Of all rows of `data` as they stand, paired block by block.
    pub fn of(
        model: &Model,
        coupling: &Component<dyn Coupling>,
        data: &Rows,
        (seed, batch): (u64, i64),
    ) -> Result<Self> {
        let rows = coupling.common().batch.unwrap_or(batch);
        let sides = Sides::of(model, data)?;
        // A small validation set says nothing about how often a condition occurs.
        let context = sides.context(model);
        let mut blocks = Blocks::start(coupling, context, sides, seed)?;
        let mut pairs = Vec::new();
        for (block, from) in (0..data.len()).step_by(rows as usize).enumerate() {
            let index: Vec<i64> = (from..data.len().min(from + rows)).collect();
            blocks.hand_over(model, VALIDATION | block as u64, &Tensor::from_slice(&index))?;
            if blocks.waiting.len() as u64 > AHEAD {
                pairs.push(blocks.take()?.pairs);
            }
        }
        while !blocks.waiting.is_empty() {
            pairs.push(blocks.take()?.pairs);
        }
        Ok(Self { seed, rows, blocks: pairs })
    }

    /// z_0 of `n` rows from `from` on, all of one block, on the device. `last` keeps the block for the next of them.
    pub fn z0(
        &self,
        model: &Model,
        last: &mut Option<(i64, Tensor)>,
        (from, n): (i64, i64),
    ) -> Result<Tensor> {
        let block = from / self.rows;
        let z0 = match last {
            Some((of, z0)) if *of == block => z0,
            _ => {
                let pairs = &self.blocks[block as usize];
                let at = (self.seed, VALIDATION | block as u64);
                let z0 = draw(model, pairs.size()[0], at)?.index_select(0, pairs);
                &last.insert((block, z0.to_device(model.vars.device()))).1
            }
        };
        Ok(z0.narrow(0, from % self.rows, n))
    }
}

/// z_0 of a block, on the CPU, where it is paired: nothing waits for the device.
fn draw(model: &Model, n: i64, (seed, block): (u64, u64)) -> Result<Tensor> {
    let shape = [&[n], model.latent_shape()].concat();
    let _stream = seed_torch(seed, Purpose::Couple, block);
    tch::no_grad(|| model.source().draw(&TorchDraws, &shape, (model.vars.kind(), Device::Cpu)))
}

/// Blocks in the hands of a worker.
#[derive(Debug)]
struct Blocks {
    seed: u64,
    worker: Worker<Job, Paired>,
    /// The blocks that were handed over, with their z_0.
    waiting: VecDeque<(u64, Tensor)>,
}

/// A block of rows, by their numbers, to be paired with as many z_0.
struct Job {
    rows: Tensor,
    source: Flat,
    seed: u64,
}

/// For each row of a block the z_0 that it is paired with, and how long that took.
type Paired = (Vec<i64>, Duration);

/// A block that is paired.
struct Done {
    block: u64,
    /// As they were drawn.
    z0: Tensor,
    /// For each row its z_0, `[rows]` int64.
    pairs: Tensor,
    took: Duration,
}

impl Blocks {
    fn start(
        coupling: &Component<dyn Coupling>,
        context: CouplingContext,
        sides: Sides,
        seed: u64,
    ) -> Result<Self> {
        let coupling = coupling.clone();
        let build = move || {
            let built = coupling.build(&context)?;
            Ok(move |job: Job| pair(&*built, &sides, &job))
        };
        Ok(Self { seed, worker: Worker::start("coupling", build)?, waiting: VecDeque::new() })
    }

    /// Hands over the rows of `index` (`[k]`, on the CPU).
    fn hand_over(&mut self, model: &Model, block: u64, index: &Tensor) -> Result<()> {
        let z0 = draw(model, index.size()[0], (self.seed, block))?;
        self.worker.ask(Job {
            rows: index.copy(),
            source: Flat::of(&z0)?,
            seed: stream_seed(self.seed, Purpose::Pair, block),
        })?;
        self.waiting.push_back((block, z0));
        Ok(())
    }

    /// The oldest block that was not taken yet.
    fn take(&mut self) -> Result<Done> {
        let (pairs, took) = self.worker.answer()?;
        let waiting = self.waiting.pop_front();
        let none = || Error::runtime("pairs came that were not asked for");
        let (block, z0) = waiting.ok_or_else(none)?;
        Ok(Done { block, z0, pairs: Tensor::from_slice(&pairs), took })
    }
}

fn pair(coupling: &dyn Coupling, sides: &Sides, job: &Job) -> Result<Paired> {
    let began = Instant::now();
    let (target, condition) = sides.rows(&job.rows)?;
    let rows = Pairing {
        source: job.source.points()?,
        target: target.points()?,
        condition: condition.as_ref().map(Flat::points).transpose()?,
        seed: job.seed,
    };
    let pairs = coupling.pair(&rows)?;
    let n = rows.len();
    if pairs.len() != n || pairs.iter().any(|row| *row >= n) {
        let message = format!(
            "the coupling gives {} rows from 0 to {} for {n} rows",
            pairs.len(),
            pairs.iter().max().copied().unwrap_or_default()
        );
        return Err(Error::runtime(message));
    }
    Ok((pairs.into_iter().map(|row| row as i64).collect(), began.elapsed()))
}
