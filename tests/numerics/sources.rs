//! Sources have their documented distributions, and settings that need another one are errors.

use triflow::component::{Columns, Source, SourceContext, Splits};
use triflow::prelude::*;
use triflow::rng::{Purpose, RowDraws, Streams, seed_torch};
use triflow::tch::{Device, Kind};
use triflow::train::Control;
use triflow::{Experiment, Trainer};

fn source(yaml: &str) -> Result<Box<dyn Source>> {
    triflow_plugins::link();
    let component: Component<dyn Source> =
        serde_yaml::from_str(yaml).map_err(|e| Error::runtime(e.to_string()))?;
    component.build(&SourceContext { z_shape: vec![2], seed: 1 })
}

const N: i64 = 40_000;

fn draws(yaml: &str) -> Tensor {
    let source = source(yaml).unwrap();
    let rows = RowDraws::new(Streams::new(3, 0), Purpose::Sample);
    source.draw(&rows, &[N, 2], (Kind::Double, Device::Cpu)).unwrap()
}

/// Asserts mean and covariance of two-dimensional draws, to six standard errors.
fn has_moments(yaml: &str, mean: [f64; 2], covariance: [f64; 3]) {
    let z = draws(yaml);
    let (x, y) = (z.select(1, 0) - mean[0], z.select(1, 1) - mean[1]);
    let found = [
        ("mean of x", x.shallow_clone(), 0.0),
        ("mean of y", y.shallow_clone(), 0.0),
        ("variance of x", x.square(), covariance[0]),
        ("covariance", &x * &y, covariance[1]),
        ("variance of y", y.square(), covariance[2]),
    ];
    for (what, values, expected) in found {
        let error = values.std(true).double_value(&[]) / (N as f64).sqrt();
        let off = values.mean(Kind::Double).double_value(&[]) - expected;
        assert!(off.abs() < 6.0 * error, "{yaml}: {what} is off by {off}, its error is {error}");
    }
}

#[test]
fn every_source_has_its_mean_and_covariance() {
    has_moments("standard_normal", [0.0, 0.0], [1.0, 0.0, 1.0]);
    has_moments("{ type: uniform, low: -1, high: 2 }", [0.5, 0.5], [0.75, 0.0, 0.75]);
    // A circle of radius r has the variance r²/2 in each coordinate.
    let v = 12.5 + 0.1_f64.sqrt();
    has_moments("eight_gaussians", [0.0, 0.0], [v, 0.0, v]);
    has_moments("{ type: eight_gaussians, radius: 2, variance: 0.5 }", [0.0; 2], [2.5, 0.0, 2.5]);
    // Moments of both half circles without noise, by integration over the angle.
    let pi = std::f64::consts::PI;
    let (up, down) = (2.0 / pi, 0.5 - 2.0 / pi);
    let variance = 0.5 - 4.0 / (pi * pi) + ((up - down) / 2.0).powi(2);
    // The moons' centres are at (0, up) and (1, down).
    let covariance = (0.0 - 0.5) * (up - down) / 2.0 / 2.0 + (1.0 - 0.5) * (down - up) / 2.0 / 2.0;
    has_moments(
        "{ type: data, data: { type: two_moons, samples: 20000, noise: 0 } }",
        [0.5, 0.25],
        [0.75, covariance, variance],
    );
}

#[test]
fn the_eight_gaussians_are_eight_and_equal() {
    let z = draws("{ type: eight_gaussians, radius: 5, variance: 0.01 }");
    let angle = z.select(1, 1).atan2(&z.select(1, 0)) / (std::f64::consts::TAU / 8.0);
    let nearest = angle.round();
    let off = (&angle - &nearest).abs().max().double_value(&[]);
    assert!(off < 0.2, "{off}");
    for k in 0..8 {
        let count = nearest.remainder(8.0).eq(f64::from(k)).sum(Kind::Int64).int64_value(&[]);
        let sd = (N as f64 / 8.0 * 7.0 / 8.0).sqrt();
        assert!((count as f64 - N as f64 / 8.0).abs() < 6.0 * sd, "{k}: {count}");
    }
}

#[test]
fn a_source_of_data_draws_their_rows_and_all_of_them() {
    let rows = |yaml: &str| -> std::collections::BTreeSet<Vec<u64>> {
        let z = draws(yaml);
        let values: Vec<f64> = Vec::try_from(z.reshape([-1])).unwrap();
        values.chunks(2).map(|row| row.iter().map(|v| v.to_bits()).collect()).collect()
    };
    let found = rows("{ type: data, data: { type: two_moons, samples: 30, seed: 2 } }");
    assert_eq!(found.len(), 30);
}

#[test]
fn a_source_that_does_not_fit_the_latent_is_told() {
    triflow_plugins::link();
    let build = |yaml: &str, z_shape: Vec<i64>| {
        let component: Component<dyn Source> = serde_yaml::from_str(yaml).unwrap();
        component.build(&SourceContext { z_shape, seed: 1 }).err().unwrap().to_string()
    };
    assert!(build("eight_gaussians", vec![3]).contains("lie in the plane"));
    let error = build("data", vec![3]);
    assert!(error.contains("x have shape [2], but a latent has shape [3]"), "{error}");
    assert!(source("{ type: uniform, low: 1, high: 1 }").is_err());
    assert!(source("{ type: eight_gaussians, variance: -1 }").is_err());
}

fn points() -> Splits {
    let _stream = seed_torch(5, Purpose::Data, 0);
    let x = Tensor::randn([64, 2], (Kind::Float, Device::Cpu)) * 0.1 + 3.0;
    Splits { train: Columns { x: Some(x), y: None, ..Columns::default() }, ..Splits::default() }
}

fn trainer(yaml: &str) -> Result<Trainer> {
    triflow_plugins::link();
    let base = "{ unconditional: true, device: cpu, data: { standardise: false }, \
                training: { epochs: 1, batch_size: 16 } }";
    let mut layers = triflow::config::Layers::new()?;
    layers.add_text(base, "base")?;
    layers.add_text(yaml, "test")?;
    Trainer::with_tables(layers.finish()?, points())
}

#[test]
fn what_needs_gaussian_noise_is_refused_with_another_source_or_coupling() {
    for (with, why) in [
        ("source: uniform", "the source `uniform` is not N(0, I)"),
        ("coupling: ot_exact", "with the coupling `ot_exact` z_0 depends on the data"),
    ] {
        for (what, key) in [
            ("objective: diffusion", "path"),
            ("objective: diffusion, path: rectified", "objective"),
            ("objective: ct, path: rectified", "objective"),
            ("path: variance_preserving", "path"),
            ("sampling: { grid: gamma }", "sampling.grid"),
            ("sampling: { final_denoise: true }", "sampling.final_denoise"),
        ] {
            let error = trainer(&format!("{{ {with}, {what} }}")).err().unwrap().to_string();
            assert!(error.contains(why) && error.contains("help: "), "{with}, {what}: {error}");
            assert!(error.contains(&format!("\n  at {key}")), "{with}, {what}: {error}");
        }
        assert!(!trainer(&format!("{{ {with} }}")).unwrap().trained().model().gaussian());
    }
    assert!(trainer("{}").unwrap().trained().model().gaussian());
    // Sobol' points need the source N(0, I), but no particular coupling.
    let sobol = "sampling: { noise: sobol }";
    assert!(trainer(&format!("{{ coupling: ot_exact, {sobol} }}")).is_ok());
    let error = trainer(&format!("{{ source: uniform, {sobol} }}")).err().unwrap().to_string();
    assert!(error.contains("at sampling.noise"), "{error}");
}

#[test]
fn steps_in_log_snr_are_refused_where_they_are_asked_for_later() {
    use triflow::sample::SamplingPlan;
    let mut model = trainer("{ source: uniform }").unwrap().into_trained();
    let z0 = model.z0(4, Some(&Streams::new(1, 0))).unwrap();
    let plan = SamplingPlan { grid: Component::named("gamma").ok(), ..model.plan() };
    let error = model.sample_latents(&z0, None, &plan, &mut ()).unwrap_err().to_string();
    assert!(error.contains("log-SNR"), "{error}");
    assert!(model.sample_latents(&z0, None, &model.plan(), &mut ()).is_ok());
}

#[test]
fn samples_start_from_the_source() {
    let mut model =
        trainer("{ source: { type: uniform, low: 7, high: 8 } }").unwrap().into_trained();
    let z0 = model.z0(500, Some(&Streams::new(1, 0))).unwrap();
    assert!(z0.min().double_value(&[]) >= 7.0 && z0.max().double_value(&[]) <= 8.0);
    // The initial output of the network is 0, so that samples stay at z_0.
    let samples = model.sample(&[500], None, 1).unwrap();
    assert!(samples.min().double_value(&[]) >= 7.0 && samples.max().double_value(&[]) <= 8.0);
}

#[test]
fn a_regression_starts_from_the_centre_of_the_normal_source_alone() {
    triflow_plugins::link();
    let yaml = "{ task: regression, source: uniform, device: cpu, data: { samples: 100 } }";
    let error = Trainer::new(Experiment::from_yaml(yaml).unwrap(), std::path::Path::new(""));
    let error = error.err().unwrap().to_string();
    assert!(error.contains("the centre of N(0, I)") && error.contains("at source"), "{error}");
}

#[test]
fn a_flow_from_one_data_set_to_another_arrives() {
    let yaml = "{ source: { type: data, data: { type: two_moons, samples: 500 } }, \
                training: { steps: 400, batch_size: 64, optimizer: { learning_rate: 0.01 } }, \
                sampling: { steps: 10 } }";
    let mut trainer = trainer(yaml).unwrap();
    trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
    let samples = trainer.trained_mut().0.sample(&[1000], None, 3).unwrap();
    let mean = samples.mean(Kind::Double).double_value(&[]);
    assert!((mean - 3.0).abs() < 0.15, "{mean}");
}
