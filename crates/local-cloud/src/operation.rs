//! Which operation of which service a request means.

use http::{HeaderMap, Method};

use crate::call::{Service, signed_for};
use crate::{pipes, ses};

/// Reads the operation from the header that the JSON protocols put it into.
pub(crate) fn target(headers: &HeaderMap) -> Option<(Service, &str)> {
    let target = headers.get("x-amz-target")?.to_str().ok()?;
    let (service, operation) = target.split_once('.')?;
    let service = match service {
        "AmazonSQS" => Service::Sqs,
        "AWSEvents" => Service::Events,
        "DynamoDB_20120810" => Service::DynamoDb,
        "DynamoDBStreams_20120810" => Service::DynamoDbStreams,
        _ => return Some((Service::Unknown, target)),
    };
    Some((service, operation))
}

/// Derives the operation from method and path, as the REST protocols do.
pub(crate) fn by_path(method: &Method, path: &str) -> Option<(Service, String)> {
    let service = if path == "/v1/pipes" || path.starts_with("/v1/pipes/") {
        Service::Pipes
    } else if path.starts_with("/v2/email/") {
        Service::SesV2
    } else if path == "/"
        || method == Method::POST && path.split('/').filter(|part| !part.is_empty()).count() == 2
    {
        // The query protocols: at the root, or at a queue's URL (old SQS clients).
        return None;
    } else {
        return Some((Service::Unknown, format!("{method} {path}")));
    };
    let operation = match service {
        Service::Pipes => pipes::operation(method, path),
        _ => ses::operation_v2(method, path),
    };
    Some((service, operation.map_or_else(|| format!("{method} {path}"), str::to_owned)))
}

/// Reads the operation from the form, as the query protocols put it there. They name the service only in the credential
/// scope of the signature.
pub(crate) fn by_action(headers: &HeaderMap, body: &[u8]) -> (Service, String) {
    let form = rustack_sns_http::request::parse_form_params(body);
    let Some(action) = rustack_sns_http::request::get_optional_param(&form, "Action") else {
        return (Service::Unknown, "a request without an operation".to_owned());
    };
    let service = match signed_for(headers) {
        Some("sns") => Service::Sns,
        Some("ses" | "email") => Service::Ses,
        Some("sts") => Service::Sts,
        None if action == "GetCallerIdentity" => Service::Sts,
        None if rustack_sns_model::operations::SnsOperation::from_name(action).is_some() => Service::Sns,
        None if rustack_ses_model::operations::SesOperation::from_name(action).is_some() => Service::Ses,
        Some(_) | None => Service::Unknown,
    };
    (service, action.to_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::call::caller;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::from_static(value))])
    }

    #[test]
    fn target_names_service_and_operation() {
        assert_eq!(
            target(&headers("x-amz-target", "AWSEvents.PutEvents")),
            Some((Service::Events, "PutEvents"))
        );
        assert_eq!(
            target(&headers("x-amz-target", "Logs_20140328.FilterLogEvents")),
            Some((Service::Unknown, "Logs_20140328.FilterLogEvents"))
        );
        assert_eq!(target(&HeaderMap::new()), None);
    }

    #[test]
    fn action_goes_to_the_service_that_was_signed_for() {
        let signed = headers(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=local/20261123/eu-central-1/ses/aws4_request, SignedHeaders=host, Signature=0",
        );
        assert_eq!(caller(&signed), Some("local"));
        assert_eq!(by_action(&signed, b"Action=SendEmail"), (Service::Ses, "SendEmail".to_owned()));
        assert_eq!(by_action(&HeaderMap::new(), b"Action=Publish"), (Service::Sns, "Publish".to_owned()));
        assert_eq!(by_action(&HeaderMap::new(), b"Action=GetCallerIdentity").0, Service::Sts);
    }

    #[test]
    fn paths_name_rest_services() {
        assert_eq!(by_path(&Method::POST, "/v1/pipes/a"), Some((Service::Pipes, "CreatePipe".to_owned())));
        assert_eq!(
            by_path(&Method::POST, "/v2/email/outbound-emails"),
            Some((Service::SesV2, "SendEmail".to_owned()))
        );
        assert_eq!(by_path(&Method::POST, "/"), None);
        assert_eq!(
            by_path(&Method::GET, "/bucket/key/x").map(|(service, _)| service),
            Some(Service::Unknown)
        );
    }
}
