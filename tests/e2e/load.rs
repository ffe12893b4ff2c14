//! Memory does not grow with what is generated, and time not with the square of what is read. The
//! figures of much larger ones are those of `make load`, in docs/reliability.md.

use crate::command::{Folder, bytes, text};
use std::path::Path;
use std::process::Command;
use triflow::io::npz;

/// Most memory that the command takes, in MB.
fn peak(folder: &Folder, args: &[&str]) -> f64 {
    const MEASURE: &str = "import os, subprocess, sys, resource
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)";
    let command = folder.command(args);
    let mut measured = Command::new("python3");
    measured.args(["-c", MEASURE]).arg(command.get_program()).args(args);
    let done = measured.current_dir(folder.path()).env("OMP_NUM_THREADS", "1").output().unwrap();
    let (out, log) =
        (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
    assert!(done.status.success(), "{log}");
    out.lines().last().unwrap().parse::<f64>().unwrap() / 1024.0
}

fn run(folder: &Folder) -> std::path::PathBuf {
    let sets = ["--set", "sampling.solver=euler", "--set", "sampling.block=4096"];
    folder.tiny(&[&["train-gen"], &sets[..]].concat())
}

#[test]
fn memory_of_generate_does_not_grow_with_the_number_of_samples() {
    let folder = Folder::new();
    let run = run(&folder);
    for ending in ["npz", "csv", "csv.gz"] {
        let out = format!("s.{ending}");
        let of = |n: &str| {
            let n = ["--n", n, "--labels", "0,1", "--out", &out];
            peak(&folder, &[&["-q", "generate", "--run", text(&run)], &n[..]].concat())
        };
        let (few, many) = (of("5000"), of("400000"));
        // In memory they took 50 MB more in an .npz and 90 MB more in a table.
        assert!(many - few < 12.0, "{ending}: {few} MB, {many} MB");
    }
}

#[test]
fn samples_are_those_of_one_block_however_they_are_written() {
    let folder = Folder::new();
    let run = run(&folder);
    let generate = |n: &str, more: &[&str], out: &str| {
        let args = ["generate", "--run", text(&run), "--n", n, "--seed", "3", "--out", out];
        folder.succeeds(&[&args[..], more].concat());
        folder.join(out)
    };
    let all = |path: &Path| npz::read_arrays(path).unwrap();
    // Trajectories are kept, so that all of it is drawn before it is written.
    for more in [&[][..], &["--save-z0"], &["--labels", "1,0,1"]] {
        let blocks = all(&generate("3000", more, "blocks.npz"));
        let whole = all(&generate("3000", &[more, &["--trajectories"]].concat(), "whole.npz"));
        for array in &blocks {
            assert!(whole.contains(array), "{more:?}: {}", array.name);
        }
        assert_eq!(blocks.len() + 2, whole.len(), "{more:?}");
    }
    // A table and its packed form are the same.
    let plain = bytes(&generate("3000", &[], "a.csv"));
    let packed = bytes(&generate("3000", &[], "a.csv.gz"));
    let length = packed.len() as u64;
    let unpacked = std::io::read_to_string(triflow::io::gunzip(&packed[..], length)).unwrap();
    assert!(unpacked.as_bytes() == plain);
    assert_eq!(plain.iter().filter(|byte| **byte == b'\n').count(), 6001);
}
