//! When a membership began, as the value of a mail's tag.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A time in nanoseconds since 1970: a tag has no colons, and a membership is told from an erasure by its exact time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct MembershipTime(Timestamp);

impl fmt::Display for MembershipTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_nanosecond().fmt(f)
    }
}

impl From<Timestamp> for MembershipTime {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl From<MembershipTime> for Timestamp {
    fn from(time: MembershipTime) -> Self {
        time.0
    }
}

impl From<MembershipTime> for String {
    fn from(time: MembershipTime) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for MembershipTime {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let nanoseconds = text.parse().ok();
        let time = nanoseconds.and_then(|nanoseconds| Timestamp::from_nanosecond(nanoseconds).ok());
        time.map(Self).ok_or("expected nanoseconds since 1970")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_every_nanosecond_in_characters_that_a_tag_has() {
        for text in ["2026-03-01T12:00:00.123456789Z", "1969-12-31T23:59:59Z"] {
            let time: Timestamp = text.parse().unwrap();
            let written = MembershipTime::from(time).to_string();
            assert!(written.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'), "{written}");
            assert_eq!(Timestamp::from(MembershipTime::try_from(written).unwrap()), time);
        }
        for text in ["", "soon", "99999999999999999999999"] {
            assert!(MembershipTime::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
