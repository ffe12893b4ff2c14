//! Lets the binary and tests find LibTorch without `LD_LIBRARY_PATH`, and passes the revision and
//! the folder of LibTorch to the command.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Ok(lib) = std::env::var("DEP_TRIFLOW_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
        if let Some(libtorch) = Path::new(&lib).parent() {
            println!("cargo:rustc-env=TRIFLOW_LIBTORCH={}", libtorch.display());
        }
    }
    if let Some(revision) = git(&["rev-parse", "HEAD"]) {
        println!("cargo:rustc-env=TRIFLOW_GIT_REVISION={revision}");
    }
    // Written whenever the revision changes.
    let log = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]);
    if let Some(log) = log.filter(|log| Path::new(log).exists()) {
        println!("cargo:rerun-if-changed={log}");
    }
}

/// Output of a git command; `None` without git or a repository.
fn git(args: &[&str]) -> Option<String> {
    let done = Command::new("git").args(args).output().ok().filter(|done| done.status.success())?;
    Some(String::from_utf8(done.stdout).ok()?.trim().to_owned())
}
