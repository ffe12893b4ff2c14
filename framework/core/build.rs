//! What every copy of the framework has to know of how it was built: where LibTorch lies, for the run
//! path of tests and of dependent crates, and the fingerprint by which host and plugin recognise each
//! other (`src/plugin/fingerprint.rs`).

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Types of these crates cross the boundary between host and plugin.
const CROSSING: [&str; 4] = ["serde", "tch", "torch-sys", "typetag"];

fn main() {
    for watched in ["build.rs", "src", "Cargo.toml", "../../Cargo.toml"] {
        println!("cargo:rerun-if-changed={watched}");
    }
    println!("cargo:rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let mut libtorch = "unknown".to_owned();
    if let Ok(lib) = env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
        // Dependent crates read it as DEP_TRIFLOW_CORE_LIBTORCH_LIB in their own build.rs.
        println!("cargo:libtorch_lib={lib}");
        let version = Path::new(&lib).with_file_name("build-version");
        println!("cargo:rerun-if-changed={}", version.display());
        if let Ok(text) = fs::read_to_string(version) {
            libtorch = text.trim().split('+').next().unwrap_or_default().to_owned();
        }
        shim(Path::new(&lib));
    }
    let rustc = rustc();
    let facts = [
        ("TRIFLOW_SOURCE", source_hash()),
        ("TRIFLOW_RUSTC", format!("{} ({})", rustc("release: "), rustc("commit-hash: "))),
        ("TRIFLOW_TARGET", var("TARGET")),
        ("TRIFLOW_UNSTABLE_FLAGS", unstable_flags()),
        ("TRIFLOW_LIBTORCH_VERSION", libtorch),
    ];
    for (name, value) in facts {
        println!("cargo:rustc-env={name}={value}");
    }
}

/// Compiles `src/kernels` against the headers beside LibTorch's libraries.
fn shim(lib: &Path) {
    let compiler = || {
        let mut build = cc::Build::new();
        build.cpp(true).std("c++17").opt_level(3).warnings(false);
        build.flag("-fno-math-errno").flag("-ffp-contract=fast");
        build
    };
    let rows = |level: &str, flags: &[&str]| {
        let mut build = compiler();
        build.file("src/kernels/rows.cpp").define("TRIFLOW_LEVEL", level);
        for flag in flags {
            build.flag(flag);
        }
        build.compile(&format!("triflow_rows_{level}"));
    };
    let include = lib.with_file_name("include");
    let mut torch = compiler();
    torch
        .file("src/kernels/all.cpp")
        .file("src/kernels/level.cpp")
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        // What LibTorch's own parallel loops are made of; the library is LibTorch's too.
        .flag("-fopenmp");
    let levels = var("CARGO_CFG_TARGET_ARCH") == "x86_64";
    if levels {
        torch.define("TRIFLOW_LEVELS", None);
    }
    torch.compile("triflow_kernels");
    rows("baseline", &[]);
    if levels {
        rows("avx2", &["-mavx2", "-mfma"]);
        let wide = ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma"];
        rows("avx512", &[&wide[..], &["-mprefer-vector-width=512"]].concat());
    }
    println!("cargo:rustc-link-lib=gomp");
}

fn var(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| "unknown".into())
}

/// What `rustc -vV` says behind a key.
fn rustc() -> impl Fn(&str) -> String {
    let answer = Command::new(var("RUSTC")).arg("-vV").output().map(|done| done.stdout);
    let text = String::from_utf8(answer.unwrap_or_default()).unwrap_or_default();
    move |key| {
        let found = text.lines().find_map(|line| line.strip_prefix(key));
        found.unwrap_or("unknown").chars().take(12).collect()
    }
}

/// `-Z` flags may change how types are laid out.
fn unstable_flags() -> String {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut flags = flags.split('\u{1f}');
    let mut unstable = Vec::new();
    while let Some(flag) = flags.next() {
        match flag.strip_prefix("-Z") {
            // In two words.
            Some("") => unstable.push(flags.next().unwrap_or_default()),
            Some(name) => unstable.push(name),
            None => {}
        }
    }
    // Under it two crates lay one type out in two ways.
    assert!(
        !unstable.iter().any(|flag| flag.starts_with("randomize-layout")),
        "triflow and its plugins cannot be built with -Z randomize-layout"
    );
    if unstable.is_empty() { "none".into() } else { unstable.join(" ") }
}

/// Of the framework's own source and of which versions of the crossing crates it asks for.
fn source_hash() -> String {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    files.sort();
    let mut hash = DefaultHasher::new();
    for file in files {
        file.to_string_lossy().hash(&mut hash);
        fs::read(&file).unwrap_or_default().hash(&mut hash);
    }
    for manifest in ["Cargo.toml", "../../Cargo.toml"] {
        for line in fs::read_to_string(manifest).unwrap_or_default().lines() {
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
