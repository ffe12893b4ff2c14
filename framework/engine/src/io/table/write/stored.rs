//! Values in the units and the range of the type that holds them.

use arrow_schema::{DataType, TimeUnit};

use super::typed::Values;

/// Values as a type of Arrow holds them: whole numbers of its unit, the nearest within its range.
#[derive(Debug)]
pub(super) enum Stored<'a> {
    Whole(Vec<Option<i64>>),
    Wide(Vec<Option<i128>>),
    Real(Vec<Option<f64>>),
    Flag(Vec<Option<bool>>),
    Text(Vec<Option<std::borrow::Cow<'a, str>>>),
}

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// Largest number of a float16.
const MOST_HALF: f64 = 65_504.0;

impl<'a> Stored<'a> {
    pub fn of(values: Values<'a>, kind: &DataType) -> Self {
        match (values, kind) {
            (Values::Whole(all), kind) => {
                let (least, most) = range(kind);
                Self::Whole(mapped(all, |v| v.clamp(least, most)))
            }
            (Values::Real(all), DataType::Float32) => {
                let most = f64::from(f32::MAX);
                Self::Real(mapped(all, |v| v.clamp(-most, most)))
            }
            (Values::Real(all), DataType::Float16) => {
                Self::Real(mapped(all, |v| v.clamp(-MOST_HALF, MOST_HALF)))
            }
            (
                Values::Real(all),
                DataType::Decimal32(precision, scale)
                | DataType::Decimal64(precision, scale)
                | DataType::Decimal128(precision, scale),
            ) => {
                let most = 10_i128.saturating_pow(u32::from(*precision)) - 1;
                let power = 10_f64.powi(i32::from(*scale));
                Self::Wide(mapped(all, |v| ((v * power).round() as i128).clamp(-most, most)))
            }
            (Values::Real(all), DataType::Duration(unit)) => {
                let per_second = per_second(*unit);
                Self::Whole(mapped(all, |v| (v * per_second).round() as i64))
            }
            (Values::Real(all), _) => Self::Real(all),
            (Values::Flag(all), _) => Self::Flag(all),
            (Values::Text(all), _) => Self::Text(all),
            (Values::Day(all), DataType::Date64) => {
                Self::Whole(mapped(all, |v| i64::from(v) * DAY))
            }
            (Values::Day(all), _) => Self::Whole(mapped(all, i64::from)),
            (Values::Time(all), kind) => Self::Whole(mapped(all, |v| in_unit(v, kind))),
        }
    }
}

fn mapped<A, B>(all: Vec<Option<A>>, change: impl Fn(A) -> B) -> Vec<Option<B>> {
    all.into_iter().map(|value| value.map(&change)).collect()
}

fn per_second(unit: TimeUnit) -> f64 {
    match unit {
        TimeUnit::Second => 1.0,
        TimeUnit::Millisecond => 1e3,
        TimeUnit::Microsecond => 1e6,
        TimeUnit::Nanosecond => 1e9,
    }
}

/// Microseconds in the unit of a type of times.
fn in_unit(micros: i64, kind: &DataType) -> i64 {
    let nearest = |unit: i64| (micros + unit / 2).div_euclid(unit);
    match kind {
        DataType::Timestamp(unit, _) | DataType::Time32(unit) | DataType::Time64(unit) => {
            match unit {
                TimeUnit::Second => nearest(1_000_000),
                TimeUnit::Millisecond => nearest(1000),
                TimeUnit::Microsecond => micros,
                TimeUnit::Nanosecond => micros.saturating_mul(1000),
            }
        }
        _ => micros,
    }
}

/// The least and the largest number of a type.
fn range(kind: &DataType) -> (i64, i64) {
    match kind {
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::UInt8 => (0, u8::MAX.into()),
        DataType::UInt16 => (0, u16::MAX.into()),
        DataType::UInt32 => (0, u32::MAX.into()),
        DataType::UInt64 => (0, i64::MAX),
        _ => (i64::MIN, i64::MAX),
    }
}
