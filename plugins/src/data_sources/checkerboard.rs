use super::plane::{columns, drawn_source};
use rand::RngExt as _;
use triflow::prelude::*;

drawn_source! {
    /// The black cells of a 4 × 4 checkerboard: x is the point, y its cell (0 to 7).
    ///
    /// Points are uniform on the black cells of the board on [−4, 4)². The cells are numbered
    /// column by column, the lower one first.
    #[reference = "Grathwohl et al. 2018, arXiv 1810.01367"]
    pub struct Checkerboard = "checkerboard" {}
}

impl Spec<dyn DataSource> for Checkerboard {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        self.drawn(ctx, |n, rng| {
            let labels: Vec<i64> = (0..n).map(|_| rng.random_range(0..8)).collect();
            let points: Vec<_> = labels
                .iter()
                .map(|cell| {
                    let (column, upper) = (cell / 2, cell % 2);
                    // The black cells of neighbouring columns are one row apart.
                    let corner = [column - 2, 2 * upper - 2 + column % 2];
                    corner.map(|c| 2.0 * (c as f64 + rng.random::<f64>()))
                })
                .collect();
            columns(&points, &labels)
        })
    }
}
