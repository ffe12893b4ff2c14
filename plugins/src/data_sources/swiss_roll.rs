use super::plane::{columns, drawn_source};
use rand::RngExt as _;
use rand_distr::StandardNormal;
use std::f64::consts::PI;
use triflow::prelude::*;

drawn_source! {
    /// The cross-section of a Swiss roll: x is the point, y its angle θ along the roll.
    ///
    /// θ is uniform on [3π/2, 9π/2), the point (θ·(cos θ, sin θ) + normal noise)/5.
    #[reference = "scikit-learn's make_swiss_roll"]
    pub struct SwissRoll = "swiss_roll" {
        /// Standard deviation of the noise, before the division by 5.
        #[range(min = 0)]
        pub noise: f64 = 1.0,
    }
}

impl Spec<dyn DataSource> for SwissRoll {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        let noise = self.noise;
        self.drawn(ctx, move |n, rng| {
            let angles: Vec<f64> =
                (0..n).map(|_| 1.5 * PI * (1.0 + 2.0 * rng.random::<f64>())).collect();
            let mut normal = || -> f64 { rng.sample(StandardNormal) };
            let points: Vec<_> = angles
                .iter()
                .map(|angle| {
                    let (sin, cos) = angle.sin_cos();
                    [cos, sin].map(|side| (angle * side + noise * normal()) / 5.0)
                })
                .collect();
            let y: Vec<f32> = angles.iter().map(|angle| *angle as f32).collect();
            columns(&points, &y)
        })
    }
}
