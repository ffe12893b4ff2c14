//! Rows of tables as a model sees them: encoded, drawn, saved.

use crate::common::values;
use triflow::Experiment;
use triflow::data::{Data, Units};
use triflow::prelude::*;
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{Device, Kind};

const OPTIONS: (Kind, Device) = (Kind::Float, Device::Cpu);
const N: i64 = 400;

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

/// Columns of each type, two of them with gaps, one scaled by its quantiles.
fn columns() -> Vec<TableColumn> {
    let number = |decimals| CellType::Number { decimals };
    let gappy = |column: TableColumn| TableColumn { missing: true, ..column };
    vec![
        TableColumn::category("kind", names(&["red", "green", "blue"])),
        TableColumn::number("mass"),
        gappy(TableColumn::new("count", number(Some(0)))),
        gappy(TableColumn::category("place", names(&["here", "there"]))),
        TableColumn { scaling: Scaling::Quantile, ..TableColumn::new("price", number(Some(2))) },
        TableColumn::new("day", CellType::Time { format: "%Y-%m-%d".into() }),
        TableColumn::new("paid", CellType::Flag { names: ["no", "yes"].map(str::to_owned) }),
    ]
}

/// A table of these columns: `mass` is ten times the code of `kind`, with noise.
fn table() -> Tensor {
    let options = (Kind::Double, Device::Cpu);
    let uniform = || Tensor::rand([N], options);
    let kind = (uniform() * 3.0).floor();
    let mass = &kind * 10.0 + Tensor::randn([N], options);
    let gaps = |cells: Tensor| cells.masked_fill(&uniform().lt(0.25), f64::NAN);
    let columns = [
        kind,
        mass,
        gaps((uniform() * 50.0).floor()),
        gaps((uniform() * 2.0).floor()),
        ((Tensor::randn([N], options) * 2.0).exp() * 100.0).round() / 100.0,
        (uniform() * 10_000.0).floor() * 86_400.0,
        uniform().lt(0.3).to_kind(Kind::Double),
    ];
    Tensor::stack(&columns, 1)
}

fn experiment(settings: &[&str]) -> Experiment {
    let mut layers = triflow::config::Layers::new().unwrap();
    for setting in
        ["task=generation", "unconditional=true", "training.seed=3"].iter().chain(settings)
    {
        layers.set_text(setting).unwrap();
    }
    layers.finish().unwrap()
}

fn load(experiment: &Experiment) -> (Data, Units, Tensor) {
    let _stream = seed_torch(7, Purpose::Data, 0);
    let x = table();
    let train = Columns { x: Some(x.shallow_clone()), x_columns: columns(), ..Columns::default() };
    let splits = Splits { train, ..Splits::default() };
    let (data, units) = Data::from_splits(experiment, splits, OPTIONS).unwrap();
    (data, units, x)
}

fn same_rows(a: &Tensor, b: &Tensor) {
    let sorted = |t: &Tensor| {
        let mut rows: Vec<Vec<String>> = values(t)
            .chunks(t.size()[1] as usize)
            .map(|row| row.iter().map(|cell| format!("{cell:.6}")).collect())
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(sorted(a), sorted(b));
}

#[test]
fn the_rows_that_a_model_sees_lead_back_to_the_table() {
    let experiment = experiment(&["data.split={train: 1, val: 0, test: 0}"]);
    let (data, units, table) = load(&experiment);
    let batch = data.train.all().unwrap();
    assert_eq!(batch.target.size(), [N, 3 + 1 + 3 + 4 + 1 + 1 + 2]);
    assert_eq!(units.shapes.target, [15]);
    let own = units.target.undo(&batch.target);
    // 1,000 quantiles of 320 rows are exact; `mass` is not rounded, and float32 in between.
    let drawn = units.table(&own);
    let column = |t: &Tensor, i: i64| t.select(1, i);
    assert!(column(&drawn, 1).isfinite().all().int64_value(&[]) == 1);
    let index = Tensor::from_slice(&[0_i64, 2, 3, 4, 5, 6]);
    same_rows(&drawn.index_select(1, &index), &table.index_select(1, &index));
    // Rows of data stay as they are.
    assert!(units.as_data(own.shallow_clone()).allclose(&own, 1e-5, 1e-6, false));
    let numbers = batch.target.select(1, 3);
    assert!(numbers.mean(Kind::Double).double_value(&[]).abs() < 1e-5);
}

#[test]
fn units_of_a_table_are_saved_with_its_types_and_quantiles() {
    let (data, units, _) = load(&experiment(&[]));
    let (tensors, text) = units.to_parts().unwrap();
    let find = |name: &str| {
        let found = tensors.iter().find(|(own, _)| own == name).map(|(_, t)| t.shallow_clone());
        found.ok_or_else(|| Error::runtime(format!("no {name}")))
    };
    let again = Units::from_parts(find, &text, OPTIONS).unwrap();
    assert_eq!(again.names.target, columns());
    let rows = data.train.all().unwrap().target;
    assert_eq!(again.target.undo(&rows), units.target.undo(&rows));
    let damaged = |name: &str| match name {
        "units.target.quantiles" => Ok(find(name)?.neg()),
        _ => find(name),
    };
    let error = Units::from_parts(damaged, &text, OPTIONS).unwrap_err().to_string();
    assert!(error.contains("the quantiles do not fit"), "{error}");
}

#[test]
fn another_file_gets_the_codes_of_the_training_rows_by_name() {
    let experiment = experiment(&[]);
    let (_, units, _) = load(&experiment);
    let mut other = columns();
    other.swap(0, 1);
    other[1] = TableColumn::category("kind", names(&["blue", "grey", "red"]));
    let row = [5.0, 0.0, 1.0, f64::NAN, 2.5, 0.0, 1.0];
    let x = Tensor::from_slice(&[row, row, row].concat()).view([3, 7]);
    let _ = x.select(1, 1).copy_(&Tensor::from_slice(&[0.0, 1.0, 2.0]));
    let further = Columns { x: Some(x), x_columns: other, ..Columns::default() };
    let rows = units.rows(further, &experiment).unwrap().target;
    let kinds: Vec<f64> = values(&rows.narrow(1, 0, 3));
    assert_eq!(kinds, [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    let without_kind = Columns {
        x: Some(Tensor::zeros([1, 6], (Kind::Double, Device::Cpu))),
        x_columns: columns()[1..].to_vec(),
        ..Columns::default()
    };
    let error = units.rows(without_kind, &experiment).unwrap_err().to_string();
    assert!(error.starts_with("there is no column `kind`"), "{error}");
}
