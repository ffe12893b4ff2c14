//! From YAML to what it says, with errors that keep their place. serde carries no error but a text: the
//! error behind the text is kept beside it, for whoever asked serde to read.

use super::kind::{Common, Kind};
use super::messages::explained;
use crate::error::{ConfigError, Error, Result};
use serde::de::{self, DeserializeOwned};
use serde_yaml::Value;
use std::cell::RefCell;

thread_local! {
    /// What the last text that [`through_serde`] gave to serde stands for.
    static CARRIED: RefCell<Option<(String, Error)>> = const { RefCell::new(None) };
}

/// `error` for serde, from where [`deserialize`] takes it back as it was.
pub(super) fn through_serde<E: de::Error>(error: Error) -> E {
    let text = error.to_string();
    let for_serde = E::custom(&text);
    CARRIED.set(Some((text, error)));
    for_serde
}

/// Reads `value`, components at any depth included. The key of an error is its whole path within `value`.
pub fn deserialize<T: DeserializeOwned>(value: Value) -> Result<T> {
    deserialize_beside(value, &[])
}

/// The same where keys of the names `beside` would have been right as well.
fn deserialize_beside<T: DeserializeOwned>(value: Value, beside: &[&str]) -> Result<T> {
    CARRIED.take();
    serde_path_to_error::deserialize(value).map_err(|e| {
        let path = e.path().to_string();
        let path = if path == "?" { "" } else { path.trim_start_matches('.') };
        let mut text = e.inner().to_string();
        match CARRIED.take().filter(|(carried, _)| text.contains(carried.as_str())) {
            Some((_, Error::Config(e))) => {
                let parts = [path, &e.key];
                let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                Error::Config(ConfigError { key: parts.join("."), ..e })
            }
            Some((_, other)) => other,
            None => {
                if text.contains("unknown field ") {
                    text.extend(beside.iter().map(|key| format!(", `{key}`")));
                }
                explained(path, &text)
            }
        }
    })
}

/// A spec from its YAML, which begins with `type`; called by the owner's copy.
#[doc(hidden)]
pub fn read_spec<K: Kind + ?Sized>(text: &str) -> Result<Box<K::Spec>>
where
    Box<K::Spec>: DeserializeOwned,
{
    let value = serde_yaml::from_str(text).map_err(|e| Error::config("", e.to_string()))?;
    deserialize_beside(value, K::Common::KEYS)
}
