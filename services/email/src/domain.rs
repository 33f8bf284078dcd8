//! The content of a mail: a subject, a text and a page for each subject of a notification, in the customer's language.
//!
//! Pure: it turns a notification into a [`Mail`], without AWS or HTTP. The words are messages of Fluent
//! (`texts/<language>.ftl`), the arrangement a template for all mails (`layouts/`). No name can inject a header, a line or
//! markup: subjects contain no name, the recipient is an [`EmailAddress`](contracts::EmailAddress), a single plain address
//! by construction, a name stays on one line, and the page escapes all it is given.

use std::fmt;

use contracts::{Channels, Contact, Locale, Subject};
use fluent_bundle::FluentArgs;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};
use thiserror::Error;

mod texts;

use texts::Texts;
pub use texts::TextsError;

/// The languages of mails with their texts. The first is for customers whose language is none of them.
const LANGUAGES: [(&str, &str); 2] =
    [("en", include_str!("../texts/en.ftl")), ("de", include_str!("../texts/de.ftl"))];

/// The templates of all mails. The ending decides that one is escaped as HTML.
const LAYOUTS: [(&str, &str); 2] =
    [(TEXT, include_str!("../layouts/mail.txt")), (PAGE, include_str!("../layouts/mail.html"))];
const TEXT: &str = "mail.txt";
const PAGE: &str = "mail.html";

/// A mail, ready to be sent.
///
/// `Debug` shows only the subject, since the rest contains the customer's name.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// The subject: one line, without a name.
    pub subject: String,
    /// The plain text, with `\n` between lines.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Why a mail cannot be written. None depends on the customer.
#[derive(Debug, Error)]
pub enum WriteError {
    /// A text is missing or wrong.
    #[error(transparent)]
    Texts(#[from] TextsError),
    /// A layout cannot be filled in.
    #[error("layout of mails cannot be used")]
    Layout(#[from] minijinja::Error),
}

/// Writes mails.
pub struct Writer {
    languages: Vec<Texts>,
    layouts: Environment<'static>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    /// Reads the texts and layouts, which are part of the program.
    ///
    /// # Errors
    /// If one of them has a syntax error.
    pub fn new() -> Result<Self, WriteError> {
        let languages = LANGUAGES
            .into_iter()
            .map(|(language, source)| Texts::read(language, source))
            .collect::<Result<_, _>>()?;
        let mut layouts = Environment::new();
        layouts.set_syntax(SyntaxConfig::builder().trim_blocks(true).keep_trailing_newline(true).build()?);
        layouts.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, source) in LAYOUTS {
            layouts.add_template(name, source)?;
        }
        Ok(Self { languages, layouts })
    }

    /// Writes the mail about `subject` to `contact`, in the language of its locale; in English if there are no texts in
    /// that language.
    ///
    /// # Errors
    /// If a text or a variable is missing.
    pub fn write(&self, subject: &Subject, contact: &Contact) -> Result<Mail, WriteError> {
        let texts = self.texts(&contact.locale);
        let variables = variables(texts, subject, contact)?;
        let text = |part: &str| texts.text(&format!("{}.{part}", subject.template()), &variables);
        let highlight = texts.optional(&format!("{}.highlight", subject.template()), &variables)?;
        let (headline, body) = (text("subject")?, text("body")?);
        let paragraphs: Vec<String> = body.split("\n\n").map(str::to_owned).collect();
        let content = context! {
            language => texts.language(),
            subject => &headline,
            greeting => texts.text("greeting", &variables)?,
            highlight => highlight,
            paragraphs => paragraphs,
            closing => texts.text("closing", &variables)?,
        };
        let text = self.layouts.get_template(TEXT)?.render(&content)?;
        let html = self.layouts.get_template(PAGE)?.render(&content)?;
        Ok(Mail { subject: headline, text, html })
    }

    /// Returns the texts for a locale such as `de-AT`.
    fn texts(&self, locale: &Locale) -> &Texts {
        let language = locale.as_str().split('-').next().unwrap_or_default();
        let own = self.languages.iter().find(|texts| texts.language() == language);
        own.unwrap_or(&self.languages[0])
    }
}

/// Returns what the texts about `subject` may mention.
fn variables<'a>(texts: &Texts, subject: &Subject, contact: &Contact) -> Result<FluentArgs<'a>, TextsError> {
    let (given, family) = (contact.name.given.as_str(), contact.name.family.as_str());
    let mut variables = FluentArgs::new();
    variables.set("given", one_line(given));
    variables.set("full", one_line(&format!("{given} {family}")));
    match subject {
        Subject::MemberEnrolled | Subject::MemberRenamed | Subject::EmailChanged | Subject::MemberErased => {}
        Subject::MemberPreferencesChanged => variables.set("channels", listed(texts, &contact.channels)?),
        Subject::TierAscended { tier, previous_tier } | Subject::TierDescended { tier, previous_tier } => {
            variables.set("tier", texts.tier(*tier)?);
            variables.set("previous", texts.tier(*previous_tier)?);
        }
        Subject::DiscountActivated { value, valid_until, .. }
        | Subject::DiscountExpired { value, valid_until, .. } => {
            variables.set("discount", texts.worth(value)?);
            variables.set("date", texts.date(last_day(*valid_until))?);
        }
    }
    Ok(variables)
}

/// Returns the last day, in UTC, of which any part lies before `end`: what is valid until midnight is not valid on the
/// day that begins then.
fn last_day(end: Timestamp) -> jiff::civil::Date {
    let last = end.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap_or(end);
    last.to_zoned(TimeZone::UTC).date()
}

fn listed(texts: &Texts, channels: &Channels) -> Result<String, TextsError> {
    let names: Vec<String> =
        channels.iter().map(|channel| texts.channel(*channel)).collect::<Result<_, _>>()?;
    Ok(names.join(", "))
}

/// Returns `text` as one line that reads as it is written: line breaks, control characters and marks that change
/// the direction of writing become spaces, and runs of spaces a single one.
fn one_line(text: &str) -> String {
    let visible: String = text.chars().map(|c| if breaks_line_or_direction(c) { ' ' } else { c }).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn breaks_line_or_direction(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
