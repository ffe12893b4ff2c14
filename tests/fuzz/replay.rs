//! The corpora of the fuzz targets: every input holds the properties that `scripts/fuzz` tries,
//! and time grows with the size of an input, not faster.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]
#![expect(
    unsafe_code,
    reason = "stands in for functions of the C library, to see what is asked of it"
)]

#[path = "harness/mod.rs"]
mod harness;
#[path = "targets/mod.rs"]
mod targets;
#[path = "harness/tensors.rs"]
mod tensors;

use harness::Target;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;
use triflow::tch::{Device, Kind, Tensor};

/// Memory and changed paths are those of the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn corpus(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus").join(name);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

fn target(name: &str) -> Target {
    targets::TARGETS.iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn every_input_of_every_corpus_holds_the_properties() {
    let _one = ONE_AT_A_TIME.lock();
    triflow_plugins::link();
    triflow::memory::guard();
    let mut violated = Vec::new();
    for (name, target) in targets::TARGETS {
        let folder = tempfile::tempdir().unwrap();
        // What is made once, such as a model to restore into, is no input's.
        for file in corpus(name) {
            let data = std::fs::read(&file).unwrap();
            if let Err(why) = harness::check(target, folder.path(), &data) {
                violated.push(format!("{name}: {}: {why}", file.display()));
            }
        }
    }
    assert!(violated.is_empty(), "{}", violated.join("\n"));
}

#[test]
fn each_violation_is_told() {
    let _one = ONE_AT_A_TIME.lock();
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let cases: [(Target, &str); 6] = [
        (|_, _| panic!("on purpose"), "on purpose"),
        (
            |_, data| {
                // A guard would tell a user of an index.
                let _ = triflow::registry::guard_engine(|| Ok(data[7]));
            },
            "index out of bounds",
        ),
        (|_, _| drop(std::hint::black_box(vec![1_u8; 65 << 20])), "took "),
        (|_, _| drop(Tensor::zeros([17 << 20], (Kind::Float, Device::Cpu))), "took "),
        (|folder, _| std::fs::write(folder.join("../outside"), b"").unwrap(), "changed "),
        (|folder, _| std::fs::remove_file(folder.join("../outside")).unwrap(), "changed "),
    ];
    for (target, told) in cases {
        let why = harness::check(target, &inner, b"").unwrap_err();
        assert!(why.contains(told), "{why}");
    }
    let sound: Target =
        |folder, _| std::fs::write(folder.join("inside"), vec![1; 1 << 20]).unwrap();
    assert_eq!(harness::check(sound, &inner, b""), Ok(()));
}

/// Time of this thread's processor.
fn spent() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes the time and nothing else.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The least time of three that a target takes for an input.
fn time(target: Target, folder: &Path, data: &[u8]) -> Duration {
    let once = |_| {
        let before = spent();
        target(folder, data);
        spent() - before
    };
    (0..3).map(once).min().unwrap()
}

#[test]
fn eight_times_the_input_takes_no_more_than_eight_times_the_time_within_a_factor_of_three() {
    let _one = ONE_AT_A_TIME.lock();
    triflow_plugins::link();
    let repeated = |head: &str, line: &str, n: usize| format!("{head}{}", line.repeat(n));
    let cases: [(&str, &str, &str); 14] = [
        ("text_table", "\0\u{78}a,b\n", "1,2.5\n"),
        ("text_table", "\0\u{78}a,b\n", "x,\"y\"\"z\"\n"),
        ("text_table", "\0\u{78}a,b\n", "2024-01-02,\n"),
        ("text_table", "\0\u{78}a\n", ","),
        ("text_table", "\0\u{78}a\n", "\"\"\n"),
        ("text_table", "\0\u{78}a\n", "\""),
        ("text_table", "\0\u{78}a\n", "\n"),
        ("experiment", "task: generation\n", "# a comment\n"),
        ("experiment", "input_shape:\n", "- 1\n"),
        ("experiment", "device: ", "a "),
        ("experiment", "", "[ "),
        ("set", "training.epochs=[", "1,"),
        ("report", "{\"title\":\"", "<&"),
        ("plugin", "\u{7f}ELF\u{2}\u{1}\u{1}", "TRIFLOW_PLUGIN_ABOUT\0"),
    ];
    for (name, head, line) in cases {
        let (target, folder) = (target(name), tempfile::tempdir().unwrap());
        let of =
            |n: usize| time(target, folder.path(), repeated(head, line, n / line.len()).as_bytes());
        let (short, long) = (of(1 << 15), of(1 << 18));
        let most = short.max(Duration::from_micros(500)) * 24;
        assert!(long < most, "{name}, {line:?}: {short:?}, then {long:?}");
    }
}
