//! Runs the command in a folder of its own.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A training of well under a second: 2 epochs of 4 steps.
pub const TINY: [&str; 12] = [
    "--num-epochs",
    "2",
    "--batch-size",
    "32",
    "--hidden-dims",
    "8",
    "--device",
    "cpu",
    "--set",
    "sampling.steps=4",
    "--set",
    "data.samples=160",
];

/// What the command did.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A fresh folder, in which the command runs.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.join(name), text).unwrap();
    }

    /// The command in this folder, as few lines as it can, not started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_triflow"));
        command.current_dir(self.path()).env("OMP_NUM_THREADS", "1");
        command
            .env_remove("RUST_LOG")
            .env_remove("TRIFLOW_PLUGIN_PATH")
            .env_remove("CARGO_TARGET_DIR");
        command.args(args);
        command
    }

    pub fn run(&self, args: &[&str]) -> Outcome {
        let done = self.command(&[&["-q"], args].concat()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
        let outcome = Outcome {
            code: done.status.code().unwrap(),
            out: text(done.stdout),
            err: text(done.stderr),
        };
        assert!(!outcome.err.contains("panicked"), "{args:?}: {}", outcome.err);
        outcome
    }

    /// What it printed.
    pub fn succeeds(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, 0, "{args:?}: {}", done.err);
        done.out
    }

    /// What it complained about: bad input leaves with 2.
    pub fn fails(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, 2, "{args:?}: {}", done.err);
        done.err
    }

    /// The run folder of a training command.
    pub fn train(&self, args: &[&str]) -> PathBuf {
        self.join(self.succeeds(args))
    }

    /// Likewise of a tiny training.
    pub fn tiny(&self, args: &[&str]) -> PathBuf {
        self.train(&[&args[..1], &TINY, &args[1..]].concat())
    }
}

/// The schema that the command writes.
pub struct Schema(jsonschema::Validator);

impl Schema {
    /// With the components that `args` make known.
    pub fn of(folder: &Folder, args: &[&str]) -> Self {
        let schema = folder.succeeds(&[&["schema"], args].concat());
        Self(jsonschema::draft202012::new(&serde_json::from_str(&schema).unwrap()).unwrap())
    }

    pub fn accepts(&self, experiment: &Value) {
        let errors: Vec<String> =
            self.0.iter_errors(experiment).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{experiment:#}\n{}", errors.join("\n"));
    }

    pub fn refuses(&self, experiment: &Value) {
        assert!(!self.0.is_valid(experiment), "{experiment:#}");
    }
}

/// A file's bytes.
pub fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Cargo in `folder`, with the target folder and the profile of the command that is tested: what is built
/// there is not built again.
pub fn cargo(folder: &Path, task: &str) -> (Command, PathBuf) {
    let binary = Path::new(env!("CARGO_BIN_EXE_triflow"));
    let built = binary.parent().unwrap();
    let profile = match built.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(name) => name,
        None => panic!("{}", built.display()),
    };
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(folder).args([task, "--quiet", "--profile", profile]);
    command.env("CARGO_TARGET_DIR", built.parent().unwrap()).env("OMP_NUM_THREADS", "1");
    (command, built.to_owned())
}

/// Runs it to a good end.
pub fn finishes(mut command: Command) -> String {
    let done = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(done.status.success(), "{command:?}:\n{}{}", text(&done.stdout), text(&done.stderr));
    text(&done.stdout)
}
