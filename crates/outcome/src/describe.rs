//! The description of causes.

use std::error::Error;

/// The longest description of a cause, in characters.
const MAX_DESCRIPTION: usize = 500;

/// Describes an error and its sources on one line, `outer: inner: innermost`, for log lines, spans and dead letters.
///
/// A `serde_json` error can quote the offending value, so only its kind and position are included.
#[must_use]
pub fn describe(error: &(dyn Error + 'static)) -> String {
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
    use super::*;
    use crate::BoxError;

    #[derive(Debug)]
    struct Outer(BoxError);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("outer")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }

    #[test]
    fn describes_an_error_and_each_source_once() {
        let error = Outer(Box::new(Outer("inner\nline".into())));
        assert_eq!(describe(&error), "outer: inner line");
    }

    #[test]
    fn never_quotes_values_from_json() {
        let json = serde_json::from_str::<bool>("\"Mustermann\"").unwrap_err();
        assert!(json.to_string().contains("Mustermann"), "otherwise the test proves nothing");
        let text = describe(&Outer(Box::new(json)));
        assert_eq!(text, "outer: Data error at line 1, column 12");
    }

    #[test]
    fn truncates_long_descriptions() {
        let text = describe(&Outer("ä".repeat(2_000).into()));
        assert_eq!(text.chars().count(), MAX_DESCRIPTION + 1);
    }
}
