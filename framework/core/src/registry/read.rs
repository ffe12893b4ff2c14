//! Deserialisation of YAML with errors that keep their key. serde reduces an error to a text, so
//! the original is kept beside it and put back at the end.

use super::kind::{Common, Kind};
use super::messages::explained;
use crate::error::{ConfigError, Error, Result};
use serde::de::{self, DeserializeOwned};
use serde_yaml::Value;
use std::cell::RefCell;

thread_local! {
    /// Text and error of the last call of [`through_serde`].
    static ORIGINAL: RefCell<Option<(String, Error)>> = const { RefCell::new(None) };
}

/// Converts `error` to one of serde's; [`deserialize`] restores the original.
pub(super) fn through_serde<E: de::Error>(error: Error) -> E {
    let text = error.to_string();
    let for_serde = E::custom(&text);
    ORIGINAL.set(Some((text, error)));
    for_serde
}

/// Deserialises `value`, including components at any depth.
///
/// # Errors
/// [`Error::Config`] with the complete key within `value`, and errors of the components' own
/// values.
pub fn deserialize<T: DeserializeOwned>(value: Value) -> Result<T> {
    deserialize_knowing(value, &[])
}

/// Deserialises `value`; an unknown key is reported with `other_keys` among the known ones.
fn deserialize_knowing<T: DeserializeOwned>(value: Value, other_keys: &[&str]) -> Result<T> {
    ORIGINAL.take();
    serde_path_to_error::deserialize(value).map_err(|e| {
        let path = e.path().to_string();
        let path = if path == "?" { "" } else { path.trim_start_matches('.') };
        let mut text = e.inner().to_string();
        match ORIGINAL.take().filter(|(carried, _)| text.contains(carried.as_str())) {
            Some((_, Error::Config(e))) => {
                let parts = [path, &e.key];
                let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                Error::Config(ConfigError { key: parts.join("."), ..e })
            }
            Some((_, other)) => other,
            None => {
                if text.contains("unknown field ") {
                    text.extend(other_keys.iter().map(|key| format!(", `{key}`")));
                }
                explained(path, &text)
            }
        }
    })
}

/// Reads a spec from the YAML of its own keys; called in the owner's copy.
///
/// # Errors
/// [`Error::Config`] for YAML that is not such a spec.
pub(super) fn read_spec<K: Kind + ?Sized, S: DeserializeOwned>(text: &str) -> Result<S> {
    let value = serde_yaml::from_str(text).map_err(|e| Error::config("", e.to_string()))?;
    deserialize_knowing(value, K::Common::KEYS)
}
