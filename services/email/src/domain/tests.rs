//! Every mail in every language.

use std::path::Path;

use contracts::{Channel, Name, Tier};
use serde_json::json;

use super::*;

/// Every subject, with discounts of both kinds.
fn subjects() -> Vec<Subject> {
    let (tier, previous_tier) = (Tier::Gold, Tier::Silver);
    let valid_until: Timestamp = "2026-09-01T00:00:00Z".parse().unwrap();
    let discount = |value: serde_json::Value| {
        ("SUMMER-2026".parse().unwrap(), serde_json::from_value(value).unwrap(), valid_until)
    };
    let (discount_id, value, _) = discount(json!({"percentage": 15}));
    let (expired_id, expired, _) = discount(json!({"amount": {"minor_units": 1_250, "currency": "EUR"}}));
    vec![
        Subject::MemberEnrolled,
        Subject::MemberRenamed,
        Subject::MemberPreferencesChanged,
        Subject::EmailChanged,
        Subject::MemberErased,
        Subject::TierAscended { tier, previous_tier },
        Subject::TierDescended { tier: previous_tier, previous_tier: tier },
        Subject::DiscountActivated { discount_id, value, valid_until },
        Subject::DiscountExpired { discount_id: expired_id, value: expired, valid_until },
    ]
}

fn contact(given: &str, family: &str, locale: &str) -> Contact {
    Contact {
        name: Name { given: given.parse().unwrap(), family: family.parse().unwrap() },
        email: "ada@example.com".parse().unwrap(),
        channels: Channels::from([Channel::Email, Channel::Wallet]),
        locale: locale.parse().unwrap(),
    }
}

fn write(subject: &Subject, contact: &Contact) -> Mail {
    Writer::new().unwrap().write(subject, contact).unwrap()
}

/// `tests/snapshots` holds each mail as it is sent.
#[test]
fn every_mail_in_every_language_reads_as_it_should() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let mut expected = std::collections::BTreeSet::new();
    for (language, _) in LANGUAGES {
        for subject in subjects() {
            let mail = write(&subject, &contact("Ada", "Lovelace", language));
            let name = format!("{}.{language}", subject.template());
            for (file, content) in [
                (format!("{name}.txt"), format!("Subject: {}\n\n{}", mail.subject, mail.text)),
                (format!("{name}.html"), mail.html),
            ] {
                let snapshot = directory.join(&file);
                if std::fs::read_to_string(&snapshot).unwrap_or_default() != content {
                    let new = std::env::temp_dir().join(&file);
                    std::fs::write(&new, &content).unwrap();
                    panic!("the mail has changed; if it should: cp {} {}", new.display(), snapshot.display());
                }
                expected.insert(file);
            }
        }
    }
    let kept: std::collections::BTreeSet<_> = directory
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(kept, expected);
}

#[test]
fn no_two_mails_have_the_same_subject() {
    let mut seen = std::collections::BTreeSet::new();
    for (language, _) in LANGUAGES {
        for subject in subjects() {
            let mail = write(&subject, &contact("Ada", "Lovelace", language));
            assert!(!mail.subject.contains(['\n', '\r']), "{}", mail.subject);
            assert!(seen.insert(mail.subject.clone()), "{} is the subject of two mails", mail.subject);
        }
    }
}

#[test]
fn the_language_is_the_locales_and_english_otherwise() {
    let writer = Writer::new().unwrap();
    for (locale, language) in [("de", "de"), ("de-AT", "de"), ("en-GB", "en"), ("fr", "en"), ("deu", "en")] {
        assert_eq!(writer.texts(&locale.parse().unwrap()).language(), language, "{locale}");
    }
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
fn a_name_is_text_on_the_page_and_nothing_else() {
    let mail = write(&Subject::MemberRenamed, &contact("{{ x }}", "<b onload=\"y\">& { $full }", "en"));
    assert!(mail.text.contains("to: {{ x }} <b onload=\"y\">& { $full }.\n"), "{}", mail.text);
    assert!(mail.html.contains("{{ x }} &lt;b onload=&quot;y&quot;&gt;&amp; { $full }."), "{}", mail.html);
}

#[test]
fn a_discount_until_midnight_is_valid_on_the_day_before() {
    for (end, day) in [
        ("2026-09-01T00:00:00Z", "2026-08-31"),
        ("2026-08-31T23:59:59Z", "2026-08-31"),
        ("2026-09-01T00:00:01Z", "2026-09-01"),
    ] {
        assert_eq!(last_day(end.parse().unwrap()).to_string(), day, "{end}");
    }
}

#[test]
fn debug_output_has_no_name() {
    let shown = format!("{:?}", write(&Subject::MemberRenamed, &contact("Ada", "Lovelace", "en")));
    assert!(!shown.contains("Ada") && !shown.contains("Lovelace"), "{shown}");
}
