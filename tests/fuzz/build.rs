//! Adds LibTorch to the library search path of the fuzzer.

fn main() {
    if let Ok(lib) = std::env::var("DEP_TRIFLOW_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
