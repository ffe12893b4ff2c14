//! One layer over those below it, key by key.

use crate::registry::{
    Entry, component_kind_of, is_nullable, properties_of, registry, variant, variants,
};
use serde_json::{Map, Value as Json};
use serde_yaml::{Mapping, Value};
use std::path::Path;

/// Merges `over` into `base`; `property` is the schema at this place, `folder` where the paths of `over`
/// start.
pub(super) fn merge(base: &mut Value, over: Value, property: &Json, key: &str, folder: &Path) {
    if over.is_null() && says_nothing(property) {
        return;
    }
    if property["x-whole"] == true {
        *base = over;
        return;
    }
    let has_type = chooses(property);
    if let (true, Value::String(name)) = (has_type, &over) {
        return merge(base, named(name), property, key, folder);
    }
    if let (true, Value::String(name)) = (has_type, &*base) {
        *base = named(name);
    }
    let (Value::Mapping(below), Value::Mapping(above)) = (&mut *base, over.clone()) else {
        *base = anchored(over, property, folder);
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
    let chosen = name.and_then(|name| Chosen::of(property, name));
    let properties = match &chosen {
        Some(chosen) => chosen.properties.clone(),
        None => property["properties"].as_object().cloned().unwrap_or_default(),
    };
    if let Some(chosen) = &chosen {
        chosen.forget_unknown(below, key);
    }
    for (name, value) in above {
        let text = name.as_str().unwrap_or_default().to_owned();
        let inner = if key.is_empty() { text.clone() } else { format!("{key}.{text}") };
        let property = properties.get(&text).cloned().unwrap_or(Json::Null);
        if value.is_null() && says_nothing(&property) {
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

/// Whether nothing, as an empty `training:`, is a map without keys here: it leaves what is below as it is.
fn says_nothing(property: &Json) -> bool {
    (chooses(property) || property["type"] == "object") && !is_nullable(property)
}

/// Whether a `type` chooses among several maps here.
pub(super) fn chooses(property: &Json) -> bool {
    component_kind_of(property).is_some() || !variants(property).is_empty()
}

/// What stands at a leaf whose schema is `property`: paths are made absolute, read from `folder`. An
/// empty one is no path.
fn anchored(value: Value, property: &Json, folder: &Path) -> Value {
    match value {
        Value::String(text) if property["format"] == "path" && !text.is_empty() => {
            let absolute = std::path::absolute(folder.join(&text));
            absolute.ok().and_then(|p| Some(p.to_str()?.into())).unwrap_or(Value::String(text))
        }
        Value::Sequence(all) => {
            let one = |v| anchored(v, &property["items"], folder);
            Value::Sequence(all.into_iter().map(one).collect())
        }
        other => other,
    }
}

/// A bare name means a component or choice with nothing else said.
fn named(name: &str) -> Value {
    let mut map = Mapping::new();
    map.insert("type".into(), name.into());
    Value::Mapping(map)
}

/// What a map's `type` chooses.
pub(super) struct Chosen {
    name: String,
    /// A registered component; else one of the choices of the schema.
    entry: Option<Entry>,
    /// The schemas of its keys.
    pub(super) properties: Map<String, Json>,
}

impl Chosen {
    /// The choice `name` of the schema `property`, if there is one.
    pub(super) fn of(property: &Json, name: &str) -> Option<Self> {
        let Some(kind) = component_kind_of(property) else {
            let properties = variant(property, name)?["properties"].as_object()?.clone();
            return Some(Self { name: name.to_owned(), entry: None, properties });
        };
        let entry = registry().find(kind, name).ok()?;
        let (name, properties) = (entry.info.name.to_owned(), properties_of(entry.info));
        Some(Self { name, properties, entry: Some(entry) })
    }

    /// Drops the keys that stand below under another `type` and that this one does not know.
    fn forget_unknown(&self, below: &mut Mapping, key: &str) {
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
                log::info!("{key}.{name} is dropped: {kind}`{own}` does not know it");
            }
            keep
        });
    }
}

/// Whether a value of another choice means the same here: a list is no single value of the same name.
fn fits(property: &Json, value: &Value) -> bool {
    match property["type"].as_str() {
        Some("array") => value.is_sequence(),
        Some(_) => !value.is_sequence(),
        None => true,
    }
}

/// Component maps stream when `type` comes first.
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
