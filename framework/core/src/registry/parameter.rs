//! Types of values: reading from YAML, writing, and checking of ranges.

use super::range::shown;
use super::{Key, Mapping, Shape, Yaml};
use crate::error::{Error, Result};
use serde::{Deserialize as _, Serialize as _};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Type of a parameter's value. Enums are declared by [`choices!`](crate::choices!), groups by
/// [`parameters!`](crate::parameters!).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no type of a parameter",
    note = "declare an enum with `triflow::choices!` and a group with `triflow::parameters!`"
)]
pub trait Parameter: Setting {
    /// Description of the type.
    fn shape() -> Shape
    where
        Self: Sized;

    /// Reads a value.
    ///
    /// # Errors
    /// [`Error::Config`] at a key within the value.
    fn read(yaml: &Yaml) -> Result<Self>
    where
        Self: Sized;
}

/// Value of a parameter.
pub trait Setting {
    /// The value as YAML.
    ///
    /// # Errors
    /// [`Error::Runtime`] for a value that YAML cannot express; errors of components in it.
    fn write(&self) -> Result<Yaml>;

    /// Checks every number in it against the ranges of its key.
    ///
    /// # Errors
    /// [`Error::Config`] at a key within the value.
    fn check(&self, _key: &Key) -> Result<()> {
        Ok(())
    }

    /// Sets the key of the components in it to `key`, or to one below it; `key` is empty for the
    /// outermost.
    #[doc(hidden)]
    fn set_key(&self, _key: &str) {}
}

/// Error for a value of another type than its key has: "needs `what`, got …".
pub fn needs(what: &str, yaml: &Yaml) -> Error {
    Error::config("", format!("needs {what}, got {}", given(yaml)))
}

/// A value as messages show it.
fn given(yaml: &Yaml) -> String {
    match yaml {
        Yaml::Null => "nothing".to_owned(),
        Yaml::Bool(value) => value.to_string(),
        Yaml::Number(n) => match n.as_f64().filter(|_| n.is_f64()) {
            Some(n) if n.fract() == 0.0 && n.abs() < 1e16 => format!("{n:.1}"),
            Some(n) => shown(n),
            None => n.to_string(),
        },
        Yaml::String(text) => format!("`{text}`"),
        Yaml::Sequence(_) => "a list".to_owned(),
        Yaml::Mapping(_) => "a map".to_owned(),
        Yaml::Tagged(tagged) => format!("a value with the tag `{}`", tagged.tag),
    }
}

/// Checks a number against the range of its key.
fn check_number(key: &Key, n: f64, whole: bool) -> Result<()> {
    if key.range.contains(n) {
        return Ok(());
    }
    let needed = key.range.requirement(key.name(), n, whole);
    Err(Error::config("", format!("needs {needed}, got {}", shown(n))))
}

impl Parameter for bool {
    fn shape() -> Shape {
        Shape::Boolean
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        yaml.as_bool().ok_or_else(|| needs("true or false", yaml))
    }
}

impl Setting for bool {
    fn write(&self) -> Result<Yaml> {
        Ok((*self).into())
    }
}

impl Parameter for String {
    fn shape() -> Shape {
        Shape::Text
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        yaml.as_str().map(str::to_owned).ok_or_else(|| needs("text", yaml))
    }
}

impl Setting for String {
    fn write(&self) -> Result<Yaml> {
        Ok(self.as_str().into())
    }
}

impl Parameter for PathBuf {
    fn shape() -> Shape {
        Shape::Text
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        yaml.as_str().map(Self::from).ok_or_else(|| needs("a path", yaml))
    }
}

impl Setting for PathBuf {
    fn write(&self) -> Result<Yaml> {
        let text = self.to_str().ok_or_else(|| {
            Error::runtime(format!("the path {} cannot be written as YAML", self.display()))
        })?;
        Ok(text.into())
    }
}

impl Parameter for f64 {
    fn shape() -> Shape {
        Shape::Number
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        yaml.as_f64().ok_or_else(|| needs("a number", yaml))
    }
}

impl Setting for f64 {
    fn write(&self) -> Result<Yaml> {
        Ok((*self).into())
    }

    fn check(&self, key: &Key) -> Result<()> {
        check_number(key, *self, false)
    }
}

macro_rules! whole {
    ($($T:ty, $wide:ident, $unsigned:literal, $needs:literal;)*) => {$(
        impl Parameter for $T {
            fn shape() -> Shape {
                Shape::Whole { unsigned: $unsigned }
            }

            fn read(yaml: &Yaml) -> Result<Self> {
                let n = yaml.$wide().and_then(|n| Self::try_from(n).ok());
                n.ok_or_else(|| needs($needs, yaml))
            }
        }

        impl Setting for $T {
            fn write(&self) -> Result<Yaml> {
                Ok((*self).into())
            }

            fn check(&self, key: &Key) -> Result<()> {
                check_number(key, *self as f64, true)
            }
        }
    )*};
}

whole! {
    i64, as_i64, false, "a whole number";
    u64, as_u64, true, "a whole number of at least 0";
    u32, as_u64, true, "a whole number of at least 0";
    usize, as_u64, true, "a whole number of at least 0";
}

impl<T: Parameter> Parameter for Option<T> {
    fn shape() -> Shape {
        Shape::Optional(Box::new(T::shape()))
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        if yaml.is_null() { Ok(None) } else { T::read(yaml).map(Some) }
    }
}

impl<T: Setting> Setting for Option<T> {
    fn write(&self) -> Result<Yaml> {
        self.as_ref().map_or(Ok(Yaml::Null), T::write)
    }

    fn check(&self, key: &Key) -> Result<()> {
        self.as_ref().map_or(Ok(()), |inner| inner.check(key))
    }

    fn set_key(&self, key: &str) {
        self.iter().for_each(|inner| inner.set_key(key));
    }
}

fn read_list<T: Parameter>(yaml: &Yaml) -> Result<Vec<T>> {
    let all = yaml.as_sequence().ok_or_else(|| {
        // The advice holds for entries of any type: the value alone, as a list.
        match yaml.is_mapping() || yaml.is_null() {
            true => needs("a list", yaml),
            false => needs(&format!("a list, as [{}]", given(yaml).replace('`', "")), yaml),
        }
    })?;
    let read = |(i, item)| T::read(item).map_err(|e| e.within(&format!("[{i}]")));
    all.iter().enumerate().map(read).collect()
}

fn check_list<T: Setting>(all: &[T], key: &Key) -> Result<()> {
    let count = all.len() as f64;
    if !key.length.contains(count) {
        let needed = key.length.requirement("", count, true);
        let entries = if needed.ends_with(" 1") { "entry" } else { "entries" };
        return Err(Error::config("", format!("needs {needed} {entries}, got {count}")));
    }
    let check = |(i, item): (usize, &T)| item.check(key).map_err(|e| e.within(&format!("[{i}]")));
    all.iter().enumerate().try_for_each(check)
}

fn write_list<T: Setting>(all: &[T]) -> Result<Yaml> {
    Ok(Yaml::Sequence(all.iter().map(T::write).collect::<Result<_>>()?))
}

fn name_list<T: Setting>(all: &[T], key: &str) {
    all.iter().enumerate().for_each(|(i, inner)| inner.set_key(&format!("{key}[{i}]")));
}

impl<T: Parameter> Parameter for Vec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        read_list(yaml)
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn write(&self) -> Result<Yaml> {
        write_list(self)
    }

    fn check(&self, key: &Key) -> Result<()> {
        check_list(self, key)
    }

    fn set_key(&self, key: &str) {
        name_list(self, key);
    }
}

impl<T: Parameter, const N: usize> Parameter for [T; N] {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        let all: Vec<T> = read_list(yaml)?;
        let count = all.len();
        Self::try_from(all)
            .map_err(|_| Error::config("", format!("needs {N} entries, got {count}")))
    }
}

impl<T: Setting, const N: usize> Setting for [T; N] {
    fn write(&self) -> Result<Yaml> {
        write_list(self)
    }

    fn check(&self, key: &Key) -> Result<()> {
        check_list(self, key)
    }

    fn set_key(&self, key: &str) {
        name_list(self, key);
    }
}

impl<T: Parameter> Parameter for BTreeMap<String, T> {
    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        let map = yaml.as_mapping().ok_or_else(|| needs("a map of keys", yaml))?;
        let read = |(name, value): (&Yaml, &Yaml)| {
            let name = name.as_str().ok_or_else(|| needs("a word as a key", name))?;
            let value = T::read(value).map_err(|e| e.within(name))?;
            Ok((name.to_owned(), value))
        };
        map.iter().map(read).collect()
    }
}

impl<T: Setting> Setting for BTreeMap<String, T> {
    fn write(&self) -> Result<Yaml> {
        let write = |(name, value): (&String, &T)| Ok((name.as_str().into(), value.write()?));
        Ok(Yaml::Mapping(self.iter().map(write).collect::<Result<_>>()?))
    }

    fn check(&self, key: &Key) -> Result<()> {
        let check = |(name, value): (&String, &T)| value.check(key).map_err(|e| e.within(name));
        self.iter().try_for_each(check)
    }

    fn set_key(&self, key: &str) {
        self.iter().for_each(|(name, inner)| inner.set_key(&format!("{key}.{name}")));
    }
}

/// Writes a value through serde.
#[doc(hidden)]
pub fn serialize<T: Setting, S: serde::Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    value.write().map_err(serde::ser::Error::custom)?.serialize(to)
}

/// Reads a value through serde, which keeps the text of an error.
#[doc(hidden)]
pub fn deserialize<'de, T: Parameter, D: serde::Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    T::read(&Yaml::deserialize(from)?).map_err(serde::de::Error::custom)
}

impl Parameter for Mapping {
    fn shape() -> Shape {
        Shape::Map(Box::new(Shape::ANY))
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        yaml.as_mapping().cloned().ok_or_else(|| needs("a map of keys", yaml))
    }
}

impl Setting for Mapping {
    fn write(&self) -> Result<Yaml> {
        Ok(Yaml::Mapping(self.clone()))
    }
}
