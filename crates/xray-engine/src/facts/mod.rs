//! What filters and summaries read of a trace: its services with their segments, the calls between them, and the root
//! causes of what went wrong or took long.

mod build;
mod causes;
mod inferred;
mod measure;
mod service;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Value, json};
use xray::AnnotationValue;

pub(crate) use self::inferred::inferred;
pub use self::service::ServiceId;

/// The type, in a root cause, of a service that did not say where it runs.
const UNKNOWN: &str = "unknown";

/// What is known of a trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// When the trace began, epoch seconds.
    pub start: Option<f64>,
    /// Seconds from the first start to the last end.
    pub duration: Option<f64>,
    /// The entry point's place among the segments.
    pub entry: Option<usize>,
    /// Whether anything was throttled, 429.
    pub throttle: bool,
    /// Whether anything is still in progress.
    pub partial: bool,
    /// The segments, and calls to services that sent none.
    pub segments: Vec<SegmentFacts>,
    /// The calls between services.
    pub calls: Vec<CallFacts>,
    /// Why the trace has a fault.
    pub fault_causes: Vec<RootCause>,
    /// Why the trace has an error.
    pub error_causes: Vec<RootCause>,
    /// Why the trace took as long as it did.
    pub response_time_causes: Vec<RootCause>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of a segment document, any of which may be set")]
pub struct Outcome {
    /// It succeeded.
    pub ok: bool,
    /// A client error, 4xx.
    pub error: bool,
    /// Throttled, 429.
    pub throttle: bool,
    /// A server error, 5xx.
    pub fault: bool,
    /// It has not ended yet.
    pub partial: bool,
}

/// The HTTP request that was served or made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpFacts {
    /// The URL.
    pub url: Option<Arc<str>>,
    /// The method.
    pub method: Option<Arc<str>>,
    /// The user agent.
    pub user_agent: Option<Arc<str>>,
    /// The address of the client.
    pub client_ip: Option<Arc<str>>,
    /// The status code.
    pub status: Option<i64>,
}

/// The value of an annotation.
#[derive(Clone, Debug, PartialEq)]
pub enum Annotated {
    /// A boolean.
    Boolean(bool),
    /// A number.
    Number(f64),
    /// A string.
    Text(Arc<str>),
}

/// A segment; or, if `inferred`, a call to a service that sent none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SegmentFacts {
    /// The service.
    pub service: ServiceId,
    /// Whether the service sent no segments, and is known from calls to it only.
    pub inferred: bool,
    /// When it began, epoch seconds.
    pub start: f64,
    /// When it ended, epoch seconds.
    pub end: Option<f64>,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took, in seconds.
    pub response_time: Option<f64>,
    /// The HTTP request.
    pub http: HttpFacts,
    /// Who sent the request.
    pub user: Option<Arc<str>>,
    /// The annotations, also of the subsegments.
    pub annotations: Vec<(Arc<str>, Annotated)>,
    /// The messages of exceptions, also of the subsegments.
    pub messages: Vec<Arc<str>>,
    /// The availability zone.
    pub availability_zone: Option<Arc<str>>,
    /// The id of the EC2 instance.
    pub instance_id: Option<Arc<str>>,
    /// The ARN of the resource.
    pub resource_arn: Option<Arc<str>>,
}

/// A call from one service to another, as the caller saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct CallFacts {
    /// The caller's place among the segments.
    pub source: usize,
    /// The place of what was called among the segments.
    pub destination: usize,
    /// Whether the caller did not wait for what was called: a message, rather than a request.
    pub link: bool,
    /// When it began for the caller, epoch seconds; of a link, when the message was received.
    pub start: f64,
    /// When it ended for the caller, epoch seconds.
    pub end: Option<f64>,
    /// How it ended for the caller.
    pub outcome: Outcome,
    /// How long the caller waited, in seconds; of a link, how old the message was when it was received.
    pub response_time: Option<f64>,
    /// The HTTP request.
    pub http: HttpFacts,
    /// The annotations of the call.
    pub annotations: Vec<(Arc<str>, Annotated)>,
    /// The messages of exceptions.
    pub messages: Vec<Arc<str>>,
}

/// The way from the entry point to where something began
/// (<https://docs.aws.amazon.com/xray/latest/api/API_FaultRootCause.html>).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RootCause {
    /// The services, the entry point first.
    pub services: Vec<CauseService>,
    /// Whether the client of the trace noticed.
    pub client_impacting: bool,
}

/// A service on the way to a root cause.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CauseService {
    /// The service.
    pub service: ServiceId,
    /// Whether it sent no segments, and is known from calls to it only.
    pub inferred: bool,
    /// The segment and its subsegments on the way.
    pub path: Vec<CauseEntity>,
}

/// A segment or subsegment on the way to a root cause.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CauseEntity {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is the call of another service.
    pub remote: bool,
    /// Of a slow response: the share in the response time of the root segment, from 0 to 1.
    pub coverage: Option<f64>,
    /// The exceptions, by name and message.
    pub exceptions: Vec<(Arc<str>, Arc<str>)>,
}

impl From<&AnnotationValue> for Annotated {
    fn from(value: &AnnotationValue) -> Self {
        match value {
            AnnotationValue::Boolean(value) => Self::Boolean(*value),
            AnnotationValue::Number(value) => Self::Number(value.as_f64().unwrap_or(f64::NAN)),
            AnnotationValue::Text(value) => Self::Text(value.as_str().into()),
        }
    }
}

impl Facts {
    /// Returns the entry point.
    #[must_use]
    pub fn root(&self) -> Option<&SegmentFacts> {
        self.segments.get(self.entry?)
    }

    /// Returns how the trace ended for its client; throttling and open ends count anywhere
    /// (<https://docs.aws.amazon.com/xray/latest/api/API_TraceSummary.html>).
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome {
            throttle: self.throttle,
            partial: self.partial,
            ..self.root().map(|root| root.outcome).unwrap_or_default()
        }
    }

    /// Iterates over all root causes.
    pub fn causes(&self) -> impl Iterator<Item = &RootCause> {
        self.fault_causes.iter().chain(&self.error_causes).chain(&self.response_time_causes)
    }
}

impl RootCause {
    /// Returns the root cause as `GetTraceSummaries` writes it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let services: Vec<_> = self.services.iter().map(CauseService::to_json).collect();
        json!({"Services": services, "ClientImpacting": self.client_impacting})
    }
}

impl CauseService {
    /// The type is always there, because Grafana's data source reads it without a check
    /// (`pkg/datasource/getAnalytics.go` of grafana/x-ray-datasource).
    fn to_json(&self) -> Value {
        let mut service = self.service.to_json();
        if self.service.kind.is_none() {
            service["Type"] = Value::from(UNKNOWN);
        }
        service["Inferred"] = Value::from(self.inferred);
        service["EntityPath"] = self.path.iter().map(CauseEntity::to_json).collect();
        service
    }
}

impl CauseEntity {
    fn to_json(&self) -> Value {
        let mut entity = json!({"Name": &*self.name, "Remote": self.remote});
        if let Some(coverage) = self.coverage {
            entity["Coverage"] = Value::from(coverage);
        } else {
            let exception =
                |(name, message): &(Arc<str>, Arc<str>)| json!({"Name": &**name, "Message": &**message});
            entity["Exceptions"] = self.exceptions.iter().map(exception).collect();
        }
        entity
    }
}
