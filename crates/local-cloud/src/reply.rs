//! Responses in AWS's protocols.

use std::borrow::Cow;

use aws_models::{Model, Payload};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::call::Service;
pub(crate) use crate::error::AwsError;

/// The wire format of a request and its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// The header `X-Amz-Target`, and JSON bodies.
    Json,
    /// Methods and paths, and JSON bodies.
    RestJson,
    /// Methods and paths, and XML bodies: S3.
    RestXml,
    /// Form bodies with `Action`, and XML responses.
    Query,
}

/// Where a response goes: in which protocol, and by which model it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format<'a> {
    pub(crate) service: Service,
    pub(crate) protocol: Protocol,
    pub(crate) model: Option<&'a Model>,
}

impl Format<'_> {
    /// Writes an operation's output.
    pub(crate) fn output(self, operation: &str, output: &Value) -> Response {
        match (self.protocol, self.model) {
            (Protocol::Query, Some(model)) => {
                xml(StatusCode::OK, model.write_response(operation, output, &Uuid::new_v4().to_string()))
            }
            (Protocol::RestJson, _) => typed(json(StatusCode::OK, output), "application/json"),
            // EventBridge and KMS speak version 1.1, the others 1.0.
            _ if matches!(self.service, Service::Events | Service::Kms) => {
                typed(json(StatusCode::OK, output), "application/x-amz-json-1.1")
            }
            _ => json(StatusCode::OK, output),
        }
    }

    /// Writes an output of S3: members become headers and an XML document, unless the operation returns bytes.
    pub(crate) fn rest_xml(
        self,
        operation: &str,
        status: StatusCode,
        members: &Value,
        body: Bytes,
    ) -> Response {
        let (headers, payload) =
            self.model.map_or((Vec::new(), Payload::None), |model| model.write_rest_xml(operation, members));
        let mut response = match payload {
            Payload::Xml(document) => typed(xml(status, document), "application/xml"),
            Payload::Text(text) => with_type(status, "application/json", text.into_bytes()),
            Payload::None => {
                let mut response = Response::new(Body::from(body));
                *response.status_mut() = status;
                response
            }
        };
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        identified(response).1
    }

    /// Writes an error.
    pub(crate) fn error(self, error: AwsError) -> Response {
        let sender = !error.status.is_server_error();
        let AwsError { status, code, query_code, message, members } = error;
        let (kind, in_model) = self.names(&code);
        let query = query_code.map_or(in_model, Cow::into_owned);
        match self.protocol {
            Protocol::Json => {
                let mut body = members;
                body.insert("__type".to_owned(), kind.into());
                body.insert("message".to_owned(), message.into());
                let mut response = json(status, &body);
                let fault = if sender { "Sender" } else { "Receiver" };
                // Only SQS is compatible with the query protocol that it once spoke (trait `awsQueryCompatible`). Clients
                // put the header into the error, where those of other services do not expect it.
                if self.service == Service::Sqs
                    && let Ok(value) = HeaderValue::from_str(&format!("{query};{fault}"))
                {
                    response.headers_mut().insert("x-amzn-query-error", value);
                }
                response
            }
            Protocol::RestJson => {
                let mut body = members;
                body.insert("message".to_owned(), message.into());
                let mut response = typed(json(status, &body), "application/json");
                if let Ok(value) = HeaderValue::from_str(&code) {
                    response.headers_mut().insert("x-amzn-errortype", value);
                }
                response
            }
            Protocol::Query => {
                let id = Uuid::new_v4().to_string();
                match self.model {
                    Some(model) if self.service == Service::Sqs => {
                        let error = model.write_error(&query, &of_query(&query, message), sender, &id);
                        xml(status, error.replace("</Error>", "<Detail/></Error>"))
                    }
                    Some(model) => xml(status, model.write_error(&query, &message, sender, &id)),
                    // Without an action the service is unknown. AWS answers with this element alone.
                    None => xml(StatusCode::NOT_FOUND, error_document(&code, &query, &message, &id)),
                }
            }
            Protocol::RestXml => of_s3(status, &code, &message, &members),
        }
    }

    /// Returns an error's type in the JSON protocol and its code in the query protocol. SQS has different ones, and sends
    /// both (Smithy, "AWS query compatible").
    fn names(self, code: &str) -> (String, String) {
        let (Service::Sqs, Some(model)) = (self.service, self.model) else {
            return (code.to_owned(), code.to_owned());
        };
        let modelled = model.errors.iter().find(|(shape, error)| *shape == code || error.code == code);
        match modelled {
            Some((shape, error)) => (format!("com.amazonaws.sqs#{shape}"), error.code.clone()),
            None => (format!("com.amazon.coral.service#{code}"), code.to_owned()),
        }
    }
}

/// Returns an error's message as SQS words it in its query protocol.
fn of_query(code: &str, message: String) -> String {
    match code {
        "AWS.SimpleQueueService.NonExistentQueue" => {
            "The specified queue does not exist for this wsdl version.".to_owned()
        }
        _ => message,
    }
}

/// Writes an error of S3, with the members that tell more about it.
fn of_s3(status: StatusCode, code: &str, message: &str, members: &Map<String, Value>) -> Response {
    let (id, mut response) = identified(typed(xml(status, String::new()), "application/xml"));
    let mut document =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code>", escaped(code));
    let told = members.iter().filter_map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (!value.is_null()).then_some((name.as_str(), text))
    });
    let all = std::iter::once(("Message", message.to_owned()))
        .chain(told)
        .chain([("RequestId", id), ("HostId", "local-cloud".to_owned())]);
    for (name, text) in all {
        document.extend(["<", name, ">", &escaped(&text), "</", name, ">"]);
    }
    document.push_str("</Error>");
    *response.body_mut() = Body::from(document);
    response
}

/// Adds the request id to a response of S3, which has a separate header for it.
fn identified(mut response: Response) -> (String, Response) {
    let id = Uuid::new_v4().simple().to_string()[..16].to_ascii_uppercase();
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-amz-request-id", value.clone());
        response.headers_mut().insert("x-amzn-requestid", value);
    }
    (id, response)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Writes the error of a service without a model.
fn error_document(root: &str, code: &str, message: &str, request_id: &str) -> String {
    let (code, message) = (escaped(code), escaped(message));
    format!(
        "<{root}><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>{request_id}</RequestId></{root}>"
    )
}

/// Returns a response of text that is JSON.
pub(crate) fn json_text(text: String) -> Response {
    with_type(StatusCode::OK, "application/x-amz-json-1.0", text.into_bytes())
}

/// Returns a JSON response. A value that cannot be written as JSON is a bug in this crate and makes a 500.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => with_type(status, "application/x-amz-json-1.0", body),
        Err(error) => {
            tracing::error!(%error, "a response could not be written");
            with_type(StatusCode::INTERNAL_SERVER_ERROR, "application/x-amz-json-1.0", b"{}".to_vec())
        }
    }
}

pub(crate) fn xml(status: StatusCode, body: String) -> Response {
    with_type(status, "text/xml", body.into_bytes())
}

fn with_type(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    typed(response, content_type)
}

fn typed(mut response: Response, content_type: &'static str) -> Response {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::models::Models;

    #[test]
    fn sqs_sends_the_type_and_the_code_of_its_query_protocol() {
        let models = Models::default();
        let format =
            Format { service: Service::Sqs, protocol: Protocol::Json, model: models.of(Service::Sqs) };
        for code in ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"] {
            let (kind, query) = format.names(code);
            assert_eq!(kind, "com.amazonaws.sqs#QueueDoesNotExist");
            assert_eq!(query, "AWS.SimpleQueueService.NonExistentQueue");
        }
        assert_eq!(format.names("InvalidParameterValue").1, "InvalidParameterValue");
    }

    #[test]
    fn an_error_carries_its_members() {
        let format = Format { service: Service::DynamoDb, protocol: Protocol::Json, model: None };
        let mut error = AwsError::bad_request("TransactionCanceledException", "cancelled");
        error.members.insert("CancellationReasons".to_owned(), json!([{"Code": "None"}]));
        let response = format.error(error);
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert!(
            !response.headers().contains_key("x-amzn-query-error"),
            "DynamoDB never spoke the query protocol"
        );
    }
}
