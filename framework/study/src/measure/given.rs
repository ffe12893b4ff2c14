//! Generated rows that are measured in place of a model's samples.

use crate::data::{Batch, HeldOut};
use crate::error::{Error, Result};
use tch::Tensor;

/// Number of rows from which they can be measured, unless fewer are held out.
const LEAST: i64 = 10;

/// Generated rows from elsewhere, such as those of another program.
#[derive(Debug)]
pub struct GivenRows {
    /// Name of their file.
    pub name: String,
    /// The rows, with the conditions that they were generated under.
    pub rows: Batch,
}

impl GivenRows {
    /// Parts for `draws` draws, each of as many rows as are held out; fewer and smaller ones if
    /// there are not enough. Each part is spread over all rows, which may be sorted.
    pub(super) fn parts(&self, held: &HeldOut<'_>, draws: u64) -> Result<Vec<Batch>> {
        let (all, held) = (self.rows.len(), held.rows.len());
        if self.rows.mask.is_some() {
            return Err(Error::config("", "rows of sequences cannot be given"));
        }
        if held == 0 || all < LEAST.min(held) {
            let message = format!("`{}` holds {all} rows, too few to measure", self.name);
            let help = format!(
                "give at least {LEAST}, and as many as are held out for a whole draw: {held}"
            );
            return Err(Error::config("", message).help(help));
        }
        let n = held.min(all);
        let parts = i64::try_from(draws).unwrap_or(i64::MAX).clamp(1, all / n);
        let step = all / n;
        let part = |first: i64| {
            let index: Vec<i64> = (0..n).map(|i| first + i * step).collect();
            self.rows.rows(&Tensor::from_slice(&index).to_device(self.rows.target.device()))
        };
        Ok((0..parts).map(part).collect())
    }
}
