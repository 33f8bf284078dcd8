//! What the notifier asks the delivering services for. It travels over SNS, not over the bus.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Channel, Contact, CustomerNumber, DiscountId, DiscountValue, LOYALTY, Tier, event};

/// What a notification is about. On the wire its name is the field `template`, beside what the text needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "template", rename_all = "kebab-case")]
pub enum Subject {
    /// Welcome.
    MemberEnrolled,
    /// Your name was changed.
    MemberRenamed,
    /// Your contact preferences were changed.
    MemberPreferencesChanged,
    /// Your address was changed; sent to the previous one.
    EmailChanged,
    /// Your data was erased.
    MemberErased,
    /// You reached a higher tier.
    TierAscended {
        /// The tier from now on.
        tier: Tier,
        /// The tier before.
        previous_tier: Tier,
    },
    /// You fell to a lower tier.
    TierDescended {
        /// The tier from now on.
        tier: Tier,
        /// The tier before.
        previous_tier: Tier,
    },
    /// You were given a discount.
    DiscountActivated {
        /// The discount.
        discount_id: DiscountId,
        /// What it is worth.
        value: DiscountValue,
        /// When it expires.
        valid_until: Timestamp,
    },
    /// A discount has expired.
    DiscountExpired {
        /// The discount.
        discount_id: DiscountId,
        /// What it was worth.
        value: DiscountValue,
        /// When it expired.
        valid_until: Timestamp,
    },
}

impl Subject {
    /// Returns the subject's name on the wire.
    #[must_use]
    pub const fn template(&self) -> &'static str {
        match self {
            Self::MemberEnrolled => "member-enrolled",
            Self::MemberRenamed => "member-renamed",
            Self::MemberPreferencesChanged => "member-preferences-changed",
            Self::EmailChanged => "email-changed",
            Self::MemberErased => "member-erased",
            Self::TierAscended { .. } => "tier-ascended",
            Self::TierDescended { .. } => "tier-descended",
            Self::DiscountActivated { .. } => "discount-activated",
            Self::DiscountExpired { .. } => "discount-expired",
        }
    }
}

/// A member is to be notified over one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotificationRequested {
    /// The member it concerns.
    pub customer_number: CustomerNumber,
    /// Derived from the event and the channel, so that a repeated request is recognized.
    pub notification_id: Uuid,
    /// The channel to use.
    pub channel: Channel,
    /// What it is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// The member's contact.
    pub contact: Contact,
    /// When the membership began, as in the event that it notifies of. Absent in requests of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled_at: Option<Timestamp>,
    /// When the event was announced that it notifies of: a later announcement may have changed the channels since.
    /// Absent in requests of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_at: Option<Timestamp>,
}
event!(NotificationRequested, LOYALTY);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_subject_is_its_name_on_the_wire() {
        let value = serde_json::json!({"percentage": 15});
        let tier = serde_json::json!({"tier": "gold", "previous_tier": "silver"});
        let discount = serde_json::json!({
            "discount_id": "SUMMER", "value": value, "valid_until": "2026-09-01T00:00:00Z",
        });
        for (name, fields) in [
            ("member-enrolled", &serde_json::json!({})),
            ("member-renamed", &serde_json::json!({})),
            ("member-preferences-changed", &serde_json::json!({})),
            ("email-changed", &serde_json::json!({})),
            ("member-erased", &serde_json::json!({})),
            ("tier-ascended", &tier),
            ("tier-descended", &tier),
            ("discount-activated", &discount),
            ("discount-expired", &discount),
        ] {
            let mut fields = fields.clone();
            fields["template"] = name.into();
            let subject: Subject = serde_json::from_value(fields.clone()).unwrap();
            assert_eq!(subject.template(), name);
            assert_eq!(serde_json::to_value(subject).unwrap(), fields);
        }
    }
}
