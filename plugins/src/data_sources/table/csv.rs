use super::{Column, ColumnList, DecimalSign, Header, MissingValue, Separator, Source, Table};
use triflow::config::FilePath;
use triflow::io::table::MISSING_TEXTS;
use triflow::prelude::*;

triflow::component! {
    /// A table whose columns are numbers, and y class labels: the data source `table` without
    /// types, as runs of earlier versions name it.
    ///
    /// Columns are chosen by name, or by number from 0; the others may hold anything. Class labels
    /// may be numbers, texts or booleans: each distinct value is a class of that name.
    #[extensions("csv", "tsv", "csv.gz", "tsv.gz")]
    #[superseded = "table"]
    #[example = "{ type: csv, path: rows.csv }"]
    pub struct Csv: DataSource = "csv" {
        /// File of the table.
        pub path: FilePath,
        /// Columns of x; empty: those named `x`, `x0`, `x1`, …, in the order of their numbers.
        pub x: Vec<Column> = Vec::new(),
        /// Columns of y; empty: those named `y`, `y0`, `y1`, …, or `label`.
        pub y: Vec<Column> = Vec::new(),
        /// Read the single column of y as class labels; null: if it is named `label` or holds no
        /// number.
        pub labels: Option<bool> = None,
        /// Presence of a first line with the names of the columns.
        pub header: Header = Header::Detect,
        /// Separator between cells.
        pub separator: Separator = Separator::Auto,
        /// Decimal sign of numbers.
        pub decimal: DecimalSign = DecimalSign::Auto,
        /// Encoding of the text, such as `latin1` or `utf-16le`; null: UTF-8, or UTF-16 with a byte
        /// order mark.
        pub encoding: Option<String> = None,
        /// Treatment of rows with an empty cell (or NA, NaN, null, None) in a column of x or y.
        pub missing: MissingValue = MissingValue::Error,
        /// File of the rows for validation; null: they are split off.
        pub val_path: Option<FilePath> = None,
        /// File of the rows for the final evaluation; null: they are split off.
        pub test_path: Option<FilePath> = None,
        /// Column with the weight of each training row, at least 0, for `training.row_weights:
        /// given`; null: none.
        pub weights: Option<Column> = None,
    }
}

impl Spec<dyn DataSource> for Csv {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        let own = self.clone();
        let spec = Table {
            x: ColumnList(own.x),
            y: ColumnList(own.y),
            labels: own.labels,
            header: own.header,
            separator: own.separator,
            decimal: own.decimal,
            thousands: false,
            encoding: own.encoding,
            missing: own.missing,
            markers: MISSING_TEXTS.map(str::to_owned).to_vec(),
            val_path: own.val_path,
            test_path: own.test_path,
            weights: own.weights,
            ..Table::new(own.path)
        };
        Ok(Box::new(Source::new(ctx, spec, false)))
    }
}
