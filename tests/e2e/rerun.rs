//! A run folder holds all that is needed to repeat its training, from any folder.

use crate::command::{Folder, TINY, bytes, text};
use std::path::Path;

/// Asserts that two runs have the same files, byte for byte.
fn assert_same(one: &Path, other: &Path) {
    assert_ne!(one, other);
    for name in ["params.safetensors", "history.csv", "history.json"] {
        assert!(bytes(&one.join(name)) == bytes(&other.join(name)), "{name} differs");
    }
}

#[test]
fn a_saved_config_gives_the_same_bytes_from_another_folder() {
    let (here, elsewhere) = (Folder::new(), Folder::new());
    let flags = ["--model-type", "diffusion", "--noise-schedule", "cosine", "--seed", "7"];
    let first = here.tiny(&[&["train-gen"], &flags[..]].concat());
    let again = elsewhere.train(&["run", text(&first.join("config.yaml"))]);
    assert!(again.starts_with(elsewhere.path()));
    assert_same(&first, &again);
    // The saved configuration is complete: the second run has nothing left to resolve.
    let config = |run: &Path| String::from_utf8(bytes(&run.join("config.yaml"))).unwrap();
    assert_eq!(config(&first), config(&again));
    let third = elsewhere.train(&["run", text(&first.join("config.yaml")), "--seed", "8"]);
    assert_ne!(bytes(&first.join("params.safetensors")), bytes(&third.join("params.safetensors")));
}

#[test]
fn data_of_a_relative_path_are_found_from_another_folder() {
    let (here, elsewhere) = (Folder::new(), Folder::new());
    std::fs::create_dir(here.join("data")).unwrap();
    here.succeeds(&["data", "two_moons", "--set", "samples=160", "--out", "data/moons.npz"]);
    here.write("data/e.yaml", "data: { type: npz, path: moons.npz }\n");
    let tiny = &TINY[..10];
    let by_flag = here.train(&[&["train", "--data-path", "data/moons.npz"], tiny].concat());
    let by_file = here.train(&[&["train", "--config", "data/e.yaml"], tiny].concat());
    assert_same(&by_flag, &by_file);
    for run in [&by_flag, &by_file] {
        let again = elsewhere.train(&["run", text(&run.join("config.yaml"))]);
        assert_same(&by_flag, &again);
    }
}

#[test]
fn a_run_folder_is_never_overwritten() {
    let folder = Folder::new();
    let mut runs: Vec<_> = (0..4).map(|_| folder.tiny(&["train-gen"])).collect();
    let first = bytes(&runs[0].join("manifest.json"));
    for run in &runs {
        assert!(run.starts_with(folder.join("artifacts/flow_matching_gen")), "{}", run.display());
        assert_name_is_a_time(run);
    }
    assert_eq!(first, bytes(&runs[0].join("manifest.json")));
    runs.sort();
    runs.dedup();
    assert_eq!(runs.len(), 4);
}

/// Asserts a name such as `20260101_1200`, `20260101_120007` or `20260101_120007_2`.
fn assert_name_is_a_time(run: &Path) {
    let name = run.file_name().unwrap().to_str().unwrap();
    let parts: Vec<&str> = name.split('_').collect();
    assert!(parts.iter().all(|p| p.bytes().all(|b| b.is_ascii_digit())), "{name}");
    assert!(parts[0].len() == 8 && [4, 6].contains(&parts[1].len()), "{name}");
}
