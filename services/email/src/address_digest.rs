//! An address as the service remembers it: not readable, and different for each customer.

use std::fmt;
use std::str::FromStr;

use contracts::{CustomerNumber, EmailAddress};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Half of a SHA-256, which is plenty among the addresses of one customer.
const BYTES: usize = 16;

/// The digest of a customer's address, by which it is recognized and from which it cannot be read. It contains the customer
/// number, so one address of two customers has two digests.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct AddressDigest([u8; BYTES]);

/// A text that is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected 32 hexadecimal digits")]
pub(crate) struct InvalidDigest;

impl AddressDigest {
    /// The case of an address does not matter: mail servers ignore it.
    pub(crate) fn of(customer_number: &CustomerNumber, address: &EmailAddress) -> Self {
        let digest = Sha256::new()
            .chain_update(customer_number.as_str())
            .chain_update([0])
            .chain_update(address.as_str().to_ascii_lowercase())
            .finalize();
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(&digest[..BYTES]);
        Self(bytes)
    }
}

impl fmt::Display for AddressDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AddressDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AddressDigest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        if text.len() != 2 * BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidDigest);
        }
        let mut bytes = [0; BYTES];
        for (byte, digits) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[digits..digits + 2], 16).map_err(|_| InvalidDigest)?;
        }
        Ok(Self(bytes))
    }
}

impl From<AddressDigest> for String {
    fn from(digest: AddressDigest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for AddressDigest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(customer: &str, address: &str) -> AddressDigest {
        AddressDigest::of(&customer.parse().unwrap(), &address.parse().unwrap())
    }

    #[test]
    fn it_is_that_of_a_customers_address_in_any_case() {
        let ada = digest("123456789012", "ada@example.com");
        assert_eq!(digest("123456789012", "Ada@Example.com"), ada);
        assert_ne!(digest("123456789013", "ada@example.com"), ada);
        assert_ne!(digest("123456789012", "eda@example.com"), ada);
        // Written out: another digest would forget every marked address.
        assert_eq!(ada.to_string(), "8deed2f9c2c5595ed2fc214dacc99e99");
    }

    #[test]
    fn it_survives_a_round_trip_and_nothing_else_is_one() {
        let ada = digest("123456789012", "ada@example.com");
        assert_eq!(ada.to_string().parse(), Ok(ada));
        assert_eq!(
            serde_json::from_str::<AddressDigest>(&serde_json::to_string(&ada).unwrap()).unwrap(),
            ada
        );
        for text in ["", "ada@example.com", "0123456789abcdef0123456789abcdeg", "0123456789abcdef"] {
            assert_eq!(text.parse::<AddressDigest>(), Err(InvalidDigest), "{text}");
        }
    }
}
