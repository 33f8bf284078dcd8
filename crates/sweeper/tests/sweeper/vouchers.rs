//! A service whose vouchers expire, and what the tests ask of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, Update};
use envelope::{Envelope, Event};
use handlers::Effect;
use jiff::Timestamp;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use serde::{Deserialize, Serialize};
use service_test::{Item, TestCloud};
use sqs_consumer::{Failure, Readiness};
use sweeper::{Due, DueItem, HandleDue, Sweeper, SweeperSettings};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use topology::{Service, Table};

pub(crate) const SERVICE: &str = "vouchers";
pub(crate) const TABLE: &str = "shop-test-vouchers";
/// The time of the tests' clock at their beginning.
pub(crate) const NOW: &str = "2026-12-01T00:00:00Z";

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct VoucherExpired {
    pub(crate) customer_number: String,
    pub(crate) voucher: String,
}

impl Event for VoucherExpired {
    const TYPE: &'static str = "VoucherExpired";
    const SOURCE: &'static str = "shop";

    fn customer_number(&self) -> &str {
        &self.customer_number
    }
}

/// The handler: what it does with a voucher is written on it, in the attribute `does`.
#[derive(Clone, Default)]
pub(crate) struct Expiry {
    pub(crate) calls: Arc<AtomicU32>,
    /// Whether what failed before succeeds now.
    pub(crate) mended: Arc<Mutex<bool>>,
}

impl HandleDue for Expiry {
    fn kind(&self, _: &str) -> &'static str {
        "VoucherDue"
    }

    async fn handle(&self, due: &DueItem) -> Result<Effect, Failure> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mended = *self.mended.lock().unwrap();
        let does = due.item.get("does").and_then(|does| does.as_s().ok()).map(String::as_str);
        match does.filter(|_| !mended) {
            Some("permanent") => return Err(Failure::permanent("unfit")),
            Some("transient") => return Err(Failure::transient("not-now")),
            Some("panic") => panic!("on purpose"),
            // An expression that DynamoDB does not accept.
            Some("rejected") => {
                let update = Update::builder().key("pk", AttributeValue::S(due.key.clone()));
                return Ok(Effect::applied().update(update.update_expression("SET")));
            }
            Some("nothing") => return Ok(Effect::ignored()),
            _ => {}
        }
        let expired = VoucherExpired { customer_number: "123456789012".to_owned(), voucher: due.key.clone() };
        let update = Update::builder()
            .key("pk", AttributeValue::S(due.key.clone()))
            .update_expression(format!("ADD times :one REMOVE {}", sweeper::ATTRIBUTES.join(", ")))
            .condition_expression("revision = :read")
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .expression_attribute_values(":read", due.item["revision"].clone());
        Ok(Effect::new("expired").update(update).announce(&expired))
    }
}

/// A clock that a test sets.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicI64>);

impl Hands {
    pub(crate) fn at(text: &str) -> Self {
        Self(Arc::new(AtomicI64::new(text.parse::<Timestamp>().unwrap().as_millisecond())))
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::Relaxed)).unwrap()
    }

    pub(crate) fn jump(&self, by: jiff::SignedDuration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

pub(crate) struct Vouchers {
    pub(crate) cloud: TestCloud,
    pub(crate) clock: Hands,
    pub(crate) expiry: Expiry,
}

impl Vouchers {
    pub(crate) async fn start() -> Self {
        let service = Service::new(SERVICE).publishes_to_bus().emits::<(VoucherExpired,)>();
        let table = sweeper::swept(Table::new("vouchers").markers().outbox());
        let cloud = TestCloud::start([service.owns(table)]).await;
        Self { cloud, clock: Hands::at(NOW), expiry: Expiry::default() }
    }

    /// Stores a voucher that falls due so many seconds after [`NOW`].
    pub(crate) async fn store(&self, key: &str, seconds: i64, does: &str) {
        let at = NOW.parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_secs(seconds);
        self.store_due(key, &Due::at(at), does).await;
    }

    pub(crate) async fn store_due(&self, key: &str, due: &Due, does: &str) {
        let put = self.cloud.dynamodb().put_item().table_name(TABLE).item("pk", s(key));
        let put = put.item("revision", AttributeValue::N("1".to_owned())).item("does", s(does));
        let put = due.attributes(key).into_iter().fold(put, |put, (name, value)| put.item(name, value));
        put.send().await.unwrap();
    }

    pub(crate) fn sweeper(&self) -> Sweeper<Expiry> {
        let clock = self.clock.clone();
        Sweeper::new(self.cloud.aws(), TABLE, self.expiry.clone(), settings(), &meter())
            .with_clock(move || clock.now())
    }

    pub(crate) fn sweep(&self) -> Running {
        Running::start(self.sweeper())
    }

    /// Returns the announced events, in any order.
    pub(crate) async fn announced(&self) -> Vec<Item> {
        let mut markers = self.all("EVENT#").await;
        markers.retain(|marker| marker.contains_key("data"));
        markers
    }

    pub(crate) async fn all(&self, prefix: &str) -> Vec<Item> {
        let pages = self.cloud.dynamodb().scan().table_name(TABLE).consistent_read(true);
        let mut items = pages.into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.unwrap();
            if text(&item, "pk").starts_with(prefix) {
                found.push(item);
            }
        }
        found
    }

    /// Waits until so many events are announced, and checks that each is about another voucher.
    pub(crate) async fn await_announced(&self, count: usize) {
        until(&format!("{count} announcements"), || async {
            (self.announced().await.len() >= count).then_some(())
        })
        .await;
        let announced = self.announced().await;
        let vouchers: BTreeSet<_> = announced
            .iter()
            .map(|item| serde_json::from_str::<VoucherExpired>(&text(item, "data")).unwrap().voucher)
            .collect();
        assert_eq!((announced.len(), vouchers.len()), (count, count));
        for item in self.all("VOUCHER#").await {
            let times = item.get("times").map_or("0", |times| times.as_n().unwrap().as_str());
            assert!(["0", "1"].contains(&times), "{item:?}");
        }
    }
}

/// A sweeper that runs.
pub(crate) struct Running {
    pub(crate) task: JoinHandle<()>,
    pub(crate) stop: CancellationToken,
    pub(crate) readiness: Arc<Mutex<Vec<Readiness>>>,
}

impl Running {
    pub(crate) fn start(sweeper: Sweeper<impl HandleDue>) -> Self {
        let readiness = Arc::new(Mutex::new(Vec::new()));
        let reported = Arc::clone(&readiness);
        let stop = CancellationToken::new();
        let sweeper = sweeper.on_health(move |one| reported.lock().unwrap().push(one));
        Self { task: tokio::spawn(sweeper.run(stop.clone())), stop, readiness }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(30), self.task).await.expect("stops in time").unwrap();
    }

    /// Ends it as a kill would.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

pub(crate) fn settings() -> SweeperSettings {
    SweeperSettings {
        poll: Duration::from_millis(200),
        lag: Duration::from_millis(100),
        concurrency: 4,
        duty_percent: 80,
        lease: Duration::from_millis(1_200),
        ..SweeperSettings::new(SERVICE)
    }
}

pub(crate) fn meter() -> Meter {
    opentelemetry::metrics::noop::NoopMeterProvider::new().meter("test")
}

/// Waits for a condition, for up to a minute.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), asking).await.unwrap_or_else(|_| panic!("waited for {what}"))
}

pub(crate) fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn text(item: &Item, name: &str) -> String {
    item[name].as_s().unwrap().clone()
}

/// The event that gave a voucher.
pub(crate) fn gift() -> Envelope {
    let given = VoucherExpired { customer_number: "123456789012".to_owned(), voucher: String::new() };
    service_test::envelope(&given)
}
