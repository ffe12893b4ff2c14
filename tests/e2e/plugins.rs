//! The plugins of `examples/plugins`, built as an external author would build them: loaded,
//! refused, panicking.

mod metric;
mod panics;

use crate::command::{Folder, Outcome, Schema, TINY, bytes, cargo, finishes, text};
use crate::resume::stopped;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use triflow::io::{NamedArray, safetensors};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/plugins")
}

/// The built library of an example.
pub fn library(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let (mut command, built) = cargo(&examples(), "build");
        command.arg("--locked");
        finishes(command);
        built
    });
    folder.join(format!("lib{name}.so"))
}

/// A folder with copies of libraries in `plugins`.
fn folder_with(names: &[&str]) -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.join("plugins")).unwrap();
    for name in names {
        std::fs::copy(library(name), folder.join(format!("plugins/lib{name}.so"))).unwrap();
    }
    folder
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Names of the components of plugins.
fn from_plugins(listed: &str) -> Vec<String> {
    let all = json(listed);
    let foreign = all.as_array().unwrap().iter().filter(|c| c["origin"] != "built-in");
    foreign.map(|c| c["name"].as_str().unwrap().to_owned()).collect()
}

fn parameters(run: &Path) -> Vec<NamedArray> {
    safetensors::read_safetensors(&run.join("params.safetensors")).unwrap().arrays
}

fn with_log(folder: &Folder, args: &[&str]) -> Outcome {
    let done = folder.command(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Outcome { code: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
}

#[path = "../../framework/core/source.rs"]
mod source;

#[test]
fn a_change_of_the_core_alone_makes_another_fingerprint() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let copy = tempfile::tempdir().unwrap();
    let from = root.join("framework");
    let done = std::process::Command::new("cp")
        .args(["-r", text(&from), text(copy.path())])
        .status()
        .unwrap();
    assert!(done.success());
    std::fs::copy(root.join("Cargo.toml"), copy.path().join("Cargo.toml")).unwrap();
    let core = copy.path().join("framework/core");
    let hash = || source::hash(&core);
    // The hash is that of the framework that this test was built with.
    assert!(triflow::plugin::FINGERPRINT.contains(&hash()), "{}", triflow::plugin::FINGERPRINT);
    let change = |file: &str| {
        let path = copy.path().join("framework").join(file);
        let old = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{old}// changed\n")).unwrap();
        let new = hash();
        std::fs::write(&path, old).unwrap();
        new
    };
    for file in ["study/src/plot/style.rs", "engine/src/train/trainer.rs", "src/lib.rs"] {
        assert_eq!(change(file), hash(), "{file}");
    }
    for file in ["core/src/path.rs", "core/src/kernels/chain.cpp", "core/src/component/solver.rs"] {
        assert_ne!(change(file), hash(), "{file}");
    }
}

#[test]
fn every_example_passes_its_own_tests() {
    let (mut command, _) = cargo(&examples(), "test");
    command.arg("--locked");
    let output = finishes(command);
    // Tests in each, none in those in the folder `broken`.
    let folders = std::fs::read_dir(examples()).unwrap().map(|entry| entry.unwrap().path());
    let count = folders.filter(|folder| folder.join("Cargo.toml").is_file()).count();
    let passed = output.lines().filter(|line| line.starts_with("test result: ok."));
    assert_eq!(passed.filter(|line| !line.contains(" 0 passed")).count(), count, "{output}");
}

#[test]
fn a_plugin_is_found_by_flag_folder_variable_and_file() {
    let folder = folder_with(&["warped", "adams_bashforth"]);
    let list = ["list", "--format", "json"];
    assert!(from_plugins(&folder.succeeds(&list)).is_empty());
    let one = folder.succeeds(&[&list[..], &["--plugin", "plugins/libwarped.so"]].concat());
    assert_eq!(from_plugins(&one), ["warped"]);
    let both = ["warped", "adams_bashforth"];
    // Other files in a folder of plugins are ignored.
    folder.write("plugins/notes.so", "not a library");
    let all = folder.succeeds(&[&list[..], &["--plugin", "plugins"]].concat());
    assert_eq!(from_plugins(&all), both);
    // A library with several paths is loaded once.
    std::os::unix::fs::symlink(folder.join("plugins"), folder.join("link")).unwrap();
    let copies = folder.join("copies");
    std::fs::create_dir(&copies).unwrap();
    std::fs::hard_link(folder.join("plugins/libwarped.so"), copies.join("a.so")).unwrap();
    std::fs::copy(library("warped"), copies.join("b.so")).unwrap();
    let args = ["--plugin", "link/libwarped.so", "--plugin", "plugins", "--plugin", "copies"];
    assert_eq!(from_plugins(&folder.succeeds(&[&list[..], &args].concat())), both);
    let mut command = folder.command(&list);
    let paths = "plugins/libwarped.so:plugins/libadams_bashforth.so";
    let listed = command.env("TRIFLOW_PLUGIN_PATH", paths).output().unwrap();
    assert_eq!(from_plugins(&String::from_utf8(listed.stdout).unwrap()), both);
    // Paths in a file are relative to it, and its components may be used in the same file.
    std::fs::create_dir(folder.join("configs")).unwrap();
    folder.write("configs/base.yaml", "plugins: [../plugins/libwarped.so]\n");
    let over = "extends: base.yaml\nplugins: [../plugins/libadams_bashforth.so]\n\
                objective: diffusion\nnoise_schedule: { type: warped, inner: sigmoid }\n\
                sampling: { solver: adams_bashforth }\n";
    folder.write("configs/e.yaml", over);
    let resolved = folder.succeeds(&["validate", "configs/e.yaml"]);
    let resolved: Value = serde_yaml::from_str(&resolved).unwrap();
    assert_eq!(resolved["noise_schedule"]["inner"]["type"], "sigmoid");
    let plugins: Vec<_> =
        resolved["plugins"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let path = |name| folder.join(name).canonicalize().unwrap().to_str().unwrap().to_owned();
    assert_eq!(plugins, [path("plugins/libwarped.so"), path("plugins/libadams_bashforth.so")]);
}

#[test]
fn a_plugin_that_only_a_file_names_is_refused_where_the_environment_says_so() {
    let folder = folder_with(&["warped"]);
    let experiment =
        "objective: diffusion\nplugins: [plugins/libwarped.so]\nnoise_schedule: { type: warped }\n";
    folder.write("e.yaml", experiment);
    let told = |refuse: &str, more: &[&str]| {
        let mut command = folder.command(&[&["validate", "e.yaml"], more].concat());
        let done = command.env("TRIFLOW_NAMED_PLUGINS", refuse).output().unwrap();
        (done.status.code().unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    let (code, error) = told("refuse", &[]);
    assert_eq!(code, 2, "{error}");
    assert!(
        error.contains("libwarped.so is refused: TRIFLOW_NAMED_PLUGINS is `refuse`"),
        "{error}"
    );
    assert!(error.contains("at plugins[0]"), "{error}");
    assert_eq!(told("refuse", &["--plugin", "plugins/libwarped.so"]).0, 0);
    assert_eq!(told("load", &[]).0, 0);
    assert_eq!(told("no", &[]).0, 2);
}

#[test]
fn a_component_of_a_plugin_is_shown_like_any_other() {
    let folder = folder_with(&["warped"]);
    let plugin = ["--plugin", "plugins/libwarped.so"];
    let table = folder.succeeds(&[&["list", "noise_schedule"][..], &plugin].concat());
    let line = table.lines().find(|line| line.contains("warped")).unwrap();
    assert!(line.trim_end().ends_with("warped 0.1.0"), "{line}");
    let args = [&["describe", "noise-schedule", "warped"][..], &plugin].concat();
    let output = folder.succeeds(&args);
    for part in [
        "noise_schedule `warped` (warped 0.1.0, /",
        "plugins/libwarped.so)",
        "inner      noise_schedule",
        "Initial value of w.",
        "  type: warped\n  inner:\n    type: cosine\n",
    ] {
        assert!(output.contains(part), "no `{part}` in\n{output}");
    }
    let output = json(&folder.succeeds(&[&args[..], &["--format", "json"]].concat()));
    assert_eq!(output["plugin"]["version"], "0.1.0");
    assert_eq!(output["plugin"]["sha256"].as_str().unwrap().len(), 64);
    let schema = Schema::of(&folder, &plugin);
    let experiment = |inner: &str| {
        serde_yaml::from_str::<Value>(&format!(
            "noise_schedule: {{ type: warped, inner: {inner} }}"
        ))
        .unwrap()
    };
    schema.accepts(&experiment("{ type: warped, inner: linear }"));
    schema.refuses(&experiment("{ type: warped, iner: linear }"));
    let values =
        [&["describe", "noise_schedule", "warped", "--eval", "--points", "3"][..], &plugin];
    let values = folder.succeeds(&values.concat());
    let cosine =
        folder.succeeds(&["describe", "noise_schedule", "cosine", "--eval", "--points", "3"]);
    // At w = 0 the schedule is the inner one.
    let gamma = |csv: &str| -> Vec<f64> {
        csv.lines().skip(1).map(|l| l.split(',').nth(2).unwrap().parse().unwrap()).collect()
    };
    for (ours, inner) in gamma(&values).iter().zip(gamma(&cosine)) {
        assert!((ours - inner).abs() < 1e-12, "{values}\n{cosine}");
    }
}

#[test]
fn what_is_no_fitting_plugin_is_refused_with_the_way_out() {
    let folder = folder_with(&["warped", "duplicate", "false_fingerprint", "own_memory"]);
    folder.write("plugins/text.so", "not a library");
    std::fs::write(folder.join("plugins/empty.so"), "").unwrap();
    let libtorch = PathBuf::from(std::env::var_os("LIBTORCH").unwrap());
    let other = libtorch.join("lib/libc10.so");
    let says = |path: &str, parts: &[&str]| {
        let error = folder.fails(&["list", "--plugin", path]);
        for part in parts {
            assert!(error.contains(part), "no `{part}` in\n{error}");
        }
        assert!(error.contains("--plugin"), "{error}");
    };
    says("nowhere.so", &["there is no plugin nowhere.so", "cargo build --release"]);
    says("plugins/text.so", &["text.so is no shared library: ", "cargo build --release"]);
    says("plugins/empty.so", &["empty.so is no shared library: it is empty"]);
    says(".", &["there is no plugin in the folder "]);
    says(text(&other), &["is no triflow plugin: it has no entry point", "triflow::plugin!();"]);
    says(
        "plugins/libduplicate.so",
        &[
            "libduplicate.so: the noise schedule `cosine` is there already: built-in",
            "another name",
        ],
    );
    // The library would end the process if any of its code ran.
    says(
        "plugins/libfalse_fingerprint.so",
        &[
            "the plugin false_fingerprint 0.1.0 (",
            "rustc: the plugin has 1.0.0 (a59de37e9), this triflow 1.",
            "target: the plugin has pdp11-dec-unix, this triflow ",
            "panic: the plugin has abort, this triflow unwind",
            "build it again: `cargo +1.",
        ],
    );
    says(
        "plugins/libown_memory.so",
        &[
            "libown_memory.so: it has a global allocator of its own, and one side frees what the other allocates",
            "remove `#[global_allocator]`",
        ],
    );
    // Another build of a loaded plugin is refused; the first stays.
    let warped = bytes(&library("warped"));
    std::fs::write(folder.join("plugins/newer.so"), [&warped[..], &[0]].concat()).unwrap();
    let twice = ["list", "--plugin", "plugins/libwarped.so", "--plugin", "plugins/newer.so"];
    let error = folder.fails(&twice);
    for part in [
        "newer.so: the noise schedule `warped` is there already: warped 0.1.0, /",
        "help: another build of warped is loaded, /",
    ] {
        assert!(error.contains(part), "no `{part}` in\n{error}");
    }
    // Libraries that the system cannot load, and incomplete ones.
    std::fs::write(
        folder.join("plugins/lost.so"),
        replaced(&warped, b"libtorch_cpu.so", b"libtorch_cpx.so"),
    )
    .unwrap();
    says("plugins/lost.so", &["cannot load /", "lost.so: libtorch_cpx.so: ", "help: `ldd`"]);
    std::fs::write(
        folder.join("plugins/half.so"),
        replaced(&warped, b"TRIFLOW_PLUGIN_ATTACH", b"TRIFLOW_PLUGIN_DETACH"),
    )
    .unwrap();
    says("plugins/half.so", &["half.so is half a triflow plugin: ", "`triflow::plugin!();`"]);
    for (plugins, at, what) in [
        ("[nowhere.so]", "at plugins[0] (e.yaml:3)", "there is no plugin nowhere.so"),
        ("nowhere.so", "at plugins (e.yaml:3)", "needs a list of paths"),
        ("[3]", "at plugins[0] (e.yaml:3)", "needs a path"),
    ] {
        folder.write("e.yaml", &format!("objective: ct\n\nplugins: {plugins}\n"));
        let error = folder.fails(&["validate", "e.yaml"]);
        assert!(error.contains(at) && error.contains(what), "{error}");
    }
    // An outdated environment variable stops only commands that need components.
    let with_variable = |args: &[&str]| {
        let mut command = folder.command(args);
        command.env("TRIFLOW_PLUGIN_PATH", "gone.so").output().unwrap()
    };
    for args in [&["completions", "bash"][..], &["init"], &["new-plugin", "solver", "mine"]] {
        let done = with_variable(args);
        assert!(done.status.success(), "{args:?}");
        assert!(String::from_utf8(done.stderr).unwrap().contains("there is no plugin gone.so"));
    }
    assert_eq!(with_variable(&["list"]).status.code(), Some(2));
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let found: Vec<_> = (0..bytes.len()).filter(|i| bytes[*i..].starts_with(from)).collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

#[test]
fn a_library_with_one_name_that_is_taken_adds_none_of_its_components() {
    triflow_plugins::link();
    let e = triflow::plugin::load(&library("duplicate")).unwrap_err();
    assert!(e.to_string().contains("`cosine` is there already"), "{e}");
    assert!(triflow::registry().find("noise_schedule", "constant_slope").is_err());
    assert!(triflow::plugin::loaded().iter().all(|library| library.name != "duplicate"));
}

#[test]
fn plugins_nest_in_the_host_and_the_host_in_plugins() {
    let used = ["adams_bashforth", "film_resnet", "mode_times", "path_velocity", "warped"];
    let folder = folder_with(&used);
    let run = folder.train(
        &[
            &["train-gen"],
            // The argument --hidden-dims is for another network.
            &TINY[..4],
            &TINY[6..],
            &["--plugin", "plugins", "--model-type", "path_velocity"],
            &["--set", "noise_schedule={type: warped, inner: {type: warped, inner: linear}}"],
            &["--set", "crn={type: vanilla, network: {type: film_resnet, width: 8}}"],
            &["--set", "sampling.solver=adams_bashforth"],
            // A learned schedule needs the loss of uniform times.
            &["--set", "training.time_sampling={type: mode_times, keep_loss: true}"],
        ]
        .concat(),
    );
    assert!(run.parent().unwrap().ends_with("path_velocity_gen"), "{}", run.display());
    let manifest = json(&String::from_utf8(bytes(&run.join("manifest.json"))).unwrap());
    let named: Vec<_> = manifest["plugins"].as_array().unwrap().iter().collect();
    let names: Vec<_> = named.iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, used);
    assert!(
        named.iter().all(|p| p["version"] == "0.1.0" && p["sha256"].as_str().unwrap().len() == 64)
    );
    // The parameters of plugins are part of the model: outer and inner schedule, and network.
    let arrays = parameters(&run);
    let names: Vec<_> = arrays.iter().map(|array| array.name.as_str()).collect();
    for name in ["noise_schedule.shift", "noise_schedule.inner.shift", "crn.network.film_2.weight"]
    {
        assert!(names.contains(&name), "no {name} in {names:?}");
    }
    // The run names its plugins, so that later commands need not.
    folder.succeeds(&[
        "generate",
        "--run",
        text(&run),
        "--n",
        "3",
        "--labels",
        "1",
        "--out",
        "s.npz",
    ]);
    let plain = folder.tiny(&["train-gen", "--plugin", "plugins"]);
    let manifest = json(&String::from_utf8(bytes(&plain.join("manifest.json"))).unwrap());
    assert_eq!(manifest["plugins"], Value::Array(Vec::new()), "what is not used is not named");
}

#[test]
fn a_run_with_a_plugin_resumes_as_if_it_had_never_stopped() {
    let folder = folder_with(&["warped"]);
    folder.write(
        "e.yaml",
        "task: generation\nobjective: diffusion\nplugins: [plugins/libwarped.so]\n\
         noise_schedule: { type: warped, shift: 0.5 }\ndata: { type: two_moons, samples: 4000 }\n\
         crn: { type: vanilla, network: { type: mlp, hidden_dims: [16] } }\n\
         training: { epochs: 4, batch_size: 32, ema: 0.9 }\n\
         sampling: { solver: euler, steps: 4 }\ndevice: cpu\n",
    );
    let complete = folder.train(&["run", "e.yaml", "--output-dir", "complete"]);
    let args = ["run", "e.yaml", "--output-dir", "halves"];
    let (status, half, log) = stopped(&folder, &args, "-INT");
    assert_eq!(status.code(), Some(130), "{log}");
    // Without the library the run cannot be resumed.
    let library = folder.join("plugins/libwarped.so");
    std::fs::rename(&library, folder.join("plugins/elsewhere.so")).unwrap();
    let resume = ["resume", "--run", text(&half)];
    let error = folder.fails(&resume);
    assert!(
        error.contains("there is no plugin ") && error.contains("plugins/libwarped.so"),
        "{error}"
    );
    assert!(error.contains("at plugins[0] (") && error.contains("config.yaml:"), "{error}");
    // A moved library must be named; a changed one is used with a warning.
    std::fs::create_dir(folder.join("moved")).unwrap();
    let moved = folder.join("moved/libwarped.so");
    let mut changed = bytes(&folder.join("plugins/elsewhere.so"));
    changed.push(0);
    std::fs::write(&moved, changed).unwrap();
    let done = with_log(&folder, &[&resume[..], &["--plugin", text(&moved)]].concat());
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.err.contains("the run began with warped 0.1.0 (SHA-256 "), "{}", done.err);
    assert!(done.err.contains("/libwarped.so is not there: /"), "{}", done.err);
    // Every command that reads the run warns, not only resume.
    let evaluate = ["evaluate", "--run", text(&half), "--plugin", text(&moved)];
    let done = with_log(&folder, &evaluate);
    assert!(done.err.contains("the run began with warped 0.1.0 (SHA-256 "), "{}", done.err);
    for name in ["history.csv", "metrics.json"] {
        assert!(bytes(&complete.join(name)) == bytes(&half.join(name)), "{name} differs");
    }
    let learned = parameters(&half);
    // The file names the old path of the library.
    assert_eq!(parameters(&complete), learned);
    let shift = learned.iter().find(|array| array.name == "noise_schedule.shift").unwrap();
    assert_ne!(shift.data.to_f64(), [0.5], "the plugin's parameter is learned");
}
