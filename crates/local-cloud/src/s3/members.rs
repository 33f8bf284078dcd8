//! Reading the members of an input.

use serde_json::Value;

/// Returns a text member, or nothing if it is missing.
pub(super) fn text<'a>(input: &'a Value, member: &str) -> &'a str {
    input[member].as_str().unwrap_or_default()
}
