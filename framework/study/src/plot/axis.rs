//! Axes: the position of a value between the ends, and the round values that get ticks.

use super::dates;
use super::stats::padded;
use super::style::{fixed, power_of_ten, scientific};
use crate::io::table::TimeFormat;
use crate::table::CellType;

/// A linear or logarithmic axis from `lo` to `hi`; `lo` may be the larger of the two.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub lo: f64,
    pub hi: f64,
    pub log: bool,
    /// Distance of the ticks; `None` to choose it by the range.
    pub step: Option<f64>,
    pub marks: Marks,
}

/// Meaning of the values of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Marks {
    Numbers,
    /// Numbers of which only whole ones get ticks.
    Whole,
    /// Times in seconds since 1970-01-01.
    Times,
    /// Times of day in seconds since midnight.
    Clock,
    /// Names of the values 0, 1, ….
    Names(Vec<String>),
}

impl Axis {
    pub fn linear((lo, hi): (f64, f64)) -> Self {
        Axis { lo, hi, log: false, step: None, marks: Marks::Numbers }
    }

    /// A logarithmic axis, whose ends must both be positive.
    pub fn log((lo, hi): (f64, f64)) -> Self {
        Axis { log: true, ..Axis::linear((lo, hi)) }
    }

    /// An axis that counts, such as epochs.
    pub fn counting(range: (f64, f64)) -> Self {
        Axis { marks: Marks::Whole, ..Axis::linear(range) }
    }

    /// An axis of times in seconds since 1970-01-01.
    pub fn times(range: (f64, f64)) -> Self {
        Axis { marks: Marks::Times, ..Axis::linear(range) }
    }

    /// An axis of times of day in seconds since midnight.
    pub fn clock(range: (f64, f64)) -> Self {
        Axis { marks: Marks::Clock, ..Axis::linear(range) }
    }

    /// The axis of the numbers or times of a column, their `range` widened by the share `margin`.
    pub fn of(kind: &CellType, range: Option<(f64, f64)>, margin: f64) -> Self {
        let range = match (range, kind) {
            // A day before and after a single time.
            (Some((at, end)), CellType::Time { .. }) if at == end => {
                (at - dates::DAY, at + dates::DAY)
            }
            (range, _) => padded(range, margin),
        };
        let is_clock = |format: &str| TimeFormat::new(format).is_ok_and(|own| own.is_clock());
        match kind {
            CellType::Time { format } if is_clock(format) => Axis::clock(range),
            CellType::Time { .. } => Axis::times(range),
            CellType::Number { decimals: Some(0) } => Axis::counting(range),
            _ => Axis::linear(range),
        }
    }

    /// An axis of names, at 0, 1, ….
    pub fn names(names: Vec<String>) -> Self {
        let end = names.len().max(1) as f64 - 0.5;
        Axis { marks: Marks::Names(names), ..Axis::linear((-0.5, end)) }
    }

    /// The axis from its other end.
    pub fn reversed(self) -> Self {
        Axis { lo: self.hi, hi: self.lo, ..self }
    }

    /// Number of names; 0 if the values have none.
    pub fn name_count(&self) -> usize {
        match &self.marks {
            Marks::Names(names) => names.len(),
            _ => 0,
        }
    }

    /// The position of `v`: 0 at `lo`, 1 at `hi`.
    pub fn share(&self, v: f64) -> f64 {
        if self.log {
            (v.ln() - self.lo.ln()) / (self.hi.ln() - self.lo.ln())
        } else {
            (v - self.lo) / (self.hi - self.lo)
        }
    }

    pub fn contains(&self, v: f64) -> bool {
        v >= self.lo.min(self.hi) && v <= self.lo.max(self.hi)
    }

    /// About `target` round values within the axis, with their labels.
    pub fn ticks(&self, target: f64) -> Vec<(f64, String)> {
        let (lo, hi) = (self.lo.min(self.hi), self.lo.max(self.hi));
        if !(lo.is_finite() && hi.is_finite()) || hi <= lo {
            return Vec::new();
        }
        match &self.marks {
            Marks::Times => return dates::ticks(lo, hi, target),
            Marks::Clock => return dates::clock_ticks(lo, hi, target),
            Marks::Names(names) => {
                return names
                    .iter()
                    .enumerate()
                    .map(|(i, name)| (i as f64, name.clone()))
                    .collect();
            }
            _ => {}
        }
        if self.log && hi / lo >= 4.0 {
            return log_ticks(lo, hi, target);
        }
        let whole = self.marks == Marks::Whole;
        let mut step = self.step.unwrap_or_else(|| nice_step(hi - lo, target));
        if whole {
            step = step.max(1.0);
        }
        let first = (lo / step - 1e-9).ceil() as i64;
        let last = (hi / step + 1e-9).floor() as i64;
        if last.saturating_sub(first) > 200 {
            return Vec::new();
        }
        let decimals = (-step.log10() - 1e-9).ceil().max(0.0) as usize;
        let large = lo.abs().max(hi.abs());
        let plain = large < 1e5 && decimals <= 5;
        let place = |v: f64| (v * 1.001).log10().floor();
        let digits = (place(large) - place(step)).max(0.0) as usize + 1;
        (first..=last)
            .map(|i| {
                let v = i as f64 * step;
                (
                    v,
                    if plain || (whole && large < 1e7) {
                        fixed(v, decimals)
                    } else {
                        scientific(v, digits)
                    },
                )
            })
            .collect()
    }
}

/// The step, 1, 2 or 5 times a power of ten, of which about `count` fit into `range`.
pub(super) fn nice_step(range: f64, count: f64) -> f64 {
    let rough = range / count.max(1.0);
    let unit = 10f64.powf(rough.log10().floor());
    match rough / unit {
        r if r <= 1.001 => unit,
        r if r <= 2.1 => 2.0 * unit,
        r if r <= 5.2 => 5.0 * unit,
        _ => 10.0 * unit,
    }
}

fn log_ticks(lo: f64, hi: f64, target: f64) -> Vec<(f64, String)> {
    let (first, last) = ((lo.log10() - 1e-9).floor() as i32, (hi.log10() + 1e-9).ceil() as i32);
    let decades = hi.log10() - lo.log10();
    let plain = lo >= 0.9e-3 && hi <= 2e4;
    let write = |mantissa: i32, exponent: i32| {
        let value = f64::from(mantissa) * 10f64.powi(exponent);
        match (plain, mantissa) {
            (true, _) => fixed(value, (-exponent).max(0) as usize),
            (false, 1) => power_of_ten(exponent),
            (false, m) => format!("{m}·{}", power_of_ten(exponent)),
        }
    };
    let every = (decades / target.max(1.0)).ceil().max(1.0) as i32;
    let mantissas: &[i32] = if decades < 0.45 * target { &[1, 2, 5] } else { &[1] };
    (first..=last)
        .filter(|e| e.rem_euclid(every) == 0)
        .flat_map(|e| mantissas.iter().map(move |m| (*m, e)))
        .map(|(m, e)| (f64::from(m) * 10f64.powi(e), write(m, e)))
        .filter(|(v, _)| *v >= lo * 0.999_999 && *v <= hi * 1.000_001)
        .collect()
}

/// Ratio of two lengths up to which coordinates are taken to share a unit.
const ONE_UNIT: f64 = 5.0;

/// True if two ranges of these lengths can share a unit. Coordinates of very different extent, such
/// as millimetres and grams, would leave a line of points at equal aspect.
pub(crate) fn share_a_unit(x: f64, y: f64) -> bool {
    x.max(y) <= ONE_UNIT * x.min(y)
}

/// Widens one of two ranges to equal aspect on a plot of `width` x `height` pixels.
pub(super) fn equal_aspect(
    x: (f64, f64),
    y: (f64, f64),
    width: f64,
    height: f64,
) -> [(f64, f64); 2] {
    let unit = ((x.1 - x.0) / width).max((y.1 - y.0) / height);
    let around = |(lo, hi): (f64, f64), pixels: f64| {
        let (middle, half) = ((lo + hi) / 2.0, unit * pixels / 2.0);
        (middle - half, middle + half)
    };
    [around(x, width), around(y, height)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(axis: Axis, wanted: f64) -> Vec<String> {
        axis.ticks(wanted).into_iter().map(|t| t.1).collect()
    }

    #[test]
    fn marks_are_round() {
        assert_eq!(names(Axis::linear((-1.13, 2.07)), 4.0), ["−1", "0", "1", "2"]);
        assert_eq!(
            names(Axis::linear((1.0, 0.0)), 5.0),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(names(Axis::log((0.03, 40.0)), 5.0), ["0.1", "1", "10"]);
        assert_eq!(names(Axis::log((0.03, 0.4)), 5.0), ["0.05", "0.1", "0.2"]);
        assert_eq!(names(Axis::counting((0.5, 1.5)), 5.0), ["1"]);
        assert!(Axis::linear((f64::NAN, 1.0)).ticks(5.0).is_empty());
    }

    #[test]
    fn ranges_share_a_unit_up_to_five_times_the_length() {
        assert!(share_a_unit(1.0, 5.0) && share_a_unit(5.0, 1.0) && share_a_unit(2.0, 2.0));
        assert!(!share_a_unit(1.0, 5.1) && !share_a_unit(0.0, 1.0));
    }

    #[test]
    fn a_unit_is_as_long_on_both_axes() {
        let [x, y] = equal_aspect((0.0, 1.0), (-5.0, 5.0), 300.0, 200.0);
        assert!((300.0 / (x.1 - x.0) - 200.0 / (y.1 - y.0)).abs() < 1e-9);
        assert!(x.0 <= 0.0 && x.1 >= 1.0 && y == (-5.0, 5.0));
    }
}
