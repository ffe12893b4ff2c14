//! The data source `table`: types of columns, gaps, labels of any name, and later files.

use std::path::{Path, PathBuf};
use triflow::component::{DataContext, DataSource, Part, Splits};
use triflow::config::Layers;
use triflow::data::Table as Written;
use triflow::data::files::{read_columns, write_rows};
use triflow::table::{CellType, Scaling, TableColumn, names_of};
use triflow::tch::{Kind, Tensor};
use triflow::{Component, Error, Experiment, Result};
use triflow_plugins::data_sources::{Column, ColumnList, ColumnOptions, MissingValue, Table};

fn shared(name: &str) -> PathBuf {
    triflow_plugins::link();
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

fn names(text: &str) -> ColumnList {
    ColumnList(text.split(',').map(|name| Column::Name(name.into())).collect())
}

fn load(spec: Table, base: &Path) -> Result<Splits> {
    triflow_plugins::link();
    let spec: Component<dyn DataSource> = spec.into();
    spec.build(&DataContext::new(1, base))?.load()
}

fn load_shared(file: &str, change: impl FnOnce(&mut Table)) -> Result<Splits> {
    let mut spec = Table::new(shared(file).to_str().unwrap());
    change(&mut spec);
    load(spec, Path::new(""))
}

fn load_text(text: &str, change: impl FnOnce(&mut Table)) -> Result<Splits> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("d.csv"), text).unwrap();
    let mut spec = Table::new("d.csv");
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

fn rows(tensor: &Tensor) -> Vec<Vec<f64>> {
    assert_eq!(tensor.kind(), Kind::Double);
    Vec::<f64>::try_from(tensor.reshape([-1]))
        .unwrap()
        .chunks(tensor.size()[1] as usize)
        .map(<[f64]>::to_vec)
        .collect()
}

fn labels(tensor: &Tensor) -> Vec<i64> {
    assert_eq!((tensor.kind(), tensor.dim()), (Kind::Int64, 1));
    tensor.try_into().unwrap()
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn options(yaml: &str) -> ColumnOptions {
    triflow::registry::Parameter::read(&serde_yaml::from_str(yaml).unwrap()).unwrap()
}

fn kinds(columns: &[TableColumn]) -> Vec<(&str, &CellType, bool)> {
    columns.iter().map(|c| (c.name.as_str(), &c.kind, c.missing)).collect()
}

/// Ten rows of columns of every type, some with gaps; the last one is y.
const MIXED: &str = "age,income,smoker,town,since,blood,level,species\n\
    31,1200.50,no,Ulm,2019-01-31,0,low,Adelie\n\
    45,NA,yes,Bonn,2019-02-28,1,high,Gentoo\n\
    29,900,no,Ulm,,0,low,Adelie\n\
    51,1500.25,no,?,2020-02-29,1,high,Chinstrap\n\
    62,2000,yes,Bonn,2021-12-01,1,mid,Gentoo\n\
    33,1100,no,Ulm,2019-03-01,0,mid,Adelie\n\
    47,1300,yes,Köln,2019-05-05,0,low,Adelie\n\
    36,1250,no,Bonn,2019-06-06,1,high,Gentoo\n\
    58,1750,no,Ulm,2020-07-07,1,low,Chinstrap\n\
    40,1450,yes,Köln,2020-08-08,0,mid,Adelie\n";

#[test]
fn columns_have_the_types_of_their_cells_and_every_column_but_y_is_x() {
    let splits = load_text(MIXED, |spec| spec.y = names("species")).unwrap();
    let train = &splits.train;
    let category = |all: &[&str]| CellType::Category { names: texts(all), ordered: false };
    let flag = |names: [&str; 2]| CellType::Flag { names: names.map(str::to_owned) };
    let expected = [
        ("age", &CellType::Number { decimals: Some(0) }, false),
        ("income", &CellType::Number { decimals: Some(2) }, true),
        ("smoker", &flag(["no", "yes"]), false),
        ("town", &category(&["Bonn", "Köln", "Ulm"]), true),
        ("since", &CellType::Time { format: "%Y-%m-%d".to_owned() }, true),
        ("blood", &flag(["0", "1"]), false),
        ("level", &category(&["high", "low", "mid"]), false),
    ];
    assert_eq!(kinds(&train.x_columns), expected);
    let x = rows(train.x.as_ref().unwrap());
    assert_eq!(x[0], [31.0, 1200.5, 0.0, 2.0, 17_927.0 * 86_400.0, 0.0, 1.0]);
    assert!(x[1][1].is_nan() && x[2][4].is_nan() && x[3][3].is_nan());
    assert_eq!(labels(train.y.as_ref().unwrap())[..4], [0, 2, 0, 1]);
    assert_eq!(train.classes, ["Adelie", "Chinstrap", "Gentoo"]);
    let header: Vec<String> = MIXED.lines().next().unwrap().split(',').map(Into::into).collect();
    assert_eq!(train.order, header);
}

#[test]
fn a_usual_name_says_nothing_about_a_column_that_is_named_on_the_other_side() {
    let text = "price,x,y\n1.5,2.5,3.5\n4.5,5.5,6.5\n";
    let columns = |change: &dyn Fn(&mut Table)| {
        let table = load_text(text, change).unwrap().train;
        (names_of(&table.x_columns), names_of(&table.y_columns))
    };
    let none = texts(&[]);
    let all = texts(&["price", "x", "y"]);
    assert_eq!(columns(&|spec| spec.x = names("price,x,y")), (all, none.clone()));
    assert_eq!(columns(&|spec| spec.x = names("y")), (texts(&["y"]), none));
    let (x, y) = columns(&|spec| spec.y = names("x"));
    assert_eq!((x, y), (texts(&["price", "y"]), texts(&["x"])));
    assert_eq!(columns(&|_| ()), (texts(&["x"]), texts(&["y"])));
}

#[test]
fn types_can_be_said() {
    let train = load_text(MIXED, |spec| {
        spec.y = names("species");
        for (name, yaml) in [
            ("age", "category"),
            ("blood", "number"),
            ("level", "{ order: [low, mid, high] }"),
            ("town", "ignore"),
            ("income", "{ scaling: quantile }"),
            ("since", "{ type: time, format: '%Y-%m-%d' }"),
        ] {
            spec.columns.insert(name.to_owned(), options(yaml));
        }
    })
    .unwrap()
    .train;
    assert_eq!(names_of(&train.x_columns).join(" "), "age income smoker since blood level");
    let column = |name: &str| train.x_columns.iter().find(|c| c.name == name).unwrap();
    assert_eq!(column("age").names().unwrap()[..2], texts(&["29", "31"]));
    assert_eq!(column("blood").kind, CellType::Number { decimals: Some(0) });
    let ordered = CellType::Category { names: texts(&["low", "mid", "high"]), ordered: true };
    assert_eq!(column("level").kind, ordered);
    assert_eq!(column("income").scaling, Scaling::Quantile);
    assert_eq!(column("age").scaling, Scaling::Standard);
    let wrong = |name: &str, yaml: &str| {
        message_of(load_text(MIXED, |spec| {
            spec.columns.insert(name.to_owned(), options(yaml));
        }))
    };
    assert_eq!(wrong("town", "number"), "line 2: column `town`: `Ulm` is not a number");
    assert_eq!(
        wrong("level", "{ order: [low, mid] }"),
        "column `level` holds `high`, which is not in its `order` in data.columns.level"
    );
    assert_eq!(
        wrong("agee", "number"),
        "there is no column `agee`; did you mean `age`? known columns: age, income, smoker, town, \
         since, blood, level, species\n  help: the key is data.columns"
    );
}

#[test]
fn options_of_a_column_are_written_as_they_are_read() {
    for yaml in
        ["category", "ignore", "{ type: time, format: '%d.%m.%Y' }", "{ scaling: quantile }"]
    {
        let read = options(yaml);
        let written = triflow::registry::Setting::write(&read).unwrap();
        let again: ColumnOptions = triflow::registry::Parameter::read(&written).unwrap();
        assert_eq!(again, read, "{yaml}");
    }
    let wrong = |yaml: &str| {
        let read: Result<ColumnOptions> =
            triflow::registry::Parameter::read(&serde_yaml::from_str(yaml).unwrap());
        read.unwrap_err().to_string()
    };
    assert!(wrong("{ type: number, order: [a] }").contains("belongs to columns of type category"));
    assert!(wrong("{ kind: number }").contains("unknown key `kind`"));
    assert!(wrong("text").contains("unknown value `text`"));
}

#[test]
fn gaps_are_kept_dropped_or_refused() {
    let load =
        |missing| load_text(MIXED, |spec| (spec.y, spec.missing) = (names("species"), missing));
    let dropped = load(MissingValue::Drop).unwrap().train;
    assert_eq!(dropped.kept, [0, 4, 5, 6, 7, 8, 9]);
    assert!(dropped.x_columns.iter().all(|column| !column.missing));
    assert_eq!(
        message_of(load(MissingValue::Error)),
        "line 3: column `income`: the cell holds `NA`; fill it, or leave such rows out with \
         data.missing=drop"
    );
    // A row without y is of no use.
    let text = "a,y\n1,0.5\n2,\n3,0.25\n";
    let train = load_text(text, |_| ()).unwrap().train;
    assert_eq!((train.kept, train.y.unwrap().size()), (vec![0, 2], vec![2, 1]));
    // Markers replace the usual ones.
    let text = "a,b\n-999,x\n1,-\n2,x\n";
    let train = load_text(text, |spec| spec.markers = texts(&["-999"])).unwrap().train;
    assert_eq!(train.x_columns.iter().map(|c| c.missing).collect::<Vec<_>>(), [true, false]);
    assert_eq!(train.x_columns[1].names().unwrap(), ["-", "x"]);
}

#[test]
fn a_single_y_of_categories_is_labels_and_of_numbers_is_numbers() {
    let train = |text: &str, labels| load_text(text, |spec| spec.labels = labels).unwrap().train;
    let column = |cells: &[&str]| {
        let rows = cells.iter().enumerate().map(|(i, cell)| format!("{i},{cell}\n"));
        format!("x,y\n{}", rows.collect::<String>())
    };
    let twelve = |pair: [&str; 2]| column(&[pair[0], pair[1]].repeat(6));
    let signs = train(&twelve(["-1", "1"]), None);
    assert_eq!(labels(&signs.y.unwrap())[..2], [-1, 1]);
    let bools = train(&twelve(["True", "False"]), None);
    assert_eq!((labels(&bools.y.unwrap())[0], bools.classes), (1, texts(&["False", "True"])));
    let three = column(&["1", "2", "3", "1"]);
    assert_eq!(train(&three, None).y.unwrap().size(), [4, 1]);
    assert_eq!(labels(&train(&three, Some(true)).y.unwrap()), [1, 2, 3, 1]);
    let zips = column(&["02134", "10115", "02134", "10115"]);
    assert_eq!(train(&zips, None).classes, ["02134", "10115"]);
    let numbers = train(&twelve(["-1", "1"]), Some(false));
    assert_eq!(numbers.y.unwrap().size(), [12, 1]);
    // Several columns of y may be of any type.
    let text = "a,b,c\n1.5,u,2\n2.5,v,3\n3.5,u,4\n";
    let train = load_text(text, |spec| spec.y = names("b,c")).unwrap().train;
    assert_eq!(rows(&train.y.unwrap()), [[0.0, 2.0], [1.0, 3.0], [0.0, 4.0]]);
    assert_eq!(names_of(&train.y_columns), ["b", "c"]);
}

#[test]
fn what_identifies_rows_is_refused_or_passed_over() {
    let row = |i: usize| format!("{i},name {i},{},{},,z\n", i % 7, (i * 37) % 101);
    let text = format!("id,name,a,b,empty,same\n{}", (1..60).map(row).collect::<String>());
    let refused = message_of(load_text(&text, |_| ()));
    assert_eq!(
        refused,
        "column `name` holds 59 different texts in 59 rows, such as `name 1`: leave the column out \
         (type `ignore`), or make it a category all the same (type `category`) in \
         data.columns.name"
    );
    let ignore = |spec: &mut Table| {
        spec.columns.insert("name".to_owned(), options("ignore"));
    };
    let train = load_text(&text, ignore).unwrap().train;
    assert_eq!(names_of(&train.x_columns), ["a", "b", "same"]);
    let all = |spec: &mut Table| {
        spec.columns.insert("name".to_owned(), options("category"));
        spec.columns.insert("id".to_owned(), options("integer"));
    };
    let train = load_text(&text, all).unwrap().train;
    assert_eq!(names_of(&train.x_columns), ["id", "name", "a", "b", "same"]);
    let nearly = format!("a,b\n{}", (0..60).map(|i| format!("{i}.5,{i}\n")).collect::<String>());
    let nearly = nearly.replace("\n7.5,", "\nn.a.,");
    let message = message_of(load_text(&nearly, |_| ()));
    let start =
        "column `a`: its cells are texts: 59 of 60 cells are numbers, but line 9 holds `n.a.`";
    assert!(message.starts_with(start), "{message}");
}

#[test]
fn sides_of_numbers_are_plain_columns() {
    let train = load_shared("columns_a.csv", |_| ()).unwrap().train;
    assert!(train.x_columns.iter().chain(&train.y_columns).all(TableColumn::is_plain));
    // Without names there are no columns.
    let train = load_text("1.5,2.5\n3,4\n", |_| ()).unwrap().train;
    assert!(train.x_columns.is_empty() && train.order.is_empty());
    let train = load_text("1.5,a\n3,b\n4,a\n", |_| ()).unwrap().train;
    assert_eq!(names_of(&train.x_columns), ["x0", "x1"]);
}

/// An experiment whose data source is a table with these keys.
fn experiment(sets: &[&str]) -> Experiment {
    triflow_plugins::link();
    let mut layers = Layers::new().unwrap();
    for set in [&["device=cpu", "data.type=table"], sets].concat() {
        layers.set_text(set).unwrap();
    }
    layers.finish().unwrap()
}

#[test]
fn keys_name_one_column_without_brackets_and_types_one_by_one() {
    let trained = experiment(&["data.path=a.csv", "data.y=species", "data.columns.id=ignore"]);
    let text = serde_yaml::to_string(&trained).unwrap();
    assert!(text.contains("  y:\n  - species\n"), "{text}");
    assert!(text.contains("  columns:\n    id: ignore\n"), "{text}");
}

#[test]
fn a_later_file_has_the_types_and_codes_of_the_training_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, MIXED).unwrap();
    let splits =
        load(Table { y: names("species"), ..Table::new(path.to_str().unwrap()) }, Path::new(""));
    let splits = splits.unwrap();
    let decided: Vec<String> =
        splits.decided.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    let decided = decided.join("");
    assert!(
        decided.contains("blood: flag\n") && decided.contains("species: category"),
        "{decided}"
    );
    assert!(decided.contains("format: '%Y-%m-%d'"), "{decided}");
    let mut later = experiment(&[&format!("data.path={}", path.display())]);
    later.data = later.data.with_keys(&splits.decided).unwrap();
    // Other order of columns, other categories, fewer rows.
    let file = folder.path().join("b.csv");
    let text = "level,town,blood,smoker,income,age,since\nmid,Ulm,1.0,yes,5,77,2020-01-01\n";
    std::fs::write(&file, text).unwrap();
    let mut table = read_columns(&later, &file, &[Part::X]).unwrap();
    table.align_columns(Part::X, &splits.train.x_columns).unwrap();
    let row = &rows(table.x.as_ref().unwrap())[0];
    assert_eq!(row, &[77.0, 5.0, 1.0, 2.0, 18_262.0 * 86_400.0, 1.0, 2.0]);
}

#[test]
fn rows_of_a_table_are_written_as_they_were_read() {
    let folder = tempfile::tempdir().unwrap();
    let names_of_y = |spec: &mut Table| spec.y = names("species");
    let written = |text: &str, file: &str| {
        let path = folder.path().join(file);
        write_rows(&path, &load_text(text, names_of_y).unwrap()).unwrap();
        path
    };
    let csv = std::fs::read_to_string(written(MIXED, "d.csv")).unwrap();
    // Numbers have as many decimals as the longest; a marker is a missing cell.
    let expected = MIXED.replace("NA", "").replace('?', "");
    let expected = expected.lines().map(|line| {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        if let Ok(income) = cells[1].parse::<f64>() {
            cells[1] = format!("{income:.2}");
        }
        cells.join(",")
    });
    assert_eq!(csv.lines().collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let parquet = written(MIXED, "d.parquet");
    let mut spec = Table::new(parquet.to_str().unwrap());
    names_of_y(&mut spec);
    let read = load(spec, Path::new("")).unwrap().train;
    let own = load_text(MIXED, names_of_y).unwrap().train;
    for (read, own) in read.x_columns.iter().zip(&own.x_columns) {
        // A text has no type in which numbers are held.
        let read = TableColumn { storage: own.storage.clone(), ..read.clone() };
        assert_eq!(read, *own);
    }
    assert_eq!((read.order, read.classes), (own.order, own.classes));
}

/// A file `d` of the text, and its every column, written again as text.
fn whole(text: &str, change: impl FnOnce(&mut Table), texts: bool) -> String {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.csv");
    std::fs::write(&path, text).unwrap();
    let mut spec = Table::new(path.to_str().unwrap());
    change(&mut spec);
    let spec: Component<dyn DataSource> = spec.into();
    let source = spec.build(&DataContext::new(1, "")).unwrap();
    let columns = source.read_whole(&path, texts).unwrap().unwrap();
    let out = folder.path().join("out.csv");
    Written::of(&columns).unwrap().write(&out).unwrap();
    std::fs::read_to_string(out).unwrap()
}

#[test]
fn every_column_of_a_file_can_be_written_again_as_it_was() {
    let text = ",id,a,born,note\n1,007,1.50,2001-12-31,\"x, y\"\n2,010,2.5,,NA\n3,11,NA,?,\n";
    let change = |spec: &mut Table| {
        spec.columns = [("id", "ignore"), ("note", "ignore")]
            .map(|(name, kind)| (name.to_owned(), options(kind)))
            .into();
    };
    assert_eq!(whole(text, change, true), text);
    // By their types, only what a type does not hold is lost.
    let typed = ",id,a,born,note\n1,007,1.50,2001-12-31,\"x, y\"\n2,010,2.50,,\n3,11,,,\n";
    assert_eq!(whole(text, change, false), typed);
    // Whole numbers that float64 does not hold are texts.
    let large = "a,id\n1,9007199254740993\n2,9007199254740995\n";
    let ignored = |spec: &mut Table| {
        spec.columns = [("id".to_owned(), options("ignore"))].into();
    };
    assert_eq!(whole(large, ignored, false), large);
    // Columns without names have those of x and y, or their number.
    let change = |spec: &mut Table| {
        (spec.x, spec.y) =
            (ColumnList(vec![Column::Number(2)]), ColumnList(vec![Column::Number(0)]));
    };
    assert_eq!(whole("1,2,3\n4,5,6\n", change, true), "y,1,x\n1,2,3\n4,5,6\n");
}

/// Rows of a number and a letter, of which some cells are others.
fn numbers_but(odd: &[&str]) -> String {
    let row = |i: usize| format!("{}.{},{}\n", 30 + i, i % 10, ["a", "b"][i % 2]);
    let odd: String = odd.iter().map(|cell| format!("{cell},a\n")).collect();
    format!("size,kind\n{}{odd}", (0..40).map(row).collect::<String>())
}

#[test]
fn a_column_of_nearly_all_numbers_says_which_cells_are_none() {
    let error = message_of(load_text(&numbers_but(&["39.x1"]), |_| {}));
    assert_eq!(
        error,
        "column `size`: its cells are texts: 40 of 41 cells are numbers, but line 42 holds \
         `39.x1`; fix it, or add it to `markers` if it stands for a missing value; or make it a \
         category, or leave it out (type `category`, `ignore`) in data.columns.size"
    );
    // The column is a category if each number occurs often enough.
    let text = numbers_but(&["39.x1"]);
    let twice =
        text.clone() + &text.lines().skip(1).map(|l| l.to_owned() + "\n").collect::<String>();
    let splits = load_text(&twice, |_| {}).unwrap();
    assert!(matches!(splits.train.x_columns[0].kind, CellType::Category { .. }));
    load_text(&text, |spec| spec.markers = texts(&["39.x1"])).unwrap();
}

#[test]
fn contradictions_in_the_options_of_columns_are_refused() {
    let error = message_of(load_text(MIXED, |spec| {
        spec.y = names("species");
        spec.columns.insert("species".to_owned(), options("ignore"));
    }));
    assert!(error.contains("column `species` is both y and ignored"), "{error}");
    let quantile = load_text(MIXED, |spec| {
        spec.columns.insert("town".to_owned(), options("{ scaling: quantile }"));
    });
    let error = quantile.err().unwrap().to_string();
    assert!(error.contains("is a category, which is not scaled"), "{error}");
    for (yaml, part) in [
        ("{ order: [a, b, a] }", "`a` occurs twice"),
        ("{ order: [] }", "needs the names of the categories"),
        ("{ type: category, scaling: quantile }", "belongs to columns of type number"),
    ] {
        let read: Result<ColumnOptions> =
            triflow::registry::Parameter::read(&serde_yaml::from_str(yaml).unwrap());
        let error = read.unwrap_err().to_string();
        assert!(error.contains(part), "{yaml}: {error}");
    }
    let error = load_text("a,b\n1,2\n3,4\n", |spec| spec.comment = Some("//".to_owned()));
    assert!(error.err().unwrap().to_string().contains("needs a single sign such as '#'"));
}

#[test]
fn the_column_that_orders_rows_in_time_has_its_own_format() {
    let text = "when,a\n\"Apr 01, 2019\",1\n\"Jan 05, 2018\",2\n\"May 30, 2020\",3\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("d.csv"), text).unwrap();
    let mut spec = Table::new("d.csv");
    spec.columns.insert("when".to_owned(), options("{ format: '%b %d, %Y' }"));
    triflow_plugins::link();
    let spec: Component<dyn DataSource> = spec.into();
    let mut context = DataContext::new(1, folder.path());
    context.split_column = Some("when".to_owned());
    let split = spec.build(&context).unwrap().load().unwrap().train.split.unwrap();
    assert!(matches!(split.column.kind, CellType::Time { .. }));
    assert!(split.cells[1] < split.cells[0] && split.cells[0] < split.cells[2]);
}
