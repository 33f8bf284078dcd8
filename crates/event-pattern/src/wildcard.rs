//! Strings with `*` for any characters.

/// A string to compare with, byte by byte as AWS's engine does; `None` stands for any bytes, also none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wildcard(Vec<Option<u8>>);

impl Wildcard {
    /// Reads a wildcard, or returns AWS's words for what is wrong. AWS counts positions with the string's opening quote.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let bytes = text.as_bytes();
        let mut tokens = Vec::with_capacity(bytes.len());
        let mut index = 0;
        while let Some(byte) = bytes.get(index) {
            let next = bytes.get(index + 1);
            match byte {
                b'*' if next == Some(&b'*') => {
                    return Err(format!("Consecutive wildcard characters at pos {}", index + 1));
                }
                b'*' => tokens.push(None),
                b'\\' => match next {
                    Some(escaped @ (b'*' | b'\\')) => {
                        tokens.push(Some(*escaped));
                        index += 1;
                    }
                    _ => return Err(format!("Invalid escape character at pos {}", index + 1)),
                },
                byte => tokens.push(Some(*byte)),
            }
            index += 1;
        }
        Ok(Self(tokens))
    }

    pub(crate) fn tokens(&self) -> &[Option<u8>] {
        &self.0
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        let (tokens, bytes) = (&self.0, text.as_bytes());
        let (mut next, mut read) = (0, 0);
        // Where to go on if what follows the last `*` does not match: the `*` then takes one byte more.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match tokens.get(next) {
                None if read == bytes.len() => return true,
                Some(None) => {
                    next += 1;
                    retry = Some((next, read));
                    continue;
                }
                Some(Some(expected)) if bytes.get(read) == Some(expected) => {
                    next += 1;
                    read += 1;
                    continue;
                }
                _ => {}
            }
            match retry {
                Some((after_star, taken)) if taken < bytes.len() => {
                    retry = Some((after_star, taken + 1));
                    (next, read) = (after_star, taken + 1);
                }
                _ => return false,
            }
        }
    }
}
