//! Redrive policies of subscriptions: where undeliverable messages go. Rustack's SNS refuses such policies, so they are
//! kept here.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use rustack_sns_model::error::SnsError;
use serde::Deserialize;

/// The attribute of a subscription that holds the policy.
pub(super) const ATTRIBUTE: &str = "RedrivePolicy";

/// ARN of the dead-letter queue by ARN of the subscription.
#[derive(Debug, Default)]
pub(super) struct Redrive(RwLock<HashMap<String, String>>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    dead_letter_target_arn: String,
}

impl Redrive {
    /// Sets a policy in the form of `SetSubscriptionAttributes`; an empty one removes it.
    pub(super) fn set(&self, subscription: &str, policy: &str) -> Result<(), SnsError> {
        let mut policies = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if policy.is_empty() {
            policies.remove(subscription);
            return Ok(());
        }
        let policy: Policy = serde_json::from_str(policy).map_err(|_| {
            SnsError::invalid_parameter(
                "Invalid parameter: RedrivePolicy: must be a JSON object with a deadLetterTargetArn",
            )
        })?;
        policies.insert(subscription.to_owned(), policy.dead_letter_target_arn);
        Ok(())
    }

    pub(super) fn of(&self, subscription: &str) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(subscription).cloned()
    }
}
