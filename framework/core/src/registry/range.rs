use std::fmt;

/// An interval of numbers whose ends are open, closed or infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Range {
    pub(super) low: Option<End>,
    pub(super) high: Option<End>,
}

/// A finite end of a [`Range`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct End {
    pub at: f64,
    pub open: bool,
}

impl Range {
    /// All finite numbers.
    pub const ALL: Self = Self { low: None, high: None };

    /// The numbers of it that are at least `at`.
    #[must_use]
    pub const fn min(self, at: f64) -> Self {
        Self { low: Some(End { at, open: false }), ..self }
    }

    /// The numbers of it above `at`.
    #[must_use]
    pub const fn above(self, at: f64) -> Self {
        Self { low: Some(End { at, open: true }), ..self }
    }

    /// The numbers of it that are at most `at`.
    #[must_use]
    pub const fn max(self, at: f64) -> Self {
        Self { high: Some(End { at, open: false }), ..self }
    }

    /// The numbers of it below `at`.
    #[must_use]
    pub const fn below(self, at: f64) -> Self {
        Self { high: Some(End { at, open: true }), ..self }
    }

    /// True if `n` is a finite number in it.
    pub fn contains(self, n: f64) -> bool {
        n.is_finite() && !self.is_below(n) && !self.is_above(n)
    }

    fn is_below(self, n: f64) -> bool {
        self.low.is_some_and(|end| n < end.at || end.open && n == end.at)
    }

    fn is_above(self, n: f64) -> bool {
        self.high.is_some_and(|end| n > end.at || end.open && n == end.at)
    }

    /// The requirement that the number `n`, called `name`, does not meet, as in "needs …"; `whole`
    /// for whole numbers, of which only the end that was passed is named.
    pub(super) fn requirement(self, name: &str, n: f64, whole: bool) -> String {
        let number = if whole { "" } else { "a number " };
        let of = if whole { "" } else { "of " };
        let low = |end: End| match end.open {
            true => format!("{number}above {}", shown(end.at)),
            false => format!("{number}{of}at least {}", shown(end.at)),
        };
        let high = |end: End| match end.open {
            true => format!("{number}below {}", shown(end.at)),
            false => format!("{number}{of}at most {}", shown(end.at)),
        };
        match (self.low, self.high) {
            (Some(end), Some(_)) if whole && self.is_below(n) => low(end),
            (Some(_), Some(end)) if whole => high(end),
            (Some(from), Some(to)) => {
                let sign = |end: End| if end.open { "<" } else { "<=" };
                let (from, before, after, to) =
                    (shown(from.at), sign(from), sign(to), shown(to.at));
                format!("{from} {before} {name} {after} {to}")
            }
            (Some(end), None) => low(end),
            (None, Some(end)) => high(end),
            (None, None) => "a finite number".to_owned(),
        }
    }
}

/// Interval notation, such as `[0, 1)`, or `> 0` for one with a single end; empty for all numbers.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.low, self.high) {
            (Some(low), Some(high)) => {
                let (left, right) =
                    (if low.open { '(' } else { '[' }, if high.open { ')' } else { ']' });
                write!(f, "{left}{}, {}{right}", shown(low.at), shown(high.at))
            }
            (Some(End { at, open }), None) => {
                write!(f, "{} {}", if open { ">" } else { ">=" }, shown(at))
            }
            (None, Some(End { at, open })) => {
                write!(f, "{} {}", if open { "<" } else { "<=" }, shown(at))
            }
            (None, None) => Ok(()),
        }
    }
}

/// A number as messages show it: `3` for 3.0, `1e300` instead of 301 digits.
pub(super) fn shown(n: f64) -> String {
    match n.abs() {
        size if size.is_nan() => ".nan".to_owned(),
        size if size.is_infinite() => if n > 0.0 { ".inf" } else { "-.inf" }.to_owned(),
        size if size != 0.0 && !(1e-5..1e16).contains(&size) => format!("{n:e}"),
        _ => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_belongs_to_a_range_unless_it_is_open() {
        let all = [Range::ALL.min(0.0).below(1.0), Range::ALL.above(0.0).max(1.0)];
        assert_eq!(
            all.map(|r| [0.0, 0.5, 1.0].map(|n| r.contains(n))),
            [[true, true, false], [false, true, true]]
        );
        for n in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(!Range::ALL.contains(n) && !Range::ALL.min(-1.0).contains(n));
        }
    }

    #[test]
    fn a_range_is_told_in_words_and_in_signs() {
        let r = Range::ALL;
        for (range, n, whole, words, signs) in [
            (r.min(0.0).below(1.0), 1.5, false, "0 <= rate < 1", "[0, 1)"),
            (r.above(0.0).max(0.5), 0.0, false, "0 < rate <= 0.5", "(0, 0.5]"),
            (r.above(0.0), 0.0, false, "a number above 0", "> 0"),
            (r.min(0.0), -1.0, false, "a number of at least 0", ">= 0"),
            (r.below(2.0), 2.0, false, "a number below 2", "< 2"),
            (r.max(2.0), 3.0, false, "a number of at most 2", "<= 2"),
            (r.min(1.0).max(9.0), 0.0, true, "at least 1", "[1, 9]"),
            (r.min(1.0).max(9.0), 10.0, true, "at most 9", "[1, 9]"),
            (r.max(1e300), f64::NAN, false, "a number of at most 1e300", "<= 1e300"),
            (r, f64::NAN, false, "a finite number", ""),
        ] {
            assert_eq!(range.requirement("rate", n, whole), words);
            assert_eq!(range.to_string(), signs);
        }
    }
}
