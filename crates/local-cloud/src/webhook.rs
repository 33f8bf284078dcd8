//! A receiver of webhooks, which stands for the back end that services push to.
//!
//! It verifies requests by the specification
//! [Standard Webhooks 1.0.0](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md), answers
//! as a fault says, and keeps what arrived for people and tests to inspect.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use webhook_signature::{ID_HEADER, Secrets, Signed};

/// The largest body that is read, in bytes: pushes are to be below 20 KB.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;
/// The most requests that are kept: the newest.
const MAX_KEPT: usize = 1_000;
/// The longest text of a header that is kept.
const MAX_HEADER: usize = 256;

/// A request as `GET /_local/webhook` lists it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Push {
    /// `webhook-id`, which stays the same when a push is repeated.
    id: String,
    received_at: Timestamp,
    /// The status that it was answered with, or would have been if the answer was not lost.
    status: u16,
    /// Whether the answer was lost.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lost: bool,
    /// Whether a push with the same id had been accepted before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repeated: bool,
    /// What is wrong with the signature, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    body: Value,
}

/// The receiver.
#[derive(Debug)]
pub(crate) struct Webhook {
    secrets: Option<Secrets>,
    kept: Mutex<VecDeque<Arc<Push>>>,
}

impl Webhook {
    /// Creates a receiver that refuses what none of the secrets signed. Secrets that cannot be read verify nothing, so that
    /// every push is refused.
    pub(crate) fn new(secrets: &str) -> Self {
        Self { secrets: secrets.parse().ok(), kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Push>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives a request. Returns the status to answer with: 204, or 401 if its signature is not right. With `fault`, that is
    /// the answer to a request that would have been accepted. `lost` says that the answer will not arrive.
    pub(crate) fn receive(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        fault: Option<StatusCode>,
        lost: bool,
    ) -> StatusCode {
        let now = Timestamp::now();
        let verified = self.verify(headers, body, now);
        let status = match (&verified, fault) {
            (Err(_), _) => StatusCode::UNAUTHORIZED,
            (Ok(()), Some(status)) => status,
            (Ok(()), None) => StatusCode::NO_CONTENT,
        };
        let text = |name: &str| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.chars().take(MAX_HEADER).collect::<String>())
        };
        let id = text(ID_HEADER).unwrap_or_default();
        let mut kept = self.kept();
        let accepted = |push: &Arc<Push>| push.id == id && (200..300).contains(&push.status);
        let repeated = kept.iter().any(accepted);
        kept.push_back(Arc::new(Push {
            id,
            received_at: now,
            status: status.as_u16(),
            lost,
            repeated,
            error: verified.err(),
            trace: text("x-amzn-trace-id"),
            traceparent: text("traceparent"),
            body: serde_json::from_slice(body).unwrap_or_default(),
        }));
        if kept.len() > MAX_KEPT {
            kept.pop_front();
        }
        status
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), String> {
        let secrets = self.secrets.as_ref().ok_or("the receiver's own secrets cannot be read")?;
        let signed = Signed::read(headers, now).map_err(|error| error.to_string())?;
        secrets.verify(&signed, body).map_err(|error| error.to_string())
    }

    /// Returns the newest requests, oldest first.
    pub(crate) fn received(&self) -> Vec<Arc<Push>> {
        self.kept().iter().cloned().collect()
    }

    pub(crate) fn forget(&self) {
        self.kept().clear();
    }
}

#[cfg(test)]
mod tests {
    use webhook_signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER};

    use super::*;
    use crate::WEBHOOK_SECRET;

    fn signed(id: &str, body: &[u8]) -> HeaderMap {
        let now = Timestamp::now().as_second();
        let mut headers = HeaderMap::new();
        headers.insert(ID_HEADER, id.parse().unwrap());
        headers.insert(TIMESTAMP_HEADER, now.into());
        let signature = WEBHOOK_SECRET.parse::<Secrets>().unwrap().sign(id, now, body);
        headers.insert(SIGNATURE_HEADER, signature.parse().unwrap());
        headers
    }

    #[test]
    fn what_is_signed_is_accepted_and_the_rest_refused_and_both_are_listed() {
        let webhook = Webhook::new(WEBHOOK_SECRET);
        let body = br#"{"type": "notification.member-renamed"}"#;
        assert_eq!(webhook.receive(&signed("a", body), body, None, true), StatusCode::NO_CONTENT);
        assert_eq!(webhook.receive(&signed("a", body), body, None, false), StatusCode::NO_CONTENT);
        assert_eq!(webhook.receive(&signed("b", body), b"{}", None, false), StatusCode::UNAUTHORIZED);
        assert_eq!(webhook.receive(&HeaderMap::new(), b"{}", None, false), StatusCode::UNAUTHORIZED);
        let gone = Some(StatusCode::GONE);
        assert_eq!(webhook.receive(&signed("c", body), body, gone, false), StatusCode::GONE);
        let received = webhook.received();
        let shown: Vec<_> =
            received.iter().map(|it| (it.id.as_str(), it.status, it.lost, it.repeated)).collect();
        assert_eq!(
            shown,
            [
                ("a", 204, true, false),
                ("a", 204, false, true),
                ("b", 401, false, false),
                ("", 401, false, false),
                ("c", 410, false, false)
            ]
        );
        assert_eq!(received[0].body["type"], "notification.member-renamed");
        assert!(received[2].error.as_ref().unwrap().contains("no signature is"));
        webhook.forget();
        assert!(webhook.received().is_empty());
    }

    #[test]
    fn the_newest_are_kept() {
        let webhook = Webhook::new(WEBHOOK_SECRET);
        for number in 0..=MAX_KEPT {
            webhook.receive(&signed(&number.to_string(), b"{}"), b"{}", None, false);
        }
        let received = webhook.received();
        assert_eq!((received.len(), received[0].id.as_str()), (MAX_KEPT, "1"));
    }
}
