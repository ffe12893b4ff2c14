//! A checkerboard.

use super::plane::{Counts, Drawn, table};
use rand::RngExt as _;
use triflow::prelude::*;

triflow::component! {
    /// The black cells of a board of 4 × 4 cells on \[−4, 4)², evenly filled: x is the point, y its cell (0 to 7,
    /// column by column, the lower first).
    #[reference = "Grathwohl et al. 2018, arXiv 1810.01367"]
    pub struct Checkerboard: DataSource, DataSourceSpec = "checkerboard" {
        /// Points; split as `split` says where no sets of their own are asked for.
        pub samples: usize = 20_000,
        /// Points of a validation set of its own; null: split off.
        pub val_samples: Option<usize> = None,
        /// Points of a test set of its own; null: split off.
        pub test_samples: Option<usize> = None,
        /// Seed of the points; null: the experiment's own.
        pub seed: Option<u64> = None,
    }
}

impl Spec<dyn DataSource> for Checkerboard {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        let counts = Counts {
            samples: self.samples,
            val_samples: self.val_samples,
            test_samples: self.test_samples,
        };
        Drawn::source(counts, self.seed.unwrap_or(ctx.seed), |n, rng| {
            let labels: Vec<i64> = (0..n).map(|_| rng.random_range(0..8)).collect();
            let points: Vec<_> = labels
                .iter()
                .map(|cell| {
                    let (column, upper) = (cell / 2, cell % 2);
                    // The black cells of neighbouring columns are a row apart.
                    let corner = [column - 2, 2 * upper - 2 + column % 2];
                    corner.map(|c| 2.0 * (c as f64 + rng.random::<f64>()))
                })
                .collect();
            table(&points, &labels)
        })
    }
}
