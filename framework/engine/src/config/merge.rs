//! Merge of a layer into those below it, key by key.

use crate::registry::{
    Entry, component_kind_of, is_nullable, properties_of, registry, variant, variants,
};
use serde_json::{Map, Value as Json};
use serde_yaml::{Mapping, Value};
use std::path::Path;

/// Merges `over` into `base`, both of which stand at `key` and have the schema `property`. Relative
/// paths in `over` refer to `folder`.
pub(super) fn merge(base: &mut Value, over: Value, property: &Json, key: &str, folder: &Path) {
    if over.is_null() && ignores_null(property) {
        return;
    }
    if property["x-whole"] == true {
        *base = over;
        return;
    }
    let has_type = has_variants(property);
    if let (true, Value::String(name)) = (has_type, &over) {
        return merge(base, map_with_type(name), property, key, folder);
    }
    if let (true, Value::String(name)) = (has_type, &*base) {
        *base = map_with_type(name);
    }
    let (Value::Mapping(below), Value::Mapping(above)) = (&mut *base, over.clone()) else {
        *base = with_absolute_paths(over, property, folder);
        return;
    };
    if has_type
        && !below.contains_key("type")
        && !above.contains_key("type")
        && let Some(name) = property["default"]["type"].as_str()
    {
        below.insert("type".into(), name.into());
    }
    let name = above.get("type").or_else(|| below.get("type")).and_then(Value::as_str);
    let choice = name.and_then(|name| Choice::find(property, name));
    let properties = match &choice {
        Some(choice) => choice.properties.clone(),
        None => property["properties"].as_object().cloned().unwrap_or_default(),
    };
    if let Some(choice) = &choice {
        choice.drop_unknown_keys(below, key);
    }
    for (name, value) in above {
        let text = name.as_str().unwrap_or_default().to_owned();
        let inner = if key.is_empty() { text.clone() } else { format!("{key}.{text}") };
        let property = properties.get(&text).cloned().unwrap_or(Json::Null);
        if value.is_null() && ignores_null(&property) {
            continue;
        }
        match below.get_mut(&name) {
            Some(slot) => merge(slot, value, &property, &inner, folder),
            None => {
                let mut slot = match &value {
                    Value::Mapping(_) => Value::Mapping(Mapping::new()),
                    _ => Value::Null,
                };
                merge(&mut slot, value, &property, &inner, folder);
                below.insert(name, slot);
            }
        }
    }
    put_type_first(below);
}

/// True if null, such as an empty `training:`, stands for a map without keys, which changes
/// nothing.
fn ignores_null(property: &Json) -> bool {
    (has_variants(property) || property["type"] == "object") && !is_nullable(property)
}

/// True if the schema is of maps whose `type` selects one of several, such as components.
pub(super) fn has_variants(property: &Json) -> bool {
    component_kind_of(property).is_some() || !variants(property).is_empty()
}

/// The value of a leaf with the schema `property`, its relative paths made absolute from `folder`.
/// An empty text is no path.
fn with_absolute_paths(value: Value, property: &Json, folder: &Path) -> Value {
    match value {
        Value::String(text) if property["format"] == "path" && !text.is_empty() => {
            let absolute = std::path::absolute(folder.join(&text));
            absolute.ok().and_then(|p| Some(p.to_str()?.into())).unwrap_or(Value::String(text))
        }
        Value::Sequence(all) => {
            let item = |v| with_absolute_paths(v, &property["items"], folder);
            Value::Sequence(all.into_iter().map(item).collect())
        }
        other => other,
    }
}

/// The map that a component's or variant's name alone stands for.
fn map_with_type(name: &str) -> Value {
    let mut map = Mapping::new();
    map.insert("type".into(), name.into());
    Value::Mapping(map)
}

/// The component or variant that a map's `type` selects.
pub(super) struct Choice {
    name: String,
    /// The registered component; `None` for a variant of the schema.
    entry: Option<Entry>,
    /// The schemas of its keys.
    pub(super) properties: Map<String, Json>,
}

impl Choice {
    /// Finds the choice `name` of the schema `property`.
    pub(super) fn find(property: &Json, name: &str) -> Option<Self> {
        let Some(kind) = component_kind_of(property) else {
            let properties = variant(property, name)?["properties"].as_object()?.clone();
            return Some(Self { name: name.to_owned(), entry: None, properties });
        };
        let entry = registry().find(kind, name).ok()?;
        let (name, properties) = (entry.info.name.to_owned(), properties_of(entry.info));
        Some(Self { name, properties, entry: Some(entry) })
    }

    /// Drops keys of the layers below that belong to another `type` and that this one does not
    /// know.
    fn drop_unknown_keys(&self, below: &mut Mapping, key: &str) {
        let same = |old: &str| match &self.entry {
            Some(entry) => entry.answers_to(old),
            None => self.name == old,
        };
        if below.get("type").and_then(Value::as_str).is_none_or(same) {
            return;
        }
        below.retain(|name, value| {
            let name = name.as_str().unwrap_or_default();
            let fits = |property: &Json| fits(property, value);
            let keep = name == "type" || self.properties.get(name).is_some_and(fits);
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
fn fits(property: &Json, value: &Value) -> bool {
    match property["type"].as_str() {
        Some("array") => value.is_sequence(),
        Some(_) => !value.is_sequence(),
        None => true,
    }
}

/// Moves `type` to the front, which lets components be deserialised without buffering.
fn put_type_first(map: &mut Mapping) {
    if let Some(tag) = map.get("type").cloned() {
        let rest: Vec<_> = map
            .iter()
            .filter(|(k, _)| k.as_str() != Some("type"))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        map.clear();
        map.insert("type".into(), tag);
        map.extend(rest);
    }
}
