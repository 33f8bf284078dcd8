//! Encrypting, decrypting, and keys for data.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Kms;
use super::cipher::{Context, key_of};
use super::keys::Keys;
use super::refusal::{incorrect_key, invalid_ciphertext, unsupported, validation};
use crate::call::{Call, Service};
use crate::error::AwsError;

/// Members that AWS would act on and this engine cannot.
const UNSUPPORTED: [&str; 4] = ["DryRun", "DryRunModifiers", "GrantTokens", "Recipient"];
const ALGORITHM: &str = "SYMMETRIC_DEFAULT";

impl Kms {
    pub(super) fn encrypt(&self, call: &Call) -> Result<Value, AwsError> {
        check_members(call)?;
        let plaintext = blob(call, "Plaintext");
        let keys = self.keys();
        let id = keys.resolve(text(call, "KeyId"))?;
        let ciphertext = seal(&keys, id, &context(call), &plaintext)?;
        Ok(json!({"CiphertextBlob": ciphertext, "KeyId": keys.arn(id), "EncryptionAlgorithm": ALGORITHM}))
    }

    pub(super) fn decrypt(&self, call: &Call) -> Result<Value, AwsError> {
        check_members(call)?;
        let ciphertext = blob(call, "CiphertextBlob");
        let keys = self.keys();
        let wanted = call.input["KeyId"].as_str().map(|id| keys.resolve(id)).transpose()?;
        let id = key_of(&ciphertext).filter(|id| keys.get(*id).is_ok()).ok_or_else(invalid_ciphertext)?;
        if wanted.is_some_and(|wanted| wanted != id) {
            return Err(incorrect_key());
        }
        let opened = keys.usable(id)?.material.open(&context(call), &ciphertext);
        let plaintext = opened.ok_or_else(invalid_ciphertext)?;
        Ok(
            json!({"Plaintext": STANDARD.encode(plaintext), "KeyId": keys.arn(id), "EncryptionAlgorithm": ALGORITHM}),
        )
    }

    /// Returns a new key for data, in plaintext too if that is wanted.
    pub(super) fn generate_data_key(&self, call: &Call, in_plaintext: bool) -> Result<Value, AwsError> {
        check_members(call)?;
        let length = match (call.input["KeySpec"].as_str(), call.input["NumberOfBytes"].as_u64()) {
            (Some("AES_256"), None) => 32,
            (Some("AES_128"), None) => 16,
            (None, Some(bytes)) => usize::try_from(bytes).unwrap_or_default(),
            _ => return Err(validation("Please specify either number of bytes or key spec.")),
        };
        // The model permits no more; without the check above it, this would not be called.
        let data_key: Vec<u8> = rand::random_iter().take(length.min(1_024)).collect();
        let keys = self.keys();
        let id = keys.resolve(text(call, "KeyId"))?;
        let ciphertext = seal(&keys, id, &context(call), &data_key)?;
        let mut output = json!({"CiphertextBlob": ciphertext, "KeyId": keys.arn(id)});
        if in_plaintext {
            output["Plaintext"] = STANDARD.encode(data_key).into();
        }
        Ok(output)
    }
}

fn seal(keys: &Keys, id: Uuid, context: &Context, plaintext: &[u8]) -> Result<String, AwsError> {
    let sealed = keys.usable(id)?.material.seal(id, context, plaintext);
    sealed.map(|ciphertext| STANDARD.encode(ciphertext)).ok_or_else(|| Service::Kms.internal_failure())
}

fn check_members(call: &Call) -> Result<(), AwsError> {
    match call.input.get("EncryptionAlgorithm").and_then(Value::as_str) {
        None | Some(ALGORITHM) => {}
        Some(_) => return Err(unsupported("asymmetric keys")),
    }
    let given = |name: &&str| match &call.input[*name] {
        Value::Array(items) => !items.is_empty(),
        value => !value.is_null() && *value != false,
    };
    UNSUPPORTED.iter().find(|name| given(name)).map_or(Ok(()), |name| Err(unsupported(name)))
}

fn context(call: &Call) -> Context {
    let entries = call.input["EncryptionContext"].as_object().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

fn blob(call: &Call, member: &str) -> Vec<u8> {
    STANDARD.decode(text(call, member)).unwrap_or_default()
}

pub(super) fn text<'a>(call: &'a Call, member: &str) -> &'a str {
    call.input[member].as_str().unwrap_or_default()
}
