//! Numbers for readers, rounded to the digits that their deviation lets one trust.

use super::results::Spread;
use crate::plot::style::{count, fixed, number};

/// Significant digits of numbers without a deviation.
const DIGITS: usize = 4;

/// `true` if the spread has a finite mean of at least one value.
pub(super) fn is_known(spread: &Spread) -> bool {
    spread.mean.is_finite() && spread.values.iter().flatten().any(|v| v.is_finite())
}

/// The spread in another unit: everything times `by`.
pub(super) fn scaled(spread: &Spread, by: f64) -> Spread {
    Spread {
        values: spread.values.iter().map(|v| v.map(|v| v * by)).collect(),
        mean: spread.mean * by,
        sd: spread.sd.map(|sd| sd * by),
        interval: spread.interval.map(|[low, high]| [low * by, high * by]),
    }
}

/// Mean and deviation, such as `0.0683 ± 0.0031`: the deviation to two significant digits, the
/// mean to as many decimals.
pub(super) fn spread(spread: &Spread) -> String {
    match deviation(spread) {
        Some(sd) => format!("{} ± {}", mean(spread), at(sd, place(sd))),
        None => mean(spread),
    }
}

/// The mean, rounded to the second digit of its deviation.
pub(super) fn mean(spread: &Spread) -> String {
    match deviation(spread) {
        Some(sd) => at(spread.mean, place(sd)),
        None => plain(spread.mean),
    }
}

/// The standard deviation, to two digits; `None` if it is unknown or zero.
pub(super) fn sd(spread: &Spread) -> Option<String> {
    deviation(spread).map(|sd| at(sd, place(sd)))
}

/// The interval, such as `0.0645 to 0.0721`.
pub(super) fn interval(spread: &Spread) -> Option<String> {
    let [low, high] = spread.interval?;
    let places = place(deviation(spread)?);
    Some(format!("{} to {}", at(low, places), at(high, places)))
}

/// The mean difference with its sign.
pub(super) fn signed(difference: &Spread) -> String {
    let text = mean(difference);
    if difference.mean > 0.0 { format!("+{text}") } else { text }
}

/// A p value to two or three decimals, or `< 0.001`.
pub(super) fn p(p: f64) -> String {
    match p {
        p if p < 0.001 => "< 0.001".to_owned(),
        p if p < 0.01 => fixed(p, 3),
        p => fixed(p, 2),
    }
}

/// A number without a known deviation: four significant digits, no trailing zeros.
pub(super) fn plain(value: f64) -> String {
    if value.abs() >= 1e5 && value.abs() < 1e12 {
        return at(value, place(value) + DIGITS as i32 - 2);
    }
    let text = number(value, DIGITS);
    if text.contains('.') && !text.contains('·') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    if text.contains('·') { text } else { grouped(&text) }
}

/// A duration, such as `41 s`, `3 min 20 s` or `2 h 5 min`.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".to_owned();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..=99 if seconds < 10.0 => format!("{} s", fixed(seconds, 1)),
        0..=99 => format!("{whole} s"),
        100..=3599 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

fn deviation(spread: &Spread) -> Option<f64> {
    spread.sd.filter(|sd| sd.is_finite() && *sd > 0.0 && !is_noise(*sd, spread.mean))
}

/// `true` if a deviation is no more than rounding errors of a sum.
fn is_noise(sd: f64, mean: f64) -> bool {
    sd < mean.abs() * 1e-9
}

/// Number of decimals that show two digits of `value`; negative for digits left of the point.
fn place(value: f64) -> i32 {
    // A deviation of 0.0996 is 0.10, not 0.100.
    let exponent = value.abs().log10().floor();
    let rounds_up = value.abs() / 10f64.powf(exponent) >= 9.95;
    1 - exponent as i32 - i32::from(rounds_up)
}

/// `value` to `places` decimals, with separators of thousands.
fn at(value: f64, places: i32) -> String {
    let (value, places) = match places {
        ..0 => {
            let unit = 10f64.powi(-places);
            ((value / unit).round() * unit, 0)
        }
        0..=9 => (value, places),
        _ => return number(value, 2),
    };
    grouped(&fixed(value, places as usize))
}

fn grouped(text: &str) -> String {
    let (sign, rest) = match text.strip_prefix('−') {
        Some(rest) => ("−", rest),
        None => ("", text),
    };
    let (whole, decimals) = match rest.find('.') {
        Some(point) => rest.split_at(point),
        None => (rest, ""),
    };
    match whole.parse::<usize>() {
        Ok(n) if n >= 1000 => format!("{sign}{}{decimals}", count(n)),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread_of(mean: f64, sd: Option<f64>) -> Spread {
        let interval = sd.map(|sd| [mean - 2.0 * sd, mean + 2.0 * sd]);
        Spread { values: vec![Some(mean)], mean, sd, interval }
    }

    #[test]
    fn a_mean_is_rounded_to_the_second_digit_of_its_deviation() {
        let text = |mean, sd| spread(&spread_of(mean, Some(sd)));
        assert_eq!(text(0.068_312, 0.003_07), "0.0683 ± 0.0031");
        assert_eq!(text(12.345, 0.4), "12.35 ± 0.40");
        assert_eq!(text(51_234.0, 1_234.0), "51,200 ± 1,200");
        assert_eq!(text(1.234, 0.0996), "1.23 ± 0.10");
        assert_eq!(text(-0.0312, 0.0041), "−0.0312 ± 0.0041");
        assert_eq!(interval(&spread_of(0.068_312, Some(0.003_07))).unwrap(), "0.0622 to 0.0745");
    }

    #[test]
    fn without_a_deviation_it_has_four_digits_at_most() {
        assert_eq!(spread(&spread_of(0.068_312_9, None)), "0.06831");
        assert_eq!(spread(&spread_of(40.0, Some(0.0))), "40");
        assert_eq!(plain(12_345.0), "12,345");
        assert_eq!(plain(1_234_567.0), "1,235,000");
        assert_eq!(plain(2.5e-9), "2.500·10⁻⁹");
    }

    #[test]
    fn probabilities_and_durations_are_short() {
        assert_eq!(
            (p(0.0), p(0.0042), p(0.137)),
            ("< 0.001".into(), "0.004".into(), "0.14".into())
        );
        assert_eq!(duration(3.21), "3.2 s");
        assert_eq!(duration(41.2), "41 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(7_500.0), "2 h 5 min");
        assert_eq!(duration(f64::NAN), "unknown");
    }

    #[test]
    fn a_difference_shows_its_sign() {
        assert_eq!(signed(&spread_of(0.012, Some(0.004))), "+0.0120");
        assert_eq!(signed(&spread_of(-0.012, Some(0.004))), "−0.0120");
    }
}
