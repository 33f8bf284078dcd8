//! The parts of a log line as JSON.

use std::fmt;
use std::io::Write as _;

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::Serialize;

/// Appends a member to an object that has one already. `name` needs no escapes.
pub(crate) fn json_entry(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    json_text(out, value);
}

/// Appends a JSON string. Nearly every text is written as it is, and finding that out at once takes a fraction of looking at
/// each byte.
pub(crate) fn json_text(out: &mut Vec<u8>, text: &str) {
    let escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    if text.bytes().fold(false, |any, byte| any | escaped(byte)) {
        return json(out, text);
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Appends a time with its microseconds, `2026-11-23T02:34:56.789012Z`.
pub(crate) fn timestamp(out: &mut Vec<u8>, time: Timestamp) {
    let at = Offset::UTC.to_datetime(time);
    let Ok(year) = u32::try_from(at.year()) else { return write(out, format_args!("{time:.6}")) };
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    let parts = [
        (0..4, year),
        (5..7, at.month().unsigned_abs().into()),
        (8..10, at.day().unsigned_abs().into()),
        (11..13, at.hour().unsigned_abs().into()),
        (14..16, at.minute().unsigned_abs().into()),
        (17..19, at.second().unsigned_abs().into()),
        (20..26, at.subsec_nanosecond().unsigned_abs() / 1_000),
    ];
    for (place, mut rest) in parts {
        for digit in text[place].iter_mut().rev() {
            *digit = b"0123456789"[(rest % 10) as usize];
            rest /= 10;
        }
    }
    out.extend_from_slice(&text);
}

/// Appends a JSON value. Numbers and texts can be written, and writing to memory cannot fail.
pub(crate) fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}

/// Appends text. Writing to memory cannot fail.
pub(crate) fn write(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_texts_are_written_as_they_always_are() {
        for time in [
            "2026-01-02T03:04:05Z",
            "1999-12-31T23:59:59.999999999Z",
            "-000001-01-01T00:00:00.5Z",
            "0000-01-01T00:00:00Z",
        ] {
            let time: Timestamp = time.parse().unwrap();
            let mut written = Vec::new();
            timestamp(&mut written, time);
            assert_eq!(String::from_utf8(written).unwrap(), format!("{time:.6}"));
        }
        for text in ["", "plain", "Müller", "a\"b", "a\\b", "a\nb\u{7f}\u{0}"] {
            let mut written = Vec::new();
            json_text(&mut written, text);
            assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(text).unwrap());
        }
    }
}
