//! What is no longer sent, whichever of queue and topic delivers first.

use contracts::CustomerNumber;

use super::*;

const ERASED: Done = Done::without_effect("suppressed").because("erased");
const OPTED_OUT: Done = Done::without_effect("suppressed").because("opted-out");

fn customer() -> CustomerNumber {
    "123456789012".parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_772_366_400 + second).unwrap()
}

/// Delivers `event`, which occurred and was announced at that second.
fn announced<E: Event>(event: &E, second: i64) -> Delivery {
    let crm = Metadata::first(Uuid::new_v4(), at(second), at(second));
    let metadata = Metadata::caused_by(&crm, Uuid::new_v4(), at(second), at(second));
    let mut delivery = mail();
    delivery.envelope = Envelope::new(metadata, event).unwrap();
    delivery
}

/// Notifies of what was announced at that second, in the membership that began at `enrolled`.
fn notified(subject: Subject, enrolled: i64, second: i64) -> Delivery {
    let request = NotificationRequested {
        subject,
        enrolled_at: Some(at(enrolled)),
        announced_at: Some(at(second)),
        ..request(Channel::Email)
    };
    let mut delivery = announced(&request, second);
    delivery.envelope.metadata.event_id = request.notification_id;
    delivery
}

fn renamed(second: i64) -> Delivery {
    notified(Subject::MemberRenamed, 0, second)
}

fn farewell(second: i64) -> Delivery {
    notified(Subject::MemberErased, 0, second)
}

fn erased(second: i64) -> Delivery {
    announced(&MemberErased { customer_number: customer(), contact: None, enrolled_again_at: None }, second)
}

fn prefers(channels: impl IntoIterator<Item = Channel>, second: i64) -> Delivery {
    let contact = Contact { channels: channels.into_iter().collect(), ..request(Channel::Email).contact };
    let event = MemberPreferencesChanged {
        customer_number: customer(),
        contact,
        enrolled_at: Some(at(0)),
        previous_email: None,
    };
    announced(&event, second)
}

impl House {
    async fn subjects(&self) -> Vec<String> {
        let mails = self.cloud.mails().await;
        mails.iter().map(|mail| mail["subject"].as_str().unwrap().to_owned()).collect()
    }
}

const FAREWELL: &str = "Your membership has ended";
const RENAMED: &str = "Your name was changed";

#[tokio::test]
async fn a_throttled_mail_does_not_follow_the_farewell() {
    let house = House::build().await;
    let service = house.service();
    let rename = renamed(1);
    house.cloud.fail("ses", "SendEmail", "throttle", 1).await;
    assert_transient(&service.handle(&rename).await.unwrap_err(), "throttled");

    assert_eq!(service.handle(&farewell(2)).await.unwrap(), SENT);
    assert_eq!(service.handle(&rename).await.unwrap(), ERASED);
    assert_eq!(service.handle(&rename).await.unwrap(), Done::DUPLICATE);
    assert_eq!(house.subjects().await, [FAREWELL]);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn after_an_erasure_the_farewell_goes_and_the_next_memberships_mails_do() {
    let house = House::build().await;
    let service = house.service();
    assert_eq!(service.handle(&erased(2)).await.unwrap(), Done::APPLIED);
    assert_eq!(service.handle(&erased(2)).await.unwrap(), Done::without_effect("stale"));
    assert_eq!(service.handle(&renamed(1)).await.unwrap(), ERASED);
    assert_eq!(service.handle(&notified(Subject::MemberEnrolled, 3, 3)).await.unwrap(), SENT);
    assert_eq!(service.handle(&farewell(2)).await.unwrap(), SENT);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn an_opt_out_stops_mails_announced_before_it() {
    let house = House::build().await;
    let service = house.service();
    let rename = renamed(1);
    house.cloud.fail("ses", "SendEmail", "throttle", 1).await;
    assert_transient(&service.handle(&rename).await.unwrap_err(), "throttled");
    assert_eq!(service.handle(&prefers([Channel::App], 2)).await.unwrap(), Done::APPLIED);
    assert_eq!(service.handle(&prefers([Channel::Email], 0)).await.unwrap(), Done::without_effect("stale"));
    assert_eq!(service.handle(&rename).await.unwrap(), OPTED_OUT);
    assert_eq!(service.handle(&renamed(3)).await.unwrap(), SENT, "announced after an opt-in still under way");
    assert_eq!(house.subjects().await, [RENAMED]);
    house.cloud.shutdown().await;
}

/// SES takes a second over the first mail, and the erasure arrives meanwhile.
#[tokio::test]
async fn the_farewell_waits_for_a_mail_in_flight() {
    let house = House::build().await;
    let service = house.service();
    let (rename, farewell) = (renamed(1), farewell(2));
    house.cloud.delay("ses", "SendEmail", 1_000, 1).await;
    let (renamed, farewell) = tokio::join!(service.handle(&rename), async {
        loop {
            let item = house.cloud.item("email-deliveries", "RECIPIENT#123456789012").await;
            if item.is_some() {
                break;
            }
        }
        service.handle(&erased(2)).await.unwrap();
        let failure = service.handle(&farewell).await.unwrap_err();
        let Failure::Transient { reason, retry_after, dependency, .. } = &failure else {
            panic!("{failure:?}")
        };
        assert_eq!((*reason, *dependency), ("earlier-mail-in-flight", None));
        assert!(*retry_after <= Some(LEASE.duration), "{retry_after:?}");
        loop {
            if let Ok(done) = service.handle(&farewell).await {
                break done;
            }
        }
    });
    assert_eq!((renamed.unwrap(), farewell), (SENT, SENT));
    assert_eq!(house.subjects().await, [RENAMED, FAREWELL]);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn while_the_record_cannot_be_read_nothing_is_sent() {
    let house = House::build().await;
    let service = house.service();
    house.cloud.fail("dynamodb", "GetItem", "500", 1).await;
    let rename = renamed(1);
    let failure = service.handle(&rename).await.unwrap_err();
    let Failure::Transient { dependency, .. } = failure else { panic!("permanent") };
    assert_eq!(dependency, Some("DynamoDB"));
    assert_eq!(house.count().await, 0);
    assert_eq!(service.handle(&rename).await.unwrap(), SENT);
    house.cloud.shutdown().await;
}
