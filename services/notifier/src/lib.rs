//! The notifier turns events of members, tiers and discounts into notifications, one for each channel the member has
//! agreed to.
//!
//! It consumes these events from the bus, keeps the members' contact data in its own table, and publishes to the topic
//! `notifications`, from which each delivering service (e-mail, app, wallet) receives the messages of its channel.
//!
//! ```
//! use contracts::{Channel, MemberRenamed};
//! use notifier::domain::{Notice, notification_id};
//!
//! let event: MemberRenamed = serde_json::from_str(
//!     r#"{"customer_number": "123456789012", "contact": {
//!         "name": {"given": "Ada", "family": "Lovelace"}, "email": "ada@example.com",
//!         "channels": ["email", "wallet"], "locale": "en"}}"#,
//! )?;
//! let event_id = "0b5e4e0c-3f0d-4e0e-9a53-5f6f0d1c2b3a".parse()?;
//!
//! let requests = Notice::from(event).requests(event_id, jiff::Timestamp::now());
//! assert_eq!(requests.len(), 2);
//! assert_eq!(requests[0].notification_id, notification_id(event_id, Channel::Email));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attempts;
pub mod domain;
mod handler;
mod members;
mod settings;
#[cfg(test)]
mod tests;

use handlers::{AtLeastOnce, subscriptions};
use publisher::TopicPublisher;
use service_runtime::{BoxError, Runtime};
use topology::{Parameter, Service, Table, TableAccess, Topic};

use crate::attempts::Attempts;
use crate::handler::{CHANNEL, Notify};
use crate::members::Members;
use crate::settings::{PUBLISH_LINGER, Settings};

/// The service's name.
pub const NAME: &str = "notifier";

/// What the service consumes, owns and publishes.
///
/// ```
/// assert_eq!(notifier::topology().name(), notifier::NAME);
/// ```
#[must_use]
pub fn topology() -> Service {
    Service::new(NAME)
        .consumes(subscriptions::<Notify>())
        .owns(
            Table::new("notifications")
                .personal_data()
                .expires_at(envelope::outbox::EXPIRES_AT)
                .access([TableAccess::Get, TableAccess::Update]),
        )
        .publishes(Topic::new("notifications").attribute(CHANNEL))
        .parameter(
            Parameter::new(
                PUBLISH_LINGER,
                "Milliseconds that a notification waits to be published together with others, since SNS charges by request",
            )
            .matches("[0-9]{1,3}|1000", "a number up to 1000")
            .or("5"),
        )
}

/// Runs the service until it is stopped and the messages in flight are settled.
///
/// It reads `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL`, `NOTIFICATIONS_TABLE_NAME`, `NOTIFICATIONS_TOPIC_ARN`,
/// `CONTACT_GRACE_S` (900: how long after its publication an event about a tier or discount waits for the customer's
/// enrolment), `PUBLISH_LINGER_MS` (5: how long a notification waits to be published together with others) and the
/// `CONSUMER_*` settings.
///
/// # Errors
/// [`service_runtime::SettingsError`], or a drain that took too long.
pub async fn run(runtime: Runtime) -> Result<(), BoxError> {
    let settings = Settings::read(NAME, &runtime.environment, runtime.grace)?;
    // Without the interceptor: the publisher creates a span for each message.
    let sns = aws_sdk_sns::Client::new(&runtime.aws);
    let topic = TopicPublisher::new(sns, settings.topic_arn, settings.publisher, &runtime.meter);
    let dynamodb = aws_clients::dynamodb(&runtime.aws);
    let members = Members::new(dynamodb.clone(), settings.table.clone());
    let attempts = Attempts::new(dynamodb, settings.table);
    let notify = Notify::new(members, attempts, topic.clone(), settings.contact_grace);
    let handler = AtLeastOnce::new(notify);
    let ended = sqs_consumer::serve(&runtime, settings.queue, handler).await;
    topic.close().await;
    Ok(ended?)
}
