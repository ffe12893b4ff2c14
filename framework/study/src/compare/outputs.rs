use super::results::Results;
use super::{html, tables};
use crate::io::write_atomically;
use crate::{Error, Result};
use std::io::Write;
use std::path::Path;

/// Writes `results.json`, `results.csv`, `results.md`, `results.tex` and `report.html` into
/// `folder`, which is made if it is missing. Each file is written whole or not at all.
///
/// # Errors
/// If the folder cannot be made or a file cannot be written.
pub fn write(results: &Results, folder: &Path) -> Result<()> {
    let mut json = serde_json::to_string_pretty(results)
        .map_err(|e| Error::runtime(format!("results as JSON: {e}")))?;
    json.push('\n');
    let files = [
        ("results.json", json),
        ("results.csv", tables::csv(results)?),
        ("results.md", tables::markdown(results)),
        ("results.tex", tables::latex(results)),
        ("report.html", html::html(results)?),
    ];
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    for (name, text) in files {
        write_atomically(&folder.join(name), |file| file.write_all(text.as_bytes()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_file_is_there_and_the_json_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("made/on/the/way");
        let results = crate::compare::example();
        super::write(&results, &folder).unwrap();
        for name in ["results.json", "results.csv", "results.md", "results.tex"] {
            assert!(folder.join(name).metadata().unwrap().len() > 500, "{name}");
        }
        let text = std::fs::read_to_string(folder.join("results.json")).unwrap();
        let back: crate::compare::Results = serde_json::from_str(&text).unwrap();
        assert_eq!(back, results);
    }
}
