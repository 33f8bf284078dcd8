//! Attribute keys and X-Ray terms for which the semantic conventions crate has no constant.

/// The name of the service that recorded the span.
pub(super) const LOCAL_SERVICE: &str = "aws.local.service";
/// The name of the service called or, on a consumer, of the segment.
pub(super) const REMOTE_SERVICE: &str = "aws.remote.service";
/// Set to [`LOCAL_ROOT`] on the first span of a service.
pub(super) const SPAN_KIND: &str = "aws.span.kind";
pub(super) const LOCAL_ROOT: &str = "LOCAL_ROOT";
/// Attributes of the service called, which the segment of the caller does not repeat.
pub(super) const OF_THE_REMOTE_SERVICE: [&str; 4] =
    [REMOTE_SERVICE, "aws.remote.operation", "remoteTarget", "K8s.RemoteNamespace"];

/// A list of the keys that become annotations.
pub(super) const ANNOTATIONS: &str = "aws.xray.annotations";
/// Followed by a namespace; the value is a JSON object with the metadata of that namespace.
pub(super) const METADATA_PREFIX: &str = "aws.xray.metadata.";
/// Prefix of the keys of resource attributes.
pub(super) const RESOURCE_PREFIX: &str = "otel.resource.";

pub(super) const AWS_API: &str = "aws-api";
pub(super) const AWS_SERVICE: &str = "aws.service";
pub(super) const AWS_OPERATION: &str = "aws.operation";
pub(super) const AWS_ACCOUNT: &str = "aws.account_id";
pub(super) const AWS_REGION: &str = "aws.region";
pub(super) const AWS_REQUEST_ID_OLD: &str = "aws.requestId";
pub(super) const AWS_QUEUE_URL: [&str; 2] = ["aws.queue_url", "aws.queue.url"];
pub(super) const AWS_TABLE_NAME: [&str; 2] = ["aws.table_name", "aws.table.name"];
pub(super) const MESSAGING_URL: &str = "messaging.url";
pub(super) const AUTO_INSTRUMENTATION: &str = "telemetry.auto.version";
pub(super) const IMAGE_TAG: &str = "container.image.tag";
pub(super) const STATUS_TEXT: &str = "http.status_text";
pub(super) const PAYLOAD_SIZE: &str = "messaging.message_payload_size_bytes";

/// Set to true on a span that is sent before it has ended.
pub(super) const IN_PROGRESS: &str = "aws.xray.inprogress";

/// The event that records one failed HTTP attempt of an AWS SDK call.
pub(super) const ATTEMPT_FAILED: &str = "HTTP request failure";
pub(super) const ATTEMPT_FAILED_MESSAGE: &str = "aws.http.error_message";
pub(super) const ATTEMPT_FAILED_TYPE: &str = "aws.http.error.event";
pub(super) const EXCEPTION: &str = "exception";

/// Namespaces of subsegments.
pub(super) const AWS: &str = "aws";
pub(super) const REMOTE: &str = "remote";
/// The namespace of metadata without one.
pub(super) const DEFAULT_NAMESPACE: &str = "default";
