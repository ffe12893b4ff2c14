//! Rows of a table some of whose cells are given, for samples that keep them.

use super::layout::{Cells, TableLayout};
use super::units::Units;
use tch::{Kind, Tensor};

impl Units {
    /// Targets `[n, entries]` of the cells `[n, columns]` of a table, both float64 in the data's
    /// own units, NaN in each entry of a cell that is to be drawn; every cell is there. `None` if
    /// `cells` are no cells of a table whose columns are of several types.
    pub(crate) fn entries_of_cells(&self, cells: &Tensor) -> Option<Tensor> {
        let layout = self.layout_of_cells(cells)?;
        let cells = cells.to_device(self.target.mean.device()).to_kind(Kind::Double);
        let cells = layout.without_unknown(&cells);
        let rows = layout.rows(&layout.cells(&cells), Kind::Double);
        let widths = Tensor::from_slice(&self.cells().concat()).to_device(cells.device());
        let known = layout.known(&cells.isnan());
        let unknown = known.eq(0.0).repeat_interleave_self_tensor(&widths, 1, None::<i64>);
        Some(layout.with_all_cells(&rows).masked_fill(&unknown, f64::NAN))
    }

    /// Samples `[n, …target_shape]` in the data's own units with those values of `given` that are
    /// not NaN in their place, as they are in a file: `[n, …target_shape]`, or cells
    /// `[n, columns]` of a table.
    ///
    /// # Panics
    /// If `given` has another number of entries.
    pub fn with_given(&self, samples: &Tensor, given: &Tensor) -> Tensor {
        let known = |given: &Tensor| given.isnan().logical_not();
        let Some(layout) = self.layout_of_cells(given) else {
            let given = given.view_as(samples).to_kind(samples.kind()).to_device(samples.device());
            return given.where_self(&known(&given), samples);
        };
        let given = given.to_device(samples.device()).to_kind(Kind::Double);
        let given = layout.without_unknown(&given);
        let drawn = layout.table(&layout.with_all_cells(samples));
        let Cells { numbers, hot } = layout.cells(&given.where_self(&known(&given), &drawn));
        layout.rows(&Cells { numbers, hot }, Kind::Double)
    }

    /// The layout of targets, if `cells` have the columns of a table.
    fn layout_of_cells(&self, cells: &Tensor) -> Option<TableLayout> {
        let columns = self.names.target.len() as i64;
        self.target_layout().filter(|_| cells.size().get(1..) == Some(&[columns]))
    }
}

#[cfg(test)]
mod tests {
    use crate::data::{Names, Shapes, Units};
    use crate::table::{CellType, TableColumn};
    use tch::{Device, Kind, Tensor};

    /// A whole number and a category that may be missing.
    fn units() -> Units {
        let gappy = |column| TableColumn { missing: true, ..column };
        let names = ["a", "b"].map(str::to_owned).to_vec();
        let target = vec![
            gappy(TableColumn::new("n", CellType::Number { decimals: Some(0) })),
            gappy(TableColumn::category("c", names)),
        ];
        let shapes = Shapes { target: vec![7], condition: None };
        let names = Names { target, ..Names::default() };
        Units { names, ..Units::plain(shapes, (Kind::Float, Device::Cpu)) }
    }

    fn rows(values: &[f64], width: i64) -> Tensor {
        Tensor::from_slice(values).view([-1, width])
    }

    #[test]
    fn cells_that_are_drawn_are_there_and_given_ones_are_kept() {
        let nan = f64::NAN;
        let cells = rows(&[41.0, nan, nan, 1.0], 2);
        let entries = units().entries_of_cells(&cells).unwrap();
        let expected = [[41.0, 1.0, 0.0, nan, nan, 1.0, 0.0], [nan, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]];
        assert!(entries.allclose(&rows(&expected.concat(), 7), 0.0, 0.0, true));
        let drawn = [[12.4, 0.2, 0.9, 0.7, 0.1, 0.2, 0.4], [12.6, 0.0, 1.0, 0.7, 0.1, 0.0, 1.0]];
        let whole = units().with_given(&rows(&drawn.concat(), 7), &cells);
        let expected = [[41.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0], [13.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]];
        assert_eq!(whole, rows(&expected.concat(), 7));
    }

    #[test]
    fn entries_of_plain_rows_are_given_as_they_are() {
        let shapes = Shapes { target: vec![2], condition: None };
        let plain = Units::plain(shapes, (Kind::Double, Device::Cpu));
        let given = rows(&[f64::NAN, 0.25], 2);
        assert!(plain.entries_of_cells(&given).is_none());
        assert_eq!(plain.with_given(&rows(&[1.0, 2.0], 2), &given), rows(&[1.0, 0.25], 2));
    }
}
