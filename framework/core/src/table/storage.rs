use serde::{Deserialize, Serialize};

/// Type in which a file with types, such as Parquet or Arrow, holds the cells of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// None of its own: the type of the cells decides. Texts have no storage, nor have booleans and
    /// dates any other.
    #[default]
    Plain,
    /// Whole numbers.
    Integer {
        /// 8, 16, 32 or 64.
        bits: u8,
        /// False for numbers from 0.
        signed: bool,
    },
    /// Floating-point numbers.
    Float {
        /// 16, 32 or 64.
        bits: u8,
    },
    /// Decimal numbers.
    Decimal {
        /// 32, 64 or 128.
        bits: u8,
        /// Number of digits.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// Texts.
    Text {
        /// Layout of the texts in Arrow files.
        layout: TextLayout,
    },
    /// Dates in milliseconds.
    Date64,
    /// Dates and times.
    Timestamp {
        /// Unit in which they are counted.
        unit: TimeUnit,
        /// The zone, such as `UTC`, `Europe/Berlin` or `+02:00`; `None` for local times.
        zone: Option<String>,
    },
    /// Times of a day.
    Clock {
        /// Unit in which they are counted.
        unit: TimeUnit,
    },
    /// Lengths of time, which are numbers of seconds in a table.
    Duration {
        /// Unit in which they are counted.
        unit: TimeUnit,
    },
    /// Each value once, and its number in every row.
    Dictionary {
        /// Bits of these numbers: 8, 16, 32 or 64.
        bits: u8,
        /// True if the values have an order.
        ordered: bool,
        /// Storage of the values.
        values: Box<Storage>,
    },
}

/// Layout of the texts of an Arrow file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextLayout {
    /// With offsets of 32 bits.
    #[default]
    Small,
    /// With offsets of 64 bits.
    Large,
    /// With views.
    View,
}

/// Unit of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds.
    Nanosecond,
}

impl Storage {
    /// Whole numbers of 64 bits.
    pub const WHOLE: Self = Self::Integer { bits: 64, signed: true };
    /// Numbers of 64 bits.
    pub const REAL: Self = Self::Float { bits: 64 };

    /// True if there is none.
    pub fn is_plain(&self) -> bool {
        *self == Self::Plain
    }

    /// Storage of the values.
    pub fn of_values(&self) -> &Self {
        match self {
            Self::Dictionary { values, .. } => values,
            other => other,
        }
    }

    /// Seconds between the zone's time and UTC, if the zone is an offset such as `+02:00`.
    pub fn offset(&self) -> Option<i32> {
        let Self::Timestamp { zone: Some(zone), .. } = self else { return None };
        let (sign, rest) = match zone.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let digits = rest.replacen(':', "", 1);
        let is_time = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_time.then(|| digits.parse::<i32>().ok())??;
        Some(sign * (number / 100 * 60 + number % 100) * 60)
    }

    /// Dates and times with this offset from UTC in seconds; none of its own for UTC itself.
    pub fn at_offset(seconds: i32) -> Self {
        if seconds == 0 {
            return Self::Plain;
        }
        let minutes = seconds.abs() / 60;
        let sign = if seconds < 0 { '-' } else { '+' };
        let zone = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        Self::Timestamp { unit: TimeUnit::Microsecond, zone: Some(zone) }
    }
}

impl TimeUnit {
    /// Number of units in a second.
    pub fn per_second(self) -> f64 {
        match self {
            Self::Second => 1.0,
            Self::Millisecond => 1e3,
            Self::Microsecond => 1e6,
            Self::Nanosecond => 1e9,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_read_from_the_zone_that_it_makes() {
        for seconds in [7200, -12_600, 19_800, -3600] {
            assert_eq!(Storage::at_offset(seconds).offset(), Some(seconds));
        }
        assert!(Storage::at_offset(0).is_plain());
        for zone in ["UTC", "Europe/Berlin", "", "+2", "+0a:00"] {
            let unit = TimeUnit::Second;
            let storage = Storage::Timestamp { unit, zone: Some(zone.to_owned()) };
            assert_eq!(storage.offset(), None, "{zone}");
        }
    }
}
