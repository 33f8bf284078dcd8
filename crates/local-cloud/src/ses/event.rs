//! What SES publishes about a mail, as
//! <https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html> lists it. The details are those of
//! <https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html>.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::account::Fate;
use super::address::{bare_address, domain};
use super::mail::Mail;
use super::place::Place;

/// A type of event, in the three spellings that AWS has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// In an event destination.
    pub(super) matching: &'static str,
    /// The `detail-type` on the bus.
    pub(super) detail_type: &'static str,
    /// `eventType` in the detail.
    event_type: &'static str,
}

const SEND: Kind = Kind { matching: "SEND", detail_type: "Email Sent", event_type: "Send" };
const DELIVERY: Kind = Kind { matching: "DELIVERY", detail_type: "Email Delivered", event_type: "Delivery" };
const BOUNCE: Kind = Kind { matching: "BOUNCE", detail_type: "Email Bounced", event_type: "Bounce" };
const COMPLAINT: Kind =
    Kind { matching: "COMPLAINT", detail_type: "Email Complaint Received", event_type: "Complaint" };

/// What an event says of a mail.
#[derive(Clone, Copy)]
enum Outcome {
    Sent,
    Delivered,
    /// With type, subtype, and the receiving server's answer.
    Bounced(&'static str, &'static str, Option<&'static str>),
    /// With the subtype.
    Complained(Option<&'static str>),
}

impl Outcome {
    fn kind(self) -> Kind {
        match self {
            Self::Sent => SEND,
            Self::Delivered => DELIVERY,
            Self::Bounced(..) => BOUNCE,
            Self::Complained(_) => COMPLAINT,
        }
    }

    /// Returns the member of the detail that describes it, and its name.
    fn member(self, address: &str, now: Timestamp) -> (&'static str, Value) {
        match self {
            Self::Sent => ("send", json!({})),
            Self::Delivered => ("delivery", delivery(address, now)),
            Self::Bounced(kind, subtype, diagnosis) => {
                ("bounce", bounce(address, kind, subtype, diagnosis, now))
            }
            Self::Complained(subtype) => ("complaint", complaint(address, subtype, now)),
        }
    }
}

/// Returns the events of a mail that was accepted now, with their details, as far as they are wanted. `fates` says what
/// becomes of it at each recipient.
pub(super) fn events(
    mail: &Mail,
    identity: &str,
    fates: &[(String, Fate)],
    place: &Place,
    now: Timestamp,
    is_wanted: impl Fn(Kind) -> bool,
) -> Vec<(Kind, Value)> {
    let of_recipients = fates
        .iter()
        .flat_map(|(address, fate)| of_recipient(*fate).iter().map(|outcome| (*outcome, address.as_str())));
    let wanted: Vec<_> = std::iter::once((Outcome::Sent, ""))
        .chain(of_recipients)
        .filter(|(outcome, _)| is_wanted(outcome.kind()))
        .collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let about_mail = about_mail(mail, identity, place);
    let event = |(outcome, address): (Outcome, &str)| {
        let kind = outcome.kind();
        let detail = [
            ("eventType", kind.event_type.into()),
            ("mail", about_mail.clone()),
            outcome.member(address, now),
        ];
        let detail = detail.into_iter().map(|(name, value)| (name.to_owned(), value));
        (kind, Value::Object(detail.collect()))
    };
    wanted.into_iter().map(event).collect()
}

fn of_recipient(fate: Fate) -> &'static [Outcome] {
    use Outcome::{Bounced, Complained, Delivered};
    match fate {
        Fate::Delivered => &[Delivered],
        // An automatic response is reported as a bounce that says nothing about the address.
        Fate::Replied => &[Delivered, Bounced("Transient", "General", None)],
        Fate::Bounced => &[Bounced("Permanent", "General", Some("smtp; 550 5.1.1 user unknown"))],
        Fate::Complained => &[Delivered, Complained(None)],
        Fate::OnGlobalList => &[Bounced("Permanent", "Suppressed", Some(NOT_SENT))],
        Fate::OnListAfterBounce => &[Bounced("Permanent", "OnAccountSuppressionList", Some(NOT_SENT))],
        Fate::OnListAfterComplaint => &[Complained(Some("OnAccountSuppressionList"))],
    }
}

const NOT_SENT: &str =
    "Amazon SES did not send the message to this address because it is on the suppression list.";

fn bounce(address: &str, kind: &str, subtype: &str, diagnosis: Option<&str>, now: Timestamp) -> Value {
    let mut recipient = json!({"emailAddress": address});
    if let Some(diagnosis) = diagnosis {
        recipient["action"] = "failed".into();
        recipient["status"] = "5.1.1".into();
        recipient["diagnosticCode"] = diagnosis.into();
    }
    json!({
        "feedbackId": feedback_id(),
        "bounceType": kind,
        "bounceSubType": subtype,
        "bouncedRecipients": [recipient],
        "timestamp": written(now),
        "reportingMTA": "dns; local.amazonses.com",
    })
}

fn complaint(address: &str, subtype: Option<&str>, now: Timestamp) -> Value {
    json!({
        "feedbackId": feedback_id(),
        "complaintSubType": subtype,
        "complainedRecipients": [{"emailAddress": address}],
        "timestamp": written(now),
        "userAgent": "Amazon SES Mailbox Simulator",
        "complaintFeedbackType": "abuse",
        "arrivalDate": written(now),
    })
}

fn delivery(address: &str, now: Timestamp) -> Value {
    json!({
        "timestamp": written(now),
        "processingTimeMillis": 0,
        "recipients": [address],
        "smtpResponse": "250 2.0.0 OK",
        "reportingMTA": "local.smtp-out.amazonses.com",
    })
}

fn about_mail(mail: &Mail, identity: &str, place: &Place) -> Value {
    let field = |name: &str, value: String| json!({"name": name, "value": value});
    let subject = mail.subject.clone().unwrap_or_default();
    let headers = [
        field("From", mail.from.clone()),
        field("To", mail.to.join(", ")),
        field("Subject", subject.clone()),
        field("MIME-Version", "1.0".to_owned()),
    ];
    json!({
        "timestamp": mail.timestamp,
        "source": mail.from,
        "sourceArn": place.arn("identity", identity),
        "sendingAccountId": place.account_id,
        "messageId": mail.message_id,
        "destination": mail.recipients().map(bare_address).collect::<Vec<_>>(),
        "headersTruncated": false,
        "headers": headers,
        "commonHeaders": {
            "from": [mail.from],
            "to": mail.to,
            "messageId": mail.message_id,
            "subject": subject,
        },
        "tags": tags(mail),
    })
}

/// Returns the mail's own tags and those that SES adds, each with a list of values.
fn tags(mail: &Mail) -> Value {
    let sender = bare_address(&mail.from);
    let added = [
        ("ses:configuration-set", mail.configuration_set.clone().unwrap_or_default()),
        ("ses:from-domain", domain(sender).unwrap_or_default().to_owned()),
        ("ses:source-ip", "127.0.0.1".to_owned()),
        ("ses:caller-identity", "local".to_owned()),
    ];
    let own = mail.tags.iter().map(|(name, value)| (name.clone(), json!([value])));
    let added = added.into_iter().map(|(name, value)| (name.to_owned(), json!([value])));
    Value::Object(own.chain(added).collect::<Map<_, _>>())
}

fn feedback_id() -> String {
    format!("{}-000000", Uuid::new_v4())
}

/// Writes a time as SES does: in milliseconds.
pub(super) fn written(time: Timestamp) -> String {
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(fate: Fate) -> Vec<(&'static str, Value)> {
        let now = "2026-03-01T12:00:00.5Z".parse().unwrap();
        let mail = Mail {
            from: "Shop <a@b.example>".to_owned(),
            to: vec!["c@d.example".to_owned()],
            configuration_set: Some("main".to_owned()),
            tags: [("event_id".to_owned(), "e1".to_owned())].into(),
            timestamp: written(now),
            ..Mail::default()
        };
        let place = Place { region: "eu-central-1".to_owned(), account_id: "000000000000".to_owned() };
        let fates = [("c@d.example".to_owned(), fate)];
        let events = events(&mail, "b.example", &fates, &place, now, |_| true);
        events.into_iter().map(|(kind, detail)| (kind.detail_type, detail)).collect()
    }

    #[test]
    fn each_fate_has_its_events() {
        let names = |fate| kinds(fate).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(Fate::Delivered), ["Email Sent", "Email Delivered"]);
        assert_eq!(names(Fate::Replied), ["Email Sent", "Email Delivered", "Email Bounced"]);
        assert_eq!(names(Fate::Bounced), ["Email Sent", "Email Bounced"]);
        assert_eq!(names(Fate::Complained), ["Email Sent", "Email Delivered", "Email Complaint Received"]);
        assert_eq!(names(Fate::OnGlobalList), ["Email Sent", "Email Bounced"]);
        assert_eq!(names(Fate::OnListAfterComplaint), ["Email Sent", "Email Complaint Received"]);
    }

    #[test]
    fn only_the_events_that_are_wanted_are_made() {
        let place = Place { region: "eu-central-1".to_owned(), account_id: "000000000000".to_owned() };
        let fates = [("c@d.example".to_owned(), Fate::Replied)];
        let events = events(&Mail::default(), "b.example", &fates, &place, Timestamp::UNIX_EPOCH, |kind| {
            kind.matching == "BOUNCE"
        });
        assert_eq!(events.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [BOUNCE]);
    }

    #[test]
    fn a_bounce_says_whether_it_is_for_good() {
        let bounce = |fate| kinds(fate).pop().unwrap().1["bounce"].clone();
        let types = |fate| (bounce(fate)["bounceType"].clone(), bounce(fate)["bounceSubType"].clone());
        assert_eq!(types(Fate::Bounced), ("Permanent".into(), "General".into()));
        assert_eq!(types(Fate::Replied), ("Transient".into(), "General".into()));
        assert_eq!(types(Fate::OnGlobalList), ("Permanent".into(), "Suppressed".into()));
        assert_eq!(types(Fate::OnListAfterBounce), ("Permanent".into(), "OnAccountSuppressionList".into()));
    }

    #[test]
    fn the_mail_comes_with_its_tags_and_those_of_ses() {
        let mail = kinds(Fate::Delivered).pop().unwrap().1["mail"].clone();
        assert_eq!(mail["timestamp"], "2026-03-01T12:00:00.500Z");
        assert_eq!(mail["sourceArn"], "arn:aws:ses:eu-central-1:000000000000:identity/b.example");
        assert_eq!(mail["destination"], json!(["c@d.example"]));
        assert_eq!(mail["tags"]["event_id"], json!(["e1"]));
        assert_eq!(mail["tags"]["ses:configuration-set"], json!(["main"]));
        assert_eq!(mail["tags"]["ses:from-domain"], json!(["b.example"]));
    }
}
