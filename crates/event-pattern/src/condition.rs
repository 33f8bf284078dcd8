//! What a field's value is compared with.

use crate::address::{Address, Block};
use crate::number::Number;
use crate::wildcard::Wildcard;

/// A value of an event that is neither an object nor a list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Text(&'a str),
    Number(Number),
    Bool(bool),
    Null,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// A string, with the address it may be: an address matches however it is written.
    Text(String, Option<Address>),
    Number(Number),
    Bool(bool),
    Null,
    Prefix(String),
    Suffix(String),
    /// The text is in lower case, as in the other two that ignore case.
    IgnoreCase(String),
    PrefixIgnoreCase(String),
    SuffixIgnoreCase(String),
    Wildcard(Wildcard),
    Cidr(Block),
    /// In millionths, both ends included.
    Range(i64, i64),
    Exists,
    Absent,
    AnythingBut(Vec<Self>),
}

impl Condition {
    pub(crate) fn text(text: String) -> Self {
        let address = Address::read(&text);
        Self::Text(text, address)
    }

    /// Returns whether an existing value meets the condition.
    pub(crate) fn accepts(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Exists, _) | (Self::Null, Scalar::Null) => true,
            (Self::AnythingBut(conditions), _) => {
                conditions.iter().all(|condition| !condition.accepts(value))
            }
            (Self::Bool(expected), Scalar::Bool(value)) => *expected == value,
            (Self::Number(expected), Scalar::Number(value)) => *expected == value,
            (Self::Range(low, high), Scalar::Number(Number::Comparable(value))) => {
                (*low..=*high).contains(&value)
            }
            (_, Scalar::Text(text)) => self.accepts_text(text),
            _ => false,
        }
    }

    fn accepts_text(&self, text: &str) -> bool {
        match self {
            Self::Text(expected, address) => {
                expected == text || address.is_some() && *address == Address::read(text)
            }
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::IgnoreCase(expected) => *expected == text.to_lowercase(),
            Self::PrefixIgnoreCase(prefix) => text.to_lowercase().starts_with(prefix),
            Self::SuffixIgnoreCase(suffix) => text.to_lowercase().ends_with(suffix),
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::Cidr(block) => Address::read(text).is_some_and(|address| block.contains(address)),
            _ => false,
        }
    }
}
