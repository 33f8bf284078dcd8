//! What a request says about its signature.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use jiff::Timestamp;

/// Header with the request's id; it stays the same when the request is sent again.
pub const ID_HEADER: &str = "webhook-id";
/// Header with the time of signing, in seconds since the epoch.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// Header with the signatures, separated by blanks.
pub const SIGNATURE_HEADER: &str = "webhook-signature";
/// How far the time of signing may be from now, in either direction.
pub const TOLERANCE_S: i64 = 300;

/// The most characters of a request's id.
const MAX_ID: usize = 128;
/// Before the base64 of a signature.
pub(crate) const VERSION: &str = "v1,";
/// The length of HMAC-SHA256.
const MAC_BYTES: usize = 32;

/// Why a request is not trusted. The caller sees it, so it reveals nothing about the right signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing, or occurs twice.
    #[error("the headers webhook-id, webhook-timestamp and webhook-signature are required, each once")]
    Missing,
    /// The id cannot be one.
    #[error("webhook-id must be 1 to {MAX_ID} visible ASCII characters without a full stop")]
    MalformedId,
    /// The time is no number of seconds.
    #[error("webhook-timestamp must be whole seconds since 1970-01-01T00:00:00Z")]
    MalformedTimestamp,
    /// The time is too long ago, or too far ahead.
    #[error("webhook-timestamp must be within {TOLERANCE_S} seconds of now")]
    Expired,
    /// No signature has the right form.
    #[error(
        "webhook-signature must hold \"v1,\" and the base64 of an HMAC-SHA256, or several separated by blanks"
    )]
    MalformedSignature,
    /// No signature is right.
    #[error(
        "no signature is the HMAC-SHA256 over webhook-id, a full stop, webhook-timestamp, a full stop and the body as it \
         was sent"
    )]
    Mismatch,
}

/// What a request says about its signature, right in form and recent, but not yet verified.
#[derive(Debug, Clone)]
pub struct Signed {
    pub(crate) id: String,
    /// As it was sent and signed.
    pub(crate) timestamp: String,
    at: Timestamp,
    pub(crate) signatures: Vec<[u8; MAC_BYTES]>,
}

impl Signed {
    /// Reads the headers of a request that arrived at `now`. This needs no body, so that a request without a chance is
    /// refused before its body is read.
    ///
    /// # Errors
    /// If a header is missing, malformed or too old.
    pub fn read(headers: &HeaderMap, now: Timestamp) -> Result<Self, SignatureError> {
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

    /// Returns the request's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the time of signing, in whole seconds.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
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
