//! Reads JSON token by token, and knows where it is.
//!
//! AWS's messages end with the position in the text at which its JSON parser, Jackson, stood when the pattern was
//! refused. Jackson reads ahead after a field's name and no further than the opening quote of a string, which this reader
//! does as well, so that its positions are the same.

/// Deeper than any event that could match: `serde_json` reads 128 levels.
const MAX_DEPTH: usize = 500;
/// Jackson shows this much of the text.
const MAX_SHOWN: usize = 500;
const ANY_VALUE: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    StartObject,
    EndObject,
    StartArray,
    EndArray,
    Name,
    Text,
    Number,
    True,
    False,
    Null,
    /// The end of the text, outside any object or array.
    End,
}

#[derive(Debug)]
struct Open {
    object: bool,
    start: usize,
    has_members: bool,
}

#[derive(Debug)]
pub(crate) struct Reader<'a> {
    source: &'a str,
    /// In bytes.
    position: usize,
    open: Vec<Open>,
    token: Token,
    /// The token that was read together with a field's name.
    ahead: Option<Token>,
    name: String,
    /// Where the current number starts, or the string behind its opening quote.
    start: usize,
    /// Whether the current token is a string that was not read to its end.
    unread: bool,
    text: String,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self {
            source,
            position: 0,
            open: Vec::new(),
            token: Token::End,
            ahead: None,
            name: String::new(),
            start: 0,
            unread: false,
            text: String::new(),
        }
    }

    /// Returns the message for a refusal at the current position.
    pub(crate) fn refuse(&self, reason: &str) -> String {
        format!("{reason}\n at {}", self.location(self.position))
    }

    fn location(&self, position: usize) -> String {
        let before = &self.source[..position];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().encode_utf16().count() + 1;
        let shown: String = self.source.chars().take(MAX_SHOWN).collect();
        let truncated = match self.source.chars().count() {
            length if length > MAX_SHOWN => format!("[truncated {} chars]", length - MAX_SHOWN),
            _ => String::new(),
        };
        format!("[Source: (String)\"{shown}\"{truncated}; line: {line}, column: {column}]")
    }

    /// Returns the name of the field whose name or value is the current token.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the current token's text: the content of a string, or what is written for other tokens.
    pub(crate) fn text(&mut self) -> Result<&str, String> {
        self.finish()?;
        Ok(match self.token {
            Token::StartObject => "{",
            Token::EndObject => "}",
            Token::StartArray => "[",
            Token::EndArray => "]",
            Token::Name => &self.name,
            Token::Text => &self.text,
            Token::Number => &self.source[self.start..self.position],
            Token::True => "true",
            Token::False => "false",
            Token::Null | Token::End => "null",
        })
    }

    fn finish(&mut self) -> Result<(), String> {
        if self.unread {
            self.unread = false;
            self.text = self.string(": was expecting closing quote for a string value")?;
        }
        Ok(())
    }

    pub(crate) fn next(&mut self) -> Result<Token, String> {
        self.token = self.advance()?;
        Ok(self.token)
    }

    fn advance(&mut self) -> Result<Token, String> {
        if let Some(token) = self.ahead.take() {
            return Ok(token);
        }
        self.finish()?;
        let Some(next) = self.peek() else {
            let Some(open) = self.open.last() else { return Ok(Token::End) };
            let kind = if open.object { "Object" } else { "Array" };
            let start = self.location(open.start);
            return Err(self.refuse(&format!(
                "Unexpected end-of-input: expected close marker for {kind} (start marker at {start})"
            )));
        };
        if matches!(next, '}' | ']') {
            return self.close(next);
        }
        let Some(open) = self.open.last_mut() else { return self.value("") };
        let (object, separate) = (open.object, open.has_members);
        open.has_members = true;
        if separate {
            if next != ',' {
                let kind = if object { "Object" } else { "Array" };
                return Err(self.unexpected(next, &format!("was expecting comma to separate {kind} entries")));
            }
            self.position += 1;
        }
        if !object {
            return self.value(" within/between Array entries");
        }
        self.field()
    }

    fn close(&mut self, marker: char) -> Result<Token, String> {
        let object = marker == '}';
        match self.open.last() {
            Some(open) if open.object == object => {
                self.open.pop();
                self.position += 1;
                Ok(if object { Token::EndObject } else { Token::EndArray })
            }
            Some(open) => {
                let (expected, kind) = if open.object { ('}', "Object") } else { (']', "Array") };
                let start = self.location(open.start);
                Err(self.refuse(&format!(
                    "Unexpected close marker '{marker}': expected '{expected}' (for {kind} starting at {start})"
                )))
            }
            None => Err(self.unexpected(marker, "expected a value")),
        }
    }

    /// Reads a field's name, the colon and the first token of its value.
    fn field(&mut self) -> Result<Token, String> {
        match self.peek() {
            Some('"') => self.position += 1,
            Some(other) => {
                return Err(self.unexpected(other, "was expecting double-quote to start field name"));
            }
            None => return Err(self.refuse("Unexpected end-of-input within/between Object entries")),
        }
        self.name = self.string(" in field name")?;
        match self.peek() {
            Some(':') => self.position += 1,
            Some(other) => {
                return Err(self.unexpected(other, "was expecting a colon to separate field name and value"));
            }
            None => return Err(self.refuse("Unexpected end-of-input within/between Object entries")),
        }
        self.ahead = Some(self.value(" within/between Object entries")?);
        Ok(Token::Name)
    }

    fn value(&mut self, place: &str) -> Result<Token, String> {
        let Some(next) = self.peek() else {
            return Err(self.refuse(&format!("Unexpected end-of-input{place}")));
        };
        match next {
            '"' => {
                self.position += 1;
                self.unread = true;
                Ok(Token::Text)
            }
            '{' | '[' => self.start_container(next == '{'),
            '-' | '0'..='9' => self.number(),
            ']' | '}' => Err(self.unexpected(next, "expected a value")),
            letter if letter.is_alphabetic() || matches!(letter, '_' | '$') => self.keyword(),
            other => Err(self.unexpected(other, &format!("expected a valid value {ANY_VALUE}"))),
        }
    }

    fn start_container(&mut self, object: bool) -> Result<Token, String> {
        if self.open.len() == MAX_DEPTH {
            return Err(self.refuse(&format!(
                "Document nesting depth ({}) exceeds the maximum allowed ({MAX_DEPTH})",
                MAX_DEPTH + 1
            )));
        }
        self.open.push(Open { object, start: self.position, has_members: false });
        self.position += 1;
        Ok(if object { Token::StartObject } else { Token::StartArray })
    }

    fn keyword(&mut self) -> Result<Token, String> {
        let rest = &self.source[self.position..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '$')).unwrap_or(rest.len());
        self.position += end;
        match &rest[..end] {
            "true" => Ok(Token::True),
            "false" => Ok(Token::False),
            "null" => Ok(Token::Null),
            other => Err(self.refuse(&format!("Unrecognized token '{other}': was expecting {ANY_VALUE}"))),
        }
    }

    fn number(&mut self) -> Result<Token, String> {
        self.start = self.position;
        if self.peek() == Some('-') {
            self.position += 1;
        }
        let first = self.position;
        self.digits("expected digit (0-9) to follow minus sign, for valid numeric value")?;
        if self.position > first + 1 && self.source[first..].starts_with('0') {
            self.position = first + 1;
            return Err(self.refuse("Invalid numeric value: Leading zeroes not allowed"));
        }
        if self.source[self.position..].starts_with('.') {
            self.position += 1;
            self.digits("Decimal point not followed by a digit")?;
        }
        if self.source[self.position..].starts_with(['e', 'E']) {
            self.position += 1;
            if self.source[self.position..].starts_with(['+', '-']) {
                self.position += 1;
            }
            self.digits("Exponent indicator not followed by a digit")?;
        }
        Ok(Token::Number)
    }

    fn digits(&mut self, missing: &str) -> Result<(), String> {
        let rest = &self.source[self.position..];
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if end > 0 {
            self.position += end;
            return Ok(());
        }
        Err(match rest.chars().next() {
            Some(other) => self.unexpected(other, missing),
            None => self.refuse("Unexpected end-of-input in a Number value"),
        })
    }

    /// Reads a string from behind its opening quote to behind its closing one.
    fn string(&mut self, unfinished: &str) -> Result<String, String> {
        let mut text = String::new();
        loop {
            let Some(next) = self.source[self.position..].chars().next() else {
                return Err(self.refuse(&format!("Unexpected end-of-input{unfinished}")));
            };
            self.position += next.len_utf8();
            match next {
                '"' => return Ok(text),
                '\\' => text.push(self.escape(unfinished)?),
                control if control < ' ' => {
                    return Err(self.refuse(&format!(
                        "Illegal unquoted character ((CTRL-CHAR, code {})): has to be escaped using backslash to be \
                         included in string value",
                        u32::from(control)
                    )));
                }
                other => text.push(other),
            }
        }
    }

    fn escape(&mut self, unfinished: &str) -> Result<char, String> {
        let Some(next) = self.source[self.position..].chars().next() else {
            return Err(self.refuse(&format!("Unexpected end-of-input{unfinished}")));
        };
        self.position += next.len_utf8();
        Ok(match next {
            '"' | '\\' | '/' => next,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(),
            other => {
                return Err(self.refuse(&format!(
                    "Unrecognized character escape {} (code {})",
                    quoted(other),
                    u32::from(other)
                )));
            }
        })
    }

    /// Reads the digits of one `\u` escape or, for a character beyond the basic plane, of two.
    fn unicode(&mut self) -> Result<char, String> {
        let high = self.hexadecimal()?;
        if (0xd800..0xdc00).contains(&high) && self.source[self.position..].starts_with("\\u") {
            let before = self.position;
            self.position += 2;
            let low = self.hexadecimal()?;
            if let Some(Ok(character)) =
                char::decode_utf16([high, low].map(|unit| u16::try_from(unit).unwrap_or_default())).next()
            {
                return Ok(character);
            }
            self.position = before;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hexadecimal(&mut self) -> Result<u32, String> {
        let mut value = 0;
        for _ in 0..4 {
            let next = self.source[self.position..].chars().next();
            let Some(digit) = next.and_then(|next| next.to_digit(16)) else {
                let Some(other) = next else {
                    return Err(self.refuse("Unexpected end-of-input in character escape sequence"));
                };
                return Err(self.unexpected(other, "expected a hex-digit for character escape sequence"));
            };
            value = value * 16 + digit;
            self.position += 1;
        }
        Ok(value)
    }

    /// Skips white space and returns the next character, without reading it.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.source[self.position..];
        let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.position += rest.len() - trimmed.len();
        trimmed.chars().next()
    }

    fn unexpected(&self, character: char, expected: &str) -> String {
        let code = u32::from(character);
        self.refuse(&format!("Unexpected character ({} (code {code})): {expected}", quoted(character)))
    }
}

fn quoted(character: char) -> String {
    if character.is_control() {
        format!("(CTRL-CHAR, code {})", u32::from(character))
    } else {
        format!("'{character}'")
    }
}
