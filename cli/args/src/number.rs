//! Whole numbers as flags take them.

use std::ops::{Bound, RangeBounds};

/// Reads a whole number of `range`; the answer to any other says what is needed.
pub fn whole<T: TryFrom<i128>>(
    range: impl RangeBounds<i128> + Clone + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse::<i128>().ok().filter(|n| range.contains(n));
        number.and_then(|n| T::try_from(n).ok()).ok_or_else(|| needed(&range))
    }
}

fn needed(range: &impl RangeBounds<i128>) -> String {
    match (range.start_bound(), range.end_bound()) {
        (Bound::Included(from), Bound::Included(to)) => {
            format!("needs a whole number from {from} to {to}")
        }
        (Bound::Included(from), _) => format!("needs a whole number of at least {from}"),
        _ => "needs a whole number".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_out_of_range_is_told_the_range() {
        let told = |text| whole::<u64>(0..)(text).unwrap_err();
        assert_eq!(whole::<u64>(0..)("18446744073709551615"), Ok(u64::MAX));
        for text in ["-1", "1.5", "one", "", "18446744073709551616"] {
            assert_eq!(told(text), "needs a whole number of at least 0", "{text}");
        }
        assert_eq!(whole::<i64>(1..=8)("9").unwrap_err(), "needs a whole number from 1 to 8");
    }
}
