//! A bucket: its objects, and its configurations as documents of the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

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

    /// Returns the encryption of objects whose requests ask for none: S3's own keys, unless the bucket says otherwise.
    pub(super) fn encryption(&self) -> Value {
        let by_default = json!({
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": false}],
        });
        self.get(Configuration::Encryption).cloned().unwrap_or(by_default)
    }
}
