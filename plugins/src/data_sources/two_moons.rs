//! Two interleaved half circles in the plane.

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use rand_distr::{Distribution as _, Normal};
use std::f64::consts::PI;
use triflow::prelude::*;
use triflow::rng::{Purpose, rust_rng};

triflow::component! {
    /// Two interleaved half circles in the plane: x is the point, y its moon (0 or 1).
    ///
    /// The upper moon is (cos θ, sin θ), the lower (1 − cos θ, ½ − sin θ), θ evenly spaced over [0, π], and
    /// noise on top. Half of the points lie on each moon, in random order.
    #[reference = "scikit-learn's make_moons"]
    pub struct TwoMoons: DataSource, DataSourceSpec = "two_moons" {
        /// Points; split as `split` says where no sets of their own are asked for.
        pub samples: usize = 20_000,
        /// Points of a validation set of its own; null: split off.
        pub val_samples: Option<usize> = None,
        /// Points of a test set of its own; null: split off.
        pub test_samples: Option<usize> = None,
        /// Size of the noise, as `noise_law` says.
        pub noise: f64 = 0.1,
        /// The law of the noise.
        pub noise_law: NoiseLaw = NoiseLaw::Normal,
        /// Factor of both coordinates, after the noise.
        pub scale: f64 = 1.0,
        /// Added to both coordinates, after `scale`.
        pub shift: f64 = 0.0,
        /// Seed of the points; null: the experiment's own.
        pub seed: Option<u64> = None,
    }
}

/// The law of the noise on a point.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    triflow::serde::Serialize,
    triflow::serde::Deserialize,
    triflow::schemars::JsonSchema,
)]
#[serde(crate = "triflow::serde", rename_all = "snake_case")]
#[schemars(crate = "triflow::schemars")]
pub enum NoiseLaw {
    /// Normal in each coordinate, with deviation `noise`.
    Normal,
    /// One number a point, uniform on [0, noise), added to both coordinates, as torchdyn's moons have it.
    Diagonal,
}

/// What fits into the memory of a large machine.
const MOST_POINTS: usize = 1_000_000_000;

impl Spec<dyn DataSource> for TwoMoons {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        let sets = [
            ("samples", Some(self.samples)),
            ("val_samples", self.val_samples),
            ("test_samples", self.test_samples),
        ];
        if let Some((key, n)) = sets.iter().find(|(_, n)| n.is_some_and(|n| n < 2)) {
            let n = n.unwrap_or_default();
            return Err(Error::config(
                format!("data.{key}"),
                format!("needs at least 2 points, got {n}"),
            ));
        }
        if let Some((key, n)) = sets.iter().find(|(_, n)| n.is_some_and(|n| n > MOST_POINTS)) {
            let n = n.unwrap_or_default();
            let message = format!("needs at most {MOST_POINTS} points, got {n}");
            return Err(Error::config(format!("data.{key}"), message));
        }
        let noise =
            Normal::new(0.0, self.noise).ok().filter(|_| self.noise >= 0.0).ok_or_else(|| {
                Error::config(
                    "data.noise",
                    format!("needs a number of at least 0, got {}", self.noise),
                )
            })?;
        for (key, value) in [("scale", self.scale), ("shift", self.shift)] {
            if !value.is_finite() {
                let message = format!("needs a finite number, got {value}");
                return Err(Error::config(format!("data.{key}"), message));
            }
        }
        let seed = self.seed.unwrap_or(ctx.seed);
        Ok(Box::new(Moons { spec: self.clone(), noise, seed }))
    }
}

struct Moons {
    spec: TwoMoons,
    noise: Normal<f64>,
    seed: u64,
}

impl Moons {
    /// `samples` points, drawn by themselves.
    fn draw(&self, samples: usize, set: u64) -> Table {
        let mut rng = rust_rng(self.seed, Purpose::Data, set);
        let upper = samples / 2;
        let moon = |label: i64, n: usize| {
            (0..n).map(move |i| (label, PI * i as f64 / (n - 1).max(1) as f64))
        };
        let mut rows: Vec<(i64, f64)> = moon(0, upper).chain(moon(1, samples - upper)).collect();
        rows.shuffle(&mut rng);
        let mut points = Vec::with_capacity(2 * samples);
        for &(label, angle) in &rows {
            let (sin, cos) = angle.sin_cos();
            let point = if label == 0 { [cos, sin] } else { [1.0 - cos, 0.5 - sin] };
            let noise = match self.spec.noise_law {
                NoiseLaw::Normal => [self.noise.sample(&mut rng), self.noise.sample(&mut rng)],
                NoiseLaw::Diagonal => [self.spec.noise * rng.random::<f64>(); 2],
            };
            let place = |v: f64| (v * self.spec.scale + self.spec.shift) as f32;
            points.extend([place(point[0] + noise[0]), place(point[1] + noise[1])]);
        }
        let labels: Vec<i64> = rows.iter().map(|(label, _)| *label).collect();
        Table {
            x: Some(Tensor::from_slice(&points).view([-1, 2])),
            y: Some(Tensor::from_slice(&labels)),
            z0: None,
        }
    }
}

impl DataSource for Moons {
    fn load(&self) -> Result<Splits> {
        Ok(Splits {
            train: self.draw(self.spec.samples, 0),
            val: self.spec.val_samples.map(|n| self.draw(n, 1)),
            test: self.spec.test_samples.map(|n| self.draw(n, 2)),
        })
    }
}
