//! Numbers as AWS compares them: exactly, to six decimal places, between −5·10⁹ and 5·10⁹.

use std::cmp::Ordering;

pub(crate) const OUT_OF_RANGE: &str = "Value must be between -5.0E9 and 5.0E9, inclusive";

const DECIMAL_PLACES: i64 = 6;
const LIMIT: i128 = 5_000_000_000_000_000;

/// A number of a pattern or an event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// In millionths.
    Comparable(i64),
    /// Out of the range in which AWS compares numbers: equal only to the same number.
    Other(f64),
}

impl Number {
    pub(crate) const SMALLEST: i64 = -5_000_000_000_000_000;
    pub(crate) const LARGEST: i64 = 5_000_000_000_000_000;

    /// Reads a number as JSON writes it.
    pub(crate) fn read(text: &str) -> Self {
        match millionths(text) {
            Some(value) => Self::Comparable(value),
            None => Self::Other(text.parse().unwrap_or(f64::NAN)),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Comparable(one), Self::Comparable(other)) => one == other,
            (Self::Other(one), Self::Other(other)) => one.total_cmp(other) == Ordering::Equal,
            _ => false,
        }
    }
}

/// Returns the millionths of a number; further digits are cut off.
pub(crate) fn millionths(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?),
        None => (text, 0_i64),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let places = exponent.checked_add(DECIMAL_PLACES)?;
    let mut value: i128 = 0;
    let digits = whole.bytes().chain(fraction.bytes());
    let shift = places.checked_add(i64::try_from(whole.len()).ok()?)?;
    for (index, digit) in digits.enumerate() {
        if i64::try_from(index).ok()? >= shift {
            break;
        }
        value = value * 10 + i128::from(digit - b'0');
        if value > LIMIT {
            return None;
        }
    }
    let read = i64::try_from(whole.len() + fraction.len()).ok()?;
    if value != 0 {
        for _ in read..shift {
            value *= 10;
            if value > LIMIT {
                return None;
            }
        }
    }
    let value = i64::try_from(value).ok()?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_is_equal_however_it_is_written() {
        for text in ["300", "3.0e2", "300.000", "0.3E+3", "30000e-2", "300.0000001"] {
            assert_eq!(millionths(text), Some(300_000_000), "{text}");
        }
        assert_eq!(millionths("-0.000001"), Some(-1));
        assert_eq!(millionths("0e999999"), Some(0));
        assert_eq!(millionths("1e-99999"), Some(0));
    }

    #[test]
    fn numbers_beyond_five_billion_are_not_comparable() {
        assert_eq!(millionths("5000000000"), Some(Number::LARGEST));
        assert_eq!(millionths("-5e9"), Some(Number::SMALLEST));
        for text in ["5000000000.000001", "1e10", "123456789012", "1e999999999999", "9e9223372036854775807"] {
            assert_eq!(millionths(text), None, "{text}");
        }
        assert_eq!(Number::read("123456789012"), Number::read("123456789012"));
        assert_ne!(Number::read("123456789012"), Number::read("123456789013"));
    }
}
