//! An X-Ray in one process, for development and tests: spans and segment documents in, the X-Ray API out.
//!
//! Spans arrive over OTLP, documents through `PutTraceSegments`. Spans become documents by the rules of the AWS
//! collector's exporter, so that a trace looks here as it will in X-Ray. The documents of a trace may arrive late and in
//! any order: each is stored separately, on disk, and a trace is assembled when it is read.
//!
//! The engine serves two routers and opens no port itself. Signatures are not checked.
//!
//! ```
//! use xray_engine::{Engine, Settings};
//!
//! let engine = Engine::new(Settings::default())?;
//! let aws_endpoint = engine.api_router(); // `PutTraceSegments`, `GetTraceSummaries`, …
//! let otlp_endpoint = engine.otlp_router(); // `POST /v1/traces`
//! # let (_, _) = (aws_endpoint, otlp_endpoint);
//! # Ok::<(), xray_engine::StoreError>(())
//! ```
//!
//! The API has every operation of X-Ray's model. Requests that configure something are checked against that model, and quotas
//! are AWS's. Sampling rules and targets work as in AWS, so that a sampler can be developed against them. What the account is
//! set to otherwise (indexing rules, insights of groups, destination, encryption, resource policies) is checked, remembered
//! and returned, but has no effect: traces stay where they are, readable to everyone, and nothing detects anomalies, so there
//! are never insights. AWS's limits on calls per second do not exist here.
//!
//! | module | |
//! |---|---|
//! | `ingest` | takes in spans and documents |
//! | `translate` | turns a span into documents |
//! | `store` | keeps documents by trace, and finds traces: [`TraceStore`] |
//! | `facts` | what filters and summaries read of a trace: services, calls, root causes |
//! | `filter` | filter expressions: parsing and matching |
//! | `query` | what can be read from a trace |
//! | `control` | what is configured: groups, sampling rules, settings of the account |
//! | `api` | the operations of the X-Ray API, a file for each or for those that belong together |

mod api;
mod clock;
mod control;
mod engine;
mod facts;
mod filter;
mod ingest;
mod query;
mod settings;
mod store;
mod translate;

pub use engine::Engine;
pub use facts::{
    Annotated, CallFacts, CauseEntity, CauseService, Facts, HttpFacts, Outcome, RootCause, SegmentFacts,
    ServiceId,
};
pub use filter::{
    AnnotationTest, CauseKind, CausePart, CausePattern, Comparison, Completion, End, Expected, Expression,
    FilterError, FilterExpression, Flag, GroupKey, NodePattern, Number, Problem, Text, TextComparison,
    ValueOf,
};
pub use ingest::{MetricsSink, Rejected};
pub use settings::Settings;
pub use store::{StoreError, TraceStore};

#[cfg(test)]
mod tests;
