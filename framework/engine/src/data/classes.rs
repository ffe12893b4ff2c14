//! Classes and their labels: the classes of an experiment, and every table's labels renumbered by
//! them.

use super::places::Namer;
use crate::component::{Columns, Splits};
use crate::error::{Error, Result};
use crate::memory;
use crate::table::NamePlaces;
use std::collections::HashMap;
use tch::{Kind, Tensor};

/// Largest number of classes; more are taken for numbers in an integer type.
const MAX_CLASSES: usize = 65_536;

/// The classes of an experiment, in the order of their labels.
#[derive(Debug)]
pub(super) struct Classes {
    names: Vec<String>,
    /// True if the user listed them in `data.classes`.
    given: bool,
}

impl Classes {
    /// Finds the classes of the training rows and renumbers all labels of `splits` by them. `given`
    /// lists names in the order of their labels, and may be empty. `None` if y are no labels.
    ///
    /// # Errors
    /// [`Error::Config`]: a class occurs only in validation or test rows, or is not among those
    /// given; y holds numbers but classes are given; there are too many classes; or a name occurs
    /// twice.
    pub(super) fn determine(
        splits: &mut Splits,
        given: &[String],
        places: Namer<'_>,
    ) -> Result<Option<Self>> {
        let one_hot = read_one_hot(splits);
        let Some(y) = splits.train.y.as_ref().filter(|y| is_label(y)) else {
            if splits.train.y.is_some() && !given.is_empty() {
                let message = "classes are listed, but y holds numbers";
                return Err(Error::config("data.classes", message)
                    .help("labels are whole numbers of an integer type, or texts"));
            }
            return Ok(None);
        };
        let names = match (one_hot, &splits.train.classes[..]) {
            (Some(classes), _) => (0..classes).map(|label| label.to_string()).collect(),
            (None, []) => numbers(y)?,
            (None, named) => named.to_vec(),
        };
        if names.len() > MAX_CLASSES {
            let message = format!(
                "y holds {} different labels, too many for classes: \
                 numbers need a floating-point type",
                names.len()
            );
            return Err(Error::config("data", message));
        }
        if let Some(twice) = given.iter().enumerate().find(|(i, name)| given[..*i].contains(name)) {
            let message = format!("the class `{}` is listed twice", twice.1);
            return Err(Error::config("data.classes", message));
        }
        let classes = match (one_hot, given) {
            (_, []) => Self { names, given: false },
            // The columns of one-hot rows are the classes in their order.
            (Some(classes), given) if given.len() as i64 == classes => {
                splits.train.classes = given.to_vec();
                let further = [&mut splits.val, &mut splits.test].into_iter().flatten();
                further.for_each(|table| table.classes = given.to_vec());
                Self { names: given.to_vec(), given: true }
            }
            (_, given) => Self { names: given.to_vec(), given: true },
        };
        classes.align(&mut splits.train, "the data have", places)?;
        for (table, whose) in [(&mut splits.val, "validation"), (&mut splits.test, "test")] {
            if let Some(table) = table {
                classes.align(table, &format!("the {whose} set has"), places)?;
            }
        }
        Ok(Some(classes))
    }

    /// The `count` classes of a trained model; without names they are numbered.
    pub(super) fn of_model(names: &[String], count: i64) -> Self {
        let numbered = || (0..count).map(|label| label.to_string()).collect();
        let names = if names.is_empty() { numbered() } else { names.to_vec() };
        Self { names, given: false }
    }

    /// Names by label; numbers for classes without names.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of classes.
    pub(super) fn len(&self) -> i64 {
        self.names.len() as i64
    }

    /// Label of the class called `name`.
    pub(super) fn label(&self, name: &str) -> Result<i64> {
        let place = NamePlaces::new(&self.names).of(name);
        place.map(|label| label as i64).ok_or_else(|| {
            let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
            Error::config("", format!("there is no class `{name}`"))
                .help(format!("known classes: {}", list(&names)))
        })
    }

    /// Renumbers the labels of a table by these classes, if y are labels. `whose` begins the
    /// message about a label, such as "the test set has".
    ///
    /// # Errors
    /// [`Error::Config`]: a label is none of these classes.
    pub(super) fn align(
        &self,
        table: &mut Columns,
        whose: &str,
        places_of: Namer<'_>,
    ) -> Result<()> {
        let Some(y) = table.y.as_ref().filter(|y| is_label(y)) else { return Ok(()) };
        let labels = Vec::<i64>::try_from(y.reshape([-1]))?;
        let places = NamePlaces::new(&self.names);
        let mut known = HashMap::new();
        let mut place = |(row, label): (usize, i64)| -> Result<i64> {
            if let Some(place) = known.get(&label) {
                return Ok(*place);
            }
            let name = match &table.classes[..] {
                [] => label.to_string(),
                names => {
                    let name = usize::try_from(label).ok().and_then(|label| names.get(label));
                    name.cloned().ok_or_else(|| {
                        let message =
                            format!("label {label} has no name among {} classes", names.len());
                        Error::config("data", message)
                    })?
                }
            };
            let unknown = || self.unknown(whose, &name, places_of.within(table, row));
            let place = places.of(&name).ok_or_else(unknown)? as i64;
            known.insert(label, place);
            Ok(place)
        };
        let placed = labels.into_iter().enumerate().map(&mut place).collect::<Result<Vec<_>>>()?;
        table.y = Some(Tensor::from_slice(&placed));
        table.classes = self.custom_names();
        Ok(())
    }

    /// Names by label; empty if the classes are called 0, 1, 2, …
    pub(super) fn custom_names(&self) -> Vec<String> {
        let plain = self.names.iter().enumerate().all(|(i, name)| *name == i.to_string());
        if plain { Vec::new() } else { self.names.clone() }
    }

    /// Warns of classes that no training row has, and, if y is `predicted`, of labels that look
    /// like numbers.
    pub(super) fn check(&self, train: &Columns, predicted: bool) -> Result<()> {
        let Some(y) = &train.y else { return Ok(()) };
        let mut present = vec![false; self.names.len()];
        for label in Vec::<i64>::try_from(y)? {
            present[label as usize] = true;
        }
        let absent: Vec<&str> = self
            .names
            .iter()
            .zip(&present)
            .filter(|(_, present)| !**present)
            .map(|(n, _)| n.as_str())
            .collect();
        if !absent.is_empty() {
            log::warn!("no training row has class {}", list(&absent));
        }
        let (rows, classes) = (y.numel(), self.names.len() - absent.len());
        if predicted && classes > 2 && classes * 5 > rows {
            log::warn!(
                "y holds integers, so its {classes} different values in {rows} training rows are \
                 taken for classes; numbers to be predicted need a floating-point type (in a table \
                 `data.labels: false`)"
            );
        }
        Ok(())
    }

    fn unknown(&self, whose: &str, name: &str, place: Option<String>) -> Error {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let (what, key) = match self.given {
            true => ("which is not one of `data.classes`", "data.classes"),
            false => ("which no training row has", "data"),
        };
        let place = place.map_or_else(String::new, |place| format!(" ({place})"));
        let message = format!("{whose} the class `{name}`{place}, {what}");
        Error::config(key, message).help(format!("known classes: {}", list(&names)))
    }
}

/// List of names for a message, at most 20 and the total.
fn list(names: &[&str]) -> String {
    const MAX: usize = 20;
    let mut text =
        names.iter().take(MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > MAX {
        text += &format!(", … ({} in all)", names.len());
    }
    text
}

/// True if y are class labels: integers, one for each row.
pub(super) fn is_label(y: &Tensor) -> bool {
    y.kind() == Kind::Int64 && matches!(y.size()[..], [_] | [_, 1])
}

/// The different labels in y, in ascending order, as names.
fn numbers(y: &Tensor) -> Result<Vec<String>> {
    let mut all = Vec::<i64>::try_from(y.reshape([-1]))?;
    all.sort_unstable();
    all.dedup();
    Ok(all.into_iter().map(|label| label.to_string()).collect())
}

/// Turns y into labels if every row of it is one-hot (one 1, zeros, at least two columns); returns
/// the number of classes.
fn read_one_hot(splits: &mut Splits) -> Option<i64> {
    let is_one_hot = |y: &Tensor| {
        let plain = y.dim() == 2 && y.size()[1] > 1 && y.kind() != Kind::Int64;
        plain && {
            let ones = y.eq(1.0);
            let rest = (ones.logical_not() * y.ne(0.0)).any().int64_value(&[]) == 0;
            let single = ones.sum_dim_intlist([1].as_slice(), false, Kind::Int64).eq(1);
            rest && single.all().int64_value(&[]) == 1
        }
    };
    let mut tables: Vec<&mut Columns> = std::iter::once(&mut splits.train)
        .chain(splits.val.as_mut())
        .chain(splits.test.as_mut())
        .collect();
    let all = || tables.iter().filter_map(|t| t.y.as_ref());
    let classes = all().next()?.size().get(1).copied()?;
    if !all().all(|y| is_one_hot(y) && y.size()[1] == classes) {
        return None;
    }
    log::info!("the rows of y are one-hot: taken as labels of {classes} classes");
    for table in &mut tables {
        table.y = table.y.take().map(|y| y.argmax(1, false));
        // The columns were the classes.
        table.y_columns = Vec::new();
    }
    Some(classes)
}

/// Checks that every label lies in \[0, `classes`).
///
/// # Errors
/// [`Error::Config`]: the first that does not, and the range.
pub fn check_labels(labels: &Tensor, classes: i64) -> Result<()> {
    if labels.numel() > 0 {
        let (low, high) = (labels.min().int64_value(&[]), labels.max().int64_value(&[]));
        let bad = if low < 0 { low } else { high };
        if low < 0 || high >= classes {
            let message = format!("label {bad} is not one of 0 to {}", classes - 1);
            return Err(Error::config("", message));
        }
    }
    Ok(())
}

/// Converts labels `[n]`, or one `[]`, to one-hot rows `[n, classes]` or `[classes]`, uint8.
///
/// # Errors
/// [`Error::Config`]: a label lies outside \[0, `classes`), or the rows, later converted to
/// float32, do not fit into memory.
pub fn one_hot(labels: &Tensor, classes: i64) -> Result<Tensor> {
    check_labels(labels, classes)?;
    one_hot_rows(labels, classes)
}

/// Converts labels that were checked before to one-hot rows, as [`one_hot`] does, without waiting
/// for the device.
///
/// # Errors
/// [`Error::Config`]: the rows do not fit into memory.
pub(super) fn one_hot_rows(labels: &Tensor, classes: i64) -> Result<Tensor> {
    let n = labels.numel() as u64;
    let bytes = n.saturating_mul(classes as u64).saturating_mul(5);
    if let Some(why) = memory::shortage(bytes) {
        let message = format!("a table of one-hot rows, {n} of {classes} classes, {why}");
        return Err(Error::config("", message)
            .help("request fewer rows at once; for that many classes, use numbers, not labels"));
    }
    let index = labels.to_kind(Kind::Int64).unsqueeze(-1);
    let shape = [labels.size(), vec![classes]].concat();
    let rows = Tensor::zeros(shape, (Kind::Uint8, labels.device()));
    Ok(rows.scatter_value(-1, &index, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(y: &[i64], classes: &[&str]) -> Columns {
        let classes = classes.iter().map(|name| (*name).to_owned()).collect();
        Columns { y: Some(Tensor::from_slice(y)), classes, ..Columns::default() }
    }

    fn settled(train: Columns, val: Option<Columns>, given: &[&str]) -> Result<(Splits, Classes)> {
        let given: Vec<String> = given.iter().map(|name| (*name).to_owned()).collect();
        let mut splits = Splits { train, val, ..Splits::default() };
        let classes = Classes::determine(&mut splits, &given, Namer(None))?.unwrap();
        Ok((splits, classes))
    }

    fn labels(table: &Columns) -> Vec<i64> {
        Vec::try_from(table.y.as_ref().unwrap()).unwrap()
    }

    #[test]
    fn labels_without_gaps_stay_as_they_are_and_have_no_names() {
        let (splits, classes) = settled(table(&[2, 0, 1, 0], &[]), None, &[]).unwrap();
        assert_eq!((labels(&splits.train), classes.len()), (vec![2, 0, 1, 0], 3));
        assert!(classes.custom_names().is_empty() && splits.train.classes.is_empty());
    }

    #[test]
    fn each_number_that_occurs_is_a_class_of_its_name() {
        for (y, expected, names) in [
            (&[1, 3, 2, 1][..], &[0, 2, 1, 0][..], &["1", "2", "3"][..]),
            (&[0, 5, 10, 5], &[0, 1, 2, 1], &["0", "5", "10"]),
            (&[1, -1, -1], &[1, 0, 0], &["-1", "1"]),
            (&[60_000, 0], &[1, 0], &["0", "60000"]),
        ] {
            let (splits, classes) = settled(table(y, &[]), None, &[]).unwrap();
            assert_eq!(
                (labels(&splits.train), classes.custom_names()),
                (expected.to_vec(), names.iter().map(|n| (*n).to_owned()).collect())
            );
            assert_eq!(splits.train.classes, names);
        }
        let mut tall = table(&[4, 2], &[]);
        tall.y = tall.y.map(|y| y.unsqueeze(1));
        assert_eq!(labels(&settled(tall, None, &[]).unwrap().0.train), [1, 0]);
    }

    #[test]
    fn further_sets_are_numbered_by_the_names_of_the_training_rows() {
        let train = table(&[0, 1, 2], &["blue", "green", "red"]);
        let val = table(&[0, 1], &["red", "blue"]);
        let (splits, _) = settled(train, Some(val), &[]).unwrap();
        assert_eq!(labels(splits.val.as_ref().unwrap()), [2, 0]);
        // Labels are matched by number, even if the validation labels have gaps.
        let (splits, _) = settled(table(&[0, 1, 2], &[]), Some(table(&[2, 0], &[])), &[]).unwrap();
        assert_eq!(labels(splits.val.as_ref().unwrap()), [2, 0]);
        let error = settled(table(&[1, 2], &[]), Some(table(&[1, 3], &[])), &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the validation set has the class `3`, which no training row has\n  at data\n  \
             help: known classes: `1`, `2`"
        );
    }

    #[test]
    fn classes_that_are_given_decide_order_and_number() {
        let (splits, classes) =
            settled(table(&[0, 1], &["blue", "red"]), None, &["red", "green", "blue"]).unwrap();
        assert_eq!((labels(&splits.train), classes.len()), (vec![2, 0], 3));
        let error = settled(table(&[4, 2], &[]), None, &["2", "3"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "the data have the class `4`, which is not one of `data.classes`\n  at data.classes\n  \
             help: known classes: `2`, `3`"
        );
        assert!(settled(table(&[2], &[]), None, &["2", "2"]).is_err());
        let y = Some(Tensor::from_slice(&[0.5_f32, 1.0]));
        let numbers = Columns { y, ..Columns::default() };
        let mut splits = Splits { train: numbers, ..Splits::default() };
        assert!(Classes::determine(&mut splits, &["a".to_owned()], Namer(None)).is_err());
        assert!(Classes::determine(&mut splits, &[], Namer(None)).unwrap().is_none());
    }

    #[test]
    fn a_model_finds_its_classes_by_name() {
        let named = Classes::of_model(&["a".to_owned(), "7".to_owned()], 2);
        assert_eq!((named.label("7").unwrap(), named.label("a").unwrap()), (1, 0));
        let error = named.label("b").unwrap_err().to_string();
        assert_eq!(error, "there is no class `b`\n  help: known classes: `a`, `7`");
        assert_eq!(Classes::of_model(&[], 3).label("2").unwrap(), 2);
    }

    #[test]
    fn one_hot_rows_that_memory_cannot_hold_are_refused_with_the_bytes() {
        let rows = one_hot(&Tensor::from_slice(&[2_i64, 0]), 3).unwrap();
        let values: Vec<u8> = Vec::try_from(rows.reshape([-1])).unwrap();
        assert_eq!(values, [0, 0, 1, 1, 0, 0]);
        let many = Tensor::zeros([1], (Kind::Int64, tch::Device::Cpu)).expand([600_010_000], false);
        let error = one_hot(&many, 60_001).unwrap_err().to_string();
        let bytes = "a table of one-hot rows, 600010000 of 60001 classes, \
                     needs 180006000050000 bytes of memory";
        assert!(error.starts_with(bytes) && error.contains("help: request fewer"), "{error}");
        assert!(one_hot(&Tensor::from_slice(&[3_i64]), 3).is_err());
    }
}
