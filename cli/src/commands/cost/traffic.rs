//! What passes the NAT gateway of an event, or the endpoints in its place (A18 of docs/capacity.md).
//!
//! Counted in a local run, as headers and bodies of the services' calls, with 0.3 KB a call for TLS and TCP. Calls to DynamoDB
//! and S3 are left out: they have gateway endpoints, which are free. So are pushes, which go to somebody else's network.

use super::batches::Batches;
use super::flow::Flow;
use super::publishes::Publishes;

/// A message in a receive and its entry in a delete; 0.7 of it are the receipt handle, which SQS makes longer than the local
/// cloud does.
const MESSAGE_KB: f64 = 2.2;
/// Headers of a receive and of a delete.
const RECEIVE_KB: f64 = 1.5;
const DELETE_KB: f64 = 1.3;
/// An event put on the bus, alone; the announcement is put by a Pipe, outside the network.
const PUT_EVENTS_KB: f64 = 2.0;
/// Headers of a publish, and a notification in it.
const PUBLISH_KB: f64 = 1.5;
const NOTIFICATION_KB: f64 = 1.15;
const MAIL_KB: f64 = 3.5;
/// A log line in a call is JSON in JSON, whose quotation marks are escaped.
const LOG_FACTOR: f64 = 1.2;
/// A document for X-Ray.
const DOCUMENT_KB: f64 = 1.0;

/// Shares of the events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    /// Those whose trace is recorded.
    pub(super) traced: f64,
    /// Those of which each hop writes its line.
    pub(super) logged: f64,
}

/// Returns the KB of an event, on average.
pub(super) fn kb_an_event(flow: &Flow, batches: Batches, publishes: Publishes, shares: Shares) -> f64 {
    let message = MESSAGE_KB + RECEIVE_KB / batches.receive + DELETE_KB / batches.delete;
    PUT_EVENTS_KB
        + f64::from(flow.messages) * message
        + publishes.calls * PUBLISH_KB
        + f64::from(flow.notifications) * NOTIFICATION_KB
        + f64::from(flow.mails) * MAIL_KB
        + f64::from(flow.log_bytes) / 1e3 * LOG_FACTOR * shares.logged
        + f64::from(flow.documents) * shares.traced * DOCUMENT_KB
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer;

    #[test]
    fn full_batches_have_fewer_headers() {
        let flow = Flow::of(&layer::resources("foostore", "prod").unwrap(), 0);
        let kb = |receive, delete, calls, shares| {
            let publishes = Publishes { calls, in_flight: 0.0 };
            kb_an_event(&flow, Batches { receive, delete }, publishes, shares)
        };
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 0.01, "{found}");
        let logged = Shares { traced: 0.0, logged: 1.0 };
        // 2.0 + 7 × (2.2 + 1.5 + 1.3) + 1.5 + 2 × 1.15 + 3.5 + 3.818 × 1.2
        near(kb(1.0, 1.0, 1.0, logged), 48.88);
        // 2.0 + 7 × (2.2 + 0.15 + 0.13) + 1.5 + 2 × 1.15 + 3.5 + 3.818 × 1.2
        near(kb(10.0, 10.0, 1.0, logged), 31.24);
        // Five events share a call: 1.5 × 4 ÷ 5 less.
        near(kb(10.0, 10.0, 1.0, logged) - kb(10.0, 10.0, 0.2, logged), 1.2);
        // 31 documents
        near(kb(10.0, 10.0, 1.0, Shares { traced: 0.05, logged: 1.0 }) - kb(10.0, 10.0, 1.0, logged), 1.55);
        // 3.818 × 1.2 × 0.95
        near(kb(10.0, 10.0, 1.0, logged) - kb(10.0, 10.0, 1.0, Shares { traced: 0.0, logged: 0.05 }), 4.35);
    }
}
