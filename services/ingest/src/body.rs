//! Reads a request's body, within bounds of time and memory.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use crate::admission::{Held, Phase, Place};
use crate::limits::MAX_BODY_BYTES;
use crate::problem::Problem;

/// How long a body may pause.
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// The fewest bytes that arrive in a second, on average once [`MAX_PAUSE`] is over.
const MIN_BYTES_PER_S: u32 = 4 * 1024;
/// How long the rest of a refused body is read.
const LINGER: Duration = Duration::from_secs(2);

/// A body in memory.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    /// Its share of the memory for bodies.
    held: Held,
}

/// Reads a body whose request began at `started` and must be complete by `deadline`.
pub(crate) async fn read(
    body: &mut Body,
    place: &Place,
    started: Instant,
    deadline: Instant,
) -> Result<Received, Problem> {
    let mut received = Received { bytes: Vec::new(), held: place.hold() };
    let mut last = started;
    loop {
        let due = deadline.min(last + MAX_PAUSE).min(started + MAX_PAUSE + time_for(received.bytes.len()));
        let frame = tokio::select! {
            frame = timeout_at(due, body.frame()) => frame.map_err(|_| Problem::request_timeout())?,
            () = received.held.gives_way() => return Err(Problem::overloaded()),
        };
        let Some(frame) = frame else { return Ok(received) };
        let frame = frame.map_err(|_| Problem::malformed_json("connection closed mid-body"))?;
        if let Ok(chunk) = frame.into_data() {
            received.add(&chunk)?;
            last = Instant::now();
        }
    }
}

impl Received {
    /// Adds a chunk. What counts is the memory that the body takes, which grows twofold.
    fn add(&mut self, chunk: &[u8]) -> Result<(), Problem> {
        let length = self.bytes.len() + chunk.len();
        if length > MAX_BODY_BYTES {
            return Err(Problem::body_too_large());
        }
        let capacity = self.bytes.capacity();
        if length > capacity {
            let more = length.max(2 * capacity).min(MAX_BODY_BYTES) - capacity;
            if !self.held.take(more) {
                return Err(Problem::overloaded());
            }
            self.bytes.reserve_exact(capacity + more - self.bytes.len());
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }
}

/// How long this many bytes may take.
fn time_for(bytes: usize) -> Duration {
    Duration::from_secs(1) * u32::try_from(bytes).unwrap_or(u32::MAX) / MIN_BYTES_PER_S
}

/// Reads on for a moment and forgets what it reads: a caller that is still sending when the connection is reset never
/// sees its answer.
pub(crate) fn discard(mut body: Body, place: Place) {
    place.is_in(Phase::Body);
    tokio::spawn(async move {
        let due = Instant::now() + LINGER;
        let mut left = MAX_BODY_BYTES;
        while let Ok(Some(Ok(frame))) = timeout_at(due, body.frame()).await {
            let length = frame.data_ref().map_or(0, bytes::Bytes::len);
            if length > left {
                break;
            }
            left -= length;
        }
        drop(body);
        place.is_in(Phase::Idle);
    });
}
