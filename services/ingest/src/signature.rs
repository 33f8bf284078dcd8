//! The signature of a request: proof that the sender knows the secret and sent this body recently.
//!
//! The caller sends `X-Signature-Timestamp`, seconds since the epoch, and `X-Signature`, the lower- or upper-case hex
//! of HMAC-SHA256 over `<timestamp>.<body>`. Anyone who intercepts a request can repeat it within the tolerance;
//! that is harmless for events with ids, because a second arrival of an id changes nothing.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use sha2::Sha256;

/// Header with the time of signing, in seconds since the epoch.
pub(crate) const TIMESTAMP_HEADER: &str = "x-signature-timestamp";
/// Header with the signature, in hex.
pub(crate) const SIGNATURE_HEADER: &str = "x-signature";
/// How far the time of signing may be from now, in either direction.
pub(crate) const TOLERANCE_S: i64 = 300;
/// The fewest bytes a secret may have: as many as the hash has
/// (<https://www.rfc-editor.org/rfc/rfc2104#section-3>).
pub(crate) const MIN_SECRET_BYTES: usize = 32;

/// A secret shared with the callers.
#[derive(Clone)]
pub(crate) struct Secret(Hmac<Sha256>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// The secret is too short to protect anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have at least {MIN_SECRET_BYTES} bytes")]
pub(crate) struct SecretTooShort;

/// Why a request is not trusted. The caller sees it, so it reveals nothing about the right signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("the headers X-Signature-Timestamp and X-Signature are required, each once")]
    Missing,
    #[error("X-Signature-Timestamp must be whole seconds since 1970-01-01T00:00:00Z")]
    MalformedTimestamp,
    #[error("X-Signature-Timestamp must be within {TOLERANCE_S} seconds of now")]
    Expired,
    #[error(
        "X-Signature must be the hex of HMAC-SHA256 over the timestamp, a full stop and the body as it was sent"
    )]
    Mismatch,
}

impl Secret {
    pub(crate) fn new(secret: &str) -> Result<Self, SecretTooShort> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(SecretTooShort);
        }
        // HMAC takes keys of any length.
        Hmac::new_from_slice(secret.as_bytes()).map(Self).map_err(|_| SecretTooShort)
    }

    /// Checks a request that arrived at `now_s` seconds since the epoch. Compares in constant time.
    pub(crate) fn verify(&self, headers: &HeaderMap, body: &[u8], now_s: i64) -> Result<(), SignatureError> {
        let timestamp = only(headers, TIMESTAMP_HEADER)?;
        let signature = only(headers, SIGNATURE_HEADER)?;
        if timestamp.is_empty() || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SignatureError::MalformedTimestamp);
        }
        let signed_at: i64 = timestamp.parse().map_err(|_| SignatureError::MalformedTimestamp)?;
        if now_s.abs_diff(signed_at) > TOLERANCE_S.unsigned_abs() {
            return Err(SignatureError::Expired);
        }
        let signature = hex::decode(signature).map_err(|_| SignatureError::Mismatch)?;
        let mut mac = self.0.clone();
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.verify_slice(&signature).map_err(|_| SignatureError::Mismatch)
    }
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
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NOW: i64 = 1_700_000_000;
    /// `printf '1700000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef`
    const SIGNATURE: &str = "417adf36b901772f658597a76d329694e335e65fc0849d7715c3ca33406309b5";

    fn headers(timestamp: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(TIMESTAMP_HEADER, timestamp.parse().unwrap());
        headers.insert(SIGNATURE_HEADER, signature.parse().unwrap());
        headers
    }

    fn verify(headers: &HeaderMap, body: &[u8], now_s: i64) -> Result<(), SignatureError> {
        Secret::new(SECRET).unwrap().verify(headers, body, now_s)
    }

    #[test]
    fn takes_what_openssl_signed_within_five_minutes_to_either_side() {
        let headers = headers("1700000000", SIGNATURE);
        for now in [NOW, NOW - 300, NOW + 300] {
            assert_eq!(verify(&headers, b"{}", now), Ok(()));
        }
        for now in [NOW - 301, NOW + 301, i64::MIN, i64::MAX] {
            assert_eq!(verify(&headers, b"{}", now), Err(SignatureError::Expired));
        }
        let upper = self::headers("1700000000", &SIGNATURE.to_uppercase());
        assert_eq!(verify(&upper, b"{}", NOW), Ok(()));
    }

    #[test]
    fn refuses_everything_else() {
        let right = headers("1700000000", SIGNATURE);
        assert_eq!(verify(&right, b"{ }", NOW), Err(SignatureError::Mismatch));
        assert_eq!(verify(&headers("1700000001", SIGNATURE), b"{}", NOW), Err(SignatureError::Mismatch));
        for wrong in ["", "zz", &SIGNATURE[..62], &SIGNATURE[1..]] {
            assert_eq!(verify(&headers("1700000000", wrong), b"{}", NOW), Err(SignatureError::Mismatch));
        }
        for wrong in ["", "now", "-1700000000", "+1700000000", "1700000000.5", "99999999999999999999"] {
            assert_eq!(
                verify(&headers(wrong, SIGNATURE), b"{}", NOW),
                Err(SignatureError::MalformedTimestamp)
            );
        }
        let mut twice = right.clone();
        twice.append(SIGNATURE_HEADER, SIGNATURE.parse().unwrap());
        for missing in [HeaderMap::new(), twice] {
            assert_eq!(verify(&missing, b"{}", NOW), Err(SignatureError::Missing));
        }
        let other = Secret::new("another secret of thirty-two bytes").unwrap();
        assert_eq!(other.verify(&right, b"{}", NOW), Err(SignatureError::Mismatch));
    }

    #[test]
    fn a_secret_is_long_and_stays_secret() {
        assert_eq!(Secret::new(&SECRET[1..]).unwrap_err(), SecretTooShort);
        assert_eq!(format!("{:?}", Secret::new(SECRET).unwrap()), "Secret(redacted)");
    }
}
