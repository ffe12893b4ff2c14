//! Tables of text as data: the columns that are read, and the names of labels.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use triflow::component::{Columns, DataContext, DataSource, Part, Splits};
use triflow::config::Layers;
use triflow::data::Data;
use triflow::data::files::{read_columns, source_of, write_rows};
use triflow::io::{ArrayData, npz};
use triflow::table::{TableColumn, names_of};
use triflow::tch::{Device, Kind, Tensor};
use triflow::{Component, Error, Experiment, Result};
use triflow_plugins::data_sources::{Column, Csv, DecimalSign, MissingValue, Separator};

fn shared(name: &str) -> PathBuf {
    triflow_plugins::link();
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

fn name(text: &str) -> Vec<Column> {
    text.split(',').map(|name| Column::Name(name.into())).collect()
}

fn load(spec: impl Into<Component<dyn DataSource>>, base: &Path) -> Result<Splits> {
    spec.into().build(&DataContext::new(1, base))?.load()
}

/// Loads a table of the tests with the data source.
fn load_shared(file: &str, change: impl FnOnce(&mut Csv)) -> Result<Splits> {
    let path = shared(file);
    let mut spec = Csv::new(path.to_str().unwrap());
    change(&mut spec);
    load(spec, Path::new(""))
}

fn load_csv(text: &str, change: impl FnOnce(&mut Csv)) -> Result<Splits> {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("d.csv"), text).unwrap();
    let mut spec = Csv::new("d.csv");
    change(&mut spec);
    load(spec, folder.path())
}

/// The message of an error about a data file, without the file's name.
fn message_of<T>(result: Result<T>) -> String {
    match result.err().unwrap() {
        Error::Data { message, .. } => message,
        other => panic!("not about a file: {other}"),
    }
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    assert!(matches!(tensor.kind(), Kind::Float | Kind::Double));
    tensor.to_kind(Kind::Float).reshape([-1]).try_into().unwrap()
}

fn labels(tensor: &Tensor) -> Vec<i64> {
    assert_eq!((tensor.kind(), tensor.dim()), (Kind::Int64, 1));
    tensor.try_into().unwrap()
}

fn experiment(sets: &[&str]) -> Experiment {
    triflow_plugins::link();
    let mut layers = Layers::new().unwrap();
    for set in [&["device=cpu"], sets].concat() {
        layers.set_text(set).unwrap();
    }
    layers.finish().unwrap()
}

fn path_key(file: &Path) -> String {
    format!("data.path={}", file.display())
}

const OPTIONS: (Kind, Device) = (Kind::Float, Device::Cpu);

#[test]
fn columns_go_by_name_or_by_number() {
    let text = "height,width,kind\n1,2,0\n3,4,1\n";
    let load = |x: Vec<Column>, y: Vec<Column>| {
        load_csv(text, |spec| (spec.x, spec.y, spec.labels) = (x, y, Some(true))).unwrap()
    };
    for splits in [
        load(name("width,height"), name("kind")),
        load(vec![Column::Number(1), Column::Number(0)], vec![Column::Number(2)]),
    ] {
        let table = splits.train;
        let x = table.x.unwrap();
        assert_eq!((x.size(), floats(&x)), (vec![2, 2], vec![2.0, 1.0, 4.0, 3.0]));
        assert_eq!(labels(&table.y.unwrap()), [0, 1]);
        assert_eq!(
            (names_of(&table.x_columns), names_of(&table.y_columns)),
            (vec!["width".to_owned(), "height".to_owned()], vec!["kind".to_owned()])
        );
        // Later files are read by the names of the columns, however these were given.
        let decided: Vec<(&str, &str)> =
            splits.decided.iter().map(|(key, value)| (key.as_str(), value.trim())).collect();
        assert_eq!(decided, [("x", "- width\n- height"), ("y", "- kind"), ("labels", "true")]);
    }
    let usual = load_csv("x_1,x_0,y,more\n1,2,3,text\n", |_| ()).unwrap().train;
    assert_eq!(floats(&usual.x.unwrap()), [2.0, 1.0]);
    assert_eq!(usual.y.unwrap().size(), [1, 1]);
}

#[test]
fn a_later_file_is_read_by_the_names_that_training_used() {
    let mut trained =
        experiment(&["task=regression", "data.type=csv", &path_key(&shared("columns_a.csv"))]);
    let (_, units) = Data::load(&mut trained, Path::new(""), OPTIONS).unwrap();
    let rows = |file: &str| {
        let table = read_columns(&trained, &shared(file), &[Part::X, Part::Y]).unwrap();
        units.rows(table, &trained).unwrap()
    };
    let (a, b) = (rows("columns_a.csv"), rows("columns_b.csv"));
    assert!(a.condition.unwrap().equal(&b.condition.unwrap()) && a.target.equal(&b.target));
    let folder = tempfile::tempdir().unwrap();
    let renamed = folder.path().join("renamed.csv");
    std::fs::write(&renamed, "x1,x9,y,more\n1,2,3,4\n").unwrap();
    assert_eq!(
        message_of(read_columns(&trained, &renamed, &[Part::X])),
        "there is no column `x0`; did you mean `x1`? known columns: x1, x9, y, more"
    );
}

#[test]
fn columns_are_ordered_by_name_where_another_source_trained() {
    let mut trained =
        experiment(&["task=regression", "data.type=csv", &path_key(&shared("columns_a.csv"))]);
    let (_, units) = Data::load(&mut trained, Path::new(""), OPTIONS).unwrap();
    let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let table = |names: Vec<String>| Columns {
        x: Some(Tensor::from_slice(&[1.0_f32, 2.0]).view([1, 2])),
        y: Some(Tensor::from_slice(&[3.0_f32]).view([1, 1])),
        x_columns: TableColumn::numbers(names),
        ..Columns::default()
    };
    let aligned = units.align(table(names(&["x1", "x0"])), &trained).unwrap();
    assert_eq!(
        (floats(&aligned.x.unwrap()), names_of(&aligned.x_columns)),
        (vec![2.0, 1.0], names(&["x0", "x1"]))
    );
    let error = units.align(table(names(&["x0", "x2"])), &trained).unwrap_err().to_string();
    assert!(error.starts_with("there is no column `x1`; did you mean `x0`?"), "{error}");
}

#[test]
fn labels_of_any_type_are_classes_of_their_names() {
    for (file, classes) in [
        ("labels_from_1.csv", &["1", "2", "3"][..]),
        ("labels_gap.csv", &["0", "5", "10"]),
        ("labels_pm1.csv", &["-1", "1"]),
        ("labels_bool.csv", &["False", "True"]),
        ("labels_text.csv", &["blue", "green", "red"]),
    ] {
        let mut trained = experiment(&["data.type=csv", &path_key(&shared(file))]);
        let (data, units) = Data::load(&mut trained, Path::new(""), OPTIONS).unwrap();
        assert_eq!(units.names.classes, classes, "{file}");
        assert_eq!(units.shapes.condition, Some(vec![classes.len() as i64]), "{file}");
        assert_eq!(trained.data.common().classes.0, classes, "{file}");
        let rows = data.train.all().unwrap().condition.unwrap().sum_dim_intlist(
            [0].as_slice(),
            false,
            Kind::Float,
        );
        assert!(floats(&rows).iter().all(|rows| *rows > 5.0), "{file}: {rows}");
        let text = std::fs::read_to_string(shared(file)).unwrap();
        let first = text.lines().nth(1).unwrap().rsplit(',').next().unwrap();
        let table = read_columns(&trained, &shared(file), &[Part::Y]).unwrap();
        let first_label = labels(&units.align(table, &trained).unwrap().y.unwrap())[0];
        assert_eq!(units.label(first).unwrap(), first_label, "{file}");
    }
    let plain = load_csv("x,label\n1,2\n2,0\n3,1.0\n", |_| ()).unwrap().train;
    // Labels with decimals are names, with their digits.
    assert_eq!((labels(&plain.y.unwrap()), plain.classes.len()), (vec![2, 0, 1], 3));
}

#[test]
fn labels_of_a_later_file_are_those_of_training_however_few_it_has() {
    let mut trained = experiment(&["data.type=csv", &path_key(&shared("labels_text.csv"))]);
    let (_, units) = Data::load(&mut trained, Path::new(""), OPTIONS).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("few.csv");
    let read = |text: &str| {
        std::fs::write(&file, text).unwrap();
        units.align(read_columns(&trained, &file, &[Part::Y])?, &trained)
    };
    assert_eq!(labels(&read("label\nred\nblue\n").unwrap().y.unwrap()), [2, 0]);
    assert_eq!(
        read("label\npurple\n").unwrap_err().to_string(),
        format!(
            "the file has the class `purple` (line 2 of {}), which no training row has\n  at data\n  \
             help: known classes: `blue`, `green`, `red`",
            file.display()
        )
    );
    // Labels without names are numbers.
    let mut trained = experiment(&["data.type=csv", &path_key(&shared("tab.tsv"))]);
    let (_, units) = Data::load(&mut trained, Path::new(""), OPTIONS).unwrap();
    std::fs::write(&file, "label\n1\n1\n").unwrap();
    let table = read_columns(&trained, &file, &[Part::Y]).unwrap();
    assert_eq!(labels(&units.align(table, &trained).unwrap().y.unwrap()), [1, 1]);
}

#[test]
fn ordinary_tables_are_read_as_they_are() {
    let sizes = |splits: Splits| {
        let (x, y) = (splits.train.x.unwrap(), splits.train.y.unwrap());
        assert_eq!(labels(&y).iter().filter(|label| **label > 1).count(), 0);
        (x.size(), y.size())
    };
    for (file, columns) in [
        ("index_pandas.csv", 1),
        ("index_r.csv", 1),
        ("trailing_comma.csv", 1),
        ("tab.tsv", 2),
        ("semicolon_decimal_comma.csv", 2),
    ] {
        let (x, y) = sizes(load_shared(file, |_| ()).unwrap());
        assert_eq!((x[1], y[0]), (columns, x[0]), "{file}");
    }
    let (x, _) = sizes(
        load_shared("unasked_text.csv", |spec| (spec.x, spec.y) = (name("x0"), name("label")))
            .unwrap(),
    );
    assert_eq!(x, [60, 1]);
    let first = |splits: Splits| floats(&splits.train.x.unwrap())[..2].to_vec();
    assert_eq!(first(load_shared("semicolon_decimal_comma.csv", |_| ()).unwrap()), [1.267, 1.019]);
    let latin1 =
        |spec: &mut Csv| (spec.x, spec.encoding) = (name("größe,länge"), Some("latin1".into()));
    assert_eq!(first(load_shared("latin1.csv", latin1).unwrap()), [-0.364, -0.278]);
    assert!(message_of(load_shared("latin1.csv", |_| ())).starts_with(
        "line 1 is not UTF-8; name the encoding of the text, as `data.encoding=latin1`"
    ));
}

#[test]
fn a_packed_table_is_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tab.tsv.gz");
    let plain = std::fs::read(shared("tab.tsv")).unwrap();
    let file = std::fs::File::create(&path).unwrap();
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::default());
    packed.write_all(&plain).unwrap();
    packed.finish().unwrap();
    assert_eq!(source_of(&path).unwrap(), "table");
    let spec = Csv::new(path.to_str().unwrap());
    let (a, b) = (load(spec, Path::new("")).unwrap(), load_shared("tab.tsv", |_| ()).unwrap());
    assert!(a.train.x.unwrap().equal(&b.train.x.unwrap()));
}

#[test]
fn a_missing_value_is_named_and_its_row_dropped_where_asked() {
    assert_eq!(
        message_of(load_shared("gap_in_used.csv", |_| ())),
        "line 2: column `x0`: the cell holds `NA`; fill it, or leave such rows out with data.missing=drop"
    );
    let dropped =
        load_shared("gap_in_used.csv", |spec| spec.missing = MissingValue::Drop).unwrap().train;
    assert_eq!((dropped.x.unwrap().size(), dropped.y.unwrap().size()), (vec![54, 2], vec![54]));
    let only = |text: &str, missing| {
        message_of(load_csv(text, |spec| (spec.x, spec.missing) = (name("x"), missing)))
    };
    assert_eq!(
        only("x,y\n,1\n", MissingValue::Drop),
        "no row is left: each lacks a value in a column of x or y"
    );
    assert!(
        only("x,y\n1,\n", MissingValue::Error).starts_with("line 2: column `y`: the cell is empty")
    );
    // Values may be missing in columns that are not used.
    assert!(load_csv("x,z\n1,\n", |_| ()).is_ok());
}

#[test]
fn decimal_signs_are_seen_or_said() {
    let x = |text: &str, decimal| {
        load_csv(text, |spec| spec.decimal = decimal).map(|splits| floats(&splits.train.x.unwrap()))
    };
    assert_eq!(x("x;y\n1,5;2\n3;4\n", DecimalSign::Auto).unwrap(), [1.5, 3.0]);
    assert_eq!(x("x;y\n1.5;2\n", DecimalSign::Auto).unwrap(), [1.5]);
    assert_eq!(x("x,y\n\"1,5\",2\n", DecimalSign::Comma).unwrap(), [1.5]);
    assert_eq!(
        message_of(x("x;y\n1,5;2\n3.5;4\n", DecimalSign::Auto)),
        "line 3: column `x`: `3.5` is not a number; for decimal points, set data.decimal=point"
    );
    assert_eq!(
        message_of(x("x;y\n1,5;2\n3.5;4\n", DecimalSign::Comma)),
        "line 3: column `x`: `3.5` is not a number; for decimal points, set data.decimal=point"
    );
    let semicolons = load_csv("x;y\n1;2\n", |spec| spec.separator = Separator::Comma);
    assert!(message_of(semicolons).contains("known columns: x;y"));
}

#[test]
fn what_could_be_y_is_proposed() {
    assert_eq!(
        message_of(load_shared("y_and_label.csv", |_| ())),
        "both `y` and `label` may be y; say which it is, with data.y=[y] or data.y=[label]"
    );
    let mut trained = experiment(&[
        "task=regression",
        "data.type=csv",
        &path_key(&shared("class_named_class.csv")),
    ]);
    let error = Data::load(&mut trained, Path::new(""), OPTIONS).unwrap_err().to_string();
    assert_eq!(
        error,
        "the data have no y, which the task needs\n  at data\n  help: say which it is, as data.y=[class]; the \
         file has the columns x0, x1, class"
    );
}

#[test]
fn further_tables_hold_the_other_sets() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("train.csv", "x,y\n1,2\n3,4\n");
    write("val.csv", "y,x\n6,5\n");
    write("test.csv", "x\n5\n");
    let spec = Csv { val_path: Some("val.csv".into()), ..Csv::new("train.csv") };
    let splits = load(spec.clone(), folder.path()).unwrap();
    assert_eq!(floats(&splits.val.unwrap().x.unwrap()), [5.0]);
    assert!(splits.test.is_none());
    let spec = Csv { test_path: Some("test.csv".into()), ..spec };
    assert_eq!(message_of(load(spec, folder.path())), "there is no column `y`; known columns: x");
}

#[test]
fn wrong_tables_are_named() {
    for (text, message) in [
        ("x,y\n1,2\n3\n", "line 3: 1 cells, but line 1 has 2"),
        (
            "x,y\n1,inf\n",
            "line 2: column `y`: `inf` is not finite; fix it, or name it in \
             data.markers if it stands for a missing value",
        ),
        (
            "x,y\n1,2\n3,a\n",
            "line 3: column `y`: `a` is not a number; if y holds class labels, set data.labels=true",
        ),
        ("x,y\na,2\n", "line 2: column `x`: `a` is not a number"),
        ("x,y\n", "has no rows"),
        (
            "a,b,c\n1,2,3\n",
            "x and y cannot be identified by name; say which columns are which, such as data.x=[a,b] and \
             data.y=[c]; known columns: a, b, c",
        ),
        (
            "1,2,3\n",
            "x and y cannot be identified by name; say which columns are which, such as data.x=[0,1] and \
             data.y=[2]; known columns: 0, 1, 2",
        ),
        (
            "a\n1\n",
            "x and y cannot be identified by name; say which it is, with data.x=[a]; known columns: a",
        ),
        (
            "x,y\n1,1e300\n",
            "column `y`: row 0 (counted from 0) holds 1e300, which is too large for float32; remove or fill \
             such rows first",
        ),
        (
            "x,label\n1,0.5\n",
            "column `label`: line 2 holds 0.5, which is not a class label: class labels are whole numbers \
             or texts; set data.labels=false to read numbers",
        ),
    ] {
        assert_eq!(message_of(load_csv(text, |_| ())), message);
    }
    let wrong = |text: &str, change: &dyn Fn(&mut Csv)| message_of(load_csv(text, change));
    assert_eq!(
        wrong("x,width\n1,2\n", &|spec| spec.y = name("widht")),
        "there is no column `widht`; did you mean `width`? known columns: x, width"
    );
    assert_eq!(
        wrong("1,2\n", &|spec| spec.x = name("a")),
        "there is no column `a`: the file has no line of names, so number its 2 columns from 0"
    );
    assert_eq!(
        wrong("1,2\n", &|spec| spec.x = vec![Column::Number(2)]),
        "there is no column 2: it has 2, counted from 0"
    );
    assert_eq!(wrong("x,b\n1,2\n", &|spec| spec.y = name("x")), "column `x` is both x and y");
    assert_eq!(
        wrong("x,b\n1,2\n", &|spec| spec.x = name("b,b")),
        "column `b` is named twice in data.x"
    );
    let many = |spec: &mut Csv| (spec.x, spec.labels) = (name("a"), Some(true));
    let error = load_csv("a,y0,y1\n1,2,3\n", many).err().unwrap().to_string();
    assert_eq!(error, "class labels need one column of y, got 2\n  at labels");
    // Only x is requested, and the file has none.
    let trained = experiment(&["data.type=csv", "data.path=gone.csv"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("y.csv");
    std::fs::write(&file, "y\n1\n").unwrap();
    assert_eq!(
        message_of(read_columns(&trained, &file, &[Part::X])),
        "x cannot be identified by name; known columns: y"
    );
}

#[test]
fn rows_that_are_left_out_leave_the_numbers_of_the_others() {
    let text = "x0,x1,label\n1,2,a\n,3,b\n4,5,b\n6,NA,a\n7,8,a\n";
    let table = load_csv(text, |spec| spec.missing = MissingValue::Drop).unwrap().train;
    assert_eq!(table.kept, [0, 2, 4]);
    assert_eq!(table.rows(&[2, 0]).kept, [4, 0]);
    let folder = tempfile::tempdir().unwrap();
    let written = |file: &str| {
        let train = table.rows(&[0, 1, 2]);
        let path = folder.path().join(file);
        write_rows(&path, &Splits { train, ..Splits::default() }).unwrap();
        path
    };
    let csv = std::fs::read_to_string(written("d.csv")).unwrap();
    assert_eq!(csv, "row,x0,x1,label\n0,1,2,a\n2,4,5,b\n4,7,8,a\n");
    let rows = npz::read_array(&written("d.npz"), "rows").unwrap();
    assert_eq!(rows.data, ArrayData::from(vec![0_i64, 2, 4]));
    // Without missing values, no rows are listed as kept.
    let complete =
        load_csv("x0,label\n1,a\n2,b\n", |spec| spec.missing = MissingValue::Drop).unwrap();
    assert!(complete.train.kept.is_empty());
}
