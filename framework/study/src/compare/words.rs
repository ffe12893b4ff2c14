//! Text of findings, in which names are separate from sentences.

use std::fmt;

/// Number of names in one sentence, at most.
pub(super) const NAMES: usize = 8;

/// Text in which names are separate, as they may hold any characters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words(pub Vec<Word>);

/// A part of [`Words`]: text or a name.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// Text of this program, and numbers.
    Text(String),
    /// The name of a cell, a metric or an axis.
    Name(String),
}

impl Words {
    pub(super) fn say(mut self, text: impl Into<String>) -> Self {
        self.0.push(Word::Text(text.into()));
        self
    }

    pub(super) fn name(mut self, name: &str) -> Self {
        self.0.push(Word::Name(name.to_owned()));
        self
    }

    pub(super) fn names<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<&str> = names.into_iter().collect();
        let shown = if names.len() > NAMES { NAMES - 1 } else { names.len() };
        let left = names.len() - shown;
        for (i, name) in names[..shown].iter().enumerate() {
            self = match i {
                0 => self,
                _ if i + 1 == shown && left == 0 => self.say(" and "),
                _ => self.say(", "),
            };
            self = self.name(name);
        }
        if left > 0 { self.say(format!(" and {left} more")) } else { self }
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|word| match word {
            Word::Text(text) | Word::Name(text) => f.write_str(text),
        })
    }
}

/// Joins parts as `a, b and c`.
pub(super) fn listed(mut words: Words, parts: Vec<Words>) -> Words {
    let n = parts.len();
    for (i, part) in parts.into_iter().enumerate() {
        match i {
            0 => {}
            _ if i + 1 == n => words = words.say(" and "),
            _ => words = words.say(", "),
        }
        words.0.extend(part.0);
    }
    words
}
