//! Deserialisation of YAML with errors that keep their key. serde reduces an error to a text, so
//! the original is kept beside it and put back at the end.

use super::messages::explained;
use super::parameter::needs;
use crate::error::{ConfigError, Error, Result, suggestion};
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
    ORIGINAL.take();
    serde_path_to_error::deserialize(value).map_err(|e| {
        let path = e.path().to_string();
        let path = if path == "?" { "" } else { path.trim_start_matches('.') };
        let text = e.inner().to_string();
        match ORIGINAL.take().filter(|(carried, _)| text.contains(carried.as_str())) {
            Some((_, Error::Config(e))) => {
                let parts = [path, &e.key];
                let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                Error::Config(ConfigError { key: parts.join("."), ..e })
            }
            Some((_, other)) => other,
            None => explained(path, &text),
        }
    })
}

/// A text of YAML as a value.
pub(super) fn parsed(text: &str) -> Result<Value> {
    serde_yaml::from_str(text).map_err(|e| Error::config("", e.to_string()))
}

/// The word of a choice.
///
/// # Errors
/// [`Error::Config`] for a value that is no text.
#[doc(hidden)]
pub fn word(yaml: &Value) -> Result<&str> {
    yaml.as_str().ok_or_else(|| needs("a word", yaml))
}

/// Error for an unknown word of a choice.
#[doc(hidden)]
pub fn unknown_word(word: &str, known: &[&str]) -> Error {
    let help = suggestion(word, "values", known.iter().copied());
    Error::config("", format!("unknown value `{word}`")).help(help)
}
