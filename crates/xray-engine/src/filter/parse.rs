//! Parsing: `!` binds closest, then AND, which may be left out, then OR.

use super::complex;
use super::cursor::Cursor;
use super::error::{FilterError, Problem};
use super::expression::{Comparison, Expression, TextComparison};
use super::keyword::{self, Flag, Keyword, Number, Scope, Text};

/// The longest expression, in characters. X-Ray's model has no limit; this bounds what a request can cost.
const MAX_LENGTH: usize = 32_768;
/// How deep parentheses, negations and braces may nest.
const MAX_DEPTH: usize = 64;

/// Reads a whole expression.
pub(super) fn parse(text: &str) -> Result<Expression, FilterError> {
    let mut parser = Parser { cursor: Cursor::new(text), depth: 0 };
    if parser.cursor.len() > MAX_LENGTH {
        return Err(FilterError::new(MAX_LENGTH + 1, Problem::TooLong(MAX_LENGTH)));
    }
    if parser.cursor.next_visible().is_none() {
        return Ok(Expression::All(Vec::new()));
    }
    let expression = parser.any(Scope::Trace)?;
    if parser.cursor.next_visible().is_some() {
        return Err(parser.cursor.expected("AND, OR or the end"));
    }
    Ok(expression)
}

pub(super) struct Parser {
    pub(super) cursor: Cursor,
    depth: usize,
}

impl Parser {
    fn any(&mut self, scope: Scope) -> Result<Expression, FilterError> {
        let mut conditions = vec![self.all(scope)?];
        while self.cursor.take_word("OR") {
            conditions.push(self.all(scope)?);
        }
        self.doubled('|', "OR")?;
        Ok(one_or(conditions, Expression::Any))
    }

    fn all(&mut self, scope: Scope) -> Result<Expression, FilterError> {
        let mut conditions = vec![self.unary(scope)?];
        loop {
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
    pub(super) fn braces(&mut self, scope: Scope) -> Result<Option<Box<Expression>>, FilterError> {
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
        self.cursor.next_visible();
        let position = self.cursor.position();
        let word = self.cursor.word();
        if word.is_empty() {
            return Err(self.cursor.expected("a keyword"));
        }
        if let Some(found) = complex::condition(self, &word, position, scope) {
            return found;
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
        let Some((operator, position)) = self.operator() else { return Ok(Expression::Flag(flag)) };
        let equal = match operator.as_str() {
            "=" => true,
            "!=" => false,
            _ => return Err(self.not_an_operator(position, "= or !=")),
        };
        let wanted = self.boolean()?.ok_or_else(|| self.cursor.expected("true or false"))?;
        let condition = Expression::Flag(flag);
        Ok(if wanted == equal { condition } else { Expression::Not(Box::new(condition)) })
    }

    fn number(&mut self, number: Number) -> Result<Expression, FilterError> {
        const OPERATORS: &str = "=, !=, <, <=, > or >=";
        let Some((operator, position)) = self.operator() else {
            return Err(self.cursor.expected(OPERATORS));
        };
        let comparison = comparison(&operator).ok_or_else(|| self.not_an_operator(position, OPERATORS))?;
        let value = self.number_value()?.ok_or_else(|| self.cursor.expected("a number"))?;
        Ok(Expression::Number(number, comparison, value))
    }

    fn text(&mut self, text: Text) -> Result<Expression, FilterError> {
        let Some((operator, position)) = self.operator() else { return Ok(Expression::IsSet(text)) };
        let comparison = text_comparison(&operator)
            .ok_or_else(|| self.not_an_operator(position, "=, !=, CONTAINS, BEGINSWITH or ENDSWITH"))?;
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

    /// Reads an operator, and returns it in upper case with its position; `None` if there is none.
    pub(super) fn operator(&mut self) -> Option<(String, usize)> {
        self.cursor.next_visible();
        let position = self.cursor.position();
        let sign = self.cursor.take_while(|character| "=<>~".contains(character));
        if !sign.is_empty() {
            return Some((sign, position));
        }
        if self.cursor.take_here('!') {
            if self.cursor.take_here('=') {
                return Some(("!=".to_owned(), position));
            }
            self.cursor.rewind(position);
            return None;
        }
        let word = self.cursor.word().to_ascii_uppercase();
        let is_operator = ["CONTAINS", "BEGINSWITH", "ENDSWITH", "LIKE", "IN", "IS"].contains(&&*word);
        if is_operator {
            return Some((word, position));
        }
        self.cursor.rewind(position);
        None
    }

    pub(super) fn not_an_operator(&mut self, position: usize, operators: &str) -> FilterError {
        self.cursor.rewind(position);
        let sign = self.cursor.take_while(|character| "=!<>~".contains(character));
        let found = if sign.is_empty() { self.cursor.word() } else { sign };
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
    pub(super) fn boolean(&mut self) -> Result<Option<bool>, FilterError> {
        let position = {
            self.cursor.next_visible();
            self.cursor.position()
        };
        let word = match self.cursor.quoted()? {
            Some(quoted) => quoted,
            None => self.cursor.word(),
        };
        let value = match word.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        if value.is_none() {
            self.cursor.rewind(position);
        }
        Ok(value)
    }

    /// Reads a number; `None` if there is none.
    pub(super) fn number_value(&mut self) -> Result<Option<f64>, FilterError> {
        let begins = |character: char| character.is_ascii_digit() || "+-.".contains(character);
        if !self.cursor.next_visible().is_some_and(begins) {
            return Ok(None);
        }
        let position = self.cursor.position();
        let digits = self
            .cursor
            .take_while(|character| character.is_ascii_alphanumeric() || "+-.".contains(character));
        match digits.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some(value)),
            _ => {
                self.cursor.rewind(position);
                let problem = Problem::Expected { expected: "a number".to_owned(), found: digits };
                Err(FilterError::new(position, problem))
            }
        }
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
