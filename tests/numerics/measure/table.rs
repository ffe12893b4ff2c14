//! Metrics of models whose data have named columns.

use super::{N, floor, mean, measured, model_of, normal};
use triflow::Trainer;
use triflow::component::Columns;
use triflow::measure::{Evaluation, GivenRows, Options, evaluate_given};
use triflow::metrics::table::{
    column_shapes, efficacy, mean_of_defined, missing_cells, pair_trends,
};
use triflow::prelude::*;
use triflow::tch::{Device, Kind};

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
        let trends = pair_trends(real, made, 3).unwrap();
        close("pair_trends", mean_of_defined(trends.iter().map(|trend| trend.similarity)));
        let (there, gone) = missing_cells(real, made).unwrap()[1];
        assert!(there > 0.1);
        close("missing_cells", Some((there - gone).abs()));
        for metric in ["column_shapes", "pair_trends", "detection"] {
            let (score, floor) = (mean(&evaluation, metric), floor(&evaluation, metric));
            assert!(
                0.0 <= score && score < floor - 0.01 && floor <= 1.0,
                "{metric}: {score} {floor}"
            );
        }
        assert_eq!(floor(&evaluation, "closest_record"), 1.0);
        assert!(mean(&evaluation, "closest_record") > 1.1);
        match labelled {
            true => {
                close("efficacy", efficacy(made, real, 3).unwrap());
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
    let extra = "metrics: { extra: [
        { type: efficacy, target: mass, name: of_mass }, { type: efficacy, target: mas, name: of_mas }] }";
    let yaml = format!("task: generation, unconditional: true, {extra}");
    let mut trainer = model_of(&yaml, columns());
    let evaluation = measured(&mut trainer, &Options { draws: 1, ..Options::default() });
    let [made, real] = ["samples", "real"].map(|name| cells(&trainer, &evaluation, name, false));
    let schema = columns().x_columns;
    let rows = |values| TableRows { columns: &schema, values };
    let expected = efficacy(rows(&made), rows(&real), 0).unwrap().unwrap();
    assert!((mean(&evaluation, "of_mass") - expected).abs() < 1e-9);
    let (name, why) = &evaluation.failed[0];
    assert_eq!(name, "of_mas");
    assert!(why.contains("there is no column `mas`"), "{why}");
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
