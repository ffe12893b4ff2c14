//! Description of a plugin, read from its file without running any of its code.

use crate::error::{Error, Result};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// Symbol of the description.
const SYMBOL: &str = "TRIFLOW_PLUGIN_ABOUT";

/// First line of the description.
const BEGINNING: &str = "triflow plugin\n";

/// Length of the concatenated `parts`, in bytes.
#[doc(hidden)]
pub const fn joined_len(parts: &[&str]) -> usize {
    let (mut len, mut part) = (0, 0);
    while part < parts.len() {
        len += parts[part].len();
        part += 1;
    }
    len
}

/// Concatenates `parts` at compile time: one text without pointers, which can be read from the
/// file.
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

/// Description of a plugin, from its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Name of the crate.
    pub name: String,
    /// Version of the crate.
    pub version: String,
    /// [Fingerprint](super::FINGERPRINT) of the plugin's copy of the framework.
    pub fingerprint: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

impl About {
    /// Reads the description in the file `path`; `None` for a shared library that is no triflow
    /// plugin.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be read; [`Error::Config`] where it is no shared
    /// library.
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
        // The test program is position-independent, laid out like a library, but has no
        // description.
        assert_eq!(About::read(&std::env::current_exe().unwrap()).unwrap(), None);
    }
}
