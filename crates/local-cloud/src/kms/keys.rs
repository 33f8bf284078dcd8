//! Keys and their aliases.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::cipher::Material;
use super::refusal::{alias_not_found, disabled, invalid_key_id, key_not_found, pending_deletion};
use crate::error::AwsError;
use crate::settings::Settings;

#[derive(Debug)]
pub(super) struct Key {
    pub(super) material: Material,
    pub(super) created: Timestamp,
    pub(super) description: String,
    pub(super) enabled: bool,
    pub(super) policy: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    /// The days between two rotations, if there are any. A rotation would change nothing that clients see.
    pub(super) rotation_days: Option<i64>,
    pub(super) deletion: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct Alias {
    pub(super) key: Uuid,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

/// All keys of an account in a region.
#[derive(Debug)]
pub(super) struct Keys {
    arn: String,
    account_id: String,
    pub(super) by_id: BTreeMap<Uuid, Key>,
    /// By names, such as `alias/archive`.
    pub(super) aliases: BTreeMap<String, Alias>,
}

impl Keys {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            arn: format!("arn:aws:kms:{}:{}:", settings.region, settings.account_id),
            account_id: settings.account_id.clone(),
            by_id: BTreeMap::new(),
            aliases: BTreeMap::new(),
        }
    }

    pub(super) fn arn(&self, id: Uuid) -> String {
        format!("{}key/{id}", self.arn)
    }

    pub(super) fn alias_arn(&self, name: &str) -> String {
        format!("{}{name}", self.arn)
    }

    /// Removes the keys whose waiting period is over, with their aliases.
    pub(super) fn forget_deleted(&mut self, now: Timestamp) {
        self.by_id.retain(|_, key| key.deletion.is_none_or(|deletion| deletion > now));
        let keys = &self.by_id;
        self.aliases.retain(|_, alias| keys.contains_key(&alias.key));
    }

    /// Returns the id of the key that is meant by id, ARN, alias or the alias's ARN.
    pub(super) fn resolve(&self, key_id: &str) -> Result<Uuid, AwsError> {
        let name = match key_id.strip_prefix(self.arn.as_str()) {
            Some(name) => name,
            None if key_id.starts_with("arn:") => return Err(key_not_found(key_id)),
            None => key_id,
        };
        if name.starts_with("alias/") {
            let alias = self.aliases.get(name);
            return alias.map(|alias| alias.key).ok_or_else(|| alias_not_found(&self.alias_arn(name)));
        }
        let id = name.strip_prefix("key/").unwrap_or(name);
        let id: Uuid = id.parse().map_err(|_| invalid_key_id(id))?;
        if self.by_id.contains_key(&id) { Ok(id) } else { Err(key_not_found(&self.arn(id))) }
    }

    pub(super) fn get(&self, id: Uuid) -> Result<&Key, AwsError> {
        self.by_id.get(&id).ok_or_else(|| key_not_found(&self.arn(id)))
    }

    /// Returns a key that encrypts and decrypts.
    pub(super) fn usable(&self, id: Uuid) -> Result<&Key, AwsError> {
        let key = self.get(id)?;
        if key.deletion.is_some() {
            return Err(pending_deletion(&self.arn(id)));
        }
        if key.enabled { Ok(key) } else { Err(disabled(&self.arn(id))) }
    }

    /// Returns a key whose settings can be changed: it is not about to be deleted.
    pub(super) fn changeable(&mut self, id: Uuid) -> Result<&mut Key, AwsError> {
        let arn = self.arn(id);
        match self.by_id.get_mut(&id) {
            None => Err(key_not_found(&arn)),
            Some(key) if key.deletion.is_some() => Err(pending_deletion(&arn)),
            Some(key) => Ok(key),
        }
    }

    /// Returns a key as `DescribeKey` shows it.
    pub(super) fn metadata(&self, id: Uuid) -> Result<Value, AwsError> {
        let key = self.get(id)?;
        let state = match (key.deletion, key.enabled) {
            (Some(_), _) => "PendingDeletion",
            (None, true) => "Enabled",
            (None, false) => "Disabled",
        };
        let mut metadata = json!({
            "AWSAccountId": self.account_id,
            "KeyId": id.to_string(),
            "Arn": self.arn(id),
            "CreationDate": key.created.as_second(),
            "Enabled": state == "Enabled",
            "Description": key.description,
            "KeyUsage": "ENCRYPT_DECRYPT",
            "KeyState": state,
            "Origin": "AWS_KMS",
            "KeyManager": "CUSTOMER",
            "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "KeySpec": "SYMMETRIC_DEFAULT",
            "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
            "MultiRegion": false,
        });
        if let Some(deletion) = key.deletion {
            metadata["DeletionDate"] = deletion.as_second().into();
        }
        Ok(metadata)
    }
}
