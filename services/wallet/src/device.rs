//! What a phone says of itself. Both texts come from outside and become keys and paths, so each is checked.

use std::fmt;
use std::str::FromStr;

/// The longest of either; Apple's have 32 and 64 characters.
const LONGEST: usize = 200;

/// A device library identifier: a phone, as one issuer of passes knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DeviceId(String);

/// Where Apple's push service reaches a phone. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PushToken(String);

/// The text is none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

impl DeviceId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl PushToken {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PushToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PushToken(…)")
    }
}

impl FromStr for DeviceId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        checked(text).map(Self)
    }
}

impl FromStr for PushToken {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        checked(text).map(Self)
    }
}

fn checked(text: &str) -> Result<String, Invalid> {
    let permitted = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let right = !text.is_empty() && text.len() <= LONGEST && text.bytes().all(permitted);
    if right { Ok(text.to_owned()) } else { Err(Invalid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_means_something_in_a_path_or_a_key_passes() {
        let device: DeviceId = "0a1b-2C".parse().unwrap();
        assert_eq!(device.as_str(), "0a1b-2C");
        for wrong in ["", "a/b", "a#b", "..", "a b", "ä", "a%2F", &"a".repeat(201)] {
            assert_eq!(
                (wrong.parse::<DeviceId>(), wrong.parse::<PushToken>()),
                (Err(Invalid), Err(Invalid)),
                "{wrong}"
            );
        }
        assert!(!format!("{:?}", "secret".parse::<PushToken>().unwrap()).contains("secret"));
    }
}
