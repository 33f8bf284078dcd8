//! The rules for message attributes (SQS developer guide, "Amazon SQS message attributes").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::characters;
use super::errors::{invalid_parameter, unsupported};
use super::message::{Attributes, TRACE_HEADER};
use super::outgoing::MessageAttributeValue;
use crate::reply::AwsError;

const MAX_ATTRIBUTES: usize = 10;
const MAX_NAME: usize = 256;
const MAX_TYPE: usize = 256;
/// How many significant digits a number may have, and its largest exponents.
const MAX_DIGITS: usize = 38;
const MAX_EXPONENT: i64 = 126;
const MIN_EXPONENT: i64 = -128;

/// Checks the attributes of a message.
pub(super) fn check(attributes: &Attributes) -> Result<(), AwsError> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(invalid_parameter(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MAX_ATTRIBUTES}].",
            attributes.len()
        )));
    }
    attributes.iter().try_for_each(|(name, value)| check_name(name).and_then(|()| check_value(name, value)))
}

/// Returns how many bytes attributes add to a message: their names, types and values.
pub(super) fn size(attributes: &Attributes) -> usize {
    attributes
        .iter()
        .map(|(name, value)| {
            let text = value.string_value.as_ref().map_or(0, String::len);
            let binary = value.binary_value.as_ref().map_or(0, |encoded| decoded_length(encoded));
            name.len() + value.data_type.len() + text + binary
        })
        .sum()
}

/// Returns the trace header from a message's system attributes: the only one that a sender may set, a string.
pub(super) fn trace_header(system: &Attributes) -> Result<Option<&str>, AwsError> {
    if let Some(name) = system.keys().find(|name| *name != TRACE_HEADER) {
        return Err(invalid_parameter(format!("Message system attribute name '{name}' is invalid.")));
    }
    let Some(value) = system.get(TRACE_HEADER) else { return Ok(None) };
    if value.data_type != "String" {
        return Err(invalid_parameter(format!(
            "The data type of message system attribute '{TRACE_HEADER}' must be String."
        )));
    }
    let text = value.string_value.as_deref().filter(|text| !text.is_empty()).ok_or_else(|| {
        invalid_parameter(format!(
            "Message system attribute '{TRACE_HEADER}' must contain a non-empty value of type 'String'."
        ))
    })?;
    characters::check_value(TRACE_HEADER, text)?;
    Ok(Some(text))
}

fn decoded_length(encoded: &str) -> usize {
    let padding = encoded.bytes().rev().take_while(|byte| *byte == b'=').count();
    (encoded.len() / 4 * 3).saturating_sub(padding)
}

fn check_name(name: &str) -> Result<(), AwsError> {
    if name.is_empty() {
        return Err(invalid_parameter("The request must contain non-empty message (user) attribute names."));
    }
    if name.len() > MAX_NAME {
        return Err(invalid_parameter("Message (user) attribute name must be shorter than 256 bytes."));
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        return Err(invalid_parameter(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved \
             for internal use.",
        ));
    }
    let allowed = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.');
    if let Some(refused) = name.chars().find(|character| !allowed(*character)) {
        return Err(invalid_parameter(format!(
            "Invalid non-alphanumeric character '#x{:X}' was found in the message attribute name. Can only include \
             alphanumeric characters, hyphens, underscores, or dots.",
            u32::from(refused)
        )));
    }
    if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return Err(invalid_parameter(format!(
            "Message (user) attribute name '{name}' is invalid. It can't start or end with a dot, or contain \
             successive dots."
        )));
    }
    Ok(())
}

fn check_value(name: &str, value: &MessageAttributeValue) -> Result<(), AwsError> {
    let base = value.data_type.split_once('.').map_or(value.data_type.as_str(), |(base, _)| base);
    if value.data_type.is_empty() {
        return Err(invalid_parameter(format!(
            "The message (user) attribute '{name}' must contain a non-empty message attribute type."
        )));
    }
    if matches!(base, "StringList" | "BinaryList") {
        return Err(unsupported("Message attribute list values in SendMessage operation are not supported."));
    }
    if !matches!(base, "String" | "Number" | "Binary") {
        return Err(invalid_parameter(format!(
            "The type of message (user) attribute '{name}' is invalid. You must use only the following supported type \
             prefixes: Binary, Number, String."
        )));
    }
    if value.data_type.len() > MAX_TYPE {
        return Err(invalid_parameter("Message (user) attribute type must be shorter than 256 bytes."));
    }
    let empty = || {
        invalid_parameter(format!(
            "Message (user) attribute '{name}' must contain a non-empty value of type '{base}'."
        ))
    };
    if value.string_value.is_some() && value.binary_value.is_some() {
        return Err(invalid_parameter(format!("Message (user) attribute '{name}' has multiple values.")));
    }
    if base == "Binary" {
        let encoded =
            value.binary_value.as_deref().filter(|encoded| !encoded.is_empty()).ok_or_else(empty)?;
        return STANDARD.decode(encoded).map(drop).map_err(|_| {
            invalid_parameter(format!("The value of message (user) attribute '{name}' is not valid Base64."))
        });
    }
    let text = value.string_value.as_deref().filter(|text| !text.is_empty()).ok_or_else(empty)?;
    characters::check_value(name, text)?;
    if base == "Number" && !is_number(text) {
        return Err(invalid_parameter(format!(
            "Can't cast the value of message (user) attribute '{name}' to a number."
        )));
    }
    Ok(())
}

/// Returns whether this is a decimal number that SQS keeps exactly: an optional sign, digits with at most one dot, and an
/// optional exponent.
fn is_number(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()),
        None => (unsigned, Some(0)),
    };
    let Some(exponent) = exponent else { return false };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let significant = digits.trim_matches('0');
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let magnitude =
        i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_sub_unsigned(leading as u64 + 1);
    let magnitude = magnitude.saturating_add(exponent);
    significant.is_empty()
        || (significant.len() <= MAX_DIGITS && (MIN_EXPONENT..=MAX_EXPONENT).contains(&magnitude))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, data_type: &str, value: &str) -> Option<String> {
        let value =
            MessageAttributeValue { data_type: data_type.to_owned(), ..MessageAttributeValue::string(value) };
        check(&Attributes::from([(name.to_owned(), value)])).err().map(|error| {
            assert_eq!(error.shown_code(), "InvalidParameterValue");
            error.message
        })
    }

    #[test]
    fn names_are_alphanumeric_and_not_reserved() {
        for name in ["a", "attr.1øßä", "a-b_c.d", "AWSome"] {
            assert_eq!(refusal(name, "String", "v"), None, "{name}");
        }
        let long = "L".repeat(257);
        for name in ["", "aWs.x", "AMAZON.x", ".a", "a.", "a..b", "a!", "a\"", "§", "a b", "a^b", &long] {
            assert!(refusal(name, "String", "v").is_some(), "{name}");
        }
    }

    #[test]
    fn types_have_a_known_prefix_and_values_fit_them() {
        for (data_type, value) in
            [("String", "x"), ("String.uuid", "x"), ("Number", "1"), ("Number.int", "-1.5e3")]
        {
            assert_eq!(refusal("a", data_type, value), None, "{data_type}");
        }
        assert_eq!(
            refusal("a", "Bool", "true").unwrap(),
            "The type of message (user) attribute 'a' is invalid. You must use only the following supported type \
             prefixes: Binary, Number, String."
        );
        assert_eq!(
            refusal("a", "String", "").unwrap(),
            "Message (user) attribute 'a' must contain a non-empty value of type 'String'."
        );
        assert_eq!(
            refusal("n", "Number", "abc").unwrap(),
            "Can't cast the value of message (user) attribute 'n' to a number."
        );
        assert!(refusal("a", "Strings", "x").is_some());
        assert!(refusal("a", &format!("Number.{}", "L".repeat(256)), "1").is_some());
        assert!(refusal("a", "String", "\u{1}").is_some());
        assert!(refusal("a", "Binary", "x").is_some(), "a binary attribute with a string");
    }

    #[test]
    fn numbers_have_38_digits_and_a_bounded_exponent() {
        for number in ["0", "007", "+1", "-.5", "5.", "1E126", "1e-128", "1614717034367", &"9".repeat(38)] {
            assert!(is_number(number), "{number}");
        }
        for number in ["", "-", ".", "1 2", "0x10", "1e", "NaN", "inf", "1e127", "1e-129", &"9".repeat(39)] {
            assert!(!is_number(number), "{number}");
        }
    }

    #[test]
    fn sizes_count_names_types_and_decoded_values() {
        let binary = MessageAttributeValue {
            data_type: "Binary".to_owned(),
            string_value: None,
            binary_value: Some(STANDARD.encode([0; 5])),
        };
        let attributes = Attributes::from([
            ("k".to_owned(), MessageAttributeValue::string("x")),
            ("b".to_owned(), binary),
        ]);
        assert_eq!(size(&attributes), 1 + 6 + 1 + 1 + 6 + 5);
    }
}
