//! Adds LibTorch to the library search path of the tests.

fn main() {
    if let Ok(lib) = std::env::var("DEP_TRIFLOW_CORE_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
