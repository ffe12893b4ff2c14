//! Features of third-party crates, which cargo enables for a whole build. Command, tests and
//! plugins are different builds and must have the same, so that types shared between program and
//! plugin are equal, and a common target folder holds each crate once, such as LibTorch's C++
//! layer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Features of each crate from a registry, one entry for each set of them in a build.
fn features(args: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(["tree", "--offline", "--locked", "--prefix", "none"]);
    let done = command.args(["-f", "{p}|{f}"]).args(args).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let tree = String::from_utf8(done.stdout).unwrap();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let (package, features) = line.trim_end_matches(" (*)").split_once('|').unwrap();
        // Packages of this repository have their path in brackets.
        if !package.contains("(/") {
            found.entry(package.to_owned()).or_default().insert(features.to_owned());
        }
    }
    found
}

#[test]
fn every_build_turns_on_the_same_features_of_each_crate() {
    let all = features(&["--workspace", "-e", "normal,build,dev"]);
    let examples = ["--manifest-path", "examples/plugins/Cargo.toml", "--workspace"];
    let mut told = String::new();
    let one = [
        "triflow-cli",
        "triflow-python",
        "triflow-server",
        "triflow-plugins",
        "triflow",
        "triflow-study",
        "triflow-engine",
        "triflow-core",
    ];
    let one = one.map(|name| ["-p", name]);
    for build in std::iter::once(&examples[..]).chain(one.iter().map(|args| &args[..])) {
        let found = features(&[build, &["-e", "normal,build"]].concat());
        assert!(found.keys().any(|package| package.starts_with("tch v")), "{found:?}");
        for (package, ways) in &found {
            let known = all.get(package).cloned().unwrap_or_default();
            for features in ways.difference(&known) {
                told += &format!(
                    "{package}: {} has the features `{features}`, the workspace with its tests {}\n",
                    build.join(" "),
                    known.iter().map(|f| format!("`{f}`")).collect::<Vec<_>>().join(" and ")
                );
            }
        }
    }
    assert!(
        told.is_empty(),
        "{told}name the crate with the features that it lacks in framework/core/Cargo.toml, at \"for their features\""
    );
}
