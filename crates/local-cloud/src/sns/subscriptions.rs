//! A cache of each topic's subscriptions, which is valid until any subscription changes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rustack_sns_core::provider::RustackSns;
use rustack_sns_core::subscription::FilterPolicyScope;
use rustack_sns_model::error::SnsError;
use rustack_sns_model::input::{GetSubscriptionAttributesInput, ListSubscriptionsByTopicInput};

/// A queue that is subscribed to a topic.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) arn: String,
    pub(super) queue_arn: String,
    pub(super) raw: bool,
    pub(super) filter: Option<(String, FilterPolicyScope)>,
}

pub(super) type Subscriptions = Arc<Vec<Subscription>>;

#[derive(Debug, Default)]
pub(super) struct Cache(RwLock<Cached>);

#[derive(Debug, Default)]
struct Cached {
    /// Counts changes, so that a reading begun before a change is not cached after it.
    generation: u64,
    by_topic: HashMap<String, Subscriptions>,
}

impl Cache {
    pub(super) fn forget(&self) {
        let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
        cached.generation += 1;
        cached.by_topic.clear();
    }

    pub(super) fn of(&self, engine: &RustackSns, topic: &str) -> Result<Subscriptions, SnsError> {
        let generation = {
            let cached = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(subscriptions) = cached.by_topic.get(topic) {
                return Ok(Arc::clone(subscriptions));
            }
            cached.generation
        };
        let subscriptions = Arc::new(read(engine, topic)?);
        let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if cached.generation == generation {
            cached.by_topic.insert(topic.to_owned(), Arc::clone(&subscriptions));
        }
        Ok(subscriptions)
    }
}

fn read(engine: &RustackSns, topic: &str) -> Result<Vec<Subscription>, SnsError> {
    let mut subscriptions = Vec::new();
    let mut input = ListSubscriptionsByTopicInput { topic_arn: topic.to_owned(), next_token: None };
    loop {
        let page = engine.list_subscriptions_by_topic(&input)?;
        for summary in page.subscriptions {
            let attributes = engine
                .get_subscription_attributes(&GetSubscriptionAttributesInput {
                    subscription_arn: summary.subscription_arn.clone(),
                })?
                .attributes;
            let scope = attributes
                .get("FilterPolicyScope")
                .map_or_else(FilterPolicyScope::default, |scope| FilterPolicyScope::parse(scope));
            subscriptions.push(Subscription {
                arn: summary.subscription_arn,
                queue_arn: summary.endpoint,
                raw: attributes.get("RawMessageDelivery").is_some_and(|raw| raw == "true"),
                filter: attributes.get("FilterPolicy").map(|policy| (policy.clone(), scope)),
            });
        }
        if page.next_token.is_none() {
            return Ok(subscriptions);
        }
        input.next_token = page.next_token;
    }
}
