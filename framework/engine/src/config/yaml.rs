//! Parsing of YAML within limits, so that no text exhausts the stack or the memory.

use crate::error::{ConfigError, Error, Result};
use saphyr::{LoadableYamlNode as _, MarkedYaml, YamlData};
use saphyr_parser::{Event, Parser};
use serde_yaml::{Mapping, Value};
use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;

/// Largest depth of nested maps and lists.
pub(super) const MAX_DEPTH: usize = 64;
/// Largest number of values; those behind an alias count each time.
const MAX_VALUES: usize = 100_000;
/// Largest size of an experiment file in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// Reads an experiment file's text. The outer error is the system's, the inner one about its size.
pub(super) fn read_file(path: &Path) -> std::io::Result<Result<String>> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        let message = format!("an experiment file has at most {MAX_BYTES} bytes");
        return Ok(Err(Error::config("", message).placed(&path.display().to_string())));
    }
    Ok(Ok(text))
}

/// Parses one YAML value, such as `[64, 64]`.
///
/// # Errors
/// [`Error::Config`]: the text is not YAML, nests maps and lists more than 64 deep, or has more
/// than 100,000 values.
pub fn parse_value(text: &str) -> Result<Value> {
    check_limits(text).map_err(|(message, _)| Error::config("", message))?;
    serde_yaml::from_str(text)
        .map_err(|e| Error::config("", format!("`{}` is not YAML: {e}", shortened(text))))
}

/// Parses the JSON in which a file of parameters holds its experiment. It is no YAML where a name
/// is longer than the 1,024 characters of a key.
///
/// # Errors
/// Those of [`parse_value`], by which all else is read.
pub fn parse_saved(text: &str) -> Result<Value> {
    serde_json::from_str(text).or_else(|_| parse_value(text))
}

/// Parses a layer, which is a map; `place` names it in messages.
pub(super) fn parse_map(text: &str, place: &str) -> Result<Value> {
    let wrong = |message: String, line: Option<usize>| {
        let place = line.map_or_else(|| place.to_owned(), |line| format!("{place}:{line}"));
        Error::Config(ConfigError { message, place: Some(place), ..ConfigError::default() })
    };
    check_limits(text).map_err(|(message, line)| wrong(message, Some(line)))?;
    let value: Value =
        serde_yaml::from_str(text).map_err(|e| wrong(format!("not YAML: {e}"), None))?;
    match value {
        Value::Null => Ok(Value::Mapping(Mapping::new())),
        Value::Mapping(_) => Ok(value),
        _ => Err(wrong("an experiment is a map of keys".to_owned(), None)),
    }
}

/// Number, from 1, of the line with a dotted key, or with the last of its parts that the text has.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    let documents = MarkedYaml::load_from_str(text).ok()?;
    let (mut node, mut line) = (documents.first()?, None);
    for part in key.split(['.', '[']) {
        let YamlData::Mapping(map) = &node.data else { break };
        let Some((name, value)) = map.iter().find(|(name, _)| name.data.as_str() == Some(part))
        else {
            break;
        };
        line = Some(name.span.start.line());
        node = value;
    }
    line
}

/// The text, cut to 60 characters and an ellipsis if it is longer.
pub(super) fn shortened(text: &str) -> String {
    const LENGTH: usize = 60;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Size of a value with its aliases expanded.
#[derive(Clone, Copy, Default)]
struct Extent {
    values: usize,
    /// Depth of nested maps and lists.
    depth: usize,
}

/// A map or list whose end is not reached yet.
struct OpenCollection {
    anchor: usize,
    extent: Extent,
}

/// Checks that a text stays within the limits; the error is a message and a line. Other errors in a
/// short text are left to the parser, whose messages are better.
fn check_limits(text: &str) -> std::result::Result<(), (String, usize)> {
    // A long text that is not YAML must not reach the parser: its time grows with the square of the
    // depth.
    const SHORT: usize = 10_000;
    let too_deep = |line| (format!("maps and lists are nested at most {MAX_DEPTH} deep"), line);
    let mut anchors: HashMap<usize, Extent> = HashMap::new();
    let mut open: Vec<OpenCollection> = Vec::new();
    let mut total = 0usize;
    for event in Parser::new_from_str(text) {
        let (event, line) = match event {
            Ok((event, span)) => (event, span.start.line()),
            Err(e) if e.info().contains("recursion limit") => {
                return Err(too_deep(e.marker().line()));
            }
            Err(_) if text.len() <= SHORT => break,
            Err(e) => return Err((format!("not YAML: {}", e.info()), e.marker().line())),
        };
        let done = match event {
            Event::MappingStart(anchor, _) | Event::SequenceStart(anchor, _) => {
                open.push(OpenCollection { anchor, extent: Extent { values: 1, depth: 1 } });
                total += 1;
                None
            }
            Event::MappingEnd | Event::SequenceEnd => open.pop().map(|o| (o.anchor, o.extent)),
            Event::Scalar(_, _, anchor, _) => {
                total += 1;
                Some((anchor, Extent { values: 1, depth: 0 }))
            }
            Event::Alias(anchor) => {
                let extent = anchors.get(&anchor).copied().unwrap_or_default();
                total = total.saturating_add(extent.values);
                Some((0, extent))
            }
            _ => None,
        };
        let mut depth = open.len();
        if let Some((anchor, extent)) = done {
            depth += extent.depth;
            if let Some(outer) = open.last_mut() {
                outer.extent.values = outer.extent.values.saturating_add(extent.values);
                outer.extent.depth = outer.extent.depth.max(1 + extent.depth);
            }
            if anchor > 0 {
                anchors.insert(anchor, extent);
            }
        }
        if depth > MAX_DEPTH {
            return Err(too_deep(line));
        }
        if total > MAX_VALUES {
            let message =
                format!("an experiment has at most {MAX_VALUES} values, with aliases expanded");
            return Err((message, line));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse_map(text, "e.yaml").map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_nested_too_deep_is_refused_whatever_it_is_nested_by() {
        const DEEP: &str = "maps and lists are nested at most 64 deep\n  in e.yaml";
        let within = |n: usize| format!("a: {}1{}", "[".repeat(n), "]".repeat(n));
        assert!(parse_map(&within(MAX_DEPTH - 1), "e.yaml").is_ok());
        assert_eq!(message(&within(MAX_DEPTH)), format!("{DEEP}:1"));
        assert_eq!(message(&within(100_000)), format!("{DEEP}:1"));
        assert_eq!(message(&"[".repeat(100_000)), format!("{DEEP}:1"));
        let maps: String = (0..2000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
        assert_eq!(message(&maps), format!("{DEEP}:65"));
        let lists = format!("a: {}1", "- ".repeat(2000));
        assert!(message(&lists).contains("e.yaml"));
        let aliases: String = (1..2000).map(|i| format!("a{i}: &a{i} [*a{}]\n", i - 1)).collect();
        assert_eq!(message(&format!("a0: &a0 1\n{aliases}")), format!("{DEEP}:65"));
        assert_eq!(
            parse_value(&"[".repeat(100_000)).unwrap_err().to_string(),
            "maps and lists are nested at most 64 deep"
        );
    }

    #[test]
    fn aliases_count_as_what_they_stand_for() {
        let mut text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
        for i in 1..30 {
            let all = vec![format!("*a{}", i - 1); 10].join(", ");
            text += &format!("a{i}: &a{i} [{all}]\n");
        }
        assert_eq!(
            message(&text),
            "an experiment has at most 100000 values, with aliases expanded\n  in e.yaml:5"
        );
        let twice = parse_map("a: &a { b: [1, 2] }\nc: *a\n", "e.yaml").unwrap();
        assert_eq!(twice["c"], twice["a"]);
    }

    #[test]
    fn a_long_file_is_refused_before_it_is_read_to_its_end() {
        let message = read_file(Path::new("/dev/zero")).unwrap().unwrap_err().to_string();
        assert_eq!(message, "an experiment file has at most 4194304 bytes\n  in /dev/zero");
    }
}
