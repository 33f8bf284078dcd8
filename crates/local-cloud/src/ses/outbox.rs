//! Accepting mail: the checks that depend on the account, and the message id.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use uuid::Uuid;

use super::account::Account;
use super::address::bare_address;
use super::draft::Draft;
use super::mail::{Mail, Sent};
use super::refusal::Refusal;

/// An account and what it has sent.
pub(super) struct Outbox {
    pub(super) account: Account,
    pub(super) sent: Sent,
    accepted: AtomicU64,
    region: String,
}

impl Outbox {
    pub(super) fn new(region: &str, sent: Sent) -> Self {
        let (account, accepted) = (Account::default(), AtomicU64::new(0));
        Self { account, sent, accepted, region: region.to_owned() }
    }

    /// Accepts a mail and returns its message id. AWS refuses unverified recipients besides while an account is in the
    /// sandbox; this account is not.
    pub(super) fn send(&self, draft: Draft) -> Result<String, Refusal> {
        if !self.account.may_send() {
            return Err(Refusal::Paused);
        }
        let mut mail = draft.into_mail()?;
        let sender = bare_address(&mail.from);
        if !self.account.is_verified(sender) {
            let (senders, region) = (vec![sender.to_owned()], self.region.clone());
            return Err(Refusal::NotVerified { senders, region });
        }
        let message_id = message_id();
        mail.feedback = self.account.feedback(&mail);
        mail.message_id.clone_from(&message_id);
        mail.timestamp = Timestamp::now().to_string();
        self.keep(mail);
        Ok(message_id)
    }

    fn keep(&self, mail: Mail) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.sent.keep(mail);
    }

    /// Returns how many mails were accepted since the start.
    #[expect(clippy::cast_precision_loss, reason = "SES's quotas are floating-point numbers")]
    pub(super) fn accepted(&self) -> f64 {
        self.accepted.load(Ordering::Relaxed) as f64
    }
}

/// Returns an id like SES's: `<16 hexadecimal digits>-<UUID>-000000`.
fn message_id() -> String {
    let id = Uuid::new_v4();
    let (first, _) = id.as_u64_pair();
    format!("{first:016x}-{}-000000", Uuid::new_v4())
}
