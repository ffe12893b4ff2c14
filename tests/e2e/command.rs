//! Helpers that run the command in a folder of its own.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Arguments of a training of well under a second: 2 epochs of 4 steps.
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

/// Exit code and output of the command.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A temporary folder, in which the command runs.
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

    /// The command in this folder with minimal logging, not started.
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

    /// Runs the command, asserts success, and returns its standard output.
    pub fn succeeds(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, 0, "{args:?}: {}", done.err);
        done.out
    }

    /// Runs the command, asserts exit code 2 (bad input), and returns its errors.
    pub fn fails(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, 2, "{args:?}: {}", done.err);
        done.err
    }

    /// Trains, and returns the run folder.
    pub fn train(&self, args: &[&str]) -> PathBuf {
        self.join(self.succeeds(args))
    }

    /// Trains with the arguments [`TINY`], and returns the run folder.
    pub fn tiny(&self, args: &[&str]) -> PathBuf {
        self.train(&[&args[..1], &TINY, &args[1..]].concat())
    }
}

/// The JSON schema that the command writes.
pub struct Schema(jsonschema::Validator);

impl Schema {
    /// The schema with the components that `args` load.
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

/// Content of a file.
pub fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Cargo in `folder`, with the target folder and profile of the tested command, so that no crate of
/// others is built twice; and the folder of its output. The framework, which is built again for a
/// crate outside of its workspace, is not optimised, to save two thirds of the compiler's time.
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
    for library in ["core", "engine", "study", "plugins"] {
        let setting = format!("profile.{profile}.package.triflow-{library}.opt-level=0");
        command.args(["--config", &setting]);
    }
    (command, built.to_owned())
}

/// Runs a program, asserts success, and returns its output.
pub fn finishes(mut command: Command) -> String {
    let done = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(done.status.success(), "{command:?}:\n{}{}", text(&done.stdout), text(&done.stderr));
    text(&done.stdout)
}
