//! Checks of the spec, the same for all kinds: YAML, documentation, example, and that it builds.

use super::expect::ensure;
use super::{Check, Conformance};
use crate::error::{Error, Result};
use crate::registry::{Component, Field, Parameter as _, Shape, registry};
use serde_yaml::Value;
use std::marker::PhantomData;

/// Name of the check on which all later ones depend.
pub(super) const BUILDS: &str = "builds";

/// Checks that all kinds share.
pub(super) struct Shared<K: ?Sized>(PhantomData<K>);

impl<K: Conformance + ?Sized> Shared<K> {
    /// Checks of the spec alone.
    pub(super) const OF_SPECS: &'static [Check<K>] = &[
        Check {
            name: "round_trip",
            about: "the spec is unchanged after writing and reading YAML, and the bare name means its defaults",
            run: round_trip,
        },
        Check {
            name: "documented",
            about: "the component has a summary, and each of its keys a description",
            run: documented,
        },
        Check {
            name: "example",
            about: "the registered example is a component of this name",
            run: example,
        },
    ];
    /// The check on which all later ones depend.
    pub(super) const BUILDS: &'static Check<K> =
        &Check { name: BUILDS, about: "the spec builds what it describes", run: K::try_build };
}

/// Reads a component of kind `K` from YAML.
pub(super) fn parse<K: Conformance + ?Sized>(yaml: &Value) -> Result<Component<K>> {
    Component::read(yaml)
}

fn write<K: Conformance + ?Sized>(component: &Component<K>) -> Result<Value> {
    serde_yaml::to_value(component)
        .map_err(|e| Error::runtime(format!("cannot be written as YAML: {e}")))
}

fn text(yaml: &Value) -> String {
    serde_yaml::to_string(yaml).unwrap_or_default().trim_end().replace('\n', ", ")
}

fn round_trip<K: Conformance + ?Sized>(component: &Component<K>) -> Result<()> {
    let written = write(component)?;
    let name = component.name();
    ensure(written["type"] == *name, || {
        format!("written as `{}`, expected `type: {name}` in it", text(&written))
    })?;
    let again = parse::<K>(&written).map_err(|e| {
        Error::runtime(format!("written as `{}`, which does not read back: {e}", text(&written)))
    })?;
    let twice = write(&again)?;
    ensure(twice == written, || {
        format!("written as `{}`, but read back it is `{}`", text(&written), text(&twice))
    })?;
    let fields = registry().find(K::NAME, name)?.info.fields();
    if fields.iter().all(|field| field.default.is_some()) {
        parse::<K>(&Value::from(name)).map_err(|e| {
            Error::runtime(format!("the bare name `{name}` does not read as the defaults: {e}"))
        })?;
    }
    Ok(())
}

fn documented<K: Conformance + ?Sized>(component: &Component<K>) -> Result<()> {
    let entry = registry().find(K::NAME, component.name())?;
    let mut missing = Vec::new();
    if entry.summary().is_empty() {
        missing.push("a doc comment above the struct".to_owned());
    }
    let undescribed = undescribed(&entry.info.fields(), "");
    missing.extend(undescribed.iter().map(|key| format!("a description of `{key}`")));
    ensure(missing.is_empty(), || format!("missing: {}", missing.join(", ")))
}

/// Keys without a description, including those of groups.
fn undescribed(fields: &[Field], within: &str) -> Vec<String> {
    let mut missing = Vec::new();
    for field in fields {
        let key = format!("{within}{}", field.key.name());
        match field.shape.required() {
            Shape::Group(inner) => missing.extend(undescribed(inner, &format!("{key}."))),
            // A component is described where it is registered.
            Shape::Component(_) => continue,
            _ => {}
        }
        if field.key.description().is_empty() {
            missing.push(key);
        }
    }
    missing
}

fn example<K: Conformance + ?Sized>(component: &Component<K>) -> Result<()> {
    let name = component.name();
    let example = registry().find(K::NAME, name)?.info.example()?;
    let read = serde_yaml::from_str(&example)
        .map_err(|e| Error::runtime(format!("is not YAML: {e}")))
        .and_then(|yaml| parse::<K>(&yaml))
        .map_err(|e| Error::runtime(format!("the example does not read: {e}")))?;
    ensure(read.name() == name, || {
        format!("the example is of `{}`, expected `{name}`", read.name())
    })
}
