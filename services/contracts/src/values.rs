//! The values events are made of. Each is valid by construction.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::InvalidValue;
use crate::text::{Rule, text_value};

pub(crate) fn shown(text: &str) -> &str {
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

/// Characters that no name has, within brackets: control characters, and the code points that are none
/// (<https://www.unicode.org/faq/private_use.html#noncharacters>). SQS refuses a message with U+FFFE or U+FFFF
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>). Those above U+FFFF stand
/// for themselves, because regular expressions have no spelling for them that all readers know.
macro_rules! not_in_names {
    () => {
        concat!(
            r"\u0000-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff",
            "\u{1fffe}\u{1ffff}\u{2fffe}\u{2ffff}\u{3fffe}\u{3ffff}\u{4fffe}\u{4ffff}\u{5fffe}\u{5ffff}\u{6fffe}\u{6ffff}",
            "\u{7fffe}\u{7ffff}\u{8fffe}\u{8ffff}\u{9fffe}\u{9ffff}\u{afffe}\u{affff}\u{bfffe}\u{bffff}\u{cfffe}\u{cffff}",
            "\u{dfffe}\u{dffff}\u{efffe}\u{effff}\u{ffffe}\u{fffff}\u{10fffe}\u{10ffff}",
        )
    };
}

/// Characters that show nothing, within brackets: white space, and what fonts leave out (Unicode's
/// `Default_Ignorable_Code_Point`, the controls of annotations, and the blank Braille pattern).
macro_rules! invisible {
    () => {
        concat!(
            r"\u0020\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f",
            r"\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb",
            "\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}",
        )
    };
}

text_value!(
    /// A given or a family name: 1 to 100 characters, at least one of which is visible, and no control characters.
    NamePart,
    Rule {
        min_length: 1,
        max_length: 100,
        // Somewhere among characters that a name may have, one that is visible.
        pattern: concat!(
            "^[^", not_in_names!(), "]*[^", not_in_names!(), invisible!(), "][^", not_in_names!(), "]*$",
        ),
        expected: "must be 1 to 100 characters, at least one of them visible, without control characters",
    },
    debug: redacted
);

/// The part before the `@`: words separated by full stops.
macro_rules! local_part {
    () => {
        r"[!#-'*+\-/0-9=?A-Z^-~]+(\.[!#-'*+\-/0-9=?A-Z^-~]+)*"
    };
}

/// A domain of ASCII characters: labels of at most 63, the last of which begins with a letter and has at least two.
macro_rules! ascii_domain {
    () => {
        r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
    };
}

text_value!(
    /// An e-mail address: words of ASCII characters separated by full stops, one `@`, and a domain with a full stop; at
    /// most 254 characters ([RFC 5321, 4.5.3.1.3](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.3) less the
    /// angle brackets), 64 of them before the `@`.
    ///
    /// A domain with other characters is taken and kept in its ASCII form
    /// ([UTS 46](https://www.unicode.org/reports/tr46/)), the only one that
    /// [SES takes](https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html).
    EmailAddress,
    Rule {
        min_length: 6,
        max_length: 254,
        pattern: concat!(
            "^", local_part!(), "@(", ascii_domain!(), r"|[A-Za-z0-9.-]*[^\u0000-\u00a0][^\u0000-,/:-@\[-`{-\u00a0]*)$",
        ),
        expected: "must be an e-mail address such as name@example.com, of 254 characters at most, 64 of them before the @",
    },
    debug: redacted,
    format: "idn-email",
    read: with_ascii_domain
);

/// Returns the address with its domain in ASCII.
fn with_ascii_domain(address: &str) -> Option<String> {
    static DOMAIN: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(concat!("^", ascii_domain!(), "$")).ok());
    let (local, domain) = address.split_once('@')?;
    if local.len() > MAX_LOCAL_PART {
        return None;
    }
    if domain.is_ascii() {
        return Some(address.to_owned());
    }
    let domain = idna::domain_to_ascii_strict(domain).ok()?;
    let address = format!("{local}@{domain}");
    let right = address.len() <= EmailAddress::RULE.max_length && DOMAIN.as_ref()?.is_match(&domain);
    right.then_some(address)
}

/// The most characters before the `@` of an e-mail address
/// ([RFC 5321, 4.5.3.1.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.1)).
const MAX_LOCAL_PART: usize = 64;

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
            "uniqueItems": true,
            "x-expected": "must be a list of \"email\", \"app\" and \"wallet\", each once; an empty one means silence",
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
        for right in ["Zoë-Łucja van der Ñ", "می‌خواهم", "\u{200b}x\u{202e}", "👩‍👩‍👧", "李", "."]
        {
            assert!(is::<NamePart>(right), "{right}");
        }
        for wrong in ["", "   ", "a\nb", "a\r\nBcc: x", &"x".repeat(101)] {
            assert!(!is::<NamePart>(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn names_are_not_invisible_and_have_characters_only() {
        let invisible =
            "\u{200b}\u{200d}\u{202e}\u{2066}\u{feff}\u{ad}\u{3164}\u{2800}\u{e0041}\u{fe0f}\u{2003}\u{180e}";
        assert!(!is::<NamePart>(invisible));
        for character in invisible.chars() {
            assert!(!is::<NamePart>(&character.to_string()), "{character:?}");
        }
        for character in ['\u{fffe}', '\u{ffff}', '\u{fdd0}', '\u{1fffe}', '\u{10ffff}', '\u{0}', '\u{85}'] {
            assert!(!is::<NamePart>(&format!("Ada{character}")), "{character:?}");
        }
    }

    #[test]
    fn addresses_are_ones_that_ses_takes() {
        let longest = format!("{}@example.com", "x".repeat(64));
        for right in
            ["a@b.co", "first.last+tag@sub.example.com", "o'hara_1@1.de", "a@xn--mller-kva.de", &longest]
        {
            assert!(is::<EmailAddress>(right), "{right}");
        }
        let (long_local, long_label) = (format!("x{longest}"), format!("a@{}.de", "x".repeat(64)));
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
            "a..b@x.de",
            ".a@x.de",
            "a.@x.de",
            "a@.x.de",
            "a@x.de.",
            "a@-x.de",
            "a@1.2.3.4",
            "a@[1.2.3.4]",
            "a@x.123",
            "a@x.d",
            &long_local,
            &long_label,
        ] {
            assert!(!is::<EmailAddress>(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn domains_in_other_scripts_are_kept_in_ascii() {
        for (sent, kept) in [
            ("ada@müller.de", "ada@xn--mller-kva.de"),
            ("ada@MÜLLER.DE", "ada@xn--mller-kva.de"),
            ("ada@sub.bücher.example", "ada@sub.xn--bcher-kva.example"),
            ("ada@пример.рф", "ada@xn--e1afmkfd.xn--p1ai"),
            ("ada@例え。テスト", "ada@xn--r8jz45g.xn--zckzah"),
            ("ada@مثال.إختبار", "ada@xn--mgbh0fb.xn--kgbechtv"),
        ] {
            let address: EmailAddress = sent.parse().unwrap();
            assert_eq!(address.as_str(), kept, "{sent}");
        }
        let long = format!("ada@{}.de", "ü".repeat(63));
        for wrong in [
            "ada@mü ller.de",
            "ada@mü@ller.de",
            "ada@.ü.de",
            "ada@ü..de",
            "ada@ü",
            "ada@ü.4",
            "ada@-ü.de",
            "ada@\u{200b}ü\u{fffe}.de",
            &long,
        ] {
            assert!(!is::<EmailAddress>(wrong), "{wrong}");
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
