use super::halves::{Cut, Halves};
use super::plane::drawn_source;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use triflow::prelude::*;

drawn_source! {
    /// Pieces of a Lorenz trajectory: x is the first half of a piece, y its second half.
    ///
    /// Each position has all three coordinates. The pieces are cut from one long trajectory on the
    /// attractor, one unit of time apart, integrated by Runge-Kutta steps of at most 0.01; σ = 10,
    /// ρ = 28, β = 8/3.
    #[reference = "Lorenz 1963, doi 10.1175/1520-0469(1963)020<0130:DNF>2.0.CO;2"]
    pub struct Lorenz = "lorenz" {
        /// Number of positions of each half.
        #[range(min = 2, max = 100_000)]
        pub steps: usize = 32,
        /// Time between two positions.
        #[range(above = 0, max = 10)]
        pub step: f64 = 0.02,
        /// Standard deviation of normal noise on each coordinate.
        #[range(min = 0)]
        pub noise: f64 = 0.0,
        /// Noise of y; null: `noise`.
        #[range(min = 0)]
        pub target_noise: Option<f64> = None,
        /// Least number of positions of a half: that of each piece is drawn up to `steps`; null:
        /// all have `steps`.
        #[range(min = 1)]
        pub shortest: Option<usize> = None,
    }
}

/// Longest step of the integration, in time.
const MAX_STEP: f64 = 0.01;
/// Time between two pieces.
const GAP: f64 = 1.0;
/// Time from the random start to the attractor.
const SETTLING: f64 = 20.0;

impl Spec<dyn DataSource> for Lorenz {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        let cut = Cut { steps: self.steps, shortest: self.shortest }.check()?;
        let (spec, cut) = (self.clone(), cut.check_memory(self.samples, 6)?);
        self.drawn(ctx, move |n, rng| spec.draw(n, cut, rng))
    }
}

impl Lorenz {
    fn draw(&self, n: usize, cut: Cut, rng: &mut ChaCha8Rng) -> Columns {
        let mut halves = Halves::new(cut, 3, 0);
        let mut at = [(); 3].map(|()| 2.0 * rng.random::<f64>() - 1.0);
        at = advance(at, SETTLING);
        for _ in 0..n {
            let length = cut.draw(rng);
            let mut piece = Vec::with_capacity(2 * length);
            for _ in 0..2 * length {
                piece.push(at);
                at = advance(at, self.step);
            }
            let noise = [self.noise, self.target_noise.unwrap_or(self.noise)];
            halves.push(length, noise, rng, |i| (&piece[i][..], &[][..]));
            at = advance(at, GAP);
        }
        halves.into_columns()
    }
}

/// The state reached from `at` after `time`.
fn advance(mut at: [f64; 3], time: f64) -> [f64; 3] {
    let steps = (time / MAX_STEP).ceil();
    let h = time / steps;
    let field = |[x, y, z]: [f64; 3]| [10.0 * (y - x), x * (28.0 - z) - y, x * y - z * 8.0 / 3.0];
    let along =
        |at: [f64; 3], k: [f64; 3], h: f64| [at[0] + h * k[0], at[1] + h * k[1], at[2] + h * k[2]];
    for _ in 0..steps as usize {
        let k1 = field(at);
        let k2 = field(along(at, k1, h / 2.0));
        let k3 = field(along(at, k2, h / 2.0));
        let k4 = field(along(at, k3, h));
        for i in 0..3 {
            at[i] += h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
        }
    }
    at
}
