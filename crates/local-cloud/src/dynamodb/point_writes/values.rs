//! Attribute values that the engine stores as they were given, and how they compare.

use std::cmp::Ordering;

use serde_json::{Map, Value};

/// The deepest nesting of maps and lists; the limit is 32 (developer guide, "Quotas").
const DEEPEST: usize = 8;
/// The most digits of an integer that has one spelling and fits into 64 bits.
const MOST_DIGITS: usize = 18;

/// Returns whether the engine accepts the attributes, and stores them unchanged.
pub(super) fn are_usual(attributes: &Map<String, Value>) -> bool {
    are_usual_at(attributes, 0)
}

/// Returns whether the engine accepts a value, and stores it unchanged.
pub(super) fn is_usual(value: &Value) -> bool {
    is_usual_at(value, 0)
}

fn are_usual_at(attributes: &Map<String, Value>, depth: usize) -> bool {
    attributes.iter().all(|(name, value)| !name.is_empty() && is_usual_at(value, depth))
}

fn is_usual_at(value: &Value, depth: usize) -> bool {
    if depth > DEEPEST {
        return false;
    }
    match typed(value) {
        Some(("S", Value::String(_)) | ("BOOL", Value::Bool(_)) | ("NULL", Value::Bool(true))) => true,
        Some(("N", Value::String(number))) => integer(number).is_some(),
        Some(("L", Value::Array(elements))) => elements.iter().all(|element| is_usual_at(element, depth + 1)),
        Some(("M", Value::Object(attributes))) => are_usual_at(attributes, depth + 1),
        _ => false,
    }
}

/// Returns type and content of a value.
fn typed(value: &Value) -> Option<(&str, &Value)> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.iter().next().map(|(kind, content)| (kind.as_str(), content))
}

/// Reads an integer in the spelling that the engine would give it.
fn integer(number: &str) -> Option<i64> {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let one_spelling = match digits.as_bytes() {
        [b'0'] => digits.len() == number.len(),
        [b'1'..=b'9', rest @ ..] => rest.len() < MOST_DIGITS && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    one_spelling.then(|| number.parse().ok()).flatten()
}

/// How a stored value compares with one of the request.
pub(super) enum Comparison {
    Ordered(Ordering),
    /// The value is absent or has another type: it is unequal, and neither less nor greater.
    Unequal,
}

/// Compares a stored value with a text or an integer of the request, or returns `None` if the engine has to.
pub(super) fn compare(stored: Option<&Value>, given: &Value) -> Option<Comparison> {
    let (kind, content) = typed(given)?;
    if !matches!(kind, "S" | "N") || !is_usual(given) {
        return None;
    }
    let Some(stored) = stored else { return Some(Comparison::Unequal) };
    let (stored_kind, stored_content) = typed(stored)?;
    if stored_kind != kind {
        return Some(Comparison::Unequal);
    }
    let (stored, given) = (stored_content.as_str()?, content.as_str()?);
    Some(Comparison::Ordered(if kind == "S" {
        stored.cmp(given)
    } else {
        integer(stored)?.cmp(&integer(given)?)
    }))
}
