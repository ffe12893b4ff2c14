//! Every built-in conforms to its kind, by the same checks as a component of a plugin.

use crate::common::built_in;
use std::path::Path;
use triflow::io::{ArrayData, NamedArray, npz, safetensors};
use triflow::testing::{check, report};

/// Parameters other than the defaults that change how a component works.
const VARIANTS: &[(&str, &str, &str)] = &[
    ("noise_schedule", "cosine", "s: 0.1"),
    ("noise_schedule", "exponential", "beta: 8"),
    ("noise_schedule", "polynomial", "power: 1"),
    ("noise_schedule", "polynomial", "{ power: 3.5, learnable: true }"),
    ("noise_schedule", "monotonic_nn", "{ hidden_dims: [5], learnable: true }"),
    ("noise_schedule", "cauchy_logsnr", "{ mu: 1, c: 0.3, learnable: true }"),
    ("noise_schedule", "laplace_logsnr", "{ mu: -1, b: 2, learnable: true }"),
    ("encoder", "mlp", "{ dropout: 0.5, activation: tanh, hidden_dims: [7] }"),
    ("encoder", "mlp_normal", "{ dropout: 0.5, activation: gelu }"),
    ("encoder", "resnet", "{ dropout: 0.5, width: 6, blocks: 3 }"),
    ("encoder", "resnet_normal", "{ dropout: 0.5, activation: softplus }"),
    ("decoder", "identity", "head: linear"),
    ("decoder", "identity", "head: softmax"),
    ("decoder", "mlp", "{ dropout: 0.5, head: softmax }"),
    ("decoder", "resnet", "{ dropout: 0.5, head: softmax, width: 6 }"),
    ("network", "mlp", "{ dropout: 0.5, hidden_dims: [9] }"),
    ("crn", "vanilla", "skip: false"),
    (
        "crn",
        "vanilla",
        "{ network: { type: mlp, dropout: 0.5 }, time_embedding: { dim: 8, scale: 1000 } }",
    ),
    ("solver", "dopri5", "{ rtol: 1.0e-8, atol: 1.0e-9 }"),
    ("solver", "dopri5", "first_step: 1"),
    ("solver", "dopri5", "error: worst_row"),
    ("solver", "bosh3", "{ rtol: 1.0e-6, atol: 1.0e-7 }"),
    ("solver", "ddim", "eta: 0.5"),
    ("solver", "dpmpp", "eta: 1"),
    ("solver", "euler_maruyama", "eta: 0"),
    ("solver", "exponential", "{ sigma_data: 0.5, order: 1 }"),
    ("solver", "heun_edm", "{ churn: 30, churn_from: 0.1, churn_to: 20, noise: 1.003 }"),
    ("loss_weighting", "min_snr", "kappa: 0.3"),
    ("loss_weighting", "sigmoid", "bias: -3"),
    ("loss_weighting", "sigmoid", "bias: 6"),
    ("loss_weighting", "edm", "sigma_data: 2"),
    ("time_sampler", "logit_normal", "{ mean: -1, std: 0.3 }"),
    ("time_sampler", "logit_normal", "{ mean: 2, std: 3 }"),
    ("time_sampler", "log_normal_sigma", "{ mean: 1, std: 0.2 }"),
    ("time_sampler", "log_normal_sigma", "{ mean: 0, std: 4 }"),
    ("guidance", "toward", "{ to: [1, -2], strength: 4, spread: 0.5 }"),
    ("lr_schedule", "constant", "warmup: 30"),
    ("lr_schedule", "cosine", "{ warmup: 30, floor: 0.1 }"),
    ("lr_schedule", "inverse_sqrt", "warmup: 0"),
    ("lr_schedule", "linear", "{ warmup: 5000, floor: 1 }"),
    ("projection", "clamp", "{ low: -5, high: 0.5 }"),
    ("projection", "dynamic_threshold", "{ quantile: 0.8, low: -1 }"),
    ("projection", "dynamic_threshold", "{ quantile: 1 }"),
    ("metric", "efficacy", "target: x0"),
    ("metric", "efficacy_gap", "target: x0"),
    ("metric", "closest_record", "{ rows: 7, quantile: 0.05 }"),
    ("metric", "detection", "rows: 12"),
    ("step_grid", "karras", "rho: 3"),
    ("step_grid", "shifted", "shift: 1"),
    ("step_grid", "shifted", "shift: 0.2"),
    ("optimizer", "sgd", "momentum: 0.9"),
    ("optimizer", "adamw", "weight_decay: 0.3"),
    ("recovery", "restore_and_halve_lr", "restores: 1"),
    ("tracker", "mlflow", "{ uri: 'http://127.0.0.1:9', pictures: false }"),
    ("stopping", "patience", "{ term: flow, epochs: 1, min_improvement: 0.5 }"),
    ("data_source", "two_moons", "{ samples: 101, val_samples: 20, test_samples: 30, seed: 4 }"),
    ("data_source", "two_moons", "{ samples: 2, noise: 0 }"),
    ("data_source", "damped_oscillators", "{ samples: 20, steps: 9, shortest: 2, seed: 4 }"),
    ("data_source", "lorenz", "{ samples: 20, noise: 0.5, target_noise: 0, shortest: 5 }"),
    ("data_source", "two_moons", "{ noise_law: diagonal, scale: 3, shift: -1 }"),
    (
        "network",
        "residual_mlp",
        "{ width: 6, hidden: 9, blocks: 1, activation: tanh, dropout: 0.5 }",
    ),
    ("network", "temporal_conv", "{ width: 6, blocks: 2, kernel: 2, causal: true, dropout: 0.5 }"),
    ("network", "transformer", "{ width: 8, heads: 2, blocks: 2, expansion: 1, dropout: 0.5 }"),
    ("network", "bilinear", "{ dropout: 0.5, hidden_dims: [9, 5], activation: tanh }"),
    ("network", "convex", "{ hidden_dims: [9], activation: relu, mu: 0 }"),
    ("network", "convex", "{ hidden_dims: [6, 5, 4], mu: 2 }"),
    ("crn", "vanilla", "{ time_embedding: { dim: 1 } }"),
    ("crn", "vanilla", "{ network: { type: convex, hidden_dims: [6, 5] } }"),
    ("crn", "potential", "{ sign: 1, skip: false, network: { type: convex, hidden_dims: [6] } }"),
    ("crn", "potential", "{ network: { type: residual_mlp, width: 6, hidden: 9, dropout: 0.5 } }"),
    (
        "crn",
        "geometric",
        "{ skip: false, network: { type: bilinear, hidden_dims: [6], dropout: 0.5 } }",
    ),
    ("crn", "natural", "{ skip: false, delta: 1, network: { type: convex, hidden_dims: [6, 5] } }"),
    (
        "crn",
        "hamiltonian",
        "{ skip: true, network: { type: mlp, activation: gelu, dropout: 0.5 } }",
    ),
    (
        "network",
        "unet",
        "{ channels: [8, 12], blocks: 2, attention: [], dropout: 0.5, features: 6 }",
    ),
    ("network", "dit", "{ patch: 4, width: 8, blocks: 2, heads: 1, dropout: 0.5 }"),
    ("encoder", "conv", "{ width: 8, blocks: 2, dropout: 0.5 }"),
    ("encoder", "conv_normal", "{ width: 4 }"),
    ("decoder", "conv", "{ width: 8, blocks: 2, dropout: 0.5 }"),
    ("source", "uniform", "{ low: 2, high: 3 }"),
    ("source", "eight_gaussians", "{ radius: 0, variance: 1 }"),
    ("source", "data", "{ data: { type: two_moons, samples: 50 } }"),
    ("coupling", "ot_sinkhorn", "epsilon: 1"),
    ("coupling", "ot_conditional", "{ ratio: 0.05, batch: 64 }"),
];

/// The YAML `{type: name}` with these keys.
fn yaml(name: &str, keys: &str) -> serde_yaml::Value {
    let mut yaml: serde_yaml::Mapping = serde_yaml::from_str(keys).unwrap();
    yaml.insert("type".into(), name.into());
    yaml.into()
}

/// Asserts that components, given by (kind, name, keys), conform; the message lists all that do
/// not.
fn assert_all_conform<S: AsRef<str>>(all: impl IntoIterator<Item = (S, S, S)>) {
    let mut reports = Vec::new();
    for (kind, name, keys) in all {
        let (kind, name, keys) = (kind.as_ref(), name.as_ref(), keys.as_ref());
        let found = check(kind, &yaml(name, keys)).unwrap();
        if !found.is_empty() {
            reports.push(format!("with {keys}, {}", report(kind, name, &found)));
        }
    }
    assert!(reports.is_empty(), "{}", reports.join("\n"));
}

/// Writes a file that the data source can read, and returns the key that names it.
fn file_for(name: &str, folder: &Path) -> String {
    if let Some(path) = folder_for(name, folder) {
        return format!("path: '{}'", path.display());
    }
    let ending = if name == "sequences" { "sequences.npz" } else { name };
    let path = folder.join(format!("data.{ending}"));
    let arrays = |labels: bool| {
        let array = |name: &str, shape: &[usize], data: ArrayData| {
            NamedArray::new(name, shape.to_vec(), data).unwrap()
        };
        let y = match labels {
            true => array("y", &[3], vec![0_i64, 2, 1].into()),
            false => array("y", &[3, 1], vec![0.5_f32, 1.5, -2.0].into()),
        };
        let x = |name| array(name, &[3, 2], vec![0.0_f32, 1.0, -1.0, 2.5, 3.0, 4.0].into());
        let y_val = NamedArray { name: "y_val".to_owned(), ..y.clone() };
        [x("x"), y, x("x_val"), y_val]
    };
    match name {
        "csv" | "table" => {
            std::fs::write(&path, "x0,x1,label\n0.5,1,0\n-2,3,1\n1,1e3,2\n").unwrap()
        }
        "sequences" => npz::write_npz(&path, &arrays(false)).unwrap(),
        "npz" => npz::write_npz(&path, &arrays(true)).unwrap(),
        "safetensors" => {
            let text = std::collections::BTreeMap::new();
            safetensors::write_safetensors(&path, &arrays(false), &text).unwrap();
        }
        other => panic!("no file is written here for the data source `{other}`"),
    }
    format!("path: '{}'", path.display())
}

/// Makes a folder of images that the data source can read; `None` if it reads no folder.
fn folder_for(name: &str, folder: &Path) -> Option<std::path::PathBuf> {
    let path = folder.join(name);
    std::fs::create_dir_all(&path).unwrap();
    let idx = |shape: &[u8], values: usize| -> Vec<u8> {
        let lengths = shape.iter().flat_map(|n| [0, 0, 0, *n]);
        let values = (0..values).map(|i| (i % 10) as u8);
        [0, 0, 8, shape.len() as u8].into_iter().chain(lengths).chain(values).collect()
    };
    match name {
        "mnist" => {
            std::fs::write(path.join("train-images-idx3-ubyte"), idx(&[3, 4, 4], 48)).unwrap();
            std::fs::write(path.join("train-labels-idx1-ubyte"), idx(&[3], 3)).unwrap();
        }
        "cifar10" => {
            std::fs::write(path.join("data_batch_1.bin"), vec![4; 3 * 3073]).unwrap();
        }
        "image_folder" => {
            for i in 0..3 {
                let picture = image::GrayImage::from_pixel(4, 4, image::Luma([40 * i]));
                picture.save(path.join(format!("{i}.png"))).unwrap();
            }
        }
        _ => return None,
    }
    Some(path)
}

#[test]
fn every_built_in_conforms_to_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let all = built_in(None);
    assert!(all.len() >= 35, "only {} components", all.len());
    assert_all_conform(all.iter().map(|entry| {
        let info = entry.info;
        let files = ["sequences", "mnist", "cifar10", "image_folder"].contains(&info.name);
        let keys = match info.extensions.is_empty() && !files {
            // Nothing answers there.
            true if info.name == "mlflow" => "uri: 'http://127.0.0.1:9'".to_owned(),
            true => "{}".to_owned(),
            false => file_for(info.name, folder.path()),
        };
        (info.kind.to_owned(), info.name.to_owned(), keys)
    }));
}

#[test]
fn every_learnable_schedule_conforms() {
    let all = built_in(Some("noise_schedule"));
    assert_all_conform(all.iter().map(|e| (e.info.kind, e.info.name, "learnable: true")));
}

#[test]
fn built_ins_conform_with_other_parameters_too() {
    triflow_plugins::link();
    assert_all_conform(VARIANTS.iter().copied());
}

#[test]
fn a_source_without_its_file_is_told_what_is_missing() {
    triflow_plugins::link();
    let error = check("data_source", &"csv".into()).unwrap_err().to_string();
    assert_eq!(error, "`path` is missing\n  help: `path`: File of the table.");
}
