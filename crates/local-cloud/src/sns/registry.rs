//! All topics, and who may change them when.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use uuid::Uuid;

use super::arn::Home;
use super::errors::topic_not_found;
use super::subscription::Subscription;
use super::topic::Topic;
use crate::budget::Budget;
use crate::reply::AwsError;

/// For all topics, subscriptions, and what FIFO topics remember.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Topics by ARN.
pub(super) type Topics = BTreeMap<String, Topic>;

/// A handle to all topics; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Registry {
    pub(super) home: Arc<Home>,
    pub(super) budget: Budget,
    topics: Arc<RwLock<Topics>>,
}

impl Registry {
    pub(super) fn new(home: Home) -> Self {
        Self { home: Arc::new(home), budget: Budget::new(MAX_BYTES), topics: Arc::default() }
    }

    /// Returns the same topics as a request for another region sees them.
    pub(super) fn in_region(&self, region: &str) -> Self {
        if region == self.home.region {
            return self.clone();
        }
        let home = Home { region: region.to_owned(), ..Home::clone(&self.home) };
        Self { home: Arc::new(home), ..self.clone() }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Topics> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Topics> {
        self.topics.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a topic, after checking its ARN.
    pub(super) fn with_topic<T>(&self, arn: &str, read: impl FnOnce(&Topic) -> T) -> Result<T, AwsError> {
        self.home.check_topic("TopicArn", arn)?;
        self.read().get(arn).map(read).ok_or_else(topic_not_found)
    }
}

/// Returns a subscription by the ARN of its topic and its id.
pub(super) fn subscription<'a>(topics: &'a Topics, topic: &str, id: Uuid) -> Option<&'a Arc<Subscription>> {
    topics.get(topic)?.subscriptions.get(&id)
}
