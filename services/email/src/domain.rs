//! The content of a mail: a subject and a text for each subject of a notification, in the customer's language.
//!
//! Pure: it turns a notification into a [`Mail`], without AWS or HTTP. No name can inject a header or a line:
//! subjects are constants, the recipient is an [`EmailAddress`](contracts::EmailAddress), a single plain address
//! by construction, and in the text a name stays on one line.

use std::fmt;

use contracts::{Channel, Channels, Contact, DiscountValue, Locale, Subject, Tier};

/// The languages of mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English, also for languages without texts.
    English,
    /// German.
    German,
}

impl Language {
    /// Returns the language of a locale such as `de-AT` or `en`; English for those without texts.
    #[must_use]
    pub fn of(locale: &Locale) -> Self {
        match locale.as_str().split('-').next() {
            Some("de") => Self::German,
            _ => Self::English,
        }
    }
}

/// A mail, ready to be sent as plain text.
///
/// `Debug` omits the text, since it contains the customer's name.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// The subject: one line, without a name.
    pub subject: &'static str,
    /// The text, with `\n` between lines.
    pub text: String,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Writes the mail about `subject` to `contact`, in the language of its locale.
#[must_use]
pub fn write(subject: &Subject, contact: &Contact) -> Mail {
    let language = Language::of(&contact.locale);
    let given = one_line(contact.name.given.as_str());
    let full = one_line(&format!("{} {}", contact.name.given.as_str(), contact.name.family.as_str()));
    let (headline, body) = match language {
        Language::English => english(subject, &full, &contact.channels),
        Language::German => german(subject, &full, &contact.channels),
    };
    let text = match language {
        Language::English => format!("Hello {given},\n\n{body}\n\nYour FooStore team\n"),
        Language::German => format!("Guten Tag {given},\n\n{body}\n\nIhr FooStore-Team\n"),
    };
    Mail { subject: headline, text }
}

fn english(subject: &Subject, full: &str, channels: &Channels) -> (&'static str, String) {
    match subject {
        Subject::MemberEnrolled => (
            "Welcome to FooStore's loyalty programme",
            "you are now a member of our loyalty programme. From today every purchase earns you points."
                .to_owned(),
        ),
        Subject::MemberRenamed => (
            "Your name was changed",
            format!(
                "we have changed the name of your membership to: {full}.\n\
                 If you did not ask for this, please contact our customer service."
            ),
        ),
        Subject::MemberPreferencesChanged => (
            "Your contact preferences were changed",
            format!(
                "we have changed your contact preferences. You now hear from us by: {}.\n\
                 If you did not ask for this, please contact our customer service.",
                listed(channels, Language::English)
            ),
        ),
        Subject::EmailChanged => (
            "Your e-mail address was changed",
            "we have changed the e-mail address of your membership, and write to the new one from now on.\n\
             If you did not ask for this, please contact our customer service."
                .to_owned(),
        ),
        Subject::MemberErased => (
            "Your membership has ended",
            "as you asked, we have ended your membership and deleted your personal data. \
             This is the last message you receive from us."
                .to_owned(),
        ),
        Subject::TierAscended { tier, .. } => (
            "You have reached a higher tier",
            format!("you have reached {}. Congratulations!", name_of(*tier)),
        ),
        Subject::TierDescended { tier, .. } => (
            "Your tier has changed",
            format!(
                "points that you earned a year ago no longer count. Your tier is now {}.",
                name_of(*tier)
            ),
        ),
        Subject::DiscountActivated { value, valid_until, .. } => (
            "A discount for you",
            format!(
                "we give you a discount of {}, valid until {}.",
                worth(value),
                valid_until.strftime("%F")
            ),
        ),
        Subject::DiscountExpired { value, valid_until, .. } => (
            "Your discount has expired",
            format!("your discount of {} expired on {}.", worth(value), valid_until.strftime("%F")),
        ),
    }
}

fn german(subject: &Subject, full: &str, channels: &Channels) -> (&'static str, String) {
    match subject {
        Subject::MemberEnrolled => (
            "Willkommen beim Treueprogramm von FooStore",
            "Sie sind jetzt Mitglied unseres Treueprogramms. Ab heute sammeln Sie bei jedem Einkauf Punkte."
                .to_owned(),
        ),
        Subject::MemberRenamed => (
            "Ihr Name wurde geändert",
            format!(
                "wir haben den Namen Ihrer Mitgliedschaft geändert in: {full}.\n\
                 Falls Sie das nicht gewünscht haben, wenden Sie sich bitte an unseren Kundenservice."
            ),
        ),
        Subject::MemberPreferencesChanged => (
            "Ihre Kontakteinstellungen wurden geändert",
            format!(
                "wir haben Ihre Kontakteinstellungen geändert. Sie hören ab jetzt von uns über: {}.\n\
                 Falls Sie das nicht gewünscht haben, wenden Sie sich bitte an unseren Kundenservice.",
                listed(channels, Language::German)
            ),
        ),
        Subject::EmailChanged => (
            "Ihre E-Mail-Adresse wurde geändert",
            "wir haben die E-Mail-Adresse Ihrer Mitgliedschaft geändert und schreiben ab jetzt an die neue.\n\
             Falls Sie das nicht gewünscht haben, wenden Sie sich bitte an unseren Kundenservice."
                .to_owned(),
        ),
        Subject::MemberErased => (
            "Ihre Mitgliedschaft ist beendet",
            "wie gewünscht haben wir Ihre Mitgliedschaft beendet und Ihre persönlichen Daten gelöscht. \
             Dies ist die letzte Nachricht, die Sie von uns erhalten."
                .to_owned(),
        ),
        Subject::TierAscended { tier, .. } => (
            "Sie haben eine höhere Stufe erreicht",
            format!("Sie haben {} erreicht. Herzlichen Glückwunsch!", name_of(*tier)),
        ),
        Subject::TierDescended { tier, .. } => (
            "Ihre Stufe hat sich geändert",
            format!("Punkte vom letzten Jahr zählen nicht mehr. Ihre Stufe ist jetzt {}.", name_of(*tier)),
        ),
        Subject::DiscountActivated { value, valid_until, .. } => (
            "Ein Rabatt für Sie",
            format!(
                "wir schenken Ihnen einen Rabatt von {}, gültig bis {}.",
                worth(value),
                valid_until.strftime("%d.%m.%Y")
            ),
        ),
        Subject::DiscountExpired { value, valid_until, .. } => (
            "Ihr Rabatt ist abgelaufen",
            format!("Ihr Rabatt von {} ist am {} abgelaufen.", worth(value), valid_until.strftime("%d.%m.%Y")),
        ),
    }
}

fn name_of(tier: Tier) -> &'static str {
    match tier {
        Tier::Bronze => "Bronze",
        Tier::Silver => "Silver",
        Tier::Gold => "Gold",
        Tier::Platinum => "Platinum",
    }
}

fn worth(value: &DiscountValue) -> String {
    match value {
        DiscountValue::Percentage(percentage) => format!("{} %", percentage.get()),
        DiscountValue::Amount(amount) => amount.to_string(),
    }
}

/// Returns the names of the channels, such as `e-mail, app`.
fn listed(channels: &Channels, language: Language) -> String {
    let names: Vec<&str> = channels
        .iter()
        .map(|channel| match (channel, language) {
            (Channel::Email, Language::English) => "e-mail",
            (Channel::Email, Language::German) => "E-Mail",
            (Channel::App, Language::English) => "app",
            (Channel::App, Language::German) => "App",
            (Channel::Wallet, Language::English) => "wallet pass",
            (Channel::Wallet, Language::German) => "Wallet-Karte",
        })
        .collect();
    names.join(", ")
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
mod tests {
    use contracts::Name;

    use super::*;

    const SUBJECTS: [Subject; 5] = [
        Subject::MemberEnrolled,
        Subject::MemberRenamed,
        Subject::MemberPreferencesChanged,
        Subject::EmailChanged,
        Subject::MemberErased,
    ];

    fn contact(given: &str, family: &str, locale: &str) -> Contact {
        Contact {
            name: Name { given: given.parse().unwrap(), family: family.parse().unwrap() },
            email: "ada@example.com".parse().unwrap(),
            channels: Channels::from([Channel::Email, Channel::Wallet]),
            locale: locale.parse().unwrap(),
        }
    }

    #[test]
    fn every_subject_is_written_in_each_language() {
        let mut seen = std::collections::BTreeSet::new();
        for subject in &SUBJECTS {
            for (locale, greeting) in [("en", "Hello Ada,\n\n"), ("de", "Guten Tag Ada,\n\n")] {
                let mail = write(subject, &contact("Ada", "Lovelace", locale));
                assert!(mail.text.starts_with(greeting), "{}", mail.text);
                assert!(mail.text.ends_with('\n'));
                assert!(seen.insert(mail.subject), "{} is the subject of two mails", mail.subject);
            }
        }
    }

    #[test]
    fn the_language_is_the_locales_and_english_otherwise() {
        for (locale, language) in [
            ("de", Language::German),
            ("de-AT", Language::German),
            ("en-GB", Language::English),
            ("fr", Language::English),
            ("deu", Language::English),
        ] {
            assert_eq!(Language::of(&locale.parse().unwrap()), language, "{locale}");
        }
    }

    #[test]
    fn a_renaming_tells_the_new_name_and_a_preference_change_the_channels() {
        let renamed = write(&Subject::MemberRenamed, &contact("Ada", "King", "en"));
        assert!(renamed.text.contains("to: Ada King.\n"), "{}", renamed.text);
        let changed = write(&Subject::MemberPreferencesChanged, &contact("Ada", "King", "de"));
        assert!(changed.text.contains("über: E-Mail, Wallet-Karte.\n"), "{}", changed.text);
    }

    #[test]
    fn a_name_stays_one_line_and_turns_nothing_around() {
        assert_eq!(one_line("Ada\r\nBcc: eve@example.com\u{2028}\t \u{202e}x"), "Ada Bcc: eve@example.com x");
        let plain = write(&Subject::MemberRenamed, &contact("Ada", "King", "en"));
        let odd = write(&Subject::MemberRenamed, &contact("A\u{2028}da\u{202e}", "\u{2029}King", "en"));
        assert_eq!(odd.subject, plain.subject);
        assert_eq!(odd.text.lines().count(), plain.text.lines().count());
        assert!(!odd.text.contains(['\u{2028}', '\u{2029}', '\u{202e}']));
    }

    #[test]
    fn debug_output_has_no_name() {
        let mail = write(&Subject::MemberRenamed, &contact("Ada", "Lovelace", "en"));
        let shown = format!("{mail:?}");
        assert!(!shown.contains("Ada") && !shown.contains("Lovelace"), "{shown}");
    }
}
