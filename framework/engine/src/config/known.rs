//! Search for unknown keys, and for lists in place of maps, by the schema: serde accepts both in
//! some places.

use super::merge::{Choice, has_variants};
use crate::error::{Error, Result, suggestion};
use crate::registry::component_kind_of;
use serde_json::{Map, Value as Json};
use serde_yaml::{Mapping, Value};

/// Checks that `value`, which stands at `key`, has only keys that its schema `property` knows. The
/// keys of components are left to the component.
pub(super) fn check(value: &Value, property: &Json, key: &str) -> Result<()> {
    let is_map = has_variants(property) || property["properties"].is_object();
    match value {
        Value::Mapping(map) if has_variants(property) => {
            let name = map.get("type").and_then(Value::as_str);
            let Some(choice) = name.and_then(|name| Choice::find(property, name)) else {
                return Ok(());
            };
            if component_kind_of(property).is_none() {
                refuse_unknown(map, &choice.properties, key)?;
            }
            check_all(map, &choice.properties, key)
        }
        Value::Mapping(map) => match property["properties"].as_object() {
            Some(properties) => check_all(map, properties, key),
            None => Ok(()),
        },
        Value::Sequence(_) if is_map => {
            let needed = if has_variants(property) {
                "a name, or a map with `type: NAME`"
            } else {
                "a map of keys"
            };
            Err(Error::config(key, format!("needs {needed}, got a list")))
        }
        Value::Sequence(all) => {
            let check_item = |(i, item)| check(item, &property["items"], &format!("{key}[{i}]"));
            all.iter().enumerate().try_for_each(check_item)
        }
        _ => Ok(()),
    }
}

fn check_all(map: &Mapping, properties: &Map<String, Json>, key: &str) -> Result<()> {
    let check_known = |(name, value): (&Value, _)| {
        let name = name.as_str()?.to_owned();
        properties.get(&name).map(|property| check(value, property, &subkey(key, &name)))
    };
    map.iter().filter_map(check_known).collect()
}

fn refuse_unknown(map: &Mapping, properties: &Map<String, Json>, key: &str) -> Result<()> {
    let names = || properties.keys().map(String::as_str).filter(|name| *name != "type");
    let unknown = map.keys().filter_map(Value::as_str).find(|name| !properties.contains_key(*name));
    let Some(unknown) = unknown else { return Ok(()) };
    let error = Error::config(subkey(key, unknown), format!("unknown key `{unknown}`"));
    let choice = map.get("type").and_then(Value::as_str).unwrap_or_default();
    Err(match names().next() {
        None => error.help(format!("`{choice}` has no keys of its own")),
        Some(_) => error.help(suggestion(unknown, "keys", names())),
    })
}

fn subkey(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}
