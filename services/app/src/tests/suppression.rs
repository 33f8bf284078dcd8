//! What is no longer pushed, whichever of queue and topic delivers first.

use super::*;

const ERASED: Done = Done::without_effect("suppressed").because("erased");
const OPTED_OUT: Done = Done::without_effect("suppressed").because("opted-out");
const STALE: Done = Done::without_effect("stale");

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_772_366_400 + second).unwrap()
}

/// Delivers `event`, which occurred and was announced at that second.
fn announced<E: Event>(event: &E, second: i64) -> Delivery {
    let crm = Metadata::first(Uuid::new_v4(), at(second), at(second));
    let metadata = Metadata::caused_by(&crm, Uuid::new_v4(), at(second), at(second));
    let mut delivery = notification();
    delivery.envelope = Envelope::new(metadata, event).unwrap();
    delivery
}

/// Notifies of what was announced at that second, in the membership that began at `enrolled`.
fn notified(subject: Subject, enrolled: i64, second: i64) -> Delivery {
    let request = NotificationRequested {
        subject,
        enrolled_at: Some(at(enrolled)),
        announced_at: Some(at(second)),
        ..request(Channel::App)
    };
    let mut delivery = announced(&request, second);
    delivery.envelope.metadata.event_id = request.notification_id;
    delivery
}

fn erased(second: i64) -> Delivery {
    announced(&MemberErased { customer_number: customer(), contact: None, enrolled_again_at: None }, second)
}

fn prefers(channels: impl IntoIterator<Item = Channel>, second: i64) -> Delivery {
    let contact = Contact { channels: channels.into_iter().collect(), ..request(Channel::App).contact };
    let event = MemberPreferencesChanged {
        customer_number: customer(),
        contact,
        enrolled_at: Some(at(0)),
        previous_email: None,
    };
    announced(&event, second)
}

impl House {
    async fn types(&self) -> Vec<String> {
        let pushes = self.cloud.pushes().await;
        let accepted = pushes.iter().filter(|push| push["status"] == 204);
        accepted.map(|push| push["body"]["type"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_push_that_waits_does_not_follow_the_farewell() {
    let house = House::build().await;
    let service = house.service();
    let rename = notified(Subject::MemberRenamed, 0, 1);
    house.cloud.answer_pushes(503, None, 1).await;
    service.handle(&rename).await.unwrap_err();

    // The farewell arrives before the event of its own erasure.
    assert_eq!(service.handle(&notified(Subject::MemberErased, 0, 2)).await.unwrap(), PUSHED);
    assert_eq!(service.handle(&rename).await.unwrap(), ERASED);
    assert_eq!(service.handle(&erased(2)).await.unwrap(), STALE);
    assert_eq!(house.types().await, ["notification.member-erased"]);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn after_an_erasure_the_farewell_goes_and_the_next_memberships_pushes_do() {
    let house = House::build().await;
    let service = house.service();
    assert_eq!(service.handle(&erased(2)).await.unwrap(), Done::APPLIED);
    assert_eq!(service.handle(&erased(2)).await.unwrap(), STALE);
    assert_eq!(service.handle(&erased(1)).await.unwrap(), STALE);
    assert_eq!(service.handle(&notified(Subject::MemberRenamed, 0, 1)).await.unwrap(), ERASED);
    assert_eq!(service.handle(&notified(Subject::MemberErased, 0, 1)).await.unwrap(), ERASED);
    assert_eq!(service.handle(&notified(Subject::MemberEnrolled, 3, 3)).await.unwrap(), PUSHED);
    assert_eq!(service.handle(&notified(Subject::MemberErased, 0, 2)).await.unwrap(), PUSHED);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn an_opt_out_stops_pushes_announced_before_it() {
    let house = House::build().await;
    let service = house.service();
    assert_eq!(service.handle(&prefers([Channel::Email], 5)).await.unwrap(), Done::APPLIED);
    assert_eq!(service.handle(&prefers([Channel::App], 4)).await.unwrap(), STALE);
    assert_eq!(service.handle(&notified(Subject::MemberRenamed, 0, 1)).await.unwrap(), OPTED_OUT);
    assert_eq!(service.handle(&notified(Subject::MemberRenamed, 0, 6)).await.unwrap(), PUSHED);
    assert_eq!(service.handle(&prefers([Channel::App], 7)).await.unwrap(), Done::APPLIED);
    assert_eq!(service.handle(&notified(Subject::MemberRenamed, 0, 2)).await.unwrap(), PUSHED);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn the_table_holds_neither_a_name_nor_an_address() {
    let house = House::build().await;
    let service = house.service();
    let enrolled = MemberEnrolled {
        customer_number: customer(),
        contact: request(Channel::App).contact,
        enrolled_at: Some(at(0)),
        previous_email: None,
    };
    assert_eq!(service.handle(&announced(&enrolled, 0)).await.unwrap(), Done::APPLIED);
    assert_eq!(service.handle(&notification()).await.unwrap(), PUSHED);
    let items = house.cloud.items("app-deliveries", "").await;
    assert_eq!(items.len(), 2);
    let text = format!("{items:?}");
    assert!(!text.contains("Ada") && !text.contains("Lovelace") && !text.contains('@'), "{text}");
    house.cloud.shutdown().await;
}
