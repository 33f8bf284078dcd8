//! `PutResourcePolicy`, `DeleteResourcePolicy` and `ListResourcePolicies`
//! (<https://docs.aws.amazon.com/xray/latest/api/API_PutResourcePolicy.html>).

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::operation::Call;
use crate::control::{Policy, PolicyChange};

/// `BypassPolicyLockoutCheck` is ignored, since nothing is checked.
#[derive(Debug, Deserialize)]
pub(super) struct PutInput {
    #[serde(rename = "PolicyName")]
    name: String,
    #[serde(rename = "PolicyDocument")]
    document: String,
    #[serde(rename = "PolicyRevisionId")]
    revision: Option<String>,
}

pub(super) fn put(call: &Call<'_>, input: &PutInput) -> Result<Value, ApiError> {
    let change =
        PolicyChange { name: &input.name, document: &input.document, revision: input.revision.as_deref() };
    let mut control = call.plane.control();
    let policy = control.policies.put(change, call.now)?;
    Ok(json!({"ResourcePolicy": wire(&input.name, policy)}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteInput {
    policy_name: String,
    policy_revision_id: Option<String>,
}

pub(super) fn delete(call: &Call<'_>, input: &DeleteInput) -> Result<Value, ApiError> {
    call.plane.control().policies.delete(&input.policy_name, input.policy_revision_id.as_deref())?;
    Ok(json!({}))
}

/// All five policies fit on a page: "not currently supported", says the API reference of the token.
pub(super) fn list(call: &Call<'_>) -> Value {
    let control = call.plane.control();
    let policies: Vec<_> = control.policies.iter().map(|(name, policy)| wire(name, policy)).collect();
    json!({"ResourcePolicies": policies})
}

fn wire(name: &str, policy: &Policy) -> Value {
    json!({
        "PolicyName": name,
        "PolicyDocument": policy.document,
        "PolicyRevisionId": policy.revision.to_string(),
        "LastUpdatedTime": policy.updated_at,
    })
}
