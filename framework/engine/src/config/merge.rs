//! Merge of a layer into those below it, key by key, by the table of fields.

use crate::registry::{Entry, Field, Shape, registry};
use serde_yaml::{Mapping, Value};
use std::path::Path;

/// The place of a value in an experiment.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    /// Dotted key; empty for the whole experiment.
    pub key: &'p str,
    /// Type of the value.
    pub shape: &'p Shape,
    /// The field with this value; `None` for the whole experiment and for unknown keys.
    pub field: Option<&'p Field>,
}

/// Merges `over` into `base`, both of which stand at `place`. Relative paths in `over` refer to
/// `folder`.
pub(super) fn merge(base: &mut Value, over: Value, place: Place<'_>, folder: &Path) {
    if over.is_null() && ignores_null(place.shape) {
        return;
    }
    if place.field.is_some_and(|field| field.key.whole) {
        *base = anchored(over, place.shape, folder);
        return;
    }
    let (mut over, shape) = (over, place.shape.required());
    let has_type = matches!(shape, Shape::Component(_) | Shape::Variants(_));
    if has_type {
        name_to_map(&mut over);
        name_to_map(base);
    }
    let (Value::Mapping(below), Value::Mapping(above)) = (&mut *base, &over) else {
        *base = anchored(over, place.shape, folder);
        return;
    };
    if has_type && !below.contains_key("type") && !above.contains_key("type") {
        below.extend(default_type(place.field));
    }
    let name = above.get("type").or_else(|| below.get("type")).and_then(Value::as_str);
    let known = Keys::of(shape, name);
    if has_type && let Some(known) = &known {
        known.drop_others(below, place.key, shape);
    }
    let Value::Mapping(above) = over else { return };
    for (name, value) in above {
        let text = name.as_str().unwrap_or_default().to_owned();
        let dot = if place.key.is_empty() { "" } else { "." };
        let key = format!("{}{dot}{text}", place.key);
        let field = known.as_ref().and_then(|known| known.field(&text));
        let shape = field.map_or(&Shape::ANY, |field| &field.shape);
        if value.is_null() && ignores_null(shape) {
            continue;
        }
        let slot = below.entry(name).or_insert_with(|| match &value {
            Value::Mapping(_) => Value::Mapping(Mapping::new()),
            _ => Value::Null,
        });
        merge(slot, value, Place { key: &key, shape, field }, folder);
    }
    put_type_first(below);
}

/// True if null, such as an empty `training:`, stands for a map without keys, which changes
/// nothing.
fn ignores_null(shape: &Shape) -> bool {
    matches!(shape, Shape::Group(_) | Shape::Map(_) | Shape::Component(_) | Shape::Variants(_))
}

/// Makes the map of a component's or variant's name alone.
fn name_to_map(value: &mut Value) {
    if let Value::String(name) = value {
        let mut map = Mapping::new();
        map.insert("type".into(), name.as_str().into());
        *value = Value::Mapping(map);
    }
}

/// The `type` of a field's default.
fn default_type(field: Option<&Field>) -> Option<(Value, Value)> {
    let default: Value = serde_yaml::from_str(field?.default.as_ref()?).ok()?;
    Some(("type".into(), default.get("type")?.clone()))
}

/// The value with the relative paths in it made absolute from `folder`.
fn anchored(value: Value, shape: &Shape, folder: &Path) -> Value {
    match (value, shape.required()) {
        (Value::String(text), Shape::Path) if !text.is_empty() => {
            let absolute = std::path::absolute(folder.join(&text));
            absolute.ok().and_then(|p| Some(p.to_str()?.into())).unwrap_or(Value::String(text))
        }
        (Value::Sequence(all), Shape::List(inner)) => {
            Value::Sequence(all.into_iter().map(|item| anchored(item, inner, folder)).collect())
        }
        (Value::Mapping(map), Shape::Map(inner)) => {
            let each = |(name, value)| (name, anchored(value, inner, folder));
            Value::Mapping(map.into_iter().map(each).collect())
        }
        (Value::Mapping(map), shape) => {
            let Some(known) = Keys::of(shape, map.get("type").and_then(Value::as_str)) else {
                return Value::Mapping(map);
            };
            let each = |(name, value): (Value, Value)| {
                let field = name.as_str().and_then(|name| known.field(name));
                let value = match field {
                    Some(field) => anchored(value, &field.shape, folder),
                    None => value,
                };
                (name, value)
            };
            Value::Mapping(map.into_iter().map(each).collect())
        }
        (other, _) => other,
    }
}

/// The keys that a map can have.
pub(super) struct Keys {
    /// Name of the component or variant; empty for a group.
    name: String,
    /// The registered component; `None` for a variant or group.
    pub(super) entry: Option<Entry>,
    fields: Vec<Field>,
}

impl Keys {
    /// The keys of a map with the type `shape` whose `type` is `name`; `None` if the map has no
    /// table of keys, or `name` is unknown.
    pub(super) fn of(shape: &Shape, name: Option<&str>) -> Option<Self> {
        let (name, entry, fields) = match shape {
            Shape::Group(fields) => (String::new(), None, fields.clone()),
            Shape::Component(kind) => {
                let entry = registry().find(kind, name?).ok()?;
                (entry.info.name.to_owned(), Some(entry.clone()), entry.info.fields())
            }
            Shape::Variants(all) => {
                let one = all.iter().find(|one| Some(one.name) == name)?;
                (one.name.to_owned(), None, one.fields.clone())
            }
            _ => return None,
        };
        Some(Self { name, entry, fields })
    }

    /// The field `name`.
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.key.name() == name)
    }

    /// Drops keys of the layers below that belong to another `type` and that this one does not
    /// know. Keys that do not belong to the other one either are mistakes, and stay to be refused.
    fn drop_others(&self, below: &mut Mapping, key: &str, shape: &Shape) {
        let same = |old: &str| match &self.entry {
            Some(entry) => entry.answers_to(old),
            None => self.name == old,
        };
        let Some(old) = below.get("type").and_then(Value::as_str) else { return };
        if same(old) {
            return;
        }
        let old = Self::of(shape, Some(old));
        let suits = |keys: &Self, name: &str, value: &Value| {
            keys.field(name).is_some_and(|field| fits(&field.shape, value))
        };
        let belongs = |old: &Self, name: &str, value: &Value| match value {
            Value::Null => old.field(name).is_some(),
            _ => suits(old, name, value),
        };
        below.retain(|name, value| {
            let name = name.as_str().unwrap_or_default();
            let keep = name == "type"
                || suits(self, name, value)
                || old.as_ref().is_some_and(|old| !belongs(old, name, value));
            if !keep {
                let kind = self.entry.as_ref().map(|e| format!("{} ", e.info.kind));
                let (kind, own) = (kind.unwrap_or_default(), &self.name);
                log::info!("{key}.{name} is dropped: {kind}`{own}` has no such key");
            }
            keep
        });
    }
}

/// True if a value that was given for another choice suits the key of the same name here: a list
/// does not suit a single value, nor the other way round.
fn fits(shape: &Shape, value: &Value) -> bool {
    match shape.required() {
        Shape::List(_) => value.is_sequence(),
        Shape::Other { .. } => true,
        _ => !value.is_sequence(),
    }
}

/// Moves `type` to the front.
fn put_type_first(map: &mut Mapping) {
    if let Some(tag) = map.get("type").cloned() {
        let rest: Vec<_> = std::mem::take(map).into_iter().collect();
        map.insert("type".into(), tag);
        map.extend(rest.into_iter().filter(|(name, _)| name.as_str() != Some("type")));
    }
}
