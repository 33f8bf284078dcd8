//! What an operation returns.

use serde_json::Value;

/// An output, which need not be read where it is only passed on.
#[derive(Debug)]
pub(crate) enum Output {
    Value(Value),
    /// The text of a JSON object.
    Text(String),
}

impl Output {
    /// Reads the output.
    ///
    /// # Errors
    /// If it is not JSON, which would be a mistake of this crate.
    pub(crate) fn into_value(self) -> Result<Value, serde_json::Error> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Text(text) => serde_json::from_str(&text),
        }
    }
}
