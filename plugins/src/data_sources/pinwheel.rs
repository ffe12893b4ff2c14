use super::plane::{columns, drawn_source};
use rand::RngExt as _;
use rand_distr::StandardNormal;
use std::f64::consts::TAU;
use triflow::prelude::*;

drawn_source! {
    /// A pinwheel of equally likely bent arms: x is the point, y its arm (0 to arms − 1).
    ///
    /// A point is 2·(1 + radial·ε₁, tangential·ε₂) with normal ε, rotated by the angle of its arm
    /// plus twist·exp(1 + radial·ε₁).
    #[reference = "Johnson et al. 2016, arXiv 1603.06277"]
    pub struct Pinwheel = "pinwheel" {
        /// Number of arms.
        #[range(min = 1)]
        pub arms: i64 = 5,
        /// Standard deviation along an arm.
        #[range(min = 0)]
        pub radial: f64 = 0.3,
        /// Standard deviation across an arm.
        #[range(min = 0)]
        pub tangential: f64 = 0.1,
        /// Bend of an arm.
        #[range(min = 0)]
        pub twist: f64 = 0.25,
    }
}

impl Spec<dyn DataSource> for Pinwheel {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        let Pinwheel { arms, radial, tangential, twist, .. } = *self;
        self.drawn(ctx, move |n, rng| {
            let labels: Vec<i64> = (0..n).map(|_| rng.random_range(0..arms)).collect();
            let mut normal = || -> f64 { rng.sample(StandardNormal) };
            let points: Vec<_> = labels
                .iter()
                .map(|arm| {
                    let (along, across) = (1.0 + radial * normal(), tangential * normal());
                    let angle = TAU * *arm as f64 / arms as f64 + twist * along.exp();
                    let (sin, cos) = angle.sin_cos();
                    [2.0 * (along * cos - across * sin), 2.0 * (along * sin + across * cos)]
                })
                .collect();
            columns(&points, &labels)
        })
    }
}
