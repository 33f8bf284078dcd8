//! The app's service pushes notifications to the webhook of the app's back end, by the specification
//! [Standard Webhooks 1.0.0](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
//!
//! It receives the notifications of the channel `app` from the topic `notifications`. Each is claimed in the table
//! `app-deliveries` before it is pushed and recorded as pushed afterwards. Without an answer it is pushed again under the
//! same `webhook-id`, by which the back end recognizes it.
//!
//! A push is thin: it says what happened to which customer, without a name or an address. The back end knows its users.
//!
//! A notification may wait for days while the back end is unavailable, so the service also consumes members' events, and
//! decides right before each push: nothing follows a farewell, and nothing an opt-out.
//!
//! ```
//! use app::domain::Push;
//! use contracts::{Subject, Tier};
//!
//! let push = Push {
//!     occurred_at: "2026-03-01T12:00:00Z".parse()?,
//!     customer_number: &"123456789012".parse()?,
//!     notification_id: uuid::Uuid::nil(),
//!     event_id: None,
//!     subject: &Subject::TierAscended { tier: Tier::Gold, previous_tier: Tier::Silver },
//! };
//! assert_eq!(push.body()["type"], "notification.tier-ascended");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
pub mod domain;
mod endpoint;
mod handler;
mod members;
mod recipient;
mod recipients;
mod resolver;
mod retry_after;
mod schedule;
mod settings;
mod target;
#[cfg(test)]
mod tests;
mod webhook;

use std::time::Duration;

use handlers::{AtLeastOnce, Claimed, subscriptions};
use service_runtime::{BoxError, Runtime};
use topology::{Parameter, Service, Table, TableAccess, topic};

use crate::endpoint::Endpoint;
use crate::handler::{App, PushNotification};
use crate::members::FollowMembers;
use crate::recipients::Recipients;
use crate::settings::Settings;
use crate::webhook::Webhook;

/// The service's name.
pub const NAME: &str = "app";

/// How long handling a message may take: all attempts of the calls to DynamoDB, and a push of 15 seconds.
const HANDLES_WITHIN: Duration = Duration::from_secs(40);

/// What the service receives, consumes and owns, and what a deployment says of the webhook.
///
/// The table holds customer numbers, ids and times, no names or addresses.
///
/// ```
/// assert_eq!(app::topology().name(), app::NAME);
/// ```
#[must_use]
pub fn topology() -> Service {
    Service::new(NAME)
        .receives(topic("notifications").with("channel", "app"))
        .consumes(subscriptions::<FollowMembers>())
        .owns(Table::new("app-deliveries").markers().access([
            TableAccess::Get,
            TableAccess::Update,
            TableAccess::Delete,
        ]))
        .parameter(
            Parameter::new("WEBHOOK_URL", "Where notifications are pushed to")
                .matches("https://[^\\s/?#@]+([/?][^\\s#]*)?", "an https URL without user and password"),
        )
        .parameter(
            Parameter::new("WEBHOOK_ALLOW_PRIVATE", "Whether the webhook may be at a private address")
                .one_of(&["true", "false"])
                .or("false"),
        )
        .secret("WEBHOOK_SECRET")
        .handles_within(HANDLES_WITHIN)
        .retries_for(schedule::LAST_ATTEMPT_AFTER)
}

/// Runs the service until it is stopped and the messages in flight are settled.
///
/// It reads `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL`, `APP_DELIVERIES_TABLE_NAME`, `WEBHOOK_URL`, `WEBHOOK_SECRET` (one, or
/// several separated by commas while one replaces another), `WEBHOOK_ALLOW_PRIVATE` (`false`), `WEBHOOK_TIMEOUT_MS`
/// (15,000: when a push is abandoned), `CLAIM_LEASE_S` (45: how long a notification stays claimed by a process that has
/// died) and the `CONSUMER_*` settings.
///
/// # Errors
/// [`service_runtime::SettingsError`], no certificate of an authority on this system, or a drain that took too long.
pub async fn run(runtime: Runtime) -> Result<(), BoxError> {
    let settings =
        Settings::read(NAME, &runtime.environment, &runtime.deployment_environment, runtime.grace)?;
    let digest = settings.target.digest();
    let webhook = Webhook::new(settings.target, settings.secrets, settings.lease.effect)?;
    let dynamodb = aws_clients::dynamodb(&runtime.aws);
    let endpoint = Endpoint::new(dynamodb.clone(), settings.table.clone(), digest);
    let recipients = Recipients::new(dynamodb.clone(), settings.table.clone());
    let pushes = PushNotification::new(webhook, endpoint, recipients.clone());
    let handler = App {
        pushes: Claimed::new(dynamodb, settings.table, settings.lease, pushes),
        members: AtLeastOnce::new(FollowMembers::new(recipients)),
    };
    Ok(sqs_consumer::serve(&runtime, settings.queue, handler).await?)
}
