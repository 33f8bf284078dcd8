//! The events that this layer's own services announce.
//!
//! The `Member…` events carry the member's whole contact, so that a consumer depends neither on the
//! order in which they arrive nor on a table of another service.
//!
//! A membership begins with an enrolment and ends with an erasure; a customer who enrols again begins another one.
//! `enrolled_at` says which membership an event belongs to: one that began no later than an erasure occurred is over,
//! whenever the two events arrive.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::values::ChannelList;
use crate::{Channels, CustomerNumber, EmailAddress, LOYALTY, Locale, Name, event};

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
    /// When the enrolment occurred with which the membership began, or that last confirmed it. Absent in events of
    /// earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled_at: Option<Timestamp>,
    /// The previous address for e-mail, if it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_email: Option<EmailAddress>,
}
event!(MemberEnrolled, LOYALTY);

/// A member's name changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberRenamed {
    /// The member it concerns.
    pub customer_number: CustomerNumber,
    /// The member's contact, with the new name.
    pub contact: Contact,
    /// When the enrolment occurred with which the membership began, or that last confirmed it. Absent in events of
    /// earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled_at: Option<Timestamp>,
}
event!(MemberRenamed, LOYALTY);

/// A member's contact preferences changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberPreferencesChanged {
    /// The member it concerns.
    pub customer_number: CustomerNumber,
    /// The member's contact from now on.
    pub contact: Contact,
    /// When the enrolment occurred with which the membership began, or that last confirmed it. Absent in events of
    /// earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled_at: Option<Timestamp>,
    /// The previous address for e-mail, if it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_email: Option<EmailAddress>,
}
event!(MemberPreferencesChanged, LOYALTY);

/// A member was erased; every owner of personal data removes what it holds of memberships that began no later than the
/// event occurred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberErased {
    /// The member it concerns.
    pub customer_number: CustomerNumber,
    /// The member's last contact, for the confirmation of the erasure. Absent if the customer is a member again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// When the customer enrolled again, if that became known before this erasure did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled_again_at: Option<Timestamp>,
}
event!(MemberErased, LOYALTY);

/// Why an address is no longer mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UndeliverableReason {
    /// The recipient's server refused a mail for good.
    Bounce,
    /// The recipient called a mail spam.
    Complaint,
}

/// A member's address for e-mail cannot be used: no further mail is sent to it. Announced once for each address, without the
/// address itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressUndeliverable {
    /// The member it concerns.
    pub customer_number: CustomerNumber,
    /// Why.
    pub reason: UndeliverableReason,
    /// When the mail was sent that came back, which says which of the member's addresses is meant.
    pub mailed_at: Timestamp,
}
event!(AddressUndeliverable, LOYALTY);
