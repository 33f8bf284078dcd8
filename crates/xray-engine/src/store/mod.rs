//! Documents by trace.

mod memory;
mod trace;

use std::fmt::Debug;
use std::sync::Arc;

use xray::{Segment, TraceId};

pub use self::memory::MemoryStore;
pub use self::trace::{Document, Overview, Page, StoredTrace, Wanted};
use crate::facts::Facts;

/// Where documents are kept.
///
/// A store is shared by all requests, so its methods take `&self` and a call should not block others for long: what it
/// returns are copies, which the caller reads without holding up those who put documents.
pub trait Store: Debug + Send + Sync + 'static {
    /// Adds a document to its trace, or replaces the one with the same id. A document in progress never replaces a
    /// complete one.
    ///
    /// `json` is the text of `segment`, which is kept as it is; `now` is in epoch seconds. Returns the key of an annotation
    /// that X-Ray would not index, if there is one.
    fn put(&self, trace_id: TraceId, segment: &Segment, json: String, now: f64) -> Option<String>;

    /// Returns the documents of a trace in the order in which they arrived, or `None` if the trace is unknown.
    fn documents(&self, id: TraceId) -> Option<Vec<Document>>;

    /// Returns what the documents of a trace say, or `None` if the trace is unknown.
    fn facts(&self, id: TraceId) -> Option<Arc<Facts>>;

    /// Returns the first `size` traces from `from` on that are wanted, in the order in which their first
    /// documents arrived. A walk begins at 0 and continues at [`Page::next`].
    fn page(&self, from: u64, size: usize, wanted: &dyn Wanted) -> Page;
}
