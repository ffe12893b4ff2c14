//! Columns of files whose columns have types.

use super::numbers::Notation;
use super::times::TimeFormat;
use super::words::Words;
use super::{Cells, Column, MAX_TEXTS, MISSING, Markers, Wanted};
use crate::table::{Storage, TimeUnit};

/// Type of the values of a column in a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stored {
    /// Whole numbers, false and true, or decimals with so many digits.
    Exact(u8),
    /// float64, or float32 if `single`.
    Float { single: bool },
    /// Lengths of time, of which a second has so many units.
    Duration { per_second: f64 },
    /// Times: a second has so many units, or a unit so many seconds.
    Time { per_second: f64, seconds: f64, format: &'static str },
    /// Texts.
    Text,
    /// False and true.
    Flag,
}

/// A column that is read from a file with types.
pub(super) struct Builder<'m> {
    stored: Stored,
    wanted: &'m Wanted,
    markers: &'m Markers,
    values: Vec<f64>,
    codes: Vec<u32>,
    words: Words,
    missing: usize,
}

/// Whole numbers below this one are exact in float64.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Names of false and true.
const FLAG: [&str; 2] = ["false", "true"];

/// Message about a column of lists, maps or records.
pub(super) const NESTED: &str = "it holds lists, maps or records; leave it out";

impl Stored {
    /// Times of which so many units make a second.
    fn time(per_second: f64, format: &'static str) -> Self {
        Self::Time { per_second, seconds: 1.0, format }
    }

    /// Dates and times in this storage.
    pub fn stamp(unit: TimeUnit, storage: &Storage) -> Self {
        let format = match storage {
            Storage::Timestamp { zone: None, .. } => "%Y-%m-%dT%H:%M:%S",
            _ if storage.offset().is_some() => "%Y-%m-%dT%H:%M:%S%:z",
            _ => "%Y-%m-%dT%H:%M:%SZ",
        };
        Self::time(unit.per_second(), format)
    }

    /// Times of a day, of which so many units make a second.
    pub fn clock(per_second: f64) -> Self {
        Self::time(per_second, "%H:%M:%S")
    }

    /// Dates, of which so many units make a second.
    pub fn dates(per_second: f64) -> Self {
        Self::time(per_second, "%Y-%m-%d")
    }

    /// Decimals with `scale` digits; an error where these stand before the point.
    pub fn decimals(scale: impl TryInto<u8>) -> Result<Self, String> {
        let scale = scale.try_into().map(Self::Exact);
        scale.map_err(|_| "it has decimals of a negative scale".to_owned())
    }

    /// Dates in days.
    pub fn days() -> Self {
        Self::Time { per_second: 1.0, seconds: 86_400.0, format: "%Y-%m-%d" }
    }
}

impl<'m> Builder<'m> {
    pub fn new(stored: Stored, wanted: &'m Wanted, markers: &'m Markers) -> Self {
        let mut words = Words::default();
        // Both words, so that the column is one of false and true when it is written again.
        if (&stored, wanted) == (&Stored::Flag, &Wanted::Cells) {
            for word in FLAG {
                words.code(word.as_bytes());
            }
        }
        Self { stored, wanted, markers, values: Vec::new(), codes: Vec::new(), words, missing: 0 }
    }

    /// Number of cells so far.
    pub fn len(&self) -> usize {
        self.values.len().max(self.codes.len())
    }

    pub fn push_missing(&mut self) {
        self.missing += 1;
        match self.stored {
            Stored::Text | Stored::Flag => self.codes.push(MISSING),
            _ => self.values.push(f64::NAN),
        }
    }

    /// Adds a number or time as it is stored; NaN is a missing one.
    #[inline]
    pub fn push_number(&mut self, value: f64) {
        self.missing += usize::from(value.is_nan());
        self.values.push(match self.stored {
            Stored::Time { per_second, seconds, .. } => value * seconds / per_second,
            Stored::Duration { per_second } => value / per_second,
            _ => value,
        });
    }

    /// Adds a whole number, with its text. A column whose cells are to stay as they are becomes
    /// texts with the first number that float64 does not hold.
    #[inline]
    pub fn push_whole(&mut self, value: f64, text: impl Fn() -> String) {
        match self.stored {
            Stored::Text => self.push_text(text().as_bytes()),
            Stored::Exact(0) if value.abs() >= EXACT && *self.wanted == Wanted::Cells => {
                self.stored = Stored::Text;
                for value in std::mem::take(&mut self.values) {
                    let code = match value {
                        value if value.is_nan() => MISSING,
                        value => self.words.code((value as i64).to_string().as_bytes()),
                    };
                    self.codes.push(code);
                }
                self.push_whole(value, text);
            }
            _ => self.push_number(value),
        }
    }

    /// Adds a text, which may stand for a missing value.
    #[inline]
    pub fn push_text(&mut self, text: &[u8]) {
        if self.markers.is_missing(text) {
            return self.push_missing();
        }
        // Further texts have no code: there are too many of them.
        match self.words.len() > self.wanted.most_texts() {
            true => self.codes.push(MISSING),
            false => self.codes.push(self.words.code(text)),
        }
    }

    pub fn push_flag(&mut self, value: bool) {
        let code = self.words.code(FLAG[usize::from(value)].as_bytes());
        self.codes.push(code);
    }

    /// The column, with cells of the wanted type; an error is what is wrong with it.
    pub fn finish(self, name: String, storage: Storage) -> Result<Column, String> {
        let Self { stored, wanted, mut values, codes, words, missing, .. } = self;
        if let Some(row) = values.iter().position(|value| value.is_infinite()) {
            return Err(format!("row {row} (counted from 0) holds an infinite number"));
        }
        let cells = match stored {
            Stored::Text | Stored::Flag if words.len() > wanted.most_texts() => Cells::Many,
            Stored::Text | Stored::Flag => Cells::Texts { codes, texts: words.into_texts() },
            Stored::Exact(decimals) => {
                Cells::Numbers { values, decimals: Some(decimals).filter(|digits| *digits < 10) }
            }
            Stored::Float { single } => {
                let decimals = round(&mut values, single);
                Cells::Numbers { values, decimals }
            }
            Stored::Duration { .. } => {
                let decimals = round(&mut values, false);
                Cells::Numbers { values, decimals }
            }
            Stored::Time { format, .. } => {
                let whole = values.iter().all(|value| value.is_nan() || value.fract() == 0.0);
                let format = match whole {
                    true => format.to_owned(),
                    false => format.replace("%S", "%S%.f"),
                };
                Cells::Times { values, format, certain: true }
            }
        };
        let cells = converted(cells, wanted)?;
        Ok(Column { name, cells, missing, storage })
    }
}

/// Fewest digits behind the decimal sign that give all numbers, at most 9; `None` for more. Numbers
/// that were float32 become the float64 of these digits.
fn round(values: &mut [f64], single: bool) -> Option<u8> {
    let nearest = |value: f64, digits: u8| {
        let power = 10_f64.powi(digits.into());
        (value * power).round() / power
    };
    let is_same = |a: f64, b: f64| if single { a as f32 == b as f32 } else { a == b };
    let mut digits = 0;
    for value in values.iter().filter(|value| !value.is_nan()) {
        while !is_same(nearest(*value, digits), *value) {
            digits += 1;
            if digits > 9 {
                return None;
            }
        }
    }
    if single {
        values.iter_mut().for_each(|value| *value = nearest(*value, digits));
    }
    Some(digits)
}

/// Cells of the wanted type; an error is what is wrong with them.
fn converted(cells: Cells, wanted: &Wanted) -> Result<Cells, String> {
    match (wanted, cells) {
        (Wanted::Numbers, Cells::Texts { codes, texts }) => {
            let notation = Notation { padded: true, ..Notation::PLAIN };
            let mut most = Some(0);
            let mut read = |text: &String| {
                let number = notation.read(text.as_bytes()).filter(|n| n.value.is_finite());
                let number = number.ok_or_else(|| format!("`{text}` is not a number"))?;
                most = most.zip(number.decimals).map(|(a, b): (u8, u8)| a.max(b));
                Ok::<f64, String>(number.value)
            };
            let numbers = texts.iter().map(&mut read).collect::<Result<Vec<_>, _>>()?;
            let decimals = most.filter(|digits| *digits < 10);
            Ok(Cells::Numbers { values: by_code(&codes, &numbers), decimals })
        }
        (Wanted::Times(format), Cells::Texts { codes, texts }) => {
            let formats = match format {
                Some(format) => vec![TimeFormat::new(format)],
                None => TimeFormat::all(),
            };
            let fits = |f: &&TimeFormat| texts.iter().all(|text| f.read(text.as_bytes()).is_some());
            let Some(format) = formats.iter().find(fits) else {
                return Err("its texts have no common format of times".to_owned());
            };
            let times = || texts.iter().filter_map(|text| format.read(text.as_bytes()));
            let certain = times().any(|time| time.certain);
            let seconds: Vec<f64> = times().map(|time| time.seconds).collect();
            let values = by_code(&codes, &seconds);
            Ok(Cells::Times { values, format: format.text.clone(), certain })
        }
        (Wanted::Times(Some(_)), numbers @ Cells::Numbers { .. }) => {
            converted(converted(numbers, &Wanted::Texts)?, wanted)
        }
        (Wanted::Texts, Cells::Numbers { values, .. }) => {
            let mut words = Words::default();
            let code = |value: &f64| match value {
                value if value.is_nan() => MISSING,
                _ if words.len() > MAX_TEXTS => MISSING,
                value => words.code(value.to_string().as_bytes()),
            };
            let codes = values.iter().map(code).collect();
            match words.len() > MAX_TEXTS {
                true => Ok(Cells::Many),
                false => Ok(Cells::Texts { codes, texts: words.into_texts() }),
            }
        }
        (Wanted::Numbers | Wanted::Texts, Cells::Times { .. }) => Err("it holds times".to_owned()),
        (Wanted::Times(_), Cells::Numbers { .. }) => Err("it holds numbers".to_owned()),
        (_, cells) => Ok(cells),
    }
}

fn by_code(codes: &[u32], values: &[f64]) -> Vec<f64> {
    codes.iter().map(|code| values.get(*code as usize).copied().unwrap_or(f64::NAN)).collect()
}
