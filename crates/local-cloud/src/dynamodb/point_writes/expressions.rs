//! The condition and update expressions of most requests: comparisons of an attribute with a value, whether there is one,
//! `SET` to a value and `REMOVE`, all by `#name`. Functions return `None` for any other expression, valid or not.

use serde_json::{Map, Value};

use super::values::{self, Comparison};

/// The longest expression that is read here, in bytes; the limit is 4 KB.
const LONGEST: usize = 1024;

/// What the names and values in a request's expressions stand for.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    names: Option<&'a Map<String, Value>>,
    values: Option<&'a Map<String, Value>>,
    used: Vec<&'a str>,
}

impl<'a> Scope<'a> {
    pub(super) fn of(action: &'a Map<String, Value>) -> Self {
        let map = |member: &str| action.get(member).and_then(Value::as_object);
        Self {
            names: map("ExpressionAttributeNames"),
            values: map("ExpressionAttributeValues"),
            used: Vec::new(),
        }
    }

    /// Returns whether the expressions used all that was defined: the engine refuses the rest.
    pub(super) fn is_used_up(&self) -> bool {
        let defined = [self.names, self.values].into_iter().flatten().flat_map(Map::keys);
        defined.into_iter().all(|name| self.used.contains(&name.as_str()))
    }

    fn attribute(&mut self, name: &'a str) -> Option<&'a str> {
        let attribute = self.names?.get(name)?.as_str().filter(|attribute| !attribute.is_empty())?;
        self.used.push(name);
        Some(attribute)
    }

    fn value(&mut self, name: &'a str) -> Option<&'a Value> {
        let value = self.values?.get(name).filter(|value| values::is_usual(value))?;
        self.used.push(name);
        Some(value)
    }
}

/// Returns whether a condition holds for an item, which has no attributes if there is none.
pub(super) fn holds<'a>(
    condition: &'a str,
    item: &Map<String, Value>,
    scope: &mut Scope<'a>,
) -> Option<bool> {
    let mut condition = Condition { tokens: Tokens::of(condition)?, item, scope };
    let holds = condition.any()?;
    condition.tokens.next().is_none().then_some(holds)
}

struct Condition<'a, 's> {
    tokens: Tokens<'a>,
    item: &'s Map<String, Value>,
    scope: &'s mut Scope<'a>,
}

impl Condition<'_, '_> {
    fn any(&mut self) -> Option<bool> {
        let mut holds = self.all()?;
        while self.tokens.take("OR") {
            holds |= self.all()?;
        }
        Some(holds)
    }

    fn all(&mut self) -> Option<bool> {
        let mut holds = self.one()?;
        while self.tokens.take("AND") {
            holds &= self.one()?;
        }
        Some(holds)
    }

    fn one(&mut self) -> Option<bool> {
        match self.tokens.next()? {
            // Doubled parentheses are refused.
            "(" if self.tokens.peek() != Some("(") => {
                let holds = self.any()?;
                self.tokens.take(")").then_some(holds)
            }
            "attribute_exists" => self.exists(),
            "attribute_not_exists" => self.exists().map(|exists| !exists),
            name => self.compares(name.starts_with('#').then_some(name)?),
        }
    }

    fn exists(&mut self) -> Option<bool> {
        if !self.tokens.take("(") {
            return None;
        }
        let attribute = self.scope.attribute(self.tokens.next()?)?;
        self.tokens.take(")").then(|| self.item.contains_key(attribute))
    }
}

impl<'a> Condition<'a, '_> {
    fn compares(&mut self, name: &'a str) -> Option<bool> {
        let stored = self.item.get(self.scope.attribute(name)?);
        let operator = self.tokens.next()?;
        let compared = values::compare(stored, self.scope.value(self.tokens.next()?)?)?;
        let Comparison::Ordered(order) = compared else { return Some(operator == "<>") };
        Some(match operator {
            "=" => order.is_eq(),
            "<>" => order.is_ne(),
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            _ => return None,
        })
    }
}

/// What an update expression changes.
#[derive(Debug, Default)]
pub(super) struct Update<'a> {
    pub(super) set: Vec<(&'a str, &'a Value)>,
    pub(super) removed: Vec<&'a str>,
}

impl<'a> Update<'a> {
    /// Reads an update expression that names each attribute once.
    pub(super) fn read(expression: &'a str, scope: &mut Scope<'a>) -> Option<Self> {
        let mut tokens = Tokens::of(expression)?;
        let mut update = Self::default();
        while let Some(clause) = tokens.next() {
            match clause {
                "SET" if update.set.is_empty() => loop {
                    let attribute = scope.attribute(tokens.next()?)?;
                    if !tokens.take("=") {
                        return None;
                    }
                    update.set.push((attribute, scope.value(tokens.next()?)?));
                    if !tokens.take(",") {
                        break;
                    }
                },
                "REMOVE" if update.removed.is_empty() => loop {
                    update.removed.push(scope.attribute(tokens.next()?)?);
                    if !tokens.take(",") {
                        break;
                    }
                },
                _ => return None,
            }
        }
        let mut attributes: Vec<_> = update.attributes().collect();
        let named = attributes.len();
        attributes.sort_unstable();
        attributes.dedup();
        (named > 0 && attributes.len() == named).then_some(update)
    }

    /// Returns the attributes that it sets and removes.
    pub(super) fn attributes(&self) -> impl Iterator<Item = &'a str> {
        self.set.iter().map(|(attribute, _)| *attribute).chain(self.removed.iter().copied())
    }
}

/// The words and signs of an expression.
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn of(expression: &'a str) -> Option<Self> {
        (expression.len() <= LONGEST).then(|| Self { rest: expression.trim_ascii_start() })
    }

    fn peek(&self) -> Option<&'a str> {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let bytes = self.rest.as_bytes();
        let length = match bytes {
            [] => return None,
            [b'<', b'=' | b'>', ..] | [b'>', b'=', ..] => 2,
            [b'#' | b':', word @ ..] => 1 + word.iter().take_while(|byte| is_word(byte)).count(),
            _ => bytes.iter().take_while(|byte| is_word(byte)).count().max(1),
        };
        self.rest.get(..length)
    }

    fn next(&mut self) -> Option<&'a str> {
        let token = self.peek()?;
        self.rest = self.rest[token.len()..].trim_ascii_start();
        Some(token)
    }

    /// Skips a token if it is the next one.
    fn take(&mut self, token: &str) -> bool {
        let next = self.peek() == Some(token);
        if next {
            self.next();
        }
        next
    }
}
