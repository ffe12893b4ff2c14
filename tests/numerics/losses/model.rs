//! The loss of a whole model, against the terms as they are written in the reference.

use crate::common::{OBJECTIVES, assert_close, values};
use serde_json::{Value, json};
use triflow::config::{Layers, LossTerm, Reduction};
use triflow::data::{Shapes, Units};
use triflow::loss::squared_error;
use triflow::model::Model;
use triflow::prelude::*;
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{self, Device, Kind};

/// A small model in float64.
fn model(settings: &[(&str, Value)]) -> Model {
    triflow_plugins::link();
    let mut layers = Layers::new().unwrap();
    let common = [
        ("task", json!("generation")),
        ("device", json!("cpu")),
        ("training.precision", json!("float64")),
        ("crn.network", json!({ "type": "mlp", "hidden_dims": [8] })),
        ("loss.recon_weight", json!(0.5)),
        ("loss.reg_weight", json!(0.1)),
        ("loss.vae_weight", json!(0.7)),
        ("loss.kl_weight", json!(1.3)),
    ];
    for (key, value) in common.iter().chain(settings) {
        layers.set(key, serde_yaml::to_value(value).unwrap(), "test").unwrap();
    }
    let shapes = Shapes { target: vec![3], condition: None };
    let units = Units::plain(shapes, (Kind::Double, Device::Cpu));
    layers.finish().unwrap().resolve(&units, None).unwrap().into()
}

/// Checks the loss of a model against the formulas of the three objectives, with the same draws.
fn check_model(name: &str, weighting: &str, reduction: &str, encoder: &str, learnable: bool) {
    let what = format!("{name} {weighting} {reduction} {encoder} learnable={learnable}");
    let _stream = seed_torch(11, Purpose::Data, 0);
    let mut settings = vec![
        ("objective", json!({ "type": name })),
        ("noise_schedule", json!({ "type": "sigmoid", "k": 8.0, "learnable": learnable })),
        ("encoder", json!({ "type": encoder })),
        ("loss.weighting", json!(weighting)),
        ("loss.reduction", json!(reduction)),
    ];
    if !learnable {
        settings.push(("loss.use_snr_weight", json!(true)));
    }
    let model = model(&settings);
    // An output of zero would hide most errors.
    tch::no_grad(|| {
        for (_, mut variable) in model.vars.variables() {
            if variable.dim() > 0 {
                variable += variable.randn_like() * 0.3;
            }
        }
    });
    let batch = 6;
    let target = Tensor::randn([batch, 3], (Kind::Double, Device::Cpu));
    let pass = Pass { dropout: false, ..Pass::TRAIN };
    tch::manual_seed(5);
    let terms = model.losses(&target, None, pass, true).unwrap();

    tch::manual_seed(5);
    let posterior = model.encode(&target, pass).unwrap();
    let data = posterior.sample();
    let noise = data.randn_like();
    let u = Tensor::rand([batch], (Kind::Double, Device::Cpu));
    let t = (Tensor::arange(batch, (Kind::Double, Device::Cpu)) + u) / batch as f64;
    let point = model.path().at(&t).unwrap();
    let column = |x: &Tensor| x.view([-1, 1]);
    let reduced = |x: Tensor| match reduction {
        "mean" => x.mean_dim([1].as_slice(), false, Kind::Double),
        _ => x.sum_dim_intlist([1].as_slice(), false, Kind::Double),
    };

    // Path and reading, without the framework's code.
    let k = 8.0;
    let gamma = (&t - 0.5) * k;
    let (alpha_bar, rest) = (gamma.sigmoid(), gamma.neg().sigmoid());
    let straight = name == "flow_matching";
    let (a, b) = match straight {
        true => (column(&t), column(&(t.neg() + 1.0))),
        false => (column(&alpha_bar.sqrt()), column(&rest.sqrt())),
    };
    let z = &a * &data + &b * &noise;
    let reading = Reading::new(model.objective(), &point).unwrap();
    let output = model.output(&z, &reading, None, pass).unwrap();
    let (wanted, clean, velocity) = match name {
        "flow_matching" => (&data - &noise, &z + &b * &output, output.shallow_clone()),
        "diffusion" => {
            let velocity = (&z * column(&rest) - &b * &output) * (k / 2.0);
            (noise.shallow_clone(), (&z - &b * &output) / &a, velocity)
        }
        _ => {
            let velocity = (&a * &output - &z * column(&alpha_bar)) * (k / 2.0);
            (data.shallow_clone(), output.shallow_clone(), velocity)
        }
    };
    let snr_prime = gamma.exp() * k;
    let snr_range = (k / 2.0).exp() - (-k / 2.0).exp();
    let capped = (&t * 2.0 / (t.neg() + 1.0)).clamp_max(10.0);
    let (w, w_data) = match (weighting, name) {
        ("elbo", "flow_matching") => {
            (&capped / 3.583_518_938_456_11, &capped / 3.583_518_938_456_11)
        }
        ("seed", "flow_matching") => (t.ones_like(), t.ones_like()),
        ("elbo", "diffusion") if learnable => (t.ones_like() * k, snr_prime.shallow_clone()),
        ("elbo", "ct") if learnable => (snr_prime.shallow_clone(), snr_prime.shallow_clone()),
        ("elbo", "diffusion") => (t.ones_like(), &snr_prime / snr_range),
        _ => (&snr_prime / snr_range, &snr_prime / snr_range),
    };
    let half = if learnable { 0.5 } else { 1.0 };
    let flow = (reduced((&output - wanted).square()) * &w).mean(None) * half;
    let decoded = model.decode(&clean, pass).unwrap();
    let recon = (reduced((decoded - &target).square()) * &w_data).mean(None);
    let reg = (reduced(velocity.square()) * &w_data).mean(None);
    let vae = if learnable {
        // The decoder term −ln N(target | z / a_1, (1 − alpha_bar_1)/alpha_bar_1) with z at t =
        // 1.
        let variance = (-k / 2.0).exp();
        let noised = &data + data.randn_like() * variance.sqrt();
        let decoded = model.decode(&noised, pass).unwrap();
        let density =
            (decoded - &target).square() / variance + (2.0 * std::f64::consts::PI * variance).ln();
        (reduced(density) * 0.5).mean(None)
    } else {
        reduced((model.decode(&data, pass).unwrap() - &target).square()).mean(None)
    };
    let alpha_bar_0 = 1.0 / (1.0 + (k / 2.0).exp());
    let v = match &posterior.log_variance {
        Some(l) => l.exp() * alpha_bar_0 + (1.0 - alpha_bar_0),
        None => data.ones_like() * (1.0 - alpha_bar_0),
    };
    let kl = reduced((posterior.mean.square() * alpha_bar_0 + &v - 1.0 - v.log()) * 0.5).mean(None);
    let mut total = &flow + &recon * 0.5 + &reg * 0.1 + &vae * 0.7;
    if !straight {
        total += &kl * 1.3;
    }
    let expected = [total, flow, recon, reg, vae, kl];
    for (term, expected) in LossTerm::ALL.into_iter().zip(&expected) {
        match terms.get(term) {
            Some(ours) => {
                assert_close(&format!("{what} {}", term.name()), ours, &values(expected), 1e-9);
            }
            None => assert!(straight && term == LossTerm::Kl, "{what}: no {}", term.name()),
        }
    }
}

#[test]
fn the_loss_of_a_model_is_the_sum_of_its_terms_as_written_in_the_reference() {
    for name in OBJECTIVES {
        for weighting in ["elbo", "seed"] {
            for reduction in ["mean", "sum"] {
                for encoder in ["identity", "mlp_normal"] {
                    check_model(name, weighting, reduction, encoder, false);
                }
            }
        }
    }
    for name in ["diffusion", "ct"] {
        for reduction in ["mean", "sum"] {
            for encoder in ["identity", "mlp_normal"] {
                check_model(name, "elbo", reduction, encoder, true);
            }
        }
    }
}

#[test]
fn the_padding_of_sequences_does_not_count() {
    let golden = crate::common::golden(include_str!("../../golden/losses.json"));
    let mask = &golden["sequence_mask"];
    let of = |key: &str| crate::common::tensor(&mask[key]);
    let found = |reduction| squared_error(&of("pred"), &of("target"), reduction, Some(&of("mask")));
    let mean = crate::common::numbers(&mask["per_sample_mean"]);
    assert_close("mean", &found(Reduction::Mean), &mean, 1e-10);
    // The samples have two features at three and at two positions.
    let sum = [mean[0] * 6.0, mean[1] * 4.0];
    assert_close("sum", &found(Reduction::Sum), &sum, 1e-10);
    let loss = found(Reduction::Mean).mean(None).double_value(&[]);
    assert!((loss - mask["loss"].as_f64().unwrap()).abs() < 1e-10);
}
