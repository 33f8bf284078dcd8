//! Discounts: what the CRM gives and takes, and what becomes of it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use iso_currency::Currency;
use jiff::Timestamp;
use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::text::{Rule, text_value};
use crate::values::shown;
use crate::{CRM, CustomerNumber, InvalidValue, LOYALTY, event};

text_value!(
    /// What the CRM calls a discount, unique for a customer: 1 to 64 letters, digits, `.`, `_` and `-`.
    DiscountId,
    Rule {
        min_length: 1,
        max_length: 64,
        pattern: "^[A-Za-z0-9._-]+$",
        expected: "must be 1 to 64 letters, digits, full stops, underscores or hyphens",
    },
    debug: shown
);

text_value!(
    /// A currency by its code of three letters
    /// ([ISO 4217](https://www.iso.org/iso-4217-currency-codes.html)), such as `EUR`.
    CurrencyCode,
    Rule {
        min_length: 3,
        max_length: 3,
        pattern: "^[A-Z]{3}$",
        expected: "must be a currency code of ISO 4217 such as \"EUR\"",
    },
    debug: shown,
    format: "iso-4217",
    read: existing_currency
);

fn existing_currency(code: &str) -> Option<String> {
    currency(code).map(|_| code.to_owned())
}

/// Returns the currency with this code if amounts can be paid in it: gold, testing codes and the like have no minor unit.
fn currency(code: &str) -> Option<Currency> {
    Currency::from_code(code).filter(|currency| currency.exponent().is_some())
}

impl CurrencyCode {
    /// Returns how many digits the minor unit has: 2 for `EUR`, 0 for `JPY`.
    #[must_use]
    pub fn minor_digits(&self) -> usize {
        currency(self.as_str()).and_then(Currency::exponent).map_or(0, usize::from)
    }
}

/// Per cent off: 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Percentage(u8);

impl Percentage {
    /// Returns the number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Percentage {
    type Error = InvalidValue;

    fn try_from(percentage: u8) -> Result<Self, InvalidValue> {
        match percentage {
            1..=100 => Ok(Self(percentage)),
            _ => Err(InvalidValue { expected: "must be a whole number from 1 to 100" }),
        }
    }
}

impl From<Percentage> for u8 {
    fn from(percentage: Percentage) -> Self {
        percentage.0
    }
}

impl JsonSchema for Percentage {
    fn schema_name() -> Cow<'static, str> {
        "Percentage".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "Per cent off.", "type": "integer", "minimum": 1, "maximum": 100})
    }
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Amount {
    /// The amount in the currency's minor unit: 500 is 5.00 in `EUR` and 500 in `JPY`.
    #[schemars(range(min = 1, max = 1_000_000_000_000_u64))]
    pub minor_units: u64,
    /// The currency.
    pub currency: CurrencyCode,
}

impl Amount {
    /// Writes the amount in the currency's major unit, with a full stop: `5.00`.
    #[must_use]
    pub fn in_major_units(&self) -> String {
        let digits = self.currency.minor_digits();
        let padded = format!("{:0width$}", self.minor_units, width = digits + 1);
        let (major, minor) = padded.split_at(padded.len() - digits);
        let point = if digits == 0 { "" } else { "." };
        format!("{major}{point}{minor}")
    }
}

/// What a discount is worth. On the wire it is an object with one field, `percentage` or `amount`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiscountValue {
    /// Per cent off the price.
    Percentage(Percentage),
    /// An amount off the price.
    Amount(Amount),
}

impl JsonSchema for DiscountValue {
    fn schema_name() -> Cow<'static, str> {
        "DiscountValue".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What a discount is worth: either a percentage or an amount off the price.",
            "type": "object",
            "properties": {
                "percentage": generator.subschema_for::<Percentage>(),
                "amount": generator.subschema_for::<Amount>(),
            },
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}

/// A customer was given a discount, or an earlier gift was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiscountGifted {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// The discount.
    pub discount_id: DiscountId,
    /// What it is worth.
    pub value: DiscountValue,
    /// When it expires.
    pub valid_until: Timestamp,
}
event!(DiscountGifted, CRM);

/// A customer used a discount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiscountRedeemed {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// The discount.
    pub discount_id: DiscountId,
}
event!(DiscountRedeemed, CRM);

/// A discount can be used from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiscountActivated {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// The discount.
    pub discount_id: DiscountId,
    /// What it is worth.
    pub value: DiscountValue,
    /// When it expires.
    pub valid_until: Timestamp,
    /// Grows with each change of this discount, also beyond an erasure.
    pub revision: u64,
}
event!(DiscountActivated, LOYALTY);

/// A discount has expired unused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiscountExpired {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// The discount.
    pub discount_id: DiscountId,
    /// What it was worth.
    pub value: DiscountValue,
    /// When it expired.
    pub valid_until: Timestamp,
    /// Grows with each change of this discount, also beyond an erasure.
    pub revision: u64,
}
event!(DiscountExpired, LOYALTY);

/// A discount was used and cannot be used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiscountUsed {
    /// The customer it concerns.
    pub customer_number: CustomerNumber,
    /// The discount.
    pub discount_id: DiscountId,
    /// Grows with each change of this discount, also beyond an erasure.
    pub revision: u64,
}
event!(DiscountUsed, LOYALTY);

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(minor_units: u64, currency: &str) -> Amount {
        Amount { minor_units, currency: currency.parse().unwrap() }
    }

    #[test]
    fn amounts_are_written_in_their_major_unit() {
        for (amount, written) in [
            (amount(500, "EUR"), "5.00"),
            (amount(5, "EUR"), "0.05"),
            (amount(500, "JPY"), "500"),
            (amount(1_234_567, "KWD"), "1234.567"),
        ] {
            assert_eq!(amount.in_major_units(), written);
        }
    }

    #[test]
    fn currencies_are_those_of_iso_4217_that_money_is_paid_in() {
        for right in ["EUR", "USD", "CHF", "JPY"] {
            assert!(right.parse::<CurrencyCode>().is_ok(), "{right}");
        }
        for wrong in ["", "eur", "EURO", "ABC", "XAU", "XXX", "XTS"] {
            assert!(wrong.parse::<CurrencyCode>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_discount_is_either_a_percentage_or_an_amount() {
        let read = serde_json::from_str::<DiscountValue>;
        assert!(read(r#"{"percentage": 15}"#).is_ok());
        assert!(read(r#"{"amount": {"minor_units": 500, "currency": "EUR"}}"#).is_ok());
        for wrong in [
            "{}",
            r#"{"percentage": 0}"#,
            r#"{"percentage": 101}"#,
            r#"{"amount": {"minor_units": 500, "currency": "XXX"}}"#,
            r#"{"percentage": 15, "amount": {"minor_units": 500, "currency": "EUR"}}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ids_are_plain_words() {
        assert!("SUMMER-2026_1.a".parse::<DiscountId>().is_ok());
        for wrong in ["", "a b", "a#b", &"x".repeat(65)] {
            assert!(wrong.parse::<DiscountId>().is_err(), "{wrong}");
        }
    }
}
