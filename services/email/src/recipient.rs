//! Whether a customer is still to get a mail.
//!
//! Pure. A [`Recipient`] is what the service itself has consumed about a customer: when they were erased, and whether
//! they get mail. Notifications and these events arrive in any order, late and twice, so each is placed by what it
//! carries:
//!
//! - A membership that began no later than the erasure occurred is over, and so is every notification of it but the
//!   farewell. A later enrolment begins another membership, whose notifications go out.
//! - A notification gives way to an opt-out only if that was announced later: a mail that an opt-in causes goes out, even
//!   if the opt-in itself has not arrived yet.
//! - A farewell carries its erasure, so it need not wait for the event of the erasure. It waits for mails whose call to
//!   SES is still in flight, since SES would accept them after the farewell.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is known of a customer. It holds neither name nor address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipient {
    /// When the latest erasure occurred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    erased_at: Option<Timestamp>,
    /// What was announced last about the channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channels: Option<Channels>,
    /// Notifications whose call to SES may be in flight, and until when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sending: BTreeMap<Uuid, Timestamp>,
}

/// An announcement of the customer's channels. The fields are in the order that decides which one is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Channels {
    /// When it was announced.
    pub(crate) announced_at: Timestamp,
    /// The event that announced it.
    pub(crate) event_id: Uuid,
    /// Whether e-mail is among them.
    pub(crate) by_email: bool,
}

/// What places a notification among the events of its customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mailing {
    /// The notification.
    pub(crate) notification_id: Uuid,
    /// What it is about.
    pub(crate) occasion: Occasion,
}

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A change within a membership.
    Membership {
        /// When the membership began.
        enrolled_at: Timestamp,
        /// When the change was announced.
        announced_at: Timestamp,
    },
    /// The end of a membership.
    Farewell {
        /// When the erasure occurred.
        erased_at: Timestamp,
    },
}

/// What to do about a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Send it.
    Send,
    /// Never send it.
    Suppress,
    /// Another mail to the customer may be in flight, at most until then.
    Wait {
        /// When it is certainly no longer in flight.
        until: Timestamp,
    },
}

impl Recipient {
    /// Learns that the customer was erased. Returns whether that is news.
    pub(crate) fn erased(&mut self, at: Timestamp) -> bool {
        let later = self.erased_at.is_none_or(|known| known < at);
        if later {
            self.erased_at = Some(at);
        }
        later
    }

    /// Learns the customer's channels. Returns whether that is news.
    pub(crate) fn reached_by(&mut self, channels: Channels) -> bool {
        let later = self.channels.is_none_or(|known| known < channels);
        if later {
            self.channels = Some(channels);
        }
        later
    }

    /// Decides about a mail whose call to SES ends before `deadline`, and keeps it as in flight if it is to be sent.
    pub(crate) fn admit(&mut self, mailing: &Mailing, now: Timestamp, deadline: Timestamp) -> Verdict {
        self.sending.retain(|_, until| *until > now);
        match mailing.occasion {
            Occasion::Farewell { erased_at } => {
                self.erased(erased_at);
                if self.erased_at > Some(erased_at) {
                    // A later membership has ended as well: its farewell is the last message.
                    return Verdict::Suppress;
                }
                // Its own earlier attempt, whose answer was lost, is no other mail.
                let others = self.sending.iter().filter(|(id, _)| **id != mailing.notification_id);
                if let Some(until) = others.map(|(_, until)| *until).max() {
                    return Verdict::Wait { until };
                }
            }
            Occasion::Membership { enrolled_at, announced_at } => {
                let over = self.erased_at.is_some_and(|erased_at| enrolled_at <= erased_at);
                let opted_out =
                    self.channels.is_some_and(|known| !known.by_email && known.announced_at > announced_at);
                if over || opted_out {
                    return Verdict::Suppress;
                }
            }
        }
        self.sending.insert(mailing.notification_id, deadline);
        Verdict::Send
    }

    /// Learns that SES has answered: the mail is no longer in flight.
    pub(crate) fn answered(&mut self, notification_id: Uuid) {
        self.sending.remove(&notification_id);
    }
}

#[cfg(test)]
mod tests;
