//! X-Ray's data model: ids, the tracing header, segment documents and whole traces.
//!
//! The crate reads and writes the formats that X-Ray documents, and assembles the segments of a trace into a tree. It
//! knows neither OpenTelemetry nor HTTP nor the AWS SDK.
//!
//! ```
//! use xray::{Trace, TraceHeader};
//!
//! let header: TraceHeader = "Self=1-a;Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?".parse()?;
//! let id = header.root.ok_or("no root")?;
//! assert_eq!(header.to_string(), "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?;Self=1-a");
//!
//! // The documents of one trace, in any order, as `BatchGetTraces` returns them.
//! let documents = [
//!     r#"{"name":"SQS","id":"53995c3f42cd8ad9","parent_id":"53995c3f42cd8ad8","type":"subsegment","namespace":"aws",
//!         "trace_id":"1-5759e988-bd862e3fe1be46a994272793","start_time":1465510280.5,"end_time":1465510281.0}"#,
//!     r#"{"name":"ingest","id":"53995c3f42cd8ad8","trace_id":"1-5759e988-bd862e3fe1be46a994272793",
//!         "start_time":1465510280.0,"end_time":1465510281.25}"#,
//! ];
//! let trace = Trace::read(id, documents)?;
//! assert!(trace.problems().is_empty());
//! assert_eq!(trace.duration(), Some(1.25));
//! for (depth, node) in trace.walk() {
//!     println!("{:indent$}{}", "", node.segment().name, indent = depth * 2);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod annotations;
mod header;
mod ids;
mod segment;
mod trace;

pub use annotations::Annotations;
pub use header::{HeaderError, MAX_EXTRA_LENGTH, SamplingDecision, TraceHeader};
pub use ids::{ParseIdError, SegmentId, TraceId};
pub use segment::{
    AnnotationValue, Aws, Cause, CauseDetail, DocumentError, Ec2, Ecs, Exception, Http, HttpRequest,
    HttpResponse, Link, LogGroup, MAX_DOCUMENT_BYTES, Segment, Service, Sql, StackFrame, XRaySdk,
};
pub use trace::{Flags, Node, Problem, Trace};
