//! Experiment files: parsed, checked, and written again as what they were read.

use std::path::Path;
use triflow::config::Layers;

pub fn run(folder: &Path, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if super::parts::names_plugins(&text) {
        return;
    }
    let Some(path) = super::write(folder, "experiment.yaml", data) else { return };
    let mut layers = super::parts::defaults();
    if layers.add_file(&path).is_ok() {
        finish(&layers);
    }
}

/// Parses and checks the experiment of these layers, which is the same when it is written and read.
pub fn finish(layers: &Layers) {
    let Ok(experiment) = layers.finish() else { return };
    if let Err(e) = experiment.check() {
        let _ = layers.locate(e).to_string();
    }
    let Ok(text) = experiment.to_yaml() else { return };
    let mut again = super::parts::defaults();
    let again = again.add_text(&text, "what was written").and_then(|()| again.finish());
    assert!(again.is_ok_and(|again| again == experiment), "read otherwise than written:\n{text}");
}
