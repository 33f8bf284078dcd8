//! The members' table, as the topology declares it, and the service on it.

use contracts::{Contact, CustomerNumber};
use contracts::{ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed};
use envelope::Envelope;
use handlers::{Announcing, EffectivelyOnce};
use jiff::Timestamp;
use serde_json::Value;
use service_test::{TestCloud, delivery};
use sqs_consumer::{AtLeastOnceHandler, Done, Failure};
use topology::Service;

use crate::members::Members;
use crate::service::Membership;

pub(super) use service_test::Item;

const TABLE: &str = "members";

pub(super) struct Cloud {
    pub(super) test: TestCloud,
    service: EffectivelyOnce<Membership>,
}

impl Cloud {
    pub(super) async fn start() -> Self {
        Self::start_announcing(false).await
    }

    /// Starts the service, which announces events that change nothing if `announces_unchanged`.
    pub(super) async fn start_announcing(announces_unchanged: bool) -> Self {
        Self::start_with(announces_unchanged, Announcing::WithMarker).await
    }

    async fn start_with(announces_unchanged: bool, announcing: Announcing) -> Self {
        type Crm = (CustomerEnrolled, CustomerRenamed, ContactPreferencesChanged, CustomerErased);
        let crm = Service::new("crm").publishes_to_bus().emits::<Crm>();
        let test = TestCloud::start([crate::topology(), crm]).await;
        let service = service(&test, announces_unchanged, announcing);
        Self { test, service }
    }

    /// Replaces the service by one that writes announcements elsewhere, on the same table.
    pub(super) fn announce(&mut self, announcing: Announcing) {
        self.service = service(&self.test, false, announcing);
    }

    /// Delivers `event` to the service.
    pub(super) async fn handle(&self, event: &Envelope) -> Result<Done, Failure> {
        self.service.handle(&delivery(event)).await
    }

    pub(super) async fn items(&self) -> Vec<Item> {
        self.test.items(TABLE, "").await
    }

    pub(super) async fn member(&self, customer_number: &CustomerNumber) -> Option<Item> {
        self.test.item(TABLE, format!("MEMBER#{customer_number}")).await
    }

    /// Returns the outbox's items, in the order of occurrence.
    pub(super) async fn outbox(&self) -> Vec<Item> {
        let mut items = self.test.announcements(TABLE).await;
        items.sort_by_key(|item| text(item, "occurred_at").parse::<Timestamp>().unwrap());
        items
    }

    /// Returns type and contact of each announcement.
    pub(super) async fn announced(&self) -> Vec<(String, Option<Contact>)> {
        let announced = |item: &Item| {
            let data: Value = serde_json::from_str(text(item, "data")).unwrap();
            (text(item, "event_type").to_owned(), serde_json::from_value(data["contact"].clone()).unwrap())
        };
        self.outbox().await.iter().map(announced).collect()
    }

    pub(super) async fn shutdown(self) {
        self.test.shutdown().await;
    }
}

fn service(
    test: &TestCloud,
    announces_unchanged: bool,
    announcing: Announcing,
) -> EffectivelyOnce<Membership> {
    let table = test.variable(crate::NAME, "MEMBERS_TABLE_NAME");
    let members = Members::new(test.dynamodb(), table.clone(), crate::NAME, announcing);
    let handler = Membership::new(members, announces_unchanged);
    EffectivelyOnce::new(test.dynamodb(), table, crate::NAME, handler).announcing(announcing)
}

pub(super) fn is(item: &Item, key_prefix: &str) -> bool {
    text(item, "pk").starts_with(key_prefix)
}

pub(super) fn text<'a>(item: &'a Item, attribute: &str) -> &'a str {
    item[attribute].as_s().unwrap()
}
