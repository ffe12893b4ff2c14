//! Round dates and times for the ticks of an axis.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;
/// Seconds of a day.
pub(super) const DAY: f64 = 24.0 * HOUR;
const YEAR: f64 = 365.2425 * DAY;

/// Steps of ticks: seconds that divide a day or are days, and their format.
const STEPS: [(f64, &str); 18] = [
    (1.0, "%H:%M:%S"),
    (5.0, "%H:%M:%S"),
    (15.0, "%H:%M:%S"),
    (30.0, "%H:%M:%S"),
    (MINUTE, "%H:%M"),
    (5.0 * MINUTE, "%H:%M"),
    (15.0 * MINUTE, "%H:%M"),
    (30.0 * MINUTE, "%H:%M"),
    (HOUR, "%m-%d %H:%M"),
    (3.0 * HOUR, "%m-%d %H:%M"),
    (6.0 * HOUR, "%m-%d %H:%M"),
    (12.0 * HOUR, "%m-%d %H:%M"),
    (DAY, "%Y-%m-%d"),
    (2.0 * DAY, "%Y-%m-%d"),
    (4.0 * DAY, "%Y-%m-%d"),
    (7.0 * DAY, "%Y-%m-%d"),
    (10.0 * DAY, "%Y-%m-%d"),
    (14.0 * DAY, "%Y-%m-%d"),
];

/// At most about `target` round times between `lo` and `hi`, in seconds since 1970-01-01, with
/// their labels.
pub(super) fn ticks(lo: f64, hi: f64, target: f64) -> Vec<(f64, String)> {
    let most = target.max(1.0);
    let fits = |step: f64| (hi - lo) / step <= most;
    if let Some((step, format)) = STEPS.iter().find(|(step, _)| fits(*step)) {
        let first = (lo / step).ceil();
        let count = ((hi / step).floor() - first) as i64;
        let at = |i: i64| (first + i as f64) * step;
        return (0..=count).filter_map(|i| Some((at(i), label(at(i), format)?))).collect();
    }
    if let Some(months) = [1_i32, 3, 6].into_iter().find(|m| fits(f64::from(*m) * YEAR / 12.0)) {
        return starts(lo, hi, i64::from(months), "%Y-%m");
    }
    let years = super::axis::nice_step((hi - lo) / YEAR, most).max(1.0);
    if years > 1e5 {
        return Vec::new();
    }
    starts(lo, hi, 12 * years as i64, "%Y")
}

/// At most about `target` round times of day between `lo` and `hi`, in seconds since midnight, with
/// their labels; midnight at the end of the day is 24:00.
pub(super) fn clock_ticks(lo: f64, hi: f64, target: f64) -> Vec<(f64, String)> {
    let (lo, hi) = (lo.max(0.0), hi.min(DAY));
    let fits = |step: f64| (hi - lo) / step <= target.max(1.0);
    let mut steps = STEPS.iter().filter(|(step, _)| *step < DAY);
    let Some((step, _)) = steps.clone().find(|(step, _)| fits(*step)).or_else(|| steps.next_back())
    else {
        return Vec::new();
    };
    let format = if *step < MINUTE { "%H:%M:%S" } else { "%H:%M" };
    let named = |at: f64| match at {
        DAY => Some("24:00".to_owned()),
        at => label(at, format),
    };
    let count = ((hi / step).floor() - (lo / step).ceil()) as i64;
    let at = |i: i64| ((lo / step).ceil() + i as f64) * step;
    (0..=count).filter_map(|i| Some((at(i), named(at(i))?))).collect()
}

/// Beginnings of every `months`-th month.
fn starts(lo: f64, hi: f64, months: i64, format: &str) -> Vec<(f64, String)> {
    let Some(first) = time(lo) else { return Vec::new() };
    let month = i64::from(first.year()) * 12 + i64::from(first.month0());
    let mut ticks = Vec::new();
    for number in (month.div_euclid(months)..).take(100) {
        let month = number * months;
        let (year, month) = (month.div_euclid(12), month.rem_euclid(12) as u32 + 1);
        let date = i32::try_from(year).ok().and_then(|y| NaiveDate::from_ymd_opt(y, month, 1));
        let Some(date) = date.and_then(|date| date.and_hms_opt(0, 0, 0)) else { break };
        let at = date.and_utc().timestamp() as f64;
        if at > hi {
            break;
        }
        if at >= lo {
            ticks.extend(label(at, format).map(|text| (at, text)));
        }
    }
    ticks
}

fn time(seconds: f64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds.floor() as i64, 0)
}

fn label(seconds: f64, format: &str) -> Option<String> {
    Some(time(seconds)?.format(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(lo: f64, hi: f64, target: f64) -> Vec<String> {
        ticks(lo, hi, target).into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn ticks_of_times_are_round() {
        let at = |year: i32, month: u32, day: u32| {
            NaiveDate::from_ymd_opt(year, month, day)
                .unwrap()
                .and_hms_opt(0, 0, 0)
                .unwrap()
                .and_utc()
                .timestamp() as f64
        };
        let (spring, summer) = (at(2024, 2, 27), at(2024, 6, 15));
        assert_eq!(
            labels(spring, spring + 3.5 * DAY, 4.0),
            ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]
        );
        assert_eq!(labels(spring, summer, 4.0), ["2024-03", "2024-04", "2024-05", "2024-06"]);
        assert_eq!(labels(at(1957, 3, 1), at(2024, 1, 2), 4.0), ["1960", "1980", "2000", "2020"]);
        assert_eq!(labels(at(2020, 1, 1), at(2023, 1, 1), 3.0), ["2020", "2021", "2022", "2023"]);
        assert_eq!(labels(spring, spring + HOUR, 2.0), ["00:00", "00:30", "01:00"]);
        assert_eq!(labels(-7200.0, 0.0, 2.0), ["12-31 22:00", "12-31 23:00", "01-01 00:00"]);
        assert!(labels(-1e30, 1e30, 5.0).is_empty());
    }

    #[test]
    fn ticks_of_times_of_day_have_no_date_and_end_with_the_day() {
        let labels = |lo: f64, hi: f64, target: f64| -> Vec<String> {
            clock_ticks(lo, hi, target).into_iter().map(|tick| tick.1).collect()
        };
        let all_day = ["00:00", "06:00", "12:00", "18:00", "24:00"];
        assert_eq!(labels(-3000.0, DAY + 3000.0, 4.0), all_day);
        assert_eq!(labels(7.9 * HOUR, 9.1 * HOUR, 3.0), ["08:00", "08:30", "09:00"]);
        assert_eq!(labels(30.0, 61.0, 2.5), ["00:00:30", "00:00:45", "00:01:00"]);
    }
}
