//! Members, and how each event changes one.
//!
//! Events arrive late, twice and in any order. Each field therefore carries the [`Version`] of the event
//! that set it, and only a later version replaces it. An erasure ends the membership and removes everything that
//! occurred no later; only an enrolment that occurred later begins a new membership. The same events in any order lead
//! to the same member.
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
    /// The tombstone: the version of the latest erasure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    erased: Option<Version>,
    /// What is known from events that occurred after that.
    #[serde(default, rename = "known", skip_serializing_if = "Profile::is_empty")]
    profile: Box<Profile>,
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
        announcement: Option<Box<Announced>>,
    },
    /// Everything in the event is older than what is known.
    Stale,
    /// The member was erased when the event occurred or later.
    Erased,
}

/// An announcement, and whether there is anything new in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Whether the contact is the same as before: the event only confirmed it.
    pub unchanged: bool,
    /// The announcement.
    pub event: Announcement,
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
        Self { customer_number, erased: None, profile: Box::default() }
    }

    /// Returns the customer number.
    #[must_use]
    pub fn customer_number(&self) -> &CustomerNumber {
        &self.customer_number
    }

    /// Returns the contact data, from the enrolment until the erasure.
    #[must_use]
    pub fn contact(&self) -> Option<Contact> {
        self.profile.contact()
    }

    /// Returns when the customer was last erased.
    #[must_use]
    pub fn erased_at(&self) -> Option<Timestamp> {
        self.erased.map(|erasure| erasure.occurred_at)
    }

    /// Returns whether the member was erased and has not enrolled since.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.erased.is_some() && self.profile.enrolled.is_none()
    }

    /// Applies `advance`, which sets fields of the profile and returns whether one changed, and lets `announce` decide
    /// what to announce of the contact before and after.
    fn update(
        mut self,
        version: Version,
        advance: impl FnOnce(&mut Profile) -> bool,
        announce: impl FnOnce(CustomerNumber, &Update) -> Announcement,
    ) -> Change {
        if self.erased.is_some_and(|erasure| !version.is_after(erasure)) {
            return Change::Erased;
        }
        let before = self.contact();
        if !advance(&mut self.profile) {
            return Change::Stale;
        }
        let announcement = self.profile.update_since(before).map(|update| Announced {
            unchanged: update.is_empty(),
            event: announce(self.customer_number.clone(), &update),
        });
        Change::Applied { member: self, announcement: announcement.map(Box::new) }
    }
}

impl Version {
    /// Whether an event of this version survives `erasure`. At the same instant the erasure wins: the order of ids means
    /// nothing, and a doubt must not keep personal data.
    fn is_after(self, erasure: Self) -> bool {
        self.occurred_at > erasure.occurred_at
    }
}

/// A member's contact after an event, compared with the one before.
struct Update {
    before: Option<Contact>,
    after: Contact,
    enrolled: Version,
}

impl Update {
    fn is_empty(&self) -> bool {
        self.before.as_ref() == Some(&self.after)
    }

    fn enrolled_at(&self) -> Timestamp {
        self.enrolled.occurred_at
    }

    /// Returns the address before the event, if the event changed it.
    fn previous_email(&self) -> Option<EmailAddress> {
        let before = self.before.as_ref().map(|contact| &contact.email);
        before.filter(|address| **address != self.after.email).cloned()
    }
}

impl Profile {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn contact(&self) -> Option<Contact> {
        self.enrolled?;
        Some(Contact {
            name: self.name.as_ref()?.value.clone(),
            email: self.email.as_ref()?.value.clone(),
            channels: self.channels.as_ref()?.value.clone(),
            locale: self.locale.as_ref().map(|locale| locale.value.clone()).unwrap_or_default(),
        })
    }

    fn update_since(&self, before: Option<Contact>) -> Option<Update> {
        Some(Update { before, after: self.contact()?, enrolled: self.enrolled? })
    }

    /// Removes what occurred no later than `erasure`.
    fn forget(&mut self, erasure: Version) {
        keep(&mut self.name, erasure);
        keep(&mut self.email, erasure);
        keep(&mut self.channels, erasure);
        keep(&mut self.locale, erasure);
        self.enrolled = self.enrolled.filter(|enrolled| enrolled.is_after(erasure));
    }
}

fn keep<T>(field: &mut Option<Versioned<T>>, erasure: Version) {
    field.take_if(|known| !known.version.is_after(erasure));
}

/// Sets `field` if `version` is later than its own, and returns whether it did.
fn advance<T>(field: &mut Option<Versioned<T>>, value: T, version: Version) -> bool {
    let later = field.as_ref().is_none_or(|known| known.version < version);
    if later {
        *field = Some(Versioned { value, version });
    }
    later
}
