use super::halves::{Cut, Halves};
use super::plane::drawn_source;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use std::f64::consts::TAU;
use triflow::prelude::*;

drawn_source! {
    /// Noisy damped oscillations: x is the first half of a series, y its second half.
    ///
    /// x has two features, values and times; y has the values. The value at time t is
    /// A·exp(−λt)·cos(ωt + φ) plus normal noise of deviation noise·A. For each series A is uniform
    /// on [0.5, 1.5), φ on [0, 2π), λ and ω on the intervals `damping` and `frequency`.
    #[reference = "y'' + 2λy' + (λ² + ω²)y = 0"]
    pub struct DampedOscillators = "damped_oscillators" {
        /// Number of positions of each half.
        #[range(min = 2, max = 100_000)]
        pub steps: usize = 32,
        /// Time between two positions.
        #[range(above = 0)]
        pub step: f64 = 0.2,
        /// Standard deviation of the noise, as a share of A.
        #[range(min = 0)]
        pub noise: f64 = 0.05,
        /// Noise of y; null: `noise`. With 0, predictions are measured against the true
        /// second half.
        #[range(min = 0)]
        pub target_noise: Option<f64> = None,
        /// Interval of the damping λ.
        #[range(min = 0)]
        pub damping: [f64; 2] = [0.0, 0.2],
        /// Interval of the angular frequency ω.
        #[range(min = 0)]
        pub frequency: [f64; 2] = [1.0, 3.0],
        /// Least number of positions of a half: that of each series is drawn up to `steps`; null:
        /// all have `steps`.
        #[range(min = 1)]
        pub shortest: Option<usize> = None,
    }
}

impl Spec<dyn DataSource> for DampedOscillators {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        for (key, [from, to]) in [("damping", self.damping), ("frequency", self.frequency)] {
            if from >= to {
                let message = format!("needs from < to, got [{from}, {to}]");
                return Err(Error::config(format!("data.{key}"), message));
            }
        }
        let cut = Cut { steps: self.steps, shortest: self.shortest }.check()?;
        let (spec, cut) = (self.clone(), cut.check_memory(self.samples, 3)?);
        self.drawn(ctx, move |n, rng| spec.draw(n, cut, rng))
    }
}

impl DampedOscillators {
    fn draw(&self, n: usize, cut: Cut, rng: &mut ChaCha8Rng) -> Columns {
        let mut halves = Halves::new(cut, 1, 1);
        for _ in 0..n {
            let mut within = |[from, to]: [f64; 2]| from + (to - from) * rng.random::<f64>();
            let (amplitude, phase) = (within([0.5, 1.5]), within([0.0, TAU]));
            let (damping, frequency) = (within(self.damping), within(self.frequency));
            let noise = [self.noise, self.target_noise.unwrap_or(self.noise)];
            let length = cut.draw(rng);
            halves.push(length, noise.map(|share| share * amplitude), rng, |i| {
                let t = i as f64 * self.step;
                let value = amplitude * (-damping * t).exp() * (frequency * t + phase).cos();
                ([value], [t])
            });
        }
        halves.into_columns()
    }
}
