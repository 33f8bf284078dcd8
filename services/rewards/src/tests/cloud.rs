//! The table `rewards`, as the topology declares it, and the service on it, with its own clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contracts::{CustomerNumber, MemberErased, Points, PointsEarned, PointsRedeemed};
use envelope::{Envelope, Event};
use handlers::EffectivelyOnce;
use jiff::{SignedDuration, Timestamp};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::metrics::noop::NoopMeterProvider;
use serde_json::Value;
use service_test::{Item, TestCloud, delivery, envelope_at};
use sqs_consumer::{AtLeastOnceHandler, Done, Failure};
use sweeper::{Sweeper, SweeperSettings};
use tokio_util::sync::{CancellationToken, DropGuard};
use topology::Service;

use crate::handler::KeepPoints;
use crate::sweep::SweepAccounts;
use crate::table::Rewards;

const TABLE: &str = "rewards";
pub(super) const GRACE: Duration = Duration::from_mins(15);

pub(super) struct Cloud {
    pub(super) test: TestCloud,
    service: EffectivelyOnce<KeepPoints>,
    clock: Arc<Mutex<Timestamp>>,
}

impl Cloud {
    /// Starts the service at this time of its clock.
    pub(super) async fn start(now: &str) -> Self {
        type Others = (PointsEarned, PointsRedeemed, MemberErased);
        let others = Service::new("others").publishes_to_bus().emits::<Others>();
        let test = TestCloud::start([crate::topology(), others]).await;
        let clock = Arc::new(Mutex::new(now.parse().unwrap()));
        let table = test.variable(crate::NAME, "REWARDS_TABLE_NAME");
        let rewards = Rewards::new(test.dynamodb(), table.clone());
        let read = Arc::clone(&clock);
        let points = KeepPoints::new(rewards, GRACE, move || *read.lock().unwrap());
        let service = EffectivelyOnce::new(test.dynamodb(), table, crate::NAME, points);
        Self { test, service, clock }
    }

    pub(super) fn set_clock(&self, now: Timestamp) {
        *self.clock.lock().unwrap() = now;
    }

    pub(super) fn advance(&self, by: SignedDuration) {
        *self.clock.lock().unwrap() += by;
    }

    /// Delivers `event`, received for the first time when it occurred.
    pub(super) async fn handle(&self, event: &Envelope) -> Result<Done, Failure> {
        self.handle_received(event, event.metadata.occurred_at).await
    }

    /// Delivers `event`, received for the first time then.
    pub(super) async fn handle_received(
        &self,
        event: &Envelope,
        first_received_at: Timestamp,
    ) -> Result<Done, Failure> {
        let mut delivery = delivery(event);
        delivery.first_received_at = first_received_at;
        self.service.handle(&delivery).await
    }

    /// Returns the customer's balance, points for the tier, and tier.
    pub(super) async fn points(&self, customer: &str) -> (i64, u64, String) {
        let account = self.test.item(TABLE, format!("REWARDS#{customer}")).await.unwrap();
        let tier = text(&account, "tier").to_owned();
        (number(&account, "balance"), number(&account, "tier_points"), tier)
    }

    pub(super) async fn entry(&self, event: &Envelope) -> Option<Item> {
        self.test.item(TABLE, format!("LEDGER#{}", event.metadata.event_id)).await
    }

    pub(super) async fn items(&self, prefix: &str) -> Vec<Item> {
        self.test.items(TABLE, prefix).await
    }

    /// Returns each announcement as its item.
    pub(super) async fn outbox(&self, event_type: &str) -> Vec<Item> {
        let mut outbox = self.test.announcements(TABLE).await;
        outbox.retain(|item| text(item, "event_type") == event_type);
        outbox
    }

    /// Returns type and data of each announcement, in the order of the revision, those without one first.
    pub(super) async fn announced(&self) -> Vec<(String, Value)> {
        let outbox = self.test.announcements(TABLE).await;
        let mut announced: Vec<_> = outbox
            .iter()
            .map(|item| {
                let data = serde_json::from_str::<Value>(text(item, "data")).unwrap();
                (text(item, "event_type").to_owned(), data)
            })
            .collect();
        announced.sort_by_key(|(name, data)| (data["revision"].as_u64(), name.clone()));
        announced
    }

    /// Starts a sweeper. It stops when the returned guard is dropped, as if its process had been killed.
    pub(super) fn start_sweeper(&self, sweep: impl FnOnce(SweepAccounts) -> SweepAccounts) -> DropGuard {
        let (killed, sweeper) = (CancellationToken::new(), self.sweeper(sweep));
        let stopped = killed.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(sweeper.run(CancellationToken::new())).await });
        killed.drop_guard()
    }

    fn sweeper(&self, sweep: impl FnOnce(SweepAccounts) -> SweepAccounts) -> Sweeper<SweepAccounts> {
        let table = self.test.variable(crate::NAME, "REWARDS_TABLE_NAME");
        let accounts = sweep(SweepAccounts::new(Rewards::new(self.test.dynamodb(), table.clone())));
        let settings = SweeperSettings {
            poll: Duration::from_millis(50),
            lag: Duration::ZERO,
            ..SweeperSettings::new(crate::NAME)
        };
        let meter = NoopMeterProvider::new().meter("test");
        let read = Arc::clone(&self.clock);
        Sweeper::new(self.test.aws(), table, accounts, settings, &meter)
            .with_clock(move || *read.lock().unwrap())
    }

    /// Waits until no account is due.
    pub(super) async fn swept(&self) {
        let now = *self.clock.lock().unwrap();
        until("nothing to be due", async || {
            let accounts = self.items("REWARDS#").await;
            let due = accounts.iter().filter_map(|account| account.get("due_at"));
            let due = due.map(|at| at.as_s().unwrap().parse::<Timestamp>().unwrap());
            due.into_iter().all(|at| at >= now)
        })
        .await;
    }

    /// Does what is due, and ends.
    pub(super) async fn sweep(&self) {
        let shutdown = CancellationToken::new();
        let sweeper = tokio::spawn(self.sweeper(|accounts| accounts).run(shutdown.clone()));
        self.swept().await;
        shutdown.cancel();
        sweeper.await.unwrap();
    }

    /// Returns the number of calls to DynamoDB, by operation, action and resource.
    pub(super) async fn calls(&self) -> BTreeMap<String, u64> {
        let calls: Value = reqwest::get(self.calls_url()).await.unwrap().json().await.unwrap();
        let text = |call: &Value, field: &str| call[field].as_str().unwrap().to_owned();
        let mut counts = BTreeMap::new();
        for call in calls["calls"].as_array().unwrap() {
            let key = ["operation", "action", "resource"].map(|field| text(call, field)).join(" ");
            *counts.entry(key).or_default() += call["count"].as_u64().unwrap();
        }
        counts
    }

    pub(super) async fn forget_calls(&self) {
        let answer = reqwest::Client::new().delete(self.calls_url()).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    fn calls_url(&self) -> String {
        format!("{}/_local/calls", self.test.environment(crate::NAME)["AWS_ENDPOINT_URL"])
    }

    /// Removes an item, as DynamoDB does once it has expired.
    pub(super) async fn expire(&self, key: String) {
        let table = self.test.variable(crate::NAME, "REWARDS_TABLE_NAME");
        let key = aws_sdk_dynamodb::types::AttributeValue::S(key);
        let delete = self.test.dynamodb().delete_item().table_name(table).key("pk", key);
        let removed =
            delete.return_values(aws_sdk_dynamodb::types::ReturnValue::AllOld).send().await.unwrap();
        assert!(removed.attributes.is_some(), "there was no such item");
    }

    /// Removes the marker of an event.
    pub(super) async fn expire_marker(&self, event: &Envelope) {
        self.expire(format!("EVENT#{}#{}", crate::NAME, event.metadata.event_id)).await;
    }
}

/// Waits for a condition.
pub(super) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1_200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited a minute for {what}");
}

pub(super) fn text<'a>(item: &'a Item, attribute: &str) -> &'a str {
    item[attribute].as_s().unwrap()
}

pub(super) fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(item: &Item, attribute: &str) -> T {
    item[attribute].as_n().unwrap().parse().unwrap()
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn customer(number: u64) -> CustomerNumber {
    format!("{number:012}").parse().unwrap()
}

pub(super) fn earned(customer_number: &CustomerNumber, points: u32, occurred_at: Timestamp) -> Envelope {
    let points = Points::try_from(points).unwrap();
    wrapped(occurred_at, &PointsEarned { customer_number: customer_number.clone(), points })
}

pub(super) fn redeemed(customer_number: &CustomerNumber, points: u32, occurred_at: Timestamp) -> Envelope {
    let points = Points::try_from(points).unwrap();
    wrapped(occurred_at, &PointsRedeemed { customer_number: customer_number.clone(), points })
}

pub(super) fn erased(customer_number: &CustomerNumber, occurred_at: Timestamp) -> Envelope {
    let customer_number = customer_number.clone();
    wrapped(occurred_at, &MemberErased { customer_number, contact: None, enrolled_again_at: None })
}

fn wrapped<E: Event>(occurred_at: Timestamp, event: &E) -> Envelope {
    envelope_at(occurred_at, event)
}
