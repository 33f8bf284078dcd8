//! The service on the local cloud, with a clock for what falls due.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use contracts::{DiscountGifted, DiscountRedeemed, DiscountValue, Percentage};
use envelope::Envelope;
use handlers::EffectivelyOnce;
use jiff::{SignedDuration, Timestamp};
use opentelemetry::metrics::MeterProvider as _;
use serde_json::Value;
use service_test::{Item, TestCloud, delivery};
use sqs_consumer::{AtLeastOnceHandler as _, Done, Failure};
use sweeper::{Sweeper, SweeperSettings};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use topology::Service;

use crate::domain::Discount;
use crate::due::HandleDueDiscounts;
use crate::handler::HandleDiscounts;
use crate::table::Discounts;

pub(super) const CUSTOMER: &str = "123456789012";

pub(super) struct World {
    pub(super) cloud: TestCloud,
    table: String,
    handler: EffectivelyOnce<HandleDiscounts>,
    /// How far the sweeper's clock is ahead.
    ahead_ms: Arc<AtomicI64>,
    sweeping: Option<(CancellationToken, JoinHandle<()>)>,
}

impl World {
    pub(super) async fn start() -> Self {
        let source = Service::new("source").publishes_to_bus();
        let source = source.emits::<<HandleDiscounts as handlers::Subscriber>::Events>();
        let cloud = TestCloud::start([crate::topology(), source]).await;
        let table = cloud.variable(crate::NAME, "DISCOUNTS_TABLE_NAME");
        let discounts = Discounts::new(cloud.dynamodb(), table.clone());
        let handler = HandleDiscounts::new(discounts);
        let handler = EffectivelyOnce::new(cloud.dynamodb(), table.clone(), crate::NAME, handler);
        Self { cloud, table, handler, ahead_ms: Arc::default(), sweeping: None }
    }

    /// Starts the sweeper.
    pub(super) fn sweep(&mut self) {
        let ahead_ms = Arc::clone(&self.ahead_ms);
        let due = HandleDueDiscounts::new(Discounts::new(self.cloud.dynamodb(), self.table.clone()));
        let settings = SweeperSettings {
            poll: Duration::from_millis(200),
            lag: Duration::from_millis(10),
            duty_percent: 100,
            ..SweeperSettings::new(crate::NAME)
        };
        let meter = opentelemetry::metrics::noop::NoopMeterProvider::new().meter("test");
        let sweeper = Sweeper::new(self.cloud.aws(), self.table.clone(), due, settings, &meter);
        let sweeper = sweeper.with_clock(move || {
            Timestamp::now() + SignedDuration::from_millis(ahead_ms.load(Ordering::Relaxed))
        });
        let stop = CancellationToken::new();
        let task = tokio::spawn(sweeper.run(stop.clone()));
        self.sweeping = Some((stop, task));
    }

    /// Lets the sweeper's clock jump ahead.
    pub(super) fn jump(&self, by: SignedDuration) {
        self.ahead_ms.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(super) async fn handle(&self, event: &Envelope) -> Done {
        self.try_handle(event).await.unwrap()
    }

    pub(super) async fn try_handle(&self, event: &Envelope) -> Result<Done, Failure> {
        self.handler.handle(&delivery(event)).await
    }

    pub(super) async fn item(&self, discount: &str) -> Option<Item> {
        self.cloud.item(crate::TABLE, format!("DISCOUNT#{CUSTOMER}#{discount}")).await
    }

    pub(super) async fn discount(&self, discount: &str) -> Option<Discount> {
        let item = self.item(discount).await?;
        Some(serde_json::from_str(item["discount"].as_s().unwrap()).unwrap())
    }

    /// Returns the types of what was announced of one discount, in the order of revisions, each with its place.
    pub(super) async fn announced(&self) -> Vec<(String, u64)> {
        let mut announced: Vec<_> = self
            .outbox()
            .await
            .into_iter()
            .map(|(kind, data)| (kind, data["revision"].as_u64().unwrap()))
            .collect();
        announced.sort_by_key(|(_, revision)| *revision);
        let before = announced.first().map_or(0, |(_, first)| first - 1);
        announced.into_iter().map(|(kind, revision)| (kind, revision - before)).collect()
    }

    /// Returns the types of what was announced about a discount.
    pub(super) async fn announced_of(&self, discount: &str) -> Vec<String> {
        let outbox = self.outbox().await.into_iter();
        outbox.filter(|(_, data)| data["discount_id"] == discount).map(|(kind, _)| kind).collect()
    }

    async fn outbox(&self) -> Vec<(String, Value)> {
        let items = self.cloud.announcements(crate::TABLE).await;
        let text = |item: &Item, name: &str| item[name].as_s().unwrap().clone();
        items
            .iter()
            .map(|item| (text(item, "event_type"), serde_json::from_str(&text(item, "data")).unwrap()))
            .collect()
    }

    pub(super) async fn stop(self) {
        if let Some((stop, task)) = self.sweeping {
            stop.cancel();
            task.await.unwrap();
        }
        self.cloud.shutdown().await;
    }
}

/// Waits for a condition, for up to a minute.
pub(super) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), asking).await.unwrap_or_else(|_| panic!("waited for {what}"))
}

/// Returns the time in so many seconds.
pub(super) fn after(seconds: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(seconds)
}

pub(super) fn gift(discount: &str, percentage: u8, valid_until: Timestamp) -> DiscountGifted {
    DiscountGifted {
        customer_number: CUSTOMER.parse().unwrap(),
        discount_id: discount.parse().unwrap(),
        value: DiscountValue::Percentage(Percentage::try_from(percentage).unwrap()),
        valid_until,
    }
}

pub(super) fn redeemed(discount: &str) -> DiscountRedeemed {
    DiscountRedeemed { customer_number: CUSTOMER.parse().unwrap(), discount_id: discount.parse().unwrap() }
}
