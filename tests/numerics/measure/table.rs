//! Metrics of models whose data have named columns.

use super::{N, floor, mean, measured, model_of, normal};
use triflow::Trainer;
use triflow::component::Columns;
use triflow::measure::{Catalogue, Evaluation, GivenRows, Options, evaluate_given};
use triflow::metrics::table::{
    DrawnRows, TableLearner, column_pairs, column_shapes, efficacy, mean_of_defined, missing_cells,
    pair_trends,
};
use triflow::prelude::*;
use triflow::tch::{Device, Kind};

triflow::component! {
    /// Mean of the held-out cells of a column, and 1000 times the sum of the bytes of its names.
    pub struct Seen: Metric = "seen" {
        /// Name of the column.
        pub column: String,
    }
}

impl Spec<dyn Metric> for Seen {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for Seen {
    fn info(&self) -> Result<MetricInfo> {
        let info = MetricInfo::of_tables("seen", triflow::metrics::Better::None);
        Ok(MetricInfo { on_request: true, ..info })
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let rows = input.table()?.held_out;
        let Some(place) = rows.columns.iter().position(|c| c.name == self.column) else {
            return Ok(None);
        };
        let there: Vec<f64> = rows.column(place).filter(|cell| !cell.is_nan()).collect();
        let names = rows.columns[place].names().unwrap_or_default().concat();
        let bytes = names.bytes().map(f64::from).sum::<f64>();
        Ok(Some(triflow::metrics::mean(&there) + 1000.0 * bytes))
    }
}

fn words<const N: usize>(all: [&str; N]) -> [String; N] {
    all.map(str::to_owned)
}

/// A number, a category with gaps and a flag, all of which depend on a label with three classes.
fn columns() -> Columns {
    let label = Tensor::arange(2 * N, (Kind::Int64, Device::Cpu)).remainder(3);
    let mass = normal(&[2 * N], 1).to_kind(Kind::Double) + &label * 2;
    let gap = normal(&[2 * N], 2).gt(1.0);
    let kind = (&label + normal(&[2 * N], 3).gt(0.5)).remainder(3).to_kind(Kind::Double);
    let kind = kind.masked_fill(&gap, f64::NAN);
    let wild = mass.gt(2.0).to_kind(Kind::Double);
    let kinds = TableColumn::category("kind", words(["red", "green", "blue"]).to_vec());
    Columns {
        x: Some(Tensor::stack(&[mass, kind, wild], 1)),
        x_columns: vec![
            TableColumn::new("mass", CellType::Number { decimals: Some(2) }),
            TableColumn { missing: true, ..kinds },
            TableColumn::new("wild", CellType::Flag { names: words(["no", "yes"]) }),
        ],
        y: Some(label),
        y_columns: vec![TableColumn::number("species")],
        classes: words(["A", "B", "C"]).to_vec(),
        ..Columns::default()
    }
}

/// Cells of an array of an evaluation, beside the labels of its conditions if `labelled`.
fn cells(trainer: &Trainer, evaluation: &Evaluation, name: &str, labelled: bool) -> Vec<f64> {
    let array = |name: &str| &evaluation.arrays.iter().find(|(n, _)| n == name).unwrap().1;
    let mut sides = vec![trainer.trained().units().table(array(name))];
    if labelled {
        let labels = array("condition").argmax(-1, true);
        sides.push(labels.to_kind(Kind::Double));
    }
    Vec::try_from(Tensor::cat(&sides, 1).reshape([-1])).unwrap()
}

#[test]
fn rows_of_a_table_are_measured_beside_their_conditions() {
    for labelled in [true, false] {
        let yaml = format!("task: generation, unconditional: {}", !labelled);
        let mut trainer = model_of(&yaml, columns());
        let evaluation = measured(&mut trainer, &Options { draws: 1, ..Options::default() });
        let all = columns();
        let label = TableColumn::category("species", all.classes);
        let schema: Vec<_> = all.x_columns.into_iter().chain(labelled.then_some(label)).collect();
        let [made, real] =
            ["samples", "real"].map(|name| cells(&trainer, &evaluation, name, labelled));
        let rows = |values| TableRows { columns: &schema, values };
        let (made, real) = (rows(&made), rows(&real));
        assert_eq!((made.len(), real.len()), (1000, 1000));
        let close = |metric: &str, expected: Option<f64>| {
            let (found, expected) = (mean(&evaluation, metric), expected.unwrap());
            assert!((found - expected).abs() < 1e-9, "{metric}: {found} {expected}");
        };
        let shapes = column_shapes(real, made).unwrap();
        close("column_shapes", mean_of_defined(shapes.into_iter().take(3)));
        let pairs = column_pairs(schema.len(), 3, 100, 0);
        let trends = pair_trends(real, made, &pairs).unwrap();
        close("pair_trends", mean_of_defined(trends.iter().map(|trend| trend.similarity)));
        let (there, gone) = missing_cells(real, made).unwrap()[1];
        assert!(there > 0.1);
        close("missing_cells", Some((there - gone).abs()));
        for metric in ["column_shapes", "pair_trends", "detection"] {
            let (score, floor) = (mean(&evaluation, metric), floor(&evaluation, metric));
            assert!(0.0 <= score && score < floor && floor <= 1.0, "{metric}: {score} {floor}");
        }
        // Other rows than those that they are compared with.
        assert!(floor(&evaluation, "column_shapes") < 1.0);
        assert_eq!(floor(&evaluation, "closest_record"), 1.0);
        assert!(mean(&evaluation, "closest_record") > 1.1);
        match labelled {
            true => {
                close("efficacy", efficacy(made, real, 3, TableLearner::Linear).unwrap());
                // Samples of the network know no label.
                let gap = mean(&evaluation, "efficacy_gap");
                assert!(gap > 0.2 && floor(&evaluation, "efficacy_gap").abs() < 0.1, "{gap}");
                assert!(floor(&evaluation, "efficacy") > mean(&evaluation, "efficacy") + 0.2);
            }
            false => assert!(evaluation.scores.get("efficacy").is_none()),
        }
    }
}

#[test]
fn efficacy_predicts_the_column_that_it_names() {
    let extra = "metrics: { extra: [{ type: efficacy, target: mass, name: of_mass }] }";
    let yaml = format!("task: generation, unconditional: true, {extra}");
    let mut trainer = model_of(&yaml, columns());
    let evaluation = measured(&mut trainer, &Options { draws: 1, ..Options::default() });
    let [made, real] = ["samples", "real"].map(|name| cells(&trainer, &evaluation, name, false));
    let schema = columns().x_columns;
    let rows = |values| TableRows { columns: &schema, values };
    let expected = efficacy(rows(&made), rows(&real), 0, TableLearner::Linear).unwrap().unwrap();
    assert!((mean(&evaluation, "of_mass") - expected).abs() < 1e-9);
}

#[test]
fn a_metric_without_a_column_to_predict_is_refused_before_it_is_measured() {
    let refused = |metric: &str, unconditional: bool| {
        let extra = format!("metrics: {{ extra: [{{ type: {metric} }}] }}");
        let yaml = format!("task: generation, unconditional: {unconditional}, {extra}");
        let trainer = model_of(&yaml, columns());
        Catalogue::of_model(trainer.trained()).err().map(|e| e.to_string()).unwrap_or_default()
    };
    let error = refused("efficacy, target: mas", true);
    for part in ["there is no column `mas`", "did you mean `mass`?", "metrics.extra[0].target"] {
        assert!(error.contains(part), "{error}");
    }
    let error = refused("efficacy_gap", true);
    assert!(error.contains("no column to predict is named"), "{error}");
    assert_eq!(refused("efficacy", false), "");
}

#[test]
fn predictions_of_several_types_have_errors_by_column() {
    let y = columns();
    let table = Columns {
        x: Some(normal(&[2 * N, 2], 5)),
        y: y.x.map(|y| y * Tensor::from_slice(&[1000.0, 1.0, 1.0])),
        y_columns: y.x_columns,
        ..Columns::default()
    };
    let mut trainer = model_of("task: regression", table);
    let evaluation = measured(&mut trainer, &Options { draws: 1, ..Options::default() });
    let json = evaluation.to_json();
    let made = evaluation.predictions.as_ref().unwrap();
    let units = trainer.trained().units();
    let (truth, predicted) = (units.table(&made.truth), units.table(&made.mean));
    let all = |t: Tensor| t.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
    let same = truth.eq_tensor(&predicted).logical_or(&(truth.isnan() * predicted.isnan()));
    let close = |column: &str, figure: &str, expected: f64| {
        let found = json["columns"][column][figure].as_f64().unwrap();
        assert!((found / expected - 1.0).abs() < 1e-4, "{column} {figure}: {found} {expected}");
    };
    close("kind", "accuracy", all(same.select(1, 1)));
    close("wild", "error_rate", 1.0 - all(same.select(1, 2)));
    let error = made.truth.select(1, 0).to_kind(Kind::Double) - made.mean.select(1, 0);
    close("mass", "rmse", all(error.square()).sqrt());
    close("mass", "mae", all(error.abs()));
    assert!(json["columns"]["mass"]["rmse"].as_f64().unwrap() > 500.0);
    // Over all entries, numbers count in standard deviations.
    assert!(mean(&evaluation, "mse") < 2.0, "{json:#}");
    assert_eq!(json["units"], "standardised (columns of several types)");
}

#[test]
fn given_rows_are_measured_as_if_the_model_had_drawn_them() {
    let mut trainer = model_of("task: generation", columns());
    let options = Options { draws: 1, ..Options::default() };
    let evaluation = measured(&mut trainer, &options);
    let made = Tensor::from_slice(&cells(&trainer, &evaluation, "samples", true)).view([1000, 4]);
    let (trained, data) = trainer.trained_mut();
    let held = data.held_out(1000).unwrap();
    let given = |made: &Tensor| {
        let x = Some(made.narrow(1, 0, 3));
        let y = Some(made.select(1, 3).to_kind(Kind::Int64));
        let rows = trained.units().rows(Columns { x, y, ..columns() }, trained.experiment());
        GivenRows { name: "other.csv".to_owned(), rows: rows.unwrap() }
    };
    // Each of two draws gets every second row.
    let twice = given(&made.repeat_interleave_self_int(2, 0, None::<i64>));
    let (once, few) = (given(&made), given(&made.narrow(0, 0, 90)));
    let mut evaluated = |given, draws| {
        evaluate_given(trained, &held, given, &Options { draws, ..Options::default() }).unwrap()
    };
    for (found, draws) in [(evaluated(&once, 3), 1), (evaluated(&twice, 2), 2)] {
        for (metric, score) in evaluation.scores.iter() {
            // A further draw is compared with further held-out rows.
            let (score, found) = (score.mean, found.scores.get(metric).unwrap().values[0]);
            assert!((score - found).abs() < 1e-5, "{metric}: {score} {found}");
        }
        let sampling = &found.to_json()["sampling"];
        assert_eq!((&sampling["file"], &sampling["n"]), (&"other.csv".into(), &1000.into()));
        assert_eq!((&sampling["draws"], found.cost.samples), (&draws.into(), 0));
    }
    assert_eq!(evaluated(&few, 5).to_json()["sampling"]["n"], 90);
}

#[test]
fn rows_are_not_given_to_a_model_that_predicts() {
    let mut trainer = model_of("task: regression", columns());
    let (trained, data) = trainer.trained_mut();
    let held = data.held_out(20).unwrap();
    let given = GivenRows { name: "other.csv".to_owned(), rows: held.rows.first(20) };
    let error = evaluate_given(trained, &held, &given, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("this run predicts"), "{error}");
}

/// The value of a metric of hand-made tables.
fn value_of(yaml: &str, table: Tables<'_>) -> Option<f64> {
    triflow_plugins::link();
    let metric: Component<dyn Metric> = serde_yaml::from_str(yaml).unwrap();
    let metric =
        metric.build(&MetricContext { device: Device::Cpu, shape: None, columns: None }).unwrap();
    let input = MetricInput { table: Some(table), ..MetricInput::new(Goal::Generation, &[], 1) };
    metric.measure(&input).unwrap()
}

fn tables<'a>(
    columns: &'a [TableColumn],
    [generated, held_out, train]: [&'a [f64]; 3],
    generated_columns: usize,
) -> Tables<'a> {
    let rows = |values| TableRows { columns, values };
    let train = Some(rows(train));
    Tables { generated: rows(generated), held_out: rows(held_out), train, generated_columns }
}

#[test]
fn columns_that_were_given_do_not_count() {
    let columns =
        ["a", "b", "c"].map(|name| TableColumn { missing: true, ..TableColumn::number(name) });
    let nan = f64::NAN;
    let real = [1.0, 5.0, 5.0, 1.0, 6.0, 6.0, 1.0, 8.0, 8.0, nan, 9.0, 9.0];
    let made = [1.0, 2.0, nan, 1.0, 1.0, 2.0, nan, nan, nan, nan, 3.0, 1.0];
    let all = |generated| tables(&columns, [&made, &real, &real], generated);
    assert_eq!(value_of("column_shapes", all(1)), Some(1.0));
    assert_eq!(value_of("missing_cells", all(1)), Some(0.25));
    // No correlation of `a`, which is constant, is defined, and that of `b` and `c` is.
    assert_eq!(value_of("pair_trends", all(1)), None);
    assert_eq!(value_of("missing_cells", all(3)), Some((0.25 + 0.25 + 0.5) / 3.0));
    assert_eq!(value_of("column_shapes", all(2)), Some(0.5));
}

#[test]
fn the_closest_record_is_a_mean_or_a_quantile_in_units_of_held_out_rows() {
    let columns = [TableColumn::number("x")];
    let train = [0.0, 10.0, 20.0, 30.0];
    let (held, made) = ([1.0, 11.0, 21.0, 31.0], [0.0, 10.0, 20.0, 34.0]);
    let value = |yaml| value_of(yaml, tables(&columns, [&made, &held, &train], 1)).unwrap();
    let close = |yaml, expected: f64| {
        let found = value(yaml);
        assert!((found - expected).abs() < 1e-9, "{yaml}: {found}");
    };
    close("closest_record", 1.0);
    close("{ type: closest_record, quantile: 0.5 }", 0.0);
    close("{ type: closest_record, quantile: 1 }", 4.0);
    // One of two rows is far, or none.
    let two = value("{ type: closest_record, rows: 2 }");
    assert!(two == 0.0 || (two - 2.0).abs() < 1e-9, "{two}");
}

#[test]
fn detection_is_of_as_many_rows_as_it_says() {
    let columns = [TableColumn::number("x"), TableColumn::number("y")];
    let rows: Vec<f64> = (0..100).map(|i| f64::from(i * 37 % 101)).collect();
    let made: Vec<f64> = rows.iter().map(|cell| cell + 20.0).collect();
    let value = |yaml| 3.0 * value_of(yaml, tables(&columns, [&made, &rows, &rows], 2)).unwrap();
    // A part of one row of each side is told apart, or not.
    let three = value("{ type: detection, rows: 3 }");
    assert!((three - three.round()).abs() < 1e-9, "{three}");
    let all = value("detection");
    assert!((all - all.round()).abs() > 1e-3, "{all}");
}

#[test]
fn the_gap_of_efficacy_is_to_as_many_real_rows_as_were_generated() {
    let columns = [TableColumn::number("x"), TableColumn::number("y")];
    let rows = |n: i32, noise: f64| -> Vec<f64> {
        let row = |i: i32| [f64::from(i), f64::from(i) + noise * f64::from(i * 37 % 101 - 50)];
        (0..n).flat_map(row).collect()
    };
    let (made, held, train) = (rows(6, 0.0), rows(100, 1.0), rows(500, 1.0));
    let all = tables(&columns, [&made, &held, &train], 2);
    let gap = value_of("{ type: efficacy_gap, target: y }", all).unwrap();
    let six = DrawnRows::new(all.train.unwrap(), 6, 1);
    let score = |rows| efficacy(rows, all.held_out, 1, TableLearner::Linear).unwrap().unwrap();
    let of_six = score(six.rows()) - score(all.generated);
    assert!((gap - of_six).abs() < 1e-12, "{gap} {of_six}");
    assert!((score(all.train.unwrap()) - score(six.rows())).abs() > 1e-3);
}

#[test]
fn conditions_are_seen_in_their_own_units_and_by_their_names() {
    let extra = |column: &str| {
        format!("task: generation, metrics: {{ extra: [{{ type: seen, column: {column} }}] }}")
    };
    let options = Options { draws: 1, ..Options::default() };
    let mut trainer = model_of(&extra("species"), columns());
    let found = mean(&measured(&mut trainer, &options), "seen");
    let bytes = f64::from(b'A') + f64::from(b'B') + f64::from(b'C');
    assert!((found - 1000.0 * bytes - 1.0).abs() < 0.1, "{found}");
    let labelled = columns();
    let age = 500.0 + 100.0 * normal(&[2 * N], 7).to_kind(Kind::Double);
    let size = 10.0 * normal(&[2 * N], 8).to_kind(Kind::Double);
    let two = Columns {
        y: Some(Tensor::stack(&[age, size], 1)),
        y_columns: vec![TableColumn::number("age"), TableColumn::number("size")],
        classes: Vec::new(),
        ..labelled
    };
    let mut trainer = model_of(&extra("age"), two);
    let found = mean(&measured(&mut trainer, &options), "seen");
    assert!((found - 500.0).abs() < 20.0, "{found}");
}

#[test]
fn given_rows_stand_beside_their_own_conditions() {
    let mut trainer = model_of("task: generation", columns());
    let evaluation = measured(&mut trainer, &Options { draws: 1, ..Options::default() });
    let real = cells(&trainer, &evaluation, "real", true);
    // Held-out rows in another order: each label stands with its row.
    let turned = Tensor::from_slice(&real).view([1000, 4]).flip([0]);
    let (trained, data) = trainer.trained_mut();
    let held = data.held_out(1000).unwrap();
    let x = Some(turned.narrow(1, 0, 3));
    let y = Some(turned.select(1, 3).to_kind(Kind::Int64));
    let rows = trained.units().rows(Columns { x, y, ..columns() }, trained.experiment());
    let given = GivenRows { name: "turned.csv".to_owned(), rows: rows.unwrap() };
    let found = evaluate_given(trained, &held, &given, &Options::default()).unwrap();
    for metric in ["column_shapes", "pair_trends"] {
        assert!((mean(&found, metric) - 1.0).abs() < 1e-9, "{metric}: {}", mean(&found, metric));
    }
}
