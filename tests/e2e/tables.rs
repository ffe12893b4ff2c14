//! Users' own tables: columns and classes by name.

use crate::command::{Folder, text};
use serde_json::Value;
use std::path::{Path, PathBuf};
use triflow::io::{npz, read_texts};

const SMALL: [&str; 8] =
    ["--num-epochs", "1", "--device", "cpu", "--hidden-dims", "8", "--set", "sampling.steps=3"];

fn shared(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data");
    folder.join(name).to_str().unwrap().to_owned()
}

fn train(folder: &Folder, command: &str, file: &str) -> PathBuf {
    folder.train(&[&[command, "--data-path", &shared(file)], &SMALL[..]].concat())
}

#[test]
fn a_table_with_its_columns_in_another_order_measures_the_same() {
    let folder = Folder::new();
    let run = train(&folder, "train", "columns_a.csv");
    let run = text(&run);
    let measured = |file: &str| {
        let out = folder.succeeds(&["evaluate", "--run", run, "--data", file]);
        let mut metrics: Value = serde_json::from_str(&out).unwrap();
        metrics.as_object_mut().unwrap().remove("set").unwrap();
        metrics
    };
    assert_eq!(measured(&shared("columns_a.csv")), measured(&shared("columns_b.csv")));
    let config = std::fs::read_to_string(Path::new(run).join("config.yaml")).unwrap();
    assert!(config.contains("  x:\n  - x0\n  - x1\n  y:\n  - y\n"), "{config}");
    let b = std::fs::read_to_string(shared("columns_b.csv")).unwrap();
    folder.write("renamed.csv", &b.replacen("x1,x0,y", "x1,x9,y", 1));
    for command in [&["evaluate"][..], &["predict", "--out", "p.csv"]] {
        let args = [command, &["--run", run, "--data", "renamed.csv"]].concat();
        assert_eq!(
            folder.fails(&args),
            "error: renamed.csv: there is no column `x0`; did you mean `x1`? known columns: x1, x9, y"
        );
    }
    folder.succeeds(&[
        "predict",
        "--run",
        run,
        "--data",
        &shared("columns_b.csv"),
        "--out",
        "p.csv",
    ]);
    let written = std::fs::read_to_string(folder.join("p.csv")).unwrap();
    assert_eq!((written.lines().next(), written.lines().count()), (Some("y"), 301));
}

#[test]
fn classes_are_called_by_their_names_wherever_they_go() {
    let folder = Folder::new();
    let run = train(&folder, "train-gen", "labels_text.csv");
    let run = text(&run);
    let classes = ["blue", "green", "red"];
    let samples = Path::new(run).join("samples.npz");
    assert_eq!(read_texts(&samples, "classes").unwrap().unwrap(), classes);
    assert_eq!(read_texts(&samples, "columns").unwrap().unwrap(), ["x0", "x1"]);
    let generate = ["generate", "--run", run, "--n", "2", "--out"];
    folder.succeeds(&[&generate[..], &["s.npz", "--labels", "red,blue"]].concat());
    let labels = npz::read_array(&folder.join("s.npz"), "labels").unwrap();
    assert_eq!(labels.data.to_i64().unwrap(), [2, 2, 0, 0]);
    assert_eq!(read_texts(&folder.join("s.npz"), "classes").unwrap().unwrap(), classes);
    folder.write("wanted.csv", "label\nred\ngreen\n");
    folder.succeeds(&[&generate[..], &["s.csv", "--condition", "wanted.csv"]].concat());
    let written = std::fs::read_to_string(folder.join("s.csv")).unwrap();
    let column: Vec<&str> = written.lines().map(|line| line.rsplit(',').next().unwrap()).collect();
    assert_eq!(column, ["label", "red", "red", "green", "green"]);
    assert!(written.starts_with("x0,x1,label\n"), "{written}");
    assert_eq!(
        folder.fails(&[&generate[..], &["t.npz", "--labels", "red,purple"]].concat()),
        "error: there is no class `purple`\n  in --labels\n  help: known classes: `blue`, `green`, `red`"
    );
    // Pictures, evaluation and files can be made again.
    folder.succeeds(&["plot", "--run", run]);
    folder.succeeds(&["evaluate", "--run", run, "--data", "s.csv", "--draws", "1"]);
    let run = train(&folder, "train", "labels_from_1.csv");
    let (run, file) = (text(&run), shared("labels_from_1.csv"));
    folder.succeeds(&["predict", "--run", run, "--data", &file, "--out", "p.csv"]);
    let written = std::fs::read_to_string(folder.join("p.csv")).unwrap();
    assert!(written.starts_with("label,p_1,p_2,p_3\n"), "{written}");
}

#[test]
fn fifteen_hundred_classes_are_learned_predicted_and_generated_by_name() {
    const CLASSES: usize = 1500;
    let folder = Folder::new();
    let name = |i: usize| format!("class {i:04}");
    let row = |i: usize| format!("{},{},{}\n", i % 7, i % 11, name(i % CLASSES));
    folder
        .write("d.csv", &format!("x0,x1,label\n{}", (0..2 * CLASSES).map(row).collect::<String>()));
    let less = ["--num-epochs", "1", "--hidden-dims", "4", "--set", "sampling.steps=1"];
    let more = ["--set", "data.split={ train: 1.0, val: 0.0, test: 0.0 }", "--device", "cpu"];
    let train = |command: &str| {
        folder.train(&[&[command, "--data-path", "d.csv"], &less[..], &more].concat())
    };
    let predictor = train("train");
    folder.write("asked.csv", "x0,x1\n1,2\n3,4\n");
    let predict = ["predict", "--run", text(&predictor), "--data", "asked.csv", "--out", "p.csv"];
    folder.succeeds(&predict);
    let written = std::fs::read_to_string(folder.join("p.csv")).unwrap();
    let head: Vec<&str> = written.lines().next().unwrap().split(',').collect();
    assert_eq!(head.len(), CLASSES + 1);
    assert_eq!((head[0], head[1], head[CLASSES]), ("label", "p_class 0000", "p_class 1499"));
    for row in written.lines().skip(1) {
        let (label, scores) = row.split_once(',').unwrap();
        let scores: Vec<f64> = scores.split(',').map(|p| p.parse().unwrap()).collect();
        let best = (0..CLASSES).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
        assert_eq!(label, name(best));
    }
    // Draws of y for these x have both under their own names.
    let args = ["generate", "--run", text(&predictor), "--condition", "asked.csv", "--out"];
    folder.succeeds(&[&args[..], &["g.csv"]].concat());
    let written = std::fs::read_to_string(folder.join("g.csv")).unwrap();
    assert!(written.starts_with("x0,x1,p_class 0000,p_class 0001,"), "{written}");

    let generator = train("train-gen");
    let wanted = ["--labels", "class 1499,class 0000", "--n", "1"];
    let generate = ["generate", "--run", text(&generator), "--out", "s.csv"];
    folder.succeeds(&[&generate[..], &wanted].concat());
    let written = std::fs::read_to_string(folder.join("s.csv")).unwrap();
    let column: Vec<&str> = written.lines().map(|line| line.rsplit(',').next().unwrap()).collect();
    assert_eq!(column, ["label", "class 1499", "class 0000"]);
}

#[test]
fn predictions_of_rows_with_gaps_say_which_rows_they_are_of() {
    let folder = Folder::new();
    let complete: String = (0..40).map(|i| format!("{},{},{}\n", i % 7, i % 5, i % 3)).collect();
    folder.write("d.csv", &format!("x0,x1,y\n{complete}"));
    folder.write("gaps.csv", "x0,x1\n1,2\n,3\n4,5\n");
    for missing in ["drop", "keep"] {
        let set = format!("data.missing={missing}");
        let more = ["--data-path", "d.csv", "--set", &set];
        let run = folder.train(&[&["train"], &more[..], &SMALL].concat());
        let predict = |data: &str, out: &str| {
            folder.succeeds(&["predict", "--run", text(&run), "--data", data, "--out", out]);
            folder.join(out)
        };
        let csv = std::fs::read_to_string(predict("gaps.csv", "p.csv")).unwrap();
        let begins: Vec<&str> = csv.lines().map(|line| line.split(',').next().unwrap()).collect();
        assert_eq!(begins, ["row", "0", "2"], "{missing}");
        assert!(csv.starts_with("row,y\n"), "{csv}");
        let rows = npz::read_array(&predict("gaps.csv", "p.npz"), "rows").unwrap();
        assert_eq!(rows.data, vec![0_i64, 2].into());
        let csv = std::fs::read_to_string(predict("d.csv", "p.csv")).unwrap();
        assert!(csv.starts_with("y\n"), "{csv}");
    }
}

#[test]
fn missing_cells_are_filled_in_and_known_ones_stay() {
    let folder = Folder::new();
    let colours = ["red", "green", "blue"];
    let row = |i: usize| {
        let gap = |place: usize, cell: String| if i % 7 == place { String::new() } else { cell };
        let colour = gap(3, colours[i % 3].to_owned());
        format!("{i:04},{colour},{},{}\n", gap(5, (i % 3 * 10).to_string()), 1990 + i % 20)
    };
    let rows: String = (0..90).map(row).collect();
    folder.write("rows.csv", &format!("id,colour,size,year\n{rows}"));
    let args = ["train-gen", "--unconditional", "--data-path", "rows.csv"];
    let keys = ["--set", "data.columns={id: ignore}", "--set", "training.mask_columns=0.5"];
    let run = folder.train(&[&args[..], &keys, &SMALL].concat());
    let run = text(&run);
    let out = folder.succeeds(&["impute", "--run", run, "--data", "rows.csv", "--out", "full.csv"]);
    assert_eq!(out, "26 cells, filled in, in the 90 rows of full.csv");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let (before, after) = (read("rows.csv"), read("full.csv"));
    let mut lines = after.lines();
    assert_eq!(lines.next(), Some("id,colour,size,year"));
    for (old, new) in before.lines().skip(1).zip(lines) {
        for (old, new) in old.split(',').zip(new.split(',')) {
            assert!(!new.is_empty() && (old.is_empty() || old == new), "{old} {new}");
        }
    }
    // A file of another format holds the same table.
    folder.succeeds(&["impute", "--run", run, "--data", "rows.csv", "--out", "full.parquet"]);
    let again = ["impute", "--run", run, "--data", "full.parquet", "--out", "again.csv"];
    assert_eq!(folder.succeeds(&again), "0 cells, filled in, in the 90 rows of again.csv");
    assert_eq!(read("again.csv"), after);
    let several = ["impute", "--run", run, "--data", "rows.csv", "--draws", "3"];
    folder.succeeds(&[&several[..], &["--out", "several.csv"]].concat());
    let several = read("several.csv");
    assert_eq!(several.lines().next(), Some("id,colour,size,year,colour_others,size_std"));
    // The second row is complete.
    assert_eq!(several.lines().nth(2), Some("0001,green,10,1991,,"));
    folder.write("given.csv", "id,colour,size,year\n1,,10,1990\n2,mauve,,1991\n");
    let error = folder.fails(
        &[&["generate", "--run", run, "--given", "given.csv"][..], &["--out", "g.csv"]].concat(),
    );
    assert_eq!(
        error,
        "error: given.csv: line 3: no training row has `mauve` in column `colour`\n  \
         help: an empty cell is drawn"
    );
    let whole = folder.train(&[&args[..], &keys[..2], &SMALL].concat());
    let error =
        folder.fails(&["impute", "--run", text(&whole), "--data", "rows.csv", "--out", "a.csv"]);
    assert!(error.contains("was not trained to fill in missing cells"), "{error}");
    assert!(error.contains("train one with `training.mask_columns: 0.5`"), "{error}");
}

#[test]
fn rows_of_another_program_are_measured_as_real_rows_and_shuffled_columns_would_be() {
    let folder = Folder::new();
    let rows = |seed: usize, n: usize| -> Vec<[String; 3]> {
        let row = |i: usize| {
            let x = (i * 7919 + seed) % 1009;
            let size =
                if i.is_multiple_of(11) { String::new() } else { (x % 3 * 40 + x % 7).to_string() };
            [["red", "green", "blue"][x % 3].to_owned(), size, (x / 10).to_string()]
        };
        (0..n).map(row).collect()
    };
    let write = |name: &str, head: &str, rows: &[[String; 3]]| {
        let rows: String = rows.iter().map(|row| row.join(",") + "\n").collect();
        folder.write(name, &format!("{head}\n{rows}"));
    };
    let (head, train, held) = ("colour,size,year", rows(0, 300), rows(500, 200));
    write("train.csv", head, &train);
    write("held.csv", head, &held);
    let args = ["train-gen", "--unconditional", "--data-path", "train.csv"];
    let run = folder.train(&[&args[..], &["--set", "data.test_path=held.csv"], &SMALL].concat());
    let evaluate = |file| ["evaluate", "--run", text(&run), "--samples", file];
    let measured =
        |file| -> Value { serde_json::from_str(&folder.succeeds(&evaluate(file))).unwrap() };
    let value = |metrics: &Value, name: &str| metrics[name].as_f64().unwrap();

    write("real.csv", head, &train[..200]);
    let real = measured("real.csv");
    assert_eq!(real["sampling"]["file"], "real.csv");
    for metric in ["column_shapes", "pair_trends", "missing_cells"] {
        let gap = value(&real, metric) - value(&real["floor"], metric);
        assert!(gap.abs() < 0.05, "{metric}: {gap}");
    }
    let mut shuffled = train[..200].to_vec();
    for i in 0..200 {
        shuffled[i][0] = train[(i + 67) % 200][0].clone();
    }
    write("shuffled.csv", head, &shuffled);
    let shuffled = measured("shuffled.csv");
    assert_eq!(shuffled["column_shapes"], real["column_shapes"]);
    assert!(value(&shuffled, "pair_trends") < value(&real, "pair_trends") - 0.1);

    folder.write("narrow.csv", "colour,year\nred,1\nblue,2\n");
    assert_eq!(
        folder.fails(&evaluate("narrow.csv")),
        "error: narrow.csv: there is no column `size`; known columns: colour, year"
    );
    folder.write("empty.csv", "colour,size,year\n");
    assert_eq!(folder.fails(&evaluate("empty.csv")), "error: empty.csv: has no rows");
    write("few.csv", head, &train[..2]);
    assert_eq!(
        folder.fails(&evaluate("few.csv")),
        "error: `few.csv` holds 2 rows, too few to measure\n  in --samples\n  help: give at least 10, \
         and as many as are held out for a whole draw: 200"
    );
}
