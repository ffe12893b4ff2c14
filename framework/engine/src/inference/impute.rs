//! Rows some of whose cells are missing, filled in by a model that was trained with known cells.

use super::{Rows, Start};
use crate::component::{Columns, Condition, Pass};
use crate::error::{Error, Result};
use crate::rng::Streams;
use crate::table::TableColumn;
use crate::trained::Trained;
use tch::{Kind, Tensor};

/// Draws of the missing cells of a table.
#[derive(Debug)]
pub struct Imputed {
    /// Tables `[n, columns]` float64 in the data's own units, without missing cells.
    pub draws: Vec<Tensor>,
    /// True for each cell that was missing, `[n, columns]`.
    pub missing: Tensor,
}

impl Imputed {
    /// The table `[n, columns]` over all draws, the mean of numbers and the most frequent category,
    /// rounded as the data; and the spread of each cell that was missing: the standard deviation of
    /// numbers, the share of the draws that have another category. The spread of other cells is
    /// NaN.
    pub fn summary(&self, columns: &[TableColumn]) -> (Tensor, Tensor) {
        let all = Tensor::stack(&self.draws, 0);
        let n = self.draws.len() as f64;
        let (mut cells, mut spreads) = (Vec::new(), Vec::new());
        for (column, i) in columns.iter().zip(0..) {
            let own = all.select(2, i);
            let (cell, spread) = match column.names() {
                Some(_) => {
                    let (mode, _) = own.mode(0, false);
                    let others = own.ne_tensor(&mode).to_kind(Kind::Double);
                    (mode, others.mean_dim([0].as_slice(), false, Kind::Double))
                }
                None => {
                    let mean = own.mean_dim([0].as_slice(), true, Kind::Double);
                    let squares = (own - &mean).square();
                    let sum = squares.sum_dim_intlist([0].as_slice(), false, Kind::Double);
                    (mean.squeeze_dim(0), (sum / (n - 1.0).max(1.0)).sqrt())
                }
            };
            cells.push(cell);
            spreads.push(spread);
        }
        // Known cells keep all their digits, which a mean may not.
        let first = &self.draws[0];
        let cells = Tensor::stack(&cells, 1).where_self(&self.missing, first);
        let known = self.missing.logical_not();
        (cells, Tensor::stack(&spreads, 1).masked_fill(&known, f64::NAN))
    }
}

impl Trained {
    /// Checks that the model can fill in missing cells.
    ///
    /// # Errors
    /// [`Error::Config`]: it was trained without known cells.
    pub fn fills_in(&self) -> Result<()> {
        match self.model.completion() {
            Some(_) => Ok(()),
            None => {
                let message = "this model was not trained to fill in missing cells";
                Err(Error::config("training.mask_columns", message)
                    .help("train one with `training.mask_columns: 0.5`"))
            }
        }
    }

    /// Draws the missing cells of a table given the other ones, `draws` times and at least once.
    /// The columns of the result are those of [`units`](Self::units)`.names.target`. `table` has
    /// the side of the targets, with NaN for missing cells, and that of the conditions if the model
    /// has them. Draw k of row i depends on the streams' seed, k and i.
    ///
    /// # Errors
    /// [`Error::Config`]: the model cannot fill in cells, a column is missing, or a condition is.
    /// [`Error::Component`]: a component fails.
    pub fn impute(&mut self, table: Columns, draws: u64, streams: &Streams) -> Result<Imputed> {
        self.fills_in()?;
        let options = (self.model.vars.kind(), self.device());
        let (own, known, condition) = self.units.partly(table, &self.experiment)?;
        let n = own.size()[0];
        let missing = own.isnan();
        let draws = (0..draws.max(1))
            .map(|draw| {
                let streams = streams.later(draw);
                let completed = |model: &Trained, from: i64, n: i64| {
                    let Some(completion) = model.model.completion() else { return Ok(None) };
                    let condition =
                        condition.as_ref().map(|all| Condition::new(all.narrow(0, from, n)));
                    let known = known.narrow(from, n);
                    let all = completion.condition(condition.as_ref(), Some(&known), n, options);
                    Ok(Some(all))
                };
                let rows = Rows {
                    n,
                    streams: Some(&streams),
                    condition: &completed,
                    mask: None,
                    start: Start::Noise,
                };
                self.draw_cells(&rows, &own)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Imputed { draws, missing })
    }

    /// Draws rows, and puts their cells in place of those that are missing in `own`.
    fn draw_cells(&mut self, rows: &Rows<'_>, own: &Tensor) -> Result<Tensor> {
        let z = self.draw_latents(rows)?;
        let drawn = self.sampling(|model, units| {
            tch::no_grad(|| {
                let decoded = model.present(&model.decode(&z, Pass::EVAL)?);
                Ok(units.full_table(&units.target.undo(&decoded)))
            })
        })?;
        Ok(own.where_self(&own.isnan().logical_not(), &drawn.to_kind(Kind::Double)))
    }
}
