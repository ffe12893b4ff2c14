//! Distinct texts of a column, each with a code.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Distinct texts, in the order of occurrence.
#[derive(Debug, Default)]
pub(super) struct Words {
    codes: HashMap<Box<[u8]>, u32, BuildHasherDefault<Mixer>>,
}

impl Words {
    /// Code of a text, which is added if it is new.
    #[inline]
    pub fn code(&mut self, text: &[u8]) -> u32 {
        if let Some(code) = self.codes.get(text) {
            return *code;
        }
        let code = self.codes.len() as u32;
        self.codes.insert(text.into(), code);
        code
    }

    /// Number of distinct texts.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// The texts by code.
    pub fn into_texts(self) -> Vec<String> {
        let mut texts = vec![String::new(); self.codes.len()];
        for (text, code) in self.codes {
            texts[code as usize] = String::from_utf8_lossy(&text).into_owned();
        }
        texts
    }
}

/// Added to what is hashed, so that zeros are not a fixed point.
const SEED: u64 = 0xd1b5_4a32_d192_ed03;

/// Hash of short texts, eight bytes at a time. A table that makes them collide is only slower to
/// read.
#[derive(Debug, Default)]
struct Mixer(u64);

impl Mixer {
    #[inline]
    fn add(&mut self, part: u64) {
        let product = u128::from(self.0 ^ part ^ SEED) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

impl Hasher for Mixer {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (parts, rest) = bytes.as_chunks::<8>();
        for part in parts {
            self.add(u64::from_le_bytes(*part));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.add(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }

    #[inline]
    fn write_usize(&mut self, length: usize) {
        self.0 ^= length as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
