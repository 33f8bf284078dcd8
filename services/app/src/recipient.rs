//! Whether a customer is still to get a push.
//!
//! Pure. Notifications and what is announced about members arrive in any order, late and twice, so each is placed by what
//! it carries:
//!
//! - A membership that began no later than an erasure occurred is over, and so is every notification of it but the
//!   farewell.
//! - A notification gives way to an opt-out only if that was announced later.
//! - A farewell carries its erasure, so it need not wait for the event of the erasure.
//!
//! Unlike a mail, a push contains neither name nor address, and the back end decides what its user sees. So a farewell does
//! not wait for a push that is in flight.

use jiff::Timestamp;

/// What is known of a customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recipient {
    /// When the latest erasure occurred.
    pub(crate) erased_at: Option<Timestamp>,
    /// What was announced last about the channels.
    pub(crate) channels: Option<Channels>,
}

/// An announcement of the customer's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Channels {
    /// When it was announced.
    pub(crate) announced_at: Timestamp,
    /// Whether the app is among them.
    pub(crate) by_app: bool,
}

/// What a push is about.
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

/// Why a push is never made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suppression {
    /// The membership it is about is over.
    Erased,
    /// The customer does not want pushes.
    OptedOut,
}

impl Recipient {
    /// Returns why the customer is not to hear of this, if there is a reason.
    pub(crate) fn suppression(&self, occasion: Occasion) -> Option<Suppression> {
        match occasion {
            // A later membership has ended as well: its farewell is the last message.
            Occasion::Farewell { erased_at } => {
                (self.erased_at > Some(erased_at)).then_some(Suppression::Erased)
            }
            Occasion::Membership { enrolled_at, announced_at } => {
                let opted_out =
                    self.channels.is_some_and(|known| !known.by_app && known.announced_at > announced_at);
                if self.erased_at.is_some_and(|erased_at| enrolled_at <= erased_at) {
                    Some(Suppression::Erased)
                } else {
                    opted_out.then_some(Suppression::OptedOut)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn nothing_follows_a_farewell_or_an_opt_out_but_what_a_later_enrolment_or_opt_in_causes() {
        let membership = |enrolled, announced| Occasion::Membership {
            enrolled_at: at(enrolled),
            announced_at: at(announced),
        };
        let farewell = |erased| Occasion::Farewell { erased_at: at(erased) };
        let erased = |second| Recipient { erased_at: Some(at(second)), channels: None };
        let channels = |second, by_app| Recipient {
            erased_at: None,
            channels: Some(Channels { announced_at: at(second), by_app }),
        };
        for (known, occasion, expected) in [
            (Recipient::default(), membership(1, 2), None),
            (Recipient::default(), farewell(2), None),
            (erased(5), membership(1, 2), Some(Suppression::Erased)),
            (erased(5), membership(1, 9), Some(Suppression::Erased)),
            (erased(5), membership(5, 9), Some(Suppression::Erased)),
            (erased(5), membership(6, 9), None),
            (erased(5), farewell(5), None),
            (erased(5), farewell(4), Some(Suppression::Erased)),
            (channels(5, false), membership(1, 4), Some(Suppression::OptedOut)),
            (channels(5, false), membership(1, 5), None),
            (channels(5, true), membership(1, 4), None),
            (channels(5, false), farewell(4), None),
        ] {
            assert_eq!(known.suppression(occasion), expected, "{known:?} {occasion:?}");
        }
    }
}
