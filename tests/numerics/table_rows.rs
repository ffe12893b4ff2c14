//! Rows of tables as a model sees them: encoded, drawn, saved.

use crate::common::values;
use triflow::data::{Data, Units};
use triflow::measure::likelihood;
use triflow::prelude::*;
use triflow::rng::Streams;
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{Device, Kind};
use triflow::train::{Control, Trainer};
use triflow::{Experiment, Trained};

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
    let _stream = seed_torch(7, Purpose::Data, 0);
    drawn_table()
}

/// The same, from the stream that is held.
fn drawn_table() -> Tensor {
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
    let x = drawn_table();
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
    x.select(1, 1).copy_(&Tensor::from_slice(&[0.0, 1.0, 2.0]));
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

/// A model of `kind` and `mass` that is given some of its cells in training.
fn filling_in(objective: &str) -> Trained {
    triflow_plugins::link();
    // By the variational bound, predicted data hardly follow the condition where noise is strong.
    let weighting = if objective == "ct" { "loss.weighting=field" } else { "loss.reg_weight=0" };
    let experiment = experiment(&[
        &format!("objective={objective}"),
        weighting,
        "device=cpu",
        "data.split={train: 1, val: 0, test: 0}",
        "training={steps: 2500, batch_size: 128, mask_columns: 0.8, ema: 0.995}",
        "training.optimizer={type: adam, learning_rate: 2e-3}",
        "crn.network={type: mlp, hidden_dims: [128, 128]}",
    ]);
    let _stream = seed_torch(7, Purpose::Data, 0);
    let index = Tensor::from_slice(&[0_i64, 1, 2]);
    let train = Columns {
        x: Some(drawn_table().index_select(1, &index)),
        x_columns: columns()[..3].to_vec(),
        ..Columns::default()
    };
    let mut trainer =
        Trainer::with_tables(experiment, Splits { train, ..Splits::default() }).unwrap();
    trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
    trainer.into_trained()
}

#[test]
fn missing_cells_are_drawn_given_the_others_whatever_the_network_predicts() {
    for objective in ["flow_matching", "diffusion", "ct"] {
        let mut model = filling_in(objective);
        let nan = f64::NAN;
        // For each kind a row without mass, and for each mass a row without kind.
        let rows = [0.0, nan, nan, 1.0, nan, nan, 2.0, nan, nan];
        let rows = [&rows[..], &[nan, 0.0, 7.0, nan, 10.0, nan, nan, 20.0, 3.0]].concat();
        let x = Tensor::from_slice(&rows).view([6, 3]);
        let asked = |x: &Tensor| Columns {
            x: Some(x.copy()),
            x_columns: columns()[..3].to_vec(),
            ..Columns::default()
        };
        let drawn = model.impute(asked(&x), 40, &Streams::new(1, 0)).unwrap();
        let draws = &drawn.draws;
        assert_eq!(draws.len(), 40);
        let all = Tensor::stack(draws, 0);
        assert_eq!(all.isfinite().all().int64_value(&[]), 1);
        let known = x.isnan().logical_not();
        assert_eq!(all.get(3).masked_select(&known), x.masked_select(&known));
        let means = values(&all.mean_dim([0].as_slice(), false, Kind::Double));
        for kind in 0..3 {
            let mass = means[3 * kind + 1];
            assert!((mass - 10.0 * kind as f64).abs() < 2.0, "{objective}: {kind} {mass}");
            let right = all.select(1, 3 + kind as i64).select(1, 0).eq(kind as f64);
            let share = right.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
            assert!(share > 0.8, "{objective}: {kind} {share}");
        }
        let (cells, spread) = drawn.summary(&columns()[..3]);
        assert!(spread.isnan().equal(&known));
        assert_eq!(cells.masked_select(&known), x.masked_select(&known));
        let kind = cells.get(4).double_value(&[0]);
        let others = all.select(1, 4).select(1, 0).ne(kind).to_kind(Kind::Double);
        let share = others.mean(Kind::Double).double_value(&[]);
        assert!((spread.get(4).double_value(&[0]) - share).abs() < 1e-12);
        let mass = all.select(1, 0).select(1, 1).std(true).double_value(&[]);
        assert!((spread.get(0).double_value(&[1]) - mass).abs() < 1e-9);
        // A draw depends on its row alone.
        let alone = model.impute(asked(&x.narrow(0, 0, 2)), 1, &Streams::new(1, 0)).unwrap();
        assert!(alone.draws[0].allclose(&draws[0].narrow(0, 0, 2), 1e-4, 1e-4, false));
        // The model still draws whole rows.
        let drawn = model.sample(&[600], None, 5).unwrap();
        let table = model.units().table(&drawn);
        let gaps = table.select(1, 2).isnan().to_kind(Kind::Double).mean(Kind::Double);
        assert!((gaps.double_value(&[]) - 0.25).abs() < 0.08, "{objective}: {gaps}");
    }
}

#[test]
fn a_projection_holds_for_numbers_that_are_scaled_by_their_quantiles() {
    triflow_plugins::link();
    let settings = experiment(&[
        "training.steps=1",
        "crn.network={type: mlp, hidden_dims: [8]}",
        "sampling.projection={type: clamp, low: 2, high: 5}",
    ]);
    let train = Columns {
        x: Some(table().narrow(1, 4, 1)),
        x_columns: columns()[4..5].to_vec(),
        ..Columns::default()
    };
    let mut trainer =
        Trainer::with_tables(settings, Splits { train, ..Splits::default() }).unwrap();
    trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
    let mut model = trainer.into_trained();
    let drawn = values(&model.sample(&[200], Some(5), 1).unwrap());
    // float32 moves a price by a cent.
    assert!(drawn.iter().all(|price| (1.985..5.015).contains(price)), "{drawn:?}");
    assert!(drawn.contains(&2.0) && drawn.contains(&5.0));
}

#[test]
fn rows_with_categories_have_no_likelihood() {
    triflow_plugins::link();
    let settings = experiment(&["training.steps=1", "crn.network={type: mlp, hidden_dims: [8]}"]);
    let train = Columns { x: Some(table()), x_columns: columns(), ..Columns::default() };
    let mut trainer =
        Trainer::with_tables(settings, Splits { train, ..Splits::default() }).unwrap();
    let (model, data) = trainer.trained_mut();
    let solver = model.experiment().sampling.solver.clone();
    let options = likelihood::Options { solver: &solver, steps: 4, probes: 1, draws: 1, seed: 1 };
    let rows = data.train.first(4).unwrap();
    let error = likelihood::measure(model, &rows, &options).unwrap_err().to_string();
    assert!(error.starts_with("no likelihood: rows with categories"), "{error}");
}

#[test]
fn only_a_model_that_was_given_cells_fills_them_in() {
    triflow_plugins::link();
    let mut settings = experiment(&["crn.network={type: mlp, hidden_dims: [8]}"]);
    settings.training.steps = Some(1);
    let train = Columns { x: Some(table()), x_columns: columns(), ..Columns::default() };
    let mut trainer =
        Trainer::with_tables(settings, Splits { train, ..Splits::default() }).unwrap();
    trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
    let mut model = trainer.into_trained();
    let rows = Columns { x: Some(table()), x_columns: columns(), ..Columns::default() };
    let error = model.impute(rows, 1, &Streams::new(1, 0)).unwrap_err().to_string();
    assert!(error.contains("train one with `training.mask_columns: 0.5`"), "{error}");
}
