//! z_0: independent draws from the source, or a scrambled Sobol' set of N(0, I).

use crate::component::Source;
use crate::config::Noise;
use crate::error::Result;
use crate::rng::{Purpose, rust_rng, seed_torch};
use rand::RngExt as _;
use tch::{Device, Kind, Tensor};

/// z_0 `[n, …shape]` for (seed, draw): from `source`, or of N(0, I) as a Sobol' set.
pub fn draw(
    noise: Noise,
    source: &dyn Source,
    n: i64,
    shape: &[i64],
    (seed, draw): (u64, u64),
    options: (Kind, Device),
) -> Result<Tensor> {
    let full: Vec<i64> = std::iter::once(n).chain(shape.iter().copied()).collect();
    match noise {
        Noise::Independent => {
            let _stream = seed_torch(seed, Purpose::Sample, draw);
            source.draw(&full, options)
        }
        Noise::Sobol => {
            let uniform = sobol(n as usize, shape.iter().product::<i64>() as usize, seed, draw);
            let normal = (Tensor::from_slice(&uniform) * 2.0 - 1.0).erfinv() * 2f64.sqrt();
            Ok(normal.view(full.as_slice()).to_kind(options.0).to_device(options.1))
        }
    }
}

/// Points of one scrambling.
const POINTS: usize = 1 << 16;
/// Coordinates of one sequence.
const DIMENSIONS: usize = sobol_burley::NUM_DIMENSIONS as usize;

/// `n` points of `dimensions` coordinates in (0, 1): an Owen-scrambled Sobol' set (Burley 2020, JCGT 9(4)).
/// Further points and coordinates than a sequence has come from further scramblings.
fn sobol(n: usize, dimensions: usize, seed: u64, draw: u64) -> Vec<f64> {
    let mut rng = rust_rng(seed, Purpose::Sample, draw);
    let groups = dimensions.div_ceil(DIMENSIONS);
    let mut points = Vec::with_capacity(n * dimensions);
    for block in (0..n).step_by(POINTS) {
        let seeds: Vec<u32> = (0..groups).map(|_| rng.random()).collect();
        for i in 0..(n - block).min(POINTS) {
            points.extend((0..dimensions).map(|d| {
                let seed = seeds[d / DIMENSIONS];
                let u = sobol_burley::sample(i as u32, (d % DIMENSIONS) as u32, seed);
                // The middle of the cell of 2⁻²⁴: neither 0 nor 1.
                f64::from(u) + 2f64.powi(-25)
            }));
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: (Kind, Device) = (Kind::Double, Device::Cpu);

    struct Normal;

    impl Source for Normal {
        fn draw(&self, shape: &[i64], options: (Kind, Device)) -> Result<Tensor> {
            Ok(Tensor::randn(shape, options))
        }
    }

    fn z0(noise: Noise, n: i64, seed: u64, at: u64) -> Tensor {
        draw(noise, &Normal, n, &[2], (seed, at), CPU).unwrap()
    }

    /// Mean of f over the points, for the seeds 0 to 19: its largest error.
    fn error(noise: Noise, f: impl Fn(&Tensor) -> Tensor, exact: f64) -> f64 {
        let of = |seed| (f(&z0(noise, 1024, seed, 0)).mean(Kind::Double) - exact).abs();
        (0..20).map(|seed| of(seed).double_value(&[])).fold(0.0, f64::max)
    }

    #[test]
    fn a_draw_is_told_by_seed_and_number() {
        for noise in [Noise::Independent, Noise::Sobol] {
            let first = z0(noise, 100, 1, 0);
            assert!(first.equal(&z0(noise, 100, 1, 0)));
            assert!(!first.equal(&z0(noise, 100, 2, 0)));
            assert!(!first.equal(&z0(noise, 100, 1, 1)));
        }
    }

    #[test]
    fn a_sobol_set_has_normal_moments_to_a_fifth_of_the_error_of_independent_draws() {
        type Moment<'f> = (&'f dyn Fn(&Tensor) -> Tensor, f64);
        let moments: [Moment<'_>; 4] = [
            (&|z| z.select(1, 0), 0.0),
            (&|z| z.square().select(1, 1), 1.0),
            (&|z| z.select(1, 0) * z.select(1, 1), 0.0),
            (&|z| z.sum_dim_intlist([1].as_slice(), false, Kind::Double).gt(0.0), 0.5),
        ];
        for (i, (f, exact)) in moments.iter().enumerate() {
            let (sobol, independent) =
                (error(Noise::Sobol, f, *exact), error(Noise::Independent, f, *exact));
            assert!(sobol < 0.2 * independent, "moment {i}: {sobol} against {independent}");
        }
    }

    #[test]
    fn every_coordinate_visits_each_equal_share_once() {
        // 300 coordinates: more than one sequence has.
        for (n, dimensions) in [(256, 300), (16, 1)] {
            let points = sobol(n, dimensions, 3, 0);
            for d in 0..dimensions {
                let mut cells: Vec<_> =
                    (0..n).map(|i| (points[i * dimensions + d] * n as f64) as usize).collect();
                cells.sort_unstable();
                assert!(cells.into_iter().eq(0..n), "coordinate {d}");
            }
        }
        let many = sobol(POINTS + 10, 1, 3, 0);
        assert!(many.iter().all(|u| 0.0 < *u && *u < 1.0));
        assert!(many[..10] != many[POINTS..]);
    }
}
