//! Endings of the names of files, in help texts and errors.

use crate::catalogue::words;

/// Endings in words, such as `.npz, .csv or .tsv`.
pub fn listed(endings: &[impl AsRef<str>]) -> String {
    let all: Vec<String> = endings.iter().map(|ending| format!(".{}", ending.as_ref())).collect();
    match all.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => all.concat(),
    }
}

/// Help of a file that a data source reads; `what` it holds.
pub(crate) fn read(what: &str) -> String {
    format!("{what} ({})", listed(&words().read))
}

/// Help of an output file with one of these endings.
pub(crate) fn written(endings: &[impl AsRef<str>]) -> String {
    format!(
        "Output file ({}); an existing one is overwritten, unless it is an input or belongs to a run",
        listed(endings)
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn helps_list_every_ending_that_is_read_or_written() {
        let command = crate::Cli::command();
        let help = |name: &str, arg: &str| {
            let command = command.find_subcommand(name).unwrap();
            let arg = command.get_arguments().find(|own| own.get_id() == arg).unwrap();
            arg.get_help().unwrap().to_string()
        };
        for (name, arg) in [("train", "data_path"), ("compare", "data_path"), ("predict", "data")] {
            let help = help(name, arg);
            assert!(help.contains(".csv.gz") && help.contains(".parquet"), "{help}");
            assert!(help.contains(".npz, ") && help.contains(" or ."), "{help}");
        }
        for name in ["generate", "predict", "impute", "data", "evaluate"] {
            let help = help(name, "out");
            assert!(help.contains(".tsv.gz, .parquet, .feather or .arrow)"), "{help}");
        }
    }
}
