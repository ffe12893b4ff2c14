use super::{NamePlaces, Storage};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// One column of a table: its name, its type, and its scaling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Saved")]
pub struct TableColumn {
    /// Name of the column; empty without one.
    pub name: String,
    /// Type of its cells.
    #[serde(rename = "type")]
    pub kind: CellType,
    /// True if cells may be missing.
    pub missing: bool,
    /// Scaling of numbers and times.
    pub scaling: Scaling,
    /// Type in which files with types hold the cells.
    #[serde(skip_serializing_if = "Storage::is_plain")]
    pub storage: Storage,
}

/// Type of the cells of a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellType {
    /// Numbers.
    Number {
        /// Digits behind the decimal sign in the data, 0 for whole numbers; `None`: as many as a
        /// number needs, and no rounding.
        decimals: Option<u8>,
    },
    /// One of two words, such as `no` and `yes`; the second means true.
    Flag {
        /// The words, by code.
        names: [String; 2],
    },
    /// One of several names.
    Category {
        /// The names, by code.
        names: Vec<String>,
        /// True if the names have an order.
        ordered: bool,
    },
    /// Dates and times.
    Time {
        /// Format of the cells, in the notation of `strftime`.
        format: String,
    },
}

/// Scaling of the numbers of a column, fitted to the training rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// To mean 0 and standard deviation 1.
    #[default]
    Standard,
    /// To a standard normal distribution, by the quantiles.
    Quantile,
}

/// Consecutive entries of an encoded row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// Numbers, each for itself.
    Values(i64),
    /// One category, one-hot or as probabilities.
    Categories(i64),
}

/// Codes of a column's categories in another column, by name.
#[derive(Clone, Debug)]
pub struct Codes {
    /// By own code; `None` if the cells are numbers, whose texts are the names.
    own: Option<Vec<f64>>,
    places: NamePlaces,
    unknown: f64,
}

impl Codes {
    /// Code of a cell.
    pub fn of(&self, cell: f64) -> f64 {
        match &self.own {
            _ if cell.is_nan() => self.place(""),
            Some(own) => own.get(cell as usize).copied().unwrap_or(self.unknown),
            None => self.place(&cell.to_string()),
        }
    }

    /// Code of a name.
    fn place(&self, name: &str) -> f64 {
        self.places.of(name).map_or(self.unknown, |place| place as f64)
    }
}

/// A column as it is saved, or a name alone, as models without types have them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Saved {
    Name(String),
    Column {
        name: String,
        #[serde(rename = "type")]
        kind: CellType,
        missing: bool,
        scaling: Scaling,
        #[serde(default)]
        storage: Storage,
        /// Written by earlier versions in place of the storage.
        #[serde(default)]
        whole: bool,
    },
}

impl From<Saved> for TableColumn {
    fn from(saved: Saved) -> Self {
        match saved {
            Saved::Name(name) => Self::number(name),
            Saved::Column { name, kind, missing, scaling, storage, whole } => {
                let storage = if whole { Storage::WHOLE } else { storage };
                Self { name, kind, missing, scaling, storage }
            }
        }
    }
}

impl TableColumn {
    /// A column of type `kind` without missing cells, numbers scaled by their deviation.
    pub fn new(name: impl Into<String>, kind: CellType) -> Self {
        let scaling = Scaling::Standard;
        Self { name: name.into(), kind, missing: false, scaling, storage: Storage::Plain }
    }

    /// A column of numbers that are not rounded.
    pub fn number(name: impl Into<String>) -> Self {
        Self::new(name, CellType::Number { decimals: None })
    }

    /// Columns of numbers that are not rounded, by their names.
    pub fn numbers(names: Vec<String>) -> Vec<Self> {
        names.into_iter().map(Self::number).collect()
    }

    /// A column of categories without order.
    pub fn category(name: impl Into<String>, names: Vec<String>) -> Self {
        Self::new(name, CellType::Category { names, ordered: false })
    }

    /// True if the model sees the column as numbers of mean 0 and deviation 1, and nothing else.
    pub fn is_plain(&self) -> bool {
        !self.missing && self.scaling == Scaling::Standard && self.names().is_none()
    }

    /// Names of the categories, by code; `None` for numbers and times.
    pub fn names(&self) -> Option<&[String]> {
        match &self.kind {
            CellType::Number { .. } | CellType::Time { .. } => None,
            CellType::Flag { names } => Some(names),
            CellType::Category { names, .. } => Some(names),
        }
    }

    /// Codes of `known`, a column of the same name, for the cells of this one; `None` if the cells
    /// stay as they are.
    ///
    /// # Errors
    /// [`Error::Config`]: this column holds categories, `known` numbers or times.
    pub fn codes_in(&self, known: &TableColumn) -> Result<Option<Codes>> {
        let unknown = if known.missing { f64::NAN } else { -1.0 };
        let (own, names) = match (self.names(), known.names()) {
            (None, None) => return Ok(None),
            (Some(own), Some(names)) if own == names => return Ok(None),
            (Some(_), None) => {
                let message =
                    format!("column `{}` holds categories, the model's numbers", known.name);
                return Err(Error::config("data", message));
            }
            (own, Some(names)) => (own, names),
        };
        let places = NamePlaces::new(names);
        let codes = Codes { own: None, places, unknown };
        let own = own.map(|own| own.iter().map(|name| codes.place(name)).collect());
        Ok(Some(Codes { own, ..codes }))
    }

    /// Blocks of the column in a row that a model sees: a number, or a category one-hot; followed
    /// by one-hot (there, missing) if cells may be missing. The first block of a missing cell has
    /// no meaning.
    pub fn blocks(&self) -> impl Iterator<Item = Block> + use<> {
        let first = match self.names() {
            Some(names) => Block::Categories(names.len() as i64),
            None => Block::Values(1),
        };
        std::iter::once(first).chain(self.missing.then_some(Block::Categories(2)))
    }

    /// Number of entries of the column in a row that a model sees.
    pub fn width(&self) -> i64 {
        self.blocks().map(Block::width).sum()
    }

    /// Names of these entries, such as `kind=red`.
    pub fn entries(&self) -> Vec<String> {
        let entry = |of: &str| format!("{}={of}", self.name);
        let mut all = match self.names() {
            Some(names) => names.iter().map(|name| entry(name)).collect(),
            None => vec![self.name.clone()],
        };
        if self.missing {
            all.extend([entry("(there)"), entry("(missing)")]);
        }
        all
    }
}

impl Block {
    /// The blocks of a target `[…shape]` of numbers.
    pub fn numbers(shape: &[i64]) -> Vec<Self> {
        vec![Self::Values(shape.iter().product())]
    }

    /// Number of entries.
    pub fn width(self) -> i64 {
        match self {
            Self::Values(width) | Self::Categories(width) => width,
        }
    }
}

/// The blocks of the rows of a table; numbers side by side are one block.
pub fn blocks_of(columns: &[TableColumn]) -> Vec<Block> {
    let mut all = Vec::new();
    for block in columns.iter().flat_map(TableColumn::blocks) {
        match (all.last_mut(), block) {
            (Some(Block::Values(width)), Block::Values(more)) => *width += more,
            _ => all.push(block),
        }
    }
    all
}

/// Number of entries of the rows of a table.
pub fn width_of(columns: &[TableColumn]) -> i64 {
    columns.iter().map(TableColumn::width).sum()
}

/// Names of columns; empty for columns without names.
pub fn names_of(columns: &[TableColumn]) -> Vec<String> {
    columns.iter().map(|column| column.name.clone()).collect()
}

/// Names of the entries of the rows of a table; empty for columns without names.
pub fn entry_names(columns: &[TableColumn]) -> Vec<String> {
    columns.iter().flat_map(TableColumn::entries).collect()
}

/// Names of coordinates that come from entries of the rows of a table, each from the one of its
/// number in `origins`: the entry's name, or, where several come from one, the column's with their
/// number from 1.
pub fn origin_names(columns: &[TableColumn], origins: &[i64]) -> Vec<String> {
    let parts: Vec<String> = columns
        .iter()
        .flat_map(|column| {
            let there = format!("{} (there)", column.name);
            let widths = column.blocks().map(Block::width).zip([column.name.clone(), there]);
            widths.flat_map(|(width, name)| vec![name; width as usize]).collect::<Vec<_>>()
        })
        .collect();
    let entries = entry_names(columns);
    let mut seen = HashMap::<i64, usize>::new();
    let name = |origin: &i64| {
        let count = seen.entry(*origin).or_default();
        *count += 1;
        match origins.iter().filter(|other| *other == origin).count() {
            1 => entries.get(*origin as usize).cloned(),
            _ => parts.get(*origin as usize).map(|part| format!("{part} {count}")),
        }
    };
    origins.iter().map(name).collect::<Option<_>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_column_takes_an_entry_for_each_number_and_category_and_two_if_cells_may_be_missing() {
        let number = TableColumn::number("mass");
        let gappy = TableColumn { missing: true, ..number.clone() };
        let kind = TableColumn::category("kind", names(&["red", "blue", "green"]));
        let unknown = TableColumn { missing: true, ..kind.clone() };
        let all = [number.clone(), number, gappy, kind, unknown];
        let expected = [
            Block::Values(3),
            Block::Categories(2),
            Block::Categories(3),
            Block::Categories(3),
            Block::Categories(2),
        ];
        assert_eq!(blocks_of(&all), expected);
        assert_eq!(width_of(&all), 13);
        let coordinates = origin_names(&all[1..4], &[0, 1, 4, 4, 2, 2]);
        assert_eq!(
            coordinates,
            ["mass", "mass", "kind 1", "kind 2", "mass (there) 1", "mass (there) 2"]
        );
        assert!(origin_names(&all[..1], &[0, 1]).is_empty());
        assert_eq!(
            entry_names(&all[2..4]),
            ["mass", "mass=(there)", "mass=(missing)", "kind=red", "kind=blue", "kind=green"]
        );
    }

    #[test]
    fn categories_of_another_file_get_the_codes_of_the_known_ones() {
        let known = TableColumn::category("kind", names(&["red", "blue", "7"]));
        let own = TableColumn::category("kind", names(&["blue", "grey", "red"]));
        let codes = own.codes_in(&known).unwrap().unwrap();
        assert_eq!([0.0, 1.0, 2.0, f64::NAN].map(|cell| codes.of(cell)), [1.0, -1.0, 0.0, -1.0]);
        let gappy = TableColumn { missing: true, ..known.clone() };
        assert!(own.codes_in(&gappy).unwrap().unwrap().of(1.0).is_nan());
        let number = TableColumn::number("kind");
        assert_eq!(number.codes_in(&known).unwrap().unwrap().of(7.0), 2.0);
        assert!(known.codes_in(&number).is_err() && number.codes_in(&number).unwrap().is_none());
        assert!(known.codes_in(&known).unwrap().is_none());
    }

    #[test]
    fn true_and_false_are_the_same_in_any_case() {
        let flag = |names: [&str; 2]| {
            TableColumn::new("paid", CellType::Flag { names: names.map(str::to_owned) })
        };
        let codes = flag(["False", "TRUE"]).codes_in(&flag(["false", "true"])).unwrap().unwrap();
        assert_eq!([0.0, 1.0].map(|cell| codes.of(cell)), [0.0, 1.0]);
        let codes = flag(["NO", "YES"]).codes_in(&flag(["no", "yes"])).unwrap().unwrap();
        assert_eq!([0.0, 1.0].map(|cell| codes.of(cell)), [-1.0, -1.0]);
    }

    #[test]
    fn a_saved_column_is_read_back_and_a_name_alone_is_a_number() {
        let times = CellType::Time { format: "%Y-%m-%d".to_owned() };
        let flag = CellType::Flag { names: ["no", "yes"].map(str::to_owned) };
        let ordered = CellType::Category { names: names(&["low", "high"]), ordered: true };
        let number = CellType::Number { decimals: Some(2) };
        for kind in [times, flag, ordered, number] {
            let column = TableColumn {
                missing: true,
                scaling: Scaling::Quantile,
                ..TableColumn::new("a", kind)
            };
            let text = serde_json::to_string(&column).unwrap();
            assert_eq!(serde_json::from_str::<TableColumn>(&text).unwrap(), column, "{text}");
        }
        assert_eq!(serde_json::from_str::<TableColumn>("\"b\"").unwrap(), TableColumn::number("b"));
    }
}
