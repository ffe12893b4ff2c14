//! Components inside others, which learn under which key they stand: an error while one is built names the
//! key whole, as `crn.network.dropout`, whatever the outer component does with it.

use super::{Component, Kind};
use std::collections::BTreeMap;

/// Whatever holds components, or is one. Every group of parameters does, by [`parameters!`](crate::parameters!).
#[doc(hidden)]
pub trait Holds {
    /// Tells the components in it that they stand at `key`, or below it; empty for the outermost.
    fn name(&self, key: &str);
}

impl<K: Kind + ?Sized> Holds for Component<K> {
    fn name(&self, key: &str) {
        self.stands_at(key);
    }
}

impl<T: Holds> Holds for Option<T> {
    fn name(&self, key: &str) {
        self.iter().for_each(|inner| inner.name(key));
    }
}

impl<T: Holds> Holds for Vec<T> {
    fn name(&self, key: &str) {
        self.iter().enumerate().for_each(|(i, inner)| inner.name(&format!("{key}[{i}]")));
    }
}

impl<T: Holds> Holds for BTreeMap<String, T> {
    fn name(&self, key: &str) {
        self.iter().for_each(|(name, inner)| inner.name(&format!("{key}.{name}")));
    }
}

/// One field of a group, of whatever type. Its `name` is that of [`Holds`] where the type has it; else that of
/// [`HoldsNone`], which a method call finds second.
#[doc(hidden)]
#[derive(Debug)]
pub struct Field<'f, T>(pub &'f T);

/// A field that holds components.
#[doc(hidden)]
pub trait HoldsSome {
    /// See [`Holds::name`]; `key` is the group's.
    fn name(&self, key: &str, field: &str);
}

impl<T: Holds> HoldsSome for Field<'_, T> {
    fn name(&self, key: &str, field: &str) {
        let field = field.trim_start_matches("r#");
        let dot = if key.is_empty() { "" } else { "." };
        self.0.name(&format!("{key}{dot}{field}"));
    }
}

/// A field that holds no component.
#[doc(hidden)]
pub trait HoldsNone {
    /// Nothing is there to be told.
    fn name(&self, _key: &str, _field: &str) {}
}

impl<T> HoldsNone for &Field<'_, T> {}
