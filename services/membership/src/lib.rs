//! The membership service: who is a member, what their name is and how to reach them.
//!
//! It consumes what the CRM says about customers and announces what that means for the loyalty programme.
//! Each event is one DynamoDB transaction of the member and an idempotency marker that carries the announcement; the
//! announcements leave the table through its stream and a Pipe.
//!
//! An erasure leaves no personal data in the table: it removes the customer's earlier announcements from their markers, and
//! the erasure's announcement once it has come back from the bus.
//!
//! ```
//! assert_eq!(membership::topology().name(), membership::NAME);
//! ```

mod attributes;
pub mod domain;
mod members;
mod service;
mod settings;

use contracts::{MemberEnrolled, MemberErased, MemberPreferencesChanged, MemberRenamed};
use handlers::{EffectivelyOnce, subscriptions};
use service_runtime::{BoxError, Runtime};
use topology::{Service, Table, TableAccess};

use crate::members::Members;
use crate::service::Membership;
use crate::settings::Settings;

/// The service's name.
pub const NAME: &str = "membership";

/// The events that the service announces.
type Emits = (MemberEnrolled, MemberRenamed, MemberPreferencesChanged, MemberErased);

/// What the service consumes, owns and emits.
#[must_use]
pub fn topology() -> Service {
    Service::new(NAME)
        .consumes(subscriptions::<Membership>())
        .owns(Table::new("members").markers().outbox().personal_data().access([
            TableAccess::Get,
            TableAccess::Put,
            TableAccess::Update,
            TableAccess::Delete,
        ]))
        .emits::<Emits>()
}

/// Runs the service until it is stopped and the messages in flight are settled.
///
/// It reads `MEMBERS_TABLE_NAME`, `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL`, `ANNOUNCE_UNCHANGED` (`false`: whether an event
/// that changes nothing, such as a rename to the same name, is announced), `OUTBOX_ITEMS` (`separate`: whether an
/// announcement is an item of its own, or, `with-marker`, a part of the marker) and the `CONSUMER_*` settings.
///
/// # Errors
/// [`service_runtime::SettingsError`] if a setting is missing or wrong; otherwise the consumer's error, such
/// as a drain that took too long.
pub async fn run(runtime: Runtime) -> Result<(), BoxError> {
    let settings = Settings::read(NAME, &runtime.environment, runtime.grace)?;
    let dynamodb = aws_clients::dynamodb(&runtime.aws);
    let members = Members::new(dynamodb.clone(), settings.table.clone(), NAME, settings.announcing);
    let handler = EffectivelyOnce::new(
        dynamodb,
        settings.table,
        NAME,
        Membership::new(members, settings.announces_unchanged),
    )
    .announcing(settings.announcing);
    Ok(sqs_consumer::serve(&runtime, settings.queue, handler).await?)
}
