//! The values events are made of. Each is valid by construction.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is not the value it should be. The message says what is expected and never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{expected}")]
pub struct InvalidValue {
    /// What would be right, such as `must be exactly 12 digits`.
    pub expected: &'static str,
}

macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident, $check:expr, $expected:literal, $debug:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The value as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidValue;

            fn try_from(text: String) -> Result<Self, InvalidValue> {
                let check: fn(&str) -> bool = $check;
                if check(&text) { Ok(Self(text)) } else { Err(InvalidValue { expected: $expected }) }
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

fn shown(text: &str) -> &str {
    text
}

fn redacted(_: &str) -> &'static str {
    "redacted"
}

text_value!(
    /// A customer's number in the CRM: twelve digits. The one personal identifier that telemetry may carry.
    CustomerNumber,
    |text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()),
    "must be exactly 12 digits",
    shown
);

impl fmt::Display for CustomerNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_value!(
    /// A given or a family name: 1 to 100 characters, no control characters, not only spaces.
    NamePart,
    |text| {
        (1..=100).contains(&text.chars().count()) && !text.trim().is_empty() && !text.chars().any(char::is_control)
    },
    "must be 1 to 100 characters, not blank and without control characters",
    redacted
);

text_value!(
    /// An e-mail address: one `@`, a dot in the domain, no spaces, at most 254 characters
    /// ([RFC 5321, 4.5.3.1.3](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.3) less the angle
    /// brackets), ASCII only, as SES takes it.
    EmailAddress,
    is_email_address,
    "must be an e-mail address such as name@example.com, of ASCII characters, 254 at most",
    redacted
);

text_value!(
    /// A language tag such as `en` or `de-AT` ([BCP 47](https://www.rfc-editor.org/info/bcp47)): a language of
    /// two or three lower-case letters and, if there is one, a region of two upper-case letters.
    Locale,
    is_locale,
    "must be a language tag such as \"en\" or \"de-AT\"",
    shown
);

impl Default for Locale {
    fn default() -> Self {
        Self("en".to_owned())
    }
}

fn is_email_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"@,;:<>()[]\\\"".contains(&byte);
    (1..=64).contains(&local.len())
        && text.len() <= 254
        && local.bytes().all(plain)
        && domain.contains('.')
        && domain.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

fn is_locale(text: &str) -> bool {
    let (language, region) = match text.split_once('-') {
        Some((language, region)) => (language, Some(region)),
        None => (text, None),
    };
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_lowercase())
        && region
            .is_none_or(|region| region.len() == 2 && region.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// A person's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// The given name.
    pub given: NamePart,
    /// The family name.
    pub family: NamePart,
}

/// A way to reach a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// E-mail.
    Email,
    /// The app.
    App,
    /// The wallet pass.
    Wallet,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 3] = [Self::Email, Self::App, Self::Wallet];

    /// The name it travels under.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::App => "app",
            Self::Wallet => "wallet",
        }
    }
}

impl FromStr for Channel {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.as_str() == text)
            .ok_or(InvalidValue { expected: "must be \"email\", \"app\" or \"wallet\"" })
    }
}

/// The channels a customer has agreed to; none means silence.
pub type Channels = BTreeSet<Channel>;

#[cfg(test)]
mod tests {
    use super::*;

    fn is<T: FromStr>(text: &str) -> bool {
        text.parse::<T>().is_ok()
    }

    #[test]
    fn customer_numbers_are_twelve_ascii_digits() {
        assert!(is::<CustomerNumber>("000000000001"));
        for wrong in ["", "12345678901", "1234567890123", "12345678901a", "１２３４５６７８９０１２"]
        {
            assert!(!is::<CustomerNumber>(wrong), "{wrong}");
        }
    }

    #[test]
    fn names_are_not_blank_and_cannot_smuggle_a_line() {
        assert!(is::<NamePart>("Zoë-Łucja van der Ñ"));
        for wrong in ["", "   ", "a\nb", "a\r\nBcc: x", &"x".repeat(101)] {
            assert!(!is::<NamePart>(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn addresses_are_ones_that_ses_takes() {
        for right in ["a@b.co", "first.last+tag@sub.example.com"] {
            assert!(is::<EmailAddress>(right), "{right}");
        }
        for wrong in [
            "",
            "a",
            "a@b",
            "a@@b.co",
            "a b@c.de",
            "a@b..de",
            "ä@b.de",
            "<a@b.de>",
            "a@b.de\r\nBcc:c@d.ef",
            "@b.de",
        ] {
            assert!(!is::<EmailAddress>(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn locales_are_language_tags() {
        assert!(is::<Locale>("en") && is::<Locale>("de-AT"));
        for wrong in ["", "e", "EN", "en-", "en-us", "en_US", "english"] {
            assert!(!is::<Locale>(wrong), "{wrong}");
        }
    }

    #[test]
    fn reading_checks_and_debug_hides() {
        assert!(serde_json::from_str::<CustomerNumber>("\"12\"").is_err());
        let name: Name = serde_json::from_str(r#"{"given": "Ada", "family": "Lovelace"}"#).unwrap();
        let address: EmailAddress = "ada@example.com".parse().unwrap();
        let shown = format!("{name:?} {address:?}");
        assert!(!shown.contains("Ada") && !shown.contains("ada") && !shown.contains("Lovelace"), "{shown}");
        assert_eq!(serde_json::to_string(&Channel::Email).unwrap(), "\"email\"");
        assert_eq!("wallet".parse(), Ok(Channel::Wallet));
    }
}
