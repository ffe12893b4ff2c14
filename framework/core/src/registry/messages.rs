//! Messages of serde, rewritten for users who write YAML.

use crate::error::{ConfigError, Error, suggestion};

/// A rewritten message.
#[derive(Debug, Default, PartialEq)]
pub(super) struct PlainMessage {
    /// The problem.
    pub message: String,
    /// How to correct it.
    pub help: Option<String>,
    /// The unknown key, if that is the error.
    pub unknown_key: Option<String>,
}

/// Rewrites a message of a deserialiser; other messages are kept, with the part after "; " as help.
pub(super) fn plain(message: &str) -> PlainMessage {
    for (start, what) in [("unknown field `", "key"), ("unknown variant `", "value")] {
        if let Some((_, rest)) = message.split_once(start) {
            let mut quoted = rest.split('`');
            let unknown = quoted.next().unwrap_or_default();
            let known = quoted.skip(1).step_by(2);
            return PlainMessage {
                message: format!("unknown {what} `{unknown}`"),
                help: Some(suggestion(unknown, &format!("{what}s"), known)),
                unknown_key: (what == "key").then(|| unknown.to_owned()),
            };
        }
    }
    if let Some((_, rest)) = message.split_once("missing field `") {
        let name = rest.split('`').next().unwrap_or_default();
        return PlainMessage { message: format!("`{name}` is missing"), ..PlainMessage::default() };
    }
    let mismatch = ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|start| message.strip_prefix(start)?.split_once(", expected "));
    if let Some((got, expected)) = mismatch {
        let message = format!("needs {}, got {}", expected_in_words(expected), given(got));
        return PlainMessage { message, ..PlainMessage::default() };
    }
    match message.split_once("; ") {
        Some((message, help)) => PlainMessage {
            message: message.into(),
            help: Some(help.into()),
            ..PlainMessage::default()
        },
        None => PlainMessage { message: message.into(), ..PlainMessage::default() },
    }
}

/// Configuration error for a message of a deserialiser at `path` (empty: the whole value).
pub fn explained(path: &str, message: &str) -> Error {
    let rewritten = plain(message.trim_start_matches(&format!("{path}: ")));
    let mut key = path.to_owned();
    if let Some(unknown) = rewritten.unknown_key
        && path.rsplit('.').next() != Some(&unknown)
    {
        key = if key.is_empty() { unknown } else { format!("{key}.{unknown}") };
    }
    Error::Config(ConfigError {
        message: rewritten.message,
        key,
        help: rewritten.help,
        place: None,
    })
}

fn expected_in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of at least 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list, as [64, 64]",
        "a string" => "text",
        "path string" => "a path",
        "field identifier" => "a word as a key",
        "a map" => "a map of keys",
        _ if expected.starts_with("struct ") => "a map of keys",
        _ if expected.starts_with("internally tagged enum ") => {
            "a name, or a map with `type: NAME`"
        }
        other => other,
    }
}

fn given(got: &str) -> String {
    match got {
        "unit value" | "Option value" => "nothing".into(),
        "sequence" => "a list".into(),
        "map" => "a map".into(),
        _ => match got.split_once(' ') {
            Some(("string", text)) => format!("`{}`", text.trim_matches('"')),
            Some(("integer" | "boolean", value)) => value.trim_matches('`').into(),
            _ => got.strip_prefix("floating point ").unwrap_or(got).trim_matches('`').into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_in_yaml() {
        for (serde, ours) in [
            (
                r#"invalid type: string "many", expected u64"#,
                "needs a whole number of at least 0, got `many`",
            ),
            (
                "invalid value: integer `-3`, expected usize",
                "needs a whole number of at least 0, got -3",
            ),
            ("invalid type: floating point `1.5`, expected i64", "needs a whole number, got 1.5"),
            ("invalid type: unit value, expected a string", "needs text, got nothing"),
            (
                "invalid type: sequence, expected struct LossConfig",
                "needs a map of keys, got a list",
            ),
            (
                "invalid type: boolean `true`, expected a sequence",
                "needs a list, as [64, 64], got true",
            ),
            ("missing field `x`", "`x` is missing"),
            ("needs care", "needs care"),
        ] {
            assert_eq!(
                plain(serde),
                PlainMessage { message: ours.into(), ..PlainMessage::default() }
            );
        }
    }

    #[test]
    fn unknown_words_answer_with_the_nearest() {
        let rewritten = plain("unknown variant `tim`, expected `time` or `gamma`");
        assert_eq!(rewritten.message, "unknown value `tim`");
        assert_eq!(
            rewritten.help.as_deref(),
            Some("did you mean `time`? known values: time, gamma")
        );
        let rewritten = plain("unknown field `a`, expected one of `b`, `c`, `d`");
        assert_eq!(rewritten.unknown_key.as_deref(), Some("a"));
        assert_eq!(rewritten.help.as_deref(), Some("known keys: b, c, d"));
        assert_eq!(plain("unknown x `a`; known: b").help.as_deref(), Some("known: b"));
    }
}
