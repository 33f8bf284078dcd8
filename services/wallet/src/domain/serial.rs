//! The serial number of a pass.

use std::fmt;
use std::str::FromStr;

use contracts::CustomerNumber;
use serde::Serialize;
use uuid::Uuid;

/// The namespace of serial numbers, chosen at random once.
const NAMESPACE: Uuid = Uuid::from_u128(0x5d1b_7a0e_93c4_4f6b_8e52_6c0f_a917_3d28);

/// Names a pass to phones and in the bucket, without the customer's number: device lists, paths and keys reach more logs
/// than a pass does.
///
/// It is a function of the number, so the pass is found without a lookup. That makes it an alias, not a secret: whoever has a
/// serial can try all numbers. What protects a pass is its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Serial(Uuid);

impl Serial {
    /// Returns the serial number of a customer's pass.
    ///
    /// ```
    /// use wallet::domain::serial::Serial;
    ///
    /// let serial = Serial::of(&"123456789012".parse()?);
    /// assert_eq!(serial.to_string().parse(), Ok(serial));
    /// # Ok::<(), contracts::InvalidValue>(())
    /// ```
    #[must_use]
    pub fn of(customer_number: &CustomerNumber) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, customer_number.as_str().as_bytes()))
    }

    /// Returns the key of the pass in the bucket.
    #[must_use]
    pub fn key(self) -> String {
        format!("{self}.pkpass")
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// The text is no serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSerial;

impl FromStr for Serial {
    type Err = NoSerial;

    /// Reads what [`Display`](fmt::Display) writes, and no other form of the same number: a pass has one address.
    fn from_str(text: &str) -> Result<Self, NoSerial> {
        let serial = Self(Uuid::try_parse(text).map_err(|_| NoSerial)?);
        if serial.to_string() == text { Ok(serial) } else { Err(NoSerial) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_has_one_serial_in_one_form() {
        let serial = Serial::of(&"123456789012".parse().unwrap());
        assert_eq!(serial, Serial::of(&"123456789012".parse().unwrap()));
        assert_ne!(serial, Serial::of(&"123456789013".parse().unwrap()));
        let text = serial.to_string();
        assert!(!text.contains("123456789012"));
        assert_eq!(serial.key(), format!("{text}.pkpass"));
        for other in [text.to_uppercase(), text.replace('-', ""), format!("{{{text}}}"), String::new()] {
            assert_eq!(other.parse::<Serial>(), Err(NoSerial));
        }
    }
}
