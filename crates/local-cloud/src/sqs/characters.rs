//! Which characters SQS takes: those of XML 1.0 in bodies and string values (API reference, `SendMessage`), and some
//! punctuation in the ids of FIFO queues.

use crate::reply::AwsError;

use super::errors::{invalid_message_contents, invalid_parameter, invalid_value};

const ALLOWED: &str = "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";
const MAX_ID: usize = 128;

fn first_refused(text: &str) -> Option<u32> {
    // Bytes above this are parts of characters; almost every text is settled without decoding them.
    const PLAIN: std::ops::RangeInclusive<u8> = 0x20..=0x7e;
    if text.bytes().all(|byte| PLAIN.contains(&byte)) {
        return None;
    }
    text.chars()
        .find(|character| {
            !matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        })
        .map(u32::from)
}

pub(super) fn check_body(body: &str) -> Result<(), AwsError> {
    match first_refused(body) {
        None => Ok(()),
        Some(character) => Err(invalid_message_contents(format!(
            "Invalid binary character '#x{character:X}' was found in the message body, the set of allowed characters \
             is {ALLOWED}"
        ))),
    }
}

pub(super) fn check_value(attribute: &str, value: &str) -> Result<(), AwsError> {
    match first_refused(value) {
        None => Ok(()),
        Some(character) => Err(invalid_parameter(format!(
            "Invalid binary character '#x{character:X}' was found in the message attribute '{attribute}' value, the \
             set of allowed characters is {ALLOWED}"
        ))),
    }
}

/// Checks a `MessageGroupId`, `MessageDeduplicationId` or `ReceiveRequestAttemptId`: up to 128 characters, letters, digits
/// and the punctuation of ASCII.
pub(super) fn check_id(parameter: &str, id: &str) -> Result<(), AwsError> {
    let allowed = (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if allowed {
        return Ok(());
    }
    Err(invalid_value(
        id,
        parameter,
        format!(
            "{parameter} can only include alphanumeric and punctuation characters. 1 to {MAX_ID} in length."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_those_that_xml_can_carry() {
        for body in ["plain", "\t\r\n", "ä", "\u{d7ff}\u{e000}\u{fffd}\u{10000}\u{10ffff}", "\u{7f}"] {
            assert_eq!(check_body(body), Ok(()), "{body:?}");
        }
        for (body, named) in [("a\0", "#x0"), ("\u{8}", "#x8"), ("ok\u{1a}", "#x1A"), ("\u{ffff}", "#xFFFF")]
        {
            let error = check_body(body).unwrap_err();
            assert_eq!(error.code, "InvalidMessageContents");
            assert!(error.message.contains(&format!("'{named}'")), "{}", error.message);
        }
    }

    #[test]
    fn ids_are_short_and_printable() {
        assert_eq!(check_id("MessageGroupId", "a-Z_0!~"), Ok(()));
        for id in ["", "with space", "ä", "\u{8}", &"x".repeat(129)] {
            let error = check_id("MessageGroupId", id).unwrap_err();
            assert_eq!(error.shown_code(), "InvalidParameterValue");
        }
    }
}
