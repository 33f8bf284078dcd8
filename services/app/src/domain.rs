//! What the app's back end receives for a notification.
//!
//! Pure: it turns a notification into the body of a request, without AWS or HTTP.

use contracts::{CustomerNumber, Subject};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// The field by which a subject is distinguished on the wire. Here the type says the same.
const TEMPLATE: &str = "template";

/// What is pushed of one notification: what happened to which customer, and neither a name nor an address.
#[derive(Clone, Copy, Debug)]
pub struct Push<'a> {
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The customer it concerns.
    pub customer_number: &'a CustomerNumber,
    /// The notification.
    pub notification_id: Uuid,
    /// The event that the customer is notified of, if it is known.
    pub event_id: Option<Uuid>,
    /// What it is about.
    pub subject: &'a Subject,
}

impl Push<'_> {
    /// Returns the body as Standard Webhooks has it: `type`, `timestamp` and `data`.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut data = json!({
            "customer_number": self.customer_number,
            "notification_id": self.notification_id,
        });
        if let Some(event_id) = self.event_id {
            data["event_id"] = json!(event_id);
        }
        // A subject is an object with its fields, so this always holds.
        if let (Ok(Value::Object(fields)), Value::Object(data)) =
            (serde_json::to_value(self.subject), &mut data)
        {
            data.extend(fields.into_iter().filter(|(name, _)| name != TEMPLATE));
        }
        json!({
            "type": format!("notification.{}", self.subject.template()),
            "timestamp": self.occurred_at,
            "data": data,
        })
    }
}

#[cfg(test)]
mod tests {
    use contracts::Tier;

    use super::*;

    #[test]
    fn it_says_what_happened_to_whom_and_carries_what_the_subject_does() {
        let discount = serde_json::from_value(json!({
            "template": "discount-activated",
            "discount_id": "SUMMER",
            "value": {"percentage": 15},
            "valid_until": "2026-09-01T00:00:00Z",
        }));
        let tier = Subject::TierAscended { tier: Tier::Gold, previous_tier: Tier::Silver };
        for (subject, kind, own) in [
            (Subject::MemberRenamed, "notification.member-renamed", json!({})),
            (tier, "notification.tier-ascended", json!({"tier": "gold", "previous_tier": "silver"})),
            (
                discount.unwrap(),
                "notification.discount-activated",
                json!({"discount_id": "SUMMER", "value": {"percentage": 15}, "valid_until": "2026-09-01T00:00:00Z"}),
            ),
        ] {
            let push = Push {
                occurred_at: "2026-03-01T12:00:00Z".parse().unwrap(),
                customer_number: &"123456789012".parse().unwrap(),
                notification_id: Uuid::from_u128(1),
                event_id: Some(Uuid::from_u128(2)),
                subject: &subject,
            };
            let mut data = json!({
                "customer_number": "123456789012",
                "notification_id": "00000000-0000-0000-0000-000000000001",
                "event_id": "00000000-0000-0000-0000-000000000002",
            });
            data.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
            let expected = json!({"type": kind, "timestamp": "2026-03-01T12:00:00Z", "data": data});
            assert_eq!(push.body(), expected);
            assert!(push.body().to_string().len() < 20_000);
        }
    }
}
