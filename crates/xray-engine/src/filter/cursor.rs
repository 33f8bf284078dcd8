//! The text of an expression, read from left to right, each character once or a few times.

use super::error::{FilterError, Problem};
use super::note::Note;

#[derive(Debug)]
pub(super) struct Cursor {
    characters: Vec<char>,
    at: usize,
    /// Where there is nothing but white space left.
    end: usize,
    /// What was looked for there, while an expression is completed.
    notes: Option<Vec<Note>>,
}

impl Cursor {
    pub(super) fn new(text: &str) -> Self {
        let characters: Vec<char> = text.chars().collect();
        let end =
            characters.iter().rposition(|character| !character.is_whitespace()).map_or(0, |last| last + 1);
        Self { characters, at: 0, end, notes: None }
    }

    /// Keeps what is looked for at the end of the text.
    pub(super) fn noting(self) -> Self {
        Self { notes: Some(Vec::new()), ..self }
    }

    /// Returns what was looked for at the end of the text.
    pub(super) fn into_notes(self) -> Vec<Note> {
        self.notes.unwrap_or_default()
    }

    /// Says what may stand here. Only called before anything is read that would do.
    pub(super) fn note(&mut self, note: impl FnOnce() -> Note) {
        if self.at >= self.end
            && let Some(notes) = &mut self.notes
        {
            notes.push(note());
        }
    }

    pub(super) fn len(&self) -> usize {
        self.characters.len()
    }

    /// Where the next character is; the first is at 1.
    pub(super) fn position(&self) -> usize {
        self.at + 1
    }

    /// Goes back to a position.
    pub(super) fn rewind(&mut self, position: usize) {
        self.at = position - 1;
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    /// Skips white space and returns what follows it.
    pub(super) fn next_visible(&mut self) -> Option<char> {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        self.peek()
    }

    /// Reads this character, after white space. Returns whether it was there.
    pub(super) fn take(&mut self, wanted: char) -> bool {
        let found = self.next_visible() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    /// Reads this character right here. Returns whether it was there.
    pub(super) fn take_here(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    /// Reads this character, or says what was expected.
    pub(super) fn expect(&mut self, wanted: char, expected: &str) -> Result<(), FilterError> {
        self.note(|| Note::Words(sign(wanted)));
        if self.take(wanted) { Ok(()) } else { Err(self.expected(expected)) }
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let from = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        self.characters[from..self.at].iter().collect()
    }

    /// Reads a word such as `http.url`, after white space. It is empty if there is none.
    pub(super) fn word(&mut self) -> String {
        if self.next_visible().is_some_and(|first| first.is_alphabetic() || first == '_') {
            self.take_while(|character| character.is_alphanumeric() || "_.-".contains(character))
        } else {
            String::new()
        }
    }

    /// Reads a word if it is this one, without regard to case. Returns whether it was.
    pub(super) fn take_word(&mut self, wanted: &str) -> bool {
        let position = self.position();
        if self.word().eq_ignore_ascii_case(wanted) {
            return true;
        }
        self.rewind(position);
        false
    }

    /// Returns the next word without reading it.
    pub(super) fn peek_word(&mut self) -> String {
        let position = self.position();
        let word = self.word();
        self.rewind(position);
        word
    }

    /// Reads a quoted string, after white space; `None` if there is none. A backslash takes the next character as it is.
    pub(super) fn quoted(&mut self) -> Result<Option<String>, FilterError> {
        if !self.take('"') {
            return Ok(None);
        }
        let begin = self.position() - 1;
        let mut text = String::new();
        while let Some(character) = self.peek() {
            self.at += 1;
            match character {
                '"' => return Ok(Some(text)),
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
        Err(FilterError::new(begin, Problem::Unterminated("the string")))
    }

    /// Reads a JSON document from `[` to the bracket that closes it.
    pub(super) fn json(&mut self) -> Result<String, FilterError> {
        let begin = self.at;
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        while let Some(character) = self.peek() {
            self.at += 1;
            match character {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '[' | '{' if !quoted => depth += 1,
                ']' | '}' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return Ok(self.characters[begin..self.at].iter().collect());
            }
        }
        Err(FilterError::new(begin + 1, Problem::Unterminated("the root cause")))
    }

    /// Returns the error that something else was expected here, after white space.
    pub(super) fn expected(&mut self, expected: &str) -> FilterError {
        self.next_visible();
        let found = match (self.peek(), self.peek_word()) {
            (None, _) => "the end".to_owned(),
            (Some(character), word) if word.is_empty() => character.to_string(),
            (Some(_), word) => word,
        };
        FilterError::new(self.position(), Problem::Expected { expected: expected.to_owned(), found })
    }
}

/// Returns a sign as a list of one word.
fn sign(character: char) -> &'static [&'static str] {
    match character {
        '(' => &["("],
        ')' => &[")"],
        '}' => &["}"],
        ',' => &[","],
        ':' => &[":"],
        '#' => &["#"],
        _ => &[],
    }
}
