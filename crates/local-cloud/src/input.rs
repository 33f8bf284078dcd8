//! Reads a request's input, whatever its protocol, and checks it against the service's model.

use aws_models::{Model, Refusal, RestParts, Violation, Violations};
use form_urlencoded::parse;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Map, Value};

use crate::call::Service;
use crate::operation::Requested;
use crate::parts::{query, texts};
use crate::reply::{AwsError, Protocol};
use crate::s3;

/// Reads a form: the body of a query request, or its query string if it has no body.
pub(crate) fn form(uri: &Uri, body: &[u8]) -> Vec<(String, String)> {
    let fields = if body.is_empty() { uri.query().unwrap_or_default().as_bytes() } else { body };
    parse(fields).into_owned().collect()
}

/// Checks that SQS has an action: not every one is there at a queue's URL (SQS developer guide, "Making Query API
/// requests").
fn check_action(requested: &Requested, model: &Model, at_queue: bool) -> Result<(), AwsError> {
    let action = requested.operation.as_str();
    let valid = model.operations.contains_key(action)
        && !(at_queue && matches!(action, "CreateQueue" | "ListQueues"));
    if valid || requested.service != Service::Sqs {
        return Ok(());
    }
    Err(AwsError::bad_request(
        "InvalidAction",
        format!("The action {action} is not valid for this endpoint."),
    ))
}

/// Reads the input of a request.
///
/// # Errors
/// If a JSON body is not a JSON object, or SQS does not have the action.
pub(crate) fn read(
    requested: &Requested,
    model: Option<&Model>,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    form: Vec<(String, String)>,
) -> Result<Value, AwsError> {
    let Some(model) = model else { return Ok(Value::Object(Map::new())) };
    match requested.protocol {
        Protocol::Json => object(body).map(Value::Object),
        Protocol::RestJson => {
            Ok(model.bind(&requested.operation, object(body)?, &requested.labels, &query(uri)))
        }
        Protocol::Query => {
            let at_queue = requested.service == Service::Sqs && uri.path() != "/";
            check_action(requested, model, at_queue)?;
            let mut input = model.read_form(&requested.operation, form);
            if at_queue && let Some(input) = input.as_object_mut() {
                // At a queue's URL, the path names the queue.
                input.entry("QueueUrl").or_insert_with(|| uri.path().into());
            }
            Ok(input)
        }
        Protocol::RestXml => {
            let (query, headers) = (query(uri), texts(headers));
            let parts = RestParts { path: uri.path(), query: &query, headers: &headers };
            let bound = model.bind_rest_xml(&requested.operation, &requested.labels, parts, body);
            bound.map_err(|_| s3::malformed_xml())
        }
    }
}

fn object(body: &[u8]) -> Result<Map<String, Value>, AwsError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(body).map_err(|error| AwsError::malformed(&error))
}

/// Checks the input of a request against the model.
///
/// # Errors
/// In the service's words, if the input is not one of the operation.
pub(crate) fn check(requested: &Requested, model: &Model, input: &Value) -> Result<(), AwsError> {
    match model.check(&requested.operation, input) {
        Ok(()) => Ok(()),
        Err(refusal) if requested.service == Service::S3 => Err(s3::invalid_input(&refusal)),
        Err(Refusal::Invalid(violations)) => invalid(requested, &violations),
        Err(refusal @ Refusal::Mistyped { .. }) => {
            let code = match requested.protocol {
                Protocol::Query => "MalformedInput",
                Protocol::Json | Protocol::RestJson | Protocol::RestXml => "SerializationException",
            };
            Err(AwsError::bad_request(code, refusal.to_string()))
        }
    }
}

fn invalid(requested: &Requested, violations: &Violations) -> Result<(), AwsError> {
    let code = match requested.service {
        Service::Sqs => return missing_parameter(requested, violations),
        // The engine has DynamoDB's separate words for this.
        Service::DynamoDb if is_only_table_name(violations) => return Ok(()),
        // And SNS's: its own checks come before those of the model.
        Service::Sns if are_only_missing_parameters(violations) => return Ok(()),
        Service::Sns | Service::Ses | Service::Sts => "ValidationError",
        Service::SesV2 => "BadRequestException",
        Service::DynamoDb
        | Service::DynamoDbStreams
        | Service::Events
        | Service::Kms
        | Service::Pipes
        | Service::S3
        | Service::Unknown => "ValidationException",
    };
    Err(AwsError::new(StatusCode::BAD_REQUEST, code, violations.to_string()))
}

fn is_only_table_name(violations: &Violations) -> bool {
    violations.0.iter().all(|violation| violation.value.is_none() && violation.path == "tableName")
}

fn are_only_missing_parameters(violations: &Violations) -> bool {
    violations.0.iter().all(|violation| violation.value.is_none() && !violation.path.contains('.'))
}

/// SQS has no words of the model: a missing parameter is named as in its query protocol, and everything else has its own
/// message, which the engine knows.
fn missing_parameter(requested: &Requested, violations: &Violations) -> Result<(), AwsError> {
    let Some(missing) = violations.0.iter().find(|violation| violation.value.is_none()) else {
        return Ok(());
    };
    Err(AwsError::bad_request(
        "MissingRequiredParameterException",
        format!("The request must contain the parameter {}.", parameter(requested, missing)),
    )
    .with_query_code("MissingParameter"))
}

/// Returns the name of a parameter in SQS's query protocol, such as `SendMessageBatchRequestEntry.1.Id`.
fn parameter(requested: &Requested, missing: &Violation) -> String {
    let path = missing.path.replace(".member", "");
    let mut parts = path.split('.').map(|part| {
        let mut characters = part.chars();
        let first = characters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(characters).collect::<String>()
    });
    let first = parts.next().unwrap_or_default();
    let first = if first == "Entries" && missing.path.contains('.') {
        format!("{}RequestEntry", requested.operation)
    } else {
        first
    };
    std::iter::once(first).chain(parts).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::models::Models;

    fn refused(service: Service, operation: &str, protocol: Protocol, input: &Value) -> (String, String) {
        let requested = Requested { service, operation: operation.to_owned(), protocol, labels: Vec::new() };
        let models = Models::default();
        let error = check(&requested, models.of(service).unwrap(), input).unwrap_err();
        (error.shown_code().to_owned(), error.message)
    }

    #[test]
    fn sqs_names_the_missing_parameter_as_its_query_protocol_does() {
        let input = json!({"QueueUrl": "q", "Entries": [{"MessageBody": "m"}]});
        let (code, message) = refused(Service::Sqs, "SendMessageBatch", Protocol::Json, &input);
        assert_eq!(code, "MissingParameter");
        assert_eq!(message, "The request must contain the parameter SendMessageBatchRequestEntry.1.Id.");
        let (_, message) = refused(Service::Sqs, "SendMessage", Protocol::Json, &json!({"QueueUrl": "q"}));
        assert_eq!(message, "The request must contain the parameter MessageBody.");
    }

    #[test]
    fn a_violated_model_has_the_code_of_the_service() {
        let untyped = json!({"Message": "m", "MessageAttributes": {"a": {"StringValue": "x"}}});
        let (code, message) = refused(Service::Sns, "Publish", Protocol::Query, &untyped);
        assert_eq!(code, "ValidationError");
        assert!(message.contains("Value null at 'messageAttributes.a.member.dataType'"), "{message}");
        assert_eq!(
            refused(Service::SesV2, "SendEmail", Protocol::RestJson, &json!({})).0,
            "BadRequestException"
        );
        assert_eq!(refused(Service::Events, "PutRule", Protocol::Json, &json!({})).0, "ValidationException");
        let mistyped = json!({"Name": {"x": 1}});
        assert_eq!(
            refused(Service::Events, "PutRule", Protocol::Json, &mistyped).0,
            "SerializationException"
        );
    }
}
