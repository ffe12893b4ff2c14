//! Several processes train one model, on this machine.

mod divergence;
mod draws;
mod pieces;

use crate::command::{Folder, Outcome, bytes, text};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use triflow::io::safetensors;

/// Longest wait for a process to end.
const LIMIT: Duration = Duration::from_secs(120);

/// An experiment with all kinds of random numbers of a step: times, noise, dropout, dropped
/// conditions, a normal encoder. 216 rows are six batches of 32 and one of 24.
const EXPERIMENT: &str = "
task: generation
objective: diffusion
noise_schedule: cosine
data: { type: two_moons, samples: 270 }
encoder: { type: mlp_normal, hidden_dims: [8] }
decoder: mlp
latent_shape: [2]
crn: { type: vanilla, network: { type: mlp, hidden_dims: [16, 16], dropout: 0.1 } }
training:
  epochs: 4
  batch_size: 32
  parts: 4
  clip_grad_norm: 1.0
  condition_dropout: 0.2
  precision: float64
sampling: { solver: midpoint, steps: 4 }
device: cpu
";

/// Processes that were started together, each with a thread that reads its errors.
struct Ranks(Vec<(Child, JoinHandle<String>)>);

/// A port of this machine that is free.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn rank(folder: &Folder, args: &[&str], (rank, size, port): (usize, usize, u16)) -> Command {
    let mut command = folder.command(args);
    command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", port.to_string());
    command.env("RANK", rank.to_string()).env("WORLD_SIZE", size.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Ranks {
    /// Starts `size` processes, each with the arguments that `args` gives its rank.
    fn start<'a>(folder: &Folder, size: usize, args: impl Fn(usize) -> Vec<&'a str>) -> Self {
        let port = free_port();
        let start = |i| {
            let mut child = rank(folder, &args(i), (i, size, port)).spawn().unwrap();
            let mut errors = child.stderr.take().unwrap();
            let read = move || {
                let mut all = String::new();
                errors.read_to_string(&mut all).unwrap();
                all
            };
            (child, std::thread::spawn(read))
        };
        Self((0..size).map(start).collect())
    }

    /// Waits until all have ended.
    fn finish(self) -> Vec<Outcome> {
        let began = Instant::now();
        let end = |(mut child, errors): (Child, JoinHandle<String>)| {
            while child.try_wait().unwrap().is_none() {
                if began.elapsed() > LIMIT {
                    child.kill().unwrap();
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let mut out = String::new();
            child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
            let code = child.wait().unwrap().code().unwrap_or(-1);
            Outcome { code, out, err: errors.join().unwrap() }
        };
        self.0.into_iter().map(end).collect()
    }
}

fn codes(all: &[Outcome]) -> Vec<i32> {
    all.iter().map(|done| done.code).collect()
}

/// Trains with `size` ranks into the folder `run`.
fn train(folder: &Folder, size: usize, run: &str) {
    if size == 1 {
        folder.succeeds(&["run", "e.yaml", "--run-dir", run]);
        return;
    }
    let all =
        Ranks::start(folder, size, |_| vec!["-q", "run", "e.yaml", "--run-dir", run]).finish();
    assert!(codes(&all).iter().all(|code| *code == 0), "{all:?}");
    // Rank 0 speaks for all.
    assert_eq!(all[0].out.trim(), text(&folder.join(run)));
    assert!(all[1..].iter().all(|done| done.out.is_empty() && done.err.is_empty()), "{all:?}");
}

/// Largest difference of parameters, relative to their size.
fn apart(folder: &Folder, one: &str, other: &str) -> f64 {
    let read = |run: &str| {
        let file = folder.join(run).join("params.safetensors");
        let file = safetensors::read_safetensors(&file).unwrap();
        let values = file.arrays.iter().filter(|array| !array.name.starts_with("units"));
        values.flat_map(|array| array.data.to_f64()).collect::<Vec<f64>>()
    };
    let (one, other) = (read(one), read(other));
    assert_eq!(one.len(), other.len());
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let differences = square(&mut one.iter().zip(&other).map(|(a, b)| a - b));
    (differences / square(&mut one.iter().copied())).sqrt()
}

/// All numbers of a JSON file, in order.
fn numbers(path: &Path) -> Vec<f64> {
    fn add(value: &Value, all: &mut Vec<f64>) {
        match value {
            Value::Number(number) => all.extend(number.as_f64()),
            Value::Array(items) => items.iter().for_each(|item| add(item, all)),
            Value::Object(map) => map.values().for_each(|item| add(item, all)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    add(&serde_json::from_slice(&bytes(path)).unwrap(), &mut all);
    all
}

fn assert_same(folder: &Folder, one: &str, other: &str, tolerance: f64) {
    let difference = apart(folder, one, other);
    assert!(difference < tolerance, "{one}, {other}: {difference}");
    for (file, tolerance) in [("history.json", tolerance), ("metrics.json", 1e3 * tolerance)] {
        let read = |run: &str| numbers(&folder.join(run).join(file));
        let (one, other) = (read(one), read(other));
        assert!(one.len() > 20 && one.len() == other.len(), "{file}");
        for (a, b) in one.iter().zip(&other) {
            assert!((a - b).abs() <= tolerance * (1.0 + a.abs()), "{file}: {a}, {b}");
        }
    }
}

fn names(folder: &Folder, run: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join(run)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        // Its name has the time and the process.
        .filter(|name| !name.starts_with("events."))
        .collect();
    names.sort();
    names
}

#[test]
fn any_number_of_ranks_that_divides_the_parts_trains_the_same_model() {
    let folder = Folder::new();
    folder.write("e.yaml", EXPERIMENT);
    for size in [1, 2, 4] {
        train(&folder, size, &format!("of_{size}"));
    }
    for run in ["of_2", "of_4"] {
        assert_same(&folder, "of_1", run, 1e-12);
        assert_eq!(names(&folder, "of_1"), names(&folder, run));
    }
    // Parts are another training than whole batches, with other random numbers.
    folder.write("e.yaml", &EXPERIMENT.replace("parts: 4", "parts: 1"));
    train(&folder, 1, "whole");
    assert!(apart(&folder, "of_1", "whole") > 1e-3);
    folder.write("e.yaml", &EXPERIMENT.replace("  parts: 4\n", ""));
    train(&folder, 1, "default");
    let of = |run: &str| bytes(&folder.join(run).join("history.json"));
    assert_eq!(of("whole"), of("default"));
    assert_eq!(apart(&folder, "whole", "default"), 0.0);
    // Without parts, there are as many as ranks.
    train(&folder, 2, "two");
    let config = std::fs::read_to_string(folder.join("two/config.yaml")).unwrap();
    assert!(config.contains("parts: 2"), "{config}");
}

#[test]
fn ranks_share_paired_rows_of_a_file() {
    let folder = Folder::new();
    folder.succeeds(&["data", "two_moons", "--set", "samples=190", "--out", "rows.safetensors"]);
    folder.write(
        "e.yaml",
        "
task: generation
unconditional: true
data: { type: safetensors, path: rows.safetensors, keep: disk }
coupling: { type: ot_exact, batch: 64 }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [16] } }
training: { epochs: 3, batch_size: 32, parts: 2, precision: float64 }
sampling: { solver: euler, steps: 4 }
device: cpu
",
    );
    train(&folder, 1, "of_1");
    train(&folder, 2, "of_2");
    assert_same(&folder, "of_1", "of_2", 1e-12);
}

/// Reads the log of rank 0 until it reports an epoch.
fn until_an_epoch(log: &mut impl BufRead) -> String {
    let (mut all, mut line) = (String::new(), String::new());
    while !line.contains("epoch ") {
        line.clear();
        if log.read_line(&mut line).unwrap() == 0 {
            break;
        }
        all += &line;
    }
    all
}

/// Sends a signal to the rank `victim` once rank 0 has reported an epoch; returns all outcomes.
fn signalled(folder: &Folder, size: usize, victim: usize, signal: &str) -> Vec<Outcome> {
    let port = free_port();
    let args = ["run", "e.yaml", "--run-dir", "run", "--timeout", "5"];
    let mut children: Vec<Child> =
        (0..size).map(|i| rank(folder, &args, (i, size, port)).spawn().unwrap()).collect();
    let mut log = BufReader::new(children[0].stderr.take().unwrap());
    let all = until_an_epoch(&mut log);
    let id = children[victim].id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success(), "{all}");
    let rest = std::thread::spawn(move || {
        let mut rest = String::new();
        log.read_to_string(&mut rest).unwrap();
        rest
    });
    let ranks = children.into_iter().map(|mut child| {
        let errors = child.stderr.take();
        let read = move || {
            let mut all = String::new();
            errors.map(|mut errors| errors.read_to_string(&mut all));
            all
        };
        (child, std::thread::spawn(read))
    });
    let mut done = Ranks(ranks.collect()).finish();
    done[0].err = all + &rest.join().unwrap();
    done
}

#[test]
fn a_lost_rank_ends_all_and_leaves_a_run_that_goes_on() {
    let folder = Folder::new();
    let long = EXPERIMENT.replace("epochs: 4", "epochs: 100") + "checkpoint: { every: 7 steps }\n";
    folder.write("e.yaml", &long);
    train(&folder, 1, "at_once");
    for victim in [1, 0] {
        let _ = std::fs::remove_dir_all(folder.join("run"));
        let done = signalled(&folder, 2, victim, "-KILL");
        assert_eq!((done[victim].code, done[1 - victim].code), (-1, 1), "{done:?}");
        let told = &done[1 - victim].err;
        assert!(told.contains("error: a rank was lost"), "{told}");
        assert!(!folder.join("run/manifest.json").exists());
        train(&folder, 2, "run");
        assert_same(&folder, "at_once", "run", 1e-12);
    }
}

#[test]
fn an_interruption_of_one_rank_stops_all_and_resuming_gives_the_same_model() {
    let folder = Folder::new();
    folder.write("e.yaml", &EXPERIMENT.replace("epochs: 4", "epochs: 120"));
    let done = signalled(&folder, 2, 1, "-INT");
    assert_eq!(codes(&done), [130, 130], "{done:?}");
    assert!(done[0].err.contains("interrupted; continue with `triflow resume --run"), "{done:?}");
    assert!(done[1].err.is_empty(), "{done:?}");
    let checkpoints = std::fs::read_dir(folder.join("run/checkpoints")).unwrap().count();
    assert!(checkpoints > 0);
    // The run has the parts that it began with, whatever the file says now.
    let all = Ranks::start(&folder, 4, |_| vec!["-q", "resume", "--run", "run"]).finish();
    assert_eq!(codes(&all), [0; 4], "{all:?}");
    train(&folder, 1, "at_once");
    assert_same(&folder, "at_once", "run", 1e-12);
    let three = Ranks::start(&folder, 3, |_| vec!["-q", "run", "e.yaml", "--run-dir", "new"]);
    let three = three.finish();
    assert_eq!(codes(&three), [2; 3], "{three:?}");
    assert!(three[0].err.contains("3 ranks cannot share 4 parts evenly"), "{three:?}");
    assert!(!folder.join("new").join("config.yaml").exists());
}

#[test]
fn ranks_that_differ_are_told_in_what_before_the_first_step() {
    let folder = Folder::new();
    folder.write("e.yaml", EXPERIMENT);
    let differ = |more: [&'static str; 2]| {
        let args = |rank| {
            let more = if rank == 1 { &more[..] } else { &[] };
            [&["-q", "run", "e.yaml", "--run-dir", "run"], more].concat()
        };
        let done = Ranks::start(&folder, 2, args).finish();
        assert_eq!(codes(&done), [2, 2], "{done:?}");
        // One of them says it.
        assert!(done[1].err.is_empty(), "{done:?}");
        done[0].err.lines().next().unwrap().to_owned()
    };
    assert_eq!(
        differ(["--set", "training.batch_size=64"]),
        "error: rank 1 has another `training.batch_size` than rank 0: 64, not 32"
    );
    let data = differ(["--set", "data.noise=0.3"]);
    assert!(data.starts_with("error: rank 1 has another `data.noise` than rank 0: 0.3"), "{data}");
    let row = |i| format!("{i},{}\n", 2 * i);
    folder.write("rows.csv", &("x,y\n".to_owned() + &(0..60).map(row).collect::<String>()));
    let data = differ(["--data-path", "rows.csv"]);
    assert!(data.starts_with("error: rank 1 has another `data."), "{data}");
}

#[test]
fn who_does_not_come_and_a_taken_port_are_errors() {
    let folder = Folder::new();
    folder.write("e.yaml", EXPERIMENT);
    let args = ["-q", "run", "e.yaml", "--timeout", "1"];
    let alone = |i, port| {
        let began = Instant::now();
        let done = rank(&folder, &args, (i, 2, port)).output().unwrap();
        assert_eq!(done.status.code(), Some(1));
        // Rank 0 would wait for 10 s for others to leave, and c10d for ever for a silent program.
        assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
        String::from_utf8(done.stderr).unwrap()
    };
    let error = alone(0, free_port());
    assert!(error.starts_with("error: rank 1 of 2 has not come within 1 s"), "{error}");
    let error = alone(1, free_port());
    assert!(error.starts_with("[rank 1] error: no rank 0 answers at 127.0.0.1:"), "{error}");
    assert!(error.contains("within 1 s (Connection refused"), "{error}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = alone(0, port);
    assert!(error.starts_with("error: rank 0 cannot listen at 127.0.0.1:"), "{error}");
    assert!(error.contains("set another MASTER_PORT"), "{error}");
    let error = alone(1, port);
    assert!(error.contains("within 1 s (whoever listens there is silent)"), "{error}");
}

#[test]
fn commands_of_one_process_are_refused_in_a_group() {
    let folder = Folder::new();
    folder.write("e.yaml", EXPERIMENT);
    for args in [&["compare", "--config", "e.yaml"][..], &["validate", "e.yaml"]] {
        let done = rank(&folder, args, (0, 2, free_port())).output().unwrap();
        let error = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{error}");
        assert!(error.starts_with("error: this command works in one process"), "{error}");
    }
}

#[test]
fn a_run_goes_on_in_its_folder_and_with_its_experiment_only() {
    let folder = Folder::new();
    folder.write("e.yaml", EXPERIMENT);
    train(&folder, 1, "run");
    let before = bytes(&folder.join("run/manifest.json"));
    train(&folder, 1, "run");
    assert_eq!(bytes(&folder.join("run/manifest.json")), before);
    let error = folder.fails(&["run", "e.yaml", "--run-dir", "run", "--set", "training.epochs=5"]);
    assert!(
        error.starts_with("error: is 5, but the run in") && error.contains("began with 4"),
        "{error}"
    );
}

#[test]
fn memory_follows_the_part_and_not_the_batch() {
    let folder = Folder::new();
    // Of a part: 512 rows of six layers of 512 numbers and as many activations, forward and back.
    folder.write(
        "e.yaml",
        "
task: generation
data: { type: two_moons, samples: 5200 }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [512, 512, 512, 512, 512, 512] } }
training: { steps: 2 }
sampling: { solver: euler, steps: 1 }
device: cpu
",
    );
    let peak = |batch: i64, parts: i64| {
        let batch = format!("training.batch_size={batch}");
        let parts = format!("training.parts={parts}");
        let mut command =
            folder.command(&["-q", "run", "e.yaml", "--set", &batch, "--set", &parts]);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0.0;
        while child.try_wait().unwrap().is_none() {
            // "VmHWM:     1234 kB", the largest so far.
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
            peak = kib.map_or(peak, |kib| kib / 1024.0);
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(child.wait().unwrap().success());
        peak
    };
    let (small, whole, parts) = (peak(512, 1), peak(4096, 1), peak(4096, 8));
    assert!(whole > small + 60.0, "{small}, {whole} MiB");
    assert!(parts < small + 20.0, "{small}, {parts} MiB");
}

/// Two hosts with an address each in one network, as network namespaces of this machine.
struct Hosts([String; 2]);

impl Hosts {
    fn new() -> Self {
        let hosts = Self([0, 1].map(|i| format!("triflow{i}_{}", std::process::id())));
        let [one, other] = &hosts.0;
        let id = std::process::id();
        let (near, far) = (format!("ta{id}"), format!("tb{id}"));
        let script = format!(
            "set -e; ip netns add {one}; ip netns add {other}
             ip link add {near} type veth peer name {far}
             ip link set {near} netns {one} name cable; ip link set {far} netns {other} name cable
             ip -n {one} addr add 10.99.0.1/24 dev cable; ip -n {other} addr add 10.99.0.2/24 dev cable
             for host in {one} {other}; do
               ip -n $host link set cable up; ip -n $host link set lo up
             done"
        );
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        hosts
    }

    /// The command on host number `i`, as that rank.
    fn command(&self, folder: &Folder, i: usize) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0[i], env!("CARGO_BIN_EXE_triflow")]);
        command.args(["run", "e.yaml", "--run-dir", "run", "--timeout", "4"]);
        command.current_dir(folder.path()).env("OMP_NUM_THREADS", "1");
        command.env("MASTER_ADDR", "10.99.0.1").env("MASTER_PORT", "29500");
        command.env("RANK", i.to_string()).env("WORLD_SIZE", "2");
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in &self.0 {
            let _ = Command::new("ip").args(["netns", "delete", host]).status();
        }
    }
}

#[test]
fn two_hosts_train_together_and_a_cut_cable_ends_both() {
    if std::env::var_os("TRIFLOW_NAMESPACE_TESTS").is_none() {
        eprintln!("not tested: TRIFLOW_NAMESPACE_TESTS is not set");
        return;
    }
    let (folder, hosts) = (Folder::new(), Hosts::new());
    folder.write("e.yaml", &EXPERIMENT.replace("epochs: 4", "epochs: 4000"));
    let mut ranks = [0, 1].map(|i| hosts.command(&folder, i).spawn().unwrap());
    let mut log = BufReader::new(ranks[0].stderr.take().unwrap());
    let mut all = until_an_epoch(&mut log);
    let cut = ["-n", &hosts.0[1], "link", "set", "cable", "down"];
    assert!(Command::new("ip").args(cut).status().unwrap().success());
    log.read_to_string(&mut all).unwrap();
    let lost = "a rank was lost: it does not answer within 4 s";
    assert!(all.contains("epoch ") && all.contains(lost), "{all}");
    assert_eq!(ranks[0].wait().unwrap().code(), Some(1), "{all}");
    assert_eq!(ranks[1].wait().unwrap().code(), Some(1), "{all}");
}
