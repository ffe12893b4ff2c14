//! The values of a command line as they were written, to find the files among them.

use clap::{ArgMatches, Command};
use serde_yaml::Value;
use std::ffi::OsString;
use std::path::PathBuf;
use triflow::config::parse_value;

/// A value of a flag or positional argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The argument, such as `--data` or `FILE`.
    pub arg: String,
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

    /// Texts that may be the path of a file: the value, and those of its YAML behind `KEY=`.
    pub fn paths(&self) -> Vec<PathBuf> {
        let mut paths = vec![PathBuf::from(&self.value)];
        let text = self.value.to_str().unwrap_or_default();
        let values = [Some(text), text.split_once('=').map(|(_, value)| value)];
        for value in values.into_iter().flatten().filter_map(|text| parse_value(text).ok()) {
            Self::texts(&value, &mut |text| paths.push(text.into()));
        }
        paths
    }

    /// Calls `see` with every text of a value.
    pub fn texts(value: &Value, see: &mut dyn FnMut(&str)) {
        match value {
            Value::String(text) => see(text),
            Value::Sequence(all) => all.iter().for_each(|value| Self::texts(value, see)),
            Value::Mapping(map) => map.values().for_each(|value| Self::texts(value, see)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::args::Cli;
    use std::path::Path;

    #[test]
    fn files_are_found_in_flags_keys_and_maps() {
        triflow_plugins::link();
        let words = "triflow|evaluate|--run|DIR|--data|a.csv|--likelihood|--out|o.csv|--metric|\
                     {type: frechet, network: n.pt}|--set|sampling.x=[b.csv, {y: c.csv}]";
        let cli = Cli::of(words.split('|').map(Into::into)).unwrap();
        let (written, read): (Vec<_>, Vec<_>) = cli.given.iter().partition(|g| g.is_written);
        assert!(matches!(&written[..], [out] if out.value == "o.csv" && out.arg == "--out"));
        let read: Vec<_> = read.iter().flat_map(|given| given.paths()).collect();
        for name in ["DIR", "a.csv", "n.pt", "b.csv", "c.csv"] {
            assert!(read.iter().any(|path| path == Path::new(name)), "{name}: {read:?}");
        }
    }
}
