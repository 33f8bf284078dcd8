//! SES: mail is accepted as AWS accepts it and kept for people and tests to inspect, never delivered.
//!
//! An identity is verified as soon as it is created, and recipients need no verification: this account is out of the
//! sandbox.

mod account;
mod address;
mod draft;
mod mail;
mod outbox;
mod raw;
mod refusal;
mod v1;
mod v2;

use std::sync::Arc;

use serde_json::Value;

pub(crate) use self::address::bare_address;
pub(crate) use self::mail::{Mail, Sent};
use self::outbox::Outbox;
use crate::call::Call;
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
    pub(crate) fn new(settings: &Settings, sent: Sent) -> Self {
        Self { outbox: Outbox::new(&settings.region, sent) }
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
