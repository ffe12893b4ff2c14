//! Digests by which damage to a safetensors file is noticed. They are texts beside its arrays: one for each
//! array, of its bytes, and one for the header, which holds those and everything else that is not an array. No
//! bit of such a file is without a digest, and a text whose key is damaged leaves the others behind, which say
//! that it is missing. A file without any, as others write them, is taken as it is.
//!
//! The digest is XXH3 of 128 bits: it is made against accidents, not against forgers, and at 100 MB it takes 8 ms
//! where SHA-256 takes 190.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Key of the header's digest; those of arrays have their name behind it.
const KEY: &str = "xxh3";
/// Digits of a digest.
const DIGITS: usize = 32;

/// Digest of an array, under construction.
#[derive(Default)]
pub(super) struct Digest(Xxh3);

impl Digest {
    /// Digest of `bytes`.
    pub(super) fn of(bytes: &[u8]) -> String {
        format!("{:032x}", xxh3_128(bytes))
    }

    /// Digest of the bytes of `file` from `start` to `end`, read once in order.
    pub(super) fn of_range(file: &File, start: u64, end: u64) -> std::io::Result<String> {
        let (mut digest, mut buffer) = (Self::default(), vec![0; 1 << 20]);
        let mut at = start;
        while at < end {
            let some = &mut buffer[..(end - at).min(1 << 20) as usize];
            file.read_exact_at(some, at)?;
            digest.0.update(some);
            at += some.len() as u64;
        }
        Ok(digest.finish())
    }

    pub(super) fn finish(&self) -> String {
        format!("{:032x}", self.0.digest128())
    }
}

impl std::io::Write for Digest {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether a text beside the arrays is a digest.
pub(super) fn is_ours(key: &str) -> bool {
    key.strip_prefix(KEY).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// Key of the digest of an array.
pub(super) fn key_of(array: &str) -> String {
    format!("{KEY}:{array}")
}

/// The text that holds the place of the header's digest until [`seal`].
pub(super) fn placeholder() -> (String, String) {
    (KEY.to_owned(), "0".repeat(DIGITS))
}

/// Writes the digest of a header (everything before the first array) into its place.
pub(super) fn seal(head: &mut [u8]) {
    let digest = Digest::of(head);
    if let Some(place) = place(head) {
        head[place..place + DIGITS].copy_from_slice(digest.as_bytes());
    }
}

/// An error that says how a header is not what was written; texts without any digest are taken as they are.
/// Returns whether there are digests.
pub(super) fn check_header(head: &[u8], texts: &BTreeMap<String, String>) -> Result<bool, String> {
    if !texts.keys().any(|key| is_ours(key)) {
        return Ok(false);
    }
    let missing = || "the digest of its header is missing".to_owned();
    let place = place(head).ok_or_else(missing)?;
    let mut blank = head.to_vec();
    blank[place..place + DIGITS].fill(b'0');
    match texts.get(KEY) {
        Some(digest) if *digest == Digest::of(&blank) => Ok(true),
        Some(_) => Err("its header is not what was written".to_owned()),
        None => Err(missing()),
    }
}

/// Where in a header its digest begins. No text can hold these quotes unescaped.
fn place(head: &[u8]) -> Option<usize> {
    let before = format!("\"{KEY}\":\"");
    let at = head.windows(before.len()).position(|w| w == before.as_bytes())? + before.len();
    (at + DIGITS <= head.len()).then_some(at)
}
