//! A program without linked components.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;
use triflow::component::{Network, Solver};
use triflow::data::files::source_of;
use triflow::registry::Parameter as _;
use triflow::{Component, Experiment, registry};

const HELP: &str = "\n  help: call `triflow_plugins::link()` at the start of `main` for the built-in components; \
                    those of another crate are there once the program names something of it";

#[test]
fn an_experiment_says_how_components_are_linked() {
    for yaml in ["{}", "{ training: { epochs: 5 } }", "{ data: { type: mine } }"] {
        let error = Experiment::from_yaml(yaml).unwrap_err().to_string();
        assert_eq!(error, format!("this program has no data sources{HELP}"), "{yaml}");
    }
}

#[test]
fn a_component_says_how_it_would_be_linked() {
    let error = Component::<dyn Solver>::named("mine").unwrap_err().to_string();
    assert_eq!(error, format!("this program has no solvers{HELP}"));
    let error = registry().find("noise_schedule", "mine").unwrap_err().to_string();
    assert_eq!(error, format!("this program has no noise schedules{HELP}"));
    let map = serde_yaml::from_str("{ width: 8 }").unwrap();
    let error = Component::<dyn Network>::read(&map).unwrap_err();
    assert_eq!(error.to_string(), format!("this program has no networks{HELP}"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("d.csv");
    std::fs::write(&file, "x,y\n1,2\n").unwrap();
    let error = source_of(&file).unwrap_err().to_string();
    assert_eq!(error, format!("this program has no data sources{HELP}"));
    assert!(source_of(Path::new("nowhere.csv")).is_err());
}
