//! Damped oscillations, observed with noise.

use super::halves::{Cut, Halves};
use super::plane::{at_least_0, drawn_source};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use std::f64::consts::TAU;
use triflow::prelude::*;

drawn_source! {
    /// Damped oscillations, observed with noise: x is the first half of a series, values and times, y its second
    /// half, values alone.
    ///
    /// The value at time t is A·exp(−λt)·cos(ωt + φ), with normal noise of deviation noise·A on top. For each series
    /// A is uniform on \[0.5, 1.5), φ on \[0, 2π), λ and ω on the intervals `damping` and `frequency`.
    #[reference = "y'' + 2λy' + (λ² + ω²)y = 0"]
    pub struct DampedOscillators = "damped_oscillators" {
        /// Positions of each half.
        pub steps: usize = 32,
        /// Time between two positions, above 0.
        pub step: f64 = 0.2,
        /// Deviation of the noise, as a share of A; at least 0.
        pub noise: f64 = 0.05,
        /// The same for y alone; null: as `noise`. 0 gives the true second half, to measure against.
        pub target_noise: Option<f64> = None,
        /// The interval of λ.
        pub damping: [f64; 2] = [0.0, 0.2],
        /// The interval of ω.
        pub frequency: [f64; 2] = [1.0, 3.0],
        /// Positions of each half of the shortest series: those of each are drawn; null: all have `steps`.
        pub shortest: Option<usize> = None,
    }
}

impl Spec<dyn DataSource> for DampedOscillators {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        at_least_0("noise", self.noise)?;
        at_least_0("target_noise", self.target_noise.unwrap_or(0.0))?;
        for (key, [from, to]) in [("damping", self.damping), ("frequency", self.frequency)] {
            if !(0.0 <= from && from < to && to.is_finite()) {
                let message = format!("needs 0 <= from < to, got [{from}, {to}]");
                return Err(Error::config(format!("data.{key}"), message));
            }
        }
        if !(self.step.is_finite() && self.step > 0.0) {
            let message = format!("needs a number above 0, got {}", self.step);
            return Err(Error::config("step", message));
        }
        let cut = Cut { steps: self.steps, shortest: self.shortest }.check()?;
        let (spec, cut) = (self.clone(), cut.fits(self.samples, 3)?);
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
        halves.table()
    }
}
