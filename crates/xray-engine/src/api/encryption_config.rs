//! `GetEncryptionConfig` and `PutEncryptionConfig`
//! (<https://docs.aws.amazon.com/xray/latest/api/API_PutEncryptionConfig.html>).

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::operation::Call;
use crate::control::{Encryption, EncryptionType};

pub(super) fn get(call: &Call<'_>) -> Value {
    wire(&call.plane.control().encryption)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    #[serde(rename = "Type")]
    kind: EncryptionType,
    key_id: Option<String>,
}

pub(super) fn put(call: &Call<'_>, input: &PutInput) -> Result<Value, ApiError> {
    let mut control = call.plane.control();
    control.encryption.update(input.kind, input.key_id.as_deref())?;
    Ok(wire(&control.encryption))
}

/// AWS answers `UPDATING` first; there is nothing to wait for here.
fn wire(encryption: &Encryption) -> Value {
    let mut config = json!({"Type": encryption.kind, "Status": "ACTIVE"});
    if let Some(key_id) = &encryption.key_id {
        config["KeyId"] = key_id.as_str().into();
    }
    json!({"EncryptionConfig": config})
}
