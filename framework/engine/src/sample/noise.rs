//! Draws of z_0: independent samples of the source, or a scrambled Sobol' set of N(0, I).

use crate::component::Source;
use crate::config::Noise;
use crate::error::Result;
use crate::rng::{Purpose, RowDraws, Streams, rust_rng, seed_torch};
use rand::RngExt as _;
use tch::{Device, Kind, Tensor};

/// Draws z_0 `[n, …shape]` from the random streams of the rows: samples of `source`, each from
/// its row's stream, or points of a Sobol' set of N(0, I), each by its row's number in the set of
/// its seed and draw.
///
/// # Errors
/// [`Error::Component`](crate::Error::Component): the source fails.
/// [`Error::Runtime`](crate::Error::Runtime): there are fewer streams than rows.
pub fn draw(
    noise: Noise,
    source: &dyn Source,
    n: i64,
    shape: &[i64],
    streams: &Streams,
    options: (Kind, Device),
) -> Result<Tensor> {
    let full: Vec<i64> = std::iter::once(n).chain(shape.iter().copied()).collect();
    match noise {
        Noise::Independent => {
            let first = streams.at(0)?;
            // Some sources draw from LibTorch's generator and not from the streams.
            let _stream = seed_torch(first.seed, Purpose::Sample, first.draw);
            source.draw(&RowDraws::new(streams.clone(), Purpose::Sample), &full, options)
        }
        Noise::Sobol => {
            let uniform = sobol(n as usize, shape.iter().product::<i64>() as usize, streams)?;
            let normal = (Tensor::from_slice(&uniform) * 2.0 - 1.0).erfinv() * 2f64.sqrt();
            Ok(normal.view(full.as_slice()).to_kind(options.0).to_device(options.1))
        }
    }
}

/// Number of points with the same scrambling.
const POINTS: u64 = 1 << 16;
/// Number of coordinates of a Sobol' sequence.
const DIMENSIONS: usize = sobol_burley::NUM_DIMENSIONS as usize;

/// Computes `n` points of `dimensions` coordinates in (0, 1). Each is the point of its row's number
/// in an Owen-scrambled Sobol' set (Burley 2020, JCGT 9(4)) of the row's seed and draw. Points and
/// coordinates beyond those of a sequence come from further scramblings.
fn sobol(n: usize, dimensions: usize, streams: &Streams) -> Result<Vec<f64>> {
    let groups = dimensions.div_ceil(DIMENSIONS);
    let mut points = Vec::with_capacity(n * dimensions);
    let (mut current, mut seeds) = (None, Vec::<u32>::new());
    for i in 0..n {
        let row = streams.at(i)?;
        let set = (row.seed, row.draw, row.row / POINTS);
        if current != Some(set) {
            let mut rng = rust_rng(row.seed, Purpose::Sample, row.draw);
            for _ in 0..=set.2 {
                seeds = (0..groups).map(|_| rng.random()).collect();
            }
            current = Some(set);
        }
        points.extend((0..dimensions).map(|d| {
            let seed = seeds[d / DIMENSIONS];
            let u = sobol_burley::sample((row.row % POINTS) as u32, (d % DIMENSIONS) as u32, seed);
            // The middle of the cell of width 2⁻²⁴, which is neither 0 nor 1.
            f64::from(u) + 2f64.powi(-25)
        }));
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Draws;

    const CPU: (Kind, Device) = (Kind::Double, Device::Cpu);

    struct Normal;

    impl Source for Normal {
        fn draw(
            &self,
            draws: &dyn Draws,
            shape: &[i64],
            options: (Kind, Device),
        ) -> Result<Tensor> {
            draws.normal(shape, options)
        }
    }

    fn z0(noise: Noise, n: i64, seed: u64, at: u64) -> Tensor {
        draw(noise, &Normal, n, &[2], &Streams::new(seed, at), CPU).unwrap()
    }

    /// Largest error, for the seeds 0 to 19, of the mean of f over the points.
    fn error(noise: Noise, f: impl Fn(&Tensor) -> Tensor, exact: f64) -> f64 {
        let error = |seed| (f(&z0(noise, 1024, seed, 0)).mean(Kind::Double) - exact).abs();
        (0..20).map(|seed| error(seed).double_value(&[])).fold(0.0, f64::max)
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
    fn a_prefix_of_z_0_is_z_0_of_fewer_rows() {
        for noise in [Noise::Independent, Noise::Sobol] {
            let all = z0(noise, 100, 1, 0);
            for n in [1, 7, 64] {
                assert!(all.narrow(0, 0, n).equal(&z0(noise, n, 1, 0)), "{noise:?} {n}");
                let late = Streams::new(1, 0).from(n);
                let rest = draw(noise, &Normal, 100 - n, &[2], &late, CPU).unwrap();
                assert!(all.narrow(0, n, 100 - n).equal(&rest), "{noise:?} {n}");
            }
            let own = draw(noise, &Normal, 3, &[2], &Streams::of_seeds(&[5, 1, 5]), CPU).unwrap();
            assert!(own.get(1).equal(&all.get(0)) && own.get(0).equal(&own.get(2)));
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
            let points = sobol(n, dimensions, &Streams::new(3, 0)).unwrap();
            for d in 0..dimensions {
                let mut cells: Vec<_> =
                    (0..n).map(|i| (points[i * dimensions + d] * n as f64) as usize).collect();
                cells.sort_unstable();
                assert!(cells.into_iter().eq(0..n), "coordinate {d}");
            }
        }
        let n = POINTS as usize;
        let many = sobol(n + 10, 1, &Streams::new(3, 0)).unwrap();
        assert!(many.iter().all(|u| 0.0 < *u && *u < 1.0));
        assert!(many[..10] != many[n..]);
        // A draw that begins in the middle of a set yields the same points as one from its start.
        let late = sobol(20, 1, &Streams::new(3, 0).from(n as i64 - 10)).unwrap();
        assert_eq!(late, many[n - 10..]);
    }
}
