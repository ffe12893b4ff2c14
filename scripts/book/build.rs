//! Finds the style sheet and the fonts of formulas, which are files of the crate pulldown-latex.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=Cargo.lock");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let done = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .output()
        .expect("cargo metadata runs");
    let metadata = String::from_utf8_lossy(&done.stdout);
    let manifest = metadata
        .split("\"manifest_path\":\"")
        .filter_map(|part| part.split('"').next())
        .find(|path| path.contains("/pulldown-latex-"))
        .expect("pulldown-latex is a dependency");
    let folder = Path::new(manifest).parent().expect("a manifest lies in a folder");
    println!("cargo:rustc-env=PULLDOWN_LATEX={}", folder.display());
}
