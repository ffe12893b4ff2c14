//! The documents match the code: excerpts are current, and commands, files and keys that they name
//! exist.

mod links;
mod maps;

pub use links::links;

use crate::catalogue::{component, sample_endings};
use crate::command::Folder;
use std::path::{Path, PathBuf};
use triflow::compare::Better;
use triflow::error::visible;
use triflow::measure::Goal;
use triflow::registry::{Field, Shape};
use triflow_args::catalogue::{Catalogue, Words};
use triflow_args::{self as args, Format};

/// All documents for users and authors.
pub fn documents() -> Vec<String> {
    let mut all =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"].map(str::to_owned).to_vec();
    for folder in ["docs", "examples"] {
        markdown(folder, &mut all);
    }
    assert!(all.len() > 12, "{all:?}");
    all
}

fn markdown(folder: &str, all: &mut Vec<String>) {
    for entry in std::fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            if !name.ends_with("/target") {
                markdown(&name, all);
            }
        } else if name.ends_with(".md") {
            all.push(name);
        }
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub fn read(name: &str) -> String {
    let path = root().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Range and text between the marks `begin` and `end`.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> (std::ops::Range<usize>, &'t str) {
    let from = text.find(begin).unwrap_or_else(|| panic!("no `{begin}`")) + begin.len();
    let to = from + text[from..].find(end).unwrap_or_else(|| panic!("no `{end}`"));
    (from..to, &text[from..to])
}

fn section<'t>(text: &'t str, name: &str) -> (std::ops::Range<usize>, &'t str) {
    between(text, &format!("<!-- {name}: begin -->\n"), &format!("<!-- {name}: end -->"))
}

/// The tables of components, one a kind, from the registry.
fn component_tables() -> String {
    triflow_plugins::link();
    let kinds = triflow::registry().kinds();
    let (mut tables, mut last) = (String::new(), "");
    for entry in triflow::registry().list(None) {
        let info = entry.info;
        let (kind, name) = (info.kind, info.name);
        if kind != last {
            tables += &format!("\n## {kind}\n\n{}\n\n", kinds[kind]);
            tables += "| name | what it is | keys: defaults, ranges |\n| --- | --- | --- |\n";
        }
        let names: String = info.aliases.iter().map(|alias| format!(", `{alias}`")).collect();
        let summary = entry.summary().replace('|', "\\|");
        let keys: Vec<_> = (info.table)().unwrap().iter().map(key_text).collect();
        let keys = keys.join("; ").replace('|', "\\|");
        tables += &format!("| `{name}`{names} | {summary} | {keys} |\n");
        last = kind;
    }
    tables
}

/// A key with its default and range.
fn key_text(field: &Field) -> String {
    let name = field.key.name();
    let shown = match (&field.default, &field.shape) {
        (None, _) => format!("`{name}`, required"),
        (_, Shape::Component(_) | Shape::Group(_)) => format!("`{name}`"),
        (Some(default), _) => format!("`{name}: {}`", default.replace('"', "")),
    };
    let range = field.key.range.to_string();
    if range.is_empty() { shown } else { format!("{shown} {range}") }
}

/// The table of metrics by task, from the registry.
fn metric_table() -> String {
    let mut table =
        "| task | metric | better | what it is |\n| --- | --- | --- | --- |\n".to_owned();
    triflow_plugins::link();
    let catalogue =
        triflow::measure::Catalogue::of(&triflow::Experiment::from_yaml("{}").unwrap()).unwrap();
    for goal in Goal::ALL {
        for metric in catalogue.iter().filter(|metric| metric.info().goals.contains(&goal)) {
            let better = match metric.info().better {
                Better::Less => "less",
                Better::More => "more",
                Better::None => "",
            };
            let (goal, name, what) =
                (goal.name(), metric.name(), metric.what().replace('|', "\\|"));
            table += &format!("| {goal} | `{name}` | {better} | {what} |\n");
        }
    }
    table
}

/// The part of the example that the README shows.
fn example_component() -> String {
    let example = read("examples/own_schedule.rs");
    let (_, part) = between(&example, "// readme: begin\n", "// readme: end");
    format!("```rust\n{part}```\n")
}

fn rules() -> String {
    triflow::Experiment::rules().map(|rule| format!("- {rule}\n")).collect()
}

/// The files that may hold `unsafe` code, with their reasons. Elsewhere the compiler refuses it.
fn unsafe_files() -> String {
    let mut files = Vec::new();
    for folder in ["framework", "plugins", "server", "cli", "python", "tests"] {
        sources(&root().join(folder), &mut files);
    }
    files.sort();
    let mut table = "| file | why |\n| --- | --- |\n".to_owned();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let own = text.split("#![expect(").nth(1).and_then(|rest| rest.split_once(")]"));
        let Some((lint, _)) = own.filter(|(lint, _)| lint.contains("unsafe_code")) else {
            continue;
        };
        let name = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        table += &format!("| [{name}]({name}) | {} |\n", lint.split('"').nth(1).unwrap());
    }
    table
}

/// The Rust files below a folder.
fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            all.push(path);
        }
    }
}

#[test]
fn documents_show_the_registry_and_the_examples_as_they_are() {
    for (document, name, expected) in [
        ("docs/components.md", "components", component_tables()),
        ("docs/metrics.md", "metrics", metric_table()),
        ("docs/configuration.md", "rules", rules()),
        ("README.md", "own_schedule", example_component()),
        ("SECURITY.md", "unsafe", unsafe_files()),
        ("docs/library.md", "program", format!("```rust\n{}```\n", read("examples/program.rs"))),
    ] {
        let mut text = read(document);
        let (place, shown) = section(&text, name);
        if shown == expected {
            continue;
        }
        assert!(
            std::env::var_os("TRIFLOW_BLESS").is_some(),
            "{document}, section `{name}`, is not what the code says: run `make docs`"
        );
        text.replace_range(place, &expected);
        std::fs::write(root().join(document), &text).unwrap();
    }
    let (file, expected) = ("cli/args/src/catalogue.json", catalogue().file());
    if std::fs::read_to_string(root().join(file)).ok().as_ref() != Some(&expected) {
        assert!(
            std::env::var_os("TRIFLOW_BLESS").is_some(),
            "{file} is not what the code says: run `make docs`, and build again"
        );
        std::fs::write(root().join(file), &expected).unwrap();
    }
}

/// What the command says without LibTorch, from the registry.
fn catalogue() -> Catalogue {
    let owned = |endings: &[&str]| endings.iter().map(|ending| (*ending).to_owned()).collect();
    let words = Words {
        read: owned(&triflow::registry().endings("data_source")),
        arrays: owned(&triflow::data::files::endings()),
        samples: owned(&sample_endings()),
        tables: owned(triflow::io::table::ENDINGS),
        points: triflow::measure::EXACT_POINTS,
    };
    let all = triflow::registry().list(None);
    let components: Vec<_> = all.iter().map(|entry| component(entry).unwrap()).collect();
    for format in [Format::Table, Format::Json] {
        for text in components.iter().map(|own| own.shown(format)) {
            assert_eq!(visible(&text), text, "it is printed as it is");
        }
    }
    Catalogue { words, components }
}

#[test]
fn the_guides_name_every_kind_of_component() {
    triflow_plugins::link();
    let kinds: Vec<_> = triflow::registry().kinds().into_keys().collect();
    let guide = read("CONTRIBUTING.md");
    let (_, table) = between(&guide, "| kind | required methods |", "\n\n");
    let rows = table.lines().filter_map(|row| row.strip_prefix("| `")?.split('`').next());
    let mut named: Vec<_> = rows.collect();
    named.sort_unstable();
    assert_eq!(named, kinds, "the table of CONTRIBUTING.md");
    let guide = read("docs/plugins.md");
    let (_, list) = between(&guide, "A component of your own (a ", ")");
    let listed = list.replace(" or ", ", ").to_lowercase();
    let mut named: Vec<_> = listed.split(", ").map(|kind| kind.replace(' ', "_")).collect();
    named.sort_unstable();
    assert_eq!(named, kinds, "the first sentence of docs/plugins.md");
}

#[test]
fn every_example_in_the_help_is_understood() {
    let mut command = <args::Cli as clap::CommandFactory>::command();
    let mut count = 0;
    for sub in command.get_subcommands_mut() {
        let Some(help) = sub.get_after_help().map(ToString::to_string) else {
            assert!(
                sub.is_hide_set() || sub.get_name() == "help",
                "{} has no example",
                sub.get_name()
            );
            continue;
        };
        for line in help.lines().filter_map(|line| line.trim().strip_prefix("triflow ")) {
            let words = line.split(" > ").next().unwrap().split(' ');
            parse(words).unwrap_or_else(|e| panic!("{line}\n{e}"));
            count += 1;
        }
    }
    assert!(count > 20, "only {count} examples found");
}

#[test]
fn every_command_and_flag_has_a_short_help() {
    let plain = |place: &str, help: Option<String>| {
        let help = help.unwrap_or_else(|| panic!("{place} has no help"));
        assert!(help.starts_with(char::is_uppercase), "{place}: {help}");
        assert!(!help.ends_with('.'), "{place}: {help}");
        for article in ["A ", "An ", "The "] {
            assert!(!help.starts_with(article), "{place}: {help}");
        }
        help
    };
    let command = <args::Cli as clap::CommandFactory>::command();
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let name = sub.get_name();
        let about = plain(name, sub.get_about().map(ToString::to_string));
        // One line of `triflow --help` on a terminal of 100 columns.
        assert!(about.chars().count() <= 85, "{name}: {about}");
        for arg in sub.get_arguments().filter(|arg| !arg.is_hide_set()) {
            plain(&format!("{name}, {}", arg.get_id()), arg.get_help().map(ToString::to_string));
        }
    }
}

/// Commands that start with `program` in the fenced blocks of `text`, one a line.
pub fn commands(text: &str, program: &str) -> Vec<String> {
    let (mut fenced, mut all) = (false, Vec::new());
    for line in text.replace("\\\n", " ").lines() {
        fenced ^= line.trim_start().starts_with("```");
        let command = line.strip_prefix("$ ").unwrap_or(line);
        if fenced && command.starts_with(&format!("{program} ")) {
            all.push(command.to_owned());
        }
    }
    all
}

/// Parses a command line without running it.
fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let words = std::iter::once("triflow").chain(words).map(std::ffi::OsString::from);
    let parsed = args::Cli::of(words);
    parsed.map(|_| ()).map_err(|e| e.to_string())
}

#[test]
fn every_command_that_a_document_shows_is_understood() {
    let folder = Folder::new();
    // The shell handles quotes, comments and redirections.
    let words = "triflow() { printf '%s\\n' \"$@\" >&2; }\n";
    let mut count = 0;
    for document in documents() {
        for command in commands(&read(&document), "triflow") {
            let done = std::process::Command::new("sh")
                .args(["-c", &format!("{words}{command}")])
                .current_dir(folder.path())
                .envs([("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_COUNT", "8")])
                .env("SLURM_CPUS_PER_TASK", "4")
                .output()
                .unwrap();
            let words = String::from_utf8(done.stderr).unwrap();
            parse(words.lines()).unwrap_or_else(|e| panic!("{document}: {command}\n{e}"));
            count += 1;
        }
    }
    assert!(count > 20, "only {count} commands found");
}

#[test]
fn every_make_target_that_a_document_shows_exists() {
    let makefile = read("Makefile");
    for document in documents() {
        let text = read(&document);
        let inline = text.match_indices("`make ").map(|(i, _)| &text[i + 1..]);
        let fenced = commands(&text, "make");
        for command in inline.chain(fenced.iter().map(String::as_str)) {
            let end = |c: char| !(c.is_ascii_lowercase() || c == '-');
            let target = command["make ".len()..].split(end).next().unwrap();
            assert!(makefile.contains(&format!("\n{target}:")), "{document}: make {target}");
        }
    }
}

#[test]
fn every_experiment_that_a_document_names_exists() {
    for document in documents() {
        let text = read(&document);
        for (i, _) in text.match_indices("configs/") {
            let end = |c: char| !(c.is_ascii_alphanumeric() || "_./-".contains(c));
            let name = text[i..].split(end).next().unwrap().trim_end_matches('.');
            assert!(root().join(name).exists(), "{document}: {name}");
        }
    }
}

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 250, "README.md has {lines} lines, more than 250");
}

/// Texts in backticks in a table's cell.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_option_of_the_map_is_taken_and_every_key_exists() {
    let (page, readme) = (read("docs/original.md"), read("README.md"));
    let (_, map) = section(&page, "options");
    let file = root().join("configs/two_moons.yaml");
    let experiment = Folder::new().succeeds(&["validate", file.to_str().unwrap()]);
    let experiment: serde_yaml::Value = serde_yaml::from_str(&experiment).unwrap();
    let mut rows = 0;
    for row in map.lines().skip(2) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let [original, ours, key] = cells[..] else { panic!("not three cells: {row}") };
        for flag in quoted(original).filter(|text| text.starts_with("--")) {
            let name = format!("`{}`", flag.split(' ').next().unwrap());
            assert!(readme.contains(&name), "README.md does not name {name}");
        }
        let flags = [original, ours].into_iter().flat_map(quoted);
        for flag in flags.filter(|text| text.starts_with("--")) {
            let words = std::iter::once("train-gen").chain(flag.split(' '));
            parse(words).unwrap_or_else(|e| panic!("{row}\n{e}"));
        }
        for key in quoted(key) {
            let found = key.split('.').try_fold(&experiment, |value, key| value.get(key));
            assert!(found.is_some(), "no key {key}: {row}");
        }
        rows += 1;
    }
    assert!(rows > 25, "only {rows} rows found");
}
