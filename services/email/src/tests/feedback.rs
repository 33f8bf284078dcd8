//! What becomes of an address from which mail comes back: SES's events on their way to the service, and its decisions.

use contracts::{AddressUndeliverable, EmailAddress, UndeliverableReason};

use super::*;
use crate::feedback::MailReturned;
use crate::recipient::Mark;

const BOUNCE: &str = "bounce@simulator.amazonses.com";
const COMPLAINT: &str = "complaint@simulator.amazonses.com";
const BOUNCED: Done = Done::without_effect("suppressed").because("address-bounced");
const COMPLAINED: Done = Done::without_effect("suppressed").because("address-complained");
const STALE: Done = Done::without_effect("stale");

fn to(address: &str) -> Delivery {
    let mut request = request(Channel::Email);
    request.contact.email = address.parse().unwrap();
    delivery(request.notification_id, &request)
}

/// An event as SES might send it: earlier, later or again.
fn returned(address: &str, change: impl FnOnce(&mut MailReturned)) -> Delivery {
    let sent = mail();
    let customer_number = "123456789012".parse().unwrap();
    let mut event = MailReturned {
        address_digest: AddressDigest::of(&customer_number, &address.parse().unwrap()),
        customer_number,
        reason: UndeliverableReason::Bounce,
        mailed_at: sent.envelope.metadata.occurred_at,
        enrolled_at: sent.envelope.metadata.occurred_at.into(),
    };
    change(&mut event);
    let mut delivery = sent;
    let metadata = Metadata { event_id: Uuid::new_v4(), ..delivery.envelope.metadata };
    delivery.envelope = Envelope::new(metadata, &event).unwrap();
    delivery
}

impl House {
    /// Returns the next event that SES's rules deliver to the service.
    async fn reported(&self) -> Delivery {
        Delivery { envelope: self.cloud.take(crate::NAME).await, ..mail() }
    }

    /// Returns what was announced, with the metadata in the outbox.
    async fn announced(&self) -> Vec<(Item, AddressUndeliverable)> {
        let items = self.cloud.announcements("email-announcements").await.into_iter();
        items
            .map(|item| {
                assert_eq!(item["event_type"].as_s().unwrap(), "AddressUndeliverable");
                let event = serde_json::from_str(item["data"].as_s().unwrap()).unwrap();
                (item, event)
            })
            .collect()
    }
}

#[tokio::test]
async fn an_address_that_bounces_or_complains_gets_one_mail_and_is_announced_once() {
    for (address, reason, suppressed) in [
        (BOUNCE, UndeliverableReason::Bounce, BOUNCED),
        (COMPLAINT, UndeliverableReason::Complaint, COMPLAINED),
    ] {
        let house = House::build().await;
        let service = house.service();
        let first = to(address);
        assert_eq!(service.handle(&first).await.unwrap(), SENT);
        let report = house.reported().await;
        assert_eq!(report.envelope.customer_number.as_deref(), Some("123456789012"));
        assert_eq!(report.envelope.metadata.correlation_id, first.envelope.metadata.correlation_id);
        assert_eq!(report.envelope.metadata.causation_id, first.envelope.metadata.causation_id);
        assert!(!report.envelope.data.get().contains('@'), "{}", report.envelope.data);

        assert_eq!(service.handle(&report).await.unwrap(), Done::APPLIED);
        assert_eq!(service.handle(&report).await.unwrap(), Done::DUPLICATE);
        assert_eq!(service.handle(&returned(address, |_| {})).await.unwrap(), STALE);
        assert_eq!(service.handle(&to(address)).await.unwrap(), suppressed);
        assert_eq!(service.handle(&to("ada@example.com")).await.unwrap(), SENT, "a changed address");
        assert_eq!(house.count().await, 2);

        let announced = house.announced().await;
        let [(item, event)] = announced.as_slice() else { panic!("{} announcements", announced.len()) };
        assert_eq!((event.customer_number.as_str(), event.reason), ("123456789012", reason));
        let mails = house.cloud.mails().await;
        assert_eq!(event.mailed_at, mails[0]["timestamp"].as_str().unwrap().parse().unwrap());
        let correlation = first.envelope.metadata.correlation_id.to_string();
        assert_eq!(item["correlation_id"].as_s().unwrap(), &correlation);
        for table in ["email-deliveries", "email-announcements"] {
            for item in house.cloud.items(table, "").await {
                assert!(!format!("{item:?}").contains('@'), "{item:?}");
            }
        }
        house.cloud.shutdown().await;
    }
}

/// Nobody is to miss a mail because their mailbox was full, or because they were away.
#[tokio::test]
async fn a_transient_bounce_marks_nothing() {
    let house = House::build().await;
    let service = house.service();
    let (away, bounce) = (to("ooto@simulator.amazonses.com"), to(BOUNCE));
    assert_eq!(service.handle(&away).await.unwrap(), SENT);
    assert_eq!(service.handle(&bounce).await.unwrap(), SENT);
    // SES published the other bounce first, so it would have come first.
    let only = house.reported().await.envelope.decode::<MailReturned>().unwrap();
    let address: EmailAddress = BOUNCE.parse().unwrap();
    assert_eq!(only.address_digest, AddressDigest::of(&only.customer_number, &address));
    assert_eq!(house.cloud.depth(crate::NAME).await, 0);
    assert_eq!(service.handle(&to("ooto@simulator.amazonses.com")).await.unwrap(), SENT);
    house.cloud.shutdown().await;
}

/// The mails of other senders, and farewells, come back to nobody.
#[tokio::test]
async fn nothing_is_reported_of_farewells_and_of_other_mails() {
    let house = House::build().await;
    let service = house.service();
    let mut request = request(Channel::Email);
    request.subject = Subject::MemberErased;
    request.contact.email = BOUNCE.parse().unwrap();
    let farewell = delivery(request.notification_id, &request);
    assert_eq!(service.handle(&farewell).await.unwrap(), SENT);
    let other = aws_sdk_sesv2::Client::new(house.cloud.aws()).send_email();
    let text = |text: &str| aws_sdk_sesv2::types::Content::builder().data(text).build().unwrap();
    let body = aws_sdk_sesv2::types::Body::builder().text(text("t")).build();
    let message = aws_sdk_sesv2::types::Message::builder().subject(text("s")).body(body).build();
    other
        .from_email_address("loyalty@foostore.example")
        .configuration_set_name(house.cloud.variable(crate::NAME, "EMAIL_CONFIGURATION_SET"))
        .destination(aws_sdk_sesv2::types::Destination::builder().to_addresses(BOUNCE).build())
        .content(aws_sdk_sesv2::types::EmailContent::builder().simple(message).build())
        .send()
        .await
        .unwrap();
    let later = Delivery { envelope: to(COMPLAINT).envelope, ..mail() };
    let mut next = later;
    next.envelope.metadata.occurred_at = "2026-03-02T12:00:00Z".parse().unwrap();
    assert_eq!(service.handle(&next).await.unwrap(), SENT);
    let only = house.reported().await.envelope.decode::<MailReturned>().unwrap();
    assert_eq!(only.reason, UndeliverableReason::Complaint);
    assert_eq!(house.cloud.depth(crate::NAME).await, 0);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn reports_of_a_membership_that_is_over_mark_nothing() {
    let house = House::build().await;
    let service = house.service();
    let erased_at: Timestamp = "2026-03-01T13:00:00Z".parse().unwrap();
    let erased = MemberErased {
        customer_number: "123456789012".parse().unwrap(),
        contact: None,
        enrolled_again_at: None,
    };
    let mut erasure = mail();
    let metadata = Metadata::first(Uuid::new_v4(), erased_at, erased_at);
    erasure.envelope = Envelope::new(metadata, &erased).unwrap();
    assert_eq!(service.handle(&returned(BOUNCE, |_| {})).await.unwrap(), Done::APPLIED);
    assert_eq!(service.handle(&erasure).await.unwrap(), Done::APPLIED);
    let record = house.cloud.item("email-deliveries", "RECIPIENT#123456789012").await.unwrap();
    assert!(!record["recipient"].as_s().unwrap().contains("undeliverable"), "{record:?}");
    assert_eq!(service.handle(&returned(COMPLAINT, |_| {})).await.unwrap(), STALE);
    let again = returned(BOUNCE, |event| {
        event.enrolled_at = "2026-03-01T14:00:00Z".parse::<Timestamp>().unwrap().into();
    });
    assert_eq!(service.handle(&again).await.unwrap(), Done::APPLIED);
    assert_eq!(house.announced().await.len(), 2);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn reports_at_once_mark_and_announce_an_address_once() {
    let house = House::build().await;
    let service = house.service();
    let (one, two) = (returned(BOUNCE, |_| {}), returned(BOUNCE, |_| {}));
    let (one, two) = tokio::join!(service.handle(&one), service.handle(&two));
    let mut outcomes = [one.unwrap().outcome, two.unwrap().outcome];
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["applied", "stale"]);
    assert_eq!(house.announced().await.len(), 1);
    house.cloud.shutdown().await;
}

#[test]
fn the_record_keeps_what_earlier_releases_wrote() {
    let earlier = r#"{"erased_at":"2026-03-01T12:00:00Z"}"#;
    let mut recipient: crate::recipient::Recipient = serde_json::from_str(earlier).unwrap();
    let digest = AddressDigest::of(&"123456789012".parse().unwrap(), &"ada@example.com".parse().unwrap());
    let enrolled_at = "2026-03-01T13:00:00Z".parse().unwrap();
    let mark = Mark { reason: UndeliverableReason::Complaint, mailed_at: enrolled_at, enrolled_at };
    assert!(recipient.returned(digest, mark));
}
