//! The e-mail service writes the mails of notifications and sends them through SES.
//!
//! It receives the notifications of the channel `email` from the topic `notifications`. Each is claimed in the
//! table `email-deliveries` before SES is called and recorded as sent afterwards, so that a redelivered
//! notification is not mailed again.
//!
//! A notification may wait for long, so the service also consumes members' events and keeps its own record of who was
//! erased and who gets mail, by which it decides right before each call to SES: nothing follows a farewell, and nothing
//! an opt-out.
//!
//! SES reports bounces and complaints on the account's default bus. The address of a mail that came back for good is marked
//! in the same record, gets no further mail, and is announced once as `AddressUndeliverable`.
//!
//! ```
//! use contracts::{Contact, Subject};
//!
//! let contact: Contact = serde_json::from_str(
//!     r#"{"name": {"given": "Ada", "family": "Lovelace"}, "email": "ada@example.com",
//!         "channels": ["email"], "locale": "de-AT"}"#,
//! )?;
//! let mail = email::domain::Writer::new()?.write(&Subject::MemberRenamed, &contact)?;
//! assert_eq!(mail.subject, "Ihr Name wurde geändert");
//! assert!(mail.text.starts_with("Guten Tag Ada,\n"));
//! assert!(mail.html.contains("<html lang=\"de\">"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address_digest;
pub mod domain;
mod feedback;
mod handler;
mod members;
mod membership_time;
mod recipient;
mod recipients;
mod sender;
mod ses;
mod settings;
#[cfg(test)]
mod tests;

use contracts::AddressUndeliverable;
use handlers::{AtLeastOnce, Claimed, EffectivelyOnce, subscriptions};
use service_runtime::{BoxError, Runtime};
use topology::{MailFeedback, Service, Table, TableAccess, topic};

use crate::domain::Writer;
use crate::feedback::{MailReturned, MarkAddresses};
use crate::handler::{Email, SendMail};
use crate::members::FollowMembers;
use crate::recipients::Recipients;
use crate::ses::Ses;
use crate::settings::Settings;

/// The service's name.
pub const NAME: &str = "email";

/// What the service receives, consumes, owns and sends.
///
/// The tables hold ids, times and digests of addresses, no names or addresses. The outbox has a separate one, because an
/// alarm compares the writes to such a table with what leaves it, and hardly a write to the other announces anything.
///
/// ```
/// assert_eq!(email::topology().name(), email::NAME);
/// ```
#[must_use]
pub fn topology() -> Service {
    Service::new(NAME)
        .receives(topic("notifications").with("channel", "email"))
        .consumes(subscriptions::<FollowMembers>())
        .owns(Table::new("email-deliveries").markers().access([
            TableAccess::Get,
            TableAccess::Update,
            TableAccess::Delete,
        ]))
        .owns(Table::new("email-announcements").markers().outbox())
        .emits::<(AddressUndeliverable,)>()
        .sends_email_as("loyalty")
        .consumes_mail_feedback(
            MailFeedback::of::<MailReturned>()
                .tag(feedback::CUSTOMER_NUMBER)
                .tag(feedback::ENROLLED_AT)
                .tag(feedback::ADDRESS_DIGEST),
        )
}

/// Runs the service until it is stopped and the messages in flight are settled.
///
/// It reads `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL`, `EMAIL_DELIVERIES_TABLE_NAME`,
/// `EMAIL_ANNOUNCEMENTS_TABLE_NAME`, `EMAIL_SENDER` (the address
/// mails come from, verified in SES, such as `loyalty@example.com` or `Name <loyalty@example.com>`), `EMAIL_SENDER_NAME`
/// (the display name, if it is not in `EMAIL_SENDER`), `EMAIL_CONFIGURATION_SET`, `SEND_TIMEOUT_MS` (5,000: when a call to SES is abandoned),
/// `CLAIM_LEASE_S` (28: how long a notification stays claimed by a process that has died) and the
/// `CONSUMER_*` settings.
///
/// # Errors
/// [`service_runtime::SettingsError`], or a drain that took too long.
pub async fn run(runtime: Runtime) -> Result<(), BoxError> {
    let settings = Settings::read(NAME, &runtime.environment, runtime.grace)?;
    let ses = Ses::new(&runtime.aws, settings.sender, settings.configuration_set, settings.lease.effect);
    let dynamodb = aws_clients::dynamodb(&runtime.aws);
    let recipients = Recipients::new(dynamodb.clone(), settings.table.clone());
    let mails = SendMail::new(Writer::new()?, ses, recipients.clone(), settings.lease);
    let handler = Email {
        feedback: EffectivelyOnce::new(
            dynamodb.clone(),
            settings.announcements_table,
            NAME,
            MarkAddresses::new(recipients.clone()),
        )
        .announcing(settings.announcing),
        mails: Claimed::new(dynamodb, settings.table, settings.lease, mails),
        members: AtLeastOnce::new(FollowMembers::new(recipients)),
    };
    Ok(sqs_consumer::serve(&runtime, settings.queue, handler).await?)
}
