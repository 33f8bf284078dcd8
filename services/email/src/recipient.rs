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
//! - An address from which a mail came back for good gets no further one, whoever reports it when. The mark ends with the
//!   membership: a farewell still respects it, and forgets it.

use std::collections::BTreeMap;

use contracts::UndeliverableReason;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::address_digest::AddressDigest;

/// The most marked addresses that are kept of a customer: those mailed last.
const MOST_MARKS: usize = 16;

/// From this number of mails in flight on, the next mail finds out which of them SES has accepted. Customers get fewer in a
/// lease, save in a burst.
const MANY_IN_FLIGHT: usize = 8;
/// The most mails in flight that one mail asks about.
const MOST_ASKED_ABOUT: usize = 32;

/// What is known of a customer. It holds neither name nor address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipient {
    /// When the latest erasure occurred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    erased_at: Option<Timestamp>,
    /// What was announced last about the channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channels: Option<Channels>,
    /// Notifications whose call to SES may be in flight, and until when. One that SES has accepted stays until then, unless
    /// somebody asks: its claim says that it is done.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sending: BTreeMap<Uuid, Timestamp>,
    /// The addresses that are not to be mailed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    undeliverable: BTreeMap<AddressDigest, Mark>,
}

/// Why an address is not to be mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// What became of the mail.
    pub(crate) reason: UndeliverableReason,
    /// When that mail was sent.
    pub(crate) mailed_at: Timestamp,
    /// When the membership began that it was about.
    pub(crate) enrolled_at: Timestamp,
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
    /// The address it goes to.
    pub(crate) address: AddressDigest,
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
    Suppress(Suppression),
    /// Another mail to the customer may be in flight, at most until then.
    Wait {
        /// When it is certainly no longer in flight.
        until: Timestamp,
    },
}

/// Why a mail is never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suppression {
    /// The membership it is about is over.
    Erased,
    /// The customer does not want mail.
    OptedOut,
    /// Mail to the address came back.
    Undeliverable(UndeliverableReason),
}

impl Recipient {
    /// Learns that the customer was erased. Returns whether that is news. The marks of addresses end with the membership,
    /// unless a farewell has yet to respect them.
    pub(crate) fn erased(&mut self, at: Timestamp, farewell_follows: bool) -> bool {
        let later = self.erased_at.is_none_or(|known| known < at);
        if later {
            self.erased_at = Some(at);
            if !farewell_follows {
                self.forget_marks(at);
            }
        }
        later
    }

    /// Forgets the marked addresses of memberships that began no later than an erasure.
    fn forget_marks(&mut self, erased_at: Timestamp) {
        self.undeliverable.retain(|_, mark| mark.enrolled_at > erased_at);
    }

    /// Learns that a mail to an address came back. Returns whether that is news: the address was not marked, and the
    /// membership is not over.
    pub(crate) fn returned(&mut self, address: AddressDigest, mark: Mark) -> bool {
        if self.is_over(mark.enrolled_at) || self.undeliverable.contains_key(&address) {
            return false;
        }
        self.undeliverable.insert(address, mark);
        if self.undeliverable.len() > MOST_MARKS {
            let oldest =
                self.undeliverable.iter().min_by_key(|(_, mark)| mark.mailed_at).map(|(oldest, _)| *oldest);
            oldest.map(|oldest| self.undeliverable.remove(&oldest));
        }
        true
    }

    fn is_over(&self, enrolled_at: Timestamp) -> bool {
        self.erased_at.is_some_and(|erased_at| enrolled_at <= erased_at)
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
        let marked =
            self.undeliverable.get(&mailing.address).map(|mark| Suppression::Undeliverable(mark.reason));
        match mailing.occasion {
            Occasion::Farewell { erased_at } => {
                self.erased(erased_at, true);
                if self.erased_at > Some(erased_at) {
                    // A later membership has ended as well: its farewell is the last message.
                    return Verdict::Suppress(Suppression::Erased);
                }
                // Its own earlier attempt, whose answer was lost, is no other mail.
                let others = self.sending.iter().filter(|(id, _)| **id != mailing.notification_id);
                if let Some(until) = others.map(|(_, until)| *until).max() {
                    return Verdict::Wait { until };
                }
                self.forget_marks(erased_at);
                if let Some(marked) = marked {
                    return Verdict::Suppress(marked);
                }
            }
            Occasion::Membership { enrolled_at, announced_at } => {
                let opted_out =
                    self.channels.is_some_and(|known| !known.by_email && known.announced_at > announced_at);
                let why = if self.is_over(enrolled_at) {
                    Some(Suppression::Erased)
                } else if opted_out {
                    Some(Suppression::OptedOut)
                } else {
                    marked
                };
                if let Some(why) = why {
                    return Verdict::Suppress(why);
                }
            }
        }
        self.sending.insert(mailing.notification_id, deadline);
        Verdict::Send
    }

    /// Returns the mails in flight whose claims are to be asked whether SES has accepted them, before a verdict on `mailing`: a
    /// farewell waits for all others, and the list is kept short.
    pub(crate) fn in_question(&self, mailing: &Mailing, now: Timestamp) -> Vec<Uuid> {
        let asks =
            matches!(mailing.occasion, Occasion::Farewell { .. }) || self.sending.len() >= MANY_IN_FLIGHT;
        self.sending
            .iter()
            .filter(|(id, until)| asks && **until > now && **id != mailing.notification_id)
            .map(|(id, _)| *id)
            .take(MOST_ASKED_ABOUT)
            .collect()
    }

    /// Learns that SES has answered: the mail is no longer in flight.
    pub(crate) fn answered(&mut self, notification_id: Uuid) {
        self.sending.remove(&notification_id);
    }
}

#[cfg(test)]
mod tests;
