use crate::config::LossTerm;
use crate::error::Result;
use crate::kernels;
use tch::Tensor;

/// Number of loss terms, their sum among them.
pub const TERM_COUNT: usize = LossTerm::ALL.len();

/// The loss terms of a batch, each a mean over its rows, `[]`.
#[derive(Debug)]
pub struct Terms {
    total: Tensor,
    /// The others in the order of [`LossTerm::ALL`]; `None` where not measured.
    parts: [Option<Tensor>; TERM_COUNT - 1],
}

impl Terms {
    /// The error of the output alone, which the sum counts with weight 1.
    pub(crate) fn new(flow: Tensor) -> Self {
        let total = flow.shallow_clone();
        let mut new = Self { total, parts: Default::default() };
        new.set(LossTerm::Flow, flow);
        new
    }

    /// Measures a term, and adds `weight` times its value to the sum. A term of weight 0 is measured only
    /// where `everything` is.
    pub(crate) fn add(
        &mut self,
        term: LossTerm,
        weight: f64,
        everything: bool,
        measure: impl FnOnce() -> Result<Tensor>,
    ) -> Result<()> {
        if weight == 0.0 && !everything {
            return Ok(());
        }
        let value = measure()?;
        if weight != 0.0 {
            self.total = &self.total + &value * weight;
        }
        self.set(term, value);
        Ok(())
    }

    fn set(&mut self, term: LossTerm, value: Tensor) {
        if let Some(place) = (term as usize).checked_sub(1) {
            self.parts[place] = Some(value);
        }
    }

    /// The weighted sum, which is minimised, `[]`.
    pub fn total(&self) -> &Tensor {
        &self.total
    }

    /// A term, `[]`; `None` where it was not measured.
    pub fn get(&self, term: LossTerm) -> Option<&Tensor> {
        match (term as usize).checked_sub(1) {
            Some(place) => self.parts[place].as_ref(),
            None => Some(&self.total),
        }
    }

    /// Adds the terms times `rows` to the sums of an epoch, `[terms + 1]` in float64: NaN where a term was
    /// not measured, and the rows last.
    pub(crate) fn add_to(&self, sums: &mut Tensor, rows: i64) {
        let terms = LossTerm::ALL.map(|term| self.get(term));
        kernels::accumulate(sums, &terms, rows as f64);
    }
}
