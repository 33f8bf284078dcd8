//! Texts that follow a rule. The rule is written once: it checks what is read and is part of the text's schema.

use regex::Regex;
use thiserror::Error;

/// Why a text is not the value it should be. The message says what is expected and never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{expected}")]
pub struct InvalidValue {
    /// What would be right, such as `must be exactly 12 digits`.
    pub expected: &'static str,
}

/// What a text must be, in the terms of JSON Schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// The fewest characters.
    pub(crate) min_length: usize,
    /// The most characters.
    pub(crate) max_length: usize,
    /// A regular expression that both Rust and ECMA-262 read alike.
    pub(crate) pattern: &'static str,
    /// The rule in words, as a refusal states it.
    pub(crate) expected: &'static str,
}

impl Rule {
    /// Compiles the pattern.
    #[expect(clippy::expect_used, reason = "the pattern is a constant, and a test checks every value type's")]
    pub(crate) fn compile(&self) -> Regex {
        Regex::new(self.pattern).expect("a valid pattern")
    }

    /// Checks `text`. The length comes first, so that the pattern never runs over a long text.
    pub(crate) fn check(&self, pattern: &Regex, text: &str) -> Result<(), InvalidValue> {
        let length = text.chars().count();
        if (self.min_length..=self.max_length).contains(&length) && pattern.is_match(text) {
            Ok(())
        } else {
            Err(InvalidValue { expected: self.expected })
        }
    }
}

/// Declares a text that is valid by construction, with its rule. `debug` maps the text to what `Debug` shows. `format` names
/// what is right beyond the rule, and `read` returns the text in its one spelling, or `None` if it is not right.
macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident, $rule:expr, debug: $debug:expr $(, format: $format:literal, read: $read:expr)?) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(!try_from, !into, extend(
            "minLength" = Self::RULE.min_length,
            "maxLength" = Self::RULE.max_length,
            "pattern" = Self::RULE.pattern,
            "x-expected" = Self::RULE.expected,
            $("format" = $format,)?
        ))]
        pub struct $name(String);

        impl $name {
            const RULE: Rule = $rule;

            /// Returns the value as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidValue;

            fn try_from(text: String) -> Result<Self, InvalidValue> {
                static PATTERN: LazyLock<Regex> = LazyLock::new(|| $name::RULE.compile());
                Self::RULE.check(&PATTERN, &text)?;
                $(
                    let read: fn(&str) -> Option<String> = $read;
                    let text = read(&text).ok_or(InvalidValue { expected: Self::RULE.expected })?;
                )?
                Ok(Self(text))
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let debug: fn(&str) -> &str = $debug;
                f.debug_tuple(stringify!($name)).field(&debug(&self.0)).finish()
            }
        }
    };
}
pub(crate) use text_value;
