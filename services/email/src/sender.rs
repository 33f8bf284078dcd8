//! The sender of mails, as SES takes it.

use std::str::FromStr;

use contracts::EmailAddress;
use email_encoding::headers::rfc2047;
use email_encoding::headers::writer::EmailWriter;
use thiserror::Error;

/// An address with an optional display name.
///
/// The name may be any text: for SES it is quoted, or encoded as
/// [RFC 2047](https://www.rfc-editor.org/rfc/rfc2047) requires of other characters than ASCII. SES refuses or garbles
/// it otherwise
/// ([`SendEmail`](https://docs.aws.amazon.com/ses/latest/APIReference/API_SendEmail.html#API_SendEmail_RequestParameters)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    name: String,
    address: EmailAddress,
}

/// A text that is no sender. The message does not quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected an address such as loyalty@example.com or \"Name <loyalty@example.com>\"")]
pub(crate) struct InvalidSender;

impl Sender {
    /// Replaces the display name.
    pub(crate) fn named(self, name: &str) -> Result<Self, InvalidSender> {
        let name = unquoted(name.trim());
        if name.contains(char::is_control) {
            return Err(InvalidSender);
        }
        Ok(Self { name, ..self })
    }

    /// Returns the value of the header `From`, on one line and in ASCII.
    pub(crate) fn header(&self) -> String {
        let address = self.address.as_str();
        if self.name.is_empty() {
            return address.to_owned();
        }
        if self.name.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ') {
            return format!("{} <{address}>", self.name);
        }
        if self.name.is_ascii() {
            let quoted = self.name.replace('\\', "\\\\").replace('"', "\\\"");
            return format!("\"{quoted}\" <{address}>");
        }
        format!("{} <{address}>", encoded(&self.name))
    }
}

/// Reads `address`, `Name <address>` or `"Name" <address>`.
impl FromStr for Sender {
    type Err = InvalidSender;

    fn from_str(text: &str) -> Result<Self, InvalidSender> {
        let text = text.trim();
        let (name, address) = match text.rsplit_once('<') {
            Some((name, rest)) => (name, rest.strip_suffix('>').ok_or(InvalidSender)?),
            None => ("", text),
        };
        let address = address.parse().map_err(|_| InvalidSender)?;
        Self { name: String::new(), address }.named(name)
    }
}

/// Returns `name` as encoded words.
fn encoded(name: &str) -> String {
    let mut words = String::new();
    // Writing to a string cannot fail.
    _ = rfc2047::encode(name, &mut EmailWriter::new(&mut words, 0, 0, false));
    // A long name is folded, which a parameter of an API is not: unfolding removes the line breaks alone (RFC 5322,
    // 2.2.3).
    words.replace("\r\n", "")
}

/// Returns the content of a quoted string, and other text as it is.
fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> String {
        text.parse::<Sender>().unwrap().header()
    }

    #[test]
    fn names_are_quoted_or_encoded_where_they_must_be() {
        for (text, expected) in [
            ("loyalty@x.de", "loyalty@x.de"),
            (" <loyalty@x.de> ", "loyalty@x.de"),
            ("FooStore <loyalty@x.de>", "FooStore <loyalty@x.de>"),
            ("Foo Store <loyalty@x.de>", "Foo Store <loyalty@x.de>"),
            ("\"Foo Store\" <loyalty@x.de>", "Foo Store <loyalty@x.de>"),
            ("Foo, Inc. <loyalty@x.de>", "\"Foo, Inc.\" <loyalty@x.de>"),
            ("\"The \\\"Foo\\\" Store\" <loyalty@x.de>", "\"The \\\"Foo\\\" Store\" <loyalty@x.de>"),
            ("a@b <loyalty@x.de>", "\"a@b\" <loyalty@x.de>"),
            (
                "Müller & Söhne, Inc. <loyalty@x.de>",
                "=?utf-8?b?TcO8bGxlciAmIFPDtmhuZSwgSW5jLg==?= <loyalty@x.de>",
            ),
        ] {
            assert_eq!(header(text), expected, "{text}");
        }
    }

    #[test]
    fn a_long_name_becomes_several_encoded_words_on_one_line() {
        let header = header(&format!("{} <loyalty@x.de>", "Gebrüder Größenwahn ".repeat(8)));
        assert!(!header.contains(['\r', '\n']) && header.is_ascii(), "{header}");
        let words: Vec<_> = header.split(' ').filter(|word| word.starts_with("=?utf-8?b?")).collect();
        assert!(words.len() > 1 && words.iter().all(|word| word.len() <= 75), "{header}");
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for text in [
            "",
            "loyalty",
            "loyalty@x",
            "FooStore",
            "FooStore <loyalty@x.de",
            "FooStore <>",
            "<loyalty@x.de> Foo",
            "a@x.de, b@x.de",
            "Foo\r\nBcc: <loyalty@x.de>",
            "Foo <a@x.de> <b>",
        ] {
            assert_eq!(text.parse::<Sender>(), Err(InvalidSender), "{text}");
        }
        let plain: Sender = "loyalty@x.de".parse().unwrap();
        assert!(plain.clone().named("Foo\nBcc: x").is_err());
        assert_eq!(plain.named("Foo, Inc.").unwrap().header(), "\"Foo, Inc.\" <loyalty@x.de>");
    }
}
