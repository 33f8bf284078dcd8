//! The consumer's own reasons, and how a cause is written down.

use std::error::Error;

/// Reason of a handler that panicked.
pub(crate) const PANIC: &str = "panic";
/// Reason of a handler that did not finish in time.
pub(crate) const TIMEOUT: &str = "timeout";
/// Reason of a message that could not be moved to the dead-letter queue and is tried again for that.
pub(crate) const DEAD_LETTER_UNAVAILABLE: &str = "dead-letter-queue-unavailable";

/// The longest description of a cause that is kept.
const MAX_DESCRIPTION: usize = 500;

/// An error with its sources on one line, `outer: inner: innermost`, for log lines, spans and dead letters.
///
/// An error of `serde_json` can quote the value it stumbled over, so of it only the kind and the place are written.
pub(crate) fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let part = if let Some(json) = error.downcast_ref::<serde_json::Error>() {
            next = None;
            format!("{:?} error at line {}, column {}", json.classify(), json.line(), json.column())
        } else {
            next = error.source();
            error.to_string()
        };
        // Many errors repeat their source in their own text.
        if !text.ends_with(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
    }
    if let Some((end, _)) = text.char_indices().nth(MAX_DESCRIPTION) {
        text.truncate(end);
        text.push('…');
    }
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use outcome::BoxError;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] BoxError);

    #[test]
    fn describes_an_error_with_its_sources_once() {
        let error = Outer(Box::new(Outer("inner\nline".into())));
        assert_eq!(describe(&error), "outer: inner line");
    }

    #[test]
    fn never_quotes_what_json_held() {
        let json = serde_json::from_str::<bool>("\"Mustermann\"").unwrap_err();
        assert!(json.to_string().contains("Mustermann"), "or the test proves nothing");
        let text = describe(&Outer(Box::new(json)));
        assert_eq!(text, "outer: Data error at line 1, column 12");
    }

    #[test]
    fn keeps_long_causes_short() {
        let text = describe(&Outer("ä".repeat(2_000).into()));
        assert_eq!(text.chars().count(), MAX_DESCRIPTION + 1);
    }
}
