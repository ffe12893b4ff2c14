//! Cells of tables: some of them known, their types and digits in other files, and the places of
//! unknown ones in messages.

use crate::command::{Folder, text};
use std::path::{Path, PathBuf};
use triflow::io::table::{Format, TableFile, Wanted, write_table};
use triflow::table::{CellType, Storage, TableColumn, TableRows, TimeUnit};

const SMALL: [&str; 8] =
    ["--num-epochs", "1", "--device", "cpu", "--hidden-dims", "8", "--set", "sampling.steps=3"];

fn read(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// Sixty rows of a colour, a size and a year, in which few cells are missing.
fn colours(folder: &Folder) {
    let row = |i: usize| {
        let size = if i % 9 == 5 { String::new() } else { (i % 3 * 10).to_string() };
        format!("{},{size},{}\n", ["red", "green", "blue"][i % 3], 1990 + i % 20)
    };
    let rows: String = (0..60).map(row).collect();
    folder.write("rows.csv", &format!("colour,size,year\n{rows}"));
}

fn train(folder: &Folder, args: &[&str]) -> PathBuf {
    folder.train(&[&["train-gen", "--data-path", "rows.csv"], args, &SMALL].concat())
}

#[test]
fn a_file_with_some_of_the_columns_and_empty_rows_has_a_sample_for_each_row() {
    let folder = Folder::new();
    colours(&folder);
    let run = train(&folder, &["--unconditional", "--set", "training.mask_columns=0.5"]);
    let plain = train(&folder, &["--unconditional", "--set", "encoder=identity"]);
    folder.write("given.csv", "note,colour,size\n1,green,\n,,\n3,,20\n,,\n");
    let generate = ["generate", "--run", text(&plain), "--given", "given.csv", "--out", "g.csv"];
    folder.succeeds(&generate);
    let written = read(&folder, "g.csv");
    let rows: Vec<Vec<&str>> =
        written.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!((written.lines().next(), rows.len()), (Some("colour,size,year"), 4), "{written}");
    assert_eq!((rows[0][0], rows[2][1]), ("green", "20"), "{written}");
    assert!(rows.iter().flatten().all(|cell| !cell.is_empty()), "{written}");
    let done = folder.command(&generate).output().unwrap();
    let log = String::from_utf8(done.stderr).unwrap();
    let expected = "given.csv: no cell is known of year, which it lacks; not used are its column \
                    `note`";
    assert!(log.contains(expected), "{log}");

    let impute = ["impute", "--run", text(&run), "--data", "given.csv", "--out", "full.csv"];
    assert_eq!(folder.succeeds(&impute), "10 cells, filled in, in the 4 rows of full.csv");
    let written = read(&folder, "full.csv");
    let rows: Vec<Vec<&str>> =
        written.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!((written.lines().next(), rows.len()), (Some("note,colour,size,year"), 4));
    assert_eq!((rows[0][0], rows[0][1], rows[1][0], rows[2][2]), ("1", "green", "", "20"));
    assert!(rows.iter().all(|row| row[1..].iter().all(|cell| !cell.is_empty())), "{written}");

    folder.write("other.csv", "note,colours\n1,green\n");
    let other = ["generate", "--run", text(&plain), "--given", "other.csv", "--out", "g.csv"];
    let error = folder.fails(&other);
    let expected = "other.csv: has none of the model's columns; they are colour, size, year";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_given_row_without_its_condition_is_named_by_its_line() {
    let folder = Folder::new();
    colours(&folder);
    let plain = train(&folder, &["--set", "data.y=colour", "--set", "encoder=identity"]);
    let masked = train(&folder, &["--set", "data.y=colour", "--set", "training.mask_columns=0.5"]);
    folder.write("given.csv", "colour,size,year\n\nred,,1990\n,10,\nblue,,\n");
    let expected = "given.csv: line 4: the row has no condition";
    let generate = ["generate", "--run", text(&plain), "--given", "given.csv", "--out", "g.csv"];
    let error = folder.fails(&generate);
    assert!(error.contains(expected), "{error}");
    let impute = ["impute", "--run", text(&masked), "--data", "given.csv", "--out", "g.csv"];
    let error = folder.fails(&impute);
    assert!(error.contains(expected), "{error}");
    // A row without any value has no condition either.
    folder.write("given.csv", "colour,size,year\nred,,1990\n,,\nblue,,\n");
    let error = folder.fails(&generate);
    assert!(error.contains("given.csv: line 3: the row has no condition"), "{error}");
}

/// Storage of each column of a file.
fn storages(file: &Path) -> Vec<Storage> {
    let file = TableFile::open(file, &Format::default()).unwrap();
    let columns = file.read(&vec![Wanted::Any; file.width()]).unwrap().columns;
    columns.into_iter().map(|column| column.unwrap().storage).collect()
}

#[test]
fn narrow_types_and_zones_of_a_file_come_out_in_samples_predictions_and_filled_tables() {
    let folder = Folder::new();
    let number = |decimals| CellType::Number { decimals: Some(decimals) };
    let with = |name: &str, kind, storage| TableColumn { storage, ..TableColumn::new(name, kind) };
    let unit = TimeUnit::Millisecond;
    let zone = Some("Europe/Berlin".to_owned());
    let words = ["a", "b", "c"].map(str::to_owned).to_vec();
    let dictionary = Storage::Dictionary {
        bits: 8,
        ordered: false,
        values: Box::new(Storage::Text { layout: Default::default() }),
    };
    let columns = [
        with("small", number(0), Storage::Integer { bits: 8, signed: false }),
        with("real", number(3), Storage::Float { bits: 32 }),
        with("whole", number(0), Storage::REAL),
        with("price", number(2), Storage::Decimal { bits: 128, precision: 7, scale: 2 }),
        with("took", number(1), Storage::Duration { unit }),
        with(
            "at",
            CellType::Time { format: "%Y-%m-%dT%H:%M:%SZ".to_owned() },
            Storage::Timestamp { unit, zone },
        ),
        with("kind", CellType::Category { names: words, ordered: false }, dictionary),
    ];
    let row = |i: usize| {
        let at = i as f64;
        let gap = if i % 10 == 4 { f64::NAN } else { at % 250.0 };
        [gap, at / 8.0, at % 6.0, at * 1.25, at / 2.0, 1.7e9 + 3600.0 * at, (i % 3) as f64]
    };
    let values: Vec<f64> = (0..60).flat_map(row).collect();
    for ending in ["parquet", "feather"] {
        let file = folder.join(format!("t.{ending}"));
        write_table(&file, TableRows { columns: &columns, values: &values }).unwrap();
        let expected: Vec<Storage> = columns.iter().map(|c| c.storage.clone()).collect();
        assert_eq!(storages(&file), expected, "{ending}");
        let mask = ["--unconditional", "--set", "training.mask_columns=0.5"];
        let args = [&["train-gen", "--data-path", text(&file)], &mask[..], &SMALL].concat();
        let run = folder.train(&args);
        assert_eq!(storages(&run.join(format!("samples.{ending}"))), expected, "{ending}");
        let out = format!("full.{ending}");
        folder.succeeds(&["impute", "--run", text(&run), "--data", text(&file), "--out", &out]);
        assert_eq!(storages(&folder.join(&out)), expected, "{ending}");
        // Columns that the model does not use keep their types too.
        let less = ["--set", "data.x=[small,real]"];
        let args = [&["train-gen", "--data-path", text(&file)], &mask[..], &less, &SMALL].concat();
        let run = folder.train(&args);
        folder.succeeds(&["impute", "--run", text(&run), "--data", text(&file), "--out", &out]);
        assert_eq!(storages(&folder.join(&out)), expected, "{ending}");
        let args = ["train", "--data-path", text(&file), "--set", "data.y=kind"];
        let run = folder.train(&[&args[..], &SMALL].concat());
        let predicted = storages(&run.join(format!("predictions.{ending}")));
        assert_eq!(predicted[..2], [expected[6].clone(), expected[6].clone()], "{ending}");
    }
}

#[test]
fn labels_are_the_same_in_any_spelling_and_keep_the_digits_of_their_file() {
    let folder = Folder::new();
    let rows = |label: &dyn Fn(usize) -> &'static str| -> String {
        let rows: String = (0..60).map(|i| format!("{},{}\n", i % 7, label(i % 2))).collect();
        format!("size,label\n{rows}")
    };
    folder.write("words.csv", &rows(&|i| ["True", "False"][i]));
    folder.write("lower.csv", &rows(&|i| ["true", "false"][i]));
    folder.write("points.csv", &rows(&|i| ["10.0", "20.0"][i]));
    folder.write("whole.csv", &rows(&|i| ["10", "20"][i]));
    for (own, other) in [("words.csv", "lower.csv"), ("points.csv", "whole.csv")] {
        for (own, other) in [(own, other), (other, own)] {
            let run = folder.train(&[&["train", "--data-path", own], &SMALL[..]].concat());
            let measured = |file: &str| {
                let args = ["evaluate", "--run", text(&run), "--data", file];
                folder.succeeds(&args).replace(file, "FILE")
            };
            assert_eq!(measured(other), measured(own), "{own} {other}");
            // The boolean and float64 columns of a file with types.
            let data = ["data", "table", "--set", "y=label", "--out", "t.parquet", "--set"];
            folder.succeeds(&[&data[..], &[&format!("path={other}")]].concat());
            assert_eq!(measured("t.parquet"), measured(own), "{own} t.parquet of {other}");
            let args = ["predict", "--run", text(&run), "--data", own, "--out", "p.csv"];
            folder.succeeds(&args);
            let head = read(&folder, "p.csv").lines().next().unwrap().to_owned();
            let labels = read(&folder, own);
            let first = labels.lines().nth(1).unwrap().split(',').nth(1).unwrap();
            assert!(head.contains(&format!("p_{first}")), "{head} {first}");
        }
    }
}

#[test]
fn unknown_values_of_other_files_are_named_by_their_line() {
    let folder = Folder::new();
    let rows = |n: usize, last: &str| -> String {
        let row = |i: usize| format!("{},{},{}\n", i % 7, ["a", "b"][i % 2], ["p", "q"][i / 2 % 2]);
        let rows: String = (0..n).map(row).collect();
        format!("size,kind,label\n\n{rows}{last}")
    };
    folder.write("d.csv", &rows(40, ""));
    let train = |test: &str| {
        let test = format!("data.test_path={test}");
        let args = ["train", "--data-path", "d.csv", "--set", "data.x=[size,kind]", "--set"];
        folder.run(&[&args[..], &[&test], &SMALL].concat())
    };
    folder.write("label.csv", &rows(8, "1,a,r\n"));
    let done = train("label.csv");
    assert_eq!(done.code, 2);
    let expected = "the test set has the class `r` (line 11 of ";
    assert!(done.err.contains(expected) && done.err.contains("label.csv"), "{}", done.err);
    folder.write("kind.csv", &rows(8, "1,c,p\n"));
    let done = train("kind.csv");
    let expected =
        "kind.csv: line 11: column `kind` of the test set has `c`, which no training row";
    assert!(done.err.contains(expected), "{}", done.err);
    let run = folder.join(train("d.csv").out);
    let error = folder.fails(&["evaluate", "--run", text(&run), "--data", "label.csv"]);
    assert!(error.contains("the file has the class `r` (line 11 of label.csv)"), "{error}");
}

#[test]
fn whole_numbers_that_may_be_dates_are_said_to_be() {
    let folder = Folder::new();
    let row = |i: usize| format!("{},{}\n", 20_210_301 + i % 28, i % 5);
    let rows: String = (0..40).map(row).collect();
    folder.write("d.csv", &format!("day,size\n{rows}"));
    let log = |args: &[&str]| {
        let args = [&["train-gen", "--unconditional", "--data-path"], args, &SMALL].concat();
        String::from_utf8(folder.command(&args).output().unwrap().stderr).unwrap()
    };
    let hint = "data.columns={day: {type: time, format: '%Y%m%d'}}";
    let said = log(&["d.csv"]);
    assert!(said.contains("may be dates, as 20210301") && said.contains(hint), "{said}");
    folder.succeeds(&["data", "table", "--set", "path=d.csv", "--out", "d.parquet"]);
    for file in ["d.csv", "d.parquet"] {
        let said = log(&[file, "--set", hint]);
        assert!(!said.contains("may be dates") && !said.contains("error"), "{said}");
        let written = folder.join(said.lines().find_map(|l| l.split_once("into ")).unwrap().1);
        let samples = std::fs::read_to_string(written.join("samples.csv")).unwrap();
        let first = samples.lines().nth(1).unwrap().split(',').next().unwrap();
        assert!(first.len() == 8 && first.starts_with("2021"), "{samples}");
    }
    let ids: String = (0..40).map(|i| format!("{},{}\n", 20_213_301 + i, i % 5)).collect();
    folder.write("ids.csv", &format!("day,size\n{ids}"));
    assert!(!log(&["ids.csv"]).contains("may be dates"));
}
