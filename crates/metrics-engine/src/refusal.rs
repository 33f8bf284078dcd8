//! Data points that are left out, and why.

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};

use crate::limits::{MAX_BUCKETS, MAX_SERIES, MAX_TEXT};

/// Why a data point is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// There is no room for another series.
    #[error("{MAX_SERIES} series are kept, and this would be one more")]
    TooManySeries,
    /// The names and attributes of the series are too long.
    #[error("the names and attributes of a series are longer than {MAX_TEXT} bytes together")]
    TooLong,
    /// The histogram has too many buckets.
    #[error("a histogram has more than {MAX_BUCKETS} buckets")]
    TooManyBuckets,
    /// The buckets of a histogram do not fit their bounds, or the bounds are out of order.
    #[error("the buckets of a histogram do not fit their bounds")]
    Buckets,
    /// The temporality is unspecified.
    #[error("the temporality is unspecified")]
    Temporality,
    /// A kind of metric that cannot be added up.
    #[error("summaries are not kept")]
    Summary,
    /// There is no value, or it is not a number.
    #[error("a value is missing or not a number")]
    Value,
}

/// Data points that were left out of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// How many.
    pub data_points: usize,
    /// Why the last of them was rejected.
    pub reason: Option<Refusal>,
}

impl From<Rejected> for ExportMetricsServiceResponse {
    fn from(rejected: Rejected) -> Self {
        let partial_success = rejected.reason.map(|reason| ExportMetricsPartialSuccess {
            rejected_data_points: i64::try_from(rejected.data_points).unwrap_or(i64::MAX),
            error_message: reason.to_string(),
        });
        Self { partial_success }
    }
}
