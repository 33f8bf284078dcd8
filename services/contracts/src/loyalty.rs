//! What this layer's own services announce.
//!
//! The `Member…` events carry the member's whole contact, so that a consumer depends neither on the
//! order in which they arrive nor on a table of another service.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Channel, Channels, CustomerNumber, EmailAddress, LOYALTY, Locale, Name, event};

/// How a member is reached and addressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// What they are called.
    pub name: Name,
    /// Where mail goes.
    pub email: EmailAddress,
    /// How they want to be told.
    pub channels: Channels,
    /// The language they want to be told in.
    pub locale: Locale,
}

/// A customer became a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberEnrolled {
    /// Who.
    pub customer_number: CustomerNumber,
    /// How they are reached.
    pub contact: Contact,
}
event!(MemberEnrolled, LOYALTY);

/// A member's name changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRenamed {
    /// Who.
    pub customer_number: CustomerNumber,
    /// How they are reached, under the new name.
    pub contact: Contact,
}
event!(MemberRenamed, LOYALTY);

/// How a member wants to be told changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberPreferencesChanged {
    /// Who.
    pub customer_number: CustomerNumber,
    /// How they are reached now.
    pub contact: Contact,
}
event!(MemberPreferencesChanged, LOYALTY);

/// A member was erased; every owner of personal data removes what it holds of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberErased {
    /// Who.
    pub customer_number: CustomerNumber,
    /// How they are told that it was done: the last use of the address. Absent if it was never known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
}
event!(MemberErased, LOYALTY);

/// What a notification says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// Welcome.
    MemberEnrolled,
    /// Your name was changed.
    MemberRenamed,
    /// How we reach you was changed.
    MemberPreferencesChanged,
    /// You were forgotten.
    MemberErased,
}

/// A member is to be told something over one channel. It travels over SNS, not over the bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationRequested {
    /// Who.
    pub customer_number: CustomerNumber,
    /// A function of the event and the channel, so that a repeated request is known as such.
    pub notification_id: Uuid,
    /// Over which channel.
    pub channel: Channel,
    /// What it says.
    pub template: Template,
    /// How they are reached and addressed.
    pub contact: Contact,
}
event!(NotificationRequested, LOYALTY);
