//! The values events are made of. Each is valid by construction.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use regex_lite::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::InvalidValue;
use crate::text::{Rule, text_value};

fn shown(text: &str) -> &str {
    text
}

fn redacted(_: &str) -> &'static str {
    "redacted"
}

text_value!(
    /// A customer's number in the CRM: twelve digits. The one personal identifier that telemetry may carry.
    CustomerNumber,
    Rule {
        min_length: 12,
        max_length: 12,
        pattern: "^[0-9]{12}$",
        expected: "must be exactly 12 digits",
    },
    debug: shown
);

impl fmt::Display for CustomerNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_value!(
    /// A given or a family name: 1 to 100 characters, no control characters, not only white space.
    NamePart,
    Rule {
        min_length: 1,
        max_length: 100,
        // Somewhere among characters that are not control characters, one that is not white space either.
        pattern: r"^[^\u0000-\u001f\u007f-\u009f]*[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0000-\u001f\u007f-\u009f]*$",
        expected: "must be 1 to 100 characters, not blank and without control characters",
    },
    debug: redacted
);

text_value!(
    /// An e-mail address: one `@`, a dot in the domain, no spaces, at most 254 characters
    /// ([RFC 5321, 4.5.3.1.3](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.3) less the angle
    /// brackets), ASCII only, as SES takes it.
    EmailAddress,
    Rule {
        min_length: 5,
        max_length: 254,
        // At most 64 characters before the @, at most 63 in each label of the domain.
        pattern: r"^[!#-'*+\-./0-9=?A-Z^-~]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$",
        expected: "must be an e-mail address such as name@example.com, of ASCII characters, 254 at most",
    },
    debug: redacted
);

text_value!(
    /// A language tag such as `en` or `de-AT` ([BCP 47](https://www.rfc-editor.org/info/bcp47)): a language of
    /// two or three lower-case letters, optionally followed by a region of two upper-case letters.
    Locale,
    Rule {
        min_length: 2,
        max_length: 6,
        pattern: "^[a-z]{2,3}(-[A-Z]{2})?$",
        expected: "must be a language tag such as \"en\" or \"de-AT\"",
    },
    debug: shown
);

impl Default for Locale {
    fn default() -> Self {
        Self("en".to_owned())
    }
}

/// A person's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

    /// Returns the channel's name on the wire.
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

impl JsonSchema for Channel {
    fn schema_name() -> Cow<'static, str> {
        "Channel".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "A way to reach a customer.", "type": "string", "enum": Self::ALL})
    }
}

/// The channels a customer has agreed to; none means silence.
pub type Channels = BTreeSet<Channel>;

/// The schema of [`Channels`], a list on the wire.
pub(crate) struct ChannelList;

impl JsonSchema for ChannelList {
    fn schema_name() -> Cow<'static, str> {
        "Channels".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The channels a customer has agreed to; an empty list means silence.",
            "type": "array",
            "items": generator.subschema_for::<Channel>(),
            "maxItems": Channel::ALL.len(),
            "x-expected": "must be a list of \"email\", \"app\" and \"wallet\"; an empty one means silence",
        })
    }
}

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
