//! What went wrong with a call, reduced to what a span may carry: a code, never a message.

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::interceptors::context::Error;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::ConnectorError;

use crate::ErrorClass;
use crate::error::{code, in_chain, unsent, well_formed, without_credentials};

const CONDITION_FAILED: &str = "ConditionalCheckFailedException";
/// S3's code for a condition that does not hold.
const PRECONDITION_FAILED: &str = "PreconditionFailed";
/// S3's answer, without a code, to a read whose caller has the object already.
const NOT_MODIFIED: u16 = 304;
const TRANSACTION_CANCELED: &str = "TransactionCanceledException";
const ITEM_CONDITION_FAILED: &str = "ConditionalCheckFailed";

/// Why a call has no output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The service's code, or the kind of failure if the service did not respond.
    pub(crate) code: String,
    /// Whether the call was refused because of the rate.
    pub(crate) throttled: bool,
    /// Whether the caller expects this outcome: a condition that did not hold.
    pub(crate) expected: bool,
}

impl Failure {
    /// Creates a failure from the SDK's error and the last response, if there was one.
    pub(crate) fn of(error: &OrchestratorError<Error>, response: Option<&HttpResponse>) -> Self {
        if error.is_timeout_error() {
            return Self::timeout();
        }
        let answer = response.filter(|response| !response.status().is_success());
        if let Some(response) = answer {
            return Self::answered(response);
        }
        if let Some(connector) = error.as_connector_error() {
            return Self::unsent(connector);
        }
        if error.is_response_error() || error.is_operation_error() {
            return Self::unreadable();
        }
        // All that remains happened before the request was sent: endpoint, credentials, serialization, signing.
        Self::plain(match in_chain::<CredentialsError>(error) {
            Some(error) => without_credentials(error).0,
            None => code::REQUEST,
        })
    }

    /// Creates the failure of a call without a response in time.
    pub(crate) fn timeout() -> Self {
        Self::plain(code::TIMEOUT)
    }

    /// Creates the failure of a call without a connection.
    pub(crate) fn unsent(error: &ConnectorError) -> Self {
        Self::plain(unsent(Some(error)).0)
    }

    /// Creates the failure of a call whose response could not be read.
    pub(crate) fn unreadable() -> Self {
        Self::plain(code::RESPONSE)
    }

    /// Creates the failure of a call whose future was dropped.
    pub(crate) fn cancelled() -> Self {
        Self::plain(code::CANCELLED)
    }

    fn plain(code: &str) -> Self {
        Self { code: code.to_owned(), throttled: false, expected: false }
    }

    fn answered(response: &HttpResponse) -> Self {
        let status = response.status().as_u16();
        let body = response.body().bytes().unwrap_or_default();
        let Some(code) = code_in(response, body) else {
            return Self {
                throttled: status == 429,
                expected: status == NOT_MODIFIED,
                ..Self::plain(&status.to_string())
            };
        };
        let items = if code == TRANSACTION_CANCELED { cancellation_reasons(body) } else { Vec::new() };
        // A cancelled transaction has its own code and one more per item.
        let throttled = ErrorClass::of(&code, Some(status), None) == ErrorClass::Throttled
            || items.iter().any(|item| ErrorClass::of(item, None, None) == ErrorClass::Throttled);
        let condition = items.iter().any(|item| item == ITEM_CONDITION_FAILED);
        let only_conditions = items.iter().all(|item| item == ITEM_CONDITION_FAILED || item == "None");
        let expected =
            code == CONDITION_FAILED || code == PRECONDITION_FAILED || (condition && only_conditions);
        Self { code, throttled, expected }
    }
}

/// Returns the code of an error response, wherever the service's protocol puts it: a header (REST-JSON, and SQS's old
/// codes), `__type` or `code` of a JSON body, or `<Code>` of an XML body.
fn code_in(response: &HttpResponse, body: &[u8]) -> Option<String> {
    let header = |name: &'static str| response.headers().get(name);
    let json = || {
        let body: serde_json::Value = serde_json::from_slice(body).ok()?;
        ["__type", "code", "Code"].into_iter().find_map(|field| Some(body.get(field)?.as_str()?.to_owned()))
    };
    let xml = || {
        let text = std::str::from_utf8(body).ok()?;
        let (_, rest) = text.split_once("<Code>")?;
        Some(rest.split_once("</Code>")?.0.to_owned())
    };
    let raw = header("x-amzn-errortype")
        .map(str::to_owned)
        .or_else(json)
        .or_else(xml)
        .or_else(|| header("x-amzn-query-error").map(|value| value.replace(';', ":")))?;
    well_formed(&raw).map(str::to_owned)
}

/// Returns the codes of a cancelled transaction, one per item.
fn cancellation_reasons(body: &[u8]) -> Vec<String> {
    let reasons = serde_json::from_slice::<serde_json::Value>(body).ok().and_then(|mut body| {
        let reasons = body.get_mut("CancellationReasons")?.take();
        match reasons {
            serde_json::Value::Array(reasons) => Some(reasons),
            _ => None,
        }
    });
    reasons
        .unwrap_or_default()
        .iter()
        .filter_map(|reason| Some(reason.get("Code")?.as_str()?.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn response(
        status: u16,
        header: Option<(&'static str, &'static str)>,
        body: &'static str,
    ) -> HttpResponse {
        let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response
    }

    #[test]
    fn the_code_is_found_in_every_protocol() {
        let cases = [
            (
                response(400, None, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ValidationException"}"#),
                "ValidationException",
            ),
            (
                response(400, Some(("x-amzn-errortype", "BadRequestException:http://internal/")), "{}"),
                "BadRequestException",
            ),
            (
                response(
                    403,
                    None,
                    "<ErrorResponse><Error><Code>AuthorizationError</Code></Error></ErrorResponse>",
                ),
                "AuthorizationError",
            ),
            (
                response(400, Some(("x-amzn-query-error", "QueueDoesNotExist;Sender")), ""),
                "QueueDoesNotExist",
            ),
            (response(503, None, "<html>busy</html>"), "503"),
            (response(400, None, r#"{"__type":"a code with the customer's name"}"#), "400"),
        ];
        for (response, expected) in cases {
            assert_eq!(Failure::answered(&response).code, expected);
        }
    }

    #[test]
    fn a_throttle_is_recognized_by_its_code_too() {
        let throttled = |response| Failure::answered(&response).throttled;
        assert!(throttled(response(400, None, r#"{"__type":"x#ThrottlingException"}"#)));
        assert!(throttled(response(400, None, r#"{"__type":"x#ProvisionedThroughputExceededException"}"#)));
        assert!(throttled(response(429, None, "")));
        assert!(throttled(response(
            400,
            None,
            r#"{"__type":"x#TransactionCanceledException","CancellationReasons":[{"Code":"None"},{"Code":"ThrottlingError"}]}"#,
        )));
        assert!(!throttled(response(400, None, r#"{"__type":"x#ValidationException"}"#)));
    }

    #[test]
    fn only_a_condition_that_did_not_hold_is_expected() {
        let expected = |body| Failure::answered(&response(400, None, body)).expected;
        assert!(expected(r#"{"__type":"x#ConditionalCheckFailedException"}"#));
        assert!(expected(
            r#"{"__type":"x#TransactionCanceledException","CancellationReasons":[{"Code":"None"},{"Code":"ConditionalCheckFailed"}]}"#,
        ));
        assert!(!expected(
            r#"{"__type":"x#TransactionCanceledException","CancellationReasons":[{"Code":"TransactionConflict"},{"Code":"ConditionalCheckFailed"}]}"#,
        ));
        let of_s3 = |status, body| Failure::answered(&response(status, None, body)).expected;
        assert!(of_s3(412, "<Error><Code>PreconditionFailed</Code></Error>"));
        assert!(of_s3(304, ""));
        assert!(!of_s3(404, "<Error><Code>NoSuchKey</Code></Error>"));
        assert!(!expected(r#"{"__type":"x#TransactionCanceledException"}"#));
        assert!(!expected(r#"{"__type":"x#ValidationException"}"#));
    }
}
