//! Likelihoods of real runs by `evaluate --likelihood`.

use crate::command::{Folder, text};
use serde_json::Value;
use std::path::Path;
use triflow::io::{NamedArray, npz};

fn evaluate(folder: &Folder, run: &Path, more: &[&str]) -> Value {
    let args = ["evaluate", "--run", text(run), "--draws", "1"];
    serde_json::from_str(&folder.succeeds(&[&args, more].concat())).unwrap()
}

#[test]
fn a_run_says_how_likely_its_rows_are_under_every_objective() {
    let folder = Folder::new();
    for (objective, noise) in [("flow_matching", 0.0), ("diffusion", 0.1), ("ct", 0.1)] {
        let run = folder.tiny(&["train-gen", "--model-type", objective]);
        let mut metrics = evaluate(&folder, &run, &["--likelihood", "12"]);
        assert_eq!(evaluate(&folder, &run, &["--likelihood", "12"]), metrics);
        let found = metrics.as_object_mut().unwrap().remove("likelihood").unwrap();
        // The other metrics are unchanged.
        assert_eq!(evaluate(&folder, &run, &[]), metrics);
        assert_eq!((&found["n"], &found["dimensions"]), (&12.into(), &2.into()));
        assert_eq!(found["of"], "target given condition");
        let (along, bound) = (&found["change_of_variables"], &found["variational_bound"]);
        for measured in [along, bound] {
            let number = |key: &str| measured[key].as_f64().unwrap();
            assert!(number("nll_nats").is_finite());
            assert!(number("nll_nats_error") > 0.0);
            let bits = number("nll_nats") / (2.0 * 2.0_f64.ln());
            assert!((number("bits_per_dimension") - bits).abs() < 1e-12);
        }
        let deviation = along["noise_deviation"].as_f64().unwrap();
        // The default schedule ends at alpha_bar = 0.99.
        assert!((deviation - noise * (1.0_f64 / 0.99).sqrt()).abs() < 1e-6, "{found:#}");
        assert_eq!(along["of"], if noise == 0.0 { "data" } else { "data with noise, z/a" });
        assert_eq!(along["solver"]["type"], "dopri5");
        assert_eq!(along["times"], serde_json::json!([0.0, 1.0]));
        let terms = bound["terms_nats"].as_object().unwrap();
        let sum: f64 = terms.values().map(|v| v.as_f64().unwrap()).sum();
        assert!((sum - bound["nll_nats"].as_f64().unwrap()).abs() < 1e-9, "{found:#}");
        let other = &evaluate(&folder, &run, &["--likelihood", "12", "--seed", "5"])["likelihood"];
        let moves = other["change_of_variables"]["nll_nats"] != along["nll_nats"];
        assert_eq!(moves, noise > 0.0);
        assert_ne!(other["variational_bound"]["nll_nats"], bound["nll_nats"]);
        // The requested solver with its steps.
        let fixed = ["--likelihood", "12", "--solver", "heun", "--steps", "60"];
        let fixed = &evaluate(&folder, &run, &fixed)["likelihood"]["change_of_variables"];
        assert_eq!((&fixed["solver"]["type"], &fixed["nfe"]), (&"heun".into(), &120.into()));
        let [fixed, exact] = [fixed, along].map(|m| m["nll_nats"].as_f64().unwrap());
        assert!((fixed - exact).abs() < 0.01 * exact.abs().max(1.0), "{fixed} {exact}");
    }
}

/// Writes 60 rows of `width` numbers, multiplied by `scale`.
fn write_rows(path: &Path, width: usize, scale: f64) {
    let value = |i: usize| scale * f64::from(((i * 7919) % 1009) as f32 / 256.0);
    let rows: Vec<f64> = (0..60 * width).map(value).collect();
    npz::write_npz(path, &[NamedArray::new("x", vec![60, width], rows).unwrap()]).unwrap();
}

const SMALL: [&str; 8] =
    ["--num-epochs", "2", "--device", "cpu", "--hidden-dims", "8", "--batch-size", "16"];

#[test]
fn the_likelihood_is_one_of_the_datas_own_units() {
    let folder = Folder::new();
    let at_scale = |scale: f64| {
        let file = format!("{scale}.npz");
        write_rows(&folder.join(&file), 3, scale);
        let args = ["train-gen", "--unconditional", "--data-path", &file];
        let run = folder.train(&[&args[..], &SMALL].concat());
        let found =
            evaluate(&folder, &run, &["--likelihood", "--data", &file])["likelihood"].take();
        assert_eq!((&found["n"], &found["of"]), (&60.into(), &"target".into()));
        ["change_of_variables", "variational_bound"]
            .map(|which| found[which]["nll_nats"].as_f64().unwrap())
    };
    // Scaling by a power of 2 is exact, so that the normalised rows and the models are the same.
    let (one, four) = (at_scale(1.0), at_scale(4.0));
    for (one, four) in one.iter().zip(four) {
        assert!((four - one - 3.0 * 4.0_f64.ln()).abs() < 1e-6, "{one} {four}");
    }
}

#[test]
fn many_dimensions_are_probed() {
    let folder = Folder::new();
    write_rows(&folder.join("wide.npz"), 40, 1.0);
    let args = ["train-gen", "--unconditional", "--data-path", "wide.npz", "--model-type", "ct"];
    let run = folder.train(&[&args[..], &SMALL].concat());
    let found = evaluate(&folder, &run, &["--likelihood"])["likelihood"].take();
    let along = &found["change_of_variables"];
    assert_eq!((&along["divergence"], &along["probes"]), (&"hutchinson".into(), &16.into()));
    let (own, all) = (&along["probes_error_nats"], &along["nll_nats_error"]);
    let (own, all) = (own.as_f64().unwrap(), all.as_f64().unwrap());
    assert!(0.0 < own && own < all, "{found:#}");
}

#[test]
fn a_regression_with_numbers_has_a_likelihood_given_x() {
    let folder = Folder::new();
    let rows: String = (0..60).map(|i| format!("{},{}\n", i % 7, (i * i) % 11)).collect();
    folder.write("r.csv", &format!("x,y\n{rows}"));
    let args = ["train", "--data-path", "r.csv"];
    let run = folder.train(&[&args[..], &SMALL].concat());
    let found = evaluate(&folder, &run, &["--likelihood"])["likelihood"].take();
    assert_eq!((&found["dimensions"], &found["of"]), (&1.into(), &"target given condition".into()));
    assert!(found["change_of_variables"]["nll_nats"].as_f64().unwrap().is_finite());
}

#[test]
fn without_a_density_of_the_data_the_reason_is_given() {
    let folder = Folder::new();
    let labels = folder.tiny(&["train"]);
    let latent = ["--encoder-model-type", "mlp_normal", "--latent-shape", "3"];
    let latent = [&["train-gen"], &latent[..], &["--decoder-model-type", "mlp"]].concat();
    let latent = folder.tiny(&latent);
    let decoded = folder.tiny(&["train-gen", "--set", "decoder={type: identity, head: linear}"]);
    let remedy = "help: it needs an encoder and a decoder that leave the target as it is";
    let cases = [
        (
            &labels,
            "no likelihood: the targets are labels, and the model's density is of real vectors\n  \
             help: for labels `triflow evaluate` measures the accuracy"
                .to_owned(),
        ),
        (
            &latent,
            format!(
                "no likelihood: the encoder `mlp_normal` changes the targets, so that the density of \
                 latents is not that of the data\n  at encoder\n  {remedy}"
            ),
        ),
        (
            &decoded,
            format!(
                "no likelihood: the decoder `identity` changes the latents, so that the density of \
                 latents is not that of the data\n  at decoder\n  {remedy}"
            ),
        ),
    ];
    for (run, expected) in cases {
        let error = folder.fails(&["evaluate", "--run", text(run), "--likelihood"]);
        assert_eq!(error, format!("error: {expected}"));
    }
    let error = folder.fails(&["evaluate", "--run", text(&decoded), "--likelihood", "0"]);
    assert!(error.contains("'0' for '--likelihood"), "{error}");
}

#[test]
fn a_solver_that_cannot_go_back_and_a_source_without_density_are_refused() {
    let folder = Folder::new();
    let run = folder.tiny(&["train-gen"]);
    for solver in ["dpmpp", "ancestral"] {
        let args = ["evaluate", "--run", text(&run), "--likelihood", "--solver", solver];
        let error = folder.fails(&args);
        let part = format!("no likelihood along the solver `{solver}`: it goes from noise to data");
        assert!(error.contains(&part) && error.contains("at sampling.solver"), "{error}");
    }
    let run = folder.tiny(&["train-gen", "--set", "source=uniform"]);
    let error = folder.fails(&["evaluate", "--run", text(&run), "--likelihood"]);
    assert!(error.contains("the density of the source `uniform` is not known"), "{error}");
}
