use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An interval of training: `5 epochs`, `1000 steps`, or a number of epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// A number of epochs, at least 1.
    Epochs(u64),
    /// A number of steps, at least 1.
    Steps(u64),
}

impl Serialize for Every {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Every::Epochs(n) => s.collect_str(&format_args!("{n} epochs")),
            Every::Steps(n) => s.collect_str(&format_args!("{n} steps")),
        }
    }
}

impl<'de> Deserialize<'de> for Every {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl serde::de::Visitor<'_> for V {
            type Value = Every;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an interval such as `5 epochs` or `1000 steps`, above 0")
            }
            fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Every, E> {
                if n > 0 {
                    Ok(Every::Epochs(n))
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Unsigned(n), &self))
                }
            }
            fn visit_str<E: serde::de::Error>(self, s: &str) -> Result<Every, E> {
                let parsed = s.split_once(' ').and_then(|(n, unit)| {
                    let n: u64 = n.parse().ok().filter(|n| *n > 0)?;
                    match unit.trim() {
                        "epoch" | "epochs" => Some(Every::Epochs(n)),
                        "step" | "steps" => Some(Every::Steps(n)),
                        _ => None,
                    }
                });
                parsed.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(s), &self))
            }
        }
        d.deserialize_any(V)
    }
}

impl JsonSchema for Every {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Every".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 1 },
            { "type": "string", "pattern": "^[1-9][0-9]* (epochs?|steps?)$" },
        ] })
    }
}
