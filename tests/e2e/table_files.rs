//! Files of tables: how they are written, lines without a row, places in messages, and the types
//! that come out.

use crate::command::{Folder, bytes, text};
use std::path::{Path, PathBuf};
use triflow::io::table::{Cells, Column, Format, TableFile, Wanted};

const SMALL: [&str; 8] =
    ["--num-epochs", "1", "--device", "cpu", "--hidden-dims", "8", "--set", "sampling.steps=3"];

/// Forty rows of a category with letters beyond ASCII, a number and a y.
fn rows(separator: &str) -> String {
    let kinds = ["grün", "süß", "blau"];
    let row = |i: usize| [kinds[i % 3], &(i % 7).to_string(), &(i % 5).to_string()].join(separator);
    let head = ["maß", "x", "y"].join(separator);
    std::iter::once(head).chain((0..40).map(row)).map(|line| line + "\n").collect()
}

/// Writes a text, all of whose letters are below 256, in Latin-1.
fn write_latin1(folder: &Folder, name: &str, text: &str) {
    let bytes: Vec<u8> = text.chars().map(|letter| u8::try_from(letter).unwrap()).collect();
    std::fs::write(folder.join(name), bytes).unwrap();
}

fn write_utf16(folder: &Folder, name: &str, text: &str) {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    std::fs::write(folder.join(name), units.flat_map(u16::to_le_bytes).collect::<Vec<_>>())
        .unwrap();
}

fn train(folder: &Folder, file: &str, sets: &[&str]) -> PathBuf {
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    let y = ["--set", "data.y=[y]"];
    folder.train(&[&["train", "--data-path", file], &y[..], &sets, &SMALL].concat())
}

#[test]
fn a_file_may_be_encoded_and_separated_in_another_way_than_the_training_file() {
    let folder = Folder::new();
    folder.write("utf8.csv", &rows(","));
    folder.write("bars.csv", &rows("|"));
    write_latin1(&folder, "latin1.csv", &rows(","));
    write_utf16(&folder, "utf16.csv", &rows(","));
    let predicted = |run: &Path, file: &str, sets: &[&str]| {
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
        let args = ["predict", "--run", text(run), "--data", file, "--out", "p.csv"];
        folder.succeeds(&[&args[..], &sets].concat());
        bytes(&folder.join("p.csv"))
    };
    // Found out.
    let latin1 = train(&folder, "latin1.csv", &["data.encoding=latin1"]);
    let expected = predicted(&latin1, "latin1.csv", &[]);
    for file in ["utf8.csv", "utf16.csv"] {
        assert!(predicted(&latin1, file, &[]) == expected, "{file}");
    }
    let measured = |run: &Path, file: &str| {
        let metrics = folder.succeeds(&["evaluate", "--run", text(run), "--data", file]);
        metrics.replace(file, "FILE")
    };
    assert_eq!(measured(&latin1, "utf8.csv"), measured(&latin1, "latin1.csv"));
    let bars = train(&folder, "bars.csv", &["data.separator=bar"]);
    assert!(predicted(&bars, "utf8.csv", &[]) == predicted(&bars, "bars.csv", &[]));
    // Said.
    let utf8 = train(&folder, "utf8.csv", &[]);
    let predict = ["predict", "--run", text(&utf8), "--data", "latin1.csv", "--out", "p.csv"];
    let error = folder.fails(&predict);
    assert!(
        error.contains(
            "line 1 is not UTF-8; name the encoding of the text, as `data.encoding=latin1`"
        )
    );
    let said = predicted(&utf8, "latin1.csv", &["data.encoding=latin1"]);
    assert!(said == predicted(&utf8, "utf8.csv", &[]));
    let error = folder.fails(&[&predict[..], &["--set", "data.encodin=latin1"]].concat());
    assert!(
        error.contains("unknown key `encodin`") && error.contains("did you mean `encoding`"),
        "{error}"
    );
    let reflow = ["reflow", "--run", text(&utf8), "--set", "data.encoding=latin1"];
    assert!(folder.fails(&reflow).contains("reflow reads no file beside the run's data"));
}

#[test]
fn lines_without_a_value_among_rows_are_counted_and_said() {
    let folder = Folder::new();
    let lines: String = (0..40).map(|i| format!("{},{}\n", i % 7, i % 5)).collect();
    let lines = lines.replacen("1,1\n", "1,1\n\n\n", 1).replacen("4,4\n", "4,4\n,\n", 1);
    // Those above the names and behind the last row are no rows to anyone.
    folder.write("d.csv", &format!("\nx,y\n{lines}\n\n"));
    let shown = folder.succeeds(&["data", "inspect", "d.csv"]);
    assert!(shown.contains("rows         40\n"), "{shown}");
    assert!(shown.contains("blank lines  3, passed over; the first is line 5\n"), "{shown}");
    folder.write("e.yaml", "task: regression\n");
    let validate =
        folder.command(&["validate", "e.yaml", "--data-path", "d.csv"]).output().unwrap();
    let log = String::from_utf8(validate.stderr).unwrap();
    let expected = "d.csv: 3 lines hold no value and are passed over, first line 5";
    assert!(log.contains(expected), "{log}");
    folder.write("whole.csv", "x,y\n1,2\n3,4\n");
    assert!(!folder.succeeds(&["data", "inspect", "whole.csv"]).contains("blank"));
}

#[test]
fn errors_of_splits_weights_and_labels_name_file_and_line() {
    let folder = Folder::new();
    // A blank line, and a cell of two lines, so that lines are not numbers of rows.
    let row = |i: usize| format!("{},{},{i},{i},1\n", i % 7, i % 5);
    let lines: String = (0..40).map(row).collect();
    let with = |old: &str, new: &str| {
        let lines = lines.replacen("2,2,2,2,1\n", "\n2,2,2,2,1\n", 1).replacen(old, new, 1);
        format!("x,y,who,day,\"weight\nof it\"\n{lines}")
    };
    let cases = [
        (
            ("6,1,6,6,1", "6,1,,6,1"),
            "data.split.group=who",
            "`who` is missing in 1 of 40 rows, first in line 10 of",
        ),
        (
            ("6,1,6,6,1", "6,1,6,,1"),
            "data.split.time=day",
            "`day` is missing in 1 of 40 rows, first in line 10 of",
        ),
        (
            ("6,1,6,6,1", "6,1,6,soon,1"),
            "data.split.time=day",
            "`day` holds `0`, which is no time, first in line 3 of",
        ),
        (
            ("6,1,6,6,1", "6,1,rest,6,1"),
            "data.split.by=who",
            "`who` holds `0`, which is neither train, val nor test, first in line 3 of",
        ),
        (
            ("6,1,6,6,1", "6,1,6,6,-1"),
            "training.row_weights=given",
            "a weight needs a number of at least 0, and line 10 of",
        ),
        (
            ("6,1,6,6,1", "6,1,6,6,"),
            "training.row_weights=given",
            "a weight needs a number of at least 0, and line 10 of",
        ),
    ];
    for ((old, new), set, expected) in cases {
        folder.write("d.csv", &with(old, new));
        let weights = "data.weights=\"weight\\nof it\"";
        let args = ["train", "--data-path", "d.csv", "--set", "data.x=[x]", "--set", weights];
        let error = folder.fails(&[&args[..], &["--set", set]].concat());
        assert!(error.contains(expected), "{set}: no `{expected}` in\n{error}");
        assert!(error.contains("d.csv"), "{error}");
    }
    folder.write("d.csv", &with("6,1,6,6,1", "6,1.5,6,6,1"));
    let args =
        ["train", "--data-path", "d.csv", "--set", "data.x=[x]", "--set", "data.labels=true"];
    let error = folder.fails(&args);
    assert!(error.contains("column `y`: line 10 holds 1.5, which is not a class label"), "{error}");
}

/// The columns of a file by their names.
fn columns(file: &Path) -> Vec<Column> {
    let file = TableFile::open(file, &Format::default()).unwrap();
    let columns = file.read(&vec![Wanted::Any; file.width()]).unwrap().columns;
    columns.into_iter().flatten().collect()
}

/// `i` for whole numbers, `t` for texts, `b` for false and true, by column.
fn types(file: &Path, names: &[&str]) -> String {
    let all = columns(file);
    let of = |name: &&str| match &all.iter().find(|column| column.name == *name).unwrap().cells {
        Cells::Numbers { decimals: Some(0), .. } => 'i',
        Cells::Texts { texts, .. } if texts.iter().all(|t| t == "true" || t == "false") => 'b',
        Cells::Texts { .. } => 't',
        other => panic!("{name}: {other:?}"),
    };
    names.iter().map(of).collect()
}

#[test]
fn whole_numbers_and_booleans_of_files_with_types_come_out_as_such() {
    let folder = Folder::new();
    let row = |i: usize| {
        let (flag, is, zip) =
            (i % 2, if i.is_multiple_of(3) { "true" } else { "false" }, 10115 + i % 4);
        format!("{flag},{is},{zip},{zip},{},{}\n", i % 7, [-1, 1][i % 2])
    };
    let rows: String = (0..60).map(row).collect();
    folder.write("d.csv", &format!("flag,is,zip,code,size,kind\n{rows}"));
    let names = ["flag", "is", "zip", "code", "kind"];
    for ending in ["parquet", "feather"] {
        let file = format!("d.{ending}");
        let data = ["data", "table", "--set", "path=d.csv", "--set", "columns={code: category}"];
        folder.succeeds(&[&data[..], &["--out", &file]].concat());
        assert_eq!(types(&folder.join(&file), &names), "ibiti", "{file}");
        // The codes are texts in the file, the ZIP codes whole numbers.
        let sets = ["--set", "data.columns={zip: category}", "--set", "data.y=[kind]"];
        for task in ["train-gen", "train"] {
            let run = folder.train(&[&[task, "--data-path", &file], &sets[..], &SMALL].concat());
            let (made, names, expected) = match task {
                "train" => ("predictions", &["kind", "kind_predicted"][..], "ii"),
                _ => ("samples", &names[..], "ibiti"),
            };
            assert_eq!(types(&run.join(format!("{made}.{ending}")), names), expected, "{task}");
        }
        let sets = ["--set", "data.x=[size,kind]", "--set", "data.y=[zip,code]"];
        let run = folder.train(
            &[
                &["train", "--data-path", &file],
                &sets[..],
                &["--set", "data.columns={zip: category}"],
                &SMALL,
            ]
            .concat(),
        );
        let out = format!("p.{ending}");
        folder.succeeds(&["predict", "--run", text(&run), "--data", &file, "--out", &out]);
        assert_eq!(types(&folder.join(&out), &["zip", "code"]), "it");
    }
}

#[test]
fn few_steps_of_a_table_are_said_to_be_few() {
    let folder = Folder::new();
    let rows: String = (0..40).map(|i| format!("{},{}\n", i % 7, i % 5)).collect();
    folder.write("d.csv", &format!("size,mass\n{rows}"));
    let log = |args: &[&str]| {
        let args = [&args[..1], &SMALL, &args[1..]].concat();
        let done = folder.command(&args).output().unwrap();
        let log = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.success(), "{log}");
        log
    };
    let table = ["train-gen", "--unconditional", "--data-path", "d.csv"];
    let hint = "few for a table";
    // 32 training rows are one batch.
    let said = log(&table);
    assert!(said.contains("1 step is few for a table; --num-epochs 1000 are 1000\n"), "{said}");
    let four = log(&[&table[..], &["--batch-size", "8"]].concat());
    assert!(four.contains("4 steps are few for a table; --num-epochs 250 are 1000\n"), "{four}");
    let enough = ["--set", "training.steps=1000"];
    assert!(!log(&[&table[..], &enough].concat()).contains(hint));
    let none = ["--set", "training.steps=0"];
    assert!(!log(&[&table[..], &none].concat()).contains(hint));
    assert!(!log(&["train-gen", "--set", "data.samples=160"]).contains(hint));
}

/// The index of a data frame that was written to Parquet, and numbers of more digits than are
/// read.
#[test]
fn names_of_rows_are_no_feature_and_long_numbers_do_not_count_rows() {
    let folder = Folder::new();
    let row = |i: u64| format!("{},{},{}\n", i * i % 11, i * 17 % 40, (1 << 61) + i);
    let rows: String = (0..40).map(row).collect();
    folder.write("t.csv", &format!("size,__index_level_0__,huge\n{rows}"));
    let shown = folder.succeeds(&["data", "inspect", "t.csv"]);
    let of = |name: &str| shown.lines().find(|line| line.trim().starts_with(name)).unwrap();
    assert!(of("__index_level_0__").contains("ignored: row"), "{shown}");
    assert!(of("size").contains("x: number"), "{shown}");
    let huge = of("huge");
    assert!(!huge.contains("counts the rows") && !huge.contains("never varies"), "{shown}");
    folder.succeeds(&["data", "table", "--set", "path=t.csv", "--out", "out.csv"]);
    let written = std::fs::read_to_string(folder.join("out.csv")).unwrap();
    assert!(!written.contains("__index"), "{written}");
}

/// A run goes on if its data are the same file by another path, and not with another file.
#[test]
fn a_run_goes_on_with_its_data_by_another_path() {
    let folder = Folder::new();
    std::fs::create_dir(folder.join("sub")).unwrap();
    folder.write("t.csv", &rows(","));
    folder.write("other.csv", &rows(","));
    let run = |path: &str| {
        let yaml = format!(
            "task: regression\ndata: {{ type: table, path: '{path}', y: [y] }}\n\
             training: {{ epochs: 1 }}\nsampling: {{ steps: 2 }}\ndevice: cpu\n"
        );
        folder.write("e.yaml", &yaml);
        folder.run(&["run", "e.yaml", "--run-dir", "run"])
    };
    assert_eq!(run("t.csv").code, 0);
    let again = run("sub/../t.csv");
    assert_eq!(again.code, 0, "{}", again.err);
    let other = run("other.csv");
    assert_eq!(other.code, 2, "{}", other.err);
    assert!(other.err.contains("at data.path"), "{}", other.err);
}
