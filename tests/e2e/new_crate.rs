//! The crates that `new-plugin` and `new-program` write: a plugin of every kind builds, passes its
//! own test and loads; a program builds, trains and samples.

use crate::command::{Folder, cargo, finishes, text};
use std::path::Path;
use triflow::registry::registry;

fn framework() -> String {
    format!("{}/../framework", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_new_plugin_passes_its_test_and_loads_as_it_is_told() {
    let folder = Folder::new();
    let output = folder.succeeds(&["new-plugin", "noise_schedule", "my-bend"]);
    let next: Vec<_> = output.lines().skip(1).map(str::trim).collect();
    assert_eq!(next.len(), 3, "{output}");
    assert_eq!(next[0], "cd ./my_bend");
    // The printed commands are run here, with the target folder of the tested command.
    assert_eq!(next[1], "cargo test --release && cargo build --release");
    assert_eq!(
        next[2],
        "triflow describe noise_schedule my_bend --plugin target/release/libmy_bend.so"
    );
    let (test, built) = cargo(&folder.join("my_bend"), "test");
    let output = finishes(test);
    assert!(output.contains("test result: ok. 1 passed"), "{output}");
    finishes(cargo(&folder.join("my_bend"), "build").0);
    works(&folder, &built.join("libmy_bend.so"), "noise_schedule", "my_bend");
}

/// Asserts that a library has the component, and that the component conforms to its kind.
fn works(folder: &Folder, library: &Path, kind: &str, name: &str) {
    let plugin = ["--plugin", text(library)];
    let output = folder.succeeds(&[&["describe", kind, name][..], &plugin].concat());
    let library = library.file_stem().and_then(|stem| text(stem.as_ref()).strip_prefix("lib"));
    assert!(
        output.starts_with(&format!("{kind} `{name}` ({} 0.1.0, ", library.unwrap())),
        "{output}"
    );
    let output = folder.succeeds(&[&["check", kind, name][..], &plugin].concat());
    assert!(output.contains("round_trip") && !output.contains("FAILED"), "{output}");
}

#[test]
fn every_kinds_new_plugin_passes_its_test_and_loads() {
    triflow_plugins::link();
    let folder = Folder::new();
    let kinds: Vec<_> = registry().kinds().into_keys().collect();
    assert!(kinds.len() >= 9, "{kinds:?}");
    // All kinds are modules of a single library, which is built once.
    folder.succeeds(&["new-plugin", kinds[0], "all_kinds"]);
    let all = folder.join("all_kinds");
    let mut root = "triflow::plugin!();\n".to_owned();
    for &kind in &kinds {
        // Named like the kind, to test that the type does not hide the trait that it implements.
        folder.succeeds(&["new-plugin", kind, &kind.replace('_', "-")]);
        let source = std::fs::read_to_string(folder.join(kind).join("src/lib.rs")).unwrap();
        let module = source.replacen("triflow::plugin!();\n", "", 1);
        assert_ne!(module, source);
        std::fs::write(all.join(format!("src/{kind}.rs")), module).unwrap();
        root += &format!("mod {kind};\n");
    }
    std::fs::write(all.join("src/lib.rs"), root).unwrap();
    let (test, built) = cargo(&all, "test");
    let output = finishes(test);
    assert!(output.contains(&format!("test result: ok. {} passed", kinds.len())), "{output}");
    finishes(cargo(&all, "build").0);
    for kind in kinds {
        works(&folder, &built.join("liball_kinds.so"), kind, kind);
    }
}

#[test]
fn a_schedules_crate_is_short_and_complete() {
    let folder = Folder::new();
    folder.succeeds(&["new-plugin", "noise_schedule", "my_schedule", "--into", "plugins"]);
    let read = |name: &str| {
        let path = folder.join("plugins/my_schedule").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    let mut elsewhere = folder.command(&["new-plugin", "solver", "fast"]);
    let output = elsewhere.env("CARGO_TARGET_DIR", "/some/where").output().unwrap().stdout;
    let output = String::from_utf8(output).unwrap();
    assert!(output.ends_with("--plugin /some/where/release/libfast.so\n"), "{output}");
    let source = read("src/lib.rs");
    let code = source.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("//"));
    assert!(code.count() <= 30, "{source}");
    assert!(source.contains("triflow::plugin!();") && source.contains("pub struct MySchedule:"));
    assert!(source.contains("= \"my_schedule\" {") && !source.contains("MyComponent"), "{source}");
    // The author sets nothing: source, versions and LibTorch are those of the command.
    let manifest = read("Cargo.toml");
    let path = std::fs::canonicalize(framework()).unwrap();
    assert!(
        manifest.contains(&format!(
            "triflow = {{ package = \"triflow-core\", path = \"{}/core\" }}",
            text(&path)
        )),
        "{manifest}"
    );
    assert!(read("Cargo.lock").contains("name = \"torch-sys\"\nversion = \"0.24.0\""));
    let libtorch = read(".cargo/config.toml");
    let libtorch = libtorch.lines().find_map(|l| l.strip_prefix("LIBTORCH = ")).unwrap();
    assert!(std::path::Path::new(libtorch.trim_matches('"')).join("lib").is_dir(), "{libtorch}");
}

#[test]
fn a_new_program_trains_saves_and_samples_as_it_is_told() {
    let folder = Folder::new();
    let output = folder.succeeds(&["new-program", "my-model"]);
    let next: Vec<_> = output.lines().map(str::trim).collect();
    assert_eq!(
        next,
        [
            "created a program in ./my_model; next:",
            "cd ./my_model",
            "cargo build --release",
            "target/release/my_model"
        ]
    );
    // The printed commands are run here, with the target folder of the tested command.
    let program = folder.join("my_model");
    let (build, built) = cargo(&program, "build");
    finishes(build);
    let output = finishes(run_in(&program, &built.join("my_model")));
    let means: Vec<Vec<f64>> = output
        .lines()
        .filter_map(|line| line.strip_prefix("label "))
        .map(|line| {
            let (_, mean) = line.split_once("(").unwrap();
            mean.trim_end_matches(')').split(", ").map(|x| x.parse().unwrap()).collect()
        })
        .collect();
    assert_eq!(means.len(), 2, "{output}");
    for (mean, centre) in means.iter().zip([-1.0, 1.0]) {
        assert!(mean.iter().all(|x| (x - centre).abs() < 0.2), "{output}");
    }
    assert!(program.join("model.safetensors").is_file(), "{output}");
}

/// The command of a program in a folder, not started.
fn run_in(folder: &Path, program: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.current_dir(folder).env("OMP_NUM_THREADS", "1");
    command
}

#[test]
fn what_cannot_be_written_is_refused() {
    let folder = Folder::new();
    for (args, parts) in [
        (&["noise_shedule", "x"][..], &["unknown kind", "did you mean `noise_schedule`?"][..]),
        (&["solver", "Fast"], &["`Fast` cannot be the name", "small letters"]),
        (&["solver", "2nd"], &["`2nd` cannot be the name"]),
        (&["solver", "match"], &["`match` is a word of Rust or of cargo", "`my_match`"]),
        (&["solver", "euler"], &["there is a solver `euler` already"]),
        (&["solver", "fast", "--framework", "."], &["the crate `triflow` is not in ."]),
        (&["solver", "fast", "--framework", concat!(env!("CARGO_MANIFEST_DIR"))], &["is not in /"]),
    ] {
        let output = folder.fails(&[&["new-plugin"], args].concat());
        for part in parts {
            assert!(output.contains(part), "no `{part}` in\n{output}");
        }
    }
    std::fs::create_dir(folder.join("taken")).unwrap();
    let output = folder.fails(&["new-plugin", "solver", "taken"]);
    assert!(output.contains("taken is there already"), "{output}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    folder.succeeds(&["new-plugin", "solver", "fast", "--framework", &framework()]);
    let output = folder.succeeds(&["new-plugin", "objective", "sharp"]);
    assert!(output.starts_with("created an objective in ./sharp; next:"), "{output}");
    let manifest = std::fs::read_to_string(folder.join("sharp/Cargo.toml")).unwrap();
    assert!(manifest.contains("description = \"An objective of triflow\""), "{manifest}");
    for (name, part) in [
        ("deps", "`my_deps` would do"),
        ("triflow-plugins", "is a word of"),
        ("9", "as `my_model`"),
    ] {
        let output = folder.fails(&["new-program", name]);
        assert!(output.contains(part), "no `{part}` in\n{output}");
    }
}
