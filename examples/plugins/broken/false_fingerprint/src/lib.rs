//! A library with the fingerprint of another compiler. Loading it aborts the process, so that a
//! test sees whether its fingerprint is read from the file first.

const ABOUT: [u8; 141] = *b"triflow plugin
name: false_fingerprint
version: 0.1.0
triflow: 0.0.1 (source 0)
rustc: 1.0.0 (a59de37e9)
target: pdp11-dec-unix
panic: abort
";

#[unsafe(no_mangle)]
static TRIFLOW_PLUGIN_ABOUT: [u8; ABOUT.len()] = ABOUT;

extern "C" fn end() {
    eprintln!("code of a library that does not fit has run");
    std::process::abort();
}

#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
static INITIALISER: extern "C" fn() = end;
