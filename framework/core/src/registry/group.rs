//! Groups of parameters: maps with the keys that [`parameters!`](crate::parameters!) declares.

use super::parameter::needs;
use super::{Field, Key, Mapping, Parameter, Setting, Shape, Yaml};
use crate::error::{Error, Result, suggestion};
use std::slice::Iter;

/// A group of parameters; [`parameters!`](crate::parameters!) implements it.
pub trait Group: Sized {
    /// The keys, in the order of the fields.
    const KEYS: &'static [Key];

    /// Types of the keys and their defaults; `None` for a required key.
    #[doc(hidden)]
    fn types() -> Vec<(Shape, Option<Box<dyn Setting>>)>;

    /// Reads every field with the next of the keys.
    #[doc(hidden)]
    fn read_keys(keys: &mut Keys<'_>) -> Result<Self>;

    /// Calls `visit` with every key and its value.
    #[doc(hidden)]
    fn visit(&self, visit: &mut Visitor<'_>) -> Result<()>;

    /// The table of the keys.
    fn fields() -> Vec<Field> {
        let types = Self::types().into_iter();
        let field = |(key, (shape, default)): (&Key, (_, Option<Box<dyn Setting>>))| {
            let default = default.and_then(|value| value.write().ok());
            let default = default.and_then(|value| serde_json::to_string(&value).ok());
            Field { key: *key, shape, default }
        };
        Self::KEYS.iter().zip(types).filter(|(key, _)| !key.hidden).map(field).collect()
    }
}

/// Function that is called with the keys of a group and their values.
#[doc(hidden)]
pub type Visitor<'v> = dyn FnMut(&'static Key, &dyn Setting) -> Result<()> + 'v;

/// The values of a group while its fields are read.
#[doc(hidden)]
#[derive(Debug)]
pub struct Keys<'y> {
    values: &'y Mapping,
    keys: Iter<'static, Key>,
}

impl Keys<'_> {
    /// The value of the next key, or its default; it is required without one.
    ///
    /// # Errors
    /// [`Error::Config`]: the key is missing, or its value has the wrong type or is out of range.
    pub fn next<T: Parameter>(&mut self, default: Option<fn() -> T>) -> Result<T> {
        let key = self.keys.next().ok_or_else(|| Error::runtime("a field has no key"))?;
        let name = key.name();
        let given = self.values.get(name).filter(|_| !key.hidden);
        match (given, default) {
            (Some(yaml), _) => {
                let value = T::read(yaml).and_then(|value| value.check(key).map(|()| value));
                value.map_err(|e| e.within(name))
            }
            (None, Some(default)) => Ok(default()),
            (None, None) => {
                let error = Error::config("", format!("`{name}` is missing"));
                let about = key.description();
                Err(match about.lines().next() {
                    Some(line) => error.help(format!("`{name}`: {line}")),
                    None => error,
                })
            }
        }
    }
}

/// Reads a group from a map whose keys are its own alone. `others` are further keys that are known
/// where it stands.
///
/// # Errors
/// [`Error::Config`]: `yaml` is no map, has an unknown key, lacks a required one, or a value has
/// the wrong type or is out of range.
pub(super) fn read_group<G: Group>(yaml: &Yaml, others: &[&'static str]) -> Result<G> {
    let values = yaml.as_mapping().ok_or_else(|| needs("a map of keys", yaml))?;
    let own = G::KEYS.iter().filter(|key| !key.hidden).map(Key::name);
    let known: Vec<&str> = own.chain(others.iter().copied()).collect();
    for key in values.keys() {
        let name = key.as_str().ok_or_else(|| needs("a word as a key", key))?;
        if !known.contains(&name) {
            let help = match known[..] {
                [] => "there are no keys here".to_owned(),
                _ => suggestion(name, "keys", known.iter().copied()),
            };
            return Err(Error::config(name, format!("unknown key `{name}`")).help(help));
        }
    }
    G::read_keys(&mut Keys { values, keys: G::KEYS.iter() })
}

/// The `type` of a map, or of a name alone, and the other keys; `None` for another value.
pub fn tagged(yaml: &Yaml) -> Option<(&str, Mapping)> {
    match yaml {
        Yaml::String(name) => Some((name, Mapping::new())),
        Yaml::Mapping(keys) => {
            let name = keys.get("type")?.as_str()?;
            let mut others = keys.clone();
            others.remove("type");
            Some((name, others))
        }
        _ => None,
    }
}

/// Reads the keys beside the `type` of a variant.
///
/// # Errors
/// [`Error::Config`], as for any group.
pub fn read_variant<G: Group>(name: &str, keys: Mapping) -> Result<G> {
    read_group(&Yaml::Mapping(keys), &[]).map_err(|e| {
        if G::KEYS.is_empty() { e.help(format!("`{name}` has no keys of its own")) } else { e }
    })
}

/// The keys of a group with their values, but for those that are not written.
pub(super) fn write_group<G: Group>(group: &G) -> Result<Mapping> {
    let mut defaults = None;
    let mut written = Mapping::new();
    let mut place = 0;
    group.visit(&mut |key, value| {
        let yaml = value.write()?;
        let omitted = key.hidden
            || key.unwritten && {
                let types = defaults.get_or_insert_with(G::types);
                let default = types.get(place).and_then(|(_, default)| default.as_ref());
                default.map(|default| default.write()).transpose()? == Some(yaml.clone())
            };
        place += 1;
        if !omitted {
            written.insert(key.name().into(), yaml);
        }
        Ok(())
    })?;
    Ok(written)
}

impl<G: Group> Parameter for G {
    fn shape() -> Shape {
        Shape::Group(G::fields())
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        read_group(yaml, &[])
    }
}

impl<G: Group> Setting for G {
    fn write(&self) -> Result<Yaml> {
        write_group(self).map(Yaml::Mapping)
    }

    fn check(&self, _: &Key) -> Result<()> {
        check_group(self)
    }

    fn set_key(&self, key: &str) {
        let dot = if key.is_empty() { "" } else { "." };
        // Naming cannot fail.
        let _ = self.visit(&mut |own, value| {
            value.set_key(&format!("{key}{dot}{}", own.name()));
            Ok(())
        });
    }
}

/// Checks the numbers of a group against the ranges of their keys.
///
/// # Errors
/// [`Error::Config`] at the first key whose value is out of range.
pub fn check_group<G: Group>(group: &G) -> Result<()> {
    group.visit(&mut |key, value| value.check(key).map_err(|e| e.within(key.name())))
}
