//! The style of all pictures: colours that colour-blind readers can tell apart (Okabe and Ito's,
//! with four more), sizes of text, and the formats of numbers and names.

/// A colour with opacity, components in 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Color {
    pub rgb: [f32; 3],
    pub alpha: f32,
}

impl Color {
    pub const fn new(r: u8, g: u8, b: u8) -> Self {
        Color { rgb: [r as f32 / 255.0, g as f32 / 255.0, b as f32 / 255.0], alpha: 1.0 }
    }

    /// This colour, `by` times as opaque.
    pub fn fade(self, by: f64) -> Self {
        Color { alpha: self.alpha * by as f32, ..self }
    }

    /// The colour `share` of the way to `other`.
    pub fn mix(self, other: Color, share: f64) -> Self {
        let s = share.clamp(0.0, 1.0) as f32;
        let mut rgb = self.rgb;
        for (a, b) in rgb.iter_mut().zip(other.rgb) {
            *a += (b - *a) * s;
        }
        Color { rgb, alpha: self.alpha }
    }

    /// `true` if white text is more readable on it than black.
    pub fn is_dark(self) -> bool {
        0.299 * self.rgb[0] + 0.587 * self.rgb[1] + 0.114 * self.rgb[2] < 0.58
    }
}

pub(super) const PAPER: Color = Color::new(255, 255, 255);
pub(super) const INK: Color = Color::new(31, 36, 43);
pub(super) const SOFT_INK: Color = Color::new(92, 100, 110);
pub(super) const FRAME: Color = Color::new(173, 180, 189);
pub(super) const GRID: Color = Color::new(235, 238, 241);
pub(super) const BLUE: Color = Color::new(0, 114, 178);
pub(super) const VERMILION: Color = Color::new(213, 94, 0);
pub(super) const GREEN: Color = Color::new(0, 158, 115);
pub(super) const GREY: Color = Color::new(107, 114, 124);
/// The background of trajectories: real data.
pub(super) const PALE: Color = Color::new(196, 202, 209);

const CATEGORIES: [Color; 10] = [
    BLUE,
    Color::new(230, 159, 0),
    GREEN,
    VERMILION,
    Color::new(204, 121, 167),
    Color::new(86, 180, 233),
    Color::new(51, 34, 136),
    Color::new(136, 34, 85),
    Color::new(153, 153, 51),
    Color::new(85, 85, 85),
];

/// Number of labels that have colours of their own.
pub(super) const MAX_CATEGORIES: usize = CATEGORIES.len();

/// The colour of label `i`.
pub(super) fn category(i: usize) -> Color {
    CATEGORIES[i % CATEGORIES.len()]
}

/// The colour of a quantity in 0..=1: viridis without its palest end.
pub(super) fn sequence(t: f64) -> Color {
    const STOPS: [Color; 9] = [
        Color::new(68, 1, 84),
        Color::new(72, 40, 120),
        Color::new(62, 74, 137),
        Color::new(49, 104, 142),
        Color::new(38, 130, 142),
        Color::new(31, 158, 137),
        Color::new(53, 183, 121),
        Color::new(109, 205, 89),
        Color::new(190, 222, 44),
    ];
    let at = if t.is_finite() { t.clamp(0.0, 1.0) } else { 0.0 } * (STOPS.len() - 1) as f64;
    let i = (at as usize).min(STOPS.len() - 2);
    STOPS[i].mix(STOPS[i + 1], at - i as f64)
}

// Sizes of text, in pixels.
pub(super) const TITLE: f64 = 25.0;
pub(super) const SUBTITLE: f64 = 16.5;
pub(super) const PANEL_TITLE: f64 = 17.5;
pub(super) const LABEL: f64 = 15.5;
pub(super) const TICK: f64 = 14.0;
pub(super) const NOTE: f64 = 13.5;

/// Radius in pixels and opacity of a point among `n`.
pub(super) fn point(n: usize) -> (f64, f64) {
    match n {
        0..=150 => (4.2, 0.85),
        151..=600 => (3.4, 0.75),
        601..=2500 => (2.8, 0.6),
        2501..=8000 => (2.2, 0.5),
        _ => (1.8, 0.35),
    }
}

/// A number with separators of thousands: `12345` is `12,345`.
pub(crate) fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A number and its noun: "1 point", "12,345 points".
pub(crate) fn counted(n: usize, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

/// `v` to `digits` significant digits, with a true minus sign, and a power of ten where that is
/// shorter.
pub(crate) fn number(v: f64, digits: usize) -> String {
    if v == 0.0 {
        return "0".to_owned();
    }
    if !v.is_finite() {
        return "not finite".to_owned();
    }
    let exponent = v.abs().log10().floor() as i32;
    if !(-4..6).contains(&exponent) {
        return scientific(v, digits);
    }
    fixed(v, (digits as i32 - 1 - exponent).max(0) as usize)
}

/// `v` to `digits` significant digits, times a power of ten.
pub(super) fn scientific(v: f64, digits: usize) -> String {
    if v == 0.0 || !v.is_finite() {
        return number(v, digits);
    }
    let exponent = v.abs().log10().floor() as i32;
    let mantissa = v / 10f64.powi(exponent);
    format!("{}·{}", fixed(mantissa, digits.saturating_sub(1)), power_of_ten(exponent))
}

/// `v` to three significant digits without trailing zeros: times, ends of a scale.
pub(super) fn short(v: f64) -> String {
    let text = number(v, 3);
    if text.contains('.') && !text.contains('·') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

/// `v` with `decimals` decimals and a true minus sign.
pub(crate) fn fixed(v: f64, decimals: usize) -> String {
    let text = format!("{v:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| c == '0' || c == '.') => rest.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

/// A power of ten: `-3` is `10⁻³`.
pub(super) fn power_of_ten(exponent: i32) -> String {
    let raised = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '0' | '4'..='9' => char::from_u32(0x2070 + (c as u32 - '0' as u32)).unwrap_or(c),
        other => other,
    };
    format!("10{}", exponent.to_string().chars().map(raised).collect::<String>())
}

/// The name of label `i`, or `class i` without one.
pub(super) fn label_name(names: &[String], i: usize) -> String {
    names.get(i).filter(|n| !n.trim().is_empty()).cloned().unwrap_or_else(|| format!("class {i}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(number(-0.012_34, 3), "−0.0123");
        assert_eq!(number(2.5e-9, 2), "2.5·10⁻⁹");
        assert_eq!(number(1234.0, 3), "1234");
        assert_eq!(fixed(-0.001, 1), "0.0");
        assert_eq!((short(0.2), short(-1.0), short(0.0)), ("0.2".into(), "−1".into(), "0".into()));
        assert_eq!(power_of_ten(12), "10¹²");
    }
}
