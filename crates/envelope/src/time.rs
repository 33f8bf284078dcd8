//! Reading of times. An event has two, and nearly all are in UTC and written alike.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::de::{Deserializer, Error, Visitor};

/// Reads a time in any form that a [`Timestamp`] can have.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    struct Time;
    impl Visitor<'_> for Time {
        type Value = Timestamp;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time with its offset")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
            usual(text.as_bytes()).map_or_else(|| text.parse().map_err(E::custom), Ok)
        }
    }
    deserializer.deserialize_str(Time)
}

/// Reads `2026-03-01T12:00:00Z`, with or without a fraction of the second. `None` says nothing about the text.
fn usual(text: &[u8]) -> Option<Timestamp> {
    let (date_time, rest) = text.split_first_chunk::<19>()?;
    let &[y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T', h0, h1, b':', mi0, mi1, b':', s0, s1] =
        date_time
    else {
        return None;
    };
    let nanos = match rest {
        b"Z" => 0,
        [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => {
            let missing = u32::try_from(9 - fraction.len()).ok()?;
            number(fraction)? * 10_i32.pow(missing)
        }
        _ => return None,
    };
    let two = |tens, ones| i8::try_from(number(&[tens, ones])?).ok();
    let year = i16::try_from(number(&[y0, y1, y2, y3])?).ok()?;
    let (month, day, hour) = (two(mo0, mo1)?, two(d0, d1)?, two(h0, h1)?);
    let at = DateTime::new(year, month, day, hour, two(mi0, mi1)?, two(s0, s1)?, nanos).ok()?;
    Offset::UTC.to_timestamp(at).ok()
}

/// Returns the number that at most nine decimal digits are.
fn number(digits: &[u8]) -> Option<i32> {
    let add = |number: i32, digit: &u8| digit.is_ascii_digit().then(|| number * 10 + i32::from(digit - b'0'));
    digits.iter().try_fold(0, add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Timestamp> {
        deserialize(serde_json::Value::from(text)).ok()
    }

    #[test]
    fn the_usual_form_is_read_as_any_other() {
        for text in [
            "2026-03-01T12:00:00Z",
            "2026-03-01T12:00:00.5Z",
            "2024-02-29T23:59:59.999999999Z",
            "1969-12-31T23:59:59.000001Z",
            "0000-01-01T00:00:00Z",
            "9999-12-30T00:00:00Z",
        ] {
            assert_eq!(usual(text.as_bytes()), Some(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn whatever_else_is_a_time_is_read_too_and_nothing_more() {
        for text in [
            "2026-03-01T12:00:00+01:00",
            "2026-03-01T12:00:60Z",
            "2026-03-01 12:00:00Z",
            "2026-03-01T12:00Z",
            "20260301T120000Z",
            "2026-03-01T12:00:00,5Z",
            "2026-03-01T12:00:00.0000000001Z",
            "2026-03-01T12:00:00.Z",
            "2026-02-29T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T12:00:00",
            "2026-03-0112:00:00ZZ",
            "２026-03-01T12:00:00Z",
            "+026-03-01T12:00:00Z",
            "",
        ] {
            assert_eq!(usual(text.as_bytes()), None, "{text}");
            assert_eq!(read(text), text.parse().ok(), "{text}");
        }
    }
}
