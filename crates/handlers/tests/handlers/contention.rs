//! Many concurrent handlers that read one item before they write it.

use std::sync::Arc;

use aws_sdk_dynamodb::types::{AttributeValue, Put};
use envelope::Event;
use handlers::{Effect, EffectivelyOnce, Handle, Subscriber, subscriptions};
use serde::{Deserialize, Serialize};
use service_test::{TestCloud, delivery, envelope};
use sqs_consumer::{AtLeastOnceHandler as _, Delivery, Done, Failure};
use topology::{Service, Table, TableAccess};

#[derive(Clone, Serialize, Deserialize)]
struct Stamped {
    customer_number: String,
}

impl Event for Stamped {
    const TYPE: &'static str = "Stamped";
    const SOURCE: &'static str = "shop";

    fn customer_number(&self) -> &str {
        &self.customer_number
    }
}

#[derive(Serialize, Deserialize)]
struct CardFilled {
    customer_number: String,
}

impl Event for CardFilled {
    const TYPE: &'static str = "CardFilled";
    const SOURCE: &'static str = "shop";

    fn customer_number(&self) -> &str {
        &self.customer_number
    }
}

/// A handler that counts stamps by reading the card and writing it back.
struct Cards {
    client: aws_clients::DynamoDb,
    table: String,
}

impl Subscriber for Cards {
    type Events = (Stamped,);
}

impl Handle<Stamped> for Cards {
    async fn handle(&self, event: &Stamped, _: &Delivery) -> Result<Effect, Failure> {
        let key = AttributeValue::S(format!("CARD#{}", event.customer_number));
        let read = self.client.get_item().table_name(&self.table).key("pk", key.clone());
        let card = read.consistent_read(true).send().await.unwrap().item;
        let stamps = card.map_or(0, |card| card["stamps"].as_n().unwrap().parse::<u32>().unwrap());
        let stamped = (stamps + 1).to_string();
        let put = Put::builder().item("pk", key).item("stamps", AttributeValue::N(stamped));
        let put = if stamps == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("stamps = :read")
                .expression_attribute_values(":read", AttributeValue::N(stamps.to_string()))
        };
        let effect = Effect::applied().put(put);
        Ok(if stamps + 1 == 10 {
            effect.announce(&CardFilled { customer_number: event.customer_number.clone() })
        } else {
            effect
        })
    }
}

/// Declares the service that emits the stamps.
fn shop() -> Service {
    Service::new("shop").publishes_to_bus().emits::<(Stamped,)>()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_update_is_lost_and_the_tenth_is_announced_once() {
    let service = Service::new("cards")
        .consumes(subscriptions::<Cards>())
        .owns(Table::new("cards").markers().outbox().access([TableAccess::Get]))
        .emits::<(CardFilled,)>();
    let cloud = TestCloud::start([service, shop()]).await;
    let table = cloud.variable("cards", "CARDS_TABLE_NAME");
    let cards = Cards { client: cloud.dynamodb(), table: table.clone() };
    let handler = Arc::new(EffectivelyOnce::new(cloud.dynamodb(), table, "cards", cards));

    let events: Vec<_> = (0..12).map(|_| envelope(&Stamped { customer_number: "7".to_owned() })).collect();
    let mut deliveries = tokio::task::JoinSet::new();
    for event in events.iter().chain(&events) {
        let (handler, delivery) = (Arc::clone(&handler), delivery(event));
        deliveries.spawn(async move { handler.handle(&delivery).await.unwrap() });
    }
    let outcomes = deliveries.join_all().await;

    assert_eq!(outcomes.iter().filter(|done| **done == Done::APPLIED).count(), 12, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|done| **done == Done::DUPLICATE).count(), 12);
    let card = cloud.item("cards", "CARD#7").await.unwrap();
    assert_eq!(card["stamps"].as_n().unwrap(), "12");
    assert_eq!(cloud.announcements("cards").await.len(), 1);
    cloud.shutdown().await;
}

#[tokio::test]
async fn an_event_without_a_subscription_is_a_permanent_failure() {
    let service =
        Service::new("cards").consumes(subscriptions::<Cards>()).owns(Table::new("cards").markers());
    let cloud = TestCloud::start([service, shop()]).await;
    let table = cloud.variable("cards", "CARDS_TABLE_NAME");
    let cards = Cards { client: cloud.dynamodb(), table: table.clone() };
    let handler = EffectivelyOnce::new(cloud.dynamodb(), table, "cards", cards);

    let other = envelope(&CardFilled { customer_number: "7".to_owned() });
    let failure = handler.handle(&delivery(&other)).await.unwrap_err();
    assert_eq!((failure.reason(), failure.is_permanent()), ("unknown-event-type", true));
    assert_eq!(cloud.items("cards", "").await.len(), 0);
    cloud.shutdown().await;
}
