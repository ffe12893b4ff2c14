//! Conversion between the data's own units and the model's, which a model keeps when it is trained:
//! shapes, one-hot labels, normalisation and names.

use super::bind::{bind, bind_side, sides};
use super::classes::Classes;
use super::completion::Known;
use super::files::reader;
use super::fit::Fit;
use super::layout::{Cells, TableLayout};
use super::normaliser::Normaliser;
use super::places::Namer;
use super::quantiles::Ties;
use super::rows::{Batch, Rows, Side};
use super::summary::DataSummary;
use crate::component::{Columns, Part, shape_text};
use crate::config::Experiment;
use crate::error::{Error, Result};
use crate::table::{Block, TableColumn, blocks_of, entry_names, width_of};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// Shapes of one row of the data, as the task binds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shapes {
    /// Shape of one target.
    pub target: Vec<i64>,
    /// Shape of one condition; `None` for generation without condition.
    pub condition: Option<Vec<i64>>,
}

/// Conversion of rows from the data's own units to the model's and back.
#[derive(Clone, Debug)]
pub struct Units {
    /// Shapes of one row.
    pub shapes: Shapes,
    /// Normaliser of targets.
    pub target: Normaliser,
    /// Normaliser of conditions.
    pub condition: Normaliser,
    /// True if targets are one-hot labels.
    pub target_is_label: bool,
    /// True if conditions are one-hot labels.
    pub condition_is_label: bool,
    /// Names of columns and classes.
    pub names: Names,
}

/// Columns and classes of the data; a list is empty if there are no names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Names {
    /// The target's columns.
    pub target: Vec<TableColumn>,
    /// The condition's columns.
    pub condition: Vec<TableColumn>,
    /// Names of all columns in the order of the training file; empty: targets before conditions.
    pub order: Vec<String>,
    /// Names of the classes, by label.
    pub classes: Vec<String>,
}

impl Names {
    /// Names of the entries of a target, as a model sees it.
    pub fn target_entries(&self) -> Vec<String> {
        entry_names(&self.target)
    }

    /// Names of the entries of a condition, as a model sees it.
    pub fn condition_entries(&self) -> Vec<String> {
        entry_names(&self.condition)
    }
}

impl Units {
    /// Units of data that are numbers without names, as they are.
    pub fn plain(shapes: Shapes, (kind, device): (Kind, Device)) -> Self {
        Self {
            shapes,
            target: Normaliser::identity(kind, device),
            condition: Normaliser::identity(kind, device),
            target_is_label: false,
            condition_is_label: false,
            names: Names::default(),
        }
    }

    /// Fits units to the training rows, which are in the data's own units, and adds their
    /// deviations to `summary`.
    pub(super) fn fit(
        train: &Rows,
        names: Names,
        experiment: &Experiment,
        (kind, device): (Kind, Device),
        summary: &mut DataSummary,
    ) -> Result<Self> {
        let (learned, from) = sides(experiment.task());
        let fit = Fit { experiment, kind, device };
        let is_label = |side: &Side| side.column.as_labels().is_some();
        let row = |side: &Side| side.column.shape().to_vec();
        let condition = train.condition.as_ref();
        Ok(Self {
            shapes: Shapes { target: row(&train.target), condition: condition.map(row) },
            target: fit.normaliser(&train.target, (learned, Ties::Spread), summary)?,
            condition: match condition {
                Some(side) => fit.normaliser(side, (from, Ties::Equal), summary)?,
                None => Normaliser::identity(kind, device),
            },
            target_is_label: is_label(&train.target),
            condition_is_label: condition.is_some_and(is_label),
            names,
        })
    }

    /// Normalises rows that are in the data's own units.
    pub(super) fn apply(&self, rows: Rows) -> Result<Rows> {
        Ok(Rows {
            target: rows.target.scaled(&self.target)?,
            condition: rows.condition.map(|side| side.scaled(&self.condition)).transpose()?,
            ..rows
        })
    }

    /// The classes; `None` if neither targets nor conditions are labels.
    pub(super) fn class_names(&self) -> Option<Classes> {
        self.classes().map(|count| Classes::of_model(&self.names.classes, count))
    }

    /// Label of the class called `name`.
    ///
    /// # Errors
    /// [`Error::Config`]: the model has no classes, or none of that name; the message lists them.
    pub fn label(&self, name: &str) -> Result<i64> {
        let classes = self.class_names();
        let none = || Error::config("", "this model has no classes");
        classes.ok_or_else(none)?.label(name)
    }

    /// Puts the columns and labels of a further table into the order of the training rows, by their
    /// names.
    ///
    /// # Errors
    /// [`Error::Config`]: a column is missing, y are labels but the model's are numbers, or a class
    /// is none of the model's.
    pub fn align(&self, mut table: Columns, experiment: &Experiment) -> Result<Columns> {
        match self.class_names() {
            Some(classes) => {
                let source = table.file.as_ref().and_then(|file| reader(experiment, file).ok());
                classes.align(&mut table, "the file has", Namer(source.as_deref()))?;
            }
            None if !table.classes.is_empty() && !experiment.unconditional => {
                let message = "y of the file holds class labels, but the model's y are numbers";
                return Err(Error::config("data", message));
            }
            None => {}
        }
        let (learned, from) = (&self.names.target, &self.names.condition);
        let (x, y) = if experiment.task().learns_y() { (from, learned) } else { (learned, from) };
        for (part, known) in [(Part::X, x), (Part::Y, y)] {
            table.align_columns(part, known)?;
        }
        Ok(table)
    }

    /// Converts a further table to normalised rows on the model's device.
    ///
    /// # Errors
    /// [`Error::Config`]: those of [`align`](Self::align), rows have other shapes than the model's,
    /// or values are NaN or infinite. [`Error::Data`]: rows on disk cannot be read.
    pub fn rows(&self, table: Columns, experiment: &Experiment) -> Result<Batch> {
        let table = &self.align(table, experiment)?;
        let options = (self.target.kind(), self.target.mean.device());
        let (rows, _) = bind(table, experiment, self.classes(), options)?;
        self.check(&rows)?;
        self.apply(rows)?.all()
    }

    /// Layout of targets that are rows of a table; `None` for labels, and where all columns are
    /// plain numbers or have no names.
    pub fn target_layout(&self) -> Option<TableLayout> {
        self.layout(&self.names.target, Some(&self.shapes.target), &self.target)
    }

    /// Layout of conditions, as for targets.
    pub fn condition_layout(&self) -> Option<TableLayout> {
        self.layout(&self.names.condition, self.shapes.condition.as_ref(), &self.condition)
    }

    fn layout(
        &self,
        columns: &[TableColumn],
        shape: Option<&Vec<i64>>,
        units: &Normaliser,
    ) -> Option<TableLayout> {
        let layout = TableLayout::of(columns, units.mean.device())?;
        (shape.map(Vec::as_slice) == Some(&[layout.width()])).then_some(layout)
    }

    /// The table `[n, columns]` float64 of targets `[n, entries]` in the data's own units: numbers
    /// rounded as in the data, codes of the most likely categories, NaN for missing cells. Targets
    /// of plain numbers are such a table already.
    pub fn table(&self, targets: &Tensor) -> Tensor {
        match self.target_layout() {
            Some(layout) => layout.table(targets),
            None => targets.to_kind(Kind::Double),
        }
    }

    /// The table `[n, columns]` of conditions, as [`table`](Self::table) for targets.
    pub fn condition_table(&self, conditions: &Tensor) -> Tensor {
        match self.condition_layout() {
            Some(layout) => layout.table(conditions),
            None => conditions.to_kind(Kind::Double),
        }
    }

    /// The table of targets as [`table`](Self::table) gives it, with a value in each cell, also in
    /// those that are missing.
    pub(crate) fn full_table(&self, targets: &Tensor) -> Tensor {
        match self.target_layout() {
            Some(layout) => layout.table(&layout.with_all_cells(targets)),
            None => targets.to_kind(Kind::Double),
        }
    }

    /// Targets of a table some of whose cells are missing: the cells `[n, columns]` float64 in the
    /// data's own units, the known ones as a model is given them, and the normalised conditions.
    ///
    /// # Errors
    /// [`Error::Config`]: the table has no targets or lacks one of their columns, or the conditions
    /// are not as [`rows`](Self::rows) needs them.
    pub(crate) fn partly(
        &self,
        table: Columns,
        experiment: &Experiment,
    ) -> Result<(Tensor, Known, Option<Tensor>)> {
        let mut table = self.align(table, experiment)?;
        let (learned, from) = sides(experiment.task());
        let device = self.target.mean.device();
        let side = match learned {
            Part::X => table.x.take(),
            Part::Y => table.y.take(),
        };
        let message = || Error::config("data", format!("the data have no {learned}"));
        let own = side.ok_or_else(message)?.to_kind(Kind::Double).to_device(device);
        let own = if own.dim() == 1 { own.unsqueeze(1) } else { own };
        // A category that the training rows lack is not known.
        let own = match self.target_layout() {
            Some(layout) => layout.without_unknown(&own),
            None => own,
        };
        let gap = own.isnan();
        let (values, cells) = match self.target_layout() {
            Some(layout) => {
                let cells = layout.cells(&own);
                (layout.rows(&cells, Kind::Double), layout.known(&gap))
            }
            None => (own.shallow_clone(), gap.logical_not().to_kind(Kind::Double)),
        };
        let values = self.target.apply(&values).nan_to_num(Some(0.0), None, None);
        let cells = cells.to_kind(self.target.kind());
        let expected = self.shapes.target.iter().product::<i64>();
        if values.size()[1] != expected {
            let message = format!("rows have {} columns, the model's {expected}", own.size()[1]);
            return Err(Error::config("data", message));
        }
        let condition = match &self.shapes.condition {
            Some(shape) => {
                let options = (self.target.kind(), device);
                let side = bind_side(&table, from, experiment, self.classes(), options)?;
                check_shape("condition", &side, shape)?;
                Some(side.scaled(&self.condition)?.column.take(0..own.size()[0])?)
            }
            None => None,
        };
        Ok((own, Known { values, cells }, condition))
    }

    /// Targets `[n, entries]` in the data's own units as rows of data can be: with one category in
    /// each block, and numbers rounded. Targets of plain numbers stay as they are.
    pub fn as_data(&self, targets: Tensor) -> Tensor {
        let Some(layout) = self.target_layout() else { return targets };
        let cells = layout.cells(&layout.table(&targets));
        let mean = self.target.mean.index_select(0, layout.number_entries());
        let numbers = cells.numbers.where_self(&cells.numbers.isnan().logical_not(), &mean);
        layout.rows(&Cells { numbers, ..cells }, Kind::Double)
    }

    /// Numbers of entries of the cells of a flat target, column by column: of the value and, where
    /// cells may be missing, of its presence.
    pub(crate) fn cells(&self) -> Vec<Vec<i64>> {
        match self.target_layout() {
            Some(_) => {
                let columns = self.names.target.iter();
                columns.map(|column| column.blocks().map(Block::width).collect()).collect()
            }
            None => (0..self.shapes.target.iter().product()).map(|_| vec![1]).collect(),
        }
    }

    /// Numbers and categories of a target.
    pub(crate) fn target_blocks(&self) -> Vec<Block> {
        match (self.target_is_label, &self.names.target[..], &self.shapes.target[..]) {
            (true, _, [classes]) => vec![Block::Categories(*classes)],
            (false, columns, [width]) if width_of(columns) == *width => blocks_of(columns),
            _ => Block::numbers(&self.shapes.target),
        }
    }

    /// Number of classes; `None` if neither side holds labels.
    pub(super) fn classes(&self) -> Option<i64> {
        let label = match self.target_is_label {
            true => Some(&self.shapes.target),
            false => self.shapes.condition.as_ref().filter(|_| self.condition_is_label),
        };
        label.and_then(|shape| shape.first().copied())
    }

    /// Checks that rows have the model's shapes.
    pub(super) fn check(&self, rows: &Rows) -> Result<()> {
        check_shape("target", &rows.target, &self.shapes.target)?;
        match (&rows.condition, &self.shapes.condition) {
            (Some(side), Some(shape)) => check_shape("condition", side, shape),
            _ => Ok(()),
        }
    }

    /// Lists of names that files of samples or predictions have beside their arrays: `columns`,
    /// `condition_columns`, and `classes` by label. Empty lists are left out.
    pub fn texts(&self) -> Vec<(&'static str, Vec<String>)> {
        let names = &self.names;
        let all = [
            ("columns", names.target_entries(), !self.target_is_label),
            ("condition_columns", names.condition_entries(), !self.condition_is_label),
            ("classes", names.classes.clone(), true),
        ];
        let used = all.into_iter().filter(|(_, names, used)| *used && !names.is_empty());
        used.map(|(name, names, _)| (name, names)).collect()
    }
}

/// Checks that the rows of a side have a shape.
fn check_shape(what: &str, side: &Side, shape: &[i64]) -> Result<()> {
    if side.column.shape() == shape {
        return Ok(());
    }
    let (found, shape) = (shape_text(side.column.shape()), shape_text(shape));
    let message = format!("the {what}s have shape {found}, the model's have {shape}");
    Err(Error::config("data", message))
}
