//! The source hash of the core, a part of the fingerprint. Shared by the build script and a test.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// Crates whose types cross the boundary between host and plugin.
const CROSSING: [&str; 2] = ["tch", "torch-sys"];

/// Hash of the source files in the folder `core`, and of the manifest lines that pin the crates in
/// [`CROSSING`].
pub fn hash(core: &Path) -> String {
    let source = core.join("src");
    let mut files = Vec::new();
    sources(&source, &mut files);
    files.sort();
    let mut hash = DefaultHasher::new();
    for file in files {
        file.strip_prefix(&source).unwrap_or(&file).to_string_lossy().hash(&mut hash);
        fs::read(&file).unwrap_or_default().hash(&mut hash);
    }
    for manifest in ["Cargo.toml", "../../Cargo.toml"] {
        for line in fs::read_to_string(core.join(manifest)).unwrap_or_default().lines() {
            let name = line.split([' ', '=', '.']).next().unwrap_or_default();
            if CROSSING.contains(&name) {
                line.hash(&mut hash);
            }
        }
    }
    format!("{:016x}", hash.finish())
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, files);
        } else if path
            .extension()
            .is_some_and(|ending| ["rs", "cpp", "h"].iter().any(|e| ending == *e))
        {
            files.push(path);
        }
    }
}
