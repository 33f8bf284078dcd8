//! The notifier turns members' events into notifications, one for each channel the member has agreed to.
//!
//! It consumes members' events from the bus, keeps their contact data in its own table, and publishes to the
//! topic `notifications`, from which each delivering service (e-mail, app, wallet) receives the messages of
//! its channel.
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

pub mod domain;
mod handler;
mod members;
mod settings;
#[cfg(test)]
mod tests;

use handlers::{AtLeastOnce, subscriptions};
use publisher::TopicPublisher;
use service_runtime::{BoxError, Runtime};
use topology::{Service, Table, TableAccess, Topic};

use crate::handler::{CHANNEL, NotifyMember};
use crate::members::Members;
use crate::settings::Settings;

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
        .consumes(subscriptions::<NotifyMember>())
        .owns(Table::new("notifications").personal_data().access([TableAccess::Update]))
        .publishes(Topic::new("notifications").attribute(CHANNEL))
}

/// Runs the service until it is stopped and the messages in flight are settled.
///
/// It reads `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL`, `NOTIFICATIONS_TABLE_NAME`, `NOTIFICATIONS_TOPIC_ARN` and
/// the `CONSUMER_*` settings.
///
/// # Errors
/// [`service_runtime::SettingsError`], or a drain that took too long.
pub async fn run(runtime: Runtime) -> Result<(), BoxError> {
    let settings = Settings::read(NAME, &runtime.environment, runtime.grace)?;
    // Without the interceptor: the publisher creates a span for each message.
    let sns = aws_sdk_sns::Client::new(&runtime.aws);
    let topic =
        TopicPublisher::new(sns, settings.topic_arn, publisher::PublisherSettings::default(), &runtime.meter);
    let members = Members::new(aws_clients::dynamodb(&runtime.aws), settings.table);
    let handler = AtLeastOnce::new(NotifyMember::new(members, topic.clone()));
    let ended = sqs_consumer::serve(&runtime, settings.queue, handler).await;
    topic.close().await;
    Ok(ended?)
}
