//! The latest value of every metric, for development and tests: OTLP in, one document out.
//!
//! Values may accumulate since the start of their process or since the last export; both become totals. A process that
//! restarts begins at zero, and the total goes on from what it had reached. The totals of a service's instances are added
//! up when they are read.
//!
//! ```
//! use std::time::SystemTime;
//!
//! use metrics_engine::Metrics;
//! use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
//!
//! let metrics = Metrics::default();
//! let rejected = metrics.record(&ExportMetricsServiceRequest::default(), SystemTime::now());
//! assert_eq!(rejected.data_points, 0);
//! assert!(metrics.document(SystemTime::now()).services.is_empty());
//! ```
//!
//! | module | |
//! |---|---|
//! | `read` | reads series and their points out of a request |
//! | `series` | what is kept of a series: its total and its rate |
//! | `histogram` | buckets, added up and turned into percentiles |
//! | `source` | who exports, and whether it still does |
//! | `state` | every series, within bounds |
//! | `store` | requests in, the document out |
//! | `document` | what is shown |
//!
//! # Memory
//!
//! At most [`MAX_SERIES`] series are kept, each with at most [`MAX_TEXT`] bytes of names and attributes, as many of its
//! source, and twice [`MAX_BUCKETS`] buckets with their bounds: 8 KiB a series and 32 MiB in the worst case.

mod amount;
mod attributes;
mod document;
mod histogram;
mod limits;
mod read;
mod refusal;
mod series;
mod source;
mod state;
mod store;

pub use amount::Kind;
pub use document::{Document, Metric, Reading, Series, Service};
pub use limits::{MAX_BUCKETS, MAX_SERIES, MAX_TEXT};
pub use refusal::{Refusal, Rejected};
pub use store::Metrics;

#[cfg(test)]
mod tests;
