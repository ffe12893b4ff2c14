//! Keys of components inside other components: an error while one is built has the complete key,
//! such as `crn.network.dropout`, whatever the outer component does with the error.

use super::{Component, Kind};
use std::collections::BTreeMap;

/// A component, or a container of components. Every group of parameters is one, by
/// [`parameters!`](crate::parameters!).
#[doc(hidden)]
pub trait Holds {
    /// Sets the key of the components in it to `key`, or one below it; `key` is empty for the
    /// outermost.
    fn name(&self, key: &str);
}

impl<K: Kind + ?Sized> Holds for Component<K> {
    fn name(&self, key: &str) {
        self.set_key(key);
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

/// A field of a group, of any type. Its `name` is that of [`Holds`] for types that implement it,
/// otherwise that of [`HoldsNone`], which method resolution finds second.
#[doc(hidden)]
#[derive(Debug)]
pub struct Field<'f, T>(pub &'f T);

/// A field that holds components.
#[doc(hidden)]
pub trait HoldsSome {
    /// See [`Holds::name`]; `key` is that of the group.
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
    /// Does nothing.
    fn name(&self, _key: &str, _field: &str) {}
}

impl<T> HoldsNone for &Field<'_, T> {}
