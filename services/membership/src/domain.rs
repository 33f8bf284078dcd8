//! Members, and how each event changes one.
//!
//! Events arrive late, twice and in any order. Each field therefore carries the [`Version`] of the event
//! that set it, and only a later version replaces it; an erasure replaces everything, and nothing replaces
//! an erasure. The same events in any order lead to the same member.
//!
//! This module knows neither where members are stored nor how events travel.

mod enrol;
mod erase;
mod prefer;
mod rename;
#[cfg(test)]
mod tests;

use contracts::{
    Channels, Contact, CustomerNumber, EmailAddress, Locale, MemberEnrolled, MemberErased,
    MemberPreferencesChanged, MemberRenamed, Name,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Orders events: the later one occurred later or, at the same instant, has the greater id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// When the event occurred.
    pub occurred_at: Timestamp,
    /// The event's id.
    pub event_id: Uuid,
}

/// A value with the version of the event that set it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Versioned<T> {
    value: T,
    version: Version,
}

/// What the loyalty programme knows of a customer.
///
/// `Debug` shows neither name nor address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    customer_number: CustomerNumber,
    #[serde(flatten)]
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Known(Box<Profile>),
    /// The tombstone: no personal data is left. It carries the version of the earliest erasure.
    Erased(Version),
}

/// The member's data, incomplete until the enrolment arrives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Profile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Versioned<Name>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<Versioned<EmailAddress>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channels: Option<Versioned<Channels>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locale: Option<Versioned<Locale>>,
    /// The latest enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enrolled: Option<Version>,
}

/// An event that updates a member.
pub trait UpdatesMember {
    /// Returns the number of the customer it concerns.
    fn customer_number(&self) -> &CustomerNumber;

    /// Returns what the event makes of `member`, the customer it concerns.
    fn apply(self, member: Member, version: Version) -> Change;
}

/// The result of applying an event to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The member changed.
    Applied {
        /// The member after the event.
        member: Member,
        /// What to announce. `None` until the member is enrolled.
        announcement: Option<Box<Announcement>>,
    },
    /// Everything in the event is older than what is known.
    Stale,
    /// The member was erased; no event undoes that.
    Erased,
}

/// What membership announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// A customer became a member, or enrolled again.
    Enrolled(MemberEnrolled),
    /// A member's name changed.
    Renamed(MemberRenamed),
    /// A member's contact preferences changed.
    PreferencesChanged(MemberPreferencesChanged),
    /// A member was erased.
    Erased(MemberErased),
}

impl Member {
    /// Creates a member of whom nothing is known yet.
    #[must_use]
    pub fn unknown(customer_number: CustomerNumber) -> Self {
        Self { customer_number, state: State::Known(Box::default()) }
    }

    /// Returns the customer number.
    #[must_use]
    pub fn customer_number(&self) -> &CustomerNumber {
        &self.customer_number
    }

    /// Returns the contact data, from the enrolment until the erasure.
    #[must_use]
    pub fn contact(&self) -> Option<Contact> {
        match &self.state {
            State::Known(profile) => profile.contact(),
            State::Erased(_) => None,
        }
    }

    /// Returns whether the member was erased.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        matches!(self.state, State::Erased(_))
    }

    /// Applies `advance`, which sets fields of the profile and returns whether one changed, and announces the
    /// change by `announce`.
    fn update(
        self,
        advance: impl FnOnce(&mut Profile) -> bool,
        announce: impl FnOnce(CustomerNumber, Contact) -> Announcement,
    ) -> Change {
        let State::Known(mut profile) = self.state else { return Change::Erased };
        if !advance(&mut profile) {
            return Change::Stale;
        }
        let announcement =
            profile.contact().map(|contact| Box::new(announce(self.customer_number.clone(), contact)));
        let member = Self { customer_number: self.customer_number, state: State::Known(profile) };
        Change::Applied { member, announcement }
    }
}

impl Profile {
    fn contact(&self) -> Option<Contact> {
        self.enrolled?;
        Some(Contact {
            name: self.name.as_ref()?.value.clone(),
            email: self.email.as_ref()?.value.clone(),
            channels: self.channels.as_ref()?.value.clone(),
            locale: self.locale.as_ref().map(|locale| locale.value.clone()).unwrap_or_default(),
        })
    }
}

/// Sets `field` if `version` is later than its own, and returns whether it did.
fn advance<T>(field: &mut Option<Versioned<T>>, value: T, version: Version) -> bool {
    let later = field.as_ref().is_none_or(|known| known.version < version);
    if later {
        *field = Some(Versioned { value, version });
    }
    later
}
