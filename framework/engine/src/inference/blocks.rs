//! Sampling in blocks, so that memory depends on the size of a block and not on the number of
//! samples. A row has its own random stream, whatever block it is in.

use crate::component::{Condition, Observer};
use crate::error::Result;
use crate::rng::Streams;
use crate::sample::{Given, Sampled, SamplingPlan, Trajectory};
use crate::trained::Trained;
use tch::Tensor;

/// Entries of the latents of a block, unless `sampling.block` gives its rows.
const ENTRIES: i64 = 1 << 20;
/// Entries of its conditions, at most: a label is as many as there are classes.
const CONDITIONS: i64 = 1 << 26;
/// Smallest and largest number of rows of such a block.
const ROWS: (i64, i64) = (16, 1 << 14);

/// Conditions as a function of the first row and the number of rows.
type ConditionFn<'a> = dyn Fn(&Trained, i64, i64) -> Result<Option<Condition>> + 'a;

/// Rows to be sampled.
pub struct Rows<'a> {
    /// Number of rows.
    pub n: i64,
    /// Random streams of the rows; `None`: z_0 = 0.
    pub streams: Option<&'a Streams>,
    /// Returns the normalised conditions of a block, given its first row and its number of rows;
    /// `None` if the model takes no condition. They are made by block because labels become long
    /// one-hot rows.
    pub condition: &'a ConditionFn<'a>,
    /// `[n, T]`, 1 at positions of a sequence and 0 at padding; `None` without padding.
    pub mask: Option<&'a Tensor>,
    /// Beginning of the rows' paths.
    pub start: Start<'a>,
}

/// Beginning of the paths of samples.
#[derive(Clone, Copy, Debug, Default)]
pub enum Start<'a> {
    /// At z_0, drawn from the rows' random streams.
    #[default]
    Noise,
    /// At given states.
    States {
        /// States `[n, …z_shape]`.
        z: &'a Tensor,
        /// Their time t in \[0, 1); `None`: they are z_0.
        at: Option<f64>,
    },
    /// At z_0, with known entries of the data at the end.
    Given(&'a Given),
}

impl Start<'_> {
    /// Number of rows that begin here; `None`: any.
    pub fn rows(&self) -> Option<i64> {
        match self {
            Self::Noise => None,
            Self::States { z, .. } => z.size().first().copied(),
            Self::Given(given) => given.values.size().first().copied(),
        }
    }
}

/// A block of samples.
#[derive(Debug)]
pub struct Block {
    /// Latents, with the number of network evaluations.
    pub sampled: Sampled,
    /// Targets `[rows, …target_shape]` in the data's own units.
    pub values: Tensor,
}

impl Trained {
    /// Rows of a block.
    pub(super) fn block(&self) -> i64 {
        let entries = |shape: &[i64]| shape.iter().product::<i64>().max(1);
        let condition = self.units.shapes.condition.as_deref().map_or(1, entries);
        let rows = (ENTRIES / entries(self.model.latent_shape())).min(CONDITIONS / condition);
        let default = || rows.clamp(ROWS.0, ROWS.1);
        self.experiment.sampling.block.unwrap_or_else(default)
    }

    /// Samples block by block and calls `each` on them in order. If z_0 = 0, a stochastic solver
    /// draws from the streams of `plan`.
    ///
    /// # Errors
    /// Those of [`sample_latents`](Self::sample_latents), [`present`](Self::present),
    /// `rows.condition` and `each`.
    pub fn sample_blocks(
        &mut self,
        rows: &Rows<'_>,
        plan: &SamplingPlan,
        each: &mut dyn FnMut(Block) -> Result<()>,
    ) -> Result<()> {
        let size = self.block();
        let mut from = 0;
        // Without rows there is still one block, which gives a result of the right shape.
        while from == 0 || from < rows.n {
            let n = size.min(rows.n - from);
            let narrow = |t: &Tensor| t.narrow(0, from, n);
            let (condition, mask) = ((rows.condition)(self, from, n)?, rows.mask.map(narrow));
            let streams = rows.streams.map(|all| all.from(from));
            let z0 = match rows.start {
                Start::States { z, .. } => z.narrow(0, from, n),
                Start::Noise | Start::Given(_) => self.z0(n, streams.as_ref())?,
            };
            let streams = streams.unwrap_or_else(|| plan.streams.from(from));
            let mut plan = SamplingPlan { streams, ..plan.clone() };
            let mut given = None;
            match rows.start {
                Start::Noise => {}
                Start::States { at, .. } => plan.from = at,
                Start::Given(all) => given = Some(all.narrow(from, n).within(mask.as_ref())),
            }
            let (condition, mask, given) = (condition.as_ref(), mask.as_ref(), given.as_ref());
            let (mut trajectory, mut nobody) = (Trajectory::default(), ());
            let observer: &mut dyn Observer = match self.trajectories {
                Some(_) => &mut trajectory,
                None => &mut nobody,
            };
            let sampled = self.sample_given(&z0, given, mask, condition, &plan, observer)?;
            if let Some(kept) = &mut self.trajectories {
                kept.add(&trajectory)?;
            }
            // Known entries stay as they are given.
            let values = self.present_matched(&sampled.z, mask, given.is_none())?;
            each(Block { sampled, values })?;
            self.row_observer.sampled(n)?;
            from += size;
        }
        Ok(())
    }
}
