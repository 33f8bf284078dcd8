//! How much is kept.

/// The most series kept.
pub const MAX_SERIES: usize = 4_000;

/// The most bytes of the names and attributes of a series together.
pub const MAX_TEXT: usize = 1024;

/// The most buckets of a histogram. It is the standard's default for exponential ones
/// (<https://opentelemetry.io/docs/specs/otel/metrics/sdk/#base2-exponential-bucket-histogram-aggregation>), which are
/// made coarser beyond it.
pub const MAX_BUCKETS: usize = 160;
