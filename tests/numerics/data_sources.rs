//! Data sources that read files.

use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;
use triflow::component::{Columns, DataContext, DataSource, Part, Splits};
use triflow::config::Layers;
use triflow::data::files::{read_columns, source_of, write_rows};
use triflow::io::{ArrayData, NamedArray, npz, safetensors};
use triflow::table::names_of;
use triflow::tch::{Device, Kind, Tensor};
use triflow::{Component, Error, Experiment, Result, Trainer};
use triflow_plugins::data_sources::{Csv, Npz};

const X: [f32; 6] = [0.1, -1.5, 3.0e-8, 7.0, 1.0e30, -0.0];

fn folder() -> TempDir {
    triflow_plugins::link();
    tempfile::tempdir().unwrap()
}

fn array(name: &str, shape: &[usize], data: impl Into<ArrayData>) -> NamedArray {
    NamedArray::new(name, shape.to_vec(), data).unwrap()
}

/// Writes arrays to an `.npz` file and loads it with the data source.
fn load_npz(arrays: &[NamedArray], change: impl FnOnce(&mut Npz)) -> Result<Splits> {
    let folder = folder();
    npz::write_npz(&folder.path().join("d.npz"), arrays).unwrap();
    let mut spec = Npz::new("d.npz");
    change(&mut spec);
    load(spec, folder.path())
}

fn load(spec: impl Into<Component<dyn DataSource>>, base: &Path) -> Result<Splits> {
    spec.into().build(&DataContext::new(1, base))?.load()
}

/// The message of an error about a data file, without the file's name.
fn message_of<T>(result: Result<T>) -> String {
    match result.err().unwrap() {
        Error::Data { path, message } => {
            assert!(path.starts_with(std::env::temp_dir()), "{}", path.display());
            message
        }
        other => panic!("not about a file: {other}"),
    }
}

/// Column x or y of a file, read by the experiment's own data source.
fn read_part(experiment: &Experiment, path: &Path, part: Part) -> Result<Tensor> {
    let table = read_columns(experiment, path, &[part])?;
    Ok(match part {
        Part::X => table.x.unwrap(),
        Part::Y => table.y.unwrap(),
    })
}

/// Numbers of a table, which keep the precision of their file.
fn floats(tensor: &Tensor) -> Vec<f32> {
    assert!(matches!(tensor.kind(), Kind::Float | Kind::Double));
    tensor.to_kind(Kind::Float).reshape([-1]).try_into().unwrap()
}

fn labels(tensor: &Tensor) -> Vec<i64> {
    assert_eq!((tensor.kind(), tensor.dim()), (Kind::Int64, 1));
    tensor.try_into().unwrap()
}

#[test]
fn values_survive_every_format_bit_by_bit() {
    let folder = folder();
    for ending in ["npz", "csv", "safetensors"] {
        for is_label in [true, false] {
            let path = folder.path().join(format!("{is_label}.{ending}"));
            let y = if is_label {
                Tensor::from_slice(&[2_i64, 0, 1])
            } else {
                Tensor::from_slice(&[0.5_f32, 0.25, -3.0]).view([3, 1])
            };
            let train = Columns {
                x: Some(Tensor::from_slice(&X).view([3, 2])),
                y: Some(y.shallow_clone()),
                ..Columns::default()
            };
            write_rows(&path, &Splits { train, ..Splits::default() }).unwrap();
            let name = source_of(&path).unwrap();
            let mut layers = Layers::new().unwrap();
            layers.set("data", name.into(), "test").unwrap();
            layers.set("data.path", path.to_str().unwrap().into(), "test").unwrap();
            let splits = load(layers.finish().unwrap().data, Path::new("/nowhere")).unwrap();
            assert!(splits.val.is_none() && splits.test.is_none());
            let x = splits.train.x.unwrap();
            assert_eq!(x.size(), [3, 2], "{ending}");
            let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&floats(&x)), bits(&X), "{ending}");
            let back = splits.train.y.unwrap();
            assert_eq!(back.size(), y.size(), "{ending}");
            assert!(back.to_kind(y.kind()).equal(&y), "{ending}");
        }
    }
}

#[test]
fn every_set_of_a_source_is_written_but_a_table_holds_one() {
    let folder = folder();
    let table =
        |v: f32| Columns { x: Some(Tensor::from_slice(&[v, v])), y: None, ..Columns::default() };
    let splits = Splits {
        train: table(1.0),
        val: Some(table(2.0)),
        test: Some(table(3.0)),
        ..Splits::default()
    };
    let path = folder.path().join("d.npz");
    write_rows(&path, &splits).unwrap();
    assert_eq!(npz::list_names(&path).unwrap(), ["x", "x_val", "x_test"]);
    let message = message_of(write_rows(&folder.path().join("d.csv"), &splits));
    assert_eq!(message, "a table holds one set of rows; write an .npz instead");
    let message = message_of(write_rows(&folder.path().join("d.txt"), &splits));
    assert_eq!(
        message,
        "cannot be written; known endings: .npz, .safetensors, .csv, .tsv, .csv.gz, .tsv.gz, .parquet, \
         .feather, .arrow"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn integers_are_labels_only_as_one_y_a_row() {
    let x = array("x", &[2], vec![3_i32, 4]);
    let splits = load_npz(&[x.clone(), array("y", &[2], vec![true, false])], |_| ()).unwrap();
    assert_eq!(floats(&splits.train.x.unwrap()), [3.0, 4.0]);
    assert_eq!(labels(&splits.train.y.unwrap()), [1, 0]);
    let splits = load_npz(&[x, array("y", &[2, 1], vec![5_u8, 6])], |_| ()).unwrap();
    assert_eq!(labels(&splits.train.y.unwrap()), [5, 6]);
}

#[test]
fn sets_of_the_file_are_used_and_not_split_again() {
    let set = |name: &str, values: Vec<f64>| array(name, &[values.len(), 1], values);
    let arrays = [
        set("x", vec![1.0, 2.0, 3.0]),
        set("y", vec![1.0, 2.0, 3.0]),
        set("x_val", vec![4.0, 5.0]),
        set("y_val", vec![4.0, 5.0]),
        set("final_x", vec![6.0]),
        set("final_y", vec![7.0]),
    ];
    let splits = load_npz(&arrays, |spec| {
        spec.x_test = Some("final_x".into());
        spec.y_test = Some("final_y".into());
    });
    let splits = splits.unwrap();
    let (val, test) = (splits.val.as_ref().unwrap(), splits.test.as_ref().unwrap());
    assert_eq!(floats(val.x.as_ref().unwrap()), [4.0, 5.0]);
    assert_eq!(floats(test.y.as_ref().unwrap()), [7.0]);
    let mut layers = Layers::new().unwrap();
    layers.set_text("task=regression").unwrap();
    layers.set_text("data.standardise=false").unwrap();
    layers.set_text("device=cpu").unwrap();
    let trainer = Trainer::with_tables(layers.finish().unwrap(), splits).unwrap();
    let data = trainer.data();
    assert_eq!((data.train.len(), data.val.len(), data.test.len()), (3, 2, 1));
    assert_eq!(floats(&data.val.all().unwrap().target), [4.0, 5.0]);
    assert_eq!(floats(&data.test.all().unwrap().condition.unwrap()), [6.0]);
}

#[test]
fn generation_needs_no_y_and_regression_says_what_is_missing() {
    let splits = load_npz(&[array("x", &[4, 2], vec![0.5_f32; 8])], |_| ()).unwrap();
    assert!(splits.train.y.is_none());
    let mut layers = Layers::new().unwrap();
    layers.set_text("task=regression").unwrap();
    let error = Trainer::with_tables(layers.finish().unwrap(), splits).unwrap_err();
    assert!(error.to_string().starts_with("the data have no y, which the task needs"), "{error}");
}

#[test]
fn a_missing_path_or_file_says_what_would_be_right() {
    let error = Component::<dyn DataSource>::named("npz").unwrap_err();
    assert_eq!(error.to_string(), "`path` is missing\n  help: `path`: File of the arrays.");
    assert_eq!(error.exit_code(), 2);
    let folder = folder();
    let missing = "no such file; a path in an experiment file is relative to that file, one in a flag to \
                   the current folder";
    assert_eq!(message_of(load(Npz::new("no.npz"), folder.path())), missing);
    assert_eq!(message_of(load(Csv::new("no.csv"), folder.path())), missing);
    assert_eq!(message_of(source_of(&folder.path().join("no.npz"))), missing);
    assert_eq!(message_of(source_of(folder.path())), "is a folder, not a file");
    let other = folder.path().join("d.txt");
    std::fs::write(&other, "").unwrap();
    assert_eq!(
        message_of(source_of(&other)),
        "no data source reads .txt files; known endings: .npz, .npy, .safetensors, .csv, .tsv, .csv.gz, .tsv.gz, .parquet, .feather, .arrow"
    );
}

#[test]
fn a_format_that_is_not_read_is_answered_with_its_conversion() {
    let folder = folder();
    for (ending, expected) in [
        (
            "pkl",
            "pickles are not read, because reading one runs what is in it; convert it once with\n  python3 -c \
             \"import pickle, numpy as np; d = pickle.load(open('D.pkl', 'rb')); np.savez('D.npz', \
             x=d['x'], y=d['y'])\"",
        ),
        (
            "xlsx",
            "spreadsheets are not read; convert it once with\n  python3 -c \"import pandas as pd; \
             pd.read_excel('D.xlsx').to_csv('D.csv', index=False)\"",
        ),
    ] {
        let path = folder.path().join(format!("d.{ending}"));
        let expected = expected.replace("D.", &folder.path().join("d.").display().to_string());
        assert_eq!(message_of(source_of(&path)), expected);
        for name in ["npz", "csv", "safetensors", "sequences"] {
            let mut layers = Layers::new().unwrap();
            layers.set("data", name.into(), "test").unwrap();
            layers.set("data.path", path.to_str().unwrap().into(), "test").unwrap();
            let loaded = load(layers.finish().unwrap().data, Path::new(""));
            assert_eq!(message_of(loaded), expected, "{name}");
        }
    }
}

#[test]
fn wrong_arrays_are_named() {
    let x = || array("x", &[2, 1], vec![1.0_f32, 2.0]);
    let y = |n: usize| array("y", &[n], vec![0_i64; n]);
    let cases: [(Vec<NamedArray>, &str); 12] = [
        (
            vec![array("input", &[1], vec![1.0]), array("label", &[1], vec![1])],
            "there is neither an array `x` nor `y`; say which they are with data.x and data.y; known arrays: \
             input, label",
        ),
        (vec![x(), y(3)], "array `x` has 2 rows, but `y` has 3"),
        (
            vec![array("x", &[], vec![1.0])],
            "array `x` is a single number; needed: one row an example, of shape [n] or [n, …]",
        ),
        (vec![array("x", &[0, 2], Vec::<f32>::new())], "array `x` has no rows"),
        (
            vec![array("x", &[3, 0], Vec::<f32>::new())],
            "array `x` has no values: its shape is [3, 0]",
        ),
        (
            vec![array("x", &[2, 2], vec![1.0, 2.0, 3.0, f64::NAN])],
            "array `x`: row 1 (counted from 0) holds NaN; remove or fill such rows first",
        ),
        (
            vec![array("x", &[2], vec![f32::NEG_INFINITY, 0.0])],
            "array `x`: row 0 (counted from 0) holds -inf; remove or fill such rows first",
        ),
        (
            vec![array("x", &[2], vec![1.0, 1e300])],
            "array `x`: row 1 (counted from 0) holds 1e300, which is too large for float32; remove or fill \
             such rows first",
        ),
        (vec![x(), array("x_val", &[0, 1], Vec::<f32>::new())], "array `x_val` has no rows"),
        (
            vec![x(), y(2), array("x_val", &[1, 1], vec![1.0])],
            "y: the val set has none, the training set class labels",
        ),
        (
            vec![x(), array("x_test", &[1, 3], vec![1.0; 3])],
            "x: the test set has rows of shape [3], the training set rows of shape [1]",
        ),
        (
            vec![x(), y(2), array("x_val", &[1, 1], vec![1.0]), array("y_val", &[2], vec![0, 1])],
            "array `x_val` has 1 rows, but `y_val` has 2",
        ),
    ];
    for (arrays, message) in cases {
        assert_eq!(message_of(load_npz(&arrays, |_| ())), message);
    }
    let arrays = [x(), array("label", &[2], vec![0, 1])];
    assert_eq!(
        message_of(load_npz(&arrays, |spec| spec.y = "lable".into())),
        "there is no array `lable`; did you mean `label`? known arrays: x, label"
    );
    assert_eq!(
        message_of(load_npz(&arrays, |spec| spec.x_val = Some("x_val".into()))),
        "there is no array `x_val`; known arrays: x, label"
    );
}

#[test]
fn safetensors_are_checked_by_the_same_rules() {
    let folder = folder();
    let path = folder.path().join("d.safetensors");
    let arrays = [array("a", &[1], vec![f32::NAN]), array("b", &[1], vec![0])];
    safetensors::write_safetensors(&path, &arrays, &BTreeMap::new()).unwrap();
    let experiment = with_data("{type: safetensors, path: d.safetensors, x: a, y: c}", &folder);
    assert_eq!(
        message_of(read_part(&experiment, &path, Part::X)),
        "array `a`: row 0 (counted from 0) holds NaN; remove or fill such rows first"
    );
    assert_eq!(
        message_of(read_part(&experiment, &path, Part::Y)),
        "there is no array `c`; known arrays: a, b"
    );
}

#[test]
fn a_split_that_leaves_nothing_to_train_on_is_refused() {
    let splits = load_npz(&[array("x", &[1, 1], vec![0.5])], |_| ()).unwrap();
    let mut layers = Layers::new().unwrap();
    layers.set_text("unconditional=true").unwrap();
    layers.set_text("data.split={train: 0.0, val: 0.5, test: 0.5}").unwrap();
    let error = Trainer::with_tables(layers.finish().unwrap(), splits).unwrap_err().to_string();
    assert!(error.starts_with("no row to train on: of 1 rows"), "{error}");
}

/// An experiment read from a file in `folder`, with the data section `data`.
fn with_data(data: &str, folder: &TempDir) -> Experiment {
    let file = folder.path().join("e.yaml");
    std::fs::write(&file, format!("data: {data}\n")).unwrap();
    let mut layers = Layers::new().unwrap();
    layers.add_file(&file).unwrap();
    layers.finish().unwrap()
}

fn data_of(experiment: &Experiment) -> serde_yaml::Value {
    serde_yaml::to_value(experiment).unwrap()["data"].clone()
}

#[test]
fn a_relative_path_starts_at_the_file_that_says_it() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    let base = "data: { type: csv, path: rows/a.csv, val_path: b.csv, x: [path] }\n";
    std::fs::write(folder.path().join("base.yaml"), base).unwrap();
    let file = folder.path().join("deep/e.yaml");
    std::fs::write(&file, "extends: ../base.yaml\ndata: { test_path: c.csv }\n").unwrap();
    let mut layers = Layers::new().unwrap();
    layers.add_file(&file).unwrap();
    let experiment = layers.finish().unwrap();
    let data = data_of(&experiment);
    let at = |key: &str| std::path::PathBuf::from(data[key].as_str().unwrap());
    assert!(at("path").ends_with("deep/../rows/a.csv"), "{:?}", at("path"));
    assert!(at("val_path").is_absolute());
    assert_eq!(at("test_path"), folder.path().join("deep/c.csv"));
    assert_eq!(data["x"][0], "path", "a column's name is no path");
    // A saved experiment has no relative path, so that moving it changes nothing.
    let moved = experiment.with_paths_from(Path::new("/elsewhere")).unwrap();
    assert_eq!(data_of(&moved), data);
}

#[test]
fn a_flags_path_starts_at_the_current_folder_and_a_librarys_at_its_base() {
    triflow_plugins::link();
    let mut layers = Layers::new().unwrap();
    layers.set_text("data={type: npz, path: a.npz}").unwrap();
    layers.set_text("data.x=points").unwrap();
    let experiment = layers.finish().unwrap();
    let here = std::env::current_dir().unwrap().join("a.npz");
    assert_eq!(data_of(&experiment)["path"], here.to_str().unwrap());
    let experiment = Experiment { data: Npz::new("a.npz").into(), ..experiment };
    let moved = experiment.with_paths_from(Path::new("/base")).unwrap();
    assert_eq!(data_of(&moved)["path"], "/base/a.npz");
}

#[test]
fn another_file_is_read_by_the_runs_own_names_or_by_its_endings_usual_ones() {
    let folder = folder();
    let (own, other) = (folder.path().join("new.csv"), folder.path().join("new.npz"));
    std::fs::write(&own, "a,x\n1,2\n").unwrap();
    npz::write_npz(&other, &[array("x", &[1, 1], vec![9.0])]).unwrap();
    let experiment = with_data("{type: csv, path: gone.csv, x: [a], y: [b]}", &folder);
    let read = |path: &Path, part| read_part(&experiment, path, part);
    assert_eq!(floats(&read(&own, Part::X).unwrap()), [1.0]);
    assert_eq!(floats(&read(&other, Part::X).unwrap()), [9.0]);
    assert_eq!(message_of(read(&own, Part::Y)), "there is no column `b`; known columns: a, x");
    assert_eq!(message_of(read(&other, Part::Y)), "there is no array `y`; known arrays: x");
}

#[test]
fn several_draws_have_the_mean_and_deviation_of_single_ones() {
    triflow_plugins::link();
    let mut layers = Layers::new().unwrap();
    for set in ["task=regression", "device=cpu", "training.epochs=1", "sampling.steps=2"] {
        layers.set_text(set).unwrap();
    }
    let rows = Tensor::linspace(-1.0, 1.0, 40, (Kind::Float, Device::Cpu)).unsqueeze(1);
    let train =
        Columns { x: Some(rows.shallow_clone()), y: Some(rows.square()), ..Columns::default() };
    let splits = Splits { train, ..Splits::default() };
    let mut trainer =
        Trainer::with_tables(layers.finish().unwrap(), splits).unwrap().into_trained();
    let at_zero = trainer.generate(&rows, None, None).unwrap();
    let one = trainer.predict(&rows, None, 7).unwrap();
    assert!(one.mean.equal(&at_zero.to_kind(Kind::Double)));
    assert_eq!(one.deviation.abs().max().double_value(&[]), 0.0);
    let first = trainer.generate(&rows, None, Some(5)).unwrap();
    assert!(trainer.predict(&rows, Some(5), 1).unwrap().mean.equal(&first.to_kind(Kind::Double)));
    let many = trainer.predict(&rows, Some(5), 50).unwrap();
    assert!(many.deviation.min().double_value(&[]) > 0.0);
    // The mean of 50 draws is within 5 standard errors of that of another 50.
    let others = trainer.predict(&rows, Some(6), 50).unwrap();
    let error = (&many.deviation.square() / 50.0 + &others.deviation.square() / 50.0).sqrt();
    let far = ((&many.mean - &others.mean) / error).abs().max().double_value(&[]);
    assert!(far > 0.0 && far < 5.0, "{far}");
}

#[test]
fn names_of_columns_and_classes_go_through_every_format() {
    let folder = folder();
    let table = "row,width,kind,height\n0,1.5,red,2\n1,3,blue,4\n2,5,red,-6\n";
    std::fs::write(folder.path().join("d.csv"), table).unwrap();
    let csv = |file: &str| -> Splits {
        let name = |names: &[&str]| {
            names.iter().map(|n| triflow_plugins::data_sources::Column::Name((*n).into())).collect()
        };
        let spec = Csv { x: name(&["height", "width"]), y: name(&["kind"]), ..Csv::new(file) };
        load(spec, folder.path()).unwrap()
    };
    let own = csv("d.csv");
    for ending in ["csv", "npz", "safetensors"] {
        let path = folder.path().join(format!("copy.{ending}"));
        write_rows(&path, &own).unwrap();
        let read = match ending {
            "csv" => csv("copy.csv"),
            _ => {
                let spec = format!("{{ type: {ending}, path: copy.{ending} }}");
                load(
                    serde_yaml::from_str::<Component<dyn DataSource>>(&spec).unwrap(),
                    folder.path(),
                )
                .unwrap()
            }
        };
        let content = |table: &Columns| {
            let (x, y) = (table.x.as_ref().unwrap(), table.y.as_ref().unwrap());
            let names = (table.x_columns.clone(), table.y_columns.clone(), table.classes.clone());
            (floats(x), labels(y), names)
        };
        assert_eq!(content(&read.train), content(&own.train), "{ending}");
        assert_eq!(names_of(&read.train.x_columns), ["height", "width"]);
        // A file that is read later gives the names too.
        let later = read_columns(
            &Experiment::from_yaml("data: { type: npz, path: then.npz }").unwrap(),
            &path,
            &[Part::X],
        );
        if ending != "csv" {
            assert_eq!(names_of(&later.unwrap().x_columns), ["height", "width"], "{ending}");
        }
    }
}
