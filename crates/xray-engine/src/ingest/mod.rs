//! Taking in spans and documents.

pub(crate) mod grpc;
mod intake;
mod metrics;
pub(crate) mod otlp;

pub use self::intake::Rejected;
pub(crate) use self::intake::{Intake, NotKept};
pub use self::metrics::MetricsSink;
pub(crate) use self::metrics::NoMetrics;

/// The largest OTLP request accepted, in bytes.
const MAX_REQUEST: usize = 16 * 1024 * 1024;
