//! The engine's errors, as AWS writes them.

use dynoxide::DynoxideError;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::reply::AwsError;

/// Returns the error for an input that the engine's types do not take. Its value types put the class of the error in
/// front of the message.
pub(super) fn undecodable(error: &serde_json::Error) -> DynoxideError {
    let message = error.to_string();
    let after = |marker: &str| message.strip_prefix(marker).map(str::to_owned);
    if let Some(rest) = after("VALIDATION_REQUEST:") {
        DynoxideError::EnvelopedValidation(rest)
    } else if let Some(rest) = after("VALIDATION:").or_else(|| after("VALIDATION_AS_READ:")) {
        DynoxideError::ValidationException(rest)
    } else if let Some(rest) = after("SERIALIZATION:").or_else(|| after("SERIALIZATION_AS_READ:")) {
        DynoxideError::SerializationException(rest)
    } else if message.contains("empty AttributeValue") {
        DynoxideError::ValidationException(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
                .to_owned(),
        )
    } else if message.contains("Supplied AttributeValue") || message.starts_with("missing field") {
        DynoxideError::ValidationException(message)
    } else {
        DynoxideError::SerializationException(message)
    }
}

/// How AWS begins a refusal of a request's members.
const IN_MEMBERS: &str = "1 validation error detected: ";

/// Returns an error of the engine as the operation's error.
pub(super) fn as_aws(operation: &str, error: DynoxideError) -> AwsError {
    let code = error.error_type().rsplit('#').next().unwrap_or("InternalServerError");
    let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status.is_server_error() {
        tracing::error!(operation, %error, "the engine failed");
        return internal();
    }
    let message = error.to_string();
    let mut members = Map::new();
    match error {
        DynoxideError::ConditionalCheckFailedException(_, Some(item))
        | DynoxideError::StatementConditionalCheckFailed(_, item) => insert(&mut members, "Item", &item),
        DynoxideError::TransactionCanceledException(_, reasons) => {
            insert(&mut members, "CancellationReasons", &reasons);
        }
        _ => {}
    }
    AwsError { members, ..AwsError::new(status, code, in_known_words(message)) }
}

/// Words two kinds of refusal as clients know them. The engine follows a newer front end of AWS, which puts expressions
/// among the request's members, and tells sort keys from partition keys.
fn in_known_words(message: String) -> String {
    if message == "The provided starting key does not match the range key predicate" {
        return "The provided starting key is outside query boundaries based on provided conditions"
            .to_owned();
    }
    match message.strip_prefix(IN_MEMBERS) {
        Some(rest) if !rest.contains("failed to satisfy constraint") => rest.to_owned(),
        _ => message,
    }
}

pub(super) fn internal() -> AwsError {
    AwsError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal server error")
}

pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationException", message)
}

fn insert(members: &mut Map<String, Value>, name: &str, value: &impl serde::Serialize) {
    match serde_json::to_value(value) {
        Ok(value) => {
            members.insert(name.to_owned(), value);
        }
        Err(error) => tracing::error!(%error, name, "a detail of an error could not be written"),
    }
}
