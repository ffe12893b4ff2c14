//! Tables of any columns: numbers, categories, yes and no, dates, and gaps.

mod cells;
mod choose;
mod csv;
mod doubts;
mod gaps;
mod incomplete;
mod inspect;
mod keys;
mod labels;
mod rows;
mod sets;
mod whole;

pub use csv::Csv;
pub use keys::{
    Column, ColumnList, ColumnOptions, ColumnScaling, ColumnType, DecimalSign, Header,
    MissingValue, Separator,
};

use super::files::{check_alike, check_rows};
use choose::{Selection, column_keys, column_text, columns_of, number_of, selectable};
use gaps::Gaps;
use rows::Reading;
use std::collections::BTreeMap;
use std::path::{Path as FsPath, PathBuf};
use triflow::config::FilePath;
use triflow::io::table::{
    Format, Header as Names, MISSING_TEXTS, Markers, TableFile, is_unicode, typed_ending,
};
use triflow::log;
use triflow::prelude::*;
use triflow::registry::{Setting as _, yaml_text};

triflow::component! {
    /// A table with columns of any type: numbers, categories, yes and no, dates, with gaps or not.
    ///
    /// The file is text (`.csv`, `.tsv`, gzipped or not), Parquet or Arrow IPC (Feather). The type
    /// of each column is that of its cells, unless `columns` names another. Columns are chosen by
    /// name, or by number from 0. A later file is read by the names and types that training used,
    /// whatever the order of its columns. A single y of categories, or of yes and no, is class
    /// labels.
    #[extensions("csv", "tsv", "csv.gz", "tsv.gz", "parquet", "feather", "arrow")]
    #[example = "{ type: table, path: rows.csv, y: species }"]
    pub struct Table: DataSource = "table" {
        /// File of the table.
        pub path: FilePath,
        /// Columns of x; empty: those named `x`, `x0`, `x1`, …, in the order of their numbers, or
        /// without these every column that is nothing else.
        pub x: ColumnList = ColumnList::default(),
        /// Columns of y; empty: those named `y`, `y0`, `y1`, …, or `label`.
        pub y: ColumnList = ColumnList::default(),
        /// Read the single column of y as class labels; null: if it is named `label`, or holds
        /// categories or two different whole numbers.
        pub labels: Option<bool> = None,
        /// Types of columns by name, such as `{ zip: category, id: ignore }`: `number`, `integer`,
        /// `flag`, `category`, `time`, `ignore`, or a map with `type`, `order` (the names of
        /// categories), `format` (of times) and `scaling`.
        pub columns: BTreeMap<String, ColumnOptions> = BTreeMap::new(),
        /// Scaling of columns of numbers and times that name none.
        pub scaling: ColumnScaling = ColumnScaling::Standard,
        /// Treatment of missing values, which are empty cells and `markers`.
        pub missing: MissingValue = MissingValue::Keep,
        /// Texts of cells whose value is missing, beside empty ones.
        #[whole]
        pub markers: Vec<String> = MISSING_TEXTS.into_iter().chain(["?", "-"]).map(Into::into).collect(),
        /// Lines before the names or the first row that are passed over, such as a title.
        pub skip: usize = 0,
        /// Character, such as `'#'`, with which lines begin that are passed over; null: none.
        pub comment: Option<String> = None,
        /// Presence of a first line with the names of the columns.
        pub header: Header = Header::Detect,
        /// Separator between cells.
        pub separator: Separator = Separator::Auto,
        /// Decimal sign of numbers.
        pub decimal: DecimalSign = DecimalSign::Auto,
        /// Numbers may have signs between groups of three digits, where every cell of the column
        /// agrees, as 1,234.5 or 1 234.
        pub thousands: bool = true,
        /// Encoding of the text, such as `latin1` or `utf-16le`; null: UTF-8, or UTF-16 with a byte
        /// order mark.
        pub encoding: Option<String> = None,
        /// File of the rows for validation; null: they are split off.
        pub val_path: Option<FilePath> = None,
        /// File of the rows for the final evaluation; null: they are split off.
        pub test_path: Option<FilePath> = None,
        /// Column with the weight of each training row, at least 0, for `training.row_weights:
        /// given`; null: none.
        pub weights: Option<Column> = None,
    }
}

impl Spec<dyn DataSource> for Table {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        Ok(Box::new(Source::new(ctx, self.clone(), true)))
    }
}

/// A source of a table.
struct Source {
    base: PathBuf,
    /// Name of the column by which rows are divided.
    split_column: Option<String>,
    spec: Table,
    /// False if all columns but labels are plain numbers.
    is_typed: bool,
}

impl DataSource for Source {
    fn load(&self) -> Result<Splits> {
        let path = self.base.join(&*self.spec.path);
        let file = self.open(&path, false)?;
        let known = selectable(&file);
        for i in (0..file.width()).filter(|i| !known.contains(i)) {
            let what = file.called(i);
            log::info!("{}: {what} holds names of rows and is passed over", path.display());
        }
        self.check_columns(&file)?;
        let selection = self.select(&file, &self.spec, &[Part::X, Part::Y])?;
        let weights = self.spec.weights.as_ref().map(|column| number_of(&file, column)).transpose();
        let mut selection = Selection {
            weights: weights.map_err(|e| e.help("the key is data.weights"))?,
            ..selection
        };
        let divides = self.split_column.as_ref();
        let divides = divides.map(|name| {
            let number = number_of(&file, &Column::Name(name.clone()));
            number.map_err(|e| e.help("the key is in data.split"))
        });
        let divides = divides.transpose()?;
        if selection.every && divides.is_some_and(|i| selection.x.contains(&i)) {
            log::info!(
                "{} divides the rows and is no column of x unless data.x names it",
                file.called(divides.unwrap_or_default())
            );
        }
        let (every, weights) = (selection.every, selection.weights);
        let others = known.into_iter().filter(|i| {
            let used = selection.x.contains(i) || selection.y.contains(i);
            !used && Some(*i) != weights && Some(*i) != divides
        });
        let others: Vec<String> = others.map(|i| file.called(i)).collect();
        if self.is_typed && !every && self.spec.x.0.is_empty() && !others.is_empty() {
            log::warn!(
                "{}: {}; not used: {}",
                path.display(),
                selection.usual(&file),
                others.join(", ")
            );
        }
        selection.x.retain(|i| !every || Some(*i) != weights && Some(*i) != divides);
        let reading = Reading { source: self, spec: &self.spec, file: &file, is_training: true };
        let (mut train, selection) = reading.columns(selection, self.gaps())?;
        let train_split = divides.map(|i| {
            sets::split_column(&file, i, &self.options(&file, &self.spec, i), &train.kept)
        });
        train.split = train_split.transpose()?;
        check_rows(&path, &train, ["x", "y"])?;
        let is_single = |part| train.layout(part).is_some_and(|(_, shape)| shape[0] == 1);
        if self.is_typed && (is_single(Part::X) || is_single(Part::Y)) {
            log::warn!("{}: one row is no table to learn from", path.display());
        }
        // The other tables are read by the columns and types that were decided here.
        let is_label = train.y.as_ref().map(|y| y.kind() == triflow::tch::Kind::Int64);
        let spec = Table {
            x: ColumnList(column_keys(&file, &selection.x)),
            y: ColumnList(column_keys(&file, &selection.y)),
            labels: is_label,
            columns: reading.decided(&selection, &train),
            weights: None,
            ..self.spec.clone()
        };
        let further = |path: &Option<FilePath>, set: &str| -> Result<Option<Columns>> {
            let Some(path) = path else { return Ok(None) };
            let path = self.base.join(&**path);
            let parts: Vec<Part> = [(Part::X, &spec.x), (Part::Y, &spec.y)]
                .into_iter()
                .filter_map(|(part, columns)| (!columns.0.is_empty()).then_some(part))
                .collect();
            let mut columns = self.rows(&spec, &path, &parts, self.gaps())?;
            let place = |row| self.place_in(&path, row, false);
            sets::align(&path, &train, &mut columns, (set, &place))?;
            check_alike(&path, &train, &columns, set)?;
            Ok(Some(columns))
        };
        let val = further(&self.spec.val_path, "val")?;
        let test = further(&self.spec.test_path, "test")?;
        let mut keys = vec![("x".to_owned(), yaml_text(&spec.x.write()?)?)];
        if train.y.is_some() {
            keys.push(("y".to_owned(), yaml_text(&spec.y.write()?)?));
            keys.push(("labels".to_owned(), yaml_text(&spec.labels.write()?)?));
        }
        if self.is_typed {
            keys.push(("columns".to_owned(), yaml_text(&spec.columns.write()?)?));
        }
        Ok(Splits { train, val, test, decided: keys })
    }

    fn read(&self, path: &FsPath, parts: &[Part]) -> Result<Columns> {
        let file = self.open(path, false)?;
        let selection = self.select(&file, &self.spec, parts)?;
        for part in parts {
            if selection.columns(*part).is_empty() {
                return Err(selection.undecided(&file, &[*part]));
            }
        }
        self.rows(&self.spec, path, parts, self.gaps())
    }

    fn place(&self, row: i64) -> Result<String> {
        let path = self.base.join(&*self.spec.path);
        Ok(format!("{} of {}", self.place_in(&path, row, false)?, path.display()))
    }

    fn place_in(&self, path: &FsPath, row: i64, incomplete: bool) -> Result<String> {
        self.open(path, incomplete)?.place(row as usize)
    }

    fn inspect(&self) -> Result<Inspection> {
        let file = self.open(&self.base.join(&*self.spec.path), false)?;
        self.check_columns(&file)?;
        inspect::inspect(self, &file)
    }

    fn read_incomplete(&self, path: &FsPath, part: Part) -> Result<Columns> {
        incomplete::read(self, path, part)
    }

    fn read_whole(&self, path: &FsPath, texts: bool) -> Result<Option<Columns>> {
        whole::read_whole(self, path, texts).map(Some)
    }
}

impl Source {
    fn new(ctx: &DataContext, spec: Table, is_typed: bool) -> Self {
        let (base, split_column) = (ctx.base.clone(), ctx.split_column.clone());
        Self { base, split_column, spec, is_typed }
    }

    /// The table in a file; with `empty_rows`, lines of separators alone are rows.
    fn open(&self, path: &FsPath, empty_rows: bool) -> Result<TableFile> {
        triflow::io::check_input(path)?;
        let spec = &self.spec;
        let comment = spec.comment.as_deref().map(|text| match text.as_bytes() {
            [byte] if byte.is_ascii_graphic() && *byte != b'"' => Ok(*byte),
            _ => {
                let message = format!("needs a single sign such as '#', and is `{text}`");
                Err(Error::config("comment", message))
            }
        });
        let mut format = Format {
            skip: spec.skip,
            comment: comment.transpose()?,
            header: match spec.header {
                Header::Detect => Names::Detect,
                Header::Present => Names::Present,
                Header::Absent => Names::Absent,
            },
            separator: spec.separator.byte(path),
            encoding: spec.encoding.clone(),
            decimal: spec.decimal.byte(),
            groups: spec.thousands,
            padded: !self.is_typed,
            markers: Markers::new(&spec.markers),
            empty_rows,
        };
        if path == self.base.join(&*spec.path) {
            return TableFile::open(path, &format);
        }
        // A file beside the training file may be written in another way.
        if let Some(encoding) = &spec.encoding
            && typed_ending(path).is_none()
            && is_unicode(path, encoding)?
        {
            log::info!("{} is Unicode, not {encoding}", path.display());
            format.encoding = None;
        }
        let file = TableFile::open(path, &format)?;
        let detected = Format { separator: None, ..format };
        match file.is_text() && file.width() == 1 && spec.separator != Separator::Auto {
            true => Ok(Some(TableFile::open(path, &detected)?)
                .filter(|other| other.width() > 1)
                .unwrap_or(file)),
            false => Ok(file),
        }
    }

    fn gaps(&self) -> Gaps {
        match self.spec.missing {
            MissingValue::Keep => Gaps::Keep,
            MissingValue::Error => Gaps::Error,
            MissingValue::Drop => Gaps::Drop,
        }
    }

    /// Parts of a further file.
    fn rows(&self, spec: &Table, path: &FsPath, parts: &[Part], gaps: Gaps) -> Result<Columns> {
        let file = self.open(path, false)?;
        let selection = self.select(&file, spec, parts)?;
        let reading = Reading { source: self, spec, file: &file, is_training: false };
        Ok(reading.columns(selection, gaps)?.0)
    }

    /// The columns of `parts` in a file.
    ///
    /// # Errors
    /// A column does not exist, none is found, or one is both x and y.
    fn select(&self, file: &TableFile, spec: &Table, parts: &[Part]) -> Result<Selection> {
        let columns = |part: Part, given: &ColumnList| columns_of(file, &given.0, part);
        let usual_y = columns(Part::Y, &spec.y);
        let mut selection = Selection::default();
        if parts.contains(&Part::Y) {
            selection.y = usual_y?;
        }
        if parts.contains(&Part::X) {
            selection.x = columns(Part::X, &spec.x)?;
            // A usual name says nothing about a column that is named on the other side.
            match (spec.x.0.is_empty(), spec.y.0.is_empty()) {
                (false, true) => selection.y.retain(|i| !selection.x.contains(i)),
                (true, false) if self.is_typed => selection.x.retain(|i| !selection.y.contains(i)),
                _ => {}
            }
            if selection.x.is_empty() && self.is_typed {
                let y = columns(Part::Y, &spec.y).unwrap_or_default();
                let weights = spec.weights.as_ref().and_then(|column| number_of(file, column).ok());
                let ignored = |i: &usize| self.options(file, spec, *i).is_ignored();
                selection.x = selectable(file)
                    .into_iter()
                    .filter(|i| !y.contains(i) && Some(*i) != weights && !ignored(i))
                    .collect();
                selection.every = true;
            }
        }
        let ignored = |i: &usize| self.is_typed && self.options(file, spec, *i).is_ignored();
        for (part, given) in [(Part::X, &spec.x), (Part::Y, &spec.y)] {
            let columns = match part {
                Part::X => &mut selection.x,
                Part::Y => &mut selection.y,
            };
            match columns.iter().find(|i| ignored(i)) {
                Some(both) if !given.0.is_empty() => {
                    let message = format!(
                        "{} is both {part} and ignored: leave it out of data.{part}, or \
                         data.columns.{} out",
                        file.called(*both),
                        column_text(file, *both)
                    );
                    return Err(Error::data(file.path(), message));
                }
                _ => columns.retain(|i| !ignored(i)),
            }
        }
        if selection.x.is_empty() && selection.y.is_empty() {
            return Err(selection.undecided(file, parts));
        }
        if let Some(both) = selection.x.iter().find(|i| selection.y.contains(i)) {
            let message = format!("{} is both x and y", file.called(*both));
            return Err(Error::data(file.path(), message));
        }
        Ok(selection)
    }

    /// The options that `columns` gives a column.
    fn options(&self, file: &TableFile, spec: &Table, column: usize) -> ColumnOptions {
        let name = Some(file.name(column)).filter(|name| !name.is_empty());
        let by_name = name.and_then(|name| spec.columns.get(name));
        by_name.or_else(|| spec.columns.get(&column.to_string())).cloned().unwrap_or_default()
    }

    /// Checks that the file has the columns that `columns` names.
    fn check_columns(&self, file: &TableFile) -> Result<()> {
        for name in self.spec.columns.keys() {
            let by_number = || name.parse::<usize>().is_ok_and(|number| number < file.width());
            if !file.names().is_some_and(|names| names.contains(name)) && !by_number() {
                number_of(file, &Column::Name(name.clone()))
                    .map_err(|e| e.help("the key is data.columns"))?;
            }
        }
        Ok(())
    }
}
