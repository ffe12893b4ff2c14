//! Features of third crates, which cargo turns on for the whole of a build: command, tests and plugins are different
//! builds, and have to agree, so that types that cross between program and plugin are the same, and a shared target
//! folder holds each crate once, LibTorch's C++ layer among them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The features of each crate from a registry, in each way in which a build has it.
fn features(args: &[&str]) -> BTreeMap<String, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(["tree", "--offline", "--locked", "--prefix", "none"]);
    let done = command.args(["-f", "{p}|{f}"]).args(args).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8(done.stdout).unwrap().lines() {
        let (package, features) = line.trim_end_matches(" (*)").split_once('|').unwrap();
        // Packages of this repository say in brackets where they lie.
        if !package.contains("(/") {
            found.entry(package.to_owned()).or_default().push(features.to_owned());
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
            let known = all.get(package).map_or(&[][..], Vec::as_slice);
            for features in ways.iter().filter(|features| !known.contains(features)) {
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
