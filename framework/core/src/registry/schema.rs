//! JSON schema of experiments, assembled from the registrations of components.

use super::{Field, Group, Key, Range, Registration, Shape, Variant, Word, registry};
use serde_json::{Map, Value, json};

/// Schemas of a component's own keys and the shared keys of its kind, by key. Own keys are missing
/// where the component's defaults panic.
pub fn properties_of(info: &Registration) -> Map<String, Value> {
    properties(&info.fields())
}

/// Schemas of the keys of a table.
fn properties(fields: &[Field]) -> Map<String, Value> {
    fields.iter().map(|field| (field.key.name().to_owned(), property(field))).collect()
}

/// Schema of a key.
fn property(field: &Field) -> Value {
    let mut schema = of_shape(&field.shape, &field.key);
    let Value::Object(map) = &mut schema else { return schema };
    let description = field.key.description();
    if !description.is_empty() {
        map.insert("description".into(), description.into());
    }
    if let Some(default) = field.default.as_ref().and_then(|text| serde_json::from_str(text).ok()) {
        map.insert("default".into(), default);
    }
    schema
}

/// Schema of a type, with the ranges of its key.
fn of_shape(shape: &Shape, key: &Key) -> Value {
    match shape {
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Whole { unsigned } => {
            let mut schema = ranged("integer", key.range);
            if *unsigned && key.range.low.is_none() {
                schema["minimum"] = json!(0);
            }
            schema
        }
        Shape::Number => ranged("number", key.range),
        Shape::Text => json!({ "type": "string" }),
        Shape::Path => json!({ "type": "string", "format": "path" }),
        Shape::Choice(words) => {
            let word = |w: &Word| {
                let all = std::iter::once(&w.name).chain(w.aliases);
                let of_one = |name| json!({ "const": name, "description": w.description });
                all.map(of_one).collect::<Vec<_>>()
            };
            json!({ "oneOf": words.iter().flat_map(word).collect::<Vec<_>>() })
        }
        Shape::Component(kind) => json!({ "$ref": format!("#/$defs/{kind}") }),
        Shape::Group(fields) => json!({
            "type": "object",
            "properties": properties(fields),
            "additionalProperties": false,
        }),
        Shape::Variants(all) => {
            let variant = |v: &Variant| {
                let mut own = Map::new();
                own.insert("type".into(), json!({ "const": v.name }));
                own.extend(properties(&v.fields));
                json!({
                    "type": "object",
                    "description": v.description,
                    "properties": own,
                    "additionalProperties": false,
                })
            };
            let names = json!({ "enum": all.iter().map(|v| v.name).collect::<Vec<_>>() });
            let all = all.iter().map(variant).chain([names]);
            json!({ "anyOf": all.collect::<Vec<_>>() })
        }
        Shape::Optional(inner) => {
            let mut schema = of_shape(inner, key);
            match &schema["type"] {
                Value::String(own) if own != "object" => schema["type"] = json!([own, "null"]),
                _ => schema = json!({ "anyOf": [schema, { "type": "null" }] }),
            }
            schema
        }
        Shape::List(inner) => {
            let mut schema = json!({ "type": "array", "items": of_shape(inner, key) });
            let ends = [("minItems", key.length.low), ("maxItems", key.length.high)];
            for (name, end) in ends.iter().filter_map(|(name, end)| Some((name, (*end)?))) {
                schema[*name] = whole(end.at);
            }
            schema
        }
        Shape::Map(inner) => {
            json!({ "type": "object", "additionalProperties": of_shape(inner, key) })
        }
        Shape::Other { schema, .. } => serde_json::from_str(schema).unwrap_or_else(|_| json!({})),
    }
}

/// Schema of a number in a range.
fn ranged(name: &str, range: Range) -> Value {
    let mut schema = json!({ "type": name });
    let ends =
        [("minimum", "exclusiveMinimum", range.low), ("maximum", "exclusiveMaximum", range.high)];
    for (closed, open, end) in ends.iter().filter_map(|(c, o, end)| Some((c, o, (*end)?))) {
        schema[if end.open { *open } else { *closed }] = whole(end.at);
    }
    schema
}

/// A number, without a decimal point if it is whole.
fn whole(n: f64) -> Value {
    if n.fract() == 0.0 && n.abs() < 2f64.powi(53) { json!(n as i64) } else { json!(n) }
}

/// JSON schema of a map with the keys of a group.
pub fn group_schema<G: Group>() -> Value {
    json!({
        "type": "object",
        "properties": properties(&G::fields()),
        "additionalProperties": false,
    })
}

/// JSON schema of an experiment file, with all registered components. `G` is the group of an
/// experiment's keys. Every key is optional, because a file only overrides the defaults and the
/// file that it `extends`.
pub fn experiment_schema<G: Group>() -> Value {
    let mut own = properties(&G::fields());
    own.insert(
        "extends".into(),
        json!({
            "type": "string",
            "description": "Another experiment file, over which this one lies; relative to this one.",
        }),
    );
    let defs: Map<String, Value> =
        registry().kinds().keys().map(|kind| ((*kind).to_owned(), kind_schema(kind))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": own,
        "additionalProperties": false,
        "$defs": defs,
    })
}

fn kind_schema(kind: &str) -> Value {
    let entries = registry().list(Some(kind));
    let names: Vec<&str> = entries
        .iter()
        .flat_map(|e| std::iter::once(e.info.name).chain(e.info.aliases.iter().copied()))
        .collect();
    // An `if` for each component: an editor completes its keys, and an error refers to the chosen
    // component only. Without `type` the component is that of the file or defaults below.
    let mut any = Map::new();
    let mut cases: Vec<Value> = entries
        .iter()
        .map(|e| {
            let mut properties = Map::new();
            let own: Vec<&str> =
                std::iter::once(e.info.name).chain(e.info.aliases.iter().copied()).collect();
            properties.insert("type".into(), json!({ "enum": own }));
            properties.extend(properties_of(e.info));
            for (key, property) in &properties {
                let meanings = any.entry(key.clone()).or_insert_with(|| json!({ "anyOf": [] }));
                if let Some(all) = meanings["anyOf"].as_array_mut()
                    && !all.contains(property)
                {
                    all.push(property.clone());
                }
            }
            json!({
                "if": { "properties": { "type": { "enum": own } }, "required": ["type"] },
                "then": {
                    "description": e.summary(),
                    "properties": properties,
                    "additionalProperties": false,
                },
            })
        })
        .collect();
    cases.push(json!({
        "if": { "required": ["type"] },
        "else": { "properties": any, "additionalProperties": false },
    }));
    json!({
        "oneOf": [
            { "type": "string", "enum": names },
            {
                "type": "object",
                "properties": { "type": { "type": "string", "enum": names } },
                "allOf": cases,
            },
        ]
    })
}
