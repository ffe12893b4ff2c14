//! Two interleaved half circles in the plane.

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use rand_distr::{Distribution as _, Normal};
use triflow::prelude::*;
use triflow::rng::{Purpose, rust_rng};

triflow::component! {
    /// Two interleaved half circles in the plane: x is the point, y its moon (0 or 1).
    ///
    /// The upper moon is (cos θ, sin θ), the lower (1 − cos θ, ½ − sin θ), θ uniform in [0, π].
    #[reference = "scikit-learn's make_moons"]
    pub struct TwoMoons: DataSource, DataSourceSpec = "two_moons" {
        /// Points in all.
        pub samples: usize = 20_000,
        /// Deviation of the normal noise added to both coordinates.
        pub noise: f64 = 0.1,
        /// Seed of the points; the experiment's own when left out.
        pub seed: Option<u64> = None,
    }
}

impl Spec<dyn DataSource> for TwoMoons {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        if self.samples < 2 {
            return Err(Error::config(
                "data.samples",
                format!("needs at least 2 points, got {}", self.samples),
            ));
        }
        let noise =
            Normal::new(0.0, self.noise).ok().filter(|_| self.noise >= 0.0).ok_or_else(|| {
                Error::config(
                    "data.noise",
                    format!("needs a number of at least 0, got {}", self.noise),
                )
            })?;
        Ok(Box::new(Moons { samples: self.samples, noise, seed: self.seed.unwrap_or(ctx.seed) }))
    }
}

struct Moons {
    samples: usize,
    noise: Normal<f64>,
    seed: u64,
}

impl DataSource for Moons {
    fn load(&self) -> Result<Splits> {
        let mut rng = rust_rng(self.seed, Purpose::Data, 0);
        let mut labels: Vec<i64> = (0..self.samples as i64).map(|i| i % 2).collect();
        labels.shuffle(&mut rng);
        let mut points = Vec::with_capacity(2 * self.samples);
        for &moon in &labels {
            let (sin, cos) = rng.random_range(0.0..=std::f64::consts::PI).sin_cos();
            let point = if moon == 0 { [cos, sin] } else { [1.0 - cos, 0.5 - sin] };
            points.extend(point.map(|v| (v + self.noise.sample(&mut rng)) as f32));
        }
        let train = Table {
            x: Some(Tensor::from_slice(&points).view([-1, 2])),
            y: Some(Tensor::from_slice(&labels)),
        };
        Ok(Splits { train, val: None, test: None })
    }
}
