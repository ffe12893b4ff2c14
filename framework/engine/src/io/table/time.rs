use std::fmt::Write as _;

use chrono::format::{Fixed, Item, Numeric, StrftimeItems};
use chrono::{DateTime, Datelike, FixedOffset, Months, NaiveDate, Offset as _, Utc};

use crate::{Error, Result};

/// Seconds of a day.
const DAY: f64 = 86_400.0;
/// Beginning of the year 1 and end of the year 9999, in seconds since 1970-01-01.
const RANGE: (f64, f64) = (-62_135_596_800.0, 253_402_300_799.0);

/// Format of dates and times, in the notation of `strftime`.
#[derive(Clone, Debug)]
pub struct TimeFormat {
    items: Vec<Item<'static>>,
    unit: Unit,
    is_utc: bool,
    /// First and last time that can be written, in seconds.
    range: (f64, f64),
    /// Offset of the written times from UTC.
    offset: FixedOffset,
}

/// Smallest unit of time that a format has, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Unit {
    Seconds(f64),
    Months(u32),
}

impl Unit {
    /// Unit of a part of a format; `None` for text between them.
    fn of(item: &Item<'_>) -> Option<Self> {
        Some(match item {
            Item::Numeric(part, _) => match part {
                Numeric::Nanosecond => Self::Seconds(1e-6),
                Numeric::Second | Numeric::Timestamp => Self::Seconds(1.0),
                Numeric::Minute => Self::Seconds(60.0),
                Numeric::Hour | Numeric::Hour12 => Self::Seconds(3600.0),
                Numeric::Month => Self::Months(1),
                Numeric::Quarter => Self::Months(3),
                Numeric::Year
                | Numeric::YearDiv100
                | Numeric::YearMod100
                | Numeric::IsoYear
                | Numeric::IsoYearDiv100
                | Numeric::IsoYearMod100 => Self::Months(12),
                _ => Self::Seconds(DAY),
            },
            Item::Fixed(part) => match part {
                Fixed::ShortMonthName | Fixed::LongMonthName => Self::Months(1),
                Fixed::ShortWeekdayName | Fixed::LongWeekdayName => Self::Seconds(DAY),
                Fixed::LowerAmPm | Fixed::UpperAmPm => Self::Seconds(12.0 * 3600.0),
                Fixed::RFC2822 => Self::Seconds(1.0),
                Fixed::Nanosecond3 => Self::Seconds(1e-3),
                Fixed::TimezoneName
                | Fixed::TimezoneOffset
                | Fixed::TimezoneOffsetColon
                | Fixed::TimezoneOffsetDoubleColon
                | Fixed::TimezoneOffsetTripleColon
                | Fixed::TimezoneOffsetColonZ
                | Fixed::TimezoneOffsetZ => return None,
                // Float64 holds no finer times of our days.
                _ => Self::Seconds(1e-6),
            },
            _ => return None,
        })
    }
}

impl TimeFormat {
    /// # Errors
    /// [`Error::Config`]: `format` is none of `strftime`, or names no part of a time.
    pub fn new(format: &str) -> Result<Self> {
        let wrong = |why: &str| {
            let help = "such as %Y-%m-%d, or %Y-%m-%d %H:%M:%S";
            Error::config("format", format!("`{format}` {why}")).help(help)
        };
        let items = StrftimeItems::new(format).parse_to_owned();
        let items = items.map_err(|_| wrong("is no format of dates and times"))?;
        let smallest = |a: Unit, b: Unit| if b < a { b } else { a };
        let unit = items.iter().filter_map(Unit::of).reduce(smallest);
        let unit = unit.ok_or_else(|| wrong("names no part of a date or time"))?;
        let zone = ["%z", "%:z", "%#z", "%Z", "%+", "%s"];
        let is_utc = format.ends_with('Z') || zone.iter().any(|part| format.contains(part));
        let format = Self { items, unit, is_utc, range: RANGE, offset: Utc.fix() };
        // A time of day does not go on behind midnight.
        let range = match unit {
            Unit::Seconds(unit) if format.is_clock() => (0.0, DAY - unit),
            _ => RANGE,
        };
        Ok(Self { range, ..format })
    }

    /// The format at an offset from UTC in seconds, if it writes the offset of its times.
    #[must_use]
    pub fn at(self, offset: Option<i32>) -> Self {
        let writes = |item: &Item<'_>| {
            use Fixed::{
                TimezoneOffset, TimezoneOffsetColon, TimezoneOffsetColonZ, TimezoneOffsetZ,
            };
            matches!(
                item,
                Item::Fixed(
                    TimezoneOffset | TimezoneOffsetColon | TimezoneOffsetColonZ | TimezoneOffsetZ
                )
            )
        };
        let offset = offset.filter(|_| self.items.iter().any(writes));
        let offset = offset.and_then(FixedOffset::east_opt).unwrap_or(self.offset);
        Self { offset, ..self }
    }

    /// True if the format names the zone, which is UTC.
    pub fn is_utc(&self) -> bool {
        self.is_utc
    }

    /// True if the format has times of a day and no date.
    pub fn is_clock(&self) -> bool {
        use Numeric::{Hour, Hour12, Minute, Nanosecond, Second};
        self.items.iter().all(|item| match item {
            Item::Numeric(part, _) => {
                matches!(part, Hour | Hour12 | Minute | Second | Nanosecond)
            }
            Item::Fixed(part) => !matches!(
                part,
                Fixed::ShortMonthName
                    | Fixed::LongMonthName
                    | Fixed::ShortWeekdayName
                    | Fixed::LongWeekdayName
                    | Fixed::RFC2822
                    | Fixed::RFC3339
            ),
            _ => true,
        })
    }

    /// True if the format has no part that is shorter than a day.
    pub fn is_date(&self) -> bool {
        self.unit >= Unit::Seconds(DAY)
    }

    /// The nearest time, in seconds since 1970-01-01, that the format can write, within the years 1
    /// to 9999; of a format without a date, the nearest one of the day, in seconds since midnight.
    pub fn rounded(&self, seconds: f64) -> f64 {
        let seconds = seconds.clamp(self.range.0, self.range.1);
        let near = match self.unit {
            Unit::Seconds(unit) if unit >= 1.0 => (seconds / unit).round() * unit,
            Unit::Seconds(unit) => {
                let parts = unit.recip().round();
                (seconds * parts).round() / parts
            }
            Unit::Months(unit) => months(seconds, unit).unwrap_or(seconds),
        };
        near.clamp(self.range.0, self.range.1)
    }

    /// Writes the nearest time that the format can write; nothing for NaN.
    ///
    /// # Errors
    /// If a part of the format cannot be written.
    pub fn write(&self, seconds: f64, text: &mut String) -> std::fmt::Result {
        let seconds = self.rounded(seconds);
        let whole = seconds.floor();
        let micros = ((seconds - whole) * 1e6).round();
        let time = DateTime::<Utc>::from_timestamp_micros(whole as i64 * 1_000_000 + micros as i64);
        match time.filter(|_| !seconds.is_nan()) {
            Some(time) => {
                let time = time.with_timezone(&self.offset);
                write!(text, "{}", time.format_with_items(self.items.iter()))
            }
            None => Ok(()),
        }
    }
}

/// The nearest beginning of a period of `unit` months.
fn months(seconds: f64, unit: u32) -> Option<f64> {
    let date = DateTime::<Utc>::from_timestamp(seconds.floor() as i64, 0)?.date_naive();
    let first = NaiveDate::from_ymd_opt(date.year(), date.month0() / unit * unit + 1, 1)?;
    let next = first.checked_add_months(Months::new(unit))?;
    let at = |date: NaiveDate| Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp() as f64);
    let (before, after) = (at(first)?, at(next)?);
    Some(if seconds - before <= after - seconds { before } else { after })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(format: &str, seconds: f64) -> String {
        let mut text = String::new();
        TimeFormat::new(format).unwrap().write(seconds, &mut text).unwrap();
        text
    }

    #[test]
    fn a_time_is_written_in_the_parts_of_its_format_the_nearest_one() {
        // 2024-02-29 12:34:56.789, half a day and more after midnight.
        let at = 1_709_210_096.789;
        for (format, expected) in [
            ("%Y-%m-%d", "2024-03-01"),
            ("%d.%m.%y", "01.03.24"),
            ("%Y-%m-%d %H:%M:%S", "2024-02-29 12:34:57"),
            ("%Y-%m-%dT%H:%M:%S%.fZ", "2024-02-29T12:34:56.789Z"),
            ("%Y-%m-%dT%H:%M:%S%.3f", "2024-02-29T12:34:56.789"),
            ("%m/%d/%Y %I:%M %p", "02/29/2024 12:35 PM"),
            ("%Y-%m", "2024-03"),
            ("%Y", "2024"),
            ("%s", "1709210097"),
            ("%b %d, %Y", "Mar 01, 2024"),
        ] {
            assert_eq!(text(format, at), expected, "{format}");
        }
        assert_eq!(text("%Y-%m-%d", 1_709_164_800.0), "2024-02-29");
        assert_eq!(text("%Y-%m-%d", -1.0), "1970-01-01");
        assert_eq!(text("%Y-%m-%d %H:%M:%S", -1.0), "1969-12-31 23:59:59");
        assert_eq!(text("%Y-%m-%d", f64::NAN), "");
    }

    #[test]
    fn times_far_away_become_the_ends_of_four_digits_of_a_year() {
        assert_eq!(text("%Y-%m-%d %H:%M:%S", 1e30), "9999-12-31 23:59:59");
        assert_eq!(text("%Y-%m-%d", f64::NEG_INFINITY), "0001-01-01");
        assert_eq!(text("%Y", f64::INFINITY), "9999");
    }

    #[test]
    fn a_time_of_day_stays_in_its_day() {
        assert_eq!(text("%H:%M", -120.0), "00:00");
        assert_eq!(text("%H:%M", DAY - 1.0), "23:59");
        assert_eq!(text("%H:%M:%S", 3.0 * DAY), "23:59:59");
        assert_eq!(text("%I:%M %p", DAY), "11:59 PM");
        assert_eq!(text("%H:%M:%S", 3661.4), "01:01:01");
    }

    #[test]
    fn rounding_is_to_the_smallest_part_and_twice_is_once() {
        for (format, expected) in
            [("%Y", 0.0), ("%Y-%m", 0.0), ("%F", DAY), ("%F %H", 86_400.0), ("%F %R", 84_600.0)]
        {
            let format = TimeFormat::new(format).unwrap();
            assert_eq!(format.rounded(84_601.3), expected);
            assert_eq!(format.rounded(expected), expected);
        }
        assert!(TimeFormat::new("%F").unwrap().is_date());
        assert!(!TimeFormat::new("%F %H").unwrap().is_date());
        let is = |format: &str| {
            let format = TimeFormat::new(format).unwrap();
            (format.is_clock(), format.is_utc())
        };
        assert_eq!(is("%H:%M:%S%.f"), (true, false));
        assert_eq!(is("%I:%M %p"), (true, false));
        assert_eq!(is("%b %H:%M"), (false, false));
        assert_eq!(is("%Y-%m-%dT%H:%M:%SZ"), (false, true));
    }

    #[test]
    fn what_is_no_format_of_times_is_refused() {
        for (format, why) in [("%Q?", "is no format"), ("day", "names no part")] {
            let message = TimeFormat::new(format).unwrap_err().to_string();
            assert!(message.contains(why), "{message}");
        }
    }
}
