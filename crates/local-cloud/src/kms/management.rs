//! Creating, listing, switching and deleting keys and aliases.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Kms;
use super::cipher::Material;
use super::cryptography::text;
use super::keys::{Alias, Key};
use super::refusal::{alias_not_found, limit_exceeded, unsupported, validation};
use crate::call::{Call, Service};
use crate::error::AwsError;
use crate::page;

/// AWS lets an account have 100,000 keys.
const MAX_KEYS: usize = 1_000;
const MAX_ALIASES_OF_KEY: usize = 50;
const MAX_TAGS: usize = 50;
/// Members that AWS would act on and this engine cannot.
const UNSUPPORTED: [&str; 2] = ["CustomKeyStoreId", "XksKeyId"];

impl Kms {
    pub(super) fn create_key(&self, call: &Call) -> Result<Value, AwsError> {
        check_kind(call)?;
        let tags = tags(&call.input["Tags"]);
        let material = Material::new().ok_or_else(|| Service::Kms.internal_failure())?;
        let key = Key {
            material,
            created: Timestamp::now(),
            description: text(call, "Description").to_owned(),
            enabled: true,
            policy: call.input["Policy"].as_str().map(str::to_owned),
            tags: tags.collect(),
            rotation_days: None,
            deletion: None,
        };
        let mut keys = self.keys();
        if keys.by_id.len() >= MAX_KEYS {
            return Err(limit_exceeded("You have reached the limit of keys"));
        }
        let id = Uuid::new_v4();
        keys.by_id.insert(id, key);
        Ok(json!({"KeyMetadata": keys.metadata(id)?}))
    }

    pub(super) fn describe_key(&self, call: &Call) -> Result<Value, AwsError> {
        let keys = self.keys();
        let id = keys.resolve(text(call, "KeyId"))?;
        Ok(json!({"KeyMetadata": keys.metadata(id)?}))
    }

    pub(super) fn list_keys(&self, call: &Call) -> Result<Value, AwsError> {
        let keys = self.keys();
        let entries = keys
            .by_id
            .keys()
            .map(|id| (id.to_string(), json!({"KeyId": id.to_string(), "KeyArn": keys.arn(*id)})));
        paged(call, "Keys", entries)
    }

    pub(super) fn list_aliases(&self, call: &Call) -> Result<Value, AwsError> {
        let keys = self.keys();
        let of = call.input["KeyId"].as_str().map(|id| keys.resolve(id)).transpose()?;
        let wanted = keys.aliases.iter().filter(|(_, alias)| of.is_none_or(|of| of == alias.key));
        let entries = wanted.map(|(name, alias)| {
            let entry = json!({
                "AliasName": name,
                "AliasArn": keys.alias_arn(name),
                "TargetKeyId": alias.key.to_string(),
                "CreationDate": alias.created.as_second(),
                "LastUpdatedDate": alias.updated.as_second(),
            });
            (name.clone(), entry)
        });
        paged(call, "Aliases", entries)
    }

    pub(super) fn create_alias(&self, call: &Call) -> Result<Value, AwsError> {
        let name = alias_name(call)?;
        let mut keys = self.keys();
        let key = keys.resolve(target(call)?)?;
        keys.changeable(key)?;
        if keys.aliases.contains_key(name) {
            let message = format!("An alias with the name {} already exists", keys.alias_arn(name));
            return Err(AwsError::bad_request("AlreadyExistsException", message));
        }
        if keys.aliases.values().filter(|alias| alias.key == key).count() >= MAX_ALIASES_OF_KEY {
            return Err(limit_exceeded(format!("A key has up to {MAX_ALIASES_OF_KEY} aliases")));
        }
        let now = Timestamp::now();
        keys.aliases.insert(name.to_owned(), Alias { key, created: now, updated: now });
        Ok(Value::Null)
    }

    pub(super) fn update_alias(&self, call: &Call) -> Result<Value, AwsError> {
        let name = alias_name(call)?;
        let mut keys = self.keys();
        let key = keys.resolve(target(call)?)?;
        keys.changeable(key)?;
        let arn = keys.alias_arn(name);
        let alias = keys.aliases.get_mut(name).ok_or_else(|| alias_not_found(&arn))?;
        (alias.key, alias.updated) = (key, Timestamp::now());
        Ok(Value::Null)
    }

    pub(super) fn delete_alias(&self, call: &Call) -> Result<Value, AwsError> {
        let name = alias_name(call)?;
        let mut keys = self.keys();
        let arn = keys.alias_arn(name);
        keys.aliases.remove(name).map(|_| Value::Null).ok_or_else(|| alias_not_found(&arn))
    }

    /// Changes a key's settings.
    pub(super) fn change(&self, call: &Call, change: impl FnOnce(&mut Key)) -> Result<Value, AwsError> {
        let mut keys = self.keys();
        let id = keys.resolve(text(call, "KeyId"))?;
        change(keys.changeable(id)?);
        Ok(Value::Null)
    }

    pub(super) fn enable_rotation(&self, call: &Call) -> Result<Value, AwsError> {
        let days = call.input["RotationPeriodInDays"].as_i64();
        self.keys_usable(call)?;
        self.change(call, |key| key.rotation_days = days.or(key.rotation_days).or(Some(365)))
    }

    pub(super) fn rotation_status(&self, call: &Call) -> Result<Value, AwsError> {
        let keys = self.keys();
        let id = keys.resolve(text(call, "KeyId"))?;
        let key = keys.get(id)?;
        let mut output = json!({"KeyId": keys.arn(id), "KeyRotationEnabled": key.rotation_days.is_some()});
        if let Some(days) = key.rotation_days {
            output["RotationPeriodInDays"] = days.into();
        }
        Ok(output)
    }

    pub(super) fn schedule_deletion(&self, call: &Call) -> Result<Value, AwsError> {
        let days = call.input["PendingWindowInDays"].as_i64().unwrap_or(30);
        if !(7..=30).contains(&days) {
            return Err(validation("PendingWindowInDays must be between 7 and 30"));
        }
        let mut keys = self.keys();
        let id = keys.resolve(text(call, "KeyId"))?;
        let deletion = Timestamp::now().saturating_add(SignedDuration::from_hours(days * 24));
        let deletion = deletion.map_err(|_| Service::Kms.internal_failure())?;
        keys.changeable(id)?.deletion = Some(deletion);
        Ok(json!({
            "KeyId": keys.arn(id),
            "DeletionDate": deletion.as_second(),
            "KeyState": "PendingDeletion",
            "PendingWindowInDays": days,
        }))
    }

    pub(super) fn cancel_deletion(&self, call: &Call) -> Result<Value, AwsError> {
        let mut keys = self.keys();
        let id = keys.resolve(text(call, "KeyId"))?;
        let arn = keys.arn(id);
        match keys.by_id.get_mut(&id) {
            Some(key) if key.deletion.is_some() => {
                // Its state is then disabled.
                (key.deletion, key.enabled) = (None, false);
                Ok(json!({ "KeyId": arn }))
            }
            _ => Err(AwsError::bad_request(
                "KMSInvalidStateException",
                format!("{arn} is not pending deletion."),
            )),
        }
    }

    pub(super) fn key_policy(&self, call: &Call) -> Result<Value, AwsError> {
        let keys = self.keys();
        let id = keys.resolve(text(call, "KeyId"))?;
        Ok(json!({"Policy": keys.get(id)?.policy.clone().unwrap_or_default(), "PolicyName": "default"}))
    }

    pub(super) fn put_key_policy(&self, call: &Call) -> Result<Value, AwsError> {
        if serde_json::from_str::<Value>(text(call, "Policy")).is_err() {
            let message = "Policy contains a statement that is not valid JSON";
            return Err(AwsError::bad_request("MalformedPolicyDocumentException", message));
        }
        self.change(call, |key| key.policy = Some(text(call, "Policy").to_owned()))
    }

    pub(super) fn tag(&self, call: &Call) -> Result<Value, AwsError> {
        let mut keys = self.keys();
        let id = keys.resolve(text(call, "KeyId"))?;
        let key = keys.changeable(id)?;
        let mut all = key.tags.clone();
        all.extend(tags(&call.input["Tags"]));
        if all.len() > MAX_TAGS {
            return Err(limit_exceeded(format!("A key has up to {MAX_TAGS} tags")));
        }
        key.tags = all;
        Ok(Value::Null)
    }

    pub(super) fn untag(&self, call: &Call) -> Result<Value, AwsError> {
        let removed = call.input["TagKeys"].as_array().cloned().unwrap_or_default();
        self.change(call, |key| key.tags.retain(|name, _| !removed.iter().any(|it| it == name)))
    }

    pub(super) fn list_tags(&self, call: &Call) -> Result<Value, AwsError> {
        let keys = self.keys();
        let id = keys.resolve(text(call, "KeyId"))?;
        let all = keys.get(id)?.tags.iter();
        let tags: Vec<_> = all.map(|(key, value)| json!({"TagKey": key, "TagValue": value})).collect();
        Ok(json!({"Tags": tags, "Truncated": false}))
    }

    fn keys_usable(&self, call: &Call) -> Result<(), AwsError> {
        let keys = self.keys();
        keys.usable(keys.resolve(text(call, "KeyId"))?).map(drop)
    }
}

fn check_kind(call: &Call) -> Result<(), AwsError> {
    let is = |member: &str, expected: &str| call.input[member].as_str().is_none_or(|given| given == expected);
    if !is("KeyUsage", "ENCRYPT_DECRYPT")
        || !is("KeySpec", "SYMMETRIC_DEFAULT")
        || !is("CustomerMasterKeySpec", "SYMMETRIC_DEFAULT")
    {
        return Err(unsupported("asymmetric keys"));
    }
    if !is("Origin", "AWS_KMS") || call.input["MultiRegion"] == true {
        return Err(unsupported("imported and multi-Region keys"));
    }
    let other = UNSUPPORTED.into_iter().find(|member| call.input.get(member).is_some());
    other.map_or(Ok(()), |member| Err(unsupported(member)))
}

fn tags(list: &Value) -> impl Iterator<Item = (String, String)> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|tag| Some((tag["TagKey"].as_str()?.to_owned(), tag["TagValue"].as_str()?.to_owned())))
}

fn alias_name(call: &Call) -> Result<&str, AwsError> {
    let name = text(call, "AliasName");
    match name.strip_prefix("alias/") {
        Some(rest) if rest.starts_with("aws/") => {
            let message = "Aliases that begin with alias/aws/ are reserved";
            Err(AwsError::bad_request("NotAuthorizedException", message))
        }
        Some(rest) if !rest.is_empty() && !rest.contains(':') => Ok(name),
        _ => Err(validation(
            "Alias must start with the prefix \"alias/\". Please see \
             https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        )),
    }
}

/// Returns the key that an alias is to mean, which is not another alias.
fn target(call: &Call) -> Result<&str, AwsError> {
    let target = text(call, "TargetKeyId");
    if target.contains("alias/") {
        Err(validation("Aliases must refer to keys. Not aliases"))
    } else {
        Ok(target)
    }
}

fn paged(call: &Call, name: &str, entries: impl Iterator<Item = (String, Value)>) -> Result<Value, AwsError> {
    let size = call.input["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100);
    let invalid = |_| AwsError::bad_request("InvalidMarkerException", "Could not deserialize marker");
    let after = page::position(call.input["Marker"].as_str()).map_err(invalid)?;
    let rest = entries.filter(|(position, _)| after.as_ref().is_none_or(|after| position > after));
    let mut page = page::page(name, size, rest);
    let next = page.as_object_mut().and_then(|page| page.remove("NextToken"));
    page["Truncated"] = next.is_some().into();
    if let Some(next) = next {
        page["NextMarker"] = next;
    }
    Ok(page)
}
