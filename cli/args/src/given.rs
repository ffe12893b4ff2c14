//! The values of a command line as they were written, to find the files among them.

use clap::{ArgMatches, Command};
use std::ffi::OsString;

/// A value of a flag or positional argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The argument, such as `--data` or `FILE`.
    pub arg: String,
    /// What was written.
    pub value: OsString,
    /// True if the command writes the file of this name.
    pub is_written: bool,
}

impl Given {
    /// The values that the subcommand of `matches` was given.
    pub fn all(command: &Command, matches: &ArgMatches) -> Vec<Self> {
        let Some((name, own)) = matches.subcommand() else { return Vec::new() };
        let Some(command) = command.find_subcommand(name) else { return Vec::new() };
        let values = command.get_arguments().flat_map(|arg| {
            let id = arg.get_id().as_str();
            let values = own.try_get_raw(id).ok().flatten().into_iter().flatten();
            let long = arg.get_long().map_or_else(|| id.to_uppercase(), |long| format!("--{long}"));
            // `--out DIR` is a folder, whose command knows its own files.
            let is_file =
                arg.get_value_names().is_some_and(|names| names.iter().any(|n| n == "FILE"));
            let is_written = id == "out" && is_file;
            values.map(move |value| Self { arg: long.clone(), value: value.into(), is_written })
        });
        values.collect()
    }
}
