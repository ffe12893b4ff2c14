//! The command `triflow` as it is started. Loading LibTorch takes ten times as long as everything
//! else that help, lists and errors of arguments need, so this program, without LibTorch, answers
//! them from its arguments and its catalogue of the built-in components. All other commands are of
//! `triflow-full` beside it, which takes its place and gives the same answers to these.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command as Program;
use triflow_args::catalogue::Catalogue;
use triflow_args::{Cli, Command};

/// The program with LibTorch, in the folder of this one.
const FULL: &str = "triflow-full";

/// Beginnings of the variables on which answers may depend: plugins, logging, and the ranks of a
/// launcher of several processes.
const VARIABLES: [&str; 3] = ["TRIFLOW_PLUGIN", "RUST_LOG", "MASTER_"];

fn main() {
    // A closed pipe (`| head`) ends the command quietly.
    sigpipe::reset();
    let cli = Cli::of(std::env::args_os()).unwrap_or_else(|e| e.exit());
    if let Some(text) = answer(&cli) {
        let mut out = std::io::stdout().lock();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok() {
            return;
        }
        // The full program says why nothing can be written.
    }
    eprintln!("error: {}", start());
    std::process::exit(1);
}

/// The output of a command that needs nothing but the built-in components; `None` for others.
fn answer(cli: &Cli) -> Option<String> {
    let is_named = |(name, _): (std::ffi::OsString, _)| {
        let name = name.to_string_lossy();
        VARIABLES.iter().any(|beginning| name.starts_with(beginning))
    };
    if !cli.plugin.is_empty() || cli.verbose > 0 || std::env::vars_os().any(is_named) {
        return None;
    }
    match &cli.command {
        Command::List { kind, format } => {
            Catalogue::built_in().list(kind.as_deref(), *format).map(|text| text + "\n")
        }
        Command::Describe { kind, name: Some(name), format, eval: false, out: None, .. } => {
            Catalogue::built_in().describe(kind, name, *format).map(|text| text + "\n")
        }
        Command::Completions { shell } => Some(triflow_args::completions(*shell)),
        _ => None,
    }
}

/// Starts the full program in the place of this one, with its arguments and environment; returns
/// why it cannot.
fn start() -> String {
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_else(|| "triflow".into());
    let full = match std::env::current_exe() {
        Ok(own) => own.with_file_name(FULL),
        Err(_) => PathBuf::from(FULL),
    };
    let why = Program::new(&full).arg0(name).args(args).exec();
    let full = full.display();
    format!(
        "cannot start {full}: {why}\n  help: `triflow` needs the program {FULL} in its folder, which \
         is built and installed with it; copy both, or link to `triflow`"
    )
}
