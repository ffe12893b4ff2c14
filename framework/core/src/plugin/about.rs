//! What a library says of itself, read from its file: nothing of the library runs.

use crate::error::{Error, Result};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// The symbol of the text.
const SYMBOL: &str = "TRIFLOW_PLUGIN_ABOUT";

/// How the text begins.
const BEGINNING: &str = "triflow plugin\n";

/// Length of `parts` one behind the other.
#[doc(hidden)]
pub const fn joined_len(parts: &[&str]) -> usize {
    let (mut len, mut part) = (0, 0);
    while part < parts.len() {
        len += parts[part].len();
        part += 1;
    }
    len
}

/// `parts` one behind the other, as a constant: one text without pointers, to be read from a file.
#[doc(hidden)]
pub const fn joined<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut all = [0; N];
    let (mut at, mut part) = (0, 0);
    while part < parts.len() {
        let bytes = parts[part].as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            all[at] = bytes[i];
            at += 1;
            i += 1;
        }
        part += 1;
    }
    all
}

/// What a plugin's file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The crate's name.
    pub name: String,
    /// The crate's version.
    pub version: String,
    /// The [fingerprint](super::FINGERPRINT) of its copy of the framework.
    pub fingerprint: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

impl About {
    /// Reads `path`; `None` for a shared library that is no plugin of triflow. What is no shared library
    /// at all is an error.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let not_shared = |why: String| {
            Error::config("", format!("{} is no shared library: {why}", path.display())).help(
                "a plugin is what `cargo build --release` in its crate leaves in `target/release`",
            )
        };
        let file = object::File::parse(&*bytes).map_err(|e| {
            let why = if bytes.is_empty() { "it is empty".into() } else { e.to_string() };
            not_shared(why.to_lowercase())
        })?;
        if file.kind() != object::ObjectKind::Dynamic {
            return Err(not_shared("it is a program or an object file".into()));
        }
        let Some(text) = text_of(&file) else { return Ok(None) };
        let Some(rest) = text.strip_prefix(BEGINNING) else { return Ok(None) };
        let mut lines = rest.splitn(3, '\n');
        let mut value = |key: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(key));
            line.unwrap_or("unknown").to_owned()
        };
        let (name, version) = (value("name: "), value("version: "));
        let fingerprint = lines.next().unwrap_or_default().to_owned();
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Some(Self { name, version, fingerprint, sha256 }))
    }
}

fn text_of(file: &object::File<'_>) -> Option<String> {
    let named = |name: &[u8]| name.strip_prefix(b"_").unwrap_or(name) == SYMBOL.as_bytes();
    let symbol = file.dynamic_symbols().find(|s| s.name_bytes().is_ok_and(named))?;
    let section = file.section_by_index(symbol.section_index()?).ok()?;
    let bytes = section.data_range(symbol.address(), symbol.size()).ok()??;
    String::from_utf8(bytes.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_joined_at_compile_time() {
        const PARTS: &[&str] = &["a", "", "bc\n"];
        const ALL: [u8; joined_len(PARTS)] = joined(PARTS);
        assert_eq!(&ALL, b"abc\n");
    }

    #[test]
    fn a_file_that_is_no_shared_library_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let said = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            About::read(&path).unwrap_err().to_string()
        };
        for (name, bytes) in
            [("empty.so", &b""[..]), ("text.so", b"not a library"), ("short.so", b"\x7fELF")]
        {
            let message = said(name, bytes);
            assert!(message.contains(&format!("{name} is no shared library: ")), "{message}");
            assert!(message.contains("cargo build --release"), "{message}");
        }
        // A position-independent program is laid out as a library, but exports no text.
        assert_eq!(About::read(&std::env::current_exe().unwrap()).unwrap(), None);
    }
}
