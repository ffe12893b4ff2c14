//! Checks of the output file, before any work is done.

use crate::args::{Cli, Command, Given, listed};
use serde_yaml::Value;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use triflow::compare::Plan;
use triflow::config::parse_value;
use triflow::run::Run;
use triflow::{Error, Result};

/// Checks that a command does not write over a file that it reads, whatever the path by which it is
/// named, nor over one of a run or comparison.
///
/// # Errors
/// If the command line, or the configuration of a run that it names, holds the path of a file that
/// is to be written and exists, or if that lies in the folder of a run or comparison.
pub fn keep_others(cli: &Cli) -> Result<()> {
    let (written, read): (Vec<&Given>, Vec<_>) = cli.given.iter().partition(|g| g.is_written);
    for out in written {
        let mut files = vec![PathBuf::from(&out.value)];
        if matches!(cli.command, Command::Curve { .. }) {
            files.push(files[0].with_extension("json"));
        }
        for file in files.iter().filter(|file| file.exists()) {
            keep(file, &read).map_err(|why| {
                let message = match file == &files[0] {
                    true => format!("--out {}: {why}", file.display()),
                    false => {
                        format!(
                            "--out {}: {}, beside it, {why}",
                            files[0].display(),
                            file.display()
                        )
                    }
                };
                Error::config("", message).help("give --out another name")
            })?;
        }
    }
    Ok(())
}

/// Says why an existing file must not be written.
fn keep(file: &Path, read: &[&Given]) -> std::result::Result<(), String> {
    for given in read {
        for path in paths_of(given) {
            if is_same(file, &path) {
                let (arg, path) = (&given.arg, path.display());
                return Err(format!("is the input {path} of {arg}, which would be overwritten"));
            }
            if let Some(input) = input_of(&path, file) {
                let (run, input) = (path.display(), input.display());
                return Err(format!(
                    "is {input}, which the run {run} reads, and would be overwritten"
                ));
            }
        }
    }
    match folder_of(file) {
        Some(folder) => Err(format!(
            "is a file of the run or comparison {}, where nothing is overwritten",
            folder.display()
        )),
        None => Ok(()),
    }
}

/// Texts of an argument that may be the path of a file: the value, and those of its YAML behind
/// `KEY=`.
fn paths_of(given: &Given) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(&given.value)];
    let text = given.value.to_str().unwrap_or_default();
    let values = [Some(text), text.split_once('=').map(|(_, value)| value)];
    for value in values.into_iter().flatten().filter_map(|text| parse_value(text).ok()) {
        texts(&value, &mut |text| paths.push(text.into()));
    }
    paths
}

/// Calls `see` with every text of a value.
fn texts(value: &Value, see: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Sequence(all) => all.iter().for_each(|value| texts(value, see)),
        Value::Mapping(map) => map.values().for_each(|value| texts(value, see)),
        _ => {}
    }
}

/// True if two paths lead to one file: by other spellings, by a symbolic link or as hard links.
fn is_same(a: &Path, b: &Path) -> bool {
    let id = |path: &Path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    id(a).is_some_and(|a| id(b) == Some(a))
}

/// The path by which the configuration of a run, if `run` is one, names `file`. Such paths are
/// absolute.
fn input_of(run: &Path, file: &Path) -> Option<PathBuf> {
    if !Run::is_in(run) {
        return None;
    }
    let text = std::fs::read_to_string(run.join("config.yaml")).ok()?;
    let mut found = None;
    texts(&serde_yaml::from_str(&text).ok()?, &mut |text| {
        let path = Path::new(text);
        if path.is_absolute() && is_same(path, file) {
            found = Some(path.to_owned());
        }
    });
    found
}

/// The folder of a run or comparison in which a file lies, also by a symbolic link.
fn folder_of(file: &Path) -> Option<PathBuf> {
    let here = || Some(file.parent()?.canonicalize().ok()?.join(file.file_name()?));
    let both = [here(), file.canonicalize().ok()];
    both.into_iter().flatten().find_map(|file| {
        let folders = file.ancestors().skip(1).take(2).enumerate();
        let mut own = folders.filter(|(depth, folder)| {
            let inner = file.parent().and_then(Path::file_name);
            match depth {
                0 => Run::is_in(folder) || Plan::is_in(folder),
                _ => inner.is_some_and(|name| {
                    name == "checkpoints" && Run::is_in(folder)
                        || name == "cells" && Plan::is_in(folder)
                }),
            }
        });
        own.next().map(|(_, folder)| folder.to_owned())
    })
}

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
    fn files_are_found_in_flags_keys_and_maps() {
        let words = "triflow|evaluate|--run|DIR|--data|a.csv|--likelihood|--out|o.csv|--metric|\
                     {type: frechet, network: n.pt}|--set|sampling.x=[b.csv, {y: c.csv}]";
        let cli = Cli::of(words.split('|').map(Into::into)).unwrap();
        let (written, read): (Vec<_>, Vec<_>) = cli.given.iter().partition(|g| g.is_written);
        assert!(matches!(&written[..], [out] if out.value == "o.csv" && out.arg == "--out"));
        let read: Vec<_> = read.into_iter().flat_map(paths_of).collect();
        for name in ["DIR", "a.csv", "n.pt", "b.csv", "c.csv"] {
            assert!(read.iter().any(|path| path == Path::new(name)), "{name}: {read:?}");
        }
    }

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
