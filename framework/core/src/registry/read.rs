//! YAML texts, and the words of choices.

use super::Yaml;
use super::parameter::needs;
use crate::error::{Error, Result, suggestion};

/// YAML of a value.
///
/// # Errors
/// [`Error::Runtime`] for a value that cannot be written as YAML.
#[doc(hidden)]
pub fn yaml_text<T: serde::Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_yaml::to_string(value).map_err(|e| Error::runtime(e.to_string()))
}

/// A text of YAML as a value.
pub(super) fn parsed(text: &str) -> Result<Yaml> {
    serde_yaml::from_str(text).map_err(|e| Error::config("", e.to_string()))
}

/// The word of a choice.
///
/// # Errors
/// [`Error::Config`] for a value that is no text.
#[doc(hidden)]
pub fn word(yaml: &Yaml) -> Result<&str> {
    yaml.as_str().ok_or_else(|| needs("a word", yaml))
}

/// Error for an unknown word of a choice.
#[doc(hidden)]
pub fn unknown_word(word: &str, known: &[&str]) -> Error {
    let help = suggestion(word, "values", known.iter().copied());
    Error::config("", format!("unknown value `{word}`")).help(help)
}
