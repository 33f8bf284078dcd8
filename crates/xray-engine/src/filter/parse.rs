//! Parsing an expression.

use std::str::FromStr;

use thiserror::Error;
use xray::AnnotationValue;

use super::expression::{Condition, FilterExpression, is_plain};

/// Why a filter expression was refused. Positions count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FilterError {
    /// Something else was expected at this position.
    #[error("expected {expected} at position {position}")]
    Expected {
        /// What was expected.
        expected: &'static str,
        /// Where.
        position: usize,
    },
    /// Valid in X-Ray, but not supported here.
    #[error(
        "{what} at position {position} is not supported: only annotation.key = value conditions joined by AND are"
    )]
    Unsupported {
        /// What it is.
        what: &'static str,
        /// Where.
        position: usize,
    },
    /// A string without its closing quotation mark.
    #[error("the string that begins at position {position} is not terminated")]
    Unterminated {
        /// Where it begins.
        position: usize,
    },
}

impl FromStr for FilterExpression {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut reader = Reader { characters: text.chars().collect(), at: 0 };
        let mut conditions = Vec::new();
        reader.skip_spaces();
        if reader.peek().is_none() {
            return Ok(Self { conditions });
        }
        loop {
            conditions.push(reader.condition()?);
            reader.skip_spaces();
            if reader.peek().is_none() {
                return Ok(Self { conditions });
            }
            reader.and()?;
        }
    }
}

/// Reads a filter expression from left to right.
struct Reader {
    characters: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let from = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        self.characters[from..self.at].iter().collect()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expected<T>(&self, expected: &'static str) -> Result<T, FilterError> {
        Err(FilterError::Expected { expected, position: self.at + 1 })
    }

    fn unsupported<T>(what: &'static str, at: usize) -> Result<T, FilterError> {
        Err(FilterError::Unsupported { what, position: at + 1 })
    }

    fn and(&mut self) -> Result<(), FilterError> {
        let at = self.at;
        if self.take('&') {
            return if self.take('&') { Ok(()) } else { self.expected("&&") };
        }
        match self.take_while(is_plain).to_ascii_uppercase().as_str() {
            "AND" => Ok(()),
            "OR" => Self::unsupported("OR", at),
            _ => {
                self.at = at;
                if self.peek() == Some('|') { Self::unsupported("||", at) } else { self.expected("AND") }
            }
        }
    }

    fn condition(&mut self) -> Result<Condition, FilterError> {
        self.skip_spaces();
        let at = self.at;
        match self.peek() {
            Some('!') => return Self::unsupported("negation", at),
            Some('(') => return Self::unsupported("grouping", at),
            _ => {}
        }
        match self.take_while(is_plain).as_str() {
            "annotation" => {}
            "" => return self.expected("annotation.key"),
            _ => return Self::unsupported("a keyword other than annotation", at),
        }
        let key = self.key()?;
        self.skip_spaces();
        let at = self.at;
        match self.take_while(|character| "=!<>".contains(character)).as_str() {
            "=" => {}
            "!=" | "<" | "<=" | ">" | ">=" => return Self::unsupported("a comparison other than =", at),
            _ if self.at >= self.characters.len() || self.peek().is_some_and(char::is_alphabetic) => {
                return Self::unsupported("a condition without a value", at);
            }
            _ => {
                self.at = at;
                return self.expected("=");
            }
        }
        self.skip_spaces();
        Ok(Condition { key, value: self.value()? })
    }

    fn key(&mut self) -> Result<String, FilterError> {
        if self.take('.') {
            let key = self.take_while(is_plain);
            if key.is_empty() {
                return self.expected("the key of an annotation");
            }
            return if self.peek() == Some('.') {
                self.expected("= (a key with dots is written annotation[key])")
            } else {
                Ok(key)
            };
        }
        if self.take('[') {
            let key = self.take_while(|character| character != ']').trim().to_owned();
            if key.is_empty() {
                return self.expected("the key of an annotation");
            }
            return if self.take(']') { Ok(key) } else { self.expected("]") };
        }
        self.expected(".key or [key]")
    }

    fn value(&mut self) -> Result<AnnotationValue, FilterError> {
        let at = self.at;
        if self.take('"') {
            return self.text(at).map(AnnotationValue::Text);
        }
        let word =
            self.take_while(|character| character.is_ascii_alphanumeric() || "+-._".contains(character));
        match word.as_str() {
            "true" | "TRUE" => Ok(true.into()),
            "false" | "FALSE" => Ok(false.into()),
            number => number.parse().map(AnnotationValue::Number).or_else(|_| {
                self.at = at;
                self.expected("a value: a quoted string, a number, true or false")
            }),
        }
    }

    /// Reads the rest of a quoted string. A backslash takes the next character as it is.
    fn text(&mut self, at: usize) -> Result<String, FilterError> {
        let mut text = String::new();
        while let Some(character) = self.peek() {
            self.at += 1;
            match character {
                '"' => return Ok(text),
                '\\' => match self.peek() {
                    Some(escaped) => {
                        self.at += 1;
                        text.push(escaped);
                    }
                    None => break,
                },
                other => text.push(other),
            }
        }
        Err(FilterError::Unterminated { position: at + 1 })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use xray::{Annotations, Segment, SegmentId};

    use super::*;

    fn parse(text: &str) -> Result<FilterExpression, FilterError> {
        text.parse()
    }

    fn annotations(pairs: &[(&str, AnnotationValue)]) -> Annotations {
        let mut annotations = Annotations::default();
        for (number, (key, value)) in (1_u8..).zip(pairs) {
            let mut outer = Segment::new("a", SegmentId::from_bytes([number; 8]), 0.0);
            let mut embedded = outer.clone();
            embedded.annotations.insert((*key).to_owned(), value.clone());
            outer.subsegments.push(embedded);
            annotations.add(&outer);
        }
        annotations
    }

    #[test]
    fn conditions_hold_on_any_segment_and_within_the_type() {
        let trace = annotations(&[
            ("customer_number", "123456789012".into()),
            ("outcome", "applied".into()),
            ("outcome", "duplicate".into()),
            ("attempt", 2.into()),
            ("first", true.into()),
            ("otel.resource.service.name", "ingest".into()),
        ]);
        for (text, wanted) in [
            ("", true),
            (r#"annotation.customer_number = "123456789012""#, true),
            (r#"annotation.customer_number="123456789012" AND annotation.outcome="duplicate""#, true),
            (
                r#"annotation.outcome = "applied" and annotation.outcome = "duplicate" && annotation.first = true"#,
                true,
            ),
            ("annotation.attempt = 2", true),
            ("annotation.attempt = 2.0", true),
            ("annotation.attempt = 3", false),
            (r#"annotation.attempt = "2""#, false),
            ("annotation.customer_number = 123456789012", false),
            (r#"annotation[otel.resource.service.name] = "ingest""#, true),
            (r#"annotation[customer_number] = "123456789012""#, true),
            ("annotation.first = false", false),
            ("annotation.absent = true", false),
        ] {
            assert_eq!(parse(text).unwrap().matches(&trace), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_not_supported_is_named_with_its_position() {
        for (text, message) in [
            ("service(\"ingest\")", "a keyword other than annotation at position 1 is not supported"),
            ("responsetime > 5", "a keyword other than annotation at position 1 is not supported"),
            ("annotation.a = 1 OR annotation.b = 2", "OR at position 18 is not supported"),
            ("annotation.a = 1 || annotation.b = 2", "|| at position 18 is not supported"),
            ("!annotation.a = 1", "negation at position 1 is not supported"),
            ("(annotation.a = 1)", "grouping at position 1 is not supported"),
            ("annotation.a != 1", "a comparison other than = at position 14 is not supported"),
            ("annotation.a", "a condition without a value at position 13 is not supported"),
            (
                "annotation.a AND annotation.b = 1",
                "a condition without a value at position 14 is not supported",
            ),
            ("annotation = 1", "expected .key or [key] at position 11"),
            ("annotation.a.b = 1", "expected = (a key with dots is written annotation[key]) at position 13"),
            ("annotation.a ~ 1", "expected = at position 14"),
            ("annotation.a = ", "expected a value: a quoted string, a number, true or false at position 16"),
            ("annotation.a = b", "expected a value: a quoted string, a number, true or false at position 16"),
            ("annotation.a = \"b", "the string that begins at position 16 is not terminated"),
            ("annotation[a = 1", "expected ] at position 17"),
            ("annotation.a = 1 annotation.b = 2", "expected AND at position 18"),
            ("annotation.a = 1 AND", "expected annotation.key at position 21"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }

    fn any_value() -> impl Strategy<Value = AnnotationValue> {
        prop_oneof![
            any::<bool>().prop_map(AnnotationValue::from),
            any::<i64>().prop_map(AnnotationValue::from),
            (-1.0e9..1.0e9_f64)
                .prop_map(|number| serde_json::Number::from_f64(number).unwrap())
                .prop_map(AnnotationValue::Number),
            ".*".prop_map(AnnotationValue::from),
        ]
    }

    proptest! {
        #[test]
        fn an_expression_survives_being_written_and_read(
            conditions in proptest::collection::vec(("[a-zA-Z0-9_.-]{1,12}", any_value()), 0..4)
        ) {
            let conditions = conditions.into_iter().map(|(key, value)| Condition { key, value }).collect();
            let expression = FilterExpression { conditions };
            prop_assert_eq!(parse(&expression.to_string()), Ok(expression));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(annotation|[.=\\[\\]\"& a0]|AND|true){0,12}") {
            let _parsed = parse(&text).is_ok();
        }
    }
}
