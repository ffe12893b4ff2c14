//! Names that are made to break out of where they stand: columns, classes, files and cells. Every
//! output gives them back as they are, in its own format, and neither a page nor a terminal obeys
//! them.

use crate::browser::Browser;
use crate::command::{Folder, bytes};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use triflow::io::table::{Format, TableFile};
use triflow::io::{read_texts, safetensors};

/// Names of columns. `а` is Cyrillic.
const COLUMNS: [&str; 21] = [
    "<script>window.hacked=1</script>",
    "\"><img src=x onerror=window.hacked=1>",
    "</script><!--",
    "{{7*7}}${7*7}%s%n{0}",
    "\\input{x}\\write18{ls}",
    "a|b||c",
    "`code` ```x",
    "[x](javascript:window.hacked=1) **b**",
    "a\u{202e}b\u{2066}c",
    "a\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31mb",
    "=cmd|' /C calc'!A0",
    "@SUM(1,2)",
    "-1+2",
    "../../x",
    "/etc/passwd",
    "a",
    "а",
    "n: [1, 2] # no\nplugins: [x.so]",
    "quote ' and \" and\t,;",
    "*anchor &alias !tag ? - |",
    "C:\\x%PATH%$(ls)`ls`",
];
const CLASSES: [&str; 6] = [
    "</script><script>window.hacked=1</script>",
    "=1+1",
    "x\u{1b}[31m\u{202e}\nerror: all is lost",
    "a, b\n\"c\"",
    "../../../y",
    "%d & \\end{tabular} | `",
];
const Y: &str = "<b>class</b>\u{1b}[5m,|";

/// A name of many letters.
fn long() -> String {
    "long ".repeat(400) + "end"
}

fn columns() -> Vec<String> {
    COLUMNS.iter().map(|name| (*name).to_owned()).chain([long()]).collect()
}

/// 120 rows of numbers, with a class each.
fn folder() -> Folder {
    let folder = Folder::new();
    let mut file = csv::Writer::from_path(folder.join("h.csv")).unwrap();
    let names = columns();
    file.write_record(names.iter().map(String::as_str).chain([Y])).unwrap();
    for i in 0..120 {
        let cells = (0..names.len()).map(|j| format!("{}.5", (i * (j + 3) * 7) % 23));
        file.write_record(cells.chain([CLASSES[i % CLASSES.len()].to_owned()])).unwrap();
    }
    file.flush().unwrap();
    let experiment = json!({
        "task": "generation",
        "data": { "type": "table", "path": "h.csv", "y": [Y] },
        "crn": { "network": { "hidden_dims": [8] } },
        "training": { "epochs": 1, "batch_size": 60 },
        "sampling": { "solver": "euler", "steps": 2 },
        "device": "cpu",
    });
    folder.write("e.yaml", &serde_yaml::to_string(&experiment).unwrap());
    folder
}

/// Runs the command with its usual log, and asserts that a terminal shows all it says.
fn shown(folder: &Folder, args: &[&str], code: i32) -> String {
    let done = folder.command(args).output().unwrap();
    let out = String::from_utf8(done.stdout).unwrap();
    let log = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(code), "{args:?}: {log}");
    for text in [&out, &log] {
        let acts = |c: char| {
            c.is_control() && c != '\n'
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let bad: String = text.lines().filter(|line| line.chars().any(acts)).collect();
        assert!(bad.is_empty(), "{args:?}: {}", bad.escape_debug());
    }
    let begins = |line: &str| line.starts_with("error: all is lost");
    assert!(!out.lines().chain(log.lines()).any(begins), "{args:?}: {out}{log}");
    out + &log
}

/// The names of the columns of a text table, and the values of the last one.
fn of_csv(path: &Path) -> (Vec<String>, Vec<String>) {
    let mut file = csv::Reader::from_path(path).unwrap();
    let names = file.headers().unwrap().iter().map(str::to_owned).collect();
    let classes = file.records().map(|row| row.unwrap().iter().next_back().unwrap().to_owned());
    (names, classes.collect())
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&bytes(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Names of all files and folders below a folder.
fn names_below(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        all.push(entry.file_name().into_string().unwrap());
        if entry.path().is_dir() {
            all.extend(names_below(&entry.path()));
        }
    }
    all
}

fn assert_plain(folder: &Path) {
    for name in names_below(folder) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
        assert!(name.chars().all(plain) && !name.starts_with("-"), "{name}");
        assert!(name.len() < 120, "{name}");
    }
}

#[test]
fn every_file_of_a_run_gives_hostile_names_back_as_they_are() {
    let folder = folder();
    let all: Vec<String> = columns().into_iter().chain([Y.to_owned()]).collect();
    let told = shown(&folder, &["data", "inspect", "h.csv"], 0);
    assert!(told.contains("a\\u{1b}[2J"), "{told}");

    // Written for a file, the names are those of the data.
    let said: Value = serde_yaml::from_str(&folder.succeeds(&["validate", "e.yaml"])).unwrap();
    assert_eq!((&said["data"]["y"], &said["plugins"]), (&json!([Y]), &json!([])), "{said}");

    shown(&folder, &["run", "e.yaml", "--run-dir", "run"], 0);
    let run = folder.join("run");
    assert_plain(&run);
    let config: Value = serde_yaml::from_slice(&bytes(&run.join("config.yaml"))).unwrap();
    assert_eq!(config["data"]["y"], json!([Y]));
    let manifest = json_of(&run.join("manifest.json"));
    assert_eq!(manifest["data"]["x"]["columns"], json!(columns()));
    let mut classes: Vec<&str> = CLASSES.to_vec();
    classes.sort_unstable();
    let listed = manifest["data"]["classes"].as_array().unwrap();
    let mut listed: Vec<&str> = listed.iter().map(|c| c["name"].as_str().unwrap()).collect();
    listed.sort_unstable();
    assert_eq!(listed, classes);
    json_of(&run.join("metrics.json"));
    json_of(&run.join("history.json"));
    csv::Reader::from_path(run.join("history.csv"))
        .unwrap()
        .records()
        .for_each(|r| drop(r.unwrap()));
    let weights = safetensors::read_safetensors(&run.join("params.safetensors")).unwrap();
    assert!(weights.metadata.values().any(|text| text.contains("window.hacked")));

    let generate = |out: &str| {
        shown(&folder, &["generate", "--run", "run", "--n", "2", "--out", out], 0);
        folder.join(out)
    };
    let (names, values) = of_csv(&run.join("samples.csv"));
    assert_eq!(names, all);
    assert!(values.iter().all(|value| classes.contains(&value.as_str())), "{values:?}");
    let (names, values) = of_csv(&generate("s.csv"));
    assert_eq!(names, all);
    assert!(classes.iter().all(|class| values.iter().any(|value| value == class)), "{values:?}");
    let npz = generate("s.npz");
    assert_eq!(read_texts(&npz, "columns").unwrap().unwrap(), columns());
    let mut texts = read_texts(&npz, "classes").unwrap().unwrap();
    texts.sort_unstable();
    assert_eq!(texts, classes);
    for name in ["s.tsv", "s.csv.gz", "s.parquet", "s.feather"] {
        let file = TableFile::open(&generate(name), &Format::default()).unwrap();
        assert_eq!(file.names().unwrap(), all, "{name}");
    }
    // What comes out goes in again.
    shown(&folder, &["evaluate", "--run", "run", "--data", "s.csv"], 0);
    let same =
        folder.fails(&["generate", "--run", "run", "--labels", "\u{1b}[2Jx", "--out", "t.csv"]);
    assert!(same.contains("\\u{1b}[2Jx"), "{same}");
    shown(
        &folder,
        &[
            "generate",
            "--run",
            "run",
            "--labels",
            "\u{1b}[2Jx\nerror: all is lost",
            "--out",
            "t.csv",
        ],
        2,
    );
}

#[test]
fn files_with_hostile_names_are_written_where_they_are_said_to_be() {
    let folder = folder();
    folder.succeeds(&["run", "e.yaml", "--run-dir", "run"]);
    for name in [
        "<img src=x>.csv",
        "=1+1.csv",
        "%s \\n `ls` $(ls).csv",
        "a\u{1b}[2J\u{202e}.csv",
        "-\n-.csv",
    ] {
        let out = format!("./{name}");
        let told = shown(&folder, &["generate", "--run", "run", "--n", "1", "--out", &out], 0);
        assert!(folder.join(name).is_file(), "{name:?}: {told}");
    }
}

#[test]
fn a_report_shows_hostile_names_and_obeys_none() {
    let folder = folder();
    let names = [
        "<script>window.hacked=1</script>",
        "\"><img src=x onerror=window.hacked=1>",
        "</script><script>window.hacked=1</script>",
        "a\u{202e}\u{1b}[2J|`b` \\input{x}",
        "=cmd|' /C calc'!A0\nsecond, \"line\"",
        "../../../../tmp/x",
    ];
    let over: serde_json::Map<String, Value> = names
        .iter()
        .enumerate()
        .map(|(i, name)| ((*name).to_owned(), json!({ "training.batch_size": 50 + i })))
        .collect();
    let compared = json!({
        "extends": "e.yaml",
        "comparison": { "over": { "\"><script>window.hacked=1</script>": over }, "seeds": 1, "draws": 1, "curve": null },
    });
    folder.write("c.yaml", &serde_yaml::to_string(&compared).unwrap());
    shown(&folder, &["compare", "--config", "c.yaml", "--out", "out"], 0);
    let out = folder.join("out");
    assert_plain(&out);
    let results = json_of(&out.join("results.json"));
    let mut found: Vec<&str> =
        results["cells"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    found.sort_unstable();
    let mut expected = names;
    expected.sort_unstable();
    assert_eq!(found, expected);
    let mut table = csv::Reader::from_path(out.join("results.csv")).unwrap();
    let mut cells: Vec<String> = table
        .records()
        .map(|row| row.unwrap()[0].to_owned())
        .filter(|name| name != "real data")
        .collect();
    cells.sort_unstable();
    cells.dedup();
    assert_eq!(cells, expected);
    let all: Vec<PathBuf> =
        names_below(&out.join("cells")).iter().map(|n| out.join("cells").join(n)).collect();
    assert_eq!(all.len(), names.len());
    for file in &all {
        let _: Value = serde_yaml::from_slice(&bytes(file)).unwrap();
    }
    for (name, command) in [("results.tex", "\\input"), ("results.md", "<script>")] {
        let text = String::from_utf8(bytes(&out.join(name))).unwrap();
        assert!(!text.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{name}");
        assert!(!text.contains(command), "{name}: {text}");
    }

    let Some(mut page) = Browser::open(&out.join("report.html")) else { return };
    assert_eq!(page.eval("window.hacked === undefined"), true);
    assert_eq!(page.eval("document.querySelectorAll('img[src=x]').length"), 0);
    let shown =
        page.eval("[...document.querySelectorAll('[data-open]')].map(e => e.textContent.trim())");
    let shown: Vec<String> = serde_json::from_value(shown).unwrap();
    let flat = |name: &str| name.split_whitespace().collect::<Vec<_>>().join(" ");
    for name in names {
        assert!(shown.iter().any(|text| flat(text) == flat(name)), "{name}: {shown:?}");
    }
    // Everything that opens or is pointed at.
    for i in 0..names.len() {
        page.eval(&format!("document.querySelectorAll('[data-open]')[{i}].click(); 1"));
        page.press("Escape");
    }
    assert_eq!(page.eval("window.hacked === undefined"), true);
    assert_eq!(page.complaints(), Vec::<Value>::new());
    assert!(
        page.requests()
            .iter()
            .all(|url| url.starts_with("data:") || url.ends_with("/out/report.html"))
    );
    let wide = page.eval("document.documentElement.scrollWidth <= 1200");
    assert_eq!(wide, true, "a name widens the page");
}
