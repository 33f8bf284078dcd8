//! Operators and values.

use super::cursor::Cursor;
use super::error::{FilterError, Problem};
use super::expression::{Comparison, TextComparison};
use super::note::Note;

/// The operators of values that are true or false.
pub(super) const EQUALITY: [&str; 2] = ["=", "!="];
/// The operators of numbers.
pub(super) const COMPARISONS: [&str; 6] = ["=", "!=", "<", "<=", ">", ">="];
/// The operators of strings.
pub(super) const TEXT_COMPARISONS: [&str; 5] = ["=", "!=", "CONTAINS", "BEGINSWITH", "ENDSWITH"];

/// Reads an operator, and returns it in upper case with its position; `None` if there is none.
pub(super) fn operator(cursor: &mut Cursor) -> Option<(String, usize)> {
    cursor.next_visible();
    let position = cursor.position();
    let sign = cursor.take_while(|character| "=<>~".contains(character));
    if !sign.is_empty() {
        return Some((sign, position));
    }
    if cursor.take_here('!') {
        if cursor.take_here('=') {
            return Some(("!=".to_owned(), position));
        }
        cursor.rewind(position);
        return None;
    }
    let word = cursor.word().to_ascii_uppercase();
    let is_operator = ["CONTAINS", "BEGINSWITH", "ENDSWITH", "LIKE", "IN", "IS"].contains(&&*word);
    if is_operator {
        return Some((word, position));
    }
    cursor.rewind(position);
    None
}

pub(super) fn not_an_operator(cursor: &mut Cursor, position: usize, operators: &str) -> FilterError {
    cursor.rewind(position);
    let sign = cursor.take_while(|character| "=!<>~".contains(character));
    let found = if sign.is_empty() { cursor.word() } else { sign };
    let suggestion = match found.to_ascii_uppercase().as_str() {
        "==" => Some("="),
        "<>" | "=!" => Some("!="),
        "=<" => Some("<="),
        "=>" => Some(">="),
        "LIKE" | "=~" | "~" | "~=" => Some("CONTAINS"),
        _ => None,
    };
    let problem = Problem::Expected { expected: operators.to_owned(), found };
    FilterError::new(position, problem).suggesting(suggestion.map(str::to_owned))
}

/// Reads `true` or `false`, in quotation marks or without; `None` if there is neither.
pub(super) fn boolean(cursor: &mut Cursor) -> Result<Option<bool>, FilterError> {
    cursor.note(|| Note::Words(&["true", "false"]));
    let position = {
        cursor.next_visible();
        cursor.position()
    };
    let word = match cursor.quoted()? {
        Some(quoted) => quoted,
        None => cursor.word(),
    };
    let value = match word.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    if value.is_none() {
        cursor.rewind(position);
    }
    Ok(value)
}

/// Reads a number; `None` if there is none.
pub(super) fn number(cursor: &mut Cursor) -> Result<Option<f64>, FilterError> {
    let begins = |character: char| character.is_ascii_digit() || "+-.".contains(character);
    if !cursor.next_visible().is_some_and(begins) {
        return Ok(None);
    }
    let position = cursor.position();
    let digits =
        cursor.take_while(|character| character.is_ascii_alphanumeric() || "+-.".contains(character));
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Some(value)),
        _ => {
            cursor.rewind(position);
            let problem = Problem::Expected { expected: "a number".to_owned(), found: digits };
            Err(FilterError::new(position, problem))
        }
    }
}

/// Whether an operator is `=` rather than `!=`; `None` if it is another one.
pub(super) fn is_equal(operator: &str) -> Option<bool> {
    match operator {
        "=" => Some(true),
        "!=" => Some(false),
        _ => None,
    }
}

pub(super) fn comparison(operator: &str) -> Option<Comparison> {
    Some(match operator {
        "=" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

pub(super) fn text_comparison(operator: &str) -> Option<TextComparison> {
    Some(match operator {
        "=" => TextComparison::Equal,
        "!=" => TextComparison::NotEqual,
        "CONTAINS" => TextComparison::Contains,
        "BEGINSWITH" => TextComparison::BeginsWith,
        "ENDSWITH" => TextComparison::EndsWith,
        _ => return None,
    })
}
