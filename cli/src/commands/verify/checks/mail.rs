//! Sends a mail to SES's mailbox simulator, and looks at the bounce that the rule delivers.

use anyhow::anyhow;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};
use envelope::{Envelope, Metadata, mail};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::super::assumptions::MAIL_BOUNCE;
use super::super::bench::{Bench, mark};
use super::super::finding::Finding;
use super::super::scratch::{MAIL, MARK};
use super::{header, undelivered};
use crate::aws_failure::failed;

/// Bounces for good, and counts towards no bounce rate
/// (<https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html>).
const RECIPIENT: &str = "bounce@simulator.amazonses.com";

pub(super) async fn check(bench: &Bench) -> Vec<Finding> {
    vec![Finding::from_result(MAIL_BOUNCE, bounced(bench).await)]
}

async fn bounced(bench: &Bench) -> anyhow::Result<Finding> {
    let Some(sender) = &bench.sender else {
        return Err(anyhow!("no mail was sent: name an address verified in SES with --email-sender"));
    };
    let mark = mark();
    let now = Timestamp::now();
    let metadata =
        Metadata { trace: Some(header::any().to_string()), ..Metadata::first(Uuid::new_v4(), now, now) };
    send(bench, sender, &mark, &metadata).await?;
    let mut taken = bench.inbox(MAIL).await?.take(&[&mark], bench.wait).await?;
    let Some(message) = taken.remove(mark.as_str()) else {
        return match undelivered::reason(bench, MAIL, &mark).await? {
            Some(reason) => Ok(Finding::does_not_hold(MAIL_BOUNCE, reason)),
            None => Err(anyhow!(bench.too_late("no bounce arrived on the queue"))),
        };
    };
    Ok(judged(message.body().unwrap_or_default(), &metadata, &mark))
}

async fn send(bench: &Bench, sender: &str, mark: &str, metadata: &Metadata) -> anyhow::Result<()> {
    let text = |text: &str| Content::builder().data(text).build();
    let message = Message::builder()
        .subject(text("foostore verify")?)
        .body(Body::builder().text(text("This mail is to bounce.")?).build())
        .build();
    let own = [(MARK, mark.to_owned())];
    let tags = own.into_iter().chain(mail::tags(metadata, metadata.trace.as_deref()));
    let tags = tags.map(|(name, value)| MessageTag::builder().name(name).value(value).build());
    Client::new(&bench.place.config)
        .send_email()
        .from_email_address(sender)
        .destination(Destination::builder().to_addresses(RECIPIENT).build())
        .content(EmailContent::builder().simple(message).build())
        .configuration_set_name(bench.physical(MAIL))
        .set_email_tags(Some(tags.collect::<Result<_, _>>()?))
        .send()
        .await
        .map_err(|error| failed("SendEmail", error))?;
    Ok(())
}

fn judged(body: &str, sent: &Metadata, mark: &str) -> Finding {
    let read = match Envelope::read(body) {
        Ok(received) => received.envelope,
        Err(error) => return Finding::does_not_hold(MAIL_BOUNCE, error.to_string()),
    };
    let data: Value = serde_json::from_str(read.data.get()).unwrap_or_default();
    let parts = [
        ("correlation id", read.metadata.correlation_id == sent.correlation_id),
        ("causation id", read.metadata.causation_id == Some(sent.event_id)),
        ("trace", read.metadata.trace == sent.trace),
        ("reason", data["reason"] == "bounce"),
        ("tag", data[MARK] == mark),
        (
            "time of the mail",
            data["mailed_at"].as_str().is_some_and(|time| time.parse::<Timestamp>().is_ok()),
        ),
    ];
    let other: Vec<_> = parts.iter().filter(|(_, same)| !same).map(|(name, _)| *name).collect();
    if other.is_empty() {
        Finding::holds(MAIL_BOUNCE, "the bounce arrived in the chain and the trace of the mail")
    } else {
        Finding::does_not_hold(MAIL_BOUNCE, format!("not as sent: {}", other.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_part_that_differs_is_named() {
        let at = "2026-03-01T12:00:00Z".parse().unwrap();
        let first = Metadata::first(Uuid::from_u128(7), at, at);
        let sent = Metadata { trace: Some(header::any().to_string()), ..first.clone() };
        let arrived =
            Metadata { trace: sent.trace.clone(), ..Metadata::caused_by(&first, Uuid::from_u128(8), at, at) };
        let body = |data: Value| {
            let detail = json!({"metadata": arrived, "data": data});
            json!({"source": "aws.ses", "detail-type": "MailReturned", "detail": detail}).to_string()
        };
        let whole = body(json!({"reason": "bounce", "mark": "m", "mailed_at": "2026-03-01T12:00:00.123Z"}));
        assert_eq!(judged(&whole, &sent, "m").verdict, Verdict::Holds);
        let finding = judged(&body(json!({"reason": "bounce", "mark": "x", "mailed_at": ""})), &sent, "m");
        assert_eq!(finding, Finding::does_not_hold(MAIL_BOUNCE, "not as sent: tag, time of the mail"));
        assert_eq!(judged("{}", &sent, "m").verdict, Verdict::DoesNotHold);
    }
}
