//! SNS's filter policies: the same language with fewer operators and with limits.

use serde_json::{Map, Value};

use crate::compile::{Alternative, compile_with, is_empty_object};
use crate::expression::Operators;

/// Amazon SNS developer guide, "Filter policy constraints".
const MAX_KEYS: usize = 5;
const MAX_COMBINATIONS: usize = 150;
const MAX_BYTES: usize = 256 * 1024;

/// Compiles a policy, or returns AWS's words for what is wrong; `None` for a policy without conditions.
pub(crate) fn compile(text: &str, may_be_nested: bool) -> Result<Option<Vec<Alternative>>, String> {
    if text.len() > MAX_BYTES {
        return Err("FilterPolicy: Filter policy is too large".to_owned());
    }
    if is_empty_object(text) {
        return Ok(None);
    }
    let value: Value = serde_json::from_str(text)
        .map_err(|error| format!("FilterPolicy: failed to parse JSON. {}", parse_error(text, &error)))?;
    let compact = without_white_space(text);
    let compiled = compile_with(&compact, Operators::Sns, MAX_COMBINATIONS);
    if let Value::Object(policy) = &value
        && compiled.is_ok()
    {
        if !may_be_nested && is_nested(policy) {
            return Err(
                "Filter policy scope MessageAttributes does not support nested filter policy".to_owned()
            );
        }
        if policy.len() > MAX_KEYS {
            return Err(format!("FilterPolicy: Filter policy can not have more than {MAX_KEYS} keys"));
        }
        if combinations(policy, 1, 1) > MAX_COMBINATIONS {
            return Err("FilterPolicy: Filter policy is too complex".to_owned());
        }
    }
    compiled.map(Some).map_err(|reason| {
        if reason.starts_with("$or makes") {
            "FilterPolicy: Filter policy is too complex".to_owned()
        } else {
            format!("FilterPolicy: {reason}")
        }
    })
}

/// Returns the words of AWS's parser if it finds the fault too.
fn parse_error(text: &str, error: &serde_json::Error) -> String {
    compile_with(text, Operators::Sns, MAX_COMBINATIONS).err().unwrap_or_else(|| error.to_string())
}

/// Returns the text without white space between tokens: the positions in SNS's messages count in such a text.
fn without_white_space(text: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    text.chars()
        .filter(|character| {
            if quoted {
                quoted = escaped || *character != '"';
                escaped = !escaped && *character == '\\';
                return true;
            }
            quoted = *character == '"';
            !character.is_ascii_whitespace()
        })
        .collect()
}

fn is_nested(policy: &Map<String, Value>) -> bool {
    policy.iter().any(|(name, value)| match value {
        Value::Object(_) => true,
        Value::Array(branches) if name == "$or" => {
            branches.iter().any(|branch| branch.as_object().is_some_and(is_nested))
        }
        _ => false,
    })
}

/// Returns the number of combinations: the values of each list times its depth, multiplied, and the sum over the branches
/// of `$or`.
fn combinations(policy: &Map<String, Value>, depth: usize, so_far: usize) -> usize {
    policy.iter().fold(so_far, |so_far, (name, value)| match value {
        Value::Object(nested) => combinations(nested, depth + 1, so_far),
        Value::Array(branches) if name == "$or" => branches
            .iter()
            .filter_map(Value::as_object)
            .fold(0_usize, |sum, branch| sum.saturating_add(combinations(branch, depth, so_far))),
        Value::Array(values) => so_far.saturating_mul(values.len()).saturating_mul(depth),
        _ => so_far,
    })
}
