//! Numbers as texts write them, with a decimal point or comma, in groups of thousands or not.

/// Notation of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notation {
    /// Decimal sign, `.` or `,`.
    pub decimal: u8,
    /// Sign between groups of three digits.
    pub group: Option<Group>,
    /// True if whole numbers may begin with a zero, as `007`.
    pub padded: bool,
}

/// Sign between groups of three digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The comma or point that is not the decimal sign.
    Other,
    /// A space, which may be a narrow one or one without a break.
    Space,
    /// An apostrophe.
    Apostrophe,
}

/// A number in a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number {
    /// The value, which may be infinite.
    pub value: f64,
    /// Digits behind the decimal sign; `None` with an exponent.
    pub decimals: Option<u8>,
}

/// 10⁰ to 10²², which float64 holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

impl Notation {
    /// Decimal points, no groups.
    pub const PLAIN: Self = Self { decimal: b'.', group: None, padded: false };

    /// All notations, the most likely first; `decimal` is the sign where it is known, and
    /// `separator` stands between cells.
    pub(super) fn all(decimal: Option<u8>, separator: u8) -> Vec<Self> {
        let signs: &[u8] = match (decimal, separator) {
            (Some(b','), _) => b",",
            (Some(_), _) | (None, b',') => b".",
            (None, _) => b".,",
        };
        let groups = [None, Some(Group::Other), Some(Group::Space), Some(Group::Apostrophe)];
        let of = |group| signs.iter().map(move |sign| (*sign, group));
        groups
            .into_iter()
            .flat_map(of)
            .map(|(decimal, group)| Self { decimal, group, padded: false })
            .collect()
    }

    /// The number in a cell; `None` if it is none in this notation.
    #[inline]
    pub(super) fn read(self, cell: &[u8]) -> Option<Number> {
        match self.group {
            None => self.plain(cell),
            Some(group) => self.grouped(cell, group),
        }
    }

    #[inline]
    fn plain(self, cell: &[u8]) -> Option<Number> {
        let (negative, digits) = match cell {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, cell),
        };
        let mut mantissa = 0_u64;
        let mut run = |bytes: &[u8]| {
            let mut count = 0;
            while let Some(digit @ b'0'..=b'9') = bytes.get(count) {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
                count += 1;
            }
            count
        };
        let whole = run(digits);
        let behind = match &digits[whole..] {
            [] => 0,
            [sign, rest @ ..] if *sign == self.decimal => {
                let behind = run(rest);
                if behind < rest.len() {
                    return self.general(cell);
                }
                behind
            }
            _ => return self.general(cell),
        };
        let count = whole + behind;
        if count == 0 || !self.padded && whole > 1 && digits[0] == b'0' {
            return None;
        }
        // At most 2⁵³: the quotient of two exact numbers is rounded once.
        if count > 19 || mantissa > 1 << 53 || behind >= POWERS.len() {
            return self.general(cell);
        }
        let value = mantissa as f64 / POWERS[behind];
        let decimals = u8::try_from(behind).ok();
        Some(Number { value: if negative { -value } else { value }, decimals })
    }

    /// A number with an exponent or many digits, or an infinite one.
    #[cold]
    fn general(self, cell: &[u8]) -> Option<Number> {
        let text = std::str::from_utf8(cell).ok()?;
        let pointed: String;
        let text = match self.decimal {
            b',' if text.contains('.') => return None,
            b',' => {
                pointed = text.replacen(',', ".", 1);
                &pointed
            }
            _ => text,
        };
        let unsigned = text.trim_start_matches(['-', '+']);
        let whole = unsigned.split(['.', 'e', 'E']).next().unwrap_or_default();
        if !self.padded && whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        let value: f64 = text.parse().ok().filter(|value: &f64| !value.is_nan())?;
        let plain = unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let behind = unsigned.split_once('.').map_or(0, |(_, behind)| behind.len());
        Some(Number { value, decimals: u8::try_from(behind).ok().filter(|_| plain) })
    }

    /// A number in groups of three digits, of which the first may be shorter.
    fn grouped(self, cell: &[u8], group: Group) -> Option<Number> {
        let text = std::str::from_utf8(cell).ok()?;
        let decimal = char::from(self.decimal);
        let is_group = |c: char| match group {
            Group::Other => c == if decimal == '.' { ',' } else { '.' },
            Group::Space => matches!(c, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}'),
            Group::Apostrophe => matches!(c, '\'' | '\u{2019}'),
        };
        let (whole, behind) = text.split_once(decimal).unwrap_or((text, ""));
        let digits = whole.trim_start_matches(['-', '+']);
        let mut groups = digits.split(is_group);
        let first = groups.next()?;
        let mut further = 0;
        for three in groups {
            if three.len() != 3 {
                return None;
            }
            further += 1;
        }
        let padded = first.starts_with('0') && (first.len() > 1 || further > 0);
        if further > 0 && !(1..=3).contains(&first.len()) || padded {
            return None;
        }
        let mut plain: String = whole.chars().filter(|c| !is_group(*c)).collect();
        if !behind.is_empty() {
            plain.push(decimal);
            plain.push_str(behind);
        }
        Self { group: None, ..self }.plain(plain.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(cell: &str, notation: Notation) -> Option<(f64, Option<u8>)> {
        notation.read(cell.as_bytes()).map(|number| (number.value, number.decimals))
    }

    #[test]
    fn numbers_have_the_sign_and_the_groups_of_their_notation() {
        let of = |decimal, group| Notation { decimal, group, padded: false };
        let point = of(b'.', None);
        let comma = of(b',', None);
        let english = of(b'.', Some(Group::Other));
        let german = of(b',', Some(Group::Other));
        let french = of(b',', Some(Group::Space));
        let swiss = of(b'.', Some(Group::Apostrophe));
        for (cell, notation, expected) in [
            ("1.5", point, Some((1.5, Some(1)))),
            ("-12", point, Some((-12.0, Some(0)))),
            ("+.50", point, Some((0.5, Some(2)))),
            ("5.", point, Some((5.0, Some(0)))),
            ("2e3", point, Some((2000.0, None))),
            ("-inf", point, Some((f64::NEG_INFINITY, None))),
            ("1,5", point, None),
            ("", point, None),
            ("-", point, None),
            (".", point, None),
            ("1.2.3", point, None),
            ("1-2", point, None),
            ("007", point, None),
            ("0.07", point, Some((0.07, Some(2)))),
            ("nan", point, None),
            ("-1,5", comma, Some((-1.5, Some(1)))),
            ("1,5e-1", comma, Some((0.15, None))),
            ("1.5", comma, None),
            ("1,2,3", comma, None),
            ("1,234.5", english, Some((1234.5, Some(1)))),
            ("-1,234,567", english, Some((-1_234_567.0, Some(0)))),
            ("12,34", english, None),
            ("0,476", english, None),
            ("1234,567", english, None),
            ("1.234,5", german, Some((1234.5, Some(1)))),
            ("1.234", german, Some((1234.0, Some(0)))),
            ("1 234,5", french, Some((1234.5, Some(1)))),
            ("1\u{202f}234\u{a0}567", french, Some((1_234_567.0, Some(0)))),
            ("12 3", french, None),
            ("1'234.50", swiss, Some((1234.5, Some(2)))),
        ] {
            assert_eq!(value(cell, notation), expected, "{cell} {notation:?}");
        }
        let padded = Notation { padded: true, ..point };
        assert_eq!(value("007", padded), Some((7.0, Some(0))));
    }

    #[test]
    fn every_number_is_the_nearest_to_its_text() {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 11
        };
        for _ in 0..20_000 {
            let digits = next() % 10_u64.pow((1 + next() % 17) as u32);
            let behind = (next() % 18) as usize;
            let text = format!("{digits:0width$}", width = behind + 1);
            let (whole, fraction) = text.split_at(text.len() - behind);
            let text = if behind == 0 { text } else { format!("{whole}.{fraction}") };
            let exact: f64 = text.parse().unwrap();
            let read = value(&text, Notation::PLAIN).unwrap();
            assert_eq!((read.0.to_bits(), read.1), (exact.to_bits(), Some(behind as u8)), "{text}");
        }
    }
}
