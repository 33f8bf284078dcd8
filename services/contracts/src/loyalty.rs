//! The events that this layer's own services announce.
//!
//! The `Member…` events carry the member's whole contact, so that a consumer depends neither on the
//! order in which they arrive nor on a table of another service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::values::ChannelList;
use crate::{Channel, Channels, CustomerNumber, EmailAddress, LOYALTY, Locale, Name, event};

/// A member's name and how to reach them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contact {
    /// The member's name.
    pub name: Name,
    /// The address for e-mail.
    pub email: EmailAddress,
    /// The preferred notification channels.
    #[schemars(with = "ChannelList")]
    pub channels: Channels,
    /// The preferred language.
    pub locale: Locale,
}

/// A customer became a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberEnrolled {
    /// The member it concerns.
    pub customer_number: CustomerNumber,
    /// The member's contact.
    pub contact: Contact,
}
event!(MemberEnrolled, LOYALTY);

/// A member's name changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberRenamed {
    /// The member it concerns.
    pub customer_number: CustomerNumber,
    /// The member's contact, with the new name.
    pub contact: Contact,
}
event!(MemberRenamed, LOYALTY);

/// A member's contact preferences changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberPreferencesChanged {
    /// The member it concerns.
    pub customer_number: CustomerNumber,
    /// The member's contact from now on.
    pub contact: Contact,
}
event!(MemberPreferencesChanged, LOYALTY);

/// A member was erased; every owner of personal data removes what it holds of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberErased {
    /// The member it concerns.
    pub customer_number: CustomerNumber,
    /// The member's last contact, for the confirmation of the erasure. Absent if it was never known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
}
event!(MemberErased, LOYALTY);

/// The subject of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// Welcome.
    MemberEnrolled,
    /// Your name was changed.
    MemberRenamed,
    /// Your contact preferences were changed.
    MemberPreferencesChanged,
    /// Your data was erased.
    MemberErased,
}

/// A member is to be notified over one channel. It travels over SNS, not over the bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotificationRequested {
    /// The member it concerns.
    pub customer_number: CustomerNumber,
    /// Derived from the event and the channel, so that a repeated request is recognized.
    pub notification_id: Uuid,
    /// The channel to use.
    pub channel: Channel,
    /// The subject.
    pub template: Template,
    /// The member's contact.
    pub contact: Contact,
}
event!(NotificationRequested, LOYALTY);
