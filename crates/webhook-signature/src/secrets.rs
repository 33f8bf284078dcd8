//! The secrets that requests are signed with.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::signed::{SignatureError, Signed, VERSION};

/// Before the base64 of a secret, so that it can be recognized; it may be left out.
const PREFIX: &str = "whsec_";
/// How many bytes a secret has, at least and at most.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Secrets shared by sender and receiver: one, or several while one replaces another.
///
/// Parsed from base64 as [Standard Webhooks] has it, with or without the prefix `whsec_`, separated by commas or white
/// space.
///
/// ```
/// let secrets: webhook_signature::Secrets = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
/// let signatures = secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
/// assert_eq!(signatures, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
/// # Ok::<(), webhook_signature::InvalidSecrets>(())
/// ```
///
/// [Standard Webhooks]: https://www.standardwebhooks.com
#[derive(Clone)]
pub struct Secrets(Vec<Hmac<Sha256>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(redacted)")
    }
}

/// A secret that is malformed, or too short to protect anything. The message does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be the base64 of {} to {} random bytes, such as from `openssl rand -base64 32`; several are separated by commas",
    SECRET_BYTES.start(), SECRET_BYTES.end()
)]
pub struct InvalidSecrets;

impl FromStr for Secrets {
    type Err = InvalidSecrets;

    fn from_str(text: &str) -> Result<Self, InvalidSecrets> {
        let secrets = text.split(|separator: char| separator == ',' || separator.is_ascii_whitespace());
        let keys: Vec<_> = secrets
            .filter(|secret| !secret.is_empty())
            .map(key)
            .collect::<Option<_>>()
            .ok_or(InvalidSecrets)?;
        if keys.is_empty() { Err(InvalidSecrets) } else { Ok(Self(keys)) }
    }
}

fn key(secret: &str) -> Option<Hmac<Sha256>> {
    let bytes = BASE64_STANDARD.decode(secret.strip_prefix(PREFIX).unwrap_or(secret)).ok()?;
    // HMAC takes keys of any length.
    SECRET_BYTES.contains(&bytes.len()).then(|| Hmac::new_from_slice(&bytes).ok())?
}

impl Secrets {
    /// Returns the value of `webhook-signature`: a signature for each secret.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let timestamp = timestamp_s.to_string();
        let signatures = self.0.iter().map(|key| {
            let mac = over(key, id, &timestamp, body).finalize().into_bytes();
            format!("{VERSION}{}", BASE64_STANDARD.encode(mac))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }

    /// Checks that one of the signatures is one of these secrets'. Compares in constant time.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`] if none is.
    pub fn verify(&self, signed: &Signed, body: &[u8]) -> Result<(), SignatureError> {
        let right = self.0.iter().any(|key| {
            let mac = over(key, &signed.id, &signed.timestamp, body);
            signed.signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
        });
        if right { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}

fn over(key: &Hmac<Sha256>, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac
}
