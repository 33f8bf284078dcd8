//! Export to the collector: spans in batches, metrics at intervals, both kept until the collector has them.

mod collector;
mod delivery;
mod ending;
mod metrics;
mod report;
mod spans;

pub(crate) use collector::Collector;
pub(crate) use delivery::Delivery;
pub(crate) use ending::Ending;
pub(crate) use metrics::UntilAccepted;
pub(crate) use report::Lost;
pub use spans::{Departure, Departures};
pub(crate) use spans::{Limits, SpanQueue};
