//! Likelihoods of data whose distribution, best prediction and density along the path are known in
//! closed form. The exact prediction replaces the network.

use crate::common::{
    OBJECTIVES, assert_close, golden, label, list, numbers, objective, rectified, solver, tensor,
    values, variance_preserving,
};
use serde_json::{Value, json};
use std::f64::consts::PI;
use triflow::path::{Path, Reading};
use triflow::prelude::*;
use triflow::rng::{Purpose, seed_torch};
use triflow::sample::likelihood::{Bound, Divergence, bound};
use triflow::sample::{Predictor, PredictorField};
use triflow::tch::{Device, Kind};

const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

fn file() -> Value {
    golden(include_str!("../golden/gaussian.json"))
}

/// A mixture of Gaussians with common axes.
struct Mixture {
    shares: Vec<f64>,
    /// Means in the coordinates of the axes, `[k, d]`.
    means: Tensor,
    /// Deviations along the axes, `[k, d]`.
    deviations: Tensor,
    /// Axes as the columns of an orthogonal matrix, `[d, d]`.
    axes: Tensor,
}

impl Mixture {
    fn gaussian(mean: &Tensor, deviation: f64) -> Self {
        let d = mean.numel() as i64;
        let means = mean.view([1, d]);
        let deviations = means.ones_like() * deviation;
        Self { shares: vec![1.0], means, deviations, axes: Tensor::eye(d, DOUBLE) }
    }

    /// A mixture in three correlated dimensions, for which no Jacobian is diagonal.
    fn correlated() -> Self {
        let axes = Tensor::from_slice(&[2.0, -2.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0, -2.0]);
        Self {
            shares: vec![1.0],
            means: Tensor::from_slice(&[0.5, -0.3, 0.8]).view([1, 3]),
            deviations: Tensor::from_slice(&[1.5, 0.2, 0.6]).view([1, 3]),
            axes: axes.view([3, 3]) / 3.0,
        }
    }

    fn sample(&self, n: i64) -> Tensor {
        assert_eq!(self.shares.len(), 1);
        let d = self.means.size()[1];
        let along = Tensor::randn([n, d], DOUBLE) * &self.deviations + &self.means;
        along.matmul(&self.axes.tr())
    }

    /// ln p of a·data + b·noise at `z` `[n, d]` for each component, `[n, k]`, with residuals `[n,
    /// k, d]`.
    fn components(&self, z: &Tensor, a: &Tensor, b: &Tensor) -> (Tensor, Tensor, Tensor) {
        let z = z.matmul(&self.axes.to_kind(z.kind())).unsqueeze(1);
        let (a, b) = (a.to_kind(z.kind()).view([-1, 1, 1]), b.to_kind(z.kind()).view([-1, 1, 1]));
        let means = self.means.to_kind(z.kind());
        let variance = (&a * self.deviations.to_kind(z.kind())).square() + b.square();
        let r = (z - a * means) / &variance;
        let terms = r.square() * &variance + (&variance * (2.0 * PI)).log();
        let shares = Tensor::from_slice(&self.shares).log().to_kind(r.kind());
        let log = terms.sum_dim_intlist(2, false, r.kind()) * -0.5 + shares;
        (log, r, variance)
    }

    fn log_density(&self, z: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
        self.components(z, a, b).0.logsumexp(1, false)
    }

    /// The best predictions E[data | z] and E[noise | z].
    fn prediction(&self, z: &Tensor, point: &PathPoint<'_>) -> (Tensor, Tensor) {
        let (log, r, _) = self.components(z, &point.a, &point.b);
        let weights = log.softmax(1, log.kind()).unsqueeze(2);
        let (means, deviations) = (self.means.to_kind(r.kind()), self.deviations.to_kind(r.kind()));
        let back = self.axes.to_kind(r.kind()).tr();
        let mean = |t: Tensor| (t * &weights).sum_dim_intlist(1, false, r.kind()).matmul(&back);
        let scale = |c: &Tensor| c.to_kind(r.kind()).view([-1, 1, 1]);
        let data = scale(&point.a) * deviations.square() * &r + means;
        (mean(data), mean(scale(&point.b) * &r))
    }

    /// Entropy −∫ p ln p of a single Gaussian.
    fn entropy(&self) -> f64 {
        let d = self.means.size()[1] as f64;
        0.5 * d * (1.0 + (2.0 * PI).ln()) + values(&self.deviations.log()).iter().sum::<f64>()
    }
}

/// The exact output of an objective's network, with `shift` added to the predicted data.
struct Exact<'m> {
    mixture: &'m Mixture,
    path: &'m Path,
    objective: Box<dyn Objective>,
    shift: f64,
}

impl<'m> Exact<'m> {
    fn new(mixture: &'m Mixture, path: &'m Path, name: &str) -> Self {
        Self { mixture, path, objective: objective(name), shift: 0.0 }
    }
}

impl Predictor for Exact<'_> {
    fn path(&self) -> &Path {
        self.path
    }

    fn objective(&self) -> &dyn Objective {
        &*self.objective
    }

    fn output(&self, z: &Tensor, reading: &Reading<'_>) -> Result<Tensor> {
        let point = reading.point();
        let (data, noise) = self.mixture.prediction(z, point);
        // The noise follows from z = a·data + b·noise; without a shift this also works for b = 0.
        let (data, noise) = if self.shift == 0.0 {
            (data, noise)
        } else {
            let ratio = rows(&(&point.a / &point.b), z);
            (data + self.shift, noise - ratio * self.shift)
        };
        let output = reading.target(&data, &noise);
        Ok(output.to_kind(z.kind()))
    }
}

fn tight() -> Box<dyn Solver> {
    solver(json!({ "type": "dopri5", "rtol": 1e-9, "atol": 1e-10 }))
}

fn linear() -> Path {
    let schedule = crate::common::schedule("linear", &json!({}), false, Kind::Double).1;
    variance_preserving(schedule)
}

/// All objectives for the first two cases, and a single one, in turn, for the others.
fn objectives_for(i: usize) -> &'static [&'static str] {
    if i < 2 { &OBJECTIVES } else { &OBJECTIVES[i % 3..=i % 3] }
}

#[test]
fn the_density_is_that_of_gaussian_data_for_every_objective_path_and_clock() {
    let golden = file();
    let s = golden["s"].as_f64().unwrap();
    let m = tensor(&golden["m"]);
    let mixture = Mixture::gaussian(&m, s);
    for (i, case) in list(&golden["cases"]).iter().enumerate() {
        let path = crate::common::path(case);
        let known = &case["loglik"];
        let z = tensor(&known["z1"]).view([1, 3]);
        for name in objectives_for(i) {
            // Both clocks for the first two cases, then one of them in turn.
            let clocks = [Clock::Gamma, Clock::Time];
            for clock in if i < 2 { &clocks[..] } else { &clocks[i % 2..=i % 2] } {
                let clock = *clock;
                let what = format!("{} {name} {clock:?}", label(case));
                let field = PredictorField::of(Exact::new(&mixture, &path, name), clock);
                let found = field.log_density(&z, &*tight(), 1, Divergence::Exact).unwrap();
                assert!(found.error.is_none() && !found.log.requires_grad());
                // The ODE maps N(0, I) to N(a·m − √(V/V_0)·a_0·m, V/V_0).
                let grid = field.grid(1).unwrap();
                let [from, to] =
                    [grid.start(), grid.end()].map(|s| path.at_clock(s, clock, &z).unwrap());
                let variance = |p: &PathPoint| p.a.square() * s * s + p.b.square();
                let stretch = (variance(&to) / variance(&from)).sqrt();
                let mean = (&to.a - &stretch * &from.a) * &m;
                let r = (&z - mean) / &stretch;
                let exact = r.square().sum(Kind::Double) * -0.5
                    - (stretch.log() + 0.5 * (2.0 * PI).ln()) * 3.0;
                assert_close(&what, &found.log, &values(&exact), 1e-6);
                let whole = path.bounded() || *name == "flow_matching";
                if whole && (path.bounded() || clock == Clock::Time) {
                    let expected = known["log_p_model"].as_f64().unwrap();
                    assert_close(&what, &found.log, &[expected], 1e-6);
                    let z0 = tensor(&known["z0"]);
                    let start = z0.square().sum(Kind::Double) * -0.5 - 1.5 * (2.0 * PI).ln();
                    assert_close(&what, &(start - &found.log), &numbers(&known["int_div"]), 1e-6);
                }
            }
        }
    }
}

#[test]
fn the_density_of_a_mixture_is_the_mixture_and_integrates_to_1() {
    let mixture = Mixture {
        shares: vec![0.3, 0.7],
        means: Tensor::from_slice(&[-1.2, 0.8]).view([2, 1]),
        deviations: Tensor::from_slice(&[0.3, 0.5]).view([2, 1]),
        axes: Tensor::eye(1, DOUBLE),
    };
    let (n, width) = (401, 9.0);
    let z = Tensor::linspace(-width, width, n, DOUBLE).view([n, 1]);
    let step = 2.0 * width / (n - 1) as f64;
    let (rectified, linear) = (rectified(), linear());
    for (path, names, clock) in [
        (&rectified, &OBJECTIVES[..1], Clock::Time),
        (&rectified, &OBJECTIVES[2..], Clock::Gamma),
        (&linear, &OBJECTIVES[..], Clock::Gamma),
    ] {
        for name in names {
            let field = PredictorField::of(Exact::new(&mixture, path, name), clock);
            let found = field.log_density(&z, &*tight(), 1, Divergence::Exact).unwrap();
            let total = found.log.exp().sum(Kind::Double).double_value(&[]) * step;
            assert!((total - 1.0).abs() < 1e-6, "{name} {clock:?}: {total}");
            if clock == Clock::Time {
                let one = Tensor::from_slice(&[1.0]);
                let exact = mixture.log_density(&z, &one, &one.zeros_like());
                // Far from the data, where the path from z to z_0 is long, only p itself is
                // compared.
                let error = (found.log.exp() - exact.exp()).abs().max().double_value(&[]);
                assert!(error < 1e-7, "{name}: {error}");
            }
        }
    }
}

#[test]
fn probes_give_the_density_without_bias_and_say_how_far_they_are_off() {
    let _stream = seed_torch(1, Purpose::Sample, 0);
    let mixture = Mixture::correlated();
    let path = linear();
    let rk4 = solver(json!({ "type": "rk4" }));
    let n = 400;
    let z = mixture.sample(n);
    for name in OBJECTIVES {
        let field = PredictorField::of(Exact::new(&mixture, &path, name), Clock::Gamma);
        let exact = field.log_density(&z, &*rk4, 60, Divergence::Exact).unwrap();
        let probes = Divergence::Hutchinson { probes: 30 };
        let found = field.log_density(&z, &*rk4, 60, probes).unwrap();
        assert_eq!(found.nfe, exact.nfe);
        let error = found.error.unwrap();
        assert!(error.min().double_value(&[]) > 1e-3);
        let off = (&found.log - &exact.log) / &error;
        let mean = off.mean(Kind::Double).double_value(&[]);
        let spread = off.square().mean(Kind::Double).sqrt().double_value(&[]);
        assert!(mean.abs() < 4.0 / (n as f64).sqrt(), "{name}: off by {mean}");
        assert!((0.85..1.2).contains(&spread), "{name}: spread {spread}");
    }
    // A single probe has no estimate of its error.
    let field = PredictorField::of(Exact::new(&mixture, &path, "ct"), Clock::Gamma);
    let one = field.log_density(&z, &*rk4, 5, Divergence::Hutchinson { probes: 1 }).unwrap();
    assert!(one.error.is_none());
    let none = field.log_density(&z, &*rk4, 5, Divergence::Hutchinson { probes: 0 });
    assert_eq!(none.unwrap_err().to_string(), "needs at least 1\n  at probes");
}

#[test]
fn shapes_of_any_rank_and_float32_have_the_same_density() {
    let _stream = seed_torch(2, Purpose::Sample, 0);
    /// A prediction for rows that are matrices instead of vectors.
    struct Folded<'m>(Exact<'m>);
    impl Predictor for Folded<'_> {
        fn path(&self) -> &Path {
            self.0.path()
        }
        fn objective(&self) -> &dyn Objective {
            self.0.objective()
        }
        fn output(&self, z: &Tensor, reading: &Reading<'_>) -> Result<Tensor> {
            Ok(self.0.output(&z.flatten(1, -1), reading)?.view_as(z))
        }
    }
    let mixture = Mixture::correlated();
    let path = linear();
    let z = mixture.sample(20);
    let flat = PredictorField::of(Exact::new(&mixture, &path, "diffusion"), Clock::Gamma);
    let exact = flat.log_density(&z, &*tight(), 1, Divergence::Exact).unwrap().log;
    let folded = PredictorField::of(Folded(Exact::new(&mixture, &path, "diffusion")), Clock::Gamma);
    let found = folded.log_density(&z.view([20, 1, 3]), &*tight(), 1, Divergence::Exact).unwrap();
    assert_eq!(values(&found.log), values(&exact));
    let loose = solver(json!({ "type": "dopri5" }));
    let single = flat.log_density(&z.to_kind(Kind::Float), &*loose, 1, Divergence::Exact).unwrap();
    assert_eq!(single.log.kind(), Kind::Double);
    let error = (single.log - exact).abs().max().double_value(&[]);
    assert!(error < 1e-3, "{error}");
}

/// Mean of a tensor, with its standard error.
fn estimate(t: &Tensor) -> (f64, f64) {
    let n = t.numel() as f64;
    (t.mean(Kind::Double).double_value(&[]), t.std(true).double_value(&[]) / n.sqrt())
}

fn assert_mean(what: &str, t: &Tensor, expected: f64) {
    let (mean, error) = estimate(t);
    assert!(
        (mean - expected).abs() < 4.5 * error + 1e-9,
        "{what}: {mean} ± {error}, not {expected}"
    );
}

/// Means of the terms over data N(m, s²I): KL(z_0) from its definition, the diffusion term
/// d/2·ln((1 + s²·SNR_1)/(1 + s²·SNR_0)).
#[test]
fn the_bound_is_tight_for_the_exact_prediction_of_every_objective_on_every_path() {
    let _stream = seed_torch(3, Purpose::Sample, 0);
    let golden = file();
    let s = golden["s"].as_f64().unwrap();
    let m = tensor(&golden["m"]);
    let mixture = Mixture::gaussian(&m, s);
    let data = mixture.sample(2000);
    for (i, case) in list(&golden["cases"]).iter().enumerate() {
        let path = crate::common::path(case);
        let (start, end) = path.gamma_range().unwrap();
        for name in objectives_for(i) {
            let what = format!("{} {name}", label(case));
            let found = bound(&Exact::new(&mixture, &path, name), &data, 20).unwrap();
            let ratio = (1.0 + s * s * end.exp()) / (1.0 + s * s * start.exp());
            let diffusion = 1.5 * ratio.ln();
            assert_mean(&what, &found.diffusion, diffusion);
            let kept = start.exp() / (1.0 + start.exp());
            let square = values(&m.square().sum(Kind::Double))[0] + 3.0 * s * s;
            let prior = 0.5 * (kept * square - 3.0 * (kept + (-kept).ln_1p()));
            assert_mean(&what, &found.prior, prior);
            let decoder = 1.5 * (1.0 + (2.0 * PI).ln() - end);
            assert_close(&what, &Tensor::from(found.decoder), &[decoder], 1e-10);
            if let Some(known) = case.get("vdm_bound") {
                let known = |key: &str| known[key].as_f64().unwrap();
                assert_close(&what, &Tensor::from(diffusion), &[known("diffusion")], 1e-9);
                assert_close(&what, &Tensor::from(prior), &[known("kl_z0")], 1e-9);
                assert_close(&what, &Tensor::from(decoder), &[known("recon_nll")], 1e-9);
            }
            assert_mean(&what, &found.total(), prior + diffusion + decoder);
            // The gap of the bound comes from the noise left at the end (SNR·s² against 1 +
            // SNR·s²) and from the start.
            let gap = prior + diffusion + decoder - mixture.entropy();
            let left = 1.5 * (1.0 + 1.0 / (s * s * end.exp())).ln();
            let at_start = prior - 1.5 * (1.0 + s * s * start.exp()).ln();
            assert!(gap > 0.0 && (gap - left - at_start).abs() < 1e-9, "{what}: {gap}");
        }
    }
}

#[test]
fn a_prediction_that_is_off_costs_half_of_its_squared_error_over_log_snr() {
    let mixture = Mixture::correlated();
    let shift = 0.3;
    for path in [linear(), rectified()] {
        let (start, end) = path.gamma_range().unwrap();
        for name in OBJECTIVES {
            let bound_of = |shift: f64| {
                let _stream = seed_torch(4, Purpose::Sample, 0);
                let predictor = Exact { shift, ..Exact::new(&mixture, &path, name) };
                bound(&predictor, &mixture.sample(2000), 40).unwrap().diffusion
            };
            // The cost of a shift is ½ ∫ SNR |shift|² dγ, and a cross term with mean 0, on the
            // same draws.
            let cost = bound_of(shift) - bound_of(0.0);
            let exact = 0.5 * 3.0 * shift * shift * (end.exp() - start.exp());
            assert_mean(name, &cost, exact);
        }
    }
}

#[test]
fn the_bound_knows_how_far_its_draws_are_off() {
    let _stream = seed_torch(6, Purpose::Sample, 0);
    let mixture = Mixture::correlated();
    let data = mixture.sample(2000);
    for path in [linear(), rectified()] {
        let draw = || bound(&Exact::new(&mixture, &path, "flow_matching"), &data, 100).unwrap();
        let (one, other) = (draw(), draw());
        let variance = |found: &Bound| found.error.as_ref().unwrap().square().mean(Kind::Double);
        let expected = variance(&one) + variance(&other);
        let found = (&one.diffusion - &other.diffusion).square().mean(Kind::Double);
        let ratio = (found / expected).double_value(&[]);
        assert!((0.85..1.1).contains(&ratio), "{path:?}: {ratio}");
        assert!(bound(&Exact::new(&mixture, &path, "ct"), &data, 1).unwrap().error.is_none());
    }
}

#[test]
fn where_the_prediction_says_nothing_of_the_noise_the_bound_is_infinite() {
    /// The velocity of the path, which is zero where log-SNR does not change.
    struct Velocity;
    impl Objective for Velocity {
        fn mix(&self, point: &PathPoint<'_>) -> Result<(Tensor, Tensor)> {
            point.rates(Clock::Time)
        }

        fn default_path(&self) -> Result<&'static str> {
            Ok("variance_preserving")
        }
    }
    let mixture = Mixture::correlated();
    let data = Tensor::zeros([2, 3], DOUBLE);
    for (schedule, infinite) in [("linear", false), ("quadratic", true), ("cosine", true)] {
        let schedule = crate::common::schedule(schedule, &json!({}), false, Kind::Double).1;
        let path = variance_preserving(schedule);
        let predictor =
            Exact { objective: Box::new(Velocity), ..Exact::new(&mixture, &path, "ct") };
        match bound(&predictor, &data, 5) {
            Err(e) => {
                assert!(infinite && e.to_string().starts_with("the bound is infinite"), "{e}")
            }
            Ok(found) => assert!(!infinite, "{found:?}"),
        }
    }
}

#[test]
fn both_measures_agree_where_the_prediction_is_exact() {
    let _stream = seed_torch(5, Purpose::Sample, 0);
    let mixture = Mixture::correlated();
    let path = linear();
    let data = mixture.sample(3000);
    let end = path.at(&Tensor::from_slice(&[1.0])).unwrap();
    let z = &end.a * &data + &end.b * data.randn_like();
    for name in OBJECTIVES {
        let field = PredictorField::of(Exact::new(&mixture, &path, name), Clock::Gamma);
        let along = field.log_density(&z, &*tight(), 1, Divergence::Exact).unwrap().log;
        let along = along + 3.0 * end.a.log();
        let bounded = bound(&Exact::new(&mixture, &path, name), &data, 50).unwrap().total();
        let (excess, error) = estimate(&(bounded + along));
        // Both start from N(0, I) instead of the path's own distribution at t = 0, their only
        // difference.
        assert!(excess.abs() < 4.0 * error + 0.02, "{name}: {excess} ± {error}");
    }
}

#[test]
fn what_has_no_derivative_has_no_density() {
    /// A network that detaches its input.
    struct Detached<'m>(Exact<'m>);
    impl Predictor for Detached<'_> {
        fn path(&self) -> &Path {
            self.0.path()
        }
        fn objective(&self) -> &dyn Objective {
            self.0.objective()
        }
        fn output(&self, z: &Tensor, reading: &Reading<'_>) -> Result<Tensor> {
            self.0.output(&z.detach(), reading)
        }
    }
    struct AsksForData;
    impl Solver for AsksForData {
        fn integrate(
            &self,
            field: &dyn Field,
            z0: &Tensor,
            grid: &Grid,
            _: &mut dyn Observer,
        ) -> Result<Solution> {
            Ok(Solution { z: field.data(z0, grid.start())?, nfe: 1, rejected: 0 })
        }
        fn order(&self) -> Result<usize> {
            Ok(1)
        }
    }
    let mixture = Mixture::correlated();
    let path = linear();
    let z = Tensor::zeros([2, 3], DOUBLE);
    let detached = PredictorField::of(Detached(Exact::new(&mixture, &path, "ct")), Clock::Gamma);
    for divergence in [Divergence::Exact, Divergence::Hutchinson { probes: 2 }] {
        let e = detached.log_density(&z, &*tight(), 1, divergence).unwrap_err();
        assert!(e.to_string().contains("no differentiable function of the state"), "{e}");
    }
    let field = PredictorField::of(Exact::new(&mixture, &path, "ct"), Clock::Gamma);
    let e = field.log_density(&z, &AsksForData, 1, Divergence::Exact).unwrap_err();
    assert!(e.to_string().contains("a solver that needs only the derivative"), "{e}");
}
