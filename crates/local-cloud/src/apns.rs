//! A receiver of pushes to phones, which stands for Apple's push service.
//!
//! It checks what Apple's checks of a push for a pass
//! ([Sending notification requests to APNs](https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns)),
//! apart from the client's certificate, since it speaks plain HTTP, and keeps what arrived for people and tests to inspect.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// The largest body that is read, in bytes: Apple's limit.
pub(crate) const MAX_BODY_BYTES: usize = 4 * 1024;
/// The most requests that are kept: the newest.
const MAX_KEPT: usize = 1_000;
/// The longest text of a header or path that is kept.
const MAX_TEXT: usize = 256;

/// A request as `GET /_local/apns` lists it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Push {
    /// The phone's push token.
    token: String,
    /// `apns-topic`.
    topic: String,
    received_at: Timestamp,
    /// The status that it was answered with, or would have been if the answer was not lost.
    status: u16,
    /// Why it was refused, in Apple's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

/// The receiver.
#[derive(Debug, Default)]
pub(crate) struct Apns {
    kept: Mutex<VecDeque<Arc<Push>>>,
}

impl Apns {
    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Push>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives a push. Returns the status and the reason to answer with. With `fault`, that is the answer to a push that
    /// would have been accepted.
    pub(crate) fn receive(
        &self,
        token: &str,
        headers: &HeaderMap,
        body: &[u8],
        fault: Option<(StatusCode, String)>,
    ) -> (StatusCode, Option<String>) {
        let text = |name: &str| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.chars().take(MAX_TEXT).collect::<String>())
        };
        let (status, reason) = match (wrong(token, headers, body), fault) {
            (Some(reason), _) => (StatusCode::BAD_REQUEST, Some(reason.to_owned())),
            (None, Some((status, reason))) => (status, Some(reason)),
            (None, None) => (StatusCode::OK, None),
        };
        let mut kept = self.kept();
        kept.push_back(Arc::new(Push {
            token: token.chars().take(MAX_TEXT).collect(),
            topic: text("apns-topic").unwrap_or_default(),
            received_at: Timestamp::now(),
            status: status.as_u16(),
            reason: reason.clone(),
            trace: text("x-amzn-trace-id"),
        }));
        if kept.len() > MAX_KEPT {
            kept.pop_front();
        }
        (status, reason)
    }

    /// Returns the newest requests, oldest first.
    pub(crate) fn received(&self) -> Vec<Arc<Push>> {
        self.kept().iter().cloned().collect()
    }

    pub(crate) fn forget(&self) {
        self.kept().clear();
    }
}

/// Returns what is wrong with a push for a pass, in Apple's word.
fn wrong(token: &str, headers: &HeaderMap, body: &[u8]) -> Option<&'static str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some("BadDeviceToken");
    }
    if text("apns-topic").is_empty() {
        return Some("MissingTopic");
    }
    if !text("apns-topic").starts_with("pass.") {
        return Some("BadTopic");
    }
    if text("apns-push-type") != "background" {
        return Some("InvalidPushType");
    }
    // Apple refuses what shows nothing and yet is to be delivered at once.
    if text("apns-priority") != "5" {
        return Some("BadPriority");
    }
    let payload: Option<Value> = serde_json::from_slice(body).ok();
    payload.is_none_or(|payload| !payload.is_object()).then_some("PayloadEmpty")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_push_for_a_pass_is_accepted_and_others_are_refused_and_all_are_listed() {
        const RIGHT: [(&str, &str); 3] =
            [("apns-topic", "pass.com.example"), ("apns-push-type", "background"), ("apns-priority", "5")];
        let apns = Apns::default();
        assert_eq!(apns.receive("0a1b", &headers(&RIGHT), b"{}", None), (StatusCode::OK, None));
        let gone = (StatusCode::GONE, "Unregistered".to_owned());
        let answer = apns.receive("0a1b", &headers(&RIGHT), b"{}", Some(gone));
        assert_eq!(answer, (StatusCode::GONE, Some("Unregistered".to_owned())));
        for (token, headers, body, reason) in [
            ("x", headers(&RIGHT), "{}", "BadDeviceToken"),
            ("0a1b", headers(&RIGHT[1..]), "{}", "MissingTopic"),
            ("0a1b", headers(&[("apns-topic", "com.example")]), "{}", "BadTopic"),
            ("0a1b", headers(&RIGHT[..1]), "{}", "InvalidPushType"),
            ("0a1b", headers(&RIGHT[..2]), "{}", "BadPriority"),
            ("0a1b", headers(&RIGHT), "", "PayloadEmpty"),
        ] {
            let (status, found) = apns.receive(token, &headers, body.as_bytes(), None);
            assert_eq!((status, found.as_deref()), (StatusCode::BAD_REQUEST, Some(reason)));
        }
        let received = apns.received();
        assert_eq!((received.len(), received[0].token.as_str(), received[1].status), (8, "0a1b", 410));
        apns.forget();
        assert!(apns.received().is_empty());
    }
}
