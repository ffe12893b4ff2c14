//! The command line: flags of experiments, in kebab-case with snake_case accepted; and the
//! [`catalogue`] of the built-in components. Neither needs LibTorch, so that help, lists and errors
//! of arguments do not wait until it is loaded.
//!
//! Layers: `catalogue` `given` `number`, `endings` `sampling` `serve`, `experiment`, `compare`
//! `place`, `command`.

#![forbid(unsafe_code)]
#![allow(
    missing_docs,
    rustdoc::broken_intra_doc_links,
    reason = "the comments of flags are their help"
)]

pub mod catalogue;
mod command;
mod compare;
mod endings;
mod experiment;
mod given;
mod number;
pub mod place;
mod sampling;
mod serve;

pub use catalogue::Format;
pub use command::{Command, DataCommand, EXPORT_ENDINGS, ExportTo};
pub use compare::{CompareArgs, Shard};
pub use endings::listed;
pub use experiment::ExperimentArgs;
pub use given::Given;
pub use place::TrainArgs;
pub use sampling::{CurveArgs, SamplingArgs, StartArgs};
pub use serve::ServeArgs;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use std::ffi::OsString;
use std::path::PathBuf;

/// Heading of the options that every command takes.
const GLOBAL: &str = "Global options";

/// Train, sample and compare flow matching, diffusion and continuous-time models.
#[derive(Debug, Parser)]
#[command(name = "triflow", version, arg_required_else_help = true)]
pub struct Cli {
    /// Increase verbosity (-vv for everything).
    #[arg(short, long, global = true, help_heading = GLOBAL, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Suppress all output but errors and results.
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub quiet: bool,
    /// Load a plugin, or all plugins of a folder, in addition to TRIFLOW_PLUGIN_PATH (repeatable).
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "PATH")]
    pub plugin: Vec<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
    /// The values of the command line as they were written.
    #[arg(skip)]
    pub given: Vec<Given>,
}

/// The completion script for a shell.
pub fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "triflow", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

impl Cli {
    /// Parses a command line.
    ///
    /// # Errors
    /// A wrong command line, or the help that it asks for.
    pub fn of(args: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = command();
        let matches = command.try_get_matches_from_mut(normalise(args))?;
        let cli = Self::from_arg_matches(&matches).map_err(|e| e.format(&mut command))?;
        Ok(Self { given: Given::all(&command, &matches), ..cli })
    }
}

/// The command line, in which a number below 0 is a value of any flag that takes one, so that
/// `--seed -1` is refused as a wrong value and not as an unknown flag.
fn command() -> clap::Command {
    Cli::command().mut_subcommands(|command| {
        let has_file = command.get_positionals().any(|arg| arg.get_id() == "file");
        command.mut_args(|arg| {
            let takes_values = arg.get_action().takes_values();
            // A command that is given the file has no use for another.
            let unused = has_file && arg.get_id() == "config";
            let hidden = unused || arg.is_hide_set();
            arg.allow_negative_numbers(takes_values).hide(hidden)
        })
    })
}

/// `--num_epochs` means `--num-epochs`.
fn normalise(args: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    args.map(|arg| match arg.to_str().and_then(|arg| arg.strip_prefix("--")) {
        Some(flag) => {
            let (name, value) = flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v)));
            let name = name.replace('_', "-");
            value.map_or_else(|| format!("--{name}"), |v| format!("--{name}={v}")).into()
        }
        None => arg,
    })
}
