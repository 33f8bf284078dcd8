//! Puts documents.

use super::XRay;

/// Documents in one request (<https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html> has no limit; the daemon
/// sends as many).
const BATCH: usize = 50;

impl XRay {
    /// Puts segment documents, and returns why those were refused that were.
    ///
    /// # Errors
    /// When X-Ray cannot be reached.
    pub(crate) async fn put(&self, documents: Vec<String>) -> anyhow::Result<Vec<String>> {
        let mut refused = Vec::new();
        for batch in documents.chunks(BATCH) {
            let call = self.client.put_trace_segments().set_trace_segment_documents(Some(batch.to_vec()));
            let answer = call.send().await.map_err(|error| self.failure(&error))?;
            let unprocessed = answer.unprocessed_trace_segments.unwrap_or_default().into_iter();
            refused.extend(
                unprocessed.map(|segment| segment.message.or(segment.error_code).unwrap_or_default()),
            );
        }
        Ok(refused)
    }
}
