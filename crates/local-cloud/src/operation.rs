//! Which operation of which service a request means, and in which protocol it is written.

use aws_models::RestParts;
use http::request::Parts;
use http::{HeaderMap, Method};

use crate::call::{Service, signed_for};
use crate::models::Models;
use crate::reply::Protocol;
use crate::{parts as of_request, s3};

/// The header that names the operation in the JSON protocols.
pub(crate) const TARGET: &str = "x-amz-target";

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Requested {
    pub(crate) service: Service,
    pub(crate) operation: String,
    pub(crate) protocol: Protocol,
    /// The members in the path of a REST request.
    pub(crate) labels: Vec<(String, String)>,
}

impl Requested {
    fn new(service: Service, operation: impl Into<String>, protocol: Protocol) -> Self {
        Self { service, operation: operation.into(), protocol, labels: Vec::new() }
    }
}

/// Reads the operation from the header that the JSON protocols put it into.
pub(crate) fn by_target(headers: &HeaderMap) -> Option<Requested> {
    let target = headers.get(TARGET)?.to_str().ok()?;
    let (service, operation) = target.split_once('.').unwrap_or((target, ""));
    let service = match service {
        "AmazonSQS" => Service::Sqs,
        "AWSEvents" => Service::Events,
        "DynamoDB_20120810" => Service::DynamoDb,
        "DynamoDBStreams_20120810" => Service::DynamoDbStreams,
        "TrentService" => Service::Kms,
        _ => return Some(Requested::new(Service::Unknown, target, Protocol::Json)),
    };
    Some(Requested::new(service, operation, Protocol::Json))
}

/// Derives the operation from method and path, as the REST protocols do.
pub(crate) fn by_path(models: &Models, parts: &Parts) -> Option<Requested> {
    let (method, path) = (&parts.method, parts.uri.path());
    // First, because an object may have any path.
    if signed_for(&parts.headers) == Some("s3") {
        return Some(of_s3(models, parts));
    }
    let service = if path == "/v1/pipes"
        || path.starts_with("/v1/pipes/")
        || path.starts_with("/tags/") && signed_for(&parts.headers) == Some("pipes")
    {
        Service::Pipes
    } else if path.starts_with("/v2/email/") {
        Service::SesV2
    } else if path == "/" || is_at_queue(method, path) {
        return None;
    } else {
        return Some(Requested::new(Service::Unknown, format!("{method} {path}"), Protocol::RestJson));
    };
    let route = models.of(service).and_then(|model| model.route(method.as_str(), path));
    Some(match route {
        Some((operation, labels)) => {
            Requested { labels, ..Requested::new(service, operation, Protocol::RestJson) }
        }
        None => Requested::new(service, format!("{method} {path}"), Protocol::RestJson),
    })
}

fn of_s3(models: &Models, parts: &Parts) -> Requested {
    let path = s3::path(parts);
    let (query, headers) = (of_request::query(&parts.uri), of_request::texts(&parts.headers));
    let method = parts.method.as_str();
    let parts = RestParts { path: &path, query: &query, headers: &headers };
    let route = models.of(Service::S3).and_then(|model| model.route_rest_xml(method, parts));
    match route {
        Some((operation, labels)) => {
            Requested { labels, ..Requested::new(Service::S3, operation, Protocol::RestXml) }
        }
        None => Requested::new(Service::S3, format!("{method} {path}"), Protocol::RestXml),
    }
}

/// The query protocol is also spoken at a queue's URL, `/<account>/<name>`.
fn is_at_queue(method: &Method, path: &str) -> bool {
    matches!(*method, Method::POST | Method::GET)
        && path.split('/').filter(|part| !part.is_empty()).count() == 2
}

/// Reads the operation from the form, as the query protocol puts it there. It names the service only in the credential
/// scope of the signature.
pub(crate) fn by_action(models: &Models, headers: &HeaderMap, form: &[(String, String)]) -> Requested {
    let Some((_, action)) = form.iter().find(|(name, _)| name == "Action") else {
        return Requested::new(Service::Unknown, "a request without an operation", Protocol::Query);
    };
    let service = match signed_for(headers) {
        Some("sqs") => Service::Sqs,
        Some("sns") => Service::Sns,
        Some("ses" | "email") => Service::Ses,
        Some("sts") => Service::Sts,
        Some(_) => Service::Unknown,
        None => [Service::Sts, Service::Sns, Service::Sqs, Service::Ses]
            .into_iter()
            .find(|service| models.of(*service).is_some_and(|model| model.operations.contains_key(action)))
            .unwrap_or(Service::Unknown),
    };
    Requested::new(service, action, Protocol::Query)
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;
    use crate::call::caller;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::from_static(value))])
    }

    fn form(action: &str) -> Vec<(String, String)> {
        vec![("Action".to_owned(), action.to_owned())]
    }

    fn at(method: &str, path: &str) -> Option<(Service, String)> {
        let (parts, ()) = Request::builder().method(method).uri(path).body(()).unwrap().into_parts();
        by_path(&Models::default(), &parts).map(|requested| (requested.service, requested.operation))
    }

    #[test]
    fn target_names_service_and_operation() {
        let requested = |target| {
            let requested = by_target(&headers("x-amz-target", target)).unwrap();
            (requested.service, requested.operation)
        };
        assert_eq!(requested("AWSEvents.PutEvents"), (Service::Events, "PutEvents".to_owned()));
        assert_eq!(
            requested("Logs_20140328.FilterLogEvents"),
            (Service::Unknown, "Logs_20140328.FilterLogEvents".to_owned())
        );
        assert_eq!(by_target(&HeaderMap::new()), None);
    }

    #[test]
    fn action_goes_to_the_service_that_was_signed_for() {
        let models = Models::default();
        let signed = headers(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=local/20261123/eu-central-1/ses/aws4_request, SignedHeaders=host, Signature=0",
        );
        assert_eq!(caller(&signed), Some("local"));
        assert_eq!(by_action(&models, &signed, &form("SendEmail")).service, Service::Ses);
        assert_eq!(by_action(&models, &HeaderMap::new(), &form("Publish")).service, Service::Sns);
        assert_eq!(by_action(&models, &HeaderMap::new(), &form("ReceiveMessage")).service, Service::Sqs);
        assert_eq!(by_action(&models, &HeaderMap::new(), &form("GetCallerIdentity")).service, Service::Sts);
        assert_eq!(by_action(&models, &HeaderMap::new(), &[]).service, Service::Unknown);
    }

    #[test]
    fn paths_name_rest_services() {
        assert_eq!(at("POST", "/v1/pipes/a"), Some((Service::Pipes, "CreatePipe".to_owned())));
        assert_eq!(at("POST", "/v2/email/outbound-emails"), Some((Service::SesV2, "SendEmail".to_owned())));
        assert_eq!(at("POST", "/"), None);
        assert_eq!(at("GET", "/000000000000/queue"), None);
        assert_eq!(at("GET", "/bucket/key/x").map(|(service, _)| service), Some(Service::Unknown));
    }
}
