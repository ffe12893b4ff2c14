//! Checks of the output file, before any work is done.

use crate::args::listed;
use std::path::Path;
use triflow::{Error, Result};

/// Checks that `out` has one of the endings and can be created in its folder.
pub fn check(out: &Path, endings: &[&str]) -> Result<()> {
    let wrong = |message: String| Error::config("", format!("--out {}: {message}", out.display()));
    let name = out.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let has = |ending: &&str| name.ends_with(&format!(".{ending}"));
    if !endings.iter().any(has) {
        return Err(wrong(format!("the name must end in {}", listed(endings))));
    }
    if out.is_dir() {
        return Err(wrong("is a folder, not the name of a file".to_owned()));
    }
    let folder = match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let message = format!("there is no folder {}", folder.display());
        return Err(wrong(message).help("create it first, or name another"));
    }
    // A trial, since permissions alone do not decide.
    let trial = folder.join(format!(".triflow_{}.tmp", std::process::id()));
    match std::fs::File::create_new(&trial) {
        Ok(_) => {
            let _ = std::fs::remove_file(&trial);
            Ok(())
        }
        Err(e) => Err(wrong(Error::io("write into", folder)(e).to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let told = |name: &str, endings: &[&str]| {
            let out = folder.path().join(name);
            let error = check(&out, endings).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            error.to_string().replace(&folder.path().display().to_string(), "HERE")
        };
        let ending = told("a.txt", &["npz", "csv"]);
        assert_eq!(ending, "--out HERE/a.txt: the name must end in .npz or .csv");
        assert!(
            told("no/a.npz", &["npz"]).contains("--out HERE/no/a.npz: there is no folder HERE/no")
        );
        std::fs::create_dir(folder.path().join("b.png")).unwrap();
        assert!(told("b.png", &["png"]).contains("is a folder"));
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(told("file/a.npz", &["npz"]).contains("there is no folder HERE/file"));
        check(&folder.path().join("a.NPZ"), &["npz"]).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
