//! The queue of requests, and the thread that draws what they ask for. Requests that wait together
//! are drawn as one batch where they fit.

use crate::ask::{Ask, Plan};
use crate::metrics::Metrics;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::oneshot::Sender;
use triflow::data::Table;
use triflow::io::NamedArray;
use triflow::registry::guard_engine;
use triflow::request::{Output, Planned, PredictionPlan, SamplePlan};
use triflow::run::Run;
use triflow::{Error, Result, Trained};

/// Time after which a waiting thread looks whether the server is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// A request that waits for the model.
#[derive(Debug)]
pub struct Job {
    pub ask: Ask,
    /// True if the answer is to be arrays, even where it could be a table.
    pub arrays: bool,
    /// Time from which on nobody waits for the answer.
    pub deadline: Instant,
    pub answer: Sender<Result<Answer>>,
}

/// The result of a request.
#[derive(Debug)]
pub enum Answer {
    Table(Table),
    Arrays(Vec<NamedArray>, Vec<(&'static str, Vec<String>)>),
}

/// Requests that wait, at most so many.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    most: usize,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    pub fn new(most: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), most }
    }

    /// Adds a request; `false` if the queue is full or closed.
    pub fn push(&self, job: Job) -> bool {
        let Ok(mut state) = self.state.lock() else { return false };
        if state.closed || state.jobs.len() >= self.most {
            return false;
        }
        state.jobs.push_back(job);
        self.changed.notify_one();
        true
    }

    /// Number of requests that wait.
    pub fn len(&self) -> usize {
        self.state.lock().map_or(0, |state| state.jobs.len())
    }

    /// Takes no more requests; those that wait are still answered.
    pub fn close(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.closed = true;
        }
        self.changed.notify_all();
    }

    /// All requests that wait, at least one; `None` when the queue is closed and empty. While it
    /// waits it calls `look` from time to time.
    fn next(&self, look: &mut dyn FnMut()) -> Option<Vec<Job>> {
        loop {
            look();
            let state = self.state.lock().ok()?;
            let waited = self
                .changed
                .wait_timeout_while(state, LOOK, |state| state.jobs.is_empty() && !state.closed);
            let (mut state, _) = waited.ok()?;
            if !state.jobs.is_empty() {
                return Some(state.jobs.drain(..).collect());
            }
            if state.closed {
                return None;
            }
        }
    }
}

/// The model with what it needs to answer.
pub struct Worker<'w> {
    pub run: &'w Run,
    pub model: &'w mut Trained,
    pub metrics: &'w Metrics,
    /// Largest number of rows of a request.
    pub rows: i64,
    /// Largest number of rows of a batch of several requests.
    pub batch: i64,
    /// Seed of requests without one; `None`: the run's.
    pub seed: Option<u64>,
}

/// A request with its plan.
struct Planning {
    plan: Plan,
    job: Job,
}

impl Worker<'_> {
    /// Answers the requests of the queue until it is closed and empty.
    pub fn work(&mut self, queue: &Queue, look: &mut dyn FnMut()) {
        while let Some(jobs) = queue.next(look) {
            let mut waiting: VecDeque<Planning> =
                jobs.into_iter().filter_map(|job| self.planned(job)).collect();
            while let Some(batch) = self.batch(&mut waiting) {
                look();
                self.draw(batch);
            }
        }
    }

    /// The request with its plan; `None` if it is answered with an error, or nobody waits for it.
    fn planned(&self, job: Job) -> Option<Planning> {
        if job.answer.is_closed() || Instant::now() >= job.deadline {
            return None;
        }
        let plan = guard_engine(|| job.ask.plan((self.run, &*self.model), (self.rows, self.seed)));
        match plan {
            Ok(plan) => Some(Planning { plan, job }),
            Err(e) => {
                let _ = job.answer.send(Err(e));
                None
            }
        }
    }

    /// The first of the requests that wait, and those that can be drawn with it.
    fn batch(&self, waiting: &mut VecDeque<Planning>) -> Option<Vec<Planning>> {
        let first = waiting.pop_front()?;
        let mut rows = first.plan.rows();
        let mut batch = vec![first];
        let mut i = 0;
        while i < waiting.len() {
            let more = waiting[i].plan.rows();
            let fits = rows.saturating_add(more) <= self.batch
                && batch[0].plan.joins(&waiting[i].plan, &*self.model).unwrap_or(false);
            if fits {
                rows += more;
                batch.extend(waiting.remove(i));
            } else {
                i += 1;
            }
        }
        Some(batch)
    }

    /// Draws a batch and answers its requests. Where that fails, each is drawn alone, so that none
    /// fails for another.
    fn draw(&mut self, mut batch: Vec<Planning>) {
        batch.retain(|one| !one.job.answer.is_closed() && Instant::now() < one.job.deadline);
        let Some(latest) = batch.iter().map(|one| one.job.deadline).max() else { return };
        self.model.observe_rows(move |_| match Instant::now() < latest {
            true => Ok(()),
            false => Err(Error::runtime("nobody waits for these rows any more")),
        });
        let began = Instant::now();
        let plans: Vec<&Plan> = batch.iter().map(|one| &one.plan).collect();
        let rows = plans.iter().map(|plan| plan.rows()).sum();
        let work = batch[0].job.ask.work();
        log::debug!("{}: {} requests, {rows} rows", work.name(), plans.len());
        match guard_engine(|| Plan::draw_all(&plans, self.model)) {
            Ok(drawn) => {
                self.metrics.drawn(work, rows, began.elapsed());
                for (one, drawn) in batch.into_iter().zip(drawn) {
                    let job = one.job;
                    let answer = guard_engine(|| drawn.answer(&*self.model, &job));
                    let _ = job.answer.send(answer);
                }
            }
            Err(_) if batch.len() > 1 => {
                for one in batch {
                    self.draw(vec![one]);
                }
            }
            Err(e) => {
                // Unanswered after its time, a request is told that it was too long.
                if let Some(one) = batch.pop().filter(|one| Instant::now() < one.job.deadline) {
                    let _ = one.job.answer.send(Err(e));
                }
            }
        }
    }
}

/// A drawn result.
enum Drawn {
    Samples(triflow::request::Samples),
    Predictions(triflow::request::Predictions),
}

impl Plan {
    fn rows(&self) -> i64 {
        match self {
            Self::Samples(plan) => plan.rows(),
            Self::Predictions(plan) => plan.rows(),
        }
    }

    fn joins(&self, other: &Self, model: &Trained) -> Result<bool> {
        match (self, other) {
            (Self::Samples(one), Self::Samples(other)) => one.joins(other, model),
            (Self::Predictions(one), Self::Predictions(other)) => one.joins(other, model),
            _ => Ok(false),
        }
    }

    /// Draws requests of one kind, which fit together.
    fn draw_all(all: &[&Self], model: &mut Trained) -> Result<Vec<Drawn>> {
        let samples: Vec<&SamplePlan> = all.iter().filter_map(|plan| plan.samples()).collect();
        if !samples.is_empty() {
            let drawn = SamplePlan::draw_all(&samples, model)?;
            return Ok(drawn.into_iter().map(Drawn::Samples).collect());
        }
        let predictions: Vec<&PredictionPlan> =
            all.iter().filter_map(|plan| plan.predictions()).collect();
        let drawn = PredictionPlan::draw_all(&predictions, model)?;
        Ok(drawn.into_iter().map(Drawn::Predictions).collect())
    }

    fn samples(&self) -> Option<&SamplePlan> {
        match self {
            Self::Samples(plan) => Some(plan),
            Self::Predictions(_) => None,
        }
    }

    fn predictions(&self) -> Option<&PredictionPlan> {
        match self {
            Self::Predictions(plan) => Some(plan),
            Self::Samples(_) => None,
        }
    }
}

impl Drawn {
    /// The answer: a table for targets with named columns, arrays otherwise.
    fn answer(&self, model: &Trained, job: &Job) -> Result<Answer> {
        let output: &dyn Output = match self {
            Self::Samples(drawn) => drawn,
            Self::Predictions(drawn) => drawn,
        };
        if job.arrays || job.ask.needs_arrays() || !has_columns(model) {
            return Ok(Answer::Arrays(output.arrays(model)?, model.units().texts()));
        }
        output.table(model).map(Answer::Table)
    }
}

/// True if the targets are vectors whose columns have names.
pub fn has_columns(model: &Trained) -> bool {
    let units = model.units();
    !units.names.target.is_empty() && units.shapes.target.len() == 1
}

/// What the threads of a server share.
#[derive(Debug)]
pub struct Shared {
    pub queue: Queue,
    pub metrics: Metrics,
}
