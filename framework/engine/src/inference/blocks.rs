//! Samples in blocks, so that the memory of a path follows the block and not the number of samples. A row has
//! its random stream whatever block it is in.

use crate::component::Condition;
use crate::error::Result;
use crate::rng::Streams;
use crate::sample::{Sampled, SamplingPlan};
use crate::trained::Trained;
use tch::Tensor;

/// Entries of the latents of a block, and rows of it, unless `sampling.block` says otherwise.
const ENTRIES: i64 = 1 << 20;
const ROWS: (i64, i64) = (16, 1 << 14);

/// Conditions by the first row and the number of rows.
type ConditionOf<'a> = dyn Fn(&Trained, i64, i64) -> Result<Option<Condition>> + 'a;

/// Rows to be sampled.
pub struct Rows<'a> {
    /// How many rows.
    pub n: i64,
    /// Their random streams; none: z_0 = 0.
    pub streams: Option<&'a Streams>,
    /// The normalised conditions of so many rows from a row on, if the model takes any: those of all rows
    /// would be many numbers where they are labels.
    pub condition: &'a ConditionOf<'a>,
    /// Which positions of their sequences are there, `[n, T]`.
    pub mask: Option<&'a Tensor>,
}

/// A block of samples.
#[derive(Debug)]
pub struct Block {
    /// Its latents, and how they were found.
    pub sampled: Sampled,
    /// Its rows in the data's own units.
    pub values: Tensor,
}

impl Trained {
    /// Rows of a block.
    fn block(&self) -> i64 {
        let entries = self.model.latent_shape().iter().product::<i64>().max(1);
        let own = || (ENTRIES / entries).clamp(ROWS.0, ROWS.1);
        self.experiment.sampling.block.unwrap_or_else(own)
    }

    /// Samples block by block, in order, by a plan whose own streams count where z_0 = 0.
    pub fn sample_blocks(
        &mut self,
        rows: &Rows<'_>,
        plan: &SamplingPlan,
        each: &mut dyn FnMut(Block) -> Result<()>,
    ) -> Result<()> {
        let size = self.block();
        let mut from = 0;
        // Without rows there is one block all the same, and so a result of the right shape.
        while from == 0 || from < rows.n {
            let n = size.min(rows.n - from);
            let narrow = |t: &Tensor| t.narrow(0, from, n);
            let (condition, mask) = ((rows.condition)(self, from, n)?, rows.mask.map(narrow));
            let streams = rows.streams.map(|all| all.from(from));
            let z0 = self.z0(n, streams.as_ref())?;
            let streams = streams.unwrap_or_else(|| plan.streams.from(from));
            let plan = SamplingPlan { streams, ..plan.clone() };
            let (condition, mask) = (condition.as_ref(), mask.as_ref());
            let sampled = self.sample_sequences(&z0, mask, condition, &plan, &mut ())?;
            let values = self.present_sequences(&sampled.z, mask)?;
            each(Block { sampled, values })?;
            from += size;
        }
        Ok(())
    }
}
