//! The discounts service: which discounts a customer has, and until when.
//!
//! It consumes what the CRM gives and takes, and announces what becomes of it: a discount is activated by its gift, expires at
//! its time unless it is used, and is used once. Expiry is caused by time alone, so a sweeper beside the consumer looks for
//! the discounts that fall due.
//!
//! An erasure leaves a tombstone, which the transaction of every later event is checked against, and the sweeper removes the
//! customer's discounts. The table holds no names or addresses.
//!
//! ```
//! assert_eq!(discounts::topology().name(), discounts::NAME);
//! ```

pub mod domain;
mod due;
mod handler;
mod settings;
mod table;
#[cfg(test)]
mod tests;

use contracts::{DiscountActivated, DiscountExpired, DiscountUsed};
use handlers::{EffectivelyOnce, subscriptions};
use service_runtime::{BoxError, Runtime};
use topology::{Index, Service, Table, TableAccess};

use crate::due::HandleDueDiscounts;
use crate::handler::HandleDiscounts;
use crate::settings::Settings;
use crate::table::{CUSTOMER_INDEX, CUSTOMER_NUMBER, Discounts};

/// The service's name.
pub const NAME: &str = "discounts";

/// The service's only table.
const TABLE: &str = "discounts";

/// What the service consumes, owns and emits.
#[must_use]
pub fn topology() -> Service {
    let table = Table::new(TABLE)
        .markers()
        .outbox()
        .index(Index::new(CUSTOMER_INDEX).partition_key(CUSTOMER_NUMBER))
        .access([TableAccess::Delete, TableAccess::Check]);
    Service::new(NAME).consumes(subscriptions::<HandleDiscounts>()).owns(sweeper::swept(table)).emits::<(
        DiscountActivated,
        DiscountExpired,
        DiscountUsed,
    )>()
}

/// Runs the service until it is stopped and the messages and due items in flight are settled.
///
/// It reads `DISCOUNTS_TABLE_NAME`, `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL`, and the `CONSUMER_*` and `SWEEPER_*` settings.
///
/// # Errors
/// [`service_runtime::SettingsError`], or a drain that took too long.
pub async fn run(runtime: Runtime) -> Result<(), BoxError> {
    let settings = Settings::read(NAME, &runtime.environment, runtime.grace)?;
    let dynamodb = aws_clients::dynamodb(&runtime.aws);
    let discounts = Discounts::new(dynamodb.clone(), settings.table.clone());
    let due = HandleDueDiscounts::new(discounts.clone());
    sweeper::start(&runtime, settings.sweeper, settings.table.clone(), due);
    let handler = EffectivelyOnce::new(dynamodb, settings.table, NAME, HandleDiscounts::new(discounts))
        .announcing(settings.announcing);
    Ok(sqs_consumer::serve(&runtime, settings.queue, handler).await?)
}
