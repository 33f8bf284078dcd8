//! A topic: its attributes, its tags and its subscriptions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::arn::Home;
use super::delivery_policy;
use super::errors::{Given, invalid_parameter, out_of_memory};
use super::fifo::Order;
use super::subscription::Subscription;
use super::topic_attributes::{
    CONTENT_BASED_DEDUPLICATION, DELIVERY_POLICY, FIFO_THROUGHPUT_SCOPE, FIFO_TOPIC, SIGNATURE_VERSION,
    checked, default_policy,
};
use crate::budget::{Budget, Share};
use crate::reply::AwsError;

const FIFO_SUFFIX: &str = ".fifo";
const MAX_NAME: usize = 256;
/// What an entry of a map takes besides its texts, about.
const OVERHEAD: usize = 128;

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) arn: String,
    /// What was set, with values as they are kept.
    attributes: BTreeMap<&'static str, String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) subscriptions: BTreeMap<Uuid, Arc<Subscription>>,
    /// The memory that each subscription takes.
    pub(super) shares: BTreeMap<Uuid, Share>,
    /// The memory that the topic takes without them.
    share: Option<Share>,
    pub(super) unsubscribed: u64,
    /// Of a FIFO topic.
    pub(super) order: Option<Arc<Mutex<Order>>>,
}

impl Topic {
    /// Checks name and attributes of `CreateTopic`.
    pub(super) fn new(name: &str, given: &BTreeMap<String, String>, home: &Home) -> Result<Self, AwsError> {
        let fifo = given.get(FIFO_TOPIC).is_some_and(|value| value == "true");
        check_name(name, fifo)?;
        let mut attributes = BTreeMap::new();
        for (name, value) in given {
            if let (name, Some(value)) = checked(name, value, fifo, Given::OnCreation)? {
                attributes.insert(name, value);
            }
        }
        Ok(Self {
            arn: home.topic_arn(name),
            attributes,
            tags: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            shares: BTreeMap::new(),
            share: None,
            unsubscribed: 0,
            order: fifo.then(Arc::default),
        })
    }

    /// Takes the memory for the topic as it is now.
    pub(super) fn account(&mut self, budget: &Budget) -> Result<(), AwsError> {
        let tags = self.tags.iter().map(|(key, value)| OVERHEAD + key.len() + value.len());
        let attributes = self.attributes.values().map(|value| OVERHEAD + value.len());
        let bytes = OVERHEAD * 4 + self.arn.len() * 2 + tags.chain(attributes).sum::<usize>();
        let share = budget.take(bytes).ok_or_else(|| out_of_memory("TopicLimitExceeded"))?;
        self.share = Some(share);
        Ok(())
    }

    pub(super) fn is_fifo(&self) -> bool {
        self.order.is_some()
    }

    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), AwsError> {
        match checked(name, value, self.is_fifo(), Given::Alone)? {
            (name, Some(value)) => self.attributes.insert(name, value),
            (name, None) => self.attributes.remove(name),
        };
        Ok(())
    }

    /// Returns whether this topic has every attribute of another, as `CreateTopic` requires of an existing one.
    pub(super) fn has_attributes_of(&self, other: &Self, home: &Home) -> bool {
        let (own, all) = (self.all_attributes(home), other.all_attributes(home));
        other.attributes.keys().all(|name| own.get(*name) == all.get(*name))
    }

    /// Returns what `GetTopicAttributes` answers.
    pub(super) fn all_attributes(&self, home: &Home) -> Value {
        let own = self.attributes.get(DELIVERY_POLICY).map(String::as_str);
        let mut all = json!({
            "DisplayName": "",
            "EffectiveDeliveryPolicy": delivery_policy::effective(own),
            "Owner": home.account,
            "Policy": default_policy(&self.arn, &home.account),
            "SubscriptionsConfirmed": self.subscriptions.len().to_string(),
            "SubscriptionsDeleted": self.unsubscribed.to_string(),
            "SubscriptionsPending": "0",
            "TopicArn": self.arn,
        });
        if self.is_fifo() {
            all[CONTENT_BASED_DEDUPLICATION] = "false".into();
        }
        for (name, value) in &self.attributes {
            all[*name] = value.as_str().into();
        }
        all
    }

    pub(super) fn signature_version(&self) -> &str {
        self.attributes.get(SIGNATURE_VERSION).map_or("1", String::as_str)
    }

    pub(super) fn deduplicates_by_content(&self) -> bool {
        self.attributes.get(CONTENT_BASED_DEDUPLICATION).is_some_and(|value| value == "true")
    }

    /// Returns whether the same deduplication id in another group is another message.
    pub(super) fn deduplicates_in_groups(&self) -> bool {
        self.attributes.get(FIFO_THROUGHPUT_SCOPE).is_some_and(|scope| scope == "MessageGroup")
    }
}

/// Letters, digits, hyphens and underscores; a FIFO topic's name ends with `.fifo` besides (API reference,
/// `CreateTopic`).
fn check_name(name: &str, fifo: bool) -> Result<(), AwsError> {
    let stem = if fifo { name.strip_suffix(FIFO_SUFFIX) } else { Some(name) };
    let fits = stem.is_some_and(|stem| {
        !stem.is_empty() && stem.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    });
    if fits && name.len() <= MAX_NAME { Ok(()) } else { Err(invalid_parameter("Topic Name")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Home {
        Home {
            region: "eu-central-1".to_owned(),
            account: "000000000000".to_owned(),
            queue_region: "eu-central-1".to_owned(),
        }
    }

    fn topic(name: &str, attributes: &[(&str, &str)]) -> Result<Topic, AwsError> {
        let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Topic::new(name, &attributes, &home())
    }

    #[test]
    fn names_are_checked() {
        assert!(topic(&"a".repeat(256), &[]).is_ok());
        assert!(topic("t.fifo", &[("FifoTopic", "true")]).is_ok());
        for name in ["", &"a".repeat(257), "bad:name", "bad name", "t.fifo"] {
            assert_eq!(topic(name, &[]).unwrap_err().message, "Invalid parameter: Topic Name");
        }
        for name in ["t", ".fifo", "a.b.fifo"] {
            assert!(topic(name, &[("FifoTopic", "true")]).is_err(), "{name}");
        }
    }

    #[test]
    fn an_existing_topic_is_compared_by_what_is_asked_for() {
        let mut existing = topic("t", &[]).unwrap();
        existing.set("DisplayName", "Set").unwrap();
        let asked = |attributes: &[(&str, &str)]| {
            existing.has_attributes_of(&topic("t", attributes).unwrap(), &home())
        };
        assert!(asked(&[]));
        assert!(asked(&[("DisplayName", "Set"), ("FifoTopic", "false")]));
        assert!(!asked(&[("DisplayName", "Other")]));
        assert!(!asked(&[("SignatureVersion", "2")]));
    }

    #[test]
    fn attributes_have_awss_defaults() {
        let all = topic("t.fifo", &[("FifoTopic", "true"), ("SignatureVersion", "2")]).unwrap();
        let all = all.all_attributes(&home());
        assert_eq!((&all["FifoTopic"], &all["ContentBasedDeduplication"]), (&json!("true"), &json!("false")));
        assert_eq!((&all["SignatureVersion"], &all["DisplayName"]), (&json!("2"), &json!("")));
        let all = topic("t", &[("FifoTopic", "false")]).unwrap().all_attributes(&home());
        for absent in ["FifoTopic", "ContentBasedDeduplication", "DeliveryPolicy", "KmsMasterKeyId"] {
            assert!(all.get(absent).is_none(), "{absent}");
        }
    }
}
