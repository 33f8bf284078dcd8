//! From a pattern's text to the conditions of each path.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::complexity::{self, TOO_COMPLEX};
use crate::condition::Condition;
use crate::expression::{self, Operators};
use crate::json::{Reader, Token};
use crate::number::Number;

/// Conditions by path, of which all must be met.
pub(crate) type Alternative = BTreeMap<Arc<str>, Arc<[Condition]>>;

/// What `$or` may multiply to. AWS has such a limit too; where it lies is not documented.
const MAX_ALTERNATIVES: usize = 1000;
/// Bytes of all paths together.
const MAX_PATHS: usize = 1 << 20;

/// Names that may not be used as fields inside `$or`, so that a forgotten list is not taken for a field.
const RESERVED_INSIDE_OR: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "html",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
];

/// Compiles a pattern of EventBridge, or returns AWS's words for what is wrong.
pub(crate) fn compile(text: &str) -> Result<Vec<Alternative>, String> {
    if is_empty_object(text) {
        return Err("Empty event pattern".to_owned());
    }
    let alternatives = compile_with(text, Operators::All, MAX_ALTERNATIVES)?;
    for conditions in alternatives.iter().flat_map(BTreeMap::values) {
        if complexity::is_too_complex(conditions) {
            return Err(TOO_COMPLEX.to_owned());
        }
    }
    Ok(alternatives)
}

pub(crate) fn is_empty_object(text: &str) -> bool {
    text.trim()
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|rest| rest.trim().is_empty())
}

pub(crate) fn compile_with(
    text: &str,
    operators: Operators,
    max_alternatives: usize,
) -> Result<Vec<Alternative>, String> {
    let mut compiler = Compiler {
        reader: Reader::new(text),
        operators,
        max_alternatives,
        path: String::new(),
        bytes_of_paths: 0,
    };
    if compiler.reader.next()? != Token::StartObject {
        return Err(compiler.reader.refuse("Filter is not an object"));
    }
    let mut alternatives = Vec::new();
    compiler.object(&mut alternatives, false)?;
    Ok(alternatives)
}

struct Compiler<'a> {
    reader: Reader<'a>,
    operators: Operators,
    max_alternatives: usize,
    path: String,
    bytes_of_paths: usize,
}

impl Compiler<'_> {
    fn object(&mut self, alternatives: &mut Vec<Alternative>, inside_or: bool) -> Result<(), String> {
        let mut is_empty = true;
        while self.reader.next()? != Token::EndObject {
            is_empty = false;
            self.field(alternatives, inside_or)?;
        }
        if is_empty { Err(self.reader.refuse("Empty objects are not allowed")) } else { Ok(()) }
    }

    fn field(&mut self, alternatives: &mut Vec<Alternative>, inside_or: bool) -> Result<(), String> {
        let name = self.reader.name().to_owned();
        if name == "$or" {
            return self.or(alternatives);
        }
        if inside_or && (RESERVED_INSIDE_OR.contains(&name.as_str()) || name == "ip-address-not-in-range") {
            return Err(self
                .reader
                .refuse(&format!("{name} is Ruler reserved fieldName which cannot be used inside $or.")));
        }
        let length = self.path.len();
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(&name);
        match self.reader.next()? {
            Token::StartObject => self.object(alternatives, inside_or)?,
            Token::StartArray => self.conditions(alternatives)?,
            _ => return Err(self.reader.refuse(&format!("\"{name}\" must be an object or an array"))),
        }
        self.path.truncate(length);
        Ok(())
    }

    fn or(&mut self, alternatives: &mut Vec<Alternative>) -> Result<(), String> {
        let mut so_far = std::mem::take(alternatives);
        if so_far.is_empty() {
            so_far.push(Alternative::new());
        }
        if self.reader.next()? != Token::StartArray {
            return Err(self.reader.refuse("It must be an Array followed with $or."));
        }
        let mut branches = 0;
        loop {
            match self.reader.next()? {
                Token::EndArray => break,
                Token::StartObject => {}
                _ => {
                    return Err(self
                        .reader
                        .refuse("Only JSON object is allowed in array of $or relationship."));
                }
            }
            branches += 1;
            let mut branch = so_far.clone();
            self.object(&mut branch, true)?;
            alternatives.append(&mut branch);
            if alternatives.len() > self.max_alternatives {
                return Err(format!(
                    "$or makes more than {} combinations of this rule",
                    self.max_alternatives
                ));
            }
        }
        if branches < 2 {
            return Err(self.reader.refuse("There must have at least 2 Objects in $or relationship."));
        }
        Ok(())
    }

    /// Reads the list of conditions of the current path. For a path that occurs twice, the later conditions apply.
    fn conditions(&mut self, alternatives: &mut Vec<Alternative>) -> Result<(), String> {
        let mut conditions = Vec::new();
        loop {
            let condition = match self.reader.next()? {
                Token::EndArray => break,
                Token::StartObject => expression::read(&mut self.reader, self.operators)?,
                Token::Text => Condition::text(self.reader.text()?.to_owned()),
                Token::Number => Condition::Number(Number::read(self.reader.text()?)),
                Token::True => Condition::Bool(true),
                Token::False => Condition::Bool(false),
                Token::Null => Condition::Null,
                _ => {
                    return Err(self
                        .reader
                        .refuse("Match value must be String, number, true, false, or null"));
                }
            };
            conditions.push(condition);
        }
        if conditions.is_empty() {
            return Err(self.reader.refuse("Empty arrays are not allowed"));
        }
        self.bytes_of_paths += self.path.len();
        if self.bytes_of_paths > MAX_PATHS {
            return Err("the names of the pattern's fields are too long".to_owned());
        }
        if alternatives.is_empty() {
            alternatives.push(Alternative::new());
        }
        let path: Arc<str> = self.path.as_str().into();
        let conditions: Arc<[Condition]> = conditions.into();
        for alternative in alternatives {
            alternative.insert(Arc::clone(&path), Arc::clone(&conditions));
        }
        Ok(())
    }
}
