//! Sealed files of a comparison: JSON that begins with the SHA-256 of the rest and names the
//! version that wrote it, so that a damaged file is never accepted.

use super::name::hex;
use crate::error::{Error, Result, reason};
use crate::io::write_atomically;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::path::Path;

/// The start of a sealed file, which the digest and [`CLOSE`] follow.
const OPEN: &str = "{\"sha256\":\"";
const CLOSE: &str = "\",";
const DIGITS: usize = 64;
/// The key of the version that wrote the file.
const VERSION: &str = "triflow";

/// State and content of a sealed file.
#[derive(Debug, PartialEq)]
pub(super) enum Sealed<T> {
    Missing,
    /// The content, and the version that wrote it; `None` for a file that does not say.
    Whole(T, Option<String>),
    /// The reason why the file cannot be used.
    Damaged(String),
}

impl<T> Sealed<T> {
    /// Counts as damaged if another version wrote it without the content that `lacks` names.
    pub fn of_another_version_if(self, lacks: impl Fn(&T) -> Option<String>) -> Self {
        let Sealed::Whole(value, version) = self else { return self };
        if version.as_deref() == Some(env!("CARGO_PKG_VERSION")) {
            return Sealed::Whole(value, version);
        }
        match lacks(&value) {
            None => Sealed::Whole(value, version),
            Some(what) => {
                let version =
                    version.map_or("an earlier triflow".into(), |v| format!("triflow {v}"));
                Sealed::Damaged(format!("was written by {version} and holds no {what}"))
            }
        }
    }

    pub fn whole(self) -> Option<T> {
        match self {
            Sealed::Whole(value, _) => Some(value),
            _ => None,
        }
    }
}

/// Writes a map with its seal.
pub(super) fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let bad = |e: serde_json::Error| Error::runtime(format!("{}: {e}", path.display()));
    let text = serde_json::to_string(value).map_err(bad)?;
    let version = env!("CARGO_PKG_VERSION");
    let body = format!("\"{VERSION}\":\"{version}\",{}", text.strip_prefix('{').unwrap_or(&text));
    let seal = hex(&Sha256::digest(body.as_bytes()));
    write_atomically(path, |file| writeln!(file, "{OPEN}{seal}{CLOSE}{body}"))
}

/// Reads a file that [`write`] wrote, or an older one without a seal.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Sealed<T> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Sealed::Missing,
        Err(e) => return Sealed::Damaged(format!("cannot be read: {}", reason(&e))),
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return Sealed::Damaged("is damaged: it is not text".to_owned());
    };
    let sealed = parts(&text);
    if let Some((seal, body)) = sealed
        && hex(&Sha256::digest(body.as_bytes())) != seal
    {
        return Sealed::Damaged(
            "is damaged: its SHA-256 is not the one it was written with".into(),
        );
    }
    let value = match serde_json::from_str::<Value>(&text) {
        Ok(value) => value,
        Err(e) => return Sealed::Damaged(format!("is damaged: {e}")),
    };
    let version = value.get(VERSION).and_then(Value::as_str).map(str::to_owned);
    if sealed.is_none() && version.is_some() {
        return Sealed::Damaged("is damaged: the SHA-256 that it began with is gone".into());
    }
    match serde_json::from_value(value) {
        Ok(value) => Sealed::Whole(value, version),
        Err(e) => Sealed::Damaged(match version {
            Some(version) if version != env!("CARGO_PKG_VERSION") => {
                format!("was written by triflow {version}, which this one does not understand: {e}")
            }
            _ => format!("is not what a comparison writes: {e}"),
        }),
    }
}

/// The seal of a file, and the text that it is the digest of.
fn parts(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix(OPEN)?;
    let (seal, rest) = rest.split_at_checked(DIGITS)?;
    Some((seal, rest.strip_prefix(CLOSE)?.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Kept {
        value: f64,
        name: String,
    }

    fn kept() -> Kept {
        Kept { value: 0.1 + 0.2, name: "\"<é>".into() }
    }

    #[test]
    fn no_bit_of_a_sealed_file_flips_unseen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.json");
        write(&path, &kept()).unwrap();
        let version = Some(env!("CARGO_PKG_VERSION").to_owned());
        assert_eq!(read(&path), Sealed::Whole(kept(), version));
        let whole = std::fs::read(&path).unwrap();
        let _: Value = serde_json::from_slice(&whole).unwrap();
        for bit in 0..(whole.len() - 1) * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bytes).unwrap();
            let found = read::<Kept>(&path);
            assert!(matches!(found, Sealed::Damaged(_)), "bit {bit}: {found:?}");
        }
        for length in 0..whole.len() - 1 {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(matches!(read::<Kept>(&path), Sealed::Damaged(_)), "{length} bytes");
        }
    }

    #[test]
    fn files_from_before_seals_are_read_and_those_of_another_shape_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.json");
        assert_eq!(read::<Kept>(&path), Sealed::Missing);
        std::fs::write(&path, serde_json::to_string(&kept()).unwrap()).unwrap();
        assert_eq!(read(&path), Sealed::Whole(kept(), None));
        std::fs::write(&path, "{\"value\": 1.0}").unwrap();
        let Sealed::Damaged(why) = read::<Kept>(&path) else { panic!() };
        assert_eq!(why, "is not what a comparison writes: missing field `name`");
    }
}
