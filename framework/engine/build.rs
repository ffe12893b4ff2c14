//! Sets the run path to LibTorch for this crate's tests, passes LibTorch's folder on to dependent
//! crates, and compiles the access to LibTorch's c10d, recorder and OpenMP.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/export/record.cpp");
    println!("cargo:rerun-if-changed=src/group");
    println!("cargo:rerun-if-changed=src/threads/crowd.cpp");
    if let Ok(lib) = std::env::var("DEP_TRIFLOW_CORE_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
        println!("cargo:libtorch_lib={lib}");
        let include = Path::new(&lib).with_file_name("include");
        compile_group(&include);
        against_libtorch(&include).file("src/export/record.cpp").compile("triflow_record");
        // OpenMP's library is linked with the core's kernels.
        let mut crowd = cc::Build::new();
        crowd.cpp(true).flag("-fopenmp").file("src/threads/crowd.cpp").compile("triflow_crowd");
    }
}

/// A compiler of code against LibTorch's headers.
fn against_libtorch(include: &Path) -> cc::Build {
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").opt_level(2).warnings(false);
    build.include(include).include(include.join("torch/csrc/api/include"));
    // LibTorch is built so, and some of its classes have other members otherwise.
    build.define("NDEBUG", None);
    build
}

/// Compiles `src/group/c10d.cpp` against LibTorch's headers; LibTorch ships none of gloo, whose
/// place stand-ins take.
fn compile_group(include: &Path) {
    against_libtorch(include)
        .file("src/group/c10d.cpp")
        .include("src/group/stubs")
        .define("USE_C10D_GLOO", None)
        .compile("triflow_group");
}
