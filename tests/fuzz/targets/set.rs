//! Arguments of `--set`, one a line.

use std::path::Path;

pub fn run(_: &Path, data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut layers = super::parts::defaults();
    for assignment in text.split('\n').take(16) {
        let value = assignment.split_once('=').map_or("", |(_, value)| value);
        if assignment.contains("plugins") || super::parts::names_plugins(value) {
            return;
        }
        if let Err(e) = layers.set_text(assignment) {
            let _ = e.to_string();
        }
    }
    super::experiment::finish(&layers);
}
