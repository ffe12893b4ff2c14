//! Shared libraries, as far as they are read before one is loaded. None is.

use std::path::Path;
use triflow::plugin::{About, FINGERPRINT, differences};

pub fn run(folder: &Path, data: &[u8]) {
    let Some(path) = super::write(folder, "libplugin.so", data) else { return };
    if let Ok(Some(about)) = About::read(&path) {
        let _ = differences(&about.fingerprint, FINGERPRINT);
    }
}
