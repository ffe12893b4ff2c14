//! The loss of a whole model, against the terms as they are written in the reference.

use crate::common::{OBJECTIVES, assert_close, values};
use serde_json::{Value, json};
use triflow::config::{Layers, LossTerm, Reconstruction, Reduction};
use triflow::data::{Shapes, Units};
use triflow::loss::reconstruction;
use triflow::model::Model;
use triflow::prelude::*;
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{self, Device, Kind};

/// A small model in float64.
fn model(settings: &[(&str, Value)]) -> Model {
    model_of(&[3], settings)
}

/// A small model in float64 of targets of a shape.
fn model_of(shape: &[i64], settings: &[(&str, Value)]) -> Model {
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
    let shapes = Shapes { target: shape.to_vec(), condition: None };
    let units = Units::plain(shapes, (Kind::Double, Device::Cpu));
    layers.finish().unwrap().resolve(&units, None).unwrap().into()
}

/// Moves the parameters away from their initial values: an output of zero would hide most errors.
fn perturb(model: &Model) {
    tch::no_grad(|| {
        for (_, mut variable) in model.vars.variables() {
            if variable.dim() > 0 {
                variable += variable.randn_like() * 0.3;
            }
        }
    });
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
    perturb(&model);
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

/// Noise prediction with times uniform in γ: errors are multiplied by (γ_1 − γ_0)/γ'.
#[test]
fn errors_at_times_uniform_in_log_snr_are_multiplied_by_the_inverse_of_their_density() {
    let _stream = seed_torch(12, Purpose::Data, 0);
    for weighting in ["elbo", "none"] {
        let model = model(&[
            ("objective", json!("diffusion")),
            ("noise_schedule", json!("cosine")),
            ("training.time_sampling", json!("importance")),
            ("loss.weighting", json!(weighting)),
            ("loss.normalise", json!(false)),
        ]);
        perturb(&model);
        let batch = 6;
        let data = Tensor::randn([batch, 3], (Kind::Double, Device::Cpu));
        let pass = Pass { dropout: false, ..Pass::TRAIN };
        tch::manual_seed(6);
        let terms = model.losses(&data, None, pass, true).unwrap();
        tch::manual_seed(6);
        let noise = data.randn_like();
        let u = Tensor::rand([batch], (Kind::Double, Device::Cpu));
        let u = (Tensor::arange(batch, (Kind::Double, Device::Cpu)) + u) / batch as f64;
        let (low, high) = model.path().gamma_range().unwrap();
        let gamma = u * (high - low) + low;
        let point = model.path().at(&model.path().time_of(&gamma).unwrap()).unwrap();
        let (a, b) = (point.a.view([-1, 1]), point.b.view([-1, 1]));
        let z = &a * &data + &b * &noise;
        let reading = Reading::new(model.objective(), &point).unwrap();
        let output = model.output(&z, &reading, None, pass).unwrap();
        let gamma_prime = point.gamma_prime().unwrap();
        let factor = (high - low) / &gamma_prime;
        // The weights of the bound are γ' of the noise, and SNR·γ' of recon and reg.
        let (w, w_data) = match weighting {
            "elbo" => (gamma_prime.shallow_clone(), &gamma_prime * gamma.exp()),
            _ => (gamma.ones_like(), gamma.ones_like()),
        };
        let mean = |x: Tensor, w: &Tensor| {
            (x.square().mean_dim([1].as_slice(), false, Kind::Double) * w * &factor).mean(None)
        };
        let clean = (&z - &b * &output) / &a;
        let slope = gamma_prime.view([-1, 1]);
        let velocity = (&z * b.square() - &b * &output) * slope * 0.5;
        for (term, expected) in [
            (LossTerm::Flow, mean(&output - &noise, &w)),
            (LossTerm::Recon, mean(clean - &data, &w_data)),
            (LossTerm::Reg, mean(velocity, &w_data)),
        ] {
            let ours = terms.get(term).unwrap();
            assert_close(&format!("{weighting} {}", term.name()), ours, &values(&expected), 1e-8);
        }
    }
}

/// The terms of sequences are means or sums over their valid positions.
#[test]
fn padded_positions_count_in_no_term_of_a_model() {
    let _stream = seed_torch(13, Purpose::Data, 0);
    let k = 8.0;
    for (reduction, learnable) in [("mean", false), ("sum", false), ("mean", true), ("sum", true)] {
        let mut settings = vec![
            ("task", json!({ "type": "sequence", "mode": "generate" })),
            ("unconditional", json!(true)),
            ("objective", json!("ct")),
            ("noise_schedule", json!({ "type": "sigmoid", "k": k, "learnable": learnable })),
            ("crn.network", json!({ "type": "temporal_conv", "width": 4, "blocks": 1 })),
            ("loss.reduction", json!(reduction)),
        ];
        if !learnable {
            settings.push(("loss.weighting", json!("none")));
        }
        let model = model_of(&[4, 2], &settings);
        perturb(&model);
        let (batch, options) = (3, (Kind::Double, Device::Cpu));
        let mask =
            Tensor::from_slice(&[1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
        let mask = mask.view([batch, 4]);
        let entries = mask.unsqueeze(-1).expand([batch, 4, 2], false);
        let data = Tensor::randn([batch, 4, 2], options) * &entries;
        let pass = Pass { dropout: false, ..Pass::TRAIN }.masked(Some(&mask));
        tch::manual_seed(7);
        let terms = model.losses(&data, None, pass, true).unwrap();
        tch::manual_seed(7);
        let noise = data.randn_like() * &entries;
        let u = Tensor::rand([batch], options);
        let t = (Tensor::arange(batch, options) + u) / batch as f64;
        let point = model.path().at(&t).unwrap();
        let (a, b) = (point.a.view([-1, 1, 1]), point.b.view([-1, 1, 1]));
        let z = &a * &data + &b * &noise;
        let reading = Reading::new(model.objective(), &point).unwrap();
        let output = model.output(&z, &reading, None, pass).unwrap();
        let reduced = |x: Tensor| {
            let sum = (x * &entries).sum_dim_intlist([1, 2].as_slice(), false, Kind::Double);
            match reduction {
                "mean" => sum / entries.sum_dim_intlist([1, 2].as_slice(), false, Kind::Double),
                _ => sum,
            }
        };
        let (half, w) = match learnable {
            true => (0.5, ((&t - 0.5) * k).exp() * k),
            false => (1.0, t.ones_like()),
        };
        let velocity = (&a * &output - &z * a.square()) * (k / 2.0);
        let clean = (&output - &data).square();
        let vae = match learnable {
            true => {
                let variance = (-k / 2.0).exp();
                let noised = data.randn_like() * variance.sqrt();
                let density =
                    noised.square() / variance + (2.0 * std::f64::consts::PI * variance).ln();
                (reduced(density) * 0.5).mean(None)
            }
            false => Tensor::from(0.0),
        };
        for (term, expected) in [
            (LossTerm::Flow, (reduced(clean.shallow_clone()) * &w).mean(None) * half),
            (LossTerm::Recon, (reduced(clean) * &w).mean(None)),
            (LossTerm::Reg, (reduced(velocity.square()) * &w).mean(None)),
            (LossTerm::Vae, vae),
        ] {
            let ours = terms.get(term).unwrap();
            let what = format!("{reduction} learnable={learnable} {}", term.name());
            assert_close(&what, ours, &values(&expected), 1e-9);
        }
    }
}

#[test]
fn the_padding_of_sequences_does_not_count() {
    let golden = crate::common::golden(include_str!("../../golden/losses.json"));
    let mask = &golden["sequence_mask"];
    let of = |key: &str| crate::common::tensor(&mask[key]);
    let (output, target) = (of("pred"), of("target"));
    let segments = Segments::new(&Block::numbers(&target.size()[1..]), Device::Cpu);
    let mean = crate::common::numbers(&mask["per_sample_mean"]);
    // The samples have two features at three and at two positions.
    let sum = [mean[0] * 6.0, mean[1] * 4.0];
    for recon in [Reconstruction::Mse, Reconstruction::Blocks] {
        let found = |reduction| {
            reconstruction(recon, (&output, &target), &segments, reduction, Some(&of("mask")))
        };
        assert_close("mean", &found(Reduction::Mean), &mean, 1e-10);
        assert_close("sum", &found(Reduction::Sum), &sum, 1e-10);
        let loss = found(Reduction::Mean).mean(None).double_value(&[]);
        assert!((loss - mask["loss"].as_f64().unwrap()).abs() < 1e-10);
    }
}
