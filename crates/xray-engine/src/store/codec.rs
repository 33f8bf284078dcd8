//! Numbers and strings as bytes. Strings are written once, and then referred to by their place among all strings.

use std::collections::HashMap;
use std::sync::Arc;

/// Takes what is written.
#[derive(Debug, Default)]
pub(super) struct Sink {
    pub(super) bytes: Vec<u8>,
    strings: Vec<Arc<str>>,
    places: HashMap<Arc<str>, u64>,
}

impl Sink {
    /// Returns the strings in the order of their places.
    pub(super) fn strings(&self) -> &[Arc<str>] {
        &self.strings
    }

    /// Writes a number in as many groups of seven bits as it needs.
    pub(super) fn number(&mut self, number: u64) {
        let mut rest = number;
        while rest >= 0x80 {
            self.byte(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        self.byte(rest.to_le_bytes()[0]);
    }

    pub(super) fn length(&mut self, length: usize) {
        self.number(u64::try_from(length).unwrap_or(u64::MAX));
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(super) fn float(&mut self, number: f64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn string(&mut self, text: &Arc<str>) {
        let place = if let Some(place) = self.places.get(text) {
            *place
        } else {
            let place = u64::try_from(self.strings.len()).unwrap_or(u64::MAX);
            self.strings.push(Arc::clone(text));
            self.places.insert(Arc::clone(text), place);
            place
        };
        self.number(place);
    }

    /// Writes a list with its length.
    pub(super) fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.length(items.len());
        for item in items {
            write(self, item);
        }
    }
}

/// Reads what a [`Sink`] has taken. Each method returns `None` if the bytes are not what it expects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    bytes: &'a [u8],
    strings: &'a [Arc<str>],
}

impl<'a> Source<'a> {
    pub(super) fn new(bytes: &'a [u8], strings: &'a [Arc<str>]) -> Self {
        Self { bytes, strings }
    }

    /// Returns the same bytes with these strings.
    pub(super) fn with_strings<'b>(self, strings: &'b [Arc<str>]) -> Source<'b>
    where
        'a: 'b,
    {
        Source { bytes: self.bytes, strings }
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*byte)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    pub(super) fn float(&mut self) -> Option<f64> {
        self.take(8)?.try_into().ok().map(f64::from_le_bytes)
    }

    pub(super) fn string(&mut self) -> Option<Arc<str>> {
        let place = self.length()?;
        self.strings.get(place).cloned()
    }

    /// Returns the next bytes, to be read by themselves.
    pub(super) fn part(&mut self, length: usize) -> Option<Self> {
        Some(Self { bytes: self.take(length)?, strings: self.strings })
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    /// Reads a list with its length. What it reserves is bounded by the bytes that are left.
    pub(super) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.length()?;
        let mut items = Vec::with_capacity(length.min(self.bytes.len()));
        for _ in 0..length {
            items.push(read(self)?);
        }
        Some(items)
    }
}
