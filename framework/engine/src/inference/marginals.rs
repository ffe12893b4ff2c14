//! Fitting a trained model's generated rows to the distributions of the columns.

use super::{Rows, Start};
use crate::component::Pass;
use crate::data::{self, Marginals};
use crate::error::Result;
use crate::rng::{Purpose, Streams, stream_seed};
use crate::trained::Trained;
use tch::{Kind, Tensor};

/// Numbers of rows that are drawn, at least and at most. Their noise is left in the columns: of n
/// rows, a logistic regression over p entries can see about √(p/n) standard deviations of it.
const DRAWN: (i64, i64) = (50_000, 100_000);
/// Entries of these rows, at most.
const ENTRIES: i64 = 1 << 24;

impl Trained {
    /// Draws rows under the conditions of training rows, and finds how generated rows have to move
    /// so that each column has the distribution of `train`; with `sampling.match_marginals`, rows
    /// that are generated from now on do. The sampling is that of the experiment.
    ///
    /// # Errors
    /// [`Error::Component`](crate::Error::Component): a component fails.
    /// [`Error::Data`](crate::Error::Data): rows on disk cannot be read.
    pub(crate) fn fit_marginals(&mut self, train: &data::Rows) -> Result<()> {
        let len = train.len();
        let most = DRAWN.1.min(ENTRIES / train.numbers_of_row().max(1)).max(1);
        // Few training rows give their conditions equally often.
        let n = (len * (DRAWN.0 / len.max(1)).max(1)).min(most);
        log::info!("drawing {n} rows to match the distributions of the columns");
        let own = train.spread(n)?;
        let kept = own.len();
        let streams = Streams::new(stream_seed(self.experiment.seed(), Purpose::Marginals, 0), 0);
        let rows = Rows {
            n,
            streams: Some(&streams),
            condition: &|_, from, n| {
                let numbers: Vec<i64> = (from..from + n).map(|i| i % kept).collect();
                let numbers = Tensor::from_slice(&numbers).to_device(own.target.device());
                Ok(own.rows(&numbers).condition())
            },
            mask: None,
            start: Start::Noise,
        };
        self.marginals = None;
        let z = self.draw_latents(&rows)?;
        let marginals = self.sampling(|model, units| {
            tch::no_grad(|| {
                let drawn = model.present(&model.decode(&z, Pass::EVAL)?);
                Ok(Marginals::fit(units, &drawn, &own.target.to_kind(Kind::Double)))
            })
        })?;
        self.marginals = Some(marginals);
        Ok(())
    }
}
