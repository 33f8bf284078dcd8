//! Events that are refused for good, and records that outlast the marker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValue};
use envelope::{Envelope, Event};
use handlers::{Effect, EffectivelyOnce, Handle, Subscriber, subscriptions};
use serde::{Deserialize, Serialize};
use service_test::{TestCloud, delivery, envelope};
use sqs_consumer::{AtLeastOnceHandler as _, Delivery, Done, Failure};
use topology::{Service, Table, TableAccess};

#[derive(Serialize, Deserialize)]
struct Ordered {
    customer_number: String,
}

impl Event for Ordered {
    const TYPE: &'static str = "Ordered";
    const SOURCE: &'static str = "shop";

    fn customer_number(&self) -> &str {
        &self.customer_number
    }
}

#[derive(Serialize, Deserialize)]
struct OrderRefused {
    customer_number: String,
}

impl Event for OrderRefused {
    const TYPE: &'static str = "OrderRefused";
    const SOURCE: &'static str = "shop";

    fn customer_number(&self) -> &str {
        &self.customer_number
    }
}

/// A handler that refuses orders while nothing is in stock.
struct Stock {
    empty: Arc<AtomicBool>,
}

impl Subscriber for Stock {
    type Events = (Ordered,);
}

impl Handle<Ordered> for Stock {
    async fn handle(&self, event: &Ordered, delivery: &Delivery) -> Result<Effect, Failure> {
        let key = AttributeValue::S(format!("ORDER#{}", delivery.envelope.metadata.event_id));
        let refused = OrderRefused { customer_number: event.customer_number.clone() };
        let effect = if self.empty.load(Ordering::Relaxed) {
            Effect::refused("out-of-stock").announce(&refused)
        } else {
            Effect::applied()
        };
        Ok(effect.record(Put::builder().item("pk", key)))
    }
}

struct Shop {
    cloud: TestCloud,
    table: String,
    empty: Arc<AtomicBool>,
    handler: EffectivelyOnce<Stock>,
}

impl Shop {
    async fn open(empty: bool) -> Self {
        let service = Service::new("stock")
            .consumes(subscriptions::<Stock>())
            .owns(Table::new("stock").markers().outbox().access([TableAccess::Delete]))
            .emits::<(OrderRefused,)>();
        let orders = Service::new("orders").publishes_to_bus().emits::<(Ordered,)>();
        let cloud = TestCloud::start([service, orders]).await;
        let table = cloud.variable("stock", "STOCK_TABLE_NAME");
        let empty = Arc::new(AtomicBool::new(empty));
        let stock = Stock { empty: Arc::clone(&empty) };
        let handler = EffectivelyOnce::new(cloud.dynamodb(), table.clone(), "stock", stock);
        Self { cloud, table, empty, handler }
    }

    async fn deliver(&self, event: &Envelope) -> Result<Done, (String, String)> {
        self.handler.handle(&delivery(event)).await.map_err(|failure| {
            let Failure::Permanent { reason, source } = failure else { panic!("{failure:?}") };
            (reason.to_owned(), source.map(|source| source.to_string()).unwrap_or_default())
        })
    }

    /// Removes the event's marker, as DynamoDB does once it has expired.
    async fn expire_marker(&self, event: &Envelope) {
        let key = AttributeValue::S(format!("EVENT#stock#{}", event.metadata.event_id));
        let delete = self.cloud.dynamodb().delete_item().table_name(&self.table).key("pk", key);
        assert!(delete.return_values(ReturnValue::AllOld).send().await.unwrap().attributes.is_some());
    }
}

fn refused(reason: &str, cause: &str) -> Result<Done, (String, String)> {
    Err((reason.to_owned(), cause.to_owned()))
}

#[tokio::test]
async fn a_refusal_is_final_whatever_the_handler_decides_later() {
    let shop = Shop::open(true).await;
    let event = envelope(&Ordered { customer_number: "7".to_owned() });
    for delivery in ["the first", "after a kill before the message was dead-lettered"] {
        assert_eq!(shop.deliver(&event).await, refused("out-of-stock", ""), "{delivery}");
    }
    assert_eq!(shop.cloud.announcements("stock").await.len(), 1);

    shop.empty.store(false, Ordering::Relaxed);
    assert_eq!(shop.deliver(&event).await, refused("refused-before", "out-of-stock"));
    assert_eq!(shop.cloud.announcements("stock").await.len(), 1);
    shop.expire_marker(&event).await;
    assert_eq!(shop.deliver(&event).await, refused("refused-before", "out-of-stock"));
    assert_eq!(
        shop.cloud.announcements("stock").await.len(),
        0,
        "it went with the marker; no other is announced"
    );
    shop.cloud.shutdown().await;
}

#[tokio::test]
async fn a_recorded_event_is_a_duplicate_after_its_marker_has_expired() {
    let shop = Shop::open(false).await;
    let event = envelope(&Ordered { customer_number: "7".to_owned() });
    assert_eq!(shop.deliver(&event).await, Ok(Done::APPLIED));
    shop.expire_marker(&event).await;
    assert_eq!(shop.deliver(&event).await, Ok(Done::DUPLICATE));
    assert_eq!(shop.cloud.items("stock", "").await.len(), 1, "the record alone");
    shop.cloud.shutdown().await;
}
