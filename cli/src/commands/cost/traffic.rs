//! What passes the NAT gateway of an event, or the endpoints in its place (A18 of docs/capacity.md).
//!
//! Counted in a local run, as headers and bodies of the services' calls, with 0.3 KB a call for TLS and TCP. Calls to DynamoDB
//! and S3 are left out: they have gateway endpoints, which are free. So are pushes, which go to somebody else's network.

use super::batches::Batches;
use super::flow::Flow;

/// A message in a receive and its entry in a delete; 0.7 of it are the receipt handle, which SQS makes longer than the local
/// cloud does.
const MESSAGE_KB: f64 = 2.2;
/// Headers of a receive and of a delete.
const RECEIVE_KB: f64 = 1.5;
const DELETE_KB: f64 = 1.3;
/// An event put on the bus, alone; the announcement is put by a Pipe, outside the network.
const PUT_EVENTS_KB: f64 = 2.0;
/// A batch of notifications of one member.
const PUBLISH_KB: f64 = 3.8;
const MAIL_KB: f64 = 3.5;
/// A log line in a call is JSON in JSON, whose quotation marks are escaped.
const LOG_FACTOR: f64 = 1.2;
/// A document for X-Ray.
const DOCUMENT_KB: f64 = 1.0;

/// Returns the KB of an event, of which the share `traced` is recorded.
pub(super) fn kb_an_event(flow: &Flow, batches: Batches, traced: f64) -> f64 {
    let message = MESSAGE_KB + RECEIVE_KB / batches.receive + DELETE_KB / batches.delete;
    let published = if flow.notifications > 0 { PUBLISH_KB } else { 0.0 };
    PUT_EVENTS_KB
        + f64::from(flow.messages) * message
        + published
        + f64::from(flow.mails) * MAIL_KB
        + f64::from(flow.log_bytes) / 1e3 * LOG_FACTOR
        + f64::from(flow.documents) * traced * DOCUMENT_KB
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer;

    #[test]
    fn full_batches_have_fewer_headers() {
        let flow = Flow::of(&layer::resources("foostore", "prod").unwrap(), 0);
        let kb = |receive, delete, traced| kb_an_event(&flow, Batches { receive, delete }, traced);
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 0.01, "{found}");
        // 2.0 + 7 × (2.2 + 1.5 + 1.3) + 3.8 + 3.5 + 3.818 × 1.2
        near(kb(1.0, 1.0, 0.0), 48.88);
        // 2.0 + 7 × (2.2 + 0.15 + 0.13) + 3.8 + 3.5 + 3.818 × 1.2
        near(kb(10.0, 10.0, 0.0), 31.24);
        // 31 documents
        near(kb(10.0, 10.0, 0.05) - kb(10.0, 10.0, 0.0), 1.55);
    }
}
