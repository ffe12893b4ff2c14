use crate::config::LossTerm;
use crate::error::Result;
use crate::kernels;
use tch::Tensor;

/// Number of loss terms, including the total.
pub const TERM_COUNT: usize = LossTerm::ALL.len();

/// The loss terms of a batch, each a mean over its rows, `[]`.
#[derive(Debug)]
pub struct Terms {
    total: Tensor,
    /// The other terms in the order of [`LossTerm::ALL`]; `None` if a term was not measured.
    parts: [Option<Tensor>; TERM_COUNT - 1],
}

impl Terms {
    /// Terms with the error of the output alone, which has weight 1 in the total.
    pub(crate) fn new(flow: Tensor) -> Self {
        let total = flow.shallow_clone();
        let mut new = Self { total, parts: Default::default() };
        new.set(LossTerm::Flow, flow);
        new
    }

    /// Measures a term and adds `weight` times its value to the total. A term of weight 0 is
    /// measured only if `everything` is.
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

    /// The weighted sum of the terms, which is minimised, `[]`.
    pub fn total(&self) -> &Tensor {
        &self.total
    }

    /// Value of a term, `[]`; `None` if it was not measured.
    pub fn get(&self, term: LossTerm) -> Option<&Tensor> {
        match (term as usize).checked_sub(1) {
            Some(place) => self.parts[place].as_ref(),
            None => Some(&self.total),
        }
    }

    /// Adds the terms times `rows` to the sums of an epoch, `[terms + 1]` in float64, whose last
    /// entry is the number of rows. The sum of a term that was not measured becomes NaN.
    pub(crate) fn add_to(&self, sums: &mut Tensor, rows: i64) {
        let terms = LossTerm::ALL.map(|term| self.get(term));
        kernels::accumulate(sums, &terms, rows as f64);
    }
}
