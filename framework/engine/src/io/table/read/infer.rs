//! Types of columns: those that a user wants, or those that the cells suggest.

use super::{Cells, Column, MAX_TEXTS, MISSING, Notation};
use crate::table::{CellType, NamePlaces, Storage, TableColumn};

/// Type that a user wants a column to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeWish {
    /// Numbers.
    Number,
    /// Whole numbers.
    Integer,
    /// One of two words or numbers.
    Flag,
    /// One of several names.
    Category {
        /// The names in their order; empty without one.
        order: Vec<String>,
    },
    /// Dates and times.
    Time,
}

/// A column with its type, and its cells as a table in its own units has them.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed {
    /// Name and type; cells may be missing if one is.
    pub column: TableColumn,
    /// Numbers, codes of categories, seconds since 1970-01-01; NaN for a missing cell.
    pub values: Vec<f64>,
}

/// Words for false and true, in lower case.
const FLAGS: [[&str; 2]; 9] = [
    ["no", "yes"],
    ["n", "y"],
    ["false", "true"],
    ["f", "t"],
    ["off", "on"],
    ["nein", "ja"],
    ["non", "oui"],
    ["no", "si"],
    ["no", "sí"],
];
/// Fewest numbers of which two different ones make a flag.
const NUMBERS_OF_FLAG: usize = 10;
/// Most different texts that are a category however often each occurs.
const FEW: usize = 20;

/// The type of a column and its cells; without a wish, the type that the cells suggest: a flag
/// where there are two whole numbers or two words for no and yes, a category where texts occur
/// twice on average.
///
/// # Errors
/// A message that describes the column: its cells do not have the wanted type, or they are texts of
/// which nearly all are different.
pub fn infer(column: Column, wish: Option<&TypeWish>) -> Result<Typed, String> {
    let Column { name, cells, missing, storage } = column;
    let is_number = matches!(cells, Cells::Numbers { .. });
    let (kind, values) = match (cells, wish) {
        (Cells::Many, _) => {
            return Err(format!("holds more than {MAX_TEXTS} different texts; {IGNORE}"));
        }
        (Cells::Times { values, format, .. }, None | Some(TypeWish::Time)) => {
            (CellType::Time { format }, values)
        }
        (_, Some(TypeWish::Time)) => return Err("holds no times".to_owned()),
        (Cells::Numbers { values, decimals }, wish) => numbers(values, decimals, wish)?,
        (Cells::Texts { codes, texts }, wish) => texts_of(&codes, texts, missing, wish)?,
        (Cells::Times { .. }, Some(_)) => return Err("holds times".to_owned()),
    };
    let column = TableColumn { missing: missing > 0, ..TableColumn::new(name, kind) };
    let is_whole = |name: &String| name.parse::<i64>().is_ok_and(|n| n.to_string() == *name);
    let storage = match column.names() {
        Some(names) if is_number && storage.is_plain() => match names.iter().all(is_whole) {
            true => Storage::WHOLE,
            false => Storage::REAL,
        },
        _ => storage,
    };
    let column = TableColumn { storage, ..column };
    Ok(Typed { column, values })
}

/// Advice about a column that identifies rows.
const IGNORE: &str = "leave the column out (type `ignore`)";

fn numbers(
    values: Vec<f64>,
    decimals: Option<u8>,
    wish: Option<&TypeWish>,
) -> Result<(CellType, Vec<f64>), String> {
    let present = || values.iter().copied().filter(|value| !value.is_nan());
    let (first, count) = (present().next(), present().count());
    let second = present().find(|value| Some(*value) != first);
    let third = present().find(|value| Some(*value) != first && Some(*value) != second);
    let whole = || present().all(|value| value.fract() == 0.0);
    match wish {
        Some(TypeWish::Integer) => match present().find(|value| value.fract() != 0.0) {
            Some(value) => Err(format!("holds {value}, which is no whole number")),
            None => Ok((CellType::Number { decimals: Some(0) }, values)),
        },
        Some(TypeWish::Number) => Ok((CellType::Number { decimals }, values)),
        Some(TypeWish::Flag) | None => match (first, second, third) {
            (Some(first), Some(second), None)
                if wish.is_some() || count >= NUMBERS_OF_FLAG && whole() =>
            {
                let names = [first.min(second), first.max(second)];
                let code = |value: f64| match value {
                    value if value.is_nan() => value,
                    value => f64::from(u8::from(value == names[1])),
                };
                let codes = values.into_iter().map(code).collect();
                Ok((CellType::Flag { names: names.map(|value| name_of(value, decimals)) }, codes))
            }
            (_, _, Some(third)) if wish.is_some() => Err(format!(
                "holds three different numbers and more, such as {third}, where a flag has two"
            )),
            _ if wish.is_some() => of_numbers(&values, decimals, &[]),
            _ => Ok((CellType::Number { decimals }, values)),
        },
        Some(TypeWish::Category { order }) => of_numbers(&values, decimals, order),
        Some(TypeWish::Time) => Err("holds no times".to_owned()),
    }
}

/// Name of a number, with the digits that its column has.
fn name_of(value: f64, decimals: Option<u8>) -> String {
    match decimals {
        Some(decimals) => format!("{value:.*}", usize::from(decimals)),
        None => value.to_string(),
    }
}

/// Categories of numbers.
fn of_numbers(
    values: &[f64],
    decimals: Option<u8>,
    order: &[String],
) -> Result<(CellType, Vec<f64>), String> {
    let mut words = super::words::Words::default();
    let code = |value: &f64| match value {
        value if value.is_nan() => MISSING,
        value => words.code(name_of(*value, decimals).as_bytes()),
    };
    let codes: Vec<u32> = values.iter().map(code).collect();
    categories(&codes, words.into_texts(), order)
}

fn texts_of(
    codes: &[u32],
    texts: Vec<String>,
    missing: usize,
    wish: Option<&TypeWish>,
) -> Result<(CellType, Vec<f64>), String> {
    let (count, distinct) = (codes.len() - missing, texts.len());
    match wish {
        None if distinct > FEW && 2 * distinct > count => Err(refusal(&texts, count)),
        None if is_flag(&texts).is_none() => categories(codes, texts, &[]),
        None | Some(TypeWish::Flag) => match is_flag(&texts) {
            Some(names) => {
                categories(codes, texts, &names).map(|(_, values)| (flag(names), values))
            }
            None if distinct == 2 => {
                let (kind, values) = categories(codes, texts, &[])?;
                let names = match kind {
                    CellType::Category { names, .. } => <[String; 2]>::try_from(names).ok(),
                    _ => None,
                };
                Ok((names.map_or(CellType::Number { decimals: None }, flag), values))
            }
            // A further file may have one of the two.
            None if distinct < 2 => categories(codes, texts, &[]),
            None => Err(format!(
                "holds {distinct} different texts, such as `{}`, where a flag has two",
                texts[2]
            )),
        },
        Some(TypeWish::Category { order }) => categories(codes, texts, order),
        Some(TypeWish::Number | TypeWish::Integer) => Err("holds texts".to_owned()),
        Some(TypeWish::Time) => Err("holds no times".to_owned()),
    }
}

/// Message about texts that are nearly all different.
fn refusal(texts: &[String], count: usize) -> String {
    let distinct = texts.len();
    let notations = Notation::all(None, b';');
    let is_number = |text: &&String| notations.iter().any(|n| n.read(text.as_bytes()).is_some());
    let odd = texts.iter().find(|text| !is_number(text)).map_or("", String::as_str);
    if 2 * texts.iter().filter(is_number).count() > distinct {
        return format!(
            "holds numbers, but also `{odd}`; if that stands for a missing value, add it to \
             `markers`, else make the column a category or leave it out (type `category`, `ignore`)"
        );
    }
    format!(
        "holds {distinct} different texts in {count} rows, such as `{odd}`: {IGNORE}, or make it \
         a category all the same (type `category`)"
    )
}

fn flag(names: [String; 2]) -> CellType {
    CellType::Flag { names }
}

/// The two words for no and yes, in this order; `None` for any other texts.
fn is_flag(texts: &[String]) -> Option<[String; 2]> {
    let [a, b] = texts else { return None };
    let [low_a, low_b] = [a, b].map(|word| word.to_lowercase());
    let fits = |[no, yes]: &[&str; 2]| match (low_a == *no, low_b == *yes) {
        (true, true) => Some([a.clone(), b.clone()]),
        _ if low_b == *no && low_a == *yes => Some([b.clone(), a.clone()]),
        _ => None,
    };
    FLAGS.iter().find_map(fits)
}

/// Categories in the given order, or numbers by size and other texts alphabetically.
fn categories(
    codes: &[u32],
    texts: Vec<String>,
    order: &[String],
) -> Result<(CellType, Vec<f64>), String> {
    let names = match order {
        [] => sorted(texts.clone()),
        order => order.to_vec(),
    };
    let known = NamePlaces::new(&names);
    let place = |text: &String| {
        let found = known.of(text).map(|place| place as f64);
        found.ok_or_else(|| format!("holds `{text}`, which is not in its `order`"))
    };
    let places = texts.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let value = |code: &u32| places.get(*code as usize).copied().unwrap_or(f64::NAN);
    let values = codes.iter().map(value).collect();
    Ok((CellType::Category { names, ordered: !order.is_empty() }, values))
}

/// Names in the order of their codes.
fn sorted(mut names: Vec<String>) -> Vec<String> {
    let number = |name: &String| {
        let notation = Notation { padded: true, ..Notation::PLAIN };
        notation.read(name.as_bytes()).map(|number| number.value)
    };
    names.sort_unstable();
    if names.iter().all(|name| number(name).is_some()) {
        names
            .sort_by(|a, b| number(a).partial_cmp(&number(b)).unwrap_or(std::cmp::Ordering::Equal));
    }
    names
}
