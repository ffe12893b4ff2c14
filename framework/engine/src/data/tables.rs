//! Tables of samples and predictions, as they are written: the columns of targets and conditions
//! side by side, in the order of the training file.

use super::layout::{Cells, TableLayout, check_cells};
use super::table::{Table, label_column, matrix, numbers};
use super::units::Units;
use crate::error::Result;
use crate::table::{CellType, TableColumn};
use tch::{Kind, Tensor};

/// Predictions of a table's targets, in the data's own units.
#[derive(Clone, Copy, Debug)]
pub struct Predicted<'a> {
    /// Mean over the draws, `[n, entries]`: probabilities for labels and categories.
    pub mean: &'a Tensor,
    /// Standard deviation over the draws, in the mean's shape; `None` without draws.
    pub deviation: Option<&'a Tensor>,
    /// True targets, in the mean's shape; `None` if they are not known.
    pub truth: Option<&'a Tensor>,
}

/// Entries of predictions, one after the other.
struct Entries<'a> {
    of: Predicted<'a>,
    next: i64,
}

impl Entries<'_> {
    /// Mean and deviation of the next entry.
    fn next(&mut self) -> Result<(Vec<f64>, Option<Vec<f64>>)> {
        let at = |rows: &Tensor| numbers(&rows.reshape([rows.size()[0], -1]).select(1, self.next));
        let both = (at(self.of.mean)?, self.of.deviation.map(at).transpose()?);
        self.next += 1;
        Ok(both)
    }
}

/// Targets or conditions of a model.
struct Side<'a> {
    columns: &'a [TableColumn],
    is_label: bool,
    layout: Option<TableLayout>,
    /// Letter of columns without a name.
    letter: &'static str,
}

impl Units {
    /// The table of targets `[n, entries]` and conditions: `[n, entries]`, or labels also as int64
    /// `[n]`; both in the data's own units. Numbers are rounded as those of the data, labels and
    /// categories become their names. Columns without a name are called by `x` or `y`, with their
    /// number if there are several; `learns_y` says which of them the targets are.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): rows are no vectors.
    /// [`Error::Runtime`](crate::Error::Runtime): a tensor cannot be read.
    pub fn samples(
        &self,
        targets: &Tensor,
        conditions: Option<&Tensor>,
        learns_y: bool,
    ) -> Result<Table> {
        let mut sides = vec![(true, targets)];
        sides.extend(conditions.map(|conditions| (false, conditions)));
        // x before y.
        sides.sort_by_key(|(is_target, _)| *is_target == learns_y);
        let mut table = Table::default();
        for (is_target, rows) in sides {
            let side = self.side(is_target, learns_y);
            match rows.size()[..] {
                // Draws of a label are the probabilities of the classes.
                [_, classes] if is_target && side.is_label => {
                    let (names, rows) = (self.class_list(), self.with_probabilities(rows));
                    for (name, class) in names.iter().zip(0..classes) {
                        let column = TableColumn::number(format!("p_{name}"));
                        table.push(column, numbers(&rows.select(1, class))?);
                    }
                }
                _ => self.add(&mut table, &side, rows)?,
            }
        }
        Ok(table.in_order(&self.names.order))
    }

    /// The table of predictions: for a number its mean, for labels and categories the most likely
    /// name and, behind it, the probability of each as `p_NAME` (`p_COLUMN=NAME` if targets are
    /// rows of a table), of one-hot entries their projection onto the simplex; deviations as
    /// `COLUMN_std` at the end. With true targets, these have the name of the column, and the
    /// predicted ones are `COLUMN_predicted`.
    ///
    /// # Errors
    /// Those of [`samples`](Self::samples).
    pub fn predictions(&self, of: Predicted<'_>) -> Result<Table> {
        let side = self.side(true, true);
        let (mut predicted, mut truth) = (Table::default(), Table::default());
        self.add(&mut predicted, &side, of.mean)?;
        if let Some(rows) = of.truth {
            self.add(&mut truth, &side, rows)?;
        }
        let (mut all, mut spread) = (Table::default(), Table::default());
        let mut truth = truth.columns.into_iter().zip(truth.cells);
        let mean = self.with_probabilities(of.mean);
        let mut entries = Entries { of: Predicted { mean: &mean, ..of }, next: 0 };
        for (column, cells) in predicted.columns.into_iter().zip(predicted.cells) {
            let mut name = column.name.clone();
            if let Some((column, cells)) = truth.next() {
                all.push(column, cells);
                name += "_predicted";
            }
            if column.names().is_none() {
                // The mean is no number of the data, and is not rounded.
                let (mean, deviation) = entries.next()?;
                let cells = cells.into_iter().zip(mean);
                let cells = cells.map(|(cell, mean)| if cell.is_nan() { cell } else { mean });
                spread.extend(&column.name, deviation);
                let column = match &column.kind {
                    CellType::Number { .. } => TableColumn::number(name),
                    _ => TableColumn { name, ..column.clone() },
                };
                all.push(column, cells.collect());
            } else {
                all.push(TableColumn { name, ..column.clone() }, cells);
            }
            let classes = match side.is_label {
                true => column.names().unwrap_or_default().to_vec(),
                false => column.entries(),
            };
            let values = usize::from(column.names().is_none());
            let own = classes.into_iter().skip(values);
            let own =
                own.map(|class| entries.next().map(|(mean, deviation)| (class, mean, deviation)));
            let own = own.collect::<Result<Vec<_>>>()?;
            // The probability that a cell is there is a part of those of its names.
            let is_there = |class: &str| !side.is_label && class.ends_with("=(there)");
            let there = own.iter().find(|(class, ..)| is_there(class)).map(|own| own.1.clone());
            for (class, mut probability, deviation) in own {
                if is_there(&class) {
                    continue;
                }
                if let Some(there) = &there
                    && !class.ends_with("=(missing)")
                {
                    probability.iter_mut().zip(there).for_each(|(own, there)| *own *= there);
                }
                let name = format!("p_{class}");
                spread.extend(&name, deviation);
                all.push(TableColumn::number(name), probability);
            }
        }
        Ok(all.beside(spread))
    }

    /// Conditions `[n, entries]`, as a model takes them, of the cells `[n, columns]` of a table,
    /// both in the data's own units; others stay as they are.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): a cell is missing in a column without gaps.
    pub fn condition_rows(&self, cells: &Tensor) -> Result<Tensor> {
        let columns = &self.names.condition;
        let layout = self.condition_layout().filter(|_| !self.condition_is_label);
        let cells = if cells.dim() == 1 && layout.is_some() {
            cells.unsqueeze(1)
        } else {
            cells.shallow_clone()
        };
        let Some(layout) = layout.filter(|_| cells.size()[1..] == [columns.len() as i64]) else {
            return Ok(cells);
        };
        check_cells(&cells, columns)?;
        let cells = cells.to_device(self.condition.mean.device()).to_kind(Kind::Double);
        let cells = layout.cells(&cells);
        let mean = self.condition.mean.index_select(0, layout.number_entries());
        let numbers = cells.numbers.where_self(&cells.numbers.isnan().logical_not(), &mean);
        Ok(layout.rows(&Cells { numbers, ..cells }, Kind::Double))
    }

    /// Numbers of the rows of conditions `[n, columns]` that have a value in each column without
    /// missing cells, which a model cannot do without; `None` if all have, or the conditions are no
    /// table.
    pub fn complete_conditions(&self, cells: &Tensor) -> Option<Vec<i64>> {
        let columns = &self.names.condition;
        let is_table = cells.is_floating_point() && cells.size()[1..] == [columns.len() as i64];
        let needed: Vec<i64> =
            (0..).zip(columns).filter(|(_, column)| !column.missing).map(|(i, _)| i).collect();
        if !is_table || needed.is_empty() {
            return None;
        }
        let cells = cells.index_select(1, &Tensor::from_slice(&needed).to_device(cells.device()));
        let gaps = cells.isnan().any_dim(1, false);
        if gaps.any().int64_value(&[]) == 0 {
            return None;
        }
        Vec::try_from(gaps.logical_not().nonzero().reshape([-1])).ok()
    }

    fn side(&self, target: bool, learns_y: bool) -> Side<'_> {
        let names = &self.names;
        let letter = if target == learns_y { "y" } else { "x" };
        match target {
            true => Side {
                columns: &names.target,
                is_label: self.target_is_label,
                layout: self.target_layout(),
                letter,
            },
            false => Side {
                columns: &names.condition,
                is_label: self.condition_is_label,
                layout: self.condition_layout(),
                letter,
            },
        }
    }

    /// Adds the columns of one side, of rows as the model sees them, or of cells.
    fn add(&self, table: &mut Table, side: &Side<'_>, rows: &Tensor) -> Result<()> {
        if side.is_label {
            let labels =
                if rows.dim() == 1 { rows.shallow_clone() } else { rows.argmax(-1, false) };
            table.push(label_column(side.columns.first(), self.class_list()), numbers(&labels)?);
            return Ok(());
        }
        let rows = matrix(rows, side.letter)?;
        let rows = match &side.layout {
            Some(layout) if layout.width() == rows.size()[1] => layout.table(&rows),
            _ => rows,
        };
        table.push_matrix(side.columns, &rows, side.letter)
    }

    /// Names of the classes, by label.
    fn class_list(&self) -> Vec<String> {
        self.class_names().map(|classes| classes.names().to_vec()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Names, Normaliser, Shapes};
    use tch::Device;

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    fn rows(values: &[f64], width: i64) -> Tensor {
        Tensor::from_slice(values).view([-1, width])
    }

    fn text(table: &Table) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        table.write(&path).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    fn units(target: i64, condition: Option<i64>, names: Names) -> Units {
        let condition = condition.map(|width| vec![width]);
        let shapes = Shapes { target: vec![target], condition };
        Units { names, ..Units::plain(shapes, (Kind::Float, Device::Cpu)) }
    }

    /// Units of a table with columns of several types, in another order than that of the file.
    fn mixed() -> Units {
        let gappy = |column| TableColumn { missing: true, ..column };
        let target = vec![
            gappy(TableColumn::new("rooms", CellType::Number { decimals: Some(0) })),
            TableColumn::category("kind", names(&["flat", "house"])),
            gappy(TableColumn::category("heat", names(&["gas", "oil"]))),
        ];
        let time = CellType::Time { format: "%Y-%m-%d".to_owned() };
        let condition = vec![TableColumn::new("day", time), TableColumn::number("area")];
        let order = names(&["day", "kind", "rooms", "area", "heat"]);
        units(9, Some(2), Names { target, condition, order, ..Names::default() })
    }

    #[test]
    fn samples_have_the_columns_of_the_file_in_its_order() {
        let units = mixed();
        let targets = rows(
            &[
                [2.7, 0.9, 0.1, 0.2, 0.8, 0.3, 0.7, 1.0, 0.0],
                [1.0, 0.2, 0.8, 1.0, 0.0, 0.6, 0.4, 0.1, 0.9],
            ]
            .concat(),
            9,
        );
        let conditions = rows(&[86_400.0, 0.5, 0.0, 7.0], 2);
        let table = units.samples(&targets, Some(&conditions), false).unwrap();
        assert_eq!(
            text(&table.clone().numbered(&[4, 9])),
            "row,day,kind,rooms,area,heat\n4,1970-01-02,house,3,0.5,oil\n9,1970-01-01,flat,,7,\n"
        );
        assert_eq!(table.column("rooms").unwrap()[0], 3.0);
        // Conditions of a file are cells already.
        assert!(
            text(&units.samples(&targets, None, false).unwrap()).starts_with("kind,rooms,heat\n")
        );
    }

    #[test]
    fn columns_without_names_are_x_and_y_and_labels_have_the_names_of_the_classes() {
        let plain = units(2, Some(1), Names::default());
        let (x, y) = (rows(&[1.0, 0.1, 2.0, 0.2], 2), rows(&[3.0, 4.0], 1));
        let x = x.to_kind(Kind::Float);
        let table = plain.samples(&x, Some(&y), false).unwrap();
        assert_eq!(text(&table), "x0,x1,y\n1,0.1,3\n2,0.2,4\n");
        let table = plain.samples(&y, Some(&x), true).unwrap();
        assert_eq!(text(&table), "x0,x1,y\n1,0.1,3\n2,0.2,4\n");

        let classes = names(&["no", "yes"]);
        let own =
            Names { classes, condition: vec![TableColumn::number("paid")], ..Names::default() };
        let labelled = Units { condition_is_label: true, ..units(2, Some(2), own) };
        let labels = Tensor::from_slice(&[1_i64, 0]);
        let table = labelled.samples(&x, Some(&labels), false).unwrap();
        assert_eq!(text(&table), "x0,x1,paid\n1,0.1,yes\n2,0.2,no\n");
        let one_hot = rows(&[0.0, 1.0, 1.0, 0.0], 2);
        assert_eq!(labelled.samples(&x, Some(&one_hot), false).unwrap(), table);
    }

    #[test]
    fn predictions_are_means_likely_names_probabilities_and_deviations() {
        let units = mixed();
        let mean = rows(&[2.5, 0.9, 0.1, 0.25, 0.75, 0.625, 0.375, 0.75, 0.25], 9);
        let deviation = rows(&[0.5, 0.0, 0.0, 0.125, 0.125, 0.0, 0.0, 0.0, 0.0], 9);
        let truth = rows(&[3.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0], 9);
        let of = Predicted { mean: &mean, deviation: Some(&deviation), truth: Some(&truth) };
        let all = text(&units.predictions(of).unwrap());
        let head = "rooms,rooms_predicted,p_rooms=(missing),kind,kind_predicted,p_kind=flat,p_kind=house,\
            heat,heat_predicted,p_heat=gas,p_heat=oil,p_heat=(missing),\
            rooms_std,p_rooms=(missing)_std,p_kind=flat_std,p_kind=house_std,\
            p_heat=gas_std,p_heat=oil_std,p_heat=(missing)_std\n";
        let row =
            "3,2.5,0.1,flat,house,0.25,0.75,,gas,0.46875,0.28125,0.25,0.5,0,0.125,0.125,0,0,0\n";
        assert_eq!(all, format!("{head}{row}"));
        let of = Predicted { deviation: None, truth: None, ..of };
        let all = text(&units.predictions(of).unwrap());
        assert!(all.starts_with("rooms,p_rooms=(missing),kind,p_kind=flat"), "{all}");

        let own = Names { classes: names(&["a", "b"]), ..Names::default() };
        let classes = Units { target_is_label: true, ..self::units(2, None, own) };
        let mean = rows(&[0.25, 0.75, 1.5, -0.125], 2);
        let truth = rows(&[1.0, 0.0, 1.0, 0.0], 2);
        let of = Predicted { mean: &mean, deviation: None, truth: Some(&truth) };
        let all = text(&classes.predictions(of).unwrap());
        assert_eq!(all, "label,label_predicted,p_a,p_b\na,b,0.25,0.75\na,a,1,0\n");
    }

    #[test]
    fn conditions_of_a_file_become_the_entries_that_a_model_takes() {
        let gappy = |column| TableColumn { missing: true, ..column };
        let condition = vec![
            gappy(TableColumn::category("kind", names(&["flat", "house"]))),
            gappy(TableColumn::number("area")),
        ];
        let own = Names { condition: condition.clone(), ..Names::default() };
        let condition = Normaliser::new(
            Tensor::from_slice(&[0.0, 0.0, 0.0, 0.0, 70.0, 0.0, 0.0]),
            Tensor::from_slice(&[1.0_f64; 7]),
            Kind::Float,
        );
        let units = Units { condition, ..units(1, Some(7), own) };
        let cells = rows(&[1.0, 40.0, f64::NAN, f64::NAN], 2);
        let entries = rows(
            &[[0.0, 1.0, 1.0, 0.0, 40.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0, 70.0, 0.0, 1.0]].concat(),
            7,
        );
        assert_eq!(units.condition_rows(&cells).unwrap(), entries);
        assert_eq!(units.condition_rows(&entries).unwrap(), entries);
    }

    #[test]
    fn conditions_are_complete_if_only_cells_that_may_be_missing_are() {
        let gappy = TableColumn { missing: true, ..TableColumn::number("area") };
        let own = Names { condition: vec![gappy, TableColumn::number("age")], ..Names::default() };
        let units = units(1, Some(4), own);
        let nan = f64::NAN;
        let cells = |all: &[f64]| units.complete_conditions(&rows(all, 2));
        assert_eq!(cells(&[1.0, 2.0, nan, 3.0]), None);
        assert_eq!(cells(&[1.0, nan, nan, 3.0, nan, nan, 4.0, 5.0]), Some(vec![1, 3]));
        assert_eq!(cells(&[1.0, nan]), Some(vec![]));
        assert_eq!(units.complete_conditions(&rows(&[nan; 3], 3)), None);
    }

    #[test]
    fn images_are_no_table() {
        let shapes = Shapes { target: vec![1, 2, 2], condition: None };
        let units = Units::plain(shapes, (Kind::Float, Device::Cpu));
        let images = Tensor::zeros([3, 1, 2, 2], (Kind::Float, Device::Cpu));
        let message = units.samples(&images, None, false).unwrap_err().to_string();
        assert!(
            message.contains("a table holds vectors, and x has shape [3, 1, 2, 2]"),
            "{message}"
        );
    }
}
