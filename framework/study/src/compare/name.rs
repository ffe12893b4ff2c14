//! Names of a comparison's folders and files, which depend on the experiments alone.

use crate::error::{Error, Result};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;

/// The SHA-256 of a value's YAML, in hexadecimal.
pub(super) fn digest(value: &impl Serialize) -> Result<String> {
    let text = serde_yaml::to_string(value).map_err(|e| Error::runtime(e.to_string()))?;
    Ok(hex(&Sha256::digest(text.as_bytes())))
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Unique short forms of digests.
#[derive(Debug, Default)]
pub(super) struct Digests(HashMap<String, String>);

impl Digests {
    /// The first eight digits, or more if another digest begins with the same ones.
    pub fn short(&mut self, digest: &str) -> String {
        let lengths = [8, 16, 32].into_iter().filter(|n| *n < digest.len());
        for n in lengths {
            let owner = self.0.entry(digest[..n].to_owned()).or_insert_with(|| digest.to_owned());
            if owner == digest {
                return digest[..n].to_owned();
            }
        }
        digest.to_owned()
    }
}

/// Text as part of a path that is safe on every file system and command line: at most 61 letters,
/// digits and `_.+-`, beginning with neither a dot nor a dash.
pub(super) fn slug(text: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+');
    let text = text.trim_start_matches(|c| !keep(c) && c != '-');
    let slug: String = text.chars().map(|c| if keep(c) { c } else { '-' }).take(60).collect();
    match slug.chars().next() {
        None => "model".to_owned(),
        // The sign of -1 must stay in the name.
        Some('-' | '.') => format!("_{slug}"),
        Some(_) => slug,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_in_paths_and_on_command_lines_and_keeps_its_sign() {
        for (text, name) in [
            ("flow_matching_cosine", "flow_matching_cosine"),
            ("[8,8]", "8-8-"),
            ("-1", "_-1"),
            ("1e+30", "1e+30"),
            ("1e-30", "1e-30"),
            ("<x>", "x-"),
            ("../..", "_..-.."),
            ("a b/c", "a-b-c"),
            ("", "model"),
            ("日本", "model"),
        ] {
            assert_eq!(slug(text), name, "{text}");
        }
        assert_eq!(slug(&"x".repeat(300)).len(), 60);
    }

    #[test]
    fn digests_that_begin_alike_are_told_apart() {
        let mut digests = Digests::default();
        let (a, b) = ("0123456789abcdef".repeat(4), format!("01234567{}", "0".repeat(56)));
        assert_eq!(digests.short(&a), "01234567");
        assert_eq!(digests.short(&b), "0123456700000000");
        assert_eq!(digests.short(&a), "01234567");
        assert_eq!(digests.short(&b), "0123456700000000");
    }
}
