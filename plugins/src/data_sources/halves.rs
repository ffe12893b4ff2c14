//! Halves of drawn series, shared by several data sources: the first half is observed (x), the
//! second is to be predicted (y).

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use triflow::prelude::*;

/// Lengths of the halves of series.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    /// Largest number of positions of a half.
    pub steps: usize,
    /// Least number of positions of a half, where that of each series is drawn; `None`: `steps`.
    pub shortest: Option<usize>,
}

impl Cut {
    /// Checks the lengths.
    ///
    /// # Errors
    /// `shortest` is above `steps`.
    pub fn check(self) -> Result<Self> {
        match self.shortest {
            Some(n) if n > self.steps => {
                let message = format!("needs at most {} positions (`steps`), got {n}", self.steps);
                Err(Error::config("shortest", message))
            }
            _ => Ok(self),
        }
    }

    /// Checks that `samples` series fit into memory; `features` counts those of a position in x and
    /// y.
    ///
    /// # Errors
    /// They do not fit.
    pub fn check_memory(self, samples: usize, features: usize) -> Result<Self> {
        // Each number is held twice: as drawn, and in its tensor.
        let bytes = 2 * self.steps * features * size_of::<f32>();
        triflow::memory::check_count("data.samples", samples as u64, bytes as u64)?;
        Ok(self)
    }

    /// Number of positions of each half of the next series.
    pub fn draw(self, rng: &mut ChaCha8Rng) -> usize {
        self.shortest.map_or(self.steps, |shortest| rng.random_range(shortest..=self.steps))
    }
}

/// Halves of series, padded with zeros to `cut.steps` positions.
pub(super) struct Halves {
    cut: Cut,
    /// Number of features of x beside the values, such as the time.
    extra: usize,
    /// Number of values of a position.
    features: usize,
    x: Vec<f32>,
    y: Vec<f32>,
    lengths: Vec<i64>,
}

impl Halves {
    pub fn new(cut: Cut, features: usize, extra: usize) -> Self {
        Self { cut, extra, features, x: Vec::new(), y: Vec::new(), lengths: Vec::new() }
    }

    /// Adds a series with halves of `length` positions. `at` returns the values of a position and
    /// its extra features in x; `noise` holds the standard deviations of the noise on the values of
    /// x and y.
    pub fn push<V: AsRef<[f64]>>(
        &mut self,
        length: usize,
        noise: [f64; 2],
        rng: &mut ChaCha8Rng,
        at: impl Fn(usize) -> (V, V),
    ) {
        for (half, side) in [(0, &mut self.x), (1, &mut self.y)] {
            let is_x = half == 0;
            let width = self.features + if is_x { self.extra } else { 0 };
            for i in 0..length {
                let (values, extra) = at(half * length + i);
                // Drawn for a deviation of 0 too, so that the other draws do not depend on it.
                side.extend(values.as_ref().iter().map(|v| {
                    let normal: f64 = rng.sample(StandardNormal);
                    (v + noise[half] * normal) as f32
                }));
                if is_x {
                    side.extend(extra.as_ref().iter().map(|v| *v as f32));
                }
            }
            side.resize(side.len() + (self.cut.steps - length) * width, 0.0);
        }
        self.lengths.push(length as i64);
    }

    /// Columns x `[n, steps, features + extra]` and y `[n, steps, features]`, with their lengths
    /// where these differ.
    pub fn into_columns(self) -> Columns {
        let shaped = |values: &[f32], width: usize| {
            Tensor::from_slice(values).view([-1, self.cut.steps as i64, width as i64])
        };
        let lengths = || self.cut.shortest.map(|_| Tensor::from_slice(&self.lengths));
        Columns {
            x: Some(shaped(&self.x, self.features + self.extra)),
            y: Some(shaped(&self.y, self.features)),
            x_lengths: lengths(),
            y_lengths: lengths(),
            ..Columns::default()
        }
    }
}
