//! Segment documents: what services send to X-Ray and what `BatchGetTraces` returns.
//!
//! Specified at <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>, except for `links`,
//! `aws.cloudwatch_logs` and the details of `aws.ecs`; those have the names that the AWS collector writes.

mod parts;
mod read;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::parts::{
    AnnotationValue, Aws, Cause, CauseDetail, Ec2, Ecs, Exception, Http, HttpRequest, HttpResponse, Link,
    LogGroup, Service, Sql, StackFrame, XRaySdk,
};
pub use self::read::{DocumentError, MAX_DOCUMENT_BYTES};
use crate::{SegmentId, TraceId};

/// The `type` of an independent subsegment.
const SUBSEGMENT: &str = "subsegment";

/// A segment or subsegment document. Unknown fields are kept in [`Segment::other`] and written back.
///
/// ```
/// use xray::{Segment, SegmentId};
///
/// let segment = Segment {
///     origin: Some("AWS::ECS::Fargate".to_owned()),
///     end_time: Some(1_465_510_281.25),
///     ..Segment::new("ingest", SegmentId::from_bytes(*b"entrance"), 1_465_510_280.0)
/// };
/// assert_eq!(Segment::read(&segment.to_json())?, segment);
/// # Ok::<(), xray::DocumentError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// The service of a segment; the call or the service called of a subsegment. At most 200 characters.
    pub name: String,
    /// Unique within the trace.
    pub id: SegmentId,
    /// Absent only in subsegments embedded in another document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<TraceId>,
    /// The segment or subsegment that made the call; absent where a trace begins and in embedded subsegments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<SegmentId>,
    /// Epoch seconds.
    pub start_time: f64,
    /// Epoch seconds; absent while in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<f64>,
    /// True until the document is replaced by a complete one with the same id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<bool>,
    /// True in a document that X-Ray made from the call of a service which sent no segment; nobody sends such a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inferred: Option<bool>,
    /// `subsegment` for an independent subsegment, absent otherwise.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `aws` for calls of the AWS SDK, `remote` for other downstream calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The AWS resource type that the service runs on, such as `AWS::ECS::Fargate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Who sent the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The ARN of the resource that the service runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_arn: Option<String>,
    /// The version of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// The HTTP request served or made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// Where the service runs, or which AWS operation was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<Aws>,
    /// The SQL query made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<Sql>,
    /// A client error (HTTP 4xx).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<bool>,
    /// The client error was throttling (HTTP 429).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle: Option<bool>,
    /// A server error (HTTP 5xx).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<bool>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Key-value pairs that X-Ray indexes for search.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, AnnotationValue>,
    /// Other data by namespace, not searchable.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// Spans this one is linked to, in this trace or another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Subsegments that completed before this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub precursor_ids: Vec<SegmentId>,
    /// Subsegments embedded in this document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subsegments: Vec<Segment>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Segment {
    /// Returns a document with the three fields that every document needs.
    #[must_use]
    pub fn new(name: impl Into<String>, id: SegmentId, start_time: f64) -> Self {
        Self {
            name: name.into(),
            id,
            trace_id: None,
            parent_id: None,
            start_time,
            end_time: None,
            in_progress: None,
            inferred: None,
            kind: None,
            namespace: None,
            origin: None,
            user: None,
            resource_arn: None,
            service: None,
            http: None,
            aws: None,
            sql: None,
            error: None,
            throttle: None,
            fault: None,
            cause: None,
            annotations: BTreeMap::new(),
            metadata: BTreeMap::new(),
            links: Vec::new(),
            precursor_ids: Vec::new(),
            subsegments: Vec::new(),
            other: Map::new(),
        }
    }

    /// Whether this is an independent subsegment. Embedded subsegments are not marked.
    #[must_use]
    pub fn is_subsegment(&self) -> bool {
        self.kind.as_deref() == Some(SUBSEGMENT)
    }

    /// Whether a complete document is still to follow.
    #[must_use]
    pub fn is_in_progress(&self) -> bool {
        self.in_progress == Some(true)
    }

    /// Marks the document as an independent subsegment, or as a segment.
    pub fn set_subsegment(&mut self, subsegment: bool) {
        self.kind = subsegment.then(|| SUBSEGMENT.to_owned());
    }

    /// Returns the last end, in epoch seconds, of this document and its embedded subsegments, which may outlast it.
    #[must_use]
    pub fn last_end_time(&self) -> Option<f64> {
        let embedded = self.subsegments.iter().filter_map(Self::last_end_time);
        self.end_time.into_iter().chain(embedded).reduce(f64::max)
    }

    /// Writes the document as JSON. Numbers that JSON does not have (NaN, infinity) become `null`.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Fails only for keys that are not strings, of which a document has none.
        serde_json::to_string(self).unwrap_or_default()
    }
}
