use super::names::texts;
use crate::error::{Error, Result};
use crate::parameters;
use crate::registry::{Key, Parameter, Setting, Shape, Yaml, needs};
use crate::table::TableColumn;
use std::collections::BTreeSet;

parameters! {
    /// Division of the rows into training, validation and test; a set that the source provides
    /// takes none.
    pub struct Split {
        /// Share of training rows, or with `by` a list of values; null: the rest.
        #[range(min = 0, max = 1)]
        pub train: Option<Portion> = None,
        /// Share of validation rows, or with `by` a list of values; null: 0.1, or 0 where the
        /// source has its own validation or test rows.
        #[range(min = 0, max = 1)]
        pub val: Option<Portion> = None,
        /// Share of test rows, or with `by` a list of values; null: 0.1, or 0 where the source has
        /// its own validation or test rows.
        #[range(min = 0, max = 1)]
        pub test: Option<Portion> = None,
        /// Name of the column that says which set each row belongs to: its cells are `train`, `val`
        /// or `test`, or values that `val` and `test` list, such as `{ by: fold, test: [4] }`.
        pub by: Option<String> = None,
        /// Equal shares within each class (`true`), or within each value of the column with this
        /// name, as far as whole rows go.
        pub stratify: Strata = Strata::None,
        /// Name of the column whose equal values stay together, such as the rows of one patient.
        pub group: Option<String> = None,
        /// Name of the column of times: the last rows are test rows, those before them validation
        /// rows.
        pub time: Option<String> = None,
        /// Seed of the random division, which is the same for every seed of the experiment; null:
        /// the seed of the experiment.
        pub seed: Option<u64> = Some(42),
    }
}

/// Part of the rows: a share, or those with certain values in a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Portion {
    /// Share of all rows, from 0 to 1.
    Share(f64),
    /// Values of the column, as they are written in the data.
    Values(Vec<String>),
}

impl Parameter for Portion {
    fn shape() -> Shape {
        Shape::Other {
            name: "number or list",
            schema: r#"{ "anyOf": [
                { "type": "number", "minimum": 0, "maximum": 1 },
                { "type": "array", "items": { "type": ["string", "number", "boolean"] } }
            ] }"#,
        }
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        let values = |all: &Vec<Yaml>| Ok(Self::Values(texts(all, "a value of the column")?));
        match (yaml.as_f64(), yaml.as_sequence()) {
            (Some(share), _) => Ok(Self::Share(share)),
            (None, Some(all)) => values(all),
            (None, None) => Err(needs("a share such as 0.1, or with `by` a list of values", yaml)),
        }
    }
}

impl Setting for Portion {
    fn write(&self) -> Result<Yaml> {
        match self {
            Self::Share(share) => share.write(),
            Self::Values(values) => values.write(),
        }
    }

    fn check(&self, key: &Key) -> Result<()> {
        match self {
            Self::Share(share) => share.check(key),
            Self::Values(_) => Ok(()),
        }
    }
}

/// Rows within which a split keeps the shares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Strata {
    /// All rows.
    #[default]
    None,
    /// The rows of each class.
    Classes,
    /// The rows of each value of a column.
    Column(String),
}

impl Parameter for Strata {
    fn shape() -> Shape {
        Shape::Other { name: "boolean or text", schema: r#"{ "type": ["boolean", "string"] }"# }
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        match (yaml.as_bool(), yaml.as_str()) {
            (Some(true), _) => Ok(Self::Classes),
            (Some(false), _) => Ok(Self::None),
            (None, Some(name)) => Ok(Self::Column(name.to_owned())),
            (None, None) if yaml.is_null() => Ok(Self::None),
            (None, None) => Err(needs("true, false or the name of a column", yaml)),
        }
    }
}

impl Setting for Strata {
    fn write(&self) -> Result<Yaml> {
        Ok(match self {
            Self::None => false.into(),
            Self::Classes => true.into(),
            Self::Column(name) => name.as_str().into(),
        })
    }
}

/// Way in which rows are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Division<'s> {
    /// At random.
    Random,
    /// At random, with the shares in each class.
    Classes,
    /// At random, with the shares in each value of a column.
    Strata(&'s str),
    /// At random, with the rows of each value of a column in one set.
    Groups(&'s str),
    /// By order in a column of times.
    Time(&'s str),
    /// As the values of a column say.
    Values(&'s str),
}

impl<'s> Division<'s> {
    /// Name of its column.
    pub fn column(self) -> Option<&'s str> {
        match self {
            Self::Random | Self::Classes => None,
            Self::Strata(name) | Self::Groups(name) | Self::Time(name) | Self::Values(name) => {
                Some(name)
            }
        }
    }

    /// Key of `data.split` that asks for it; empty for the random one.
    pub fn key(self) -> &'static str {
        match self {
            Self::Random => "",
            Self::Classes | Self::Strata(_) => "stratify",
            Self::Groups(_) => "group",
            Self::Time(_) => "time",
            Self::Values(_) => "by",
        }
    }
}

impl Split {
    /// The way in which rows are divided.
    ///
    /// # Errors
    /// [`Error::Config`] at `data.split`: two ways are named.
    pub fn division(&self) -> Result<Division<'_>> {
        let strata = match &self.stratify {
            Strata::None => None,
            Strata::Classes => Some(Division::Classes),
            Strata::Column(name) => Some(Division::Strata(name)),
        };
        let groups = self.group.as_deref().map(Division::Groups);
        let time = self.time.as_deref().map(Division::Time);
        let values = self.by.as_deref().map(Division::Values);
        let named: Vec<Division<'_>> =
            [values, strata, groups, time].into_iter().flatten().collect();
        match named[..] {
            [] => Ok(Division::Random),
            [one] => Ok(one),
            [first, second, ..] => {
                let message = format!(
                    "`{}` and `{}` are two ways to divide the rows",
                    first.key(),
                    second.key()
                );
                Err(Error::config("data.split", message)
                    .help("choose one of `by`, `stratify`, `group` and `time`"))
            }
        }
    }
}

/// Cells of the column by which rows are divided.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitColumn {
    /// Name and type of the column.
    pub column: TableColumn,
    /// The cell of each row as [`table`](crate::table) says: a number, the code of a category, or
    /// seconds; NaN where it is missing.
    pub cells: Vec<f64>,
}

impl SplitColumn {
    /// A column of numbers.
    pub fn of_numbers(name: &str, cells: Vec<f64>) -> Self {
        Self { column: TableColumn::number(name), cells }
    }

    /// A column of texts: numbers if all are, or else categories in the order of their names. An
    /// empty text is a missing cell.
    pub fn of_texts<T: AsRef<str>>(name: &str, texts: &[T]) -> Self {
        let texts = || texts.iter().map(|text| text.as_ref().trim());
        let number = |text: &str| match text {
            "" => Some(f64::NAN),
            text => text.parse().ok().filter(|number: &f64| number.is_finite()),
        };
        if let Some(cells) = texts().map(number).collect() {
            return Self::of_numbers(name, cells);
        }
        let names: BTreeSet<&str> = texts().filter(|text| !text.is_empty()).collect();
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let code = |text| names.binary_search_by(|name| name.as_str().cmp(text)).ok();
        let cells = texts().map(|text| code(text).map_or(f64::NAN, |code| code as f64)).collect();
        Self { column: TableColumn::category(name, names), cells }
    }

    /// Text of a cell, such as the name of its category; empty where it is missing.
    pub fn text(&self, cell: f64) -> String {
        match self.column.names() {
            _ if cell.is_nan() => String::new(),
            Some(names) => names.get(cell as usize).cloned().unwrap_or_default(),
            None => cell.to_string(),
        }
    }

    /// The rows at `rows`.
    pub fn rows(&self, rows: &[i64]) -> Self {
        let cell = |row: &i64| self.cells.get(*row as usize).copied().unwrap_or(f64::NAN);
        Self { column: self.column.clone(), cells: rows.iter().map(cell).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(yaml: &str) -> Result<Split> {
        Split::read(&serde_yaml::from_str(yaml).unwrap())
    }

    #[test]
    fn a_split_names_one_way_and_its_column() {
        let division =
            |yaml: &str| split(yaml).unwrap().division().unwrap().column().map(str::to_owned);
        assert_eq!(division("{ val: 0.2 }"), None);
        assert_eq!(division("{ stratify: true }"), None);
        for key in ["by", "stratify", "group", "time"] {
            assert_eq!(division(&format!("{{ {key}: when }}")).unwrap(), "when");
        }
        let two = split("{ group: a, time: b }").unwrap().division().unwrap_err().to_string();
        assert!(two.contains("`group` and `time` are two ways"), "{two}");
    }

    #[test]
    fn a_portion_is_a_share_or_a_list_of_values() {
        let read = split("{ by: fold, val: [3], test: [x, true, 4.0] }").unwrap();
        let values =
            |all: &[&str]| Some(Portion::Values(all.iter().map(|v| (*v).into()).collect()));
        assert_eq!((read.val, read.test), (values(&["3"]), values(&["x", "true", "4"])));
        assert_eq!(split("{ val: 0.2 }").unwrap().val, Some(Portion::Share(0.2)));
        let range = split("{ val: 1.2 }").unwrap_err().to_string();
        assert!(range.contains("needs 0 <= val <= 1"), "{range}");
        assert!(split("{ val: most }").unwrap_err().to_string().contains("a share such as 0.1"));
    }

    #[test]
    fn a_split_is_written_as_it_is_read() {
        for yaml in ["{}", "{ by: fold, test: ['4'] }", "{ stratify: kind, seed: null }"] {
            let read = split(yaml).unwrap();
            assert_eq!(Split::read(&read.write().unwrap()).unwrap(), read, "{yaml}");
        }
    }

    #[test]
    fn texts_are_numbers_if_all_are_and_else_categories_in_order() {
        let numbers = SplitColumn::of_texts("fold", &["1", "", "2.5"]);
        assert_eq!(numbers.cells[..1], [1.0]);
        assert!(numbers.cells[1].is_nan() && numbers.text(2.5) == "2.5");
        let names = SplitColumn::of_texts("set", &["val", "2", "val", ""]);
        assert_eq!(names.cells[..3], [1.0, 0.0, 1.0]);
        assert_eq!(
            names.cells.iter().map(|cell| names.text(*cell)).collect::<Vec<_>>(),
            ["val", "2", "val", ""]
        );
        assert_eq!(names.rows(&[1]).cells, [0.0]);
    }
}
