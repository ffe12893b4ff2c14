//! Tests of pictures of tables: light and ugly ones.

use super::*;
use crate::plot::style::{BLUE, GREY};
use crate::table::{CellType, TableColumn, TableRows};

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|word| (*word).to_owned()).collect()
}

/// A table of every type, with `n` rows; generated ones are somewhat off.
fn homes(n: usize, seed: u64, off: f64) -> (Vec<TableColumn>, Vec<f64>) {
    let missing = |column| TableColumn { missing: true, ..column };
    let time = |format: &str| CellType::Time { format: format.to_owned() };
    let columns = vec![
        TableColumn::number("area"),
        missing(TableColumn::new("price", CellType::Number { decimals: Some(2) })),
        TableColumn::new("rooms", CellType::Number { decimals: Some(0) }),
        TableColumn::new("lift", CellType::Flag { names: ["no", "yes"].map(str::to_owned) }),
        missing(TableColumn::category(
            "a rather long name of a column that says what kind of home it is",
            words(&["flat", "loft", "house", "a kind with a very long name", ""]),
        )),
        TableColumn::new("built", time("%Y-%m-%d")),
        TableColumn::new("seen", time("%Y-%m-%d %H:%M")),
    ];
    let mut dice = Dice(seed);
    let mut values = Vec::new();
    for _ in 0..n {
        let area = 40.0 + 25.0 * (dice.normal() + off).abs();
        let kind = (4.9 * dice.uniform() * (area / 120.0).min(1.0)).floor();
        let price = (area * 3.1 + 40.0 * kind + 30.0 * dice.normal() * (1.0 + off)).exp2().ln();
        let rooms = (area / 28.0 + 0.4 * dice.normal()).round().max(1.0);
        let lift = f64::from(dice.uniform() < 0.2 + 0.5 * f64::from(kind < 2.0));
        let built = (86_400.0 * (20_000.0 * dice.uniform().sqrt() - 7000.0)).floor();
        let seen = 1.7e9 + 3600.0 * 40.0 * dice.normal();
        let gap = |p: f64, dice: &mut Dice| if dice.uniform() < p { f64::NAN } else { 1.0 };
        let (no_price, no_kind) = (gap(0.12 + off / 10.0, &mut dice), gap(0.05, &mut dice));
        values.extend([area, price * no_price, rooms, lift, kind * no_kind, built, seen]);
    }
    (columns, values)
}

fn view<'a>(columns: &'a [TableColumn], real: &'a [f64], generated: &'a [f64]) -> TableView<'a> {
    TableView {
        title: "Flow matching: generated beside test data".into(),
        subtitle: "heun x 20 steps, 40 network evaluations, EMA weights, n = 1000".into(),
        sides: ["real", "generated"].map(str::to_owned),
        real: TableRows { columns, values: real },
        generated: TableRows { columns, values: generated },
        given: Vec::new(),
    }
}

/// The three pictures of a table.
fn all_drawn(name: &str, view: &TableView<'_>) -> [Picture; 3] {
    [
        drawn(&format!("marginals_{name}.png"), |p| marginals(p, view)),
        drawn(&format!("pairs_{name}.png"), |p| pairs(p, view)),
        drawn(&format!("correlations_{name}.png"), |p| correlations(p, view)),
    ]
}

#[test]
fn every_column_of_a_table_is_drawn_real_beside_generated() {
    let (columns, real) = homes(1000, 1, 0.0);
    let (_, generated) = homes(800, 2, 0.4);
    let [marginals, pairs, correlations] = all_drawn("homes", &view(&columns, &real, &generated));
    assert_eq!(marginals.panels().len(), 7);
    for (i, inside) in marginals.panels().iter().enumerate() {
        assert!(marginals.ink(*inside, BLUE) > 0, "panel {i}");
        assert!(marginals.ink(*inside, GREY.fade(0.5)) > 0, "panel {i}");
    }
    assert_eq!(pairs.panels().len(), 12);
    assert_eq!(correlations.panels().len(), 3);
}

#[test]
fn columns_that_were_given_are_no_marginals_and_no_pair_of_their_own() {
    let (columns, real) = homes(500, 1, 0.0);
    let (_, generated) = homes(500, 2, 0.0);
    let mut view = view(&columns, &real, &generated);
    view.given = vec![true, true, true, true, true, false, true];
    let picture = drawn("marginals_given.png", |p| marginals(p, &view));
    assert_eq!(picture.panels().len(), 1);
    let picture = drawn("pairs_given.png", |p| pairs(p, &view));
    assert_eq!(picture.panels().len(), 12);
    view.given = vec![true; 7];
    refused("every column was given", |p| marginals(p, &view));
    refused("no two columns vary together", |p| pairs(p, &view));
}

/// Columns that are hard to draw: many names, nothing but gaps, one value, a long tail, a date of
/// one day, and values that are not finite.
fn ugly(n: usize, seed: u64) -> (Vec<TableColumn>, Vec<f64>) {
    let many: Vec<String> = (0..200).map(|i| format!("name number {i}")).collect();
    let day = CellType::Time { format: "%d/%m/%Y".to_owned() };
    let gap = |column| TableColumn { missing: true, ..column };
    let columns = vec![
        TableColumn::category("many", many),
        gap(TableColumn::number("nothing")),
        gap(TableColumn::category("no_names_at_all", vec![])),
        TableColumn::new("constant", CellType::Number { decimals: Some(1) }),
        TableColumn::number("tail"),
        TableColumn::new("spike", CellType::Number { decimals: Some(0) }),
        TableColumn::new("day", day),
        TableColumn::new("id", CellType::Number { decimals: Some(0) }),
        TableColumn::category("one", words(&["the only one"])),
        TableColumn::new("year", CellType::Number { decimals: Some(0) }),
    ];
    let mut dice = Dice(seed);
    let mut values = Vec::new();
    for i in 0..n {
        let many = (200.0 * dice.uniform().powi(3)).floor();
        let tail = (3.0 * dice.normal()).exp();
        let spike = if dice.uniform() < 0.9 { 0.0 } else { (2000.0 * dice.uniform()).round() };
        let id = 1e9 + (1e8 * dice.uniform()).round();
        let year = 1990.0 + (12.0 * dice.uniform()).floor();
        values.extend([many, f64::NAN, f64::NAN, 7.3, tail, spike, 1.6e9, id, 0.0, year]);
        if i % 50 == 7 {
            let last = values.len() - 6;
            values[last] = f64::INFINITY;
        }
    }
    (columns, values)
}

#[test]
fn ugly_tables_are_drawn() {
    let (columns, real) = ugly(700, 3);
    let (_, generated) = ugly(700, 4);
    all_drawn("ugly", &view(&columns, &real, &generated));
    all_drawn("one_row", &view(&columns, &real[..30], &generated[..20]));
}

#[test]
fn of_wide_tables_the_columns_least_alike_are_drawn() {
    let mut columns = Vec::new();
    for i in 0..60 {
        columns.push(match i % 3 {
            0 => TableColumn::category(format!("kind_{i}"), words(&["a", "b", "c"])),
            _ => TableColumn::number(format!("value_{i}")),
        });
    }
    let rows = |seed: u64, shift: f64| -> Vec<f64> {
        let mut dice = Dice(seed);
        let mut all = Vec::new();
        for _ in 0..400 {
            let base = dice.normal();
            all.extend((0..60).map(|i| match i % 3 {
                0 => (1.5 + 0.5 * (base + dice.normal())).clamp(0.0, 2.9).floor(),
                _ => base * f64::from(i) / 60.0 + dice.normal() + shift * f64::from(i % 7),
            }));
        }
        all
    };
    let (real, generated) = (rows(1, 0.0), rows(2, 0.1));
    let [marginals, ..] = all_drawn("wide", &view(&columns, &real, &generated));
    assert_eq!(marginals.panels().len(), 24);
}

#[test]
fn columns_alone_are_drawn_without_a_distance() {
    let (columns, real) = homes(500, 1, 0.0);
    let picture = drawn("marginals_alone.png", |p| marginals(p, &view(&columns, &real, &[])));
    assert_eq!(picture.panels().len(), 7);
    for (i, inside) in picture.panels().iter().enumerate() {
        assert!(picture.ink(*inside, GREY.fade(0.5)) > 0, "panel {i}");
        assert_eq!(picture.ink(*inside, BLUE), 0, "panel {i}");
    }
}

#[test]
fn tables_that_cannot_be_compared_are_refused() {
    let (columns, real) = homes(20, 1, 0.0);
    let few = view(&columns, &real, &[]);
    refused("generated rows: 0 cells are no rows of 7 columns", |p| pairs(p, &few));
    let none = view(&columns, &[], &real);
    refused("real rows: 0 cells are no rows of 7 columns", |p| marginals(p, &none));
    let torn = view(&columns, &real[..10], &real);
    refused("real rows: 10 cells are no rows of 7 columns", |p| correlations(p, &torn));
    let other = TableRows { columns: &columns[..1], values: &real };
    let other = TableView { generated: other, ..view(&columns, &real, &real) };
    refused("different columns", |p| pairs(p, &other));
}
