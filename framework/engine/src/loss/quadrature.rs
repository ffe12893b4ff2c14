//! Integrals by adaptive quadrature, all panels of a level at once.

use crate::error::Result;
use tch::{Device, Kind, Tensor};

/// Equal panels of the first level.
const FIRST: u32 = 8;
/// Largest number of times that a panel is halved.
const LEVELS: u32 = 48;
/// Largest number of panels of a level; with more, an integrand is no smooth function.
const MOST: usize = 4096;
/// Largest difference of the two estimates of a panel, relative to the integral.
const TOLERANCE: f64 = 1e-11;

/// Nodes of the 15-point Kronrod rule on \[−1, 1\] from the centre outwards, with the weights of
/// this rule and of the 7-point Gauss rule, which has every second node (Piessens et al. 1983,
/// QUADPACK).
const RULE: [(f64, f64, f64); 8] = [
    (0.0, 0.209_482_141_084_727_82, 0.417_959_183_673_469_4),
    (0.207_784_955_007_898_47, 0.204_432_940_075_298_9, 0.0),
    (0.405_845_151_377_397_2, 0.190_350_578_064_785_4, 0.381_830_050_505_118_9),
    (0.586_087_235_467_691_1, 0.169_004_726_639_267_9, 0.0),
    (0.741_531_185_599_394_4, 0.140_653_259_715_525_92, 0.279_705_391_489_276_64),
    (0.864_864_423_359_769_1, 0.104_790_010_322_250_18, 0.0),
    (0.949_107_912_342_758_5, 0.063_092_092_629_978_56, 0.129_484_966_168_869_7),
    (0.991_455_371_120_812_6, 0.022_935_322_010_529_224, 0.0),
];
const NODES: usize = 15;

/// Integrals of two functions over one interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Integrals {
    pub values: [f64; 2],
    /// Bounds of their errors, as differences of two rules; NaN if a value is not finite.
    pub errors: [f64; 2],
}

impl Integrals {
    /// Error relative to the value, the larger of the two.
    pub fn relative_error(&self) -> f64 {
        let relative = |i: usize| self.errors[i] / self.values[i].abs();
        let [first, second] = [relative(0), relative(1)];
        if first.is_nan() || second.is_nan() { f64::INFINITY } else { first.max(second) }
    }
}

/// Integrates two functions from `from` to `to`. They are given as one, which maps nodes `[n]` in
/// float64 to values `[2, n]`. A panel is halved until its halves confirm it: the two rules agree
/// on each half, and the sum of the halves agrees with the whole, to [`TOLERANCE`] times the
/// integral. (Beside a kink, one of these differences may be small by chance.) Smooth functions,
/// with kinks, jumps or infinite slopes at some points, are integrated to about that; the error
/// says how well.
pub(super) fn integrate(
    (from, to): (f64, f64),
    device: Device,
    f: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Integrals> {
    let edge = |i: u32| from + (to - from) * f64::from(i) / f64::from(FIRST);
    let mut panels: Vec<(f64, f64)> = (0..FIRST).map(|i| (edge(i), edge(i + 1))).collect();
    let mut wholes = estimates(&panels, device, &f)?;
    let mut done = Integrals { values: [0.0; 2], errors: [0.0; 2] };
    for level in 1.. {
        let halve = |(low, high): &(f64, f64)| {
            let middle = 0.5 * (low + high);
            [(*low, middle), (middle, *high)]
        };
        let halves: Vec<(f64, f64)> = panels.iter().flat_map(halve).collect();
        let estimates = estimates(&halves, device, &f)?;
        let sum = |of: usize| estimates.iter().map(|half| half[of].0).sum::<f64>();
        let limits = [0, 1].map(|of| (done.values[of] + sum(of)).abs() * TOLERANCE);
        let last = level == LEVELS || halves.len() > MOST;
        let mut open = Vec::new();
        for (i, (whole, half)) in wholes.iter().zip(estimates.chunks(2)).enumerate() {
            let value = |of: usize| half[0][of].0 + half[1][of].0;
            let error = |of: usize| {
                let rules = half[0][of].1.max(half[1][of].1);
                let error = rules.max((value(of) - whole[of].0).abs());
                if value(of).is_finite() { error } else { f64::NAN }
            };
            if last || (0..2).all(|of| error(of) <= limits[of]) {
                for of in 0..2 {
                    done.values[of] += value(of);
                    done.errors[of] += error(of);
                }
            } else {
                open.extend([2 * i, 2 * i + 1]);
            }
        }
        if open.is_empty() {
            break;
        }
        wholes = open.iter().map(|i| estimates[*i]).collect();
        panels = open.iter().map(|i| halves[*i]).collect();
    }
    Ok(done)
}

/// For each panel and each function, the integral by the Kronrod rule, and its difference from that
/// by the Gauss rule.
fn estimates(
    panels: &[(f64, f64)],
    device: Device,
    f: &impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Vec<[(f64, f64); 2]>> {
    let outer = RULE[1..].iter().rev().map(|(x, k, g)| (-x, *k, *g));
    let rule: Vec<(f64, f64, f64)> = outer.chain(RULE).collect();
    let nodes: Vec<f64> = panels
        .iter()
        .flat_map(|(low, high)| {
            let (centre, half) = (0.5 * (low + high), 0.5 * (high - low));
            rule.iter().map(move |(x, _, _)| centre + half * x)
        })
        .collect();
    let values = f(&Tensor::from_slice(&nodes).to_device(device))?;
    let values = values.to_device(Device::Cpu).to_kind(Kind::Double).contiguous().view(-1);
    let values: Vec<f64> = Vec::try_from(values)?;
    let (first, second) = values.split_at(nodes.len());
    let panel = |(values, (low, high)): (&[f64], &(f64, f64))| {
        let half = 0.5 * (high - low);
        let sums = values.iter().zip(&rule).fold((0.0, 0.0), |(kronrod, gauss), (v, (_, k, g))| {
            (kronrod + v * k, if *g == 0.0 { gauss } else { gauss + v * g })
        });
        (sums.0 * half, ((sums.0 - sums.1) * half).abs())
    };
    let of = |values: &[f64]| -> Vec<(f64, f64)> {
        values.chunks(NODES).zip(panels).map(panel).collect()
    };
    Ok(of(first).into_iter().zip(of(second)).map(|(a, b)| [a, b]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(from: f64, to: f64, f: impl Fn(&Tensor) -> Tensor) -> Integrals {
        integrate((from, to), Device::Cpu, |x| Ok(Tensor::stack(&[f(x), x.ones_like()], 0)))
            .unwrap()
    }

    #[test]
    fn integrals_of_smooth_steep_bent_and_broken_functions_are_exact_to_ten_digits() {
        let step = |x: &Tensor| x.gt(1.0 / 3.0).to_kind(Kind::Double);
        let pi = std::f64::consts::PI;
        for (name, found, expected) in [
            ("power", of(-1.0, 2.0, |x| x.pow_tensor_scalar(6)), 129.0 / 7.0),
            ("exponential", of(0.0, 1.0, |x| (x * 40.0).exp()), 40f64.exp_m1() / 40.0),
            ("peak", of(0.0, 1.0, |x| ((x - 0.3).square() * 1e8 + 1.0).reciprocal()), {
                (7e3f64.atan() + 3e3f64.atan()) / 1e4
            }),
            ("kink", of(0.0, 1.0, |x| (x - 1.0 / 3.0).abs()), 5.0 / 18.0),
            ("jump", of(0.0, 1.0, step), 2.0 / 3.0),
            ("infinite slope", of(0.0, 1.0, Tensor::sqrt), 2.0 / 3.0),
            ("logarithm", of(0.0, 1.0, |x| -x.log()), 1.0),
            ("wave", of(0.0, pi, |x| x.sin()), 2.0),
        ] {
            let error = (found.values[0] / expected - 1.0).abs();
            assert!(error < 1e-10, "{name}: {error:.1e}");
            assert!(found.relative_error() < 1e-9, "{name}: {found:?}");
            let length = found.values[1];
            assert!((length - length.round()).abs() < 1e-12 || name == "wave", "{name}: {length}");
        }
    }

    #[test]
    fn a_kink_is_found_wherever_it_is() {
        for i in 1..2000 {
            let at = f64::from(i) / 2000.0 + 1e-5;
            let found = of(0.0, 1.0, |x| (x * 40.0).clamp_max(40.0 * at));
            let expected = 40.0 * (at - at * at / 2.0);
            let error = (found.values[0] / expected - 1.0).abs();
            assert!(error < 1e-9, "{at}: {error:.1e}");
        }
    }

    #[test]
    fn a_function_that_is_not_smooth_or_not_finite_ends_with_a_large_error() {
        let noise = of(0.0, 1.0, |x| (x * 1e9).sin() + 2.0);
        assert!(noise.relative_error() > 1e-9 && noise.relative_error() < 1.0, "{noise:?}");
        assert!(of(0.0, 1.0, |x| x / 0.0).relative_error().is_infinite());
        assert!(of(0.0, 1.0, |x| x * f64::NAN).relative_error().is_infinite());
        assert!(of(0.0, 1.0, Tensor::zeros_like).relative_error().is_infinite());
    }
}
