//! A bucket: its objects, and its configurations as documents of the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::lifecycle;
use super::object::Object;
use crate::budget::Share;

/// A part of a bucket's settings with separate operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Configuration {
    Encryption,
    Lifecycle,
    ObjectLock,
    OwnershipControls,
    Policy,
    PublicAccessBlock,
    Tagging,
    Versioning,
}

#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) created: Timestamp,
    pub(super) objects: BTreeMap<String, Arc<Object>>,
    configurations: BTreeMap<Configuration, Stored>,
    _share: Share,
}

#[derive(Debug)]
struct Stored {
    document: Value,
    _share: Option<Share>,
}

impl Bucket {
    /// Returns an empty bucket with the settings that AWS gives new ones.
    pub(super) fn new(share: Share) -> Self {
        let mut bucket = Self {
            created: Timestamp::now(),
            objects: BTreeMap::new(),
            configurations: BTreeMap::new(),
            _share: share,
        };
        let public = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
        let blocked: serde_json::Map<_, _> =
            public.into_iter().map(|name| (name.to_owned(), Value::from(true))).collect();
        bucket.set(Configuration::PublicAccessBlock, Value::Object(blocked), None);
        bucket.set(
            Configuration::OwnershipControls,
            json!({"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}),
            None,
        );
        bucket
    }

    pub(super) fn set(&mut self, which: Configuration, document: Value, share: Option<Share>) {
        self.configurations.insert(which, Stored { document, _share: share });
    }

    pub(super) fn remove(&mut self, which: Configuration) {
        self.configurations.remove(&which);
    }

    pub(super) fn get(&self, which: Configuration) -> Option<&Value> {
        self.configurations.get(&which).map(|stored| &stored.document)
    }

    pub(super) fn is_versioned(&self) -> bool {
        self.get(Configuration::Versioning).is_some_and(|document| document["Status"] == "Enabled")
    }

    /// Whether a rule deletes all objects some time after they were written.
    pub(super) fn expires(&self) -> bool {
        self.get(Configuration::Lifecycle).is_some_and(lifecycle::deletes_all)
    }

    /// Removes the eighth of the objects that were written first, or the only one, and returns it.
    pub(super) fn remove_oldest(&mut self) -> Vec<Arc<Object>> {
        let mut keys: Vec<_> =
            self.objects.iter().map(|(key, object)| (object.modified, key.clone())).collect();
        keys.sort_unstable();
        keys.truncate(keys.len().div_ceil(8));
        keys.iter().filter_map(|(_, key)| self.objects.remove(key)).collect()
    }

    /// Returns the encryption of objects whose requests ask for none: S3's own keys, unless the bucket says otherwise.
    pub(super) fn encryption(&self) -> Value {
        let by_default = json!({
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": false}],
        });
        self.get(Configuration::Encryption).cloned().unwrap_or(by_default)
    }
}
