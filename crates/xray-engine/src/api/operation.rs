//! From a request to an operation and back.

use std::sync::Arc;

use aws_models::Model;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use bytes::Bytes;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use super::error::ApiError;
use super::plane::Plane;
use super::reply::respond;
use crate::clock::epoch_seconds;

/// A request to the control plane.
pub(super) struct Call<'a> {
    pub(super) plane: &'a Plane,
    /// Epoch seconds.
    pub(super) now: f64,
}

/// What an operation returns: an output, or an output or an error.
pub(super) trait Outcome {
    fn into_result(self) -> Result<Value, ApiError>;
}

impl Outcome for Value {
    fn into_result(self) -> Result<Value, ApiError> {
        Ok(self)
    }
}

impl Outcome for Result<Value, ApiError> {
    fn into_result(self) -> Result<Value, ApiError> {
        self
    }
}

/// Returns the route of an operation, whose input satisfies X-Ray's model when `answer` is called.
pub(super) fn operation<I: DeserializeOwned + 'static, O: Outcome + 'static>(
    name: &'static str,
    answer: fn(&Call<'_>, &I) -> O,
) -> MethodRouter<Arc<Plane>> {
    route(name, move |call, input| answer(call, input).into_result())
}

/// Returns the route of an operation that answers every valid input alike.
pub(super) fn without_input<O: Outcome + 'static>(
    name: &'static str,
    answer: fn(&Call<'_>) -> O,
) -> MethodRouter<Arc<Plane>> {
    route(name, move |call, _: &IgnoredAny| answer(call).into_result())
}

fn route<I: DeserializeOwned + 'static>(
    name: &'static str,
    answer: impl Fn(&Call<'_>, &I) -> Result<Value, ApiError> + Clone + Send + Sync + 'static,
) -> MethodRouter<Arc<Plane>> {
    post(move |State(plane): State<Arc<Plane>>, body: Result<Bytes, BytesRejection>| async move {
        let output = body
            .map_err(|_| ApiError::TooLarge)
            .and_then(|body| read(plane.model(), name, &body))
            .and_then(|input| answer(&Call { plane: &plane, now: epoch_seconds() }, &input))
            .and_then(
                |output| if only_reads(name) { Ok(output) } else { Ok(plane.save().map(|()| output)?) },
            );
        match output {
            Ok(output) => respond(&output),
            Err(error) => error.into_response(),
        }
    })
}

/// Whether an operation leaves everything as it was. Those of samplers and retrievals count requests, which nobody misses
/// after a restart, and are called every few seconds.
fn only_reads(name: &str) -> bool {
    ["Get", "List", "Start", "Cancel"].iter().any(|verb| name.starts_with(verb))
}

/// Reads a body and checks it against the model. The `Content-Type` that the SDKs send says nothing worth checking.
fn read<I: DeserializeOwned>(model: Option<&Model>, name: &str, body: &[u8]) -> Result<I, ApiError> {
    let input = if body.is_empty() { Value::Object(Map::new()) } else { serde_json::from_slice(body)? };
    model.map_or(Ok(()), |model| model.check(name, &input))?;
    Ok(I::deserialize(input)?)
}

/// Answers a method and path that no operation has.
pub(crate) async fn unknown(method: Method, uri: Uri) -> Response {
    ApiError::UnknownOperation(format!("{method} {}", uri.path())).into_response()
}

#[cfg(test)]
mod tests {
    use aws_models::Service;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        group_name: Option<String>,
    }

    fn refused(name: &str, body: &str) -> String {
        let model = Model::of(Service::XRay).unwrap();
        read::<Input>(Some(&model), name, body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn an_absent_body_is_an_empty_input() {
        let model = Model::of(Service::XRay).unwrap();
        let input: Input = read(Some(&model), "GetGroup", b"").unwrap();
        assert_eq!(input.group_name, None);
        let input: Input = read(Some(&model), "GetGroup", br#"{"GroupName": "a", "Future": 1}"#).unwrap();
        assert_eq!(input.group_name.as_deref(), Some("a"));
    }

    #[test]
    fn a_refusal_names_the_member_and_the_constraint() {
        let missing = refused("CreateGroup", "{}");
        assert!(
            missing
                .ends_with("Value null at 'groupName' failed to satisfy constraint: Member must not be null")
        );
        let long = refused("CreateGroup", &format!(r#"{{"GroupName": "{}"}}"#, "x".repeat(33)));
        assert!(long.ends_with("Member must have length less than or equal to 32"), "{long}");
        let mistyped = refused("CreateGroup", r#"{"GroupName": 1}"#);
        assert_eq!(mistyped, "a number cannot be converted to a string at 'groupName'");
        assert_eq!(
            refused("CreateGroup", "{\n \"GroupName\""),
            "the request cannot be read at line 2, column 12"
        );
    }
}
