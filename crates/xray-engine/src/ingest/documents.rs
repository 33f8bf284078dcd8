//! Segment documents as `PutTraceSegments` takes them.

use xray::{DocumentError, Segment};

use crate::clock::epoch_seconds;
use crate::store::Store;

/// Stores a document as it is, if X-Ray would accept it.
pub(crate) fn put(store: &dyn Store, document: &str) -> Result<(), DocumentError> {
    let segment = Segment::read_sent(document)?;
    let trace_id = segment.trace_id.ok_or(DocumentError::Missing("trace_id"))?;
    store.put(trace_id, &segment, document.to_owned(), epoch_seconds());
    Ok(())
}
