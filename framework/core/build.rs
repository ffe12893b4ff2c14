//! Build facts that every copy of the framework needs: the folder of LibTorch, for the run path of
//! tests and of dependent crates, and the parts of the fingerprint by which host and plugin
//! recognise each other (`src/plugin/fingerprint.rs`).

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

mod source;

fn main() {
    for watched in ["build.rs", "source.rs", "src", "Cargo.toml", "../../Cargo.toml"] {
        println!("cargo:rerun-if-changed={watched}");
    }
    println!("cargo:rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    println!("cargo:rerun-if-env-changed={SANITIZE}");
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
        compile_kernels(Path::new(&lib));
    }
    let rustc = rustc();
    let facts = [
        ("TRIFLOW_SOURCE", source::hash(Path::new("."))),
        ("TRIFLOW_RUSTC", format!("{} ({})", rustc("release: "), rustc("commit-hash: "))),
        ("TRIFLOW_TARGET", var("TARGET")),
        ("TRIFLOW_UNSTABLE_FLAGS", unstable_flags()),
        ("TRIFLOW_TCH_VERSION", tch_version()),
        ("TRIFLOW_LIBTORCH_VERSION", libtorch),
    ];
    for (name, value) in facts {
        println!("cargo:rustc-env={name}={value}");
    }
}

/// Variable under which `scripts/sanitize` compiles the kernels with sanitizers.
const SANITIZE: &str = "TRIFLOW_SANITIZE";

/// Compiles `src/kernels` against the headers installed with LibTorch.
fn compile_kernels(lib: &Path) {
    let sanitized = env::var_os(SANITIZE).is_some();
    let compiler = || {
        let mut build = cc::Build::new();
        build.cpp(true).std("c++17").opt_level(3).warnings(false);
        // LibTorch is built so, and some of its classes have other members otherwise.
        build.define("NDEBUG", None);
        build.flag("-fno-math-errno").flag("-ffp-contract=fast");
        if sanitized {
            build.flag("-fsanitize=address,undefined").flag("-fno-omit-frame-pointer").flag("-g1");
        }
        build
    };
    let rows = |level: &str, flags: &[&str]| {
        let mut build = compiler();
        build.files(["src/kernels/rows.cpp", "src/kernels/channels.cpp"]);
        build.define("TRIFLOW_LEVEL", level);
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
        // LibTorch's parallel loops use OpenMP, and its library is linked with LibTorch's.
        .flag("-fopenmp");
    let levels = var("CARGO_CFG_TARGET_ARCH") == "x86_64";
    if levels {
        torch.define("TRIFLOW_LEVELS", None);
    }
    torch.compile("triflow_kernels");
    rows("baseline", &[]);
    if levels {
        rows("avx2", &["-mavx2", "-mfma"]);
        let wide = ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mfma"];
        rows("avx512", &[&wide[..], &["-mprefer-vector-width=512"]].concat());
    }
    println!("cargo:rustc-link-lib=gomp");
    if sanitized {
        println!("cargo:rustc-link-lib=asan");
        println!("cargo:rustc-link-lib=ubsan");
    }
}

fn var(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| "unknown".into())
}

/// Version of tch that the workspace pins, such as "0.24.0".
fn tch_version() -> String {
    let manifest = fs::read_to_string("../../Cargo.toml").unwrap_or_default();
    let line = manifest.lines().find_map(|line| line.strip_prefix("tch = "));
    let pinned = line.and_then(|line| line.split('"').find_map(|part| part.strip_prefix('=')));
    pinned.unwrap_or("unknown").to_owned()
}

/// Values of `rustc -vV` by key, at most 12 characters each.
fn rustc() -> impl Fn(&str) -> String {
    let output = Command::new(var("RUSTC")).arg("-vV").output().map(|done| done.stdout);
    let text = String::from_utf8(output.unwrap_or_default()).unwrap_or_default();
    move |key| {
        let found = text.lines().find_map(|line| line.strip_prefix(key));
        found.unwrap_or("unknown").chars().take(12).collect()
    }
}

/// The `-Z` flags, which may change the layout of types.
fn unstable_flags() -> String {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut flags = flags.split('\u{1f}');
    let mut unstable = Vec::new();
    while let Some(flag) = flags.next() {
        match flag.strip_prefix("-Z") {
            // Written as two words.
            Some("") => unstable.push(flags.next().unwrap_or_default()),
            Some(name) => unstable.push(name),
            None => {}
        }
    }
    // With this flag, two crates give one type two layouts.
    assert!(
        !unstable.iter().any(|flag| flag.starts_with("randomize-layout")),
        "triflow and its plugins cannot be built with -Z randomize-layout"
    );
    if unstable.is_empty() { "none".into() } else { unstable.join(" ") }
}
