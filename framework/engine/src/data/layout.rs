//! Rows of a table as a model sees them, and back.

use crate::component::{Columns, Part};
use crate::error::{Error, Result};
use crate::table::{Block, CellType, Segments, TableColumn, blocks_of, width_of};
use tch::{Device, Kind, Tensor};

/// Places of a table's columns in the rows that a model sees.
#[derive(Debug)]
pub struct TableLayout {
    columns: Vec<TableColumn>,
    segments: Segments,
    width: i64,
    /// Numbers of the columns that are numbers or times, and the entry of each, `[numbers]`.
    numbers: [Tensor; 2],
    /// For each block of categories, `[blocks]`: its column, its first entry, and the number of its
    /// names; 0 for a block that says if a number is missing.
    blocks: [Tensor; 3],
    /// Place of each entry of a category in its block, `[members]`.
    place: Tensor,
    /// Smallest step of each number, `[numbers]` float64; 0 for one that is not rounded.
    step: Tensor,
}

/// Cells of a table as they are kept: numbers apart from categories.
#[derive(Debug)]
pub(super) struct Cells {
    /// Numbers and times, `[n, numbers]`.
    pub numbers: Tensor,
    /// Entry that is 1 in each block of categories, `[n, blocks]` int64; −1: none.
    pub hot: Tensor,
}

impl Cells {
    pub fn map(&self, f: impl Fn(&Tensor) -> Tensor) -> Self {
        Self { numbers: f(&self.numbers), hot: f(&self.hot) }
    }
}

impl TableLayout {
    /// The layout of rows of these columns on `device`; `None` if the model sees all as plain
    /// numbers.
    pub fn of(columns: &[TableColumn], device: Device) -> Option<Self> {
        if columns.iter().all(TableColumn::is_plain) {
            return None;
        }
        let (mut number_columns, mut entries, mut step) = (Vec::new(), Vec::new(), Vec::new());
        let (mut of_column, mut first, mut names) = (Vec::new(), Vec::new(), Vec::new());
        let (mut place, mut next) = (Vec::new(), 0);
        for (column, i) in columns.iter().zip(0_i64..) {
            for block in column.blocks() {
                match block {
                    Block::Values(_) => {
                        number_columns.push(i);
                        entries.push(next);
                        step.push(step_of(&column.kind));
                    }
                    Block::Categories(width) => {
                        // The second block of a column says if the cell is missing.
                        let is_name = of_column.last() != Some(&i) && column.names().is_some();
                        of_column.push(i);
                        first.push(next);
                        names.push(if is_name { width } else { 0 });
                        place.extend(0..width);
                    }
                }
                next += block.width();
            }
        }
        let index = |all: &[i64]| Tensor::from_slice(all).to_device(device);
        Some(Self {
            segments: Segments::new(&blocks_of(columns), device),
            width: width_of(columns),
            numbers: [index(&number_columns), index(&entries)],
            blocks: [index(&of_column), index(&first), index(&names)],
            place: index(&place).to_kind(Kind::Double),
            step: Tensor::from_slice(&step).to_device(device),
            columns: columns.to_vec(),
        })
    }

    /// Copies the layout to a device.
    pub fn to_device(&self, device: Device) -> Self {
        let to = |t: &Tensor| t.to_device(device);
        Self {
            columns: self.columns.clone(),
            segments: Segments::new(&blocks_of(&self.columns), device),
            width: self.width,
            numbers: self.numbers.each_ref().map(to),
            blocks: self.blocks.each_ref().map(to),
            place: to(&self.place),
            step: to(&self.step),
        }
    }

    /// Number of entries of a row that a model sees.
    pub fn width(&self) -> i64 {
        self.width
    }

    /// Numbers of the entries that are numbers or times, `[numbers]`.
    pub(super) fn number_entries(&self) -> &Tensor {
        &self.numbers[1]
    }

    /// The columns that are numbers or times.
    pub(super) fn number_columns(&self) -> impl Iterator<Item = &TableColumn> {
        self.columns.iter().filter(|column| column.names().is_none())
    }

    /// Takes the cells of a table `[n, columns]` in the data's own units apart.
    pub(super) fn cells(&self, table: &Tensor) -> Cells {
        let [of_column, first, names] = &self.blocks;
        let values = table.index_select(1, of_column);
        let gap = values.isnan().to_kind(Kind::Int64);
        let code = values.nan_to_num(Some(-1.0), None, None).to_kind(Kind::Int64);
        let code = code.where_self(&names.gt(0), &gap);
        let hot = (&code + first).where_self(&code.ge(0), &first.full_like(-1));
        Cells { numbers: table.index_select(1, &self.numbers[0]), hot }
    }

    /// Rows `[n, entries]` of cells, in the precision `kind`; a block without a category is 0.
    pub(super) fn rows(&self, cells: &Cells, kind: Kind) -> Tensor {
        let Cells { numbers, hot } = cells;
        let shape = [numbers.size()[0], self.width];
        let mut rows = Tensor::zeros(shape, (kind, numbers.device()));
        if hot.size()[1] > 0 {
            let is_known = hot.ge(0).to_kind(kind);
            rows = rows.scatter_add_(1, &hot.clamp_min(0), &is_known);
        }
        match numbers.size()[1] {
            0 => rows,
            _ => rows.index_copy_(1, &self.numbers[1], &numbers.to_kind(kind)),
        }
    }

    /// Rows `[n, entries]` in which no cell is missing.
    pub(super) fn with_all_cells(&self, rows: &Tensor) -> Tensor {
        let [_, first, names] = &self.blocks;
        let presence = first.masked_select(&names.eq(0));
        rows.index_fill(1, &presence, 1.0).index_fill(1, &(presence + 1), 0.0)
    }

    /// A table `[n, columns]` in which a category without a code is a missing cell.
    pub(super) fn without_unknown(&self, table: &Tensor) -> Tensor {
        let is_category: Vec<bool> = self.columns.iter().map(|own| own.names().is_some()).collect();
        let is_category = Tensor::from_slice(&is_category).to_device(table.device());
        table.masked_fill(&table.lt(0.0).logical_and(&is_category), f64::NAN)
    }

    /// For each cell of the columns, its value and, where it may be missing, its presence, 1 if it
    /// is known where the cells `gap` `[n, columns]` are to be filled in: their presence is.
    pub(super) fn known(&self, gap: &Tensor) -> Tensor {
        let (mut of_column, mut presence) = (Vec::new(), Vec::new());
        for (column, i) in self.columns.iter().zip(0_i64..) {
            for (_, place) in column.blocks().zip(0..) {
                of_column.push(i);
                presence.push(place > 0);
            }
        }
        let device = gap.device();
        let of_column = Tensor::from_slice(&of_column).to_device(device);
        let presence = Tensor::from_slice(&presence).to_device(device);
        let known = gap.index_select(1, &of_column).logical_not().logical_or(&presence);
        known.to_kind(Kind::Double)
    }

    /// The table `[n, columns]` float64 in the data's own units of rows `[n, entries]` whose
    /// numbers are in these units: numbers rounded as those of the data, the most likely category
    /// of each block, NaN for missing cells.
    pub fn table(&self, rows: &Tensor) -> Tensor {
        let rows = rows.to_kind(Kind::Double);
        let chosen = self.segments.members(&self.segments.one_hot(&rows)) * &self.place;
        let code = self.segments.sum(&chosen);
        let [of_column, _, names] = &self.blocks;
        let shape = [rows.size()[0], self.columns.len() as i64];
        let table = Tensor::zeros(shape, (Kind::Double, rows.device()));
        let values = rows.index_select(1, &self.numbers[1]);
        let steps = (&values / &self.step).round() * &self.step;
        // 0.1 has no exact multiple: digits behind the sign are rounded as whole numbers.
        let scale = self.step.reciprocal().round();
        let digits = (&values * &scale).round() / &scale;
        let rounded = digits.where_self(&self.step.lt(1.0), &steps);
        let values = rounded.where_self(&self.step.gt(0.0), &values);
        let table = table.index_copy(1, &self.numbers[0], &values);
        // A block of presence adds 0 to the cell of its column, or NaN.
        let nan = code.full_like(f64::NAN).where_self(&code.eq(1.0), &code.zeros_like());
        table.index_add(1, of_column, &code.where_self(&names.gt(0), &nan))
    }

    /// True where a number of rows `[n, entries]` is missing, `[n, numbers]`.
    pub(super) fn gaps_of_numbers(&self, rows: &Tensor) -> Tensor {
        self.table(rows).index_select(1, &self.numbers[0]).isnan()
    }
}

/// Smallest step of numbers of a type: a digit behind the decimal sign, or the smallest unit of a
/// time in seconds; 0 for numbers that are not rounded.
fn step_of(kind: &CellType) -> f64 {
    match kind {
        CellType::Number { decimals: Some(decimals) } => 10_f64.powi(-i32::from(*decimals)),
        CellType::Time { format } => {
            let has = |all: &[&str]| all.iter().any(|part| format.contains(part));
            match () {
                () if has(&["%f", "%.", "%3f", "%6f", "%9f"]) => 0.0,
                () if has(&["%S", "%T", "%s", "%c", "%X", "%r", "%+"]) => 1.0,
                () if has(&["%M", "%R"]) => 60.0,
                () if has(&["%H", "%I", "%k", "%l"]) => 3600.0,
                () => 86400.0,
            }
        }
        _ => 0.0,
    }
}

/// Checks that the codes of categories have names.
///
/// # Errors
/// [`Error::Config`]: the first that has none, which is a mistake of the data source.
pub(super) fn check_codes(table: &Tensor, columns: &[TableColumn]) -> Result<()> {
    if table.numel() == 0 {
        return Ok(());
    }
    for (column, i) in columns.iter().zip(0..) {
        let Some(names) = column.names() else { continue };
        let cells = table.select(1, i);
        let most = cells.nan_to_num(Some(-1.0), None, None).max().double_value(&[]);
        if most >= names.len() as f64 {
            let (name, count) = (&column.name, names.len());
            let message = format!("column `{name}` has code {most} among {count} categories");
            return Err(Error::config("data", message));
        }
    }
    Ok(())
}

/// Checks that no cell is missing in a column without missing cells, and none is infinite.
///
/// # Errors
/// [`Error::Config`]: the first column with such a cell.
pub(super) fn check_cells(table: &Tensor, columns: &[TableColumn]) -> Result<()> {
    for (column, i) in columns.iter().zip(0..) {
        let cells = table.select(1, i);
        let count = |which: Tensor| which.sum(Kind::Int64).int64_value(&[]);
        let (gaps, infinite) = (count(cells.isnan()), count(cells.isinf()));
        let name = &column.name;
        if infinite > 0 {
            let message = format!("column `{name}` holds {infinite} infinite numbers");
            return Err(Error::config("data", message).help("remove or replace them first"));
        }
        if gaps > 0 && !column.missing {
            let message = format!(
                "{gaps} cells of column `{name}` are missing, and none is in the training rows"
            );
            return Err(Error::config("data", message).help("fill them or leave their rows out"));
        }
        let unknown = count(cells.lt(0.0));
        if unknown > 0 && column.names().is_some() {
            log::warn!(
                "{unknown} cells of column `{name}` have categories that the training rows lack, \
                 and count as none"
            );
        }
    }
    Ok(())
}

/// Leaves out the rows of the `set` of a table in which all cells of `part` are missing.
pub(super) fn without_gaps(table: Columns, part: Part, set: &str) -> Result<Columns> {
    let values = match part {
        Part::X => &table.x,
        Part::Y => &table.y,
    };
    let gappy = table.columns(part).iter().any(|column| column.missing);
    let Some(values) = values.as_ref().filter(|_| gappy) else {
        return Ok(table);
    };
    let known = values.isnan().logical_not().any_dim(1, false);
    let kept: Vec<i64> = Vec::try_from(known.nonzero().reshape([-1]))?;
    let gaps = values.size()[0] - kept.len() as i64;
    if gaps == 0 {
        return Ok(table);
    }
    log::warn!(
        "{gaps} {set} rows without any value of {part}, which cannot be learned from, are left out"
    );
    Ok(table.rows(&kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, seed_torch};

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Columns of every type, each without and with missing cells.
    pub(crate) fn columns() -> Vec<TableColumn> {
        let number = |decimals| CellType::Number { decimals };
        let kinds = [
            number(None),
            number(Some(0)),
            CellType::Flag { names: ["no", "yes"].map(str::to_owned) },
            CellType::Category { names: names(&["a", "b", "c", "d"]), ordered: true },
            number(Some(2)),
            CellType::Time { format: "%Y-%m-%d".into() },
            CellType::Category { names: names(&["one"]), ordered: false },
            CellType::Time { format: "%Y-%m-%d %H:%M:%S".into() },
        ];
        let of = |missing| {
            kinds.clone().into_iter().enumerate().map(move |(i, kind)| TableColumn {
                missing,
                ..TableColumn::new(format!("c{i}"), kind)
            })
        };
        of(false).chain(of(true)).collect()
    }

    /// Random cells of these columns.
    fn table(columns: &[TableColumn], n: i64) -> Tensor {
        let _stream = seed_torch(1, Purpose::Data, 0);
        let options = (Kind::Double, Device::Cpu);
        let cells = columns.iter().map(|column| {
            let cells = match (&column.kind, column.names()) {
                (_, Some(names)) => (Tensor::rand([n], options) * names.len() as f64).floor(),
                (CellType::Time { format }, _) if format.contains("%S") => {
                    (Tensor::rand([n], options) * 2e9).floor()
                }
                (CellType::Time { .. }, _) => (Tensor::randn([n], options) * 1e4).floor() * 86400.0,
                (CellType::Number { decimals: Some(d) }, _) => {
                    let scale = 10_f64.powi(i32::from(*d));
                    (Tensor::randn([n], options) * 1e5 * scale).round() / scale
                }
                _ => Tensor::randn([n], options) * 1e3,
            };
            let gap = Tensor::rand([n], options).lt(if column.missing { 0.3 } else { 0.0 });
            cells.masked_fill(&gap, f64::NAN)
        });
        Tensor::stack(&cells.collect::<Vec<_>>(), 1)
    }

    fn same(a: &Tensor, b: &Tensor) -> bool {
        a.allclose(b, 0.0, 0.0, true)
    }

    #[test]
    fn a_table_comes_back_from_the_rows_that_a_model_sees() {
        let columns = columns();
        let layout = TableLayout::of(&columns, Device::Cpu).unwrap();
        let _stream = seed_torch(2, Purpose::Data, 0);
        let table = table(&columns, 500);
        let rows = layout.rows(&layout.cells(&table), Kind::Double);
        assert_eq!(rows.size(), [500, width_of(&columns)]);
        // A number that is missing may be anything.
        let rows = rows.nan_to_num(Some(7.0), None, None);
        assert!(same(&layout.table(&rows), &table));
        // The most likely category is taken.
        let soft = &rows + (Tensor::rand_like(&rows) - 0.5) * 0.9;
        let codes = |table: &Tensor| table.index_select(1, &layout.blocks[0]);
        assert!(same(&codes(&layout.table(&soft)).isnan(), &codes(&table).isnan()));
        let categories: Vec<i64> =
            columns.iter().zip(0..).filter_map(|(column, i)| column.names().map(|_| i)).collect();
        let only = |table: Tensor| table.index_select(1, &Tensor::from_slice(&categories));
        assert!(same(&only(layout.table(&soft)), &only(table)));
    }

    #[test]
    fn each_block_has_one_entry_that_is_1_unless_its_category_is_not_known() {
        let columns = [
            TableColumn::category("kind", names(&["a", "b"])),
            TableColumn { missing: true, ..TableColumn::number("mass") },
            TableColumn { missing: true, ..TableColumn::category("hue", names(&["c"])) },
        ];
        let layout = TableLayout::of(&columns, Device::Cpu).unwrap();
        let table = Tensor::from_slice(&[1.0, 5.0, 0.0, -1.0, f64::NAN, f64::NAN]).view([2, 3]);
        let rows =
            layout.rows(&layout.cells(&table), Kind::Float).nan_to_num(Some(0.0), None, None);
        let expected = [
            [0.0_f32, 1.0, 5.0, 1.0, 0.0, 1.0, 1.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0],
        ];
        assert_eq!(rows, Tensor::from_slice(&expected.concat()).view([2, 8]));
        let codes = Tensor::from_slice(&[2.0, 1.0, 0.0]).view([1, 3]);
        let error = check_codes(&codes, &columns).unwrap_err().to_string();
        assert!(error.starts_with("column `kind` has code 2 among 2 categories"), "{error}");
    }

    #[test]
    fn numbers_are_rounded_as_in_the_data_and_dates_to_days() {
        let kinds = [
            CellType::Number { decimals: Some(0) },
            CellType::Number { decimals: Some(1) },
            CellType::Number { decimals: None },
            CellType::Time { format: "%d.%m.%Y".into() },
            CellType::Flag { names: ["0", "1"].map(str::to_owned) },
        ];
        let columns = kinds.map(|kind| TableColumn::new("a", kind));
        let layout = TableLayout::of(&columns, Device::Cpu).unwrap();
        let rows = Tensor::from_slice(&[2.6, 0.26, 0.26, 86400.0 * 1.6, 0.2, 0.1]).view([1, 6]);
        let expected = [3.0, 0.3, 0.26, 86400.0 * 2.0, 0.0];
        assert!(same(&layout.table(&rows), &Tensor::from_slice(&expected).view([1, 5])));
    }

    #[test]
    fn plain_numbers_need_no_layout() {
        let plain = TableColumn::numbers(names(&["a", "b"]));
        assert!(TableLayout::of(&plain, Device::Cpu).is_none());
        assert!(TableLayout::of(&[], Device::Cpu).is_none());
    }

    #[test]
    fn rows_are_left_out_where_no_column_of_y_has_a_value() {
        let gappy = |name| TableColumn { missing: true, ..TableColumn::number(name) };
        let y = Tensor::from_slice(&[1.0, f64::NAN, f64::NAN, f64::NAN]).view([2, 2]);
        let y_columns = vec![gappy("a"), gappy("b")];
        let table = Columns { y: Some(y), y_columns, ..Columns::default() };
        let left = without_gaps(table, Part::Y, "training").unwrap().y.unwrap();
        assert_eq!((left.size(), left.double_value(&[0, 0])), (vec![1, 2], 1.0));
    }
}
