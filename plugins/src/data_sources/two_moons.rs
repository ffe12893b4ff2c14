use super::plane::{columns, drawn_source};
use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::f64::consts::PI;
use triflow::prelude::*;

drawn_source! {
    /// Two interleaved half circles: x is the point, y its moon (0 or 1).
    ///
    /// The upper moon (0) is (cos θ, sin θ), the lower (1) is (1 − cos θ, ½ − sin θ), with θ evenly
    /// spaced over [0, π], plus noise. Half of the points lie on each moon, in random order.
    #[reference = "scikit-learn's make_moons"]
    pub struct TwoMoons = "two_moons" {
        /// Size of the noise; its meaning depends on `noise_law`.
        #[range(min = 0)]
        pub noise: f64 = 0.1,
        /// Distribution of the noise.
        pub noise_law: NoiseDistribution = NoiseDistribution::Normal,
        /// Factor of both coordinates, after the noise.
        pub scale: f64 = 1.0,
        /// Number added to both coordinates, after `scale`.
        pub shift: f64 = 0.0,
    }
}

triflow::choices! {
    /// Distribution of the noise of a point.
    pub enum NoiseDistribution {
        /// Normal in each coordinate, with standard deviation `noise`.
        Normal = "normal",
        /// One number for each point, uniform on [0, noise), added to both coordinates, as in
        /// torchdyn.
        Diagonal = "diagonal",
    }
}

impl Spec<dyn DataSource> for TwoMoons {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        let spec = self.clone();
        self.drawn(ctx, move |n, rng| spec.draw(n, rng))
    }
}

impl TwoMoons {
    /// Half of the points on each moon, in random order.
    fn draw(&self, samples: usize, rng: &mut ChaCha8Rng) -> Columns {
        let upper = samples / 2;
        let moon = |label: i64, n: usize| {
            (0..n).map(move |i| (label, PI * i as f64 / (n - 1).max(1) as f64))
        };
        let mut rows: Vec<(i64, f64)> = moon(0, upper).chain(moon(1, samples - upper)).collect();
        rows.shuffle(rng);
        let points: Vec<_> = rows
            .iter()
            .map(|&(label, angle)| {
                let (sin, cos) = angle.sin_cos();
                let point = if label == 0 { [cos, sin] } else { [1.0 - cos, 0.5 - sin] };
                let mut normal = || self.noise * rng.sample::<f64, _>(StandardNormal);
                let noise = match self.noise_law {
                    NoiseDistribution::Normal => [normal(), normal()],
                    NoiseDistribution::Diagonal => [self.noise * rng.random::<f64>(); 2],
                };
                let place = |v: f64| v * self.scale + self.shift;
                [place(point[0] + noise[0]), place(point[1] + noise[1])]
            })
            .collect();
        let labels: Vec<i64> = rows.iter().map(|(label, _)| *label).collect();
        columns(&points, &labels)
    }
}
