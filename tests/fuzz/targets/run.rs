//! Files of a run's folder that are JSON or YAML, several in one input.

use std::path::Path;
use triflow::run::Run;

const FILES: [&str; 6] =
    ["config.yaml", "history.json", "manifest.json", "metrics.json", "plugins.json", "data.json"];

pub fn run(folder: &Path, data: &[u8]) {
    if super::parts::names_plugins(&String::from_utf8_lossy(data)) {
        // `plugins.json` alone is read without loading.
        if !data.starts_with(b"=== plugins.json\n") || data.windows(5).any(|w| w == b".yaml") {
            return;
        }
    }
    super::parts::defaults();
    for name in FILES {
        let _ = std::fs::remove_file(folder.join(name));
    }
    let _ = super::write(folder, "config.yaml", b"task: generation\n");
    if super::write(folder, "checkpoints/none", b"").is_none() {
        return;
    }
    for (name, content) in super::parts::files(data, &FILES) {
        let _ = super::write(folder, name, content);
    }
    let Ok(run) = Run::open(folder) else { return };
    if let Ok(history) = run.history() {
        let _ = (history.to_csv(), history.to_json());
    }
    let _ = run.stopped();
    if let Ok(layers) = run.layers() {
        super::experiment::finish(&layers);
    }
    let _ = run.load();
}
