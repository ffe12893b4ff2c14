//! Paths that begin elsewhere than at noise: continued from a state, inverted from data, begun at
//! noised data, and led to given entries; on Gaussian data against closed forms.

use crate::common::gaussian::{Data, Exact};
use crate::common::{
    OBJECTIVES, assert_close, objective, rectified, schedule, solver, values, variance_preserving,
};
use serde_json::json;
use triflow::component::{Columns, Splits};
use triflow::path::{Path, Reading};
use triflow::prelude::*;
use triflow::rng::{Purpose, Streams, seed_torch};
use triflow::sample::{Changed, Given, Observed, Predictor, PredictorField, Trajectory};
use triflow::tch::{Device, Kind};
use triflow::{Lengths, Start, Trained, Trainer};

const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);
const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

fn linear() -> Path {
    variance_preserving(schedule("linear", &json!({}), false, Kind::Double).1)
}

fn gaussian() -> Data {
    Data { m: Tensor::from_slice(&[0.5, -1.0]), s: 0.7 }
}

fn rows() -> Tensor {
    Tensor::from_slice(&[0.1, -0.4, 1.3, -2.0, 0.6, -1.1]).view([3, 2])
}

fn farthest(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

#[test]
fn a_path_that_is_continued_ends_where_the_whole_path_does() {
    let data = gaussian();
    for path in [rectified(), linear()] {
        for clock in [Clock::Time, Clock::Gamma] {
            let field = Exact::field(&data, &path, "ct", clock);
            let heun = solver(json!({ "type": "heun" }));
            let mut trajectory = Trajectory::default();
            let whole = field.sample(&*heun, 20, None, &rows(), &mut trajectory).unwrap();
            let t = field.time(trajectory.clock[8]).unwrap();
            let rest = field.starting_at(Some(t));
            let end = rest.sample(&*heun, 12, None, &trajectory.states[8], &mut ()).unwrap();
            assert_eq!(end.steps, 12);
            assert_close(&format!("{path:?} {clock:?}"), &end.z, &values(&whole.z), 1e-9);
        }
    }
}

#[test]
fn the_way_back_meets_the_exact_state_and_a_round_trip_the_data_at_the_order_of_the_solver() {
    let data = gaussian();
    for (path, clock) in [(rectified(), Clock::Time), (linear(), Clock::Gamma)] {
        for (name, order) in [("euler", 1.0), ("midpoint", 2.0), ("rk4", 4.0)] {
            for from in [None, Some(0.0), Some(0.3)] {
                let solver = solver(json!({ "type": name }));
                let errors = [16, 32].map(|steps| {
                    let field = Exact::field(&data, &path, "flow_matching", clock);
                    let field = field.starting_at(from);
                    let nodes = field.grid(steps).unwrap();
                    let [start, end] = [nodes.start(), nodes.end()]
                        .map(|s| path.at_clock(s, clock, &data.m).unwrap());
                    let last = rows() * &end.a;
                    let state = field.invert(&*solver, steps, &rows()).unwrap();
                    assert_eq!(state.steps, steps);
                    let back = field.sample(&*solver, steps, Some(false), &state.z, &mut ());
                    let exact = data.exact_end(&last, &end, &start);
                    [farthest(&state.z, &exact), farthest(&back.unwrap().z, &last)]
                });
                let what = format!("{path:?} {name} from {from:?}: {errors:?}");
                for (coarse, fine) in errors[0].into_iter().zip(errors[1]) {
                    assert!((coarse / fine).log2() > order - 0.35 || fine < 1e-10, "{what}");
                }
                assert!(errors[1][0] < 0.2, "{what}");
            }
        }
    }
}

#[test]
fn solvers_that_lead_to_data_only_and_times_off_the_path_are_refused() {
    let (data, path) = (gaussian(), rectified());
    let field = || Exact::field(&data, &path, "flow_matching", Clock::Time);
    for name in ["ddim", "dpmpp", "euler_maruyama"] {
        let error = field().invert(&*solver(json!({ "type": name })), 4, &rows()).unwrap_err();
        assert!(error.to_string().contains("from noise to data only"), "{name}: {error}");
    }
    for t in [-0.1, 1.0, 1.5, f64::NAN] {
        let error = field().starting_at(Some(t)).grid(4).unwrap_err().to_string();
        assert!(error.contains("0 <= t < 1"), "{t}: {error}");
    }
    // In log-SNR the path ends before t = 1.
    let late = Exact::field(&data, &path, "ct", Clock::Gamma).starting_at(Some(0.9995));
    assert!(late.grid(4).unwrap_err().to_string().contains("already ends"));
}

/// The exact prediction for data N(m, Σ).
struct Correlated<'p> {
    mean: Tensor,
    covariance: Tensor,
    path: &'p Path,
    objective: Box<dyn Objective>,
}

impl Predictor for Correlated<'_> {
    fn path(&self) -> &Path {
        self.path
    }

    fn objective(&self) -> &dyn Objective {
        &*self.objective
    }

    fn output(&self, z: &Tensor, reading: &Reading<'_>) -> Result<Tensor> {
        let point = reading.point();
        let identity = Tensor::eye(self.mean.size()[0], DOUBLE);
        let of_z = &self.covariance * point.a.square() + identity * point.b.square();
        let r = (z - &point.a * &self.mean).matmul(&of_z.inverse());
        let data = &self.mean + r.matmul(&self.covariance) * &point.a;
        let noise = r * &point.b;
        Ok(reading.target(&data, &noise))
    }
}

/// A covariance of correlated entries with deviations from 0.4 to 1.6.
fn covariance(d: i64) -> Tensor {
    let at = Tensor::arange(d, DOUBLE);
    let far = (at.unsqueeze(0) - at.unsqueeze(1)).abs();
    let deviation = (&at * 1.7).sin() * 0.6 + 1.0;
    (far * -0.35).exp() * deviation.unsqueeze(0) * deviation.unsqueeze(1)
}

/// Mean and covariance of the entries that are not `known`, given those that are (Bishop 2006,
/// eq. 2.81 and 2.82).
pub fn conditional(
    mean: &Tensor,
    of: &Tensor,
    known: &[i64],
    y: &Tensor,
) -> (Tensor, Tensor, Vec<i64>) {
    let unknown: Vec<i64> = (0..mean.size()[0]).filter(|i| !known.contains(i)).collect();
    let pick = |t: &Tensor, dim, of: &[i64]| t.index_select(dim, &Tensor::from_slice(of));
    let block = |a: &[i64], b: &[i64]| pick(&pick(of, 0, a), 1, b);
    let gain = block(&unknown, known).matmul(&block(known, known).inverse());
    let shifted = pick(mean, 0, &unknown) + gain.matmul(&(y - pick(mean, 0, known)));
    let rest = block(&unknown, &unknown) - gain.matmul(&block(known, &unknown));
    (shifted, rest, unknown)
}

#[test]
fn samples_with_given_entries_have_the_conditional_mean_and_covariance() {
    let n = 20_000;
    // Three dimensions with the matrix, forty by conjugate gradients.
    for (d, known) in [(3, vec![1]), (3, vec![0, 2]), (40, vec![3, 4, 17, 30])] {
        let n = if d > 32 { n / 10 } else { n };
        let (mean, covariance) = ((Tensor::arange(d, DOUBLE) * 0.9).cos(), covariance(d));
        let index = Tensor::from_slice(&known);
        // About a deviation from the mean.
        let y = Tensor::from_slice(&[0.8, 1.2, -1.0, 0.7]).narrow(0, 0, known.len() as i64)
            * covariance.diagonal(0, 0, 1).sqrt().index_select(0, &index)
            + mean.index_select(0, &index);
        let (exact_mean, exact_covariance, unknown) = conditional(&mean, &covariance, &known, &y);
        let given = Given {
            values: Tensor::zeros([n, d], DOUBLE).index_copy(1, &index, &y.expand([n, -1], false)),
            known: Tensor::zeros([n, d], DOUBLE).index_fill(1, &index, 1.0),
        };
        for (i, path) in [rectified(), linear()].iter().enumerate() {
            let name = OBJECTIVES[(known.len() + i) % 3];
            let exact = Correlated {
                mean: mean.shallow_clone(),
                covariance: covariance.shallow_clone(),
                path,
                objective: objective(name),
            };
            let clock = path.natural_clock(exact.objective()).unwrap();
            let field =
                PredictorField::of(Changed::new(exact).with(Observed { given: &given }), clock);
            let _stream = seed_torch(9, Purpose::Sample, 0);
            // The exact distribution of the start, where the state holds a little of the data.
            let start = path.at_clock(field.grid(40).unwrap().start(), clock, &y).unwrap();
            let all = Tensor::from_slice(&unknown);
            let centre = Tensor::zeros([d], DOUBLE).index_copy(0, &index, &y).index_copy(
                0,
                &all,
                &exact_mean,
            );
            let rest = Tensor::zeros([d, unknown.len() as i64], DOUBLE);
            let rest = rest.index_copy(0, &all, &exact_covariance.linalg_cholesky(false));
            let noise = Tensor::randn([n, d], DOUBLE) * &start.b;
            let spread = Tensor::randn([n, unknown.len() as i64], DOUBLE).matmul(&rest.tr());
            let z0 = (centre + spread) * &start.a + noise;
            let midpoint = solver(json!({ "type": "midpoint" }));
            // Repeated steps leave an exact distribution as it is.
            let repeats = 1 + 2 * i;
            let drawn = field.repeating(repeats).sample(&*midpoint, 40, None, &z0, &mut ());
            let drawn = drawn.unwrap().z;
            let what = format!("{d} {known:?} {path:?} {name} {repeats}");
            let entries = drawn.index_select(1, &index);
            assert_eq!(farthest(&entries, &y.expand([n, -1], false)), 0.0, "{what}");
            let free = drawn.index_select(1, &Tensor::from_slice(&unknown));
            let found = free.mean_dim([0].as_slice(), false, Kind::Double);
            let scale = exact_covariance.diagonal(0, 0, 1).sqrt();
            let error = 1.0 / (n as f64).sqrt();
            // Five standard errors, and the error of the steps.
            let off = ((&found - &exact_mean) / &scale).abs().max().double_value(&[]);
            assert!(off < 5.0 * error + 0.01, "{what}: the mean is off by {off} deviations");
            let centred = (free - &found) / &scale;
            let found = centred.tr().matmul(&centred) / n as f64;
            let right = &exact_covariance / (scale.unsqueeze(0) * scale.unsqueeze(1));
            let off = farthest(&found, &right);
            assert!(off < 5.0 * 2f64.sqrt() * error + 0.02, "{what}: covariance off by {off}");
        }
    }
}

fn trained(yaml: &str) -> Result<Trained> {
    triflow_plugins::link();
    let _stream = seed_torch(5, Purpose::Data, 0);
    let x = Tensor::randn([64, 2], CPU) * 2.0 + 7.0;
    let train = Columns { x: Some(x), ..Columns::default() };
    let mut layers = triflow::config::Layers::new()?;
    let base = "{ task: generation, unconditional: true, device: cpu, threads: 1, \
                training: { steps: 20, batch_size: 16 }, sampling: { steps: 6 } }";
    layers.add_text(base, "base")?;
    layers.add_text(yaml, "test")?;
    let mut trainer =
        Trainer::with_tables(layers.finish()?, Splits { train, ..Splits::default() })?;
    trainer.fit(&mut |_, _| Ok(triflow::train::Control::Continue))?;
    Ok(trainer.into_trained())
}

#[test]
fn a_trained_model_samples_from_its_z0_from_inverted_and_from_noised_rows() {
    for path in ["rectified", "variance_preserving"] {
        let sampling = "{ solver: rk4, steps: 40, final_denoise: false }";
        let yaml = format!("{{ path: {path}, sampling: {sampling} }}");
        let mut model = trained(&yaml).unwrap();
        let streams = Streams::new(3, 0);
        let plain = model.sample_from(30, None, &streams).unwrap();
        // z_0 of the rows' own streams, given as states.
        let z0 = model.z0(30, Some(&streams)).unwrap();
        let start = Start::States { z: &z0, at: None };
        let again = model.sample_starting(start, None, &Lengths::default(), &streams).unwrap();
        assert_eq!(values(&again), values(&plain), "{path}");
        // There and back, from two times: without denoising the end is a·data.
        let table = Columns { x: Some(plain.shallow_clone()), ..Columns::default() };
        let batch = model.units().rows(table, model.experiment()).unwrap();
        let end = model.model().path().at(&Tensor::from_slice(&[1.0])).unwrap();
        let right = &batch.target * end.a.double_value(&[0]);
        let right = model.units().target.undo(&right);
        for at in [None, Some(0.4)] {
            let states = model.invert(&batch, at).unwrap();
            let start = Start::States { z: &states, at };
            let back = model.sample_starting(start, None, &Lengths::default(), &streams).unwrap();
            let off = farthest(&back, &right);
            assert!(off < 1e-3, "{path} {at:?}: {off}");
        }
        // Noise is added with the coefficients of the path and the z_0 of the streams.
        let noised = model.noised(&batch, 0.6, &streams).unwrap();
        let point = model.model().path().at(&Tensor::from_slice(&[0.6])).unwrap();
        let right = &batch.target * point.a.double_value(&[0]) + z0 * point.b.double_value(&[0]);
        assert!(farthest(&noised, &right) < 1e-5, "{path}");
    }
}

fn drawn_from(model: &mut Trained, given: &Given) -> Result<Tensor> {
    let none = Lengths::default();
    model.sample_starting(Start::Given(given), None, &none, &Streams::new(3, 0))
}

#[test]
fn a_trained_model_completes_rows_and_keeps_what_is_given() {
    let mut model = trained("{}").unwrap();
    let streams = Streams::new(3, 0);
    let targets = Tensor::from_slice(&[6.0_f32, f32::NAN]).repeat([40, 1]);
    let given = model.given(&targets).unwrap();
    let drawn = drawn_from(&mut model, &given).unwrap();
    let off = (drawn.select(1, 0) - 6.0).abs().max().double_value(&[]);
    assert!(off < 1e-5, "{off}");
    assert!(drawn.select(1, 1).std(true).double_value(&[]) > 0.1);
    // Without a known entry, nothing changes.
    let nothing = model.given(&(targets * f64::NAN)).unwrap();
    let free = drawn_from(&mut model, &nothing).unwrap();
    let plain = model.sample_from(40, None, &streams).unwrap();
    assert!(farthest(&free, &plain) < 1e-5);
    let wide = Given { values: Tensor::zeros([4, 3], CPU), known: Tensor::zeros([4, 3], CPU) };
    let error = drawn_from(&mut model, &wide).unwrap_err();
    assert_eq!(error.to_string(), "the known entries have shape [3], the model's [2]");
}

#[test]
fn what_has_no_given_entries_or_no_way_back_is_told_why() {
    let row = Tensor::from_slice(&[6.0_f32, f32::NAN]).view([1, 2]);
    for (yaml, why) in [
        (
            "{ encoder: mlp, decoder: mlp, latent_shape: [2] }",
            "the encoder `mlp` changes the targets",
        ),
        ("source: uniform", "z_0 is not N(0, I)"),
        ("coupling: ot_exact", "depends on the data"),
    ] {
        let error = trained(yaml).unwrap().given(&row).unwrap_err().to_string();
        assert!(error.contains(why), "{yaml}: {error}");
    }
    let mut model = trained("{ sampling: { projection: clamp } }").unwrap();
    let wide = Tensor::zeros([1, 3], CPU);
    assert!(model.given(&wide).unwrap_err().to_string().contains("rows have shape [3]"));
    let table =
        Columns { x: Some(Tensor::from_slice(&[6.0_f32, 7.0]).view([1, 2])), ..Columns::default() };
    let batch = model.units().rows(table, model.experiment()).unwrap();
    let error = model.invert(&batch, None).unwrap_err().to_string();
    assert!(error.contains("a projection cannot be undone"), "{error}");
}
