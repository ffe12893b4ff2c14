//! Parts that several targets use.

use std::sync::OnceLock;
use triflow::config::{Layers, parse_value};

/// The default layers.
pub fn defaults() -> Layers {
    static DEFAULTS: OnceLock<Layers> = OnceLock::new();
    DEFAULTS
        .get_or_init(|| {
            triflow_plugins::link();
            Layers::new().expect("the defaults are sound")
        })
        .clone()
}

/// True if a text names libraries, whose code would run: none is loaded here.
pub fn names_plugins(text: &str) -> bool {
    text.contains("plugins") || parse_value(text).is_ok_and(|value| value.get("plugins").is_some())
}

/// Files in one input: each begins with a line `=== name`. Only names among `known` count.
pub fn files<'a>(data: &'a [u8], known: &[&'static str]) -> Vec<(&'static str, &'a [u8])> {
    const MARK: &[u8] = b"=== ";
    let mut found = Vec::new();
    let mut rest = data;
    while let Some(body) = rest.strip_prefix(MARK) {
        let end = body.iter().position(|byte| *byte == b'\n').unwrap_or(body.len());
        let name = &body[..end];
        let body = body.get(end + 1..).unwrap_or_default();
        let next = body.windows(MARK.len() + 1).position(|w| w[0] == b'\n' && w[1..] == *MARK);
        let (content, after) = body.split_at(next.map_or(body.len(), |at| at + 1));
        if let Some(name) = known.iter().find(|known| known.as_bytes() == name) {
            found.push((*name, content));
        }
        rest = after;
    }
    found
}
