//! z_0 of training steps if it is paired with the data. A block of rows is paired on a thread of
//! its own while earlier steps are taken. The pairs depend on the seed and the block only, so
//! neither the speed of the thread nor a stop in the middle of a block changes the result.

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

/// Number of blocks that are submitted before they are needed.
const AHEAD: u64 = 2;
/// Offset of the random streams of validation blocks from those of training blocks.
const VALIDATION: u64 = 1 << 63;

/// Cost of pairing z_0 with the data so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct PairingCost {
    /// Number of blocks that were paired.
    pub blocks: u64,
    /// Rows of a block.
    pub rows: i64,
    /// Time of pairing in seconds, on its own thread.
    pub seconds: f64,
    /// Time in seconds that training waited for pairs.
    pub waited_seconds: f64,
}

/// Pairs blocks of rows ahead of the steps that use them.
#[derive(Debug)]
pub(super) struct Pairs {
    blocks: Blocks,
    /// Rows of a block.
    rows: i64,
    /// The first block that is not submitted yet.
    next: u64,
    /// The last block of the training.
    last: u64,
    /// The block in use: z_0 in the order of its rows, on the device.
    current: Option<(u64, Tensor)>,
    cost: PairingCost,
}

impl Pairs {
    /// Starts pairing for the steps from `step` up to `total`, which take `data` in the order
    /// `order`.
    pub fn start(
        model: &Model,
        coupling: &Component<dyn Coupling>,
        data: &Rows,
        order: &Order,
        (step, total): (u64, u64),
    ) -> Result<Self> {
        let sides = Sides::new(model, data)?;
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

    /// Cost of pairing so far.
    pub fn cost(&self) -> PairingCost {
        self.cost
    }

    /// Returns z_0 `[rows, …z_shape]` of this process's rows of a step, in their order. Steps must
    /// be taken one after the other.
    pub fn take(&mut self, model: &Model, order: &mut Order, step: u64) -> Result<Tensor> {
        let (block, from) = place(order, self.rows, step);
        let (whole, own) = (order.place(step).1, order.own(step).1);
        let (from, rows) = (from + own.start - whole.start, own.end - own.start);
        while self.next <= self.last.min(block + AHEAD) {
            let (epoch, within) =
                (self.next / order.parts(self.rows), self.next % order.parts(self.rows));
            let from = within as i64 * self.rows;
            let rows = self.rows.min(order.rows() - from);
            let index = order.epoch(epoch).narrow(0, from, rows);
            self.blocks.submit(model, self.next, &index)?;
            self.next += 1;
        }
        while self.current.as_ref().is_none_or(|(current, _)| *current != block) {
            let began = Instant::now();
            let done = self.blocks.take()?;
            self.cost.waited_seconds += began.elapsed().as_secs_f64();
            self.cost.seconds += done.duration.as_secs_f64();
            self.cost.blocks += 1;
            let z0 = done.z0.index_select(0, &done.pairs);
            self.current = Some((done.block, z0.to_device(model.vars.device())));
        }
        let z0 = self.current.as_ref().map(|(_, z0)| z0.narrow(0, from, rows));
        z0.ok_or_else(|| Error::runtime("no block is paired"))
    }
}

/// Number of the block of `rows` rows that contains a step's rows, and the position in it where
/// they begin.
fn place(order: &Order, rows: i64, step: u64) -> (u64, i64) {
    let (epoch, within) = order.place(step);
    (epoch * order.parts(rows) + (within.start / rows) as u64, within.start % rows)
}

/// Pairs of the validation rows. Only the indices of z_0 within each block are kept; the z_0 are
/// drawn again.
#[derive(Debug)]
pub(super) struct ValidationPairs {
    seed: u64,
    /// Rows of a block.
    rows: i64,
    /// Index of each row's z_0, `[rows]` int64 on the CPU, for each block.
    blocks: Vec<Tensor>,
}

impl ValidationPairs {
    /// Pairs all rows of `data` in their order, block by block.
    pub fn new(
        model: &Model,
        coupling: &Component<dyn Coupling>,
        data: &Rows,
        (seed, batch): (u64, i64),
    ) -> Result<Self> {
        let rows = coupling.common().batch.unwrap_or(batch);
        let sides = Sides::new(model, data)?;
        // A small validation set does not show how often conditions repeat.
        let context = sides.context(model);
        let mut blocks = Blocks::start(coupling, context, sides, seed)?;
        let mut pairs = Vec::new();
        for (block, from) in (0..data.len()).step_by(rows as usize).enumerate() {
            let index: Vec<i64> = (from..data.len().min(from + rows)).collect();
            blocks.submit(model, VALIDATION | block as u64, &Tensor::from_slice(&index))?;
            if blocks.waiting.len() as u64 > AHEAD {
                pairs.push(blocks.take()?.pairs);
            }
        }
        while !blocks.waiting.is_empty() {
            pairs.push(blocks.take()?.pairs);
        }
        Ok(Self { seed, rows, blocks: pairs })
    }

    /// Returns z_0 of `n` rows from row `from`, all of one block, on the device. `last` memoises
    /// the block for the next call.
    pub fn z0(
        &self,
        model: &Model,
        last: &mut Option<(i64, Tensor)>,
        (from, n): (i64, i64),
    ) -> Result<Tensor> {
        let block = from / self.rows;
        let z0 = match last {
            Some((last, z0)) if *last == block => z0,
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

/// Draws z_0 of a block on the CPU, where it is paired, so that nothing waits for the device.
fn draw(model: &Model, n: i64, (seed, block): (u64, u64)) -> Result<Tensor> {
    let shape = [&[n], model.latent_shape()].concat();
    let _stream = seed_torch(seed, Purpose::Couple, block);
    tch::no_grad(|| model.source().draw(&TorchDraws, &shape, (model.vars.kind(), Device::Cpu)))
}

/// Blocks that a worker thread pairs.
#[derive(Debug)]
struct Blocks {
    seed: u64,
    worker: Worker<Job, Paired>,
    /// The blocks that were submitted and not taken yet, with their z_0.
    waiting: VecDeque<(u64, Tensor)>,
}

/// A block of rows that is to be paired with equally many z_0.
struct Job {
    /// Numbers of the rows.
    rows: Tensor,
    source: Flat,
    seed: u64,
}

/// Index of the z_0 of each row of a block, and the time that pairing took.
type Paired = (Vec<i64>, Duration);

/// A block that is paired.
struct PairedBlock {
    block: u64,
    /// z_0 in the order in which they were drawn.
    z0: Tensor,
    /// Index of each row's z_0, `[rows]` int64.
    pairs: Tensor,
    duration: Duration,
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

    /// Submits the block of the rows at `index`, `[k]` on the CPU.
    fn submit(&mut self, model: &Model, block: u64, index: &Tensor) -> Result<()> {
        let z0 = draw(model, index.size()[0], (self.seed, block))?;
        self.worker.submit(Job {
            rows: index.copy(),
            source: Flat::new(&z0)?,
            seed: stream_seed(self.seed, Purpose::Pair, block),
        })?;
        self.waiting.push_back((block, z0));
        Ok(())
    }

    /// Takes the oldest block that was not taken yet, and waits until it is paired.
    fn take(&mut self) -> Result<PairedBlock> {
        let (pairs, duration) = self.worker.receive()?;
        let waiting = self.waiting.pop_front();
        let none = || Error::runtime("there are pairs for which no block was submitted");
        let (block, z0) = waiting.ok_or_else(none)?;
        Ok(PairedBlock { block, z0, pairs: Tensor::from_slice(&pairs), duration })
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
