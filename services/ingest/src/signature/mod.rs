//! The signature of a request: proof that the sender knows a secret and sent this body recently.
//!
//! The scheme is that of [Standard Webhooks 1.0.0][spec]: the caller sends `webhook-id`, `webhook-timestamp` (seconds
//! since the epoch) and `webhook-signature`, one or several of `v1,` and the base64 of HMAC-SHA256 over
//! `<id>.<timestamp>.<body>`. Anyone who intercepts a request can repeat it within the tolerance. That changes nothing:
//! what an event does not say itself is derived from what was signed, so the repetition is a duplicate.
//!
//! [spec]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

mod secrets;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub use self::secrets::{InvalidSecrets, Secrets};

/// Header with the request's id; it stays the same when the request is sent again.
pub(crate) const ID_HEADER: &str = "webhook-id";
/// Header with the time of signing, in seconds since the epoch.
pub(crate) const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// Header with the signatures, separated by blanks.
pub(crate) const SIGNATURE_HEADER: &str = "webhook-signature";
/// How far the time of signing may be from now, in either direction.
pub(crate) const TOLERANCE_S: i64 = 300;

/// The most characters of a request's id.
const MAX_ID: usize = 128;
/// Before the base64 of a signature.
const VERSION: &str = "v1,";
/// The length of HMAC-SHA256.
const MAC_BYTES: usize = 32;
/// The namespace of the ids that are derived from a request's id: `uuid5(NAMESPACE_URL, "urn:foostore:webhook-id")`.
const NAMESPACE: Uuid = Uuid::from_u128(0xf8e0_7aa3_3781_5dc7_ae67_5e2d_7524_c890);

/// Why a request is not trusted. The caller sees it, so it reveals nothing about the right signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("the headers webhook-id, webhook-timestamp and webhook-signature are required, each once")]
    Missing,
    #[error("webhook-id must be 1 to {MAX_ID} visible ASCII characters without a full stop")]
    MalformedId,
    #[error("webhook-timestamp must be whole seconds since 1970-01-01T00:00:00Z")]
    MalformedTimestamp,
    #[error("webhook-timestamp must be within {TOLERANCE_S} seconds of now")]
    Expired,
    #[error(
        "webhook-signature must hold \"v1,\" and the base64 of an HMAC-SHA256, or several separated by blanks"
    )]
    MalformedSignature,
    #[error(
        "no signature is the HMAC-SHA256 over webhook-id, a full stop, webhook-timestamp, a full stop and the body as it \
         was sent"
    )]
    Mismatch,
}

/// What a request says about its signature, right in form and recent, but not yet verified.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    id: String,
    /// As it was sent and signed.
    timestamp: String,
    at: Timestamp,
    signatures: Vec<[u8; MAC_BYTES]>,
}

impl Signed {
    /// Reads the headers of a request that arrived at `now`. This needs no body, so that a request without a chance is
    /// refused before its body is read.
    pub(crate) fn read(headers: &HeaderMap, now: Timestamp) -> Result<Self, SignatureError> {
        let id = only(headers, ID_HEADER)?;
        let timestamp = only(headers, TIMESTAMP_HEADER)?;
        let signatures = only(headers, SIGNATURE_HEADER)?;
        // With a full stop in it, two ids could be signed by the same bytes.
        if !(1..=MAX_ID).contains(&id.len())
            || !id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.')
        {
            return Err(SignatureError::MalformedId);
        }
        let at = at(timestamp).ok_or(SignatureError::MalformedTimestamp)?;
        if now.as_second().abs_diff(at.as_second()) > TOLERANCE_S.unsigned_abs() {
            return Err(SignatureError::Expired);
        }
        // Signatures of other versions are for other receivers.
        let signatures: Vec<_> = signatures.split_ascii_whitespace().filter_map(mac).collect();
        if signatures.is_empty() {
            return Err(SignatureError::MalformedSignature);
        }
        Ok(Self { id: id.to_owned(), timestamp: timestamp.to_owned(), at, signatures })
    }

    /// Derives the id of an event without one: always the same for a request's id and, in a list, a place.
    pub(crate) fn event_id(&self, index: Option<usize>) -> Uuid {
        let name = match index {
            // A request's id contains no blank.
            Some(index) => format!("{} {index}", self.id),
            None => self.id.clone(),
        };
        Uuid::new_v5(&NAMESPACE, name.as_bytes())
    }

    /// Derives the time of an event without one: within the second of signing, and there as close to the arrival as
    /// possible, so that two changes signed in the same second keep their order.
    pub(crate) fn occurred_at(&self, arrival: Timestamp) -> Timestamp {
        let end = self.at.saturating_add(SignedDuration::from_nanos(999_999_999)).unwrap_or(self.at);
        arrival.clamp(self.at, end)
    }
}

/// Parses whole seconds since the epoch, without a sign.
fn at(timestamp: &str) -> Option<Timestamp> {
    let digits = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Timestamp::from_second(timestamp.parse().ok()?).ok())?
}

fn mac(signature: &str) -> Option<[u8; MAC_BYTES]> {
    BASE64_STANDARD.decode(signature.strip_prefix(VERSION)?).ok()?.try_into().ok()
}

/// Returns the value of a header that must occur once: of two, a proxy may have checked the other.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, SignatureError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| SignatureError::Missing),
        _ => Err(SignatureError::Missing),
    }
}

#[cfg(test)]
mod tests;
