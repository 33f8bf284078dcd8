//! Parsing: `!` binds closest, then AND, which may be left out, then OR.

use super::complex::{self, Condition};
use super::cursor::Cursor;
use super::error::{FilterError, Problem};
use super::expression::Expression;
use super::keyword::{self, Flag, Keyword, Number, Scope, Text};
use super::note::{Note, ValueOf};
use super::value;

/// The longest expression, in characters. X-Ray's model has no limit; this bounds what a request can cost.
const MAX_LENGTH: usize = 32_768;
/// How deep parentheses, negations and braces may nest.
const MAX_DEPTH: usize = 64;

/// Reads a whole expression.
pub(super) fn parse(text: &str) -> Result<Expression, FilterError> {
    whole(&mut Parser { cursor: Cursor::new(text), depth: 0 })
}

/// Reads an expression that may be unfinished, and returns what was looked for at its end as well.
pub(super) fn parse_noting(text: &str) -> (Result<Expression, FilterError>, Vec<Note>) {
    let mut parser = Parser { cursor: Cursor::new(text).noting(), depth: 0 };
    let result = whole(&mut parser);
    (result, parser.cursor.into_notes())
}

fn whole(parser: &mut Parser) -> Result<Expression, FilterError> {
    if parser.cursor.len() > MAX_LENGTH {
        return Err(FilterError::new(MAX_LENGTH + 1, Problem::TooLong(MAX_LENGTH)));
    }
    if parser.cursor.next_visible().is_none() {
        parser.cursor.note(|| Note::Condition(Scope::Trace));
        return Ok(Expression::All(Vec::new()));
    }
    let expression = parser.any(Scope::Trace)?;
    if parser.cursor.next_visible().is_some() {
        return Err(parser.cursor.expected("AND, OR or the end"));
    }
    Ok(expression)
}

struct Parser {
    cursor: Cursor,
    depth: usize,
}

impl Parser {
    fn any(&mut self, scope: Scope) -> Result<Expression, FilterError> {
        let mut conditions = vec![self.all(scope)?];
        self.cursor.note(|| Note::Words(&["OR"]));
        while self.cursor.take_word("OR") {
            conditions.push(self.all(scope)?);
        }
        self.doubled('|', "OR")?;
        Ok(one_or(conditions, Expression::Any))
    }

    fn all(&mut self, scope: Scope) -> Result<Expression, FilterError> {
        let mut conditions = vec![self.unary(scope)?];
        loop {
            self.cursor.note(|| Note::Words(&["AND"]));
            self.cursor.note(|| Note::Condition(scope));
            self.doubled('&', "AND")?;
            if self.cursor.take_word("AND") || self.begins_condition() {
                conditions.push(self.unary(scope)?);
            } else {
                return Ok(one_or(conditions, Expression::All));
            }
        }
    }

    /// Refuses `&&` and `||`, by which other languages join conditions.
    fn doubled(&mut self, character: char, word: &str) -> Result<(), FilterError> {
        if self.cursor.next_visible() == Some(character) {
            return Err(self.cursor.expected("AND or OR").suggesting(Some(word.to_owned())));
        }
        Ok(())
    }

    /// Whether a condition follows, so that an AND was left out.
    fn begins_condition(&mut self) -> bool {
        match self.cursor.next_visible() {
            Some('!' | '(') => true,
            Some(character) if character.is_alphabetic() || character == '_' => {
                !self.cursor.peek_word().eq_ignore_ascii_case("OR")
            }
            _ => false,
        }
    }

    fn unary(&mut self, scope: Scope) -> Result<Expression, FilterError> {
        if self.cursor.take('!') {
            let condition = self.deeper(|parser| parser.unary(scope))?;
            return Ok(Expression::Not(Box::new(condition)));
        }
        if self.cursor.take('(') {
            let conditions = self.deeper(|parser| parser.any(scope))?;
            self.cursor.expect(')', "AND, OR or )")?;
            return Ok(conditions);
        }
        self.condition(scope)
    }

    /// Reads the condition in braces, if there are any. Empty braces are none.
    fn braces(&mut self, scope: Scope) -> Result<Option<Box<Expression>>, FilterError> {
        self.cursor.note(|| Note::Words(&["{"]));
        if !self.cursor.take('{') || self.cursor.take('}') {
            return Ok(None);
        }
        let condition = self.deeper(|parser| parser.any(scope))?;
        self.cursor.expect('}', "AND, OR or }")?;
        Ok(Some(Box::new(condition)))
    }

    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, FilterError>,
    ) -> Result<T, FilterError> {
        if self.depth == MAX_DEPTH {
            return Err(FilterError::new(self.cursor.position(), Problem::TooDeep(MAX_DEPTH)));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn condition(&mut self, scope: Scope) -> Result<Expression, FilterError> {
        self.cursor.note(|| Note::Condition(scope));
        self.cursor.next_visible();
        let position = self.cursor.position();
        let word = self.cursor.word();
        if word.is_empty() {
            return Err(self.cursor.expected("a keyword"));
        }
        if let Some(found) = complex::condition(&mut self.cursor, &word, position, scope) {
            return match found? {
                Condition::Whole(expression) => Ok(expression),
                Condition::Braced(scope, finish) => Ok(finish(self.braces(scope)?)),
            };
        }
        let Some(keyword) = Keyword::read(&word) else {
            let suggestion = keyword::near(&word).map(str::to_owned);
            return Err(FilterError::new(position, Problem::UnknownKeyword(word)).suggesting(suggestion));
        };
        if !keyword.applies_to(scope) {
            let problem = Problem::OutOfScope { keyword: keyword.name(), scope: scope.name() };
            return Err(FilterError::new(position, problem));
        }
        match keyword {
            Keyword::Flag(flag) => self.flag(flag),
            Keyword::Number(number) => self.number(number),
            Keyword::Text(text) => self.text(text),
        }
    }

    fn flag(&mut self, flag: Flag) -> Result<Expression, FilterError> {
        self.cursor.note(|| Note::Words(&value::EQUALITY));
        let Some((operator, position)) = value::operator(&mut self.cursor) else {
            return Ok(Expression::Flag(flag));
        };
        let equal = value::is_equal(&operator)
            .ok_or_else(|| value::not_an_operator(&mut self.cursor, position, "= or !="))?;
        let wanted =
            value::boolean(&mut self.cursor)?.ok_or_else(|| self.cursor.expected("true or false"))?;
        Ok(Expression::Flag(flag).holding(wanted == equal))
    }

    fn number(&mut self, number: Number) -> Result<Expression, FilterError> {
        const OPERATORS: &str = "=, !=, <, <=, > or >=";
        self.cursor.note(|| Note::Words(&value::COMPARISONS));
        let Some((operator, position)) = value::operator(&mut self.cursor) else {
            return Err(self.cursor.expected(OPERATORS));
        };
        let comparison = value::comparison(&operator)
            .ok_or_else(|| value::not_an_operator(&mut self.cursor, position, OPERATORS))?;
        // Any number: nothing to list, and yet the end of a valid beginning.
        self.cursor.note(|| Note::Words(&[]));
        let value = value::number(&mut self.cursor)?.ok_or_else(|| self.cursor.expected("a number"))?;
        Ok(Expression::Number(number, comparison, value))
    }

    fn text(&mut self, text: Text) -> Result<Expression, FilterError> {
        self.cursor.note(|| Note::Words(&value::TEXT_COMPARISONS));
        let Some((operator, position)) = value::operator(&mut self.cursor) else {
            return Ok(Expression::IsSet(text));
        };
        let comparison = value::text_comparison(&operator).ok_or_else(|| {
            value::not_an_operator(&mut self.cursor, position, "=, !=, CONTAINS, BEGINSWITH or ENDSWITH")
        })?;
        self.cursor.note(|| Note::Value(ValueOf::Text(text)));
        if let Some(value) = self.cursor.quoted()? {
            return Ok(Expression::Text(text, comparison, value));
        }
        // One example of the guide has no quotation marks: { inferred and name = traces }.
        let word = self.cursor.word();
        if word.is_empty() {
            return Err(self.cursor.expected("a quoted string"));
        }
        Ok(Expression::Text(text, comparison, word))
    }
}

/// Returns the only condition as it is, and several joined.
fn one_or(mut conditions: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        Some(last) => {
            conditions.push(last);
            join(conditions)
        }
        None => join(conditions),
    }
}
