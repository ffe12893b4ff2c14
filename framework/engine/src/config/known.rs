//! Keys that nobody knows, and lists where a map belongs, wherever a schema tells: serde lets both pass
//! in some places.

use super::merge::{Chosen, chooses};
use crate::error::{Error, Result, suggestion};
use crate::registry::component_kind_of;
use serde_json::{Map, Value as Json};
use serde_yaml::{Mapping, Value};

/// An error for the first key in `value`, at `key`, that its schema `property` does not know.
pub(super) fn check(value: &Value, property: &Json, key: &str) -> Result<()> {
    let of_map = chooses(property) || property["properties"].is_object();
    match value {
        Value::Mapping(map) if chooses(property) => {
            let chosen = map.get("type").and_then(Value::as_str);
            let Some(chosen) = chosen.and_then(|name| Chosen::of(property, name)) else {
                return Ok(());
            };
            if component_kind_of(property).is_none() {
                refuse_unknown(map, &chosen.properties, key)?;
            }
            check_all(map, &chosen.properties, key)
        }
        Value::Mapping(map) => match property["properties"].as_object() {
            Some(properties) => check_all(map, properties, key),
            None => Ok(()),
        },
        Value::Sequence(_) if of_map => {
            let needed = if chooses(property) {
                "a name, or a map with `type: NAME`"
            } else {
                "a map of keys"
            };
            Err(Error::config(key, format!("needs {needed}, got a list")))
        }
        Value::Sequence(all) => {
            let one = |(i, one)| check(one, &property["items"], &format!("{key}[{i}]"));
            all.iter().enumerate().try_for_each(one)
        }
        _ => Ok(()),
    }
}

fn check_all(map: &Mapping, properties: &Map<String, Json>, key: &str) -> Result<()> {
    let known = |(name, value): (&Value, _)| {
        let name = name.as_str()?.to_owned();
        properties.get(&name).map(|property| check(value, property, &below(key, &name)))
    };
    map.iter().filter_map(known).collect()
}

fn refuse_unknown(map: &Mapping, properties: &Map<String, Json>, key: &str) -> Result<()> {
    let names = || properties.keys().map(String::as_str).filter(|name| *name != "type");
    let unknown = map.keys().filter_map(Value::as_str).find(|name| !properties.contains_key(*name));
    let Some(unknown) = unknown else { return Ok(()) };
    let error = Error::config(below(key, unknown), format!("unknown key `{unknown}`"));
    let choice = map.get("type").and_then(Value::as_str).unwrap_or_default();
    Err(match names().next() {
        None => error.help(format!("`{choice}` has no keys of its own")),
        Some(_) => error.help(suggestion(unknown, "keys", names())),
    })
}

fn below(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}
