//! Trace ids and segment ids as X-Ray writes them.
//!
//! Specified at <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids>.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The id of a trace: 16 bytes, the first four of which are, by convention, the epoch second of its first request.
///
/// It is written `1-5759e988-bd862e3fe1be46a994272793`. OpenTelemetry writes the same bytes as 32 hexadecimal
/// digits; both forms can be parsed, upper case too. The zero id is not a trace id and does not parse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId([u8; 16]);

/// The id of a segment or subsegment: 8 bytes, written as 16 hexadecimal digits. The zero id does not parse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId([u8; 8]);

/// Why a string is not an id. It is not repeated, because it comes from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseIdError {
    /// Not `1-` + 8 hexadecimal digits + `-` + 24 hexadecimal digits, nor 32 hexadecimal digits.
    #[error("a trace id is 1-, 8 hexadecimal digits, - and 24 hexadecimal digits")]
    MalformedTraceId,
    /// Not 16 hexadecimal digits.
    #[error("a segment id is 16 hexadecimal digits")]
    MalformedSegmentId,
    /// All zeros, which stands for the absence of an id.
    #[error("an id must not be all zeros")]
    Zero,
}

impl TraceId {
    /// Returns the id with these bytes, as OpenTelemetry represents it. The caller ensures that they are not all zeros.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the id, as OpenTelemetry represents it.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Returns the epoch second that X-Ray's ids begin with. In an id that was made by anyone else it is meaningless.
    #[must_use]
    pub fn epoch_seconds(self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }
}

impl TraceId {
    /// The length of an id as it is written, in bytes.
    pub(crate) const LENGTH: usize = 35;
}

impl SegmentId {
    /// The length of an id as it is written, in bytes.
    pub(crate) const LENGTH: usize = 16;

    /// Returns the id with these bytes, as OpenTelemetry represents it. The caller ensures that they are not all zeros.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the id, as OpenTelemetry represents it.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (epoch, rest) = self.0.split_at(4);
        let mut text = *b"1-00000000-000000000000000000000000";
        encode(epoch, &mut text[2..10]);
        encode(rest, &mut text[11..]);
        f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; Self::LENGTH];
        encode(&self.0, &mut text);
        f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

impl fmt::Debug for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SegmentId({self})")
    }
}

impl FromStr for TraceId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 16];
        let (epoch, unique) = bytes.split_at_mut(4);
        let read = match text.strip_prefix("1-") {
            Some(rest) => rest.split_at_checked(8).is_some_and(|(first, rest)| {
                decode(first, epoch) && rest.strip_prefix('-').is_some_and(|rest| decode(rest, unique))
            }),
            None => decode(text, &mut bytes),
        };
        if !read {
            return Err(ParseIdError::MalformedTraceId);
        }
        if bytes == [0; 16] { Err(ParseIdError::Zero) } else { Ok(Self(bytes)) }
    }
}

impl FromStr for SegmentId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 8];
        if !decode(text, &mut bytes) {
            return Err(ParseIdError::MalformedSegmentId);
        }
        if bytes == [0; 8] { Err(ParseIdError::Zero) } else { Ok(Self(bytes)) }
    }
}

/// What [`VALUES`] has for a byte that is not a hexadecimal digit.
const NO_DIGIT: u8 = 0xff;

/// The value of each hexadecimal digit. Ids are read and written several times for each message, so it counts how.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value: u8 = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        values[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// Reads hexadecimal digits, two for each of `bytes`. Returns whether `text` is that.
fn decode(text: &str, bytes: &mut [u8]) -> bool {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != bytes.len() {
        return false;
    }
    let mut all = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (VALUES[usize::from(*high)], VALUES[usize::from(*low)]);
        all |= high | low;
        *byte = high << 4 | low & 0x0f;
    }
    all < 16
}

/// Writes two lower-case hexadecimal digits for each of `bytes`.
fn encode(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0x0f)];
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for SegmentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SegmentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_trace_id_is_read_in_both_forms() {
        let native: TraceId = "1-5759e988-bd862e3fe1be46a994272793".parse().unwrap();
        let hexadecimal: TraceId = "5759E988bd862e3fe1be46a994272793".parse().unwrap();
        assert_eq!(native, hexadecimal);
        assert_eq!(native.epoch_seconds(), 0x5759_e988);
        assert_eq!(native.to_string(), "1-5759e988-bd862e3fe1be46a994272793");
    }

    #[test]
    fn invalid_trace_ids_are_refused() {
        for text in [
            "",
            "1-",
            "1-5759e988",
            "1-5759e988-bd862e3fe1be46a99427279",
            "1-5759e988-bd862e3fe1be46a9942727933",
            "2-5759e988-bd862e3fe1be46a994272793",
            "1-5759e98-8bd862e3fe1be46a994272793",
            "1-5759e988-bd862e3fe1be46a99427279g",
            " 1-5759e988-bd862e3fe1be46a994272793",
            "ééééééééééééééééééé",
        ] {
            assert_eq!(text.parse::<TraceId>(), Err(ParseIdError::MalformedTraceId), "{text:?}");
        }
        let zeros = "1-00000000-000000000000000000000000";
        assert_eq!(zeros.parse::<TraceId>(), Err(ParseIdError::Zero));
    }

    #[test]
    fn invalid_segment_ids_are_refused() {
        assert_eq!("53995c3f42cd8ad".parse::<SegmentId>(), Err(ParseIdError::MalformedSegmentId));
        assert_eq!("0000000000000000".parse::<SegmentId>(), Err(ParseIdError::Zero));
        assert_eq!("53995c3f42cd8ad8".parse::<SegmentId>().unwrap().to_string(), "53995c3f42cd8ad8");
    }

    proptest! {
        #[test]
        fn ids_survive_being_written_and_read(trace: [u8; 16], segment: [u8; 8]) {
            prop_assume!(trace != [0; 16] && segment != [0; 8]);
            let (trace, segment) = (TraceId::from_bytes(trace), SegmentId::from_bytes(segment));
            prop_assert_eq!(trace.to_string().parse(), Ok(trace));
            prop_assert_eq!(hex::encode(trace.to_bytes()).parse(), Ok(trace));
            prop_assert_eq!(segment.to_string().parse(), Ok(segment));
            let json = serde_json::to_string(&(trace, segment)).unwrap();
            prop_assert_eq!(serde_json::from_str::<(TraceId, SegmentId)>(&json).unwrap(), (trace, segment));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in ".*") {
            let _parsed = (text.parse::<TraceId>().is_ok(), text.parse::<SegmentId>().is_ok());
        }
    }
}
