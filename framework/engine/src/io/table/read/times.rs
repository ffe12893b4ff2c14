//! Dates and times as texts write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _};

/// Formats that are recognised, the most likely first, in the notation of `strftime`. Of formats
/// that the same cells fit, the one with padded numbers comes first.
const DATES: [&str; 18] = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%-d.%-m.%Y",
    "%m/%d/%Y",
    "%-m/%-d/%Y",
    "%d/%m/%Y",
    "%-d/%-m/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%y",
    "%m/%d/%y",
    "%-m/%-d/%y",
    "%d/%m/%y",
    "%-d/%-m/%y",
    "%Y-%m",
    "%d %b %Y",
];

/// Times behind a date.
const TIMES: [&str; 4] = ["", "%H:%M", "%H:%M:%S", "%H:%M:%S%.f"];

/// Marks of the zone behind a time.
const ZONES: [&str; 3] = ["", "Z", "%:z"];

/// Part of a format.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Literal(u8),
    /// A number of a unit, with at least and at most so many digits.
    Digits(Unit, usize, usize),
    /// A fraction of a second with its point, or nothing.
    Fraction,
    /// An offset such as +02:00.
    Offset,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    Year,
    ShortYear,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// Format of dates and times.
#[derive(Clone, Debug)]
pub(super) struct TimeFormat {
    /// The format in the notation of `strftime`.
    pub text: String,
    /// Its parts; `None` if it has some that only `chrono` reads.
    parts: Option<Vec<Part>>,
    /// True if the day may be taken for the month and the other way round.
    swaps: bool,
}

/// A time in a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Time {
    /// Seconds since 1970-01-01, UTC; of a time without a date, since midnight.
    pub seconds: f64,
    /// True unless day and month may be exchanged; a day that equals its month proves neither.
    pub certain: bool,
    /// Seconds between the time as it is written and UTC.
    pub offset: i32,
}

impl TimeFormat {
    /// A format in the notation of `strftime`.
    pub fn new(text: &str) -> Self {
        let swaps = ["m/%d", "d/%m", "m-%d-", "d-%m-", "m/%-d", "d/%-m"];
        let swaps = swaps.iter().any(|part| text.contains(part)) && !text.starts_with("%Y");
        Self { text: text.to_owned(), parts: parts_of(text), swaps }
    }

    /// All formats that are recognised.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for date in DATES {
            for time in TIMES {
                let gaps: &[&str] = match (time, date.starts_with("%Y-")) {
                    ("", _) => &[""],
                    (_, true) => &[" ", "T"],
                    (_, false) => &[" "],
                };
                for gap in gaps {
                    let zones =
                        if date == "%Y-%m-%d" && !time.is_empty() { &ZONES[..] } else { &[""] };
                    all.extend(zones.iter().map(|zone| format!("{date}{gap}{time}{zone}")));
                }
            }
        }
        all.extend(["%H:%M", "%H:%M:%S"].map(str::to_owned));
        all.iter().map(|text| Self::new(text)).collect()
    }

    /// The time in a cell; `None` if it has another format.
    #[inline]
    pub fn read(&self, cell: &[u8]) -> Option<Time> {
        match &self.parts {
            Some(parts) => read_parts(parts, cell, self.swaps),
            None => read_general(&self.text, std::str::from_utf8(cell).ok()?),
        }
    }
}

/// The parts of a format; `None` if it has others than those of [`Part`].
fn parts_of(text: &str) -> Option<Vec<Part>> {
    let (mut parts, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, behind @ ..] = rest {
        if *first != b'%' {
            parts.push(Part::Literal(*first));
            rest = behind;
            continue;
        }
        let (least, behind) = match behind {
            [b'-', behind @ ..] => (1, behind),
            _ => (2, behind),
        };
        let digits = |unit| Part::Digits(unit, least, 2);
        let (part, length) = match behind {
            [b'Y', ..] => (Part::Digits(Unit::Year, 4, 4), 1),
            [b'y', ..] => (digits(Unit::ShortYear), 1),
            [b'm', ..] => (digits(Unit::Month), 1),
            [b'd', ..] => (digits(Unit::Day), 1),
            [b'H', ..] => (digits(Unit::Hour), 1),
            [b'M', ..] => (digits(Unit::Minute), 1),
            [b'S', ..] => (digits(Unit::Second), 1),
            [b'.', b'f', ..] => (Part::Fraction, 2),
            [b':', b'z', ..] => (Part::Offset, 2),
            _ => return None,
        };
        parts.push(part);
        rest = &behind[length..];
    }
    Some(parts)
}

fn read_parts(parts: &[Part], cell: &[u8], swaps: bool) -> Option<Time> {
    let (mut year, mut month, mut day) = (1970, 1, 1);
    let (mut hour, mut minute, mut second, mut fraction, mut offset) = (0, 0, 0, 0.0, 0);
    let mut rest = cell;
    for part in parts {
        match part {
            Part::Literal(byte) => rest = rest.strip_prefix(std::slice::from_ref(byte))?,
            Part::Digits(unit, least, most) => {
                let value = number(&mut rest, *least, *most)?;
                match unit {
                    Unit::Year => year = value,
                    Unit::ShortYear => year = if value < 69 { 2000 + value } else { 1900 + value },
                    Unit::Month => month = value,
                    Unit::Day => day = value,
                    Unit::Hour => hour = value,
                    Unit::Minute => minute = value,
                    Unit::Second => second = value,
                }
            }
            Part::Fraction => {
                let [b'.', behind @ ..] = rest else { continue };
                let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let text = std::str::from_utf8(&rest[..=digits]).ok()?;
                fraction = text.parse().ok().filter(|_| digits > 0)?;
                rest = &rest[digits + 1..];
            }
            Part::Offset => {
                let (sign, behind) = match rest {
                    [b'+', behind @ ..] => (1, behind),
                    [b'-', behind @ ..] => (-1, behind),
                    _ => return None,
                };
                rest = behind;
                let hours = number(&mut rest, 2, 2)?;
                rest = rest.strip_prefix(b":").unwrap_or(rest);
                let minutes = if rest.is_empty() { 0 } else { number(&mut rest, 2, 2)? };
                offset = sign * (hours * 60 + minutes) * 60;
            }
        }
    }
    let in_range = hour < 24 && minute < 60 && second < 61;
    if !rest.is_empty() || !in_range || day < 1 || day > days_in(year, month)? {
        return None;
    }
    let clock = hour * 3600 + minute * 60 + second - offset;
    let seconds = days_since_1970(year, month, day) as f64 * 86_400.0 + f64::from(clock) + fraction;
    Some(Time { seconds, certain: !swaps || day > 12, offset })
}

/// Takes a number of digits off the front.
#[inline]
fn number(rest: &mut &[u8], least: usize, most: usize) -> Option<i32> {
    let (mut value, mut digits) = (0, 0);
    while digits < most
        && let Some(digit @ b'0'..=b'9') = rest.get(digits)
    {
        value = value * 10 + i32::from(digit - b'0');
        digits += 1;
    }
    *rest = rest.get(digits..)?;
    (digits >= least).then_some(value)
}

/// Days of a month of the Gregorian calendar; `None` if there is no such month.
fn days_in(year: i32, month: i32) -> Option<i32> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, for years from 0.
fn days_since_1970(year: i32, month: i32, day: i32) -> i32 {
    // Years begin in March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// A time in a format that has other parts, such as names of months.
fn read_general(format: &str, cell: &str) -> Option<Time> {
    let whole = |time: NaiveDateTime| {
        let time = time.and_utc();
        time.timestamp() as f64 + f64::from(time.timestamp_subsec_nanos()) / 1e9
    };
    let of_day = |time: NaiveTime| {
        f64::from(time.num_seconds_from_midnight()) + f64::from(time.nanosecond()) / 1e9
    };
    if let Ok(time) = DateTime::parse_from_str(cell, format) {
        let (seconds, offset) = (whole(time.naive_utc()), time.offset().local_minus_utc());
        return Some(Time { seconds, certain: true, offset });
    }
    let plain = || NaiveDateTime::parse_from_str(cell, format).ok().map(whole);
    let date = || NaiveDate::parse_from_str(cell, format).ok()?.and_hms_opt(0, 0, 0).map(whole);
    let time = || NaiveTime::parse_from_str(cell, format).ok().map(of_day);
    let seconds = plain().or_else(date).or_else(time)?;
    Some(Time { seconds, certain: true, offset: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(cell: &str) -> Option<(String, f64)> {
        let formats = TimeFormat::all();
        let found = formats.iter().find_map(|f| Some((f, f.read(cell.as_bytes())?)));
        found.map(|(format, time)| (format.text.clone(), time.seconds))
    }

    #[test]
    fn the_usual_formats_are_recognised() {
        let day = 86_400.0;
        for (cell, format, seconds) in [
            ("1970-01-02", "%Y-%m-%d", day),
            ("2000-02-29", "%Y-%m-%d", 11_016.0 * day),
            ("1969-12-31T23:59:59", "%Y-%m-%dT%H:%M:%S", -1.0),
            ("1970-01-01 00:00:01.5", "%Y-%m-%d %H:%M:%S%.f", 1.5),
            ("1970-01-01T02:00:00+02:00", "%Y-%m-%dT%H:%M:%S%:z", 0.0),
            ("1970-01-01T00:01Z", "%Y-%m-%dT%H:%MZ", 60.0),
            ("31.12.1970", "%d.%m.%Y", 364.0 * day),
            ("1.2.1970", "%-d.%-m.%Y", 31.0 * day),
            ("02/01/1970", "%m/%d/%Y", 31.0 * day),
            ("13/01/1970", "%d/%m/%Y", 12.0 * day),
            ("1/31/70", "%-m/%-d/%y", 30.0 * day),
            ("02 Jan 1970", "%d %b %Y", day),
            ("01:01", "%H:%M", 3660.0),
            ("23:59:59", "%H:%M:%S", day - 1.0),
        ] {
            assert_eq!(first(cell), Some((format.to_owned(), seconds)), "{cell}");
        }
        let others =
            ["2001-02-29", "2001-13-01", "24:00", "12", "1.5", "", "2001-01-01x", "20010101"];
        for cell in others {
            assert_eq!(first(cell), None, "{cell}");
        }
    }

    #[test]
    fn seconds_are_those_of_the_calendar() {
        let format = TimeFormat::new("%Y-%m-%d %H:%M:%S");
        for seconds in (-60_000_000_000_i64..200_000_000_000).step_by(7_654_321_987) {
            let time = DateTime::from_timestamp(seconds, 0).unwrap();
            let text = time.format("%Y-%m-%d %H:%M:%S").to_string();
            assert_eq!(format.read(text.as_bytes()).unwrap().seconds, seconds as f64, "{text}");
            assert_eq!(read_general(&format.text, &text).unwrap().seconds, seconds as f64);
        }
    }

    #[test]
    fn a_day_above_twelve_says_which_number_is_the_month() {
        let certain = |format: &str, cell: &str| {
            TimeFormat::new(format).read(cell.as_bytes()).unwrap().certain
        };
        assert!(!certain("%m/%d/%Y", "03/04/2001") && certain("%m/%d/%Y", "03/14/2001"));
        assert!(!certain("%m/%d/%Y", "03/03/2001") && !certain("%d/%m/%Y", "04/03/2001"));
        assert!(certain("%Y-%m-%d", "2001-03-04") && certain("%d.%m.%Y", "03.04.2001"));
    }
}
