//! KMS: symmetric keys that encrypt and decrypt, bound to an encryption context, and keys for data.
//!
//! The secrets end with the process, as the tables and buckets do that hold what they have encrypted. Neither they nor
//! plaintexts are ever logged.

mod cipher;
mod cryptography;
mod keys;
mod management;
mod refusal;

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use self::keys::Keys;
use crate::call::Call;
use crate::error::AwsError;
use crate::settings::Settings;

#[derive(Debug)]
pub(crate) struct Kms {
    keys: Mutex<Keys>,
}

impl Kms {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { keys: Mutex::new(Keys::new(settings)) }
    }

    pub(crate) fn answer(&self, call: &Call) -> Result<Value, AwsError> {
        self.keys().forget_deleted(Timestamp::now());
        let output = match call.operation.as_str() {
            "Encrypt" => self.encrypt(call),
            "Decrypt" => self.decrypt(call),
            "GenerateDataKey" => self.generate_data_key(call, true),
            "GenerateDataKeyWithoutPlaintext" => self.generate_data_key(call, false),
            "CreateKey" => self.create_key(call),
            "DescribeKey" => self.describe_key(call),
            "ListKeys" => self.list_keys(call),
            "CreateAlias" => self.create_alias(call),
            "UpdateAlias" => self.update_alias(call),
            "DeleteAlias" => self.delete_alias(call),
            "ListAliases" => self.list_aliases(call),
            "EnableKey" => self.change(call, |key| key.enabled = true),
            "DisableKey" => self.change(call, |key| key.enabled = false),
            "EnableKeyRotation" => self.enable_rotation(call),
            "DisableKeyRotation" => self.change(call, |key| key.rotation_days = None),
            "GetKeyRotationStatus" => self.rotation_status(call),
            "ScheduleKeyDeletion" => self.schedule_deletion(call),
            "CancelKeyDeletion" => self.cancel_deletion(call),
            "GetKeyPolicy" => self.key_policy(call),
            "PutKeyPolicy" => self.put_key_policy(call),
            "TagResource" => self.tag(call),
            "UntagResource" => self.untag(call),
            "ListResourceTags" => self.list_tags(call),
            _ => Err(call.not_supported()),
        };
        output.map(|output| if output.is_null() { json!({}) } else { output })
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the key that a ciphertext in base64 names.
pub(crate) fn key_of(ciphertext: &str) -> Option<String> {
    cipher::key_of(&STANDARD.decode(ciphertext).ok()?).map(|id| id.to_string())
}
