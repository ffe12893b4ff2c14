//! libFuzzer's entry: the target is the one that the variable `TARGET` names.
#![no_main]

mod harness;
mod targets;
#[path = "harness/tensors.rs"]
mod tensors;

use harness::Target;
use std::path::PathBuf;
use std::sync::OnceLock;

static CHOSEN: OnceLock<(Target, PathBuf)> = OnceLock::new();

fn begin() {
    let name = std::env::var("TARGET").unwrap_or_default();
    let known = targets::TARGETS.iter().find(|(known, _)| *known == name);
    let Some((_, target)) = known else {
        let names = targets::TARGETS.map(|(name, _)| name);
        eprintln!("TARGET is `{name}`; known targets: {}", names.join(", "));
        std::process::exit(2);
    };
    let folder = std::env::temp_dir().join(format!("triflow-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    triflow_plugins::link();
    triflow::memory::guard();
    harness::memory::stop_beyond();
    let _ = CHOSEN.set((*target, folder));
}

libfuzzer_sys::fuzz_target!(init: begin(), |data: &[u8]| {
    let Some((target, folder)) = CHOSEN.get() else { return };
    if let Err(why) = harness::check(*target, folder, data) {
        eprintln!("{why}");
        std::process::abort();
    }
});
