//! A mail as a client requests it, and SES's checks.
//!
//! The types here have no `Debug`: they contain names and addresses.

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::address;
use super::mail::Mail;
use super::raw::Header;
use super::refusal::Refusal;

/// SES developer guide, "Amazon SES quotas": recipients of a message.
const MAX_RECIPIENTS: usize = 50;
const MAX_TAG: usize = 256;
const MAX_TAGS: usize = 50;

/// The encodings that SES is known to write.
const CHARSETS: [&str; 8] =
    ["UTF-8", "US-ASCII", "ISO-8859-1", "ISO-8859-15", "WINDOWS-1252", "SHIFT_JIS", "ISO-2022-JP", "UTF-16"];

/// Fields that SES writes itself (API reference v2, `MessageHeader`).
const RESERVED_HEADERS: [&str; 12] = [
    "bcc",
    "cc",
    "content-disposition",
    "content-type",
    "date",
    "from",
    "message-id",
    "mime-version",
    "reply-to",
    "return-path",
    "subject",
    "to",
];

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Destination {
    #[serde(rename = "ToAddresses")]
    pub(super) to: Vec<String>,
    #[serde(rename = "CcAddresses")]
    pub(super) cc: Vec<String>,
    #[serde(rename = "BccAddresses")]
    pub(super) bcc: Vec<String>,
}

/// A text with its encoding.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Text {
    #[serde(default)]
    data: String,
    charset: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Body {
    text: Option<Text>,
    html: Option<Text>,
}

/// A tag of a mail, or a header field.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Pair {
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Simple {
    subject: Option<Text>,
    #[serde(default)]
    body: Body,
    #[serde(default)]
    headers: Vec<Pair>,
    #[serde(default)]
    attachments: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Raw {
    /// In Base64.
    #[serde(default)]
    data: String,
}

pub(super) enum Content {
    Simple(Simple),
    Raw(Raw),
}

/// What both versions of the API can say about a mail.
pub(super) struct Draft {
    pub(super) from: Option<String>,
    pub(super) destination: Destination,
    pub(super) reply_to: Vec<String>,
    pub(super) content: Content,
    pub(super) tags: Vec<Pair>,
    pub(super) configuration_set: Option<String>,
    /// The largest message, in bytes.
    pub(super) max_bytes: usize,
}

impl Draft {
    /// Returns the mail, without message id and time, if SES would accept it from a verified sender.
    pub(super) fn into_mail(self) -> Result<Mail, Refusal> {
        let tags = checked_tags(self.tags)?;
        let mut mail = match self.content {
            Content::Simple(simple) => simple_mail(simple, self.max_bytes)?,
            Content::Raw(raw) => raw_mail(&raw, self.max_bytes)?,
        };
        mail.tags = tags;
        mail.configuration_set = self.configuration_set;
        if let Some(from) = self.from {
            mail.from = from;
        }
        let Destination { to, cc, bcc } = self.destination;
        // Recipients that are given replace those in a raw message's header.
        if !to.is_empty() || !cc.is_empty() || !bcc.is_empty() {
            (mail.to, mail.cc, mail.bcc) = (to, cc, bcc);
        }
        if !self.reply_to.is_empty() {
            mail.reply_to = self.reply_to;
        }
        check_addresses(&mail)?;
        Ok(mail)
    }
}

fn check_addresses(mail: &Mail) -> Result<(), Refusal> {
    if mail.from.is_empty() {
        return Err("Missing required header 'From'.".into());
    }
    address::check(&mail.from)?;
    let recipients = mail.recipients().count();
    if recipients == 0 {
        return Err("Empty required header 'To'.".into());
    }
    if recipients > MAX_RECIPIENTS {
        return Err("Recipient count exceeds 50.".into());
    }
    for address in mail.recipients().chain(mail.reply_to.iter().map(String::as_str)) {
        address::check(address)?;
    }
    Ok(())
}

fn simple_mail(simple: Simple, max_bytes: usize) -> Result<Mail, Refusal> {
    if !simple.attachments.is_empty() {
        return Err(Refusal::Unsupported("attachments of simple messages; send a raw message"));
    }
    let subject = simple.subject.ok_or("Subject is required")?;
    if subject.data.contains(|c: char| c.is_control() && c != '\t') {
        return Err("Subject contains control characters".into());
    }
    if simple.body.text.is_none() && simple.body.html.is_none() {
        return Err("Body must have a text or an HTML part".into());
    }
    let parts = [Some(&subject), simple.body.text.as_ref(), simple.body.html.as_ref()];
    for part in parts.iter().flatten() {
        check_charset(part.charset.as_deref())?;
    }
    check_size(parts.iter().flatten().map(|part| part.data.len()).sum(), max_bytes)?;
    Ok(Mail {
        subject: Some(subject.data),
        text: simple.body.text.map(|text| text.data),
        html: simple.body.html.map(|html| html.data),
        headers: checked_headers(simple.headers)?,
        ..Mail::default()
    })
}

fn check_charset(charset: Option<&str>) -> Result<(), Refusal> {
    let Some(charset) = charset else { return Ok(()) };
    if CHARSETS.iter().any(|known| known.eq_ignore_ascii_case(charset)) {
        return Ok(());
    }
    Err(Refusal::Invalid(format!("Unsupported charset: {charset}")))
}

fn check_size(bytes: usize, max: usize) -> Result<(), Refusal> {
    if bytes > max {
        return Err(Refusal::Invalid(format!("Message length is more than {max} bytes long: '{bytes}'.")));
    }
    Ok(())
}

fn raw_mail(raw: &Raw, max_bytes: usize) -> Result<Mail, Refusal> {
    let message =
        STANDARD.decode(&raw.data).map_err(|_| Refusal::from("The raw message is not in Base64"))?;
    check_size(message.len(), max_bytes)?;
    let message = String::from_utf8_lossy(&message).into_owned();
    let header = Header::parse(&message)?;
    Ok(Mail {
        from: header.addresses("from").into_iter().next().unwrap_or_default(),
        to: header.addresses("to"),
        cc: header.addresses("cc"),
        bcc: header.addresses("bcc"),
        reply_to: header.addresses("reply-to"),
        subject: header.get("subject").map(str::to_owned),
        raw: Some(message),
        ..Mail::default()
    })
}

/// Checks tags (API reference, `MessageTag`): letters, digits, hyphens and underscores. SES takes `.` and `@` too.
fn checked_tags(tags: Vec<Pair>) -> Result<BTreeMap<String, String>, Refusal> {
    if tags.len() > MAX_TAGS {
        return Err("Too many tags".into());
    }
    let fits = |text: &str| {
        (1..=MAX_TAG).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@'))
    };
    let mut checked = BTreeMap::new();
    for Pair { name, value } in tags {
        if !fits(&name) || !fits(&value) {
            return Err(Refusal::Invalid(format!(
                "Tag name and value can only contain alphanumeric ASCII characters, '_', '-', '.' and '@', up to \
                 {MAX_TAG}"
            )));
        }
        if checked.insert(name, value).is_some() {
            return Err("Duplicate tag name".into());
        }
    }
    Ok(checked)
}

fn checked_headers(headers: Vec<Pair>) -> Result<BTreeMap<String, String>, Refusal> {
    let mut names = HashSet::new();
    for Pair { name, value } in &headers {
        let lower = name.to_ascii_lowercase();
        let field = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic() && c != ':');
        if !field || !value.chars().all(|c| (' '..='~').contains(&c)) {
            return Err("A header field has printable ASCII characters only".into());
        }
        if RESERVED_HEADERS.contains(&&*lower) {
            return Err(Refusal::Invalid(format!("Header '{name}' is not allowed")));
        }
        if !names.insert(lower) {
            return Err(Refusal::Invalid(format!("Duplicate header '{name}'.")));
        }
    }
    Ok(headers.into_iter().map(|Pair { name, value }| (name, value)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn draft(from: &str, to: &[&str], content: Content) -> Draft {
        Draft {
            from: Some(from.to_owned()).filter(|from| !from.is_empty()),
            destination: Destination {
                to: to.iter().map(|to| (*to).to_owned()).collect(),
                ..Destination::default()
            },
            reply_to: Vec::new(),
            content,
            tags: Vec::new(),
            configuration_set: None,
            max_bytes: 1000,
        }
    }

    fn simple(value: Value) -> Content {
        Content::Simple(serde_json::from_value(value).unwrap())
    }

    fn greeting() -> Content {
        simple(json!({"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t", "Charset": "utf-8"}}}))
    }

    fn raw(message: &str) -> Content {
        Content::Raw(Raw { data: STANDARD.encode(message) })
    }

    fn refusal(draft: Draft) -> String {
        match draft.into_mail().unwrap_err() {
            Refusal::Invalid(reason) => reason,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_simple_message_is_checked() {
        let (from, to) = ("Shop <a@b.example>", ["c@d.example"]);
        assert_eq!(draft(from, &to, greeting()).into_mail().unwrap().text.as_deref(), Some("t"));
        for content in [
            json!({"Subject": {"Data": "a\r\nBcc: x"}, "Body": {"Text": {"Data": "t"}}}),
            json!({"Subject": {"Data": "s"}, "Body": {}}),
            json!({"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t", "Charset": "UTF-9"}}}),
            json!({"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t".repeat(1000)}}}),
            json!({"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}, "Headers": [{"Name": "To", "Value": "x"}]}),
            json!({"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}, "Headers": [{"Name": "X", "Value": "a\nb"}]}),
            json!({"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}, "Attachments": [{}]}),
        ] {
            assert!(draft(from, &to, simple(content.clone())).into_mail().is_err(), "{content}");
        }
    }

    #[test]
    fn there_are_1_to_50_recipients() {
        let many = vec!["c@d.example"; 51];
        assert!(draft("a@b.example", &many[..50], greeting()).into_mail().is_ok());
        assert_eq!(refusal(draft("a@b.example", &many, greeting())), "Recipient count exceeds 50.");
        assert_eq!(refusal(draft("a@b.example", &[], greeting())), "Empty required header 'To'.");
        assert_eq!(refusal(draft("a@b.example", &["zoe"], greeting())), "Missing final '@domain'");
        assert_eq!(refusal(draft("", &many[..1], greeting())), "Missing required header 'From'.");
        assert_eq!(refusal(draft("shop", &many[..1], greeting())), "Missing final '@domain'");
    }

    #[test]
    fn a_raw_message_may_name_sender_and_recipients() {
        let message = "From: a@b.example\nTo: c@d.example, e@f.example\nSubject: s\n\nbody";
        let mail = draft("", &[], raw(message)).into_mail().unwrap();
        assert_eq!((&*mail.from, mail.to.len(), mail.subject.as_deref()), ("a@b.example", 2, Some("s")));
        let mail = draft("", &["g@h.example"], raw(message)).into_mail().unwrap();
        assert_eq!(mail.to, ["g@h.example"]);
        assert_eq!(
            refusal(draft("", &["g@h.example"], raw("Subject: s\n\nb"))),
            "Missing required header 'From'."
        );
    }

    #[test]
    fn tags_have_few_characters() {
        let tagged = |name: &str, value: &str| {
            let tags = vec![Pair { name: name.to_owned(), value: value.to_owned() }];
            Draft { tags, ..draft("a@b.example", &["c@d.example"], greeting()) }.into_mail()
        };
        assert!(tagged("event_id", "e-1").is_ok());
        for (name, value) in [("", "x"), ("a b", "x"), ("a", "ä"), ("a", "")] {
            assert!(tagged(name, value).is_err(), "{name} {value}");
        }
    }
}
