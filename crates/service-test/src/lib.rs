//! The equipment for a service's tests: its resources as its own topology declares them, deliveries, and faults.
//!
//! AWS runs inside the test's process, on ports that the system chooses. A test panics when its environment fails, and
//! so do the functions of this crate.
//!
//! ```
//! use envelope::{Event, events};
//! use serde::{Deserialize, Serialize};
//! use service_test::{TestCloud, delivery, envelope};
//! use topology::{Service, Table, TableAccess};
//!
//! #[derive(Serialize, Deserialize)]
//! struct PointsEarned { customer_number: String, points: u32 }
//!
//! impl Event for PointsEarned {
//!     const TYPE: &'static str = "PointsEarned";
//!     const SOURCE: &'static str = "foostore.crm";
//!     fn customer_number(&self) -> &str { &self.customer_number }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let rewards = Service::new("rewards")
//!     .consumes(events::<(PointsEarned,)>())
//!     .owns(Table::new("balances").access([TableAccess::Update]));
//! let source = Service::new("crm").publishes_to_bus().emits::<(PointsEarned,)>();
//! let cloud = TestCloud::start([rewards, source]).await;
//!
//! let table = cloud.variable("rewards", "BALANCES_TABLE_NAME");
//! assert_eq!(table, "shop-test-balances");
//! cloud.fail("dynamodb", "UpdateItem", "drop-response", 1).await;
//! let event = envelope(&PointsEarned { customer_number: "123456789012".to_owned(), points: 5 });
//! let first_delivery = delivery(&event);
//! // … let the service's handler handle the delivery twice, and check `cloud.item("balances", "…")`.
//! # assert_eq!(first_delivery.attempt, 1);
//! cloud.shutdown().await;
//! # }
//! ```

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cloud;
mod event;

pub use cloud::{Item, TestCloud};
pub use event::{delivery, envelope, envelope_at};
pub use local_cloud::{PASS_AUTHORITY, PASS_IDENTITY};
