//! Files and pictures of runs on tables.

use super::Pictures;
use super::rows::SampledRows;
use crate::data::{Batch, Data, HeldOut, Predicted, Table};
use crate::error::Result;
use crate::io::table::typed_ending;
use crate::measure::RowPredictions;
use crate::plot::{self, TableView};
use crate::table::{CellType, TableColumn, TableRows};
use crate::trained::Trained;
use std::path::Path;
use tch::Tensor;

/// Rows of the picture of the data, at most.
const SHOWN: i64 = 5000;

/// True if the targets are rows of a table, whose columns have names.
pub(crate) fn is_table(model: &Trained) -> bool {
    let units = model.units();
    let vectors = !model.experiment().task().is_sequence() && units.shapes.target.len() == 1;
    vectors && !units.names.target.is_empty()
}

/// True if generated rows are shown as a table: their columns have names, and are not one or two
/// plain numbers, which other pictures show.
pub(super) fn is_shown(model: &Trained) -> bool {
    let generates = !model.experiment().task().predicts();
    generates && is_table(model) && (is_mixed(model) || model.units().names.target.len() > 2)
}

/// True if a side of the rows holds more than plain numbers, which other pictures cannot show.
pub(super) fn is_mixed(model: &Trained) -> bool {
    let units = model.units();
    let times = |columns: &[TableColumn]| {
        columns.iter().any(|column| matches!(column.kind, CellType::Time { .. }))
    };
    if times(&units.names.target) || times(&units.names.condition) {
        return true;
    }
    let sides = [
        (units.target_layout(), units.target_is_label),
        (units.condition_layout(), units.condition_is_label),
    ];
    sides.iter().any(|(layout, is_label)| layout.is_some() && !is_label)
}

/// Writes `samples.csv` with the generated rows and their conditions, and a `.parquet` beside it if
/// the training file is one; nothing for targets without names.
///
/// # Errors
/// If the file cannot be written.
pub fn write_samples(model: &Trained, arrays: &[(String, Tensor)], folder: &Path) -> Result<()> {
    let find = |name: &str| arrays.iter().find(|(own, _)| own == name).map(|(_, rows)| rows);
    match find("samples").filter(|_| is_table(model)) {
        Some(samples) => {
            write(model, &table(model, samples, find("condition"))?, folder, "samples")
        }
        None => Ok(()),
    }
}

/// Writes `predictions.csv` with the true and the predicted targets, as [`write_samples`] does;
/// nothing for targets without names.
///
/// # Errors
/// If the file cannot be written.
pub fn write_predictions(model: &Trained, made: &RowPredictions, folder: &Path) -> Result<()> {
    if !is_table(model) {
        return Ok(());
    }
    let RowPredictions { mean, deviation, truth } = made;
    let of = Predicted { mean, deviation: deviation.as_ref(), truth: Some(truth) };
    write(model, &model.units().predictions(of)?, folder, "predictions")
}

/// Writes a table as text and, if the training file has a format with types, in this as well.
fn write(model: &Trained, table: &Table, folder: &Path, name: &str) -> Result<()> {
    table.write(&folder.join(format!("{name}.csv")))?;
    let data = serde_json::to_value(&model.experiment().data).unwrap_or_default();
    match data["path"].as_str().and_then(|path| typed_ending(Path::new(path))) {
        Some(ending) => table.write(&folder.join(format!("{name}.{ending}"))),
        None => Ok(()),
    }
}

/// The table of targets and conditions in the data's own units.
pub(super) fn table(
    model: &Trained,
    targets: &Tensor,
    conditions: Option<&Tensor>,
) -> Result<Table> {
    model.units().samples(targets, conditions, model.experiment().task().learns_y())
}

/// The table of normalised rows.
pub(super) fn table_of(model: &Trained, rows: &Batch) -> Result<Table> {
    let units = model.units();
    let condition = rows.condition.as_ref().map(|c| units.condition.undo(c));
    let target = units.target.undo(&rows.target);
    let target = if units.target_is_label { target.argmax(-1, false) } else { target };
    table(model, &target, condition.as_ref())
}

/// At most `most` training rows, evenly spaced.
pub(super) fn training(data: &Data, most: i64) -> Result<Batch> {
    let (all, most) = (data.train.len(), data.train.at_most(most).min(data.train.len()));
    let index: Vec<i64> = (0..most).map(|i| i * all / most.max(1)).collect();
    data.train.take(&Tensor::from_slice(&index).to_device(data.train.device()))
}

/// Draws each column of the training rows, with the held-out rows beside them if there are any.
pub(super) fn draw_data(model: &Trained, data: &Data, folder: &Path) -> Result<()> {
    let HeldOut { name, rows, train, .. } = data.held_out(SHOWN)?;
    let all = table_of(model, &training(data, SHOWN)?)?;
    let held = match train {
        Some(_) => table_of(model, &rows)?,
        None => Table::default(),
    };
    let (all_cells, held_cells) = (all.values(), held.values());
    let view = TableView {
        title: format!("Data: {}", model.experiment().data.name()),
        subtitle: format!("{} training rows", data.train.len()),
        sides: ["training".to_owned(), name],
        real: TableRows { columns: all.columns(), values: &all_cells },
        generated: TableRows { columns: all.columns(), values: &held_cells },
        given: Vec::new(),
    };
    plot::marginals(&folder.join("data_visualization.png"), &view)
}

/// Draws generated beside real rows: each column, the most dependent pairs, and the dependence of
/// all.
pub(super) fn draw_samples(
    model: &mut Trained,
    data: &Data,
    pictures: &mut Pictures<'_>,
) -> Result<()> {
    let folder = pictures.folder;
    let Some(rows) =
        pictures.make("the samples of the table", || SampledRows::draw(model, data))?
    else {
        return Ok(());
    };
    let view = rows.view(model.experiment().objective.name());
    pictures.draw("marginals.png", || plot::marginals(&folder.join("marginals.png"), &view))?;
    if view.real.columns.len() < 2 {
        return Ok(());
    }
    pictures.draw("pairs.png", || plot::pairs(&folder.join("pairs.png"), &view))?;
    pictures
        .draw("correlations.png", || plot::correlations(&folder.join("correlations.png"), &view))
}

/// True and predicted targets in the form of the picture, and a remark on what it does not show.
pub(super) fn predicted(
    model: &Trained,
    truth: &Tensor,
    predicted: &Tensor,
) -> Result<(plot::Predicted, String)> {
    let units = model.units();
    let table = |mean| units.predictions(Predicted { mean, deviation: None, truth: None });
    Ok(beside(&units.names.target, &table(truth)?, &table(predicted)?))
}

/// The numbers and times of two tables beside each other, but those of which no row has both; or,
/// without one, the first categories; or else the presence of the first number. And a remark on
/// the numbers that are left out.
fn beside(columns: &[TableColumn], truth: &Table, predicted: &Table) -> (plot::Predicted, String) {
    let cells =
        |name: &str| [truth, predicted].map(|table: &Table| table.column(name).unwrap_or_default());
    let has_pair = |name: &str| {
        let [truth, predicted] = cells(name);
        truth.iter().zip(predicted).any(|(a, b)| a.is_finite() && b.is_finite())
    };
    let numbers = columns.iter().filter(|column| column.names().is_none());
    let (numbers, missing): (Vec<&TableColumn>, Vec<_>) =
        numbers.partition(|column| has_pair(&column.name));
    let remark = match &missing[..] {
        [] => String::new(),
        missing => {
            let names: Vec<&str> = missing.iter().map(|column| column.name.as_str()).collect();
            format!("; not shown, missing in every row: {}", names.join(", "))
        }
    };
    if !numbers.is_empty() {
        let scatter = |side: usize| {
            let cells: Vec<&[f64]> =
                numbers.iter().map(|column| cells(&column.name)[side]).collect();
            let rows = cells.first().map_or(0, |first| first.len());
            let values = (0..rows).flat_map(|i| cells.iter().map(move |cells| cells[i])).collect();
            plot::Scatter::new(values, cells.len())
        };
        let (truth, predicted) = (scatter(0), scatter(1));
        let columns = numbers.into_iter().cloned().collect();
        return (plot::Predicted::Values { truth, predicted, columns }, remark);
    }
    let first = columns.iter().find(|column| column.names().is_some()).or(columns.first());
    let name = first.map_or("", |column| column.name.as_str());
    let own = first.and_then(TableColumn::names);
    let mut names = own.map_or_else(|| vec![format!("{name} (there)")], <[String]>::to_vec);
    let missing = names.len();
    names.extend(first.filter(|column| column.missing).map(|_| "(missing)".to_owned()));
    let class = |cell: &f64| match own {
        _ if cell.is_nan() => missing,
        Some(_) => *cell as usize,
        None => 0,
    };
    let [truth, predicted] = cells(name).map(|cells| cells.iter().map(class).collect());
    (plot::Predicted::Classes { truth, predicted, names }, remark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::Predicted;
    use crate::table::names_of;

    const NAN: f64 = f64::NAN;

    fn columns() -> Vec<TableColumn> {
        let names = ["low", "high"].map(str::to_owned).to_vec();
        let all = [TableColumn::number("a"), TableColumn::category("kind", names)];
        let all = all.into_iter().chain([TableColumn::number("b")]);
        all.map(|column| TableColumn { missing: true, ..column }).collect()
    }

    fn table(cells: [[f64; 3]; 3]) -> Table {
        let mut table = Table::default();
        columns().into_iter().zip(cells).for_each(|(own, cells)| table.push(own, cells.to_vec()));
        table
    }

    #[test]
    fn numbers_are_shown_unless_each_is_missing_and_then_categories_or_their_presence() {
        let truth = table([[1.0, 2.0, 3.0], [0.0, 1.0, NAN], [4.0, NAN, 6.0]]);
        let shown = |a: f64, b: f64| {
            let own = table([[a, NAN, NAN], [1.0, 1.0, NAN], [b, 5.0, NAN]]);
            beside(&columns(), &truth, &own)
        };
        let (Predicted::Values { predicted, columns: own, .. }, remark) = shown(1.0, 4.0) else {
            panic!()
        };
        assert_eq!((names_of(&own), predicted.dim), (vec!["a".into(), "b".into()], 2));
        assert_eq!(remark, "");
        let (Predicted::Values { truth: own, columns: named, .. }, remark) = shown(NAN, 4.0) else {
            panic!()
        };
        assert_eq!((names_of(&named), own.dim), (vec!["b".to_owned()], 1));
        assert_eq!(remark, "; not shown, missing in every row: a");
        let (Predicted::Classes { truth: own, predicted, names }, remark) = shown(NAN, NAN) else {
            panic!()
        };
        assert_eq!((own, predicted), (vec![0, 1, 2], vec![1, 1, 2]));
        assert_eq!(names, ["low", "high", "(missing)"]);
        assert_eq!(remark, "; not shown, missing in every row: a, b");
        let (columns, predicted) = (&columns()[..1], table([[NAN; 3]; 3]));
        let (Predicted::Classes { truth: own, predicted, names }, _) =
            beside(columns, &truth, &predicted)
        else {
            panic!()
        };
        assert_eq!((own, predicted), (vec![0; 3], vec![1; 3]));
        assert_eq!(names, ["a (there)", "(missing)"]);
    }
}
