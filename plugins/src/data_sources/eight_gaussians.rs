use super::plane::{columns, drawn_source};
use rand::RngExt as _;
use rand_distr::StandardNormal;
use std::f64::consts::TAU;
use triflow::prelude::*;

drawn_source! {
    /// Eight equally likely Gaussians on a circle: x is the point, y its Gaussian (0 to 7).
    ///
    /// They are numbered counter-clockwise from (radius, 0). W2 between two samples is mostly
    /// chance in their counts of each Gaussian; an energy distance says more.
    #[reference = "Tong et al. 2023, arXiv 2302.00482"]
    pub struct EightGaussians = "eight_gaussians" {
        /// Radius of the circle.
        #[range(min = 0)]
        #[range(min = 0)]
        pub radius: f64 = 5.0,
        /// Variance of each Gaussian in each coordinate.
        #[range(min = 0)]
        #[range(min = 0)]
        pub variance: f64 = 0.1,
    }
}

impl Spec<dyn DataSource> for EightGaussians {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        let (radius, deviation) = (self.radius, self.variance.sqrt());
        self.drawn(ctx, move |n, rng| {
            let labels: Vec<i64> = (0..n).map(|_| rng.random_range(0..8)).collect();
            let mut noise = || -> f64 { deviation * rng.sample::<f64, _>(StandardNormal) };
            let points: Vec<_> = labels
                .iter()
                .map(|label| {
                    let (sin, cos) = (TAU * *label as f64 / 8.0).sin_cos();
                    [radius * cos + noise(), radius * sin + noise()]
                })
                .collect();
            columns(&points, &labels)
        })
    }
}
