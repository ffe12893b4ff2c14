//! What the sources of drawn series share: each series is cut into a first half, which is observed, and a
//! second one, which is asked for.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use triflow::prelude::*;

/// How series are cut.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    /// Positions of each half, at most.
    pub steps: usize,
    /// Positions of each half, at least; those of each series are drawn.
    pub shortest: Option<usize>,
}

impl Cut {
    /// Refuses what no series can have.
    pub fn check(self) -> Result<Self> {
        let bad = |key: &str, message: String| Err(Error::config(format!("data.{key}"), message));
        if !(2..=100_000).contains(&self.steps) {
            return bad("steps", format!("needs 2 to 100000 positions, got {}", self.steps));
        }
        match self.shortest {
            Some(n) if !(1..=self.steps).contains(&n) => {
                bad("shortest", format!("needs 1 to {} positions (`steps`), got {n}", self.steps))
            }
            _ => Ok(self),
        }
    }

    /// Refuses more series than fit into memory; `features` of a position in both halves.
    pub fn fits(self, samples: usize, features: usize) -> Result<Self> {
        // Each number twice: as it is drawn, and in its tensor.
        let bytes = 2 * self.steps * features * size_of::<f32>();
        triflow::memory::check_count("data.samples", samples as u64, bytes as u64)?;
        Ok(self)
    }

    /// The positions of the halves of the next series.
    pub fn draw(self, rng: &mut ChaCha8Rng) -> usize {
        self.shortest.map_or(self.steps, |shortest| rng.random_range(shortest..=self.steps))
    }
}

/// Halves of series, padded with zeros.
pub(super) struct Halves {
    cut: Cut,
    /// Features of x beyond the values, such as the time.
    beside: usize,
    features: usize,
    x: Vec<f32>,
    y: Vec<f32>,
    lengths: Vec<i64>,
}

impl Halves {
    pub fn new(cut: Cut, features: usize, beside: usize) -> Self {
        Self { cut, beside, features, x: Vec::new(), y: Vec::new(), lengths: Vec::new() }
    }

    /// Adds a series with halves of `length` positions. `at` gives the values of a position and what stands
    /// beside them in x; `noise` are the deviations of what is added to the values of x and of y.
    pub fn push<V: AsRef<[f64]>>(
        &mut self,
        length: usize,
        noise: [f64; 2],
        rng: &mut ChaCha8Rng,
        at: impl Fn(usize) -> (V, V),
    ) {
        for (half, side) in [(0, &mut self.x), (1, &mut self.y)] {
            let beside_too = half == 0;
            let width = self.features + if beside_too { self.beside } else { 0 };
            for i in 0..length {
                let (values, beside) = at(half * length + i);
                // Drawn whatever the deviation, so that it changes nothing else.
                side.extend(values.as_ref().iter().map(|v| {
                    let normal: f64 = rng.sample(StandardNormal);
                    (v + noise[half] * normal) as f32
                }));
                if beside_too {
                    side.extend(beside.as_ref().iter().map(|v| *v as f32));
                }
            }
            side.resize(side.len() + (self.cut.steps - length) * width, 0.0);
        }
        self.lengths.push(length as i64);
    }

    /// x `[n, steps, features + beside]` and y `[n, steps, features]`.
    pub fn table(self) -> Columns {
        let shaped = |values: &[f32], width: usize| {
            Tensor::from_slice(values).view([-1, self.cut.steps as i64, width as i64])
        };
        let lengths = || self.cut.shortest.map(|_| Tensor::from_slice(&self.lengths));
        Columns {
            x: Some(shaped(&self.x, self.features + self.beside)),
            y: Some(shaped(&self.y, self.features)),
            x_lengths: lengths(),
            y_lengths: lengths(),
            ..Columns::default()
        }
    }
}
