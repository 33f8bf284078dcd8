//! The signature of a request: proof that the sender knows a secret and sent this body recently.
//!
//! The scheme is that of [Standard Webhooks 1.0.0][spec]: the sender sets `webhook-id`, `webhook-timestamp` (seconds
//! since the epoch) and `webhook-signature`, one or several of `v1,` and the base64 of HMAC-SHA256 over
//! `<id>.<timestamp>.<body>`. The id stays the same when a request is sent again, so that its receiver recognizes it.
//!
//! A sender signs with [`Secrets::sign`]. A receiver reads the headers with [`Signed::read`] and, once it has the body,
//! checks them with [`Secrets::verify`]:
//!
//! ```
//! use http::HeaderMap;
//! use webhook_signature::{ID_HEADER, SIGNATURE_HEADER, Secrets, Signed, TIMESTAMP_HEADER};
//!
//! let secrets: Secrets = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
//! let now = jiff::Timestamp::now();
//! let mut headers = HeaderMap::new();
//! headers.insert(ID_HEADER, "msg_1".parse()?);
//! headers.insert(TIMESTAMP_HEADER, now.as_second().into());
//! headers.insert(SIGNATURE_HEADER, secrets.sign("msg_1", now.as_second(), b"{}").parse()?);
//!
//! let signed = Signed::read(&headers, now)?;
//! secrets.verify(&signed, b"{}")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [spec]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

mod secrets;
mod signed;
#[cfg(test)]
mod tests;

pub use self::secrets::{InvalidSecrets, Secrets};
pub use self::signed::{ID_HEADER, SIGNATURE_HEADER, SignatureError, Signed, TIMESTAMP_HEADER, TOLERANCE_S};
