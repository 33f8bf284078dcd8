//! SES: mail is accepted as AWS accepts it and kept for people and tests to inspect, never delivered.
//!
//! An identity is verified as soon as it is created, and recipients need no verification: this account is out of the
//! sandbox.
//!
//! What becomes of a mail follows from the recipient's address: those of the mailbox simulator bounce, complain or answer,
//! suppressed ones get nothing, and all others read. A mail with a configuration set has it published on the default bus,
//! if the set has an event destination for it.

mod account;
mod address;
mod configuration_sets;
mod draft;
mod event;
mod mail;
mod outbox;
mod place;
mod raw;
mod refusal;
mod v1;
mod v2;
mod v2_sets;

use std::sync::Arc;

use serde_json::Value;
use tokio_util::task::TaskTracker;

pub(crate) use self::address::bare_address;
pub(crate) use self::mail::{Mail, Sent};
use self::outbox::Outbox;
use crate::call::Call;
use crate::events::Buses;
use crate::reply::AwsError;
use crate::settings::Settings;

pub(crate) struct Ses {
    outbox: Outbox,
}

impl std::fmt::Debug for Ses {
    /// Leaves out the mails, which contain names and addresses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ses").finish_non_exhaustive()
    }
}

impl Ses {
    pub(crate) fn new(settings: &Settings, sent: Sent, buses: Buses, tasks: TaskTracker) -> Self {
        Self { outbox: Outbox::new(settings, sent, buses, tasks) }
    }

    /// Returns the mails sent and still kept, oldest first.
    pub(crate) fn sent(&self) -> Vec<Arc<Mail>> {
        self.outbox.sent.all()
    }

    pub(crate) fn forget_sent(&self) {
        self.outbox.sent.forget();
    }

    /// Answers a call of SES v1.
    pub(crate) fn answer(&self, call: &Call) -> Result<Value, AwsError> {
        let outbox = &self.outbox;
        match call.operation.as_str() {
            "SendEmail" => v1::send(outbox, call.read()?),
            "SendRawEmail" => v1::send_raw(outbox, call.read()?),
            "VerifyEmailIdentity" | "VerifyEmailAddress" => v1::verify_address(outbox, &call.read()?),
            "VerifyDomainIdentity" => v1::verify_domain(outbox, &call.read()?),
            "DeleteIdentity" => Ok(v1::delete_identity(outbox, &call.read()?)),
            "ListIdentities" => v1::list_identities(outbox, &call.read()?),
            "GetIdentityVerificationAttributes" => Ok(v1::verification_attributes(outbox, &call.read()?)),
            "GetSendQuota" => Ok(v1::quota(outbox)),
            "GetAccountSendingEnabled" => Ok(v1::may_send(outbox)),
            "UpdateAccountSendingEnabled" => Ok(v1::let_send(outbox, &call.read()?)),
            _ => Err(call.not_supported()),
        }
    }

    /// Answers a call of SES v2.
    pub(crate) fn answer_v2(&self, call: &Call) -> Result<Value, AwsError> {
        let outbox = &self.outbox;
        match call.operation.as_str() {
            "SendEmail" => v2::send(outbox, call.read()?),
            "CreateEmailIdentity" => v2::create_identity(outbox, call.read()?),
            "GetEmailIdentity" => v2::identity(outbox, &call.read()?),
            "ListEmailIdentities" => v2::list_identities(outbox, &call.read()?),
            "DeleteEmailIdentity" => v2::delete_identity(outbox, &call.read()?),
            "CreateConfigurationSet" => v2_sets::create(outbox, call.read()?),
            "GetConfigurationSet" => v2_sets::get(outbox, &call.read()?),
            "ListConfigurationSets" => v2_sets::list(outbox, &call.read()?),
            "DeleteConfigurationSet" => v2_sets::delete(outbox, &call.read()?),
            "CreateConfigurationSetEventDestination" => v2_sets::create_destination(outbox, call.read()?),
            "GetConfigurationSetEventDestinations" => v2_sets::destinations(outbox, &call.read()?),
            "UpdateConfigurationSetEventDestination" => v2_sets::update_destination(outbox, call.read()?),
            "DeleteConfigurationSetEventDestination" => v2_sets::delete_destination(outbox, &call.read()?),
            "PutSuppressedDestination" => v2::suppress(outbox, call.read()?),
            "GetSuppressedDestination" => v2::suppressed(outbox, &call.read()?),
            "ListSuppressedDestinations" => v2::list_suppressed(outbox, &call.read()?),
            "DeleteSuppressedDestination" => v2::release(outbox, &call.read()?),
            "GetAccount" => Ok(v2::account(outbox)),
            "PutAccountSendingAttributes" => Ok(v2::let_send(outbox, &call.read()?)),
            _ => Err(call.not_supported()),
        }
    }
}
