//! The membership service: who is a member, how they are called and how they are reached.
//!
//! It consumes what the CRM says about customers and announces what it means for the loyalty programme.
//! Each event is one DynamoDB transaction of the member, an idempotency marker and an outbox item; the
//! announcements leave the table through its stream and a Pipe.
//!
//! An erasure leaves nothing personal in the member's item. What was announced before stays in the outbox
//! until it expires, 14 days at most, as it does in the queues of those who were told.
//!
//! ```
//! assert_eq!(membership::topology().name(), membership::NAME);
//! ```

mod announce;
mod attributes;
pub mod domain;
mod members;
mod service;
mod settings;

use contracts::{
    ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed, MemberEnrolled,
    MemberErased, MemberPreferencesChanged, MemberRenamed,
};
use envelope::events;
use service_runtime::{BoxError, Runtime};
use topology::{Service, Table, TableAccess};

use crate::members::Members;
use crate::service::Membership;
use crate::settings::Settings;

/// The service's name.
pub const NAME: &str = "membership";

/// The events that the service consumes.
type Consumes = (CustomerEnrolled, CustomerRenamed, ContactPreferencesChanged, CustomerErased);

/// The events that the service announces.
type Emits = (MemberEnrolled, MemberRenamed, MemberPreferencesChanged, MemberErased);

/// What the service consumes, owns and emits.
#[must_use]
pub fn topology() -> Service {
    Service::new(NAME)
        .consumes(events::<Consumes>())
        .owns(
            Table::new("members")
                .expires_at(envelope::outbox::EXPIRES_AT)
                .outbox()
                .personal_data()
                .access([TableAccess::Get, TableAccess::Put]),
        )
        .emits::<Emits>()
}

/// Runs the service until it is told to stop and what it has in hand is finished.
///
/// It reads `MEMBERS_TABLE_NAME`, `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL` and the `CONSUMER_*` settings.
///
/// # Errors
/// [`service_runtime::SettingsError`] if a setting is missing or wrong; otherwise what the consumer ends
/// with, such as a drain that took too long.
pub async fn run(runtime: Runtime) -> Result<(), BoxError> {
    let settings = Settings::read(&runtime.environment, runtime.grace)?;
    let members = Members::new(aws_clients::dynamodb(&runtime.aws), settings.table);
    Ok(sqs_consumer::serve(&runtime, settings.queue, Membership::new(members)).await?)
}
