//! What a member is, and what each event does to one.
//!
//! Events come late, twice and in any order. Every field therefore carries the [`Version`] it has from
//! the event that set it, and only a later version replaces it; an erasure replaces everything and is
//! replaced by nothing. Any order of the same events ends in the same member.
//!
//! Nothing here knows where members are kept or how events travel.

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

/// Which of two events is the later one: the one that occurred later or, at the same instant, the one with
/// the greater id.
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

/// A customer as far as the loyalty programme knows them.
///
/// `Debug` shows no name and no address.
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
    /// The tombstone: no personal field is left. It bears the version of the earliest erasure.
    Erased(Version),
}

/// What is known of a member. It is partial until the enrolment arrives.
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

/// An event that does something to a member.
pub trait UpdatesMember {
    /// Whom it is about.
    fn customer_number(&self) -> &CustomerNumber;

    /// What it does to `member`, who is the one it is about.
    fn apply(self, member: Member, version: Version) -> Change;
}

/// What an event does to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The member is another now.
    Applied {
        /// The member after it.
        member: Member,
        /// What the world is to be told. Nothing, as long as the member has not been enrolled.
        announcement: Option<Box<Announcement>>,
    },
    /// Everything the event says is older than what is known.
    Stale,
    /// The member has been erased; nothing brings them back.
    Erased,
}

/// What membership tells the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// A customer became a member, or was enrolled anew.
    Enrolled(MemberEnrolled),
    /// A member's name changed.
    Renamed(MemberRenamed),
    /// How a member wants to be told changed.
    PreferencesChanged(MemberPreferencesChanged),
    /// A member was erased.
    Erased(MemberErased),
}

impl Member {
    /// The member of whom nothing is known yet.
    #[must_use]
    pub fn unknown(customer_number: CustomerNumber) -> Self {
        Self { customer_number, state: State::Known(Box::default()) }
    }

    /// Who it is.
    #[must_use]
    pub fn customer_number(&self) -> &CustomerNumber {
        &self.customer_number
    }

    /// How the member is reached, from the enrolment until the erasure.
    #[must_use]
    pub fn contact(&self) -> Option<Contact> {
        match &self.state {
            State::Known(profile) => profile.contact(),
            State::Erased(_) => None,
        }
    }

    /// Whether the member has been erased.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        matches!(self.state, State::Erased(_))
    }

    /// Lets `advance` set fields of the profile and say whether one moved on, and `announce` tell of it.
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

/// Sets `field` if `version` is later than the one it has; says whether it did.
fn advance<T>(field: &mut Option<Versioned<T>>, value: T, version: Version) -> bool {
    let later = field.as_ref().is_none_or(|known| known.version < version);
    if later {
        *field = Some(Versioned { value, version });
    }
    later
}
