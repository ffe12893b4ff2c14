//! z_0 of the training steps where it is paired with the data. A block of rows is paired at once, on a
//! thread of its own, while the steps before it are taken; what is paired is told by seed and block
//! alone, so neither the thread's pace nor a stop in the middle of a block changes anything.

use crate::component::{Coupling, CouplingContext, Pairing, Source};
use crate::data::Set;
use crate::error::{Error, Result};
use crate::metrics::Points;
use crate::model::Model;
use crate::registry::{Component, guard_engine};
use crate::rng::{Purpose, TorchDraws, seed_torch, stream_seed};
use std::collections::{HashSet, VecDeque};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

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

/// How the rows of a block are found.
pub(super) struct Rows<'t> {
    /// All rows, in the model's units.
    pub(super) set: &'t Set,
    /// The order of the rows in an epoch, on the CPU.
    pub(super) order: &'t dyn Fn(u64) -> Tensor,
    /// Steps in all.
    pub(super) total_steps: u64,
}

/// Pairs blocks of rows ahead of the steps that use them.
#[derive(Debug)]
pub(super) struct Coupled {
    seed: u64,
    batch: i64,
    /// Rows of a block.
    rows: i64,
    worker: Worker,
    /// Latents and conditions of all rows, flat, on the CPU.
    sides: Sides,
    /// The order of the epoch that was handed over last.
    order: Option<(u64, Tensor)>,
    /// The first block that is not handed over yet.
    next: u64,
    /// Blocks in the worker's hands, with their z_0.
    ahead: VecDeque<(u64, Tensor)>,
    /// The block in use: z_0 in the order of its rows, on the device.
    current: Option<(u64, Tensor)>,
    cost: PairingCost,
}

impl Coupled {
    /// Begins to pair, with the block of `step`.
    pub(super) fn start(
        model: &Model,
        coupling: &Component<dyn Coupling>,
        set: &Set,
        (seed, batch, step): (u64, i64, u64),
    ) -> Result<Self> {
        let rows = coupling.common().batch.unwrap_or(batch);
        let sides = Sides::of(model, set)?;
        let mut new = Self {
            seed,
            batch,
            rows,
            worker: Worker::start(coupling, sides.context(model, set)?)?,
            sides,
            order: None,
            next: 0,
            ahead: VecDeque::new(),
            current: None,
            cost: PairingCost { rows, ..PairingCost::default() },
        };
        new.next = new.place(step, set.len()).0;
        Ok(new)
    }

    /// What it cost so far.
    pub(super) fn cost(&self) -> PairingCost {
        self.cost
    }

    /// The block of a step, and where in it the step's rows begin.
    fn place(&self, step: u64, n: i64) -> (u64, i64) {
        let (steps, blocks) = (parts(n, self.batch), parts(n, self.rows));
        let from = (step % steps) as i64 * self.batch;
        (step / steps * blocks + (from / self.rows) as u64, from % self.rows)
    }

    /// z_0 `[rows, …z_shape]` of a step, in the order of its rows.
    pub(super) fn z0(
        &mut self,
        model: &Model,
        of: &Rows<'_>,
        step: u64,
        rows: i64,
    ) -> Result<Tensor> {
        let (block, from) = self.place(step, of.set.len());
        let last = self.place(of.total_steps.max(1) - 1, of.set.len()).0;
        while self.next <= last.min(block + AHEAD) {
            self.hand_over(model.source(), model, of)?;
        }
        while self.current.as_ref().is_none_or(|(current, _)| *current != block) {
            let began = Instant::now();
            let (pairs, took) = self.worker.take()?;
            self.cost.waited_seconds += began.elapsed().as_secs_f64();
            self.cost.seconds += took.as_secs_f64();
            self.cost.blocks += 1;
            let Some((current, z0)) = self.ahead.pop_front() else {
                return Err(Error::runtime("pairs came that were not asked for"));
            };
            let z0 = z0.index_select(0, &Tensor::from_slice(&pairs));
            self.current = Some((current, z0.to_device(model.vars.device())));
        }
        let z0 = self.current.as_ref().map(|(_, z0)| z0.narrow(0, from, rows));
        z0.ok_or_else(|| Error::runtime("no block is paired"))
    }

    fn hand_over(&mut self, source: &dyn Source, model: &Model, of: &Rows<'_>) -> Result<()> {
        let (block, n) = (self.next, of.set.len());
        let blocks = parts(n, self.rows);
        let (epoch, from) = (block / blocks, (block % blocks) as i64 * self.rows);
        if self.order.as_ref().is_none_or(|(known, _)| *known != epoch) {
            self.order = Some((epoch, (of.order)(epoch)));
        }
        let index = self.order.as_ref().map(|(_, o)| o.narrow(0, from, self.rows.min(n - from)));
        let index = index.ok_or_else(|| Error::runtime("an epoch has no order"))?;
        let z0 = draw(source, model, index.size()[0], (self.seed, block))?;
        self.worker.give(&z0, &self.sides.rows(&index), (self.seed, block))?;
        self.ahead.push_back((block, z0));
        self.next += 1;
        Ok(())
    }
}

/// z_0 `[n, …z_shape]` for all rows of `set` as they stand, paired block by block.
pub(super) fn for_validation(
    model: &Model,
    coupling: &Component<dyn Coupling>,
    set: &Set,
    (seed, batch): (u64, i64),
) -> Result<Tensor> {
    let rows = coupling.common().batch.unwrap_or(batch);
    let sides = Sides::of(model, set)?;
    // A small validation set says nothing about how often a condition occurs.
    let context = CouplingContext { conditions_repeat: None, ..sides.context(model, set)? };
    let mut worker = Worker::start(coupling, context)?;
    let mut all = Vec::new();
    for (block, from) in (0..set.len()).step_by(rows as usize).enumerate() {
        let index =
            Tensor::arange_start(from, set.len().min(from + rows), (Kind::Int64, Device::Cpu));
        let at = (seed, VALIDATION | block as u64);
        let z0 = draw(model.source(), model, index.size()[0], at)?;
        worker.give(&z0, &sides.rows(&index), at)?;
        all.push(z0);
    }
    for z0 in &mut all {
        *z0 = z0.index_select(0, &Tensor::from_slice(&worker.take()?.0));
    }
    Ok(Tensor::cat(&all, 0).to_device(model.vars.device()))
}

fn parts(n: i64, of: i64) -> u64 {
    ((n + of - 1) / of) as u64
}

/// On the CPU, where it is paired: nothing waits for the device.
fn draw(source: &dyn Source, model: &Model, n: i64, (seed, block): (u64, u64)) -> Result<Tensor> {
    let _stream = seed_torch(seed, Purpose::Couple, block);
    let shape: Vec<i64> = std::iter::once(n).chain(model.latent_shape().iter().copied()).collect();
    tch::no_grad(|| source.draw(&TorchDraws, &shape, (model.vars.kind(), Device::Cpu)))
}

/// z_1 and conditions, flat.
#[derive(Debug)]
struct Sides {
    target: Tensor,
    condition: Option<Tensor>,
}

impl Sides {
    fn of(model: &Model, set: &Set) -> Result<Self> {
        let flat = |t: &Tensor| t.reshape([t.size()[0], -1]).to_device(Device::Cpu);
        let set = &set.first(set.len());
        let latents =
            tch::no_grad(|| model.encode(&set.target, crate::component::Pass::EVAL))?.mean;
        Ok(Self { target: flat(&latents), condition: set.condition.as_ref().map(flat) })
    }

    fn context(&self, model: &Model, set: &Set) -> Result<CouplingContext> {
        let condition = self.condition.as_ref().map(Flat::of).transpose()?;
        Ok(CouplingContext {
            z_shape: model.latent_shape().to_vec(),
            condition_shape: set.condition.as_ref().map(|c| c.size()[1..].to_vec()),
            conditions_repeat: condition.map(|rows| rows.has_equals()),
        })
    }

    fn rows(&self, index: &Tensor) -> Self {
        let pick = |t: &Tensor| t.index_select(0, index);
        Self { target: pick(&self.target), condition: self.condition.as_ref().map(pick) }
    }
}

/// Flat rows that cross to the worker.
struct Flat {
    values: Vec<f64>,
    dim: usize,
}

impl Flat {
    fn of(t: &Tensor) -> Result<Self> {
        let dim = t.numel() / t.size()[0].max(1) as usize;
        Ok(Self { values: Vec::try_from(t.to_kind(Kind::Double).reshape([-1]))?, dim })
    }

    fn points(&self) -> Result<Points<'_>> {
        Points::new(&self.values, self.dim)
    }

    /// Whether two rows are equal.
    fn has_equals(&self) -> bool {
        let mut seen = HashSet::new();
        // −0 and 0 are one number.
        let bits = |row: &[f64]| row.iter().map(|v| (v + 0.0).to_bits()).collect::<Vec<_>>();
        !self.values.chunks(self.dim.max(1)).all(|row| seen.insert(bits(row)))
    }
}

struct Job {
    source: Flat,
    target: Flat,
    condition: Option<Flat>,
    seed: u64,
}

type Paired = Result<(Vec<i64>, Duration)>;

/// A thread that pairs what it is given, in that order. It ends when this is dropped, after the block it
/// is at.
#[derive(Debug)]
struct Worker {
    jobs: Sender<Job>,
    done: Receiver<Paired>,
}

impl Worker {
    fn start(coupling: &Component<dyn Coupling>, context: CouplingContext) -> Result<Self> {
        let (jobs, taken) = channel::<Job>();
        let (give, done) = channel();
        let coupling = coupling.clone();
        let work = move || {
            let built = guard_engine(|| coupling.build(&context));
            for job in taken {
                let paired = match &built {
                    Ok(built) => guard_engine(|| pair(&**built, &job)),
                    Err(e) => Err(Error::runtime(e.to_string())),
                };
                if give.send(paired).is_err() {
                    break;
                }
            }
        };
        std::thread::Builder::new()
            .name("coupling".into())
            .spawn(work)
            .map_err(|e| Error::runtime(format!("no thread to pair rows on: {e}")))?;
        Ok(Self { jobs, done })
    }

    fn give(&mut self, z0: &Tensor, sides: &Sides, (seed, block): (u64, u64)) -> Result<()> {
        let job = Job {
            source: Flat::of(z0)?,
            target: Flat::of(&sides.target)?,
            condition: sides.condition.as_ref().map(Flat::of).transpose()?,
            seed: stream_seed(seed, Purpose::Pair, block),
        };
        self.jobs.send(job).map_err(|_| ended())
    }

    /// The oldest pairs that were not taken yet, and how long they took.
    fn take(&mut self) -> Paired {
        self.done.recv().unwrap_or_else(|_| Err(ended()))
    }
}

fn ended() -> Error {
    Error::runtime("the thread that pairs rows has ended")
}

fn pair(coupling: &dyn Coupling, job: &Job) -> Paired {
    let began = Instant::now();
    let rows = Pairing {
        source: job.source.points()?,
        target: job.target.points()?,
        condition: job.condition.as_ref().map(Flat::points).transpose()?,
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
