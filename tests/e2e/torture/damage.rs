//! Damaged files of a run: no command crashes on one, and arrays that differ are not taken for
//! sound.

use super::{RUN, folder, on_two_threads, trials};
use crate::command::Folder;
use rand::{Rng, RngExt as _};
use std::path::Path;
use triflow::rng::{Purpose, rust_rng};

/// Files that commands read, and whether a checksum protects them.
const FILES: [(&str, bool); 7] = [
    ("config.yaml", false),
    ("history.json", false),
    ("data.json", false),
    ("manifest.json", false),
    ("params.safetensors", true),
    ("checkpoints/best.safetensors", true),
    ("checkpoints/step_000000032.safetensors", true),
];

/// Commands that read them; the last of these writes `rows.csv`.
const COMMANDS: [&[&str]; 5] = [
    &["evaluate", "--run", "run"],
    &["plot", "--run", "run"],
    &["resume", "--run", "run", "--epochs", "5"],
    &["generate", "--run", "run", "--n", "3", "--seed", "1", "--out", "rows.csv", "--best"],
    &["generate", "--run", "run", "--n", "3", "--seed", "1", "--out", "rows.csv"],
];

/// A copy with one bit, byte or block changed, cut off, or empty.
fn damaged(original: &[u8], rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    let at = rng.random_range(0..bytes.len());
    match rng.random_range(0..5) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = rng.random(),
        2 => bytes.iter_mut().skip(at).take(64).for_each(|byte| *byte = rng.random()),
        3 => bytes.truncate(at),
        _ => bytes.clear(),
    }
    bytes
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

/// The rows that the command draws, if it draws any.
fn rows(folder: &Folder) -> Option<Vec<u8>> {
    std::fs::read(folder.join("rows.csv")).ok()
}

#[test]
fn no_command_crashes_on_a_damaged_file_or_takes_damaged_arrays_for_sound() {
    let whole = folder();
    whole.succeeds(&RUN[1..]);
    let mut sound = Vec::new();
    for command in &COMMANDS[3..] {
        whole.succeeds(command);
        sound.push(rows(&whole).unwrap());
    }
    let n = trials(FILES.len(), 20 * FILES.len());
    on_two_threads(n, |i| {
        let mut rng = rust_rng(0, Purpose::Data, i as u64);
        let (file, checked) = FILES[i % FILES.len()];
        let folder = Folder::new();
        copy(&whole.join("run"), &folder.join("run"));
        let path = folder.join("run").join(file);
        let original = std::fs::read(&path).unwrap();
        let damage = damaged(&original, &mut rng);
        std::fs::write(&path, &damage).unwrap();
        for (number, command) in COMMANDS.iter().enumerate() {
            // A command may have mended the file.
            std::fs::write(&path, &damage).unwrap();
            let done = folder.run(command);
            assert!((0..=2).contains(&done.code), "{file}, trial {i}: {command:?}: {}", done.err);
            assert!(done.code == 0 || done.err.contains("error: "), "{file}, {i}: {}", done.err);
            if let Some(expected) = number.checked_sub(3).map(|which| &sound[which])
                && checked
                && done.code == 0
            {
                assert!(rows(&folder).as_ref() == Some(expected), "{file}, trial {i}: {command:?}");
            }
            std::fs::remove_file(folder.join("rows.csv")).ok();
        }
    });
    println!("{n} damages of {} files: an error, or the same samples", FILES.len());
}
