//! The schema for editors, experiment files, and the order of an experiment's layers.

use crate::command::{Folder, Schema, text};
use crate::experiment::Request;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use triflow::config::Layers;
use triflow::registry::registry;
use triflow_args::{Cli, Command};

fn configs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs");
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    all.retain(|p| p.extension().is_some_and(|e| e == "yaml"));
    all.sort();
    assert!(all.len() >= 2, "{all:?}");
    all
}

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

/// An experiment with a component of a kind at its key.
fn in_experiment(kind: &str, component: Value) -> Value {
    match kind {
        "data_source" => json!({ "data": component }),
        "lr_schedule" => json!({ "training": { "lr_schedule": component } }),
        "optimizer" => json!({ "training": { "optimizer": component } }),
        "tracker" => json!({ "tracking": [component] }),
        "recovery" => json!({ "training": { "on_divergence": component } }),
        "stopping" => json!({ "training": { "stopping": component } }),
        "solver" => json!({ "sampling": { "solver": component } }),
        "projection" => json!({ "sampling": { "projection": component } }),
        "step_grid" => json!({ "sampling": { "grid": component } }),
        "guidance" => json!({ "sampling": { "steering": component } }),
        "network" => json!({ "crn": { "type": "vanilla", "network": component } }),
        "loss_weighting" => json!({ "loss": { "weighting": component } }),
        "metric" => json!({ "metrics": { "extra": [component] } }),
        "time_sampler" => json!({ "training": { "time_sampling": component } }),
        other => json!({ other: component }),
    }
}

#[test]
fn what_triflow_writes_fits_its_own_schema() {
    triflow_plugins::link();
    let folder = Folder::new();
    let schema = Schema::of(&folder, &[]);
    for config in configs() {
        let written = std::fs::read_to_string(&config).unwrap();
        schema.accepts(&yaml(&written));
        // Configurations that need files are tested in `images`, or need the data of an example.
        if !["data.path=FOLDER", "make_data.py"].iter().any(|file| written.contains(file)) {
            schema.accepts(&yaml(&folder.succeeds(&["validate", text(&config)])));
        }
    }
    for task in ["regression", "generation"] {
        let experiment = folder.succeeds(&["init", "--task", task]);
        schema.accepts(&yaml(&experiment));
        folder.write("init.yaml", &experiment);
        // The output of validate has every null resolved, and validates to itself.
        let resolved = folder.succeeds(&["validate", "init.yaml"]);
        schema.accepts(&yaml(&resolved));
        assert_eq!(yaml(&resolved)["task"], task);
        assert!(!yaml(&resolved)["path"].is_null(), "{resolved}");
        folder.write("resolved.yaml", &resolved);
        assert_eq!(folder.succeeds(&["validate", "resolved.yaml"]), resolved);
    }
    let mut described = BTreeSet::new();
    for entry in registry().list(None) {
        let (kind, name) = (entry.info.kind, entry.info.name);
        let example = yaml(&entry.info.example().unwrap());
        assert_eq!(example["type"], name);
        // The command shows the same; one component of each kind is enough.
        if described.insert(kind) {
            let shown = folder.succeeds(&["describe", kind, name, "--format", "json"]);
            let shown: Value = serde_json::from_str(&shown).unwrap();
            assert_eq!(yaml(shown["example"].as_str().unwrap()), example);
        }
        schema.accepts(&in_experiment(kind, example.clone()));
        for name in entry.info.aliases.iter().chain([&name]) {
            schema.accepts(&in_experiment(kind, json!(name)));
        }
        let mut misspelt = example;
        misspelt["no_such_key"] = json!(1);
        schema.refuses(&in_experiment(kind, misspelt));
    }
    assert_eq!(described.len(), registry().kinds().len());
}

#[test]
fn the_schema_and_the_command_agree_on_what_a_file_may_say() {
    triflow_plugins::link();
    let folder = Folder::new();
    let schema = Schema::of(&folder, &[]);
    let agree = |experiment: &str, right: bool| {
        folder.write("e.yaml", experiment);
        // The steps of `validate`.
        let mut layers = Layers::new().unwrap();
        layers.add_file(&folder.join("e.yaml")).unwrap();
        assert_eq!(layers.finish().is_ok(), right, "{experiment}");
        if right { schema.accepts(&yaml(experiment)) } else { schema.refuses(&yaml(experiment)) }
    };
    for right in [
        "training: { epochs: 3 }",
        "sampling: { steps: 3 }",
        "noise_schedule: cosine",
        "noise_schedule: { learnable: true }",
        "crn: { network: { hidden_dims: [8] } }",
        "training: { lr_schedule: cosine }",
        "training: { lr_schedule: { warmup: 10 } }",
        "source: standard_normal",
        "path: null",
        "checkpoint: { every: 100 steps }",
        "checkpoint: { every: 2 }",
        "data: { split: { test: 0.2, train: 0.7 }, samples: 300 }",
    ] {
        agree(right, true);
    }
    for wrong in [
        "trainning: { epochs: 3 }",
        "training: { epoch: 3 }",
        "training: { epochs: many }",
        "training: { epochs: -1 }",
        "training: { lr_schedule: { type: cosine, warm: 10 } }",
        "training: { lr_schedule: lineer }",
        "noise_schedule: cosin",
        "noise_schedule: { type: linear, s: 0.1 }",
        "crn: { network: { hiden_dims: [8] } }",
        "crn: { type: vanilla, network: { type: mlp, hidden_dims: 8 } }",
        "data: { type: two_moons, samples: lots }",
        "path: straight",
        "checkpoint: { every: often }",
        "checkpoint: { every: 0 steps }",
        "training: { ema: 1 }",
        "training: { batch_size: 0 }",
        "sampling: { guidance_interval: [0, 1.5] }",
        "noise_schedule: { type: cosine, s: 0 }",
        "crn: { network: { type: mlp, hidden_dims: [] } }",
    ] {
        agree(wrong, false);
    }
}

/// The experiment of a command line over `e.yaml`, with nulls unresolved.
fn experiment(folder: &Folder, args: &[&str]) -> Value {
    triflow_plugins::link();
    let file = folder.join("e.yaml");
    let words = ["triflow", "validate", text(&file)];
    let words = words.iter().chain(args).map(OsString::from);
    let Command::Validate { file, experiment } = Cli::of(words).unwrap().command else {
        unreachable!("the command is validate");
    };
    serde_json::to_value(Request::of(&experiment, Some(&file), None).unwrap().experiment).unwrap()
}

#[test]
fn a_flag_wins_over_set_over_the_file_over_what_it_extends_over_the_defaults() {
    let folder = Folder::new();
    folder.write("e.yaml", "output_dir: artifacts\n");
    let epochs = |args: &[&str]| experiment(&folder, args)["training"]["epochs"].clone();
    let set = ["--set", "training.epochs=3"];
    assert_eq!(epochs(&[]), 50);
    folder
        .write("base.yaml", "training: { epochs: 1, batch_size: 7 }\nsampling: { solver: rk4 }\n");
    folder.write("e.yaml", "extends: base.yaml\n");
    assert_eq!(epochs(&[]), 1);
    folder.write("e.yaml", "extends: base.yaml\ntraining: { epochs: 2 }\n");
    assert_eq!(epochs(&[]), 2);
    assert_eq!(epochs(&set), 3);
    // The order of the arguments does not matter.
    for args in [[&["--num-epochs", "4"], &set[..]], [&set[..], &["--num-epochs", "4"]]] {
        assert_eq!(epochs(&args.concat()), 4);
    }
    let all = experiment(&folder, &["--set", "sampling.steps=9"]);
    assert_eq!(all["training"]["batch_size"], 7);
    assert_eq!(all["sampling"]["solver"], json!({ "type": "rk4" }));
    assert_eq!(all["sampling"]["steps"], 9);
    // A path in `extends` is relative to its file, whatever the working folder.
    std::fs::create_dir(folder.join("deep")).unwrap();
    folder.write("deep/e.yaml", "extends: ../e.yaml\n");
    assert_eq!(yaml(&folder.succeeds(&["validate", "deep/e.yaml"]))["training"]["batch_size"], 7);
}

/// Arguments with underscores: `--num_epochs` for `--num-epochs`.
fn snake(args: &[&str]) -> Vec<String> {
    let snake = |arg: &&str| match arg.strip_prefix("--") {
        Some(flag) => format!("--{}", flag.replace('-', "_")),
        None => (*arg).to_owned(),
    };
    args.iter().map(snake).collect()
}

#[test]
fn every_flag_means_its_key_in_either_spelling() {
    let folder = Folder::new();
    folder.write("e.yaml", "output_dir: artifacts\n");
    let flags: &[(&[&str], &str, Value)] = &[
        (&["--model-type", "ct"], "/objective/type", json!("ct")),
        (&["--noise-schedule", "cosine"], "/noise_schedule/type", json!("cosine")),
        (&["--noise-schedule-learnable"], "/noise_schedule/learnable", json!(true)),
        (&["--encoder-model-type", "linear"], "/encoder/type", json!("linear")),
        (&["--decoder-model-type", "resnet"], "/decoder/type", json!("resnet")),
        (&["--decoder-type", "softmax"], "/decoder/head", json!("softmax")),
        (&["--crn-type", "vanilla"], "/crn/type", json!("vanilla")),
        (&["--network-type", "mlp"], "/crn/network/type", json!("mlp")),
        (&["--hidden-dims", "5", "6"], "/crn/network/hidden_dims", json!([5, 6])),
        (&["--latent-shape", "3", "4"], "/latent_shape", json!([3, 4])),
        (&["--input-shape", "2"], "/input_shape", json!([2])),
        (&["--output-shape", "2"], "/output_shape", json!([2])),
        (&["--num-epochs", "3"], "/training/epochs", json!(3)),
        (&["--batch-size", "4"], "/training/batch_size", json!(4)),
        (&["--learning-rate", "1e-2"], "/training/optimizer/learning_rate", json!(0.01)),
        (&["--optimizer", "sgd"], "/training/optimizer/type", json!("sgd")),
        (&["--dropout-epochs", "5"], "/training/dropout_epochs", json!(5)),
        (&["--recon-weight", "0.5"], "/loss/recon_weight", json!(0.5)),
        (&["--reg-weight", "0.25"], "/loss/reg_weight", json!(0.25)),
        (&["--vae-weight", "2"], "/loss/vae_weight", json!(2.0)),
        (&["--use-snr-weight"], "/loss/use_snr_weight", json!(true)),
        (&["--unconditional"], "/unconditional", json!(true)),
        (&["--seed", "9"], "/training/seed", json!(9)),
        (&["--device", "cpu"], "/device", json!("cpu")),
        (&["--output-dir", "runs"], "/output_dir", json!("runs")),
    ];
    let before = experiment(&folder, &[]);
    let args: Vec<&str> = flags.iter().flat_map(|(args, _, _)| *args).copied().collect();
    let after = experiment(&folder, &args);
    let same = snake(&args);
    assert_ne!(same[0], args[0]);
    assert_eq!(experiment(&folder, &same.iter().map(String::as_str).collect::<Vec<_>>()), after);
    for (args, key, expected) in flags {
        assert_eq!(after.pointer(key), Some(expected), "{args:?}");
        // These two keys have no other component to change to.
        let proves = before.pointer(key) != Some(expected);
        assert!(proves || ["/crn/type", "/crn/network/type"].contains(key), "{args:?}");
    }
    // Other names of the same arguments, and `=`, whose right side keeps its underscores.
    let dims = ["--latent_dim", "3", "--input-dim", "2", "--output_dim", "4"];
    let snr = ["--use_snr_weight", "false"];
    let more = ["--model_type=flow_matching", "--num_epochs=3", "--noise_schedule=learnable"];
    let all = experiment(&folder, &[&dims[..], &snr, &more].concat());
    for (key, expected) in [
        ("/latent_shape", json!([3])),
        ("/input_shape", json!([2])),
        ("/output_shape", json!([4])),
        ("/loss/use_snr_weight", json!(false)),
        ("/objective/type", json!("flow_matching")),
        ("/training/epochs", json!(3)),
        ("/noise_schedule/type", json!("monotonic_nn")),
    ] {
        assert_eq!(all.pointer(key), Some(&expected), "{key}");
    }
    folder.succeeds(&["data", "two_moons", "--set", "samples=9", "--out", "moons.npz"]);
    for flag in ["--data-path", "--data_path"] {
        let all = yaml(&folder.succeeds(&["validate", "e.yaml", flag, "moons.npz"]));
        assert_eq!(all["data"]["type"], "npz");
        assert_eq!(all["data"]["path"], json!(folder.join("moons.npz")));
    }
    folder.write("e2.yaml", "training: { epochs: 1, batch_size: 80 }\ndata: { samples: 100 }\n");
    for flag in ["--config", "--config-file", "--config_file"] {
        folder.train(&["train", flag, "e2.yaml", "--device", "cpu", "--hidden_dims", "8"]);
    }
}
