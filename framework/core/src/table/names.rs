//! Names of categories and classes that mean the same.

use std::collections::HashMap;

/// Places of names, found also by another spelling of the same value: `true` and `false` in any
/// case, which files with types hold without words for them, and numbers by their value, as files
/// with types hold no digits. A number that begins with a zero, as `02134`, is a text.
#[derive(Clone, Debug)]
pub struct NamePlaces {
    exact: HashMap<String, usize>,
    same: HashMap<String, usize>,
}

impl NamePlaces {
    /// The places of `names`, from 0; of names that mean the same, the first.
    pub fn new<N: AsRef<str>>(names: &[N]) -> Self {
        let (mut exact, mut same) = (HashMap::new(), HashMap::new());
        for (place, name) in names.iter().map(AsRef::as_ref).enumerate() {
            exact.entry(name.to_owned()).or_insert(place);
            if let Some(value) = value(name) {
                same.entry(value).or_insert(place);
            }
        }
        Self { exact, same }
    }

    /// Place of a name; `None` if there is none.
    pub fn of(&self, name: &str) -> Option<usize> {
        self.exact.get(name).or_else(|| self.same.get(&value(name)?)).copied()
    }
}

/// The one spelling of a word or number; `None` for a text, which has no other.
fn value(name: &str) -> Option<String> {
    if ["true", "false"].iter().any(|word| word.eq_ignore_ascii_case(name)) {
        return Some(name.to_ascii_lowercase());
    }
    let digits = name.strip_prefix('-').unwrap_or(name);
    let plain = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && !matches!(digits.as_bytes(), [b'0', b'0'..=b'9', ..]);
    if !plain {
        return None;
    }
    match digits.split_once('.') {
        // Digits as they are: float64 does not tell long ones apart.
        None => Some(name.to_owned()),
        Some((whole, rest)) if !rest.contains('.') => {
            let rest = rest.trim_end_matches('0');
            let sign = &name[..name.len() - digits.len()];
            Some(if rest.is_empty() {
                format!("{sign}{whole}")
            } else {
                format!("{sign}{whole}.{rest}")
            })
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_same_value_have_the_same_place() {
        let places = NamePlaces::new(&["False", "True", "10.0", "2.50", "-3", "02134", "v1.0"]);
        for (name, place) in [
            ("true", Some(1)),
            ("FALSE", Some(0)),
            ("10", Some(2)),
            ("10.00", Some(2)),
            ("2.5", Some(3)),
            ("-3.0", Some(4)),
            ("02134", Some(5)),
            ("2134", None),
            ("v1", None),
            ("yes", None),
            ("1.0.0", None),
        ] {
            assert_eq!(places.of(name), place, "{name}");
        }
        let long = NamePlaces::new(&["9007199254740993", "9007199254740992"]);
        assert_eq!(long.of("9007199254740992"), Some(1));
    }
}
