//! What every input has to hold: no panic of our own code, no memory beyond a bound, no file
//! written outside a folder. The fuzzer and the replay of its corpora share it.

pub mod memory;
pub mod panics;
pub mod writes;

use std::path::Path;

/// Function of a target: takes the content of a file, and a folder to work in.
pub type Target = fn(&Path, &[u8]);

/// Gives `data` to a target, and says what it did that it must not do.
///
/// # Errors
/// The violated property, in words.
pub fn check(target: Target, folder: &Path, data: &[u8]) -> Result<(), String> {
    panics::begin();
    writes::begin(folder);
    let bound = memory::bound(data.len());
    memory::begin(bound);
    let ended = std::panic::catch_unwind(|| target(folder, data));
    let peak = memory::end();
    let written = writes::end();
    if let Some(panic) = panics::end() {
        return Err(format!("panicked: {panic}"));
    }
    if ended.is_err() {
        return Err("panicked in another crate, and nothing caught it".to_owned());
    }
    if let Some(path) = written {
        return Err(format!("changed {path}, which is not below {}", folder.display()));
    }
    if peak > bound {
        return Err(format!("took {peak} bytes of memory for {} of input", data.len()));
    }
    Ok(())
}
