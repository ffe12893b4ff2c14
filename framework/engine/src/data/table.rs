use crate::component::Columns;
use crate::error::{Error, Result};
use crate::io::table::{write_table, write_text_blocks};
use crate::table::{CellType, Storage, TableColumn, TableRows};
use std::collections::HashMap;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// A table in the data's own units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub(super) columns: Vec<TableColumn>,
    /// Cells of each column.
    pub(super) cells: Vec<Vec<f64>>,
}

impl Table {
    /// The x and y of a data source, in the order of its columns and behind the numbers of the rows
    /// if some were left out. Class labels have their names; columns without a name are `x`, `y` or
    /// `label`, or have their number if there are several.
    ///
    /// # Errors
    /// [`Error::Config`]: rows are no vectors. [`Error::Runtime`]: a tensor cannot be read.
    pub fn of(columns: &Columns) -> Result<Self> {
        let mut table = Self::default();
        let sides = [("x", &columns.x, &columns.x_columns), ("y", &columns.y, &columns.y_columns)];
        for (letter, values, own) in sides {
            let Some(values) = values else { continue };
            let rows = matrix(values, letter)?;
            if values.kind() == Kind::Int64 && rows.size()[1] == 1 {
                let column = label_column(own.first(), columns.classes.clone());
                table.push(column, numbers(&rows.select(1, 0))?);
            } else {
                table.push_matrix(own, &rows, letter)?;
            }
        }
        Ok(table.in_order(&columns.order).numbered(&columns.kept))
    }

    /// Adds a column behind the others.
    pub fn push(&mut self, column: TableColumn, cells: Vec<f64>) {
        self.columns.push(column);
        self.cells.push(cells);
    }

    /// Adds the numbers of rows as the first column, `row`; nothing without numbers.
    #[must_use]
    pub fn numbered(mut self, rows: &[i64]) -> Self {
        if !rows.is_empty() {
            self.columns.insert(0, TableColumn::new("row", WHOLE));
            self.cells.insert(0, rows.iter().map(|row| *row as f64).collect());
        }
        self
    }

    /// The columns.
    pub fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    /// Cells of the first column of this name.
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        let place = self.columns.iter().position(|column| column.name == name)?;
        self.cells.get(place).map(Vec::as_slice)
    }

    /// Cells row by row.
    pub fn values(&self) -> Vec<f64> {
        let rows = self.cells.iter().map(Vec::len).min().unwrap_or(0);
        (0..rows).flat_map(|row| self.cells.iter().map(move |cells| cells[row])).collect()
    }

    /// Writes the table in the format of the path's ending, whole or not at all.
    ///
    /// # Errors
    /// Those of [`write_table`].
    pub fn write(&self, path: &Path) -> Result<()> {
        write_table(path, TableRows { columns: &self.columns, values: &self.values() })
    }

    /// Writes a text table with these columns, whose rows `make` passes on block by block, whole or
    /// not at all. Memory holds a block alone.
    ///
    /// # Errors
    /// Those of `make` and of [`write_text_blocks`].
    pub fn write_blocks(
        &self,
        path: &Path,
        make: impl FnOnce(&mut dyn FnMut(&Self) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        write_text_blocks(path, &self.columns, |each| make(&mut |block| each(&block.values())))
    }

    /// Puts the columns of another table behind these.
    #[must_use]
    pub fn beside(mut self, other: Self) -> Self {
        self.columns.extend(other.columns);
        self.cells.extend(other.cells);
        self
    }

    /// Adds the columns of a matrix `[n, columns]`; those without a name are called by `letter`,
    /// with their number if there are several.
    pub(super) fn push_matrix(
        &mut self,
        columns: &[TableColumn],
        rows: &Tensor,
        letter: &str,
    ) -> Result<()> {
        let width = rows.size()[1];
        for (j, place) in (0..width).zip(0..) {
            let column = match (columns.get(place), width) {
                (Some(column), _) => column.clone(),
                (None, 1) => TableColumn::number(letter),
                (None, _) => TableColumn::number(format!("{letter}{j}")),
            };
            self.push(column, numbers(&rows.select(1, j))?);
        }
        Ok(())
    }

    /// Adds a column of deviations, if there are any.
    pub(super) fn extend(&mut self, name: &str, deviation: Option<Vec<f64>>) {
        if let Some(cells) = deviation {
            self.push(TableColumn::number(format!("{name}_std")), cells);
        }
    }

    /// Puts the columns into the order of `names`; others stay behind them.
    pub(super) fn in_order(self, names: &[String]) -> Self {
        let mut places = HashMap::with_capacity(names.len());
        for (place, name) in names.iter().enumerate() {
            places.entry(name.as_str()).or_insert(place);
        }
        let place =
            |column: &TableColumn| places.get(column.name.as_str()).copied().unwrap_or(usize::MAX);
        let mut all: Vec<_> = self.columns.into_iter().zip(self.cells).collect();
        all.sort_by_key(|(column, _)| place(column));
        let (columns, cells) = all.into_iter().unzip();
        Self { columns, cells }
    }
}

const WHOLE: CellType = CellType::Number { decimals: Some(0) };

/// The column of class labels, with the names of the classes; of whole numbers without names.
pub(super) fn label_column(own: Option<&TableColumn>, names: Vec<String>) -> TableColumn {
    match own {
        Some(own) if own.names() == Some(&names[..]) => own.clone(),
        _ => {
            let name = own.map_or("label", |own| own.name.as_str());
            let column = match &names[..] {
                [] => TableColumn::new(name, WHOLE),
                _ => TableColumn::category(name, names),
            };
            let storage = own.map_or(Storage::Plain, |own| own.storage.clone());
            TableColumn { storage, ..column }
        }
    }
}

/// Rows `[n]` or `[n, columns]` as a matrix; `letter` is x or y.
///
/// # Errors
/// [`Error::Config`]: they have another shape.
pub(super) fn matrix(rows: &Tensor, letter: &str) -> Result<Tensor> {
    match rows.dim() {
        1 => Ok(rows.unsqueeze(1)),
        2 => Ok(rows.shallow_clone()),
        _ => {
            let message =
                format!("a table holds vectors, and {letter} has shape {:?}", rows.size());
            Err(Error::config("", message).help("write an .npz instead"))
        }
    }
}

/// The numbers of a tensor `[n]`; float32 with as few digits as it has.
pub(super) fn numbers(values: &Tensor) -> Result<Vec<f64>> {
    let values = values.to_device(Device::Cpu).contiguous();
    Ok(match values.kind() {
        Kind::Float => Vec::<f32>::try_from(values)?.into_iter().map(shortest).collect(),
        _ => Vec::<f64>::try_from(values.to_kind(Kind::Double))?,
    })
}

/// The float64 with the fewest digits that is read back as the same float32.
fn shortest(value: f32) -> f64 {
    format!("{value:?}").parse().unwrap_or(value.into())
}
