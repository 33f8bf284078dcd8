//! STS: `GetCallerIdentity`, with which tools check their credentials.

use serde_json::{Value, json};

use crate::call::Call;
use crate::reply::AwsError;

pub(crate) fn answer(call: &Call, account_id: &str) -> Result<Value, AwsError> {
    match call.operation.as_str() {
        "GetCallerIdentity" => Ok(json!({
            "Arn": format!("arn:aws:iam::{account_id}:user/local"),
            "UserId": "LOCAL",
            "Account": account_id,
        })),
        _ => Err(call.not_supported()),
    }
}
