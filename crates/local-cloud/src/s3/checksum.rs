//! Checksums of objects and of requests' bodies (Amazon S3 user guide, "Checking object integrity").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use md5::Md5;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use super::refusal::{invalid_argument, refused};
use crate::error::AwsError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Crc32,
    Crc32C,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// Algorithms that AWS knows besides.
const UNSUPPORTED: [&str; 5] = ["sha512", "md5", "xxhash64", "xxhash3", "xxhash128"];

impl Algorithm {
    const ALL: [Self; 5] = [Self::Crc32, Self::Crc32C, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// Returns the name in the model.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32C => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// Returns the checksum as it travels: the big-endian bytes in base64.
    fn of(self, bytes: &[u8]) -> String {
        let crc = |algorithm, length: usize| {
            STANDARD.encode(&crc_fast::checksum(algorithm, bytes).to_be_bytes()[8 - length..])
        };
        match self {
            Self::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc, 4),
            Self::Crc32C => crc(CrcAlgorithm::Crc32Iscsi, 4),
            Self::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme, 8),
            Self::Sha1 => STANDARD.encode(Sha1::digest(bytes)),
            Self::Sha256 => STANDARD.encode(Sha256::digest(bytes)),
        }
    }
}

/// A checksum and how it was computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checksum {
    pub(super) algorithm: Algorithm,
    pub(super) value: String,
}

impl Checksum {
    /// Returns the checksum that S3 adds to an object whose client sent none.
    pub(super) fn added(bytes: &[u8]) -> Self {
        Self { algorithm: Algorithm::Crc64Nvme, value: Algorithm::Crc64Nvme.of(bytes) }
    }

    /// Returns the checksum that a request carries.
    pub(super) fn sent(headers: &HeaderMap) -> Option<Self> {
        Algorithm::ALL.into_iter().find_map(|algorithm| {
            let value = headers.get(header(algorithm.name()))?.to_str().ok()?.to_owned();
            Some(Self { algorithm, value })
        })
    }

    /// Returns the member of an output that carries it.
    pub(super) fn member(&self) -> String {
        format!("Checksum{}", self.algorithm.name())
    }
}

/// Checks every digest that a request carries against its body.
///
/// # Errors
/// If one is malformed or another, or several checksums are there.
pub(super) fn verify(headers: &HeaderMap, body: &[u8]) -> Result<(), AwsError> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(name) = UNSUPPORTED.into_iter().find(|name| headers.contains_key(header(name))) {
        let message = format!("The local cloud does not support checksums by {name}");
        return Err(refused(http::StatusCode::NOT_IMPLEMENTED, "NotImplemented", message));
    }
    if let Some(sent) = text("content-md5") {
        let digest = STANDARD.decode(sent).ok().filter(|digest| digest.len() == 16);
        let Some(digest) = digest else {
            return Err(AwsError::bad_request("InvalidDigest", "The Content-MD5 you specified was invalid."));
        };
        if digest != Md5::digest(body).as_slice() {
            let message = "The Content-MD5 you specified did not match what we received.";
            return Err(AwsError::bad_request("BadDigest", message));
        }
    }
    let sent: Vec<_> = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| headers.contains_key(header(algorithm.name())))
        .collect();
    if sent.len() > 1 {
        let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
        return Err(AwsError::bad_request("InvalidRequest", message));
    }
    if let Some(Checksum { algorithm, value }) = Checksum::sent(headers) {
        let actual = algorithm.of(body);
        if value.len() != actual.len() || STANDARD.decode(&value).is_err() {
            let message = format!("Value for {} header is invalid.", header(algorithm.name()));
            return Err(AwsError::bad_request("InvalidRequest", message));
        }
        if value != actual {
            let message =
                format!("The {} you specified did not match the calculated checksum.", algorithm.name());
            return Err(AwsError::bad_request("BadDigest", message));
        }
    }
    if let Some(algorithm) = text("x-amz-sdk-checksum-algorithm")
        && sent.first().is_none_or(|sent| !sent.name().eq_ignore_ascii_case(algorithm))
    {
        let message = "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or \
                       x-amz-trailer headers were found.";
        return Err(AwsError::bad_request("InvalidRequest", message));
    }
    verify_payload_hash(text("x-amz-content-sha256"), body)
}

/// The signature covers a digest of the body, unless it says that it does not.
fn verify_payload_hash(sent: Option<&str>, body: &[u8]) -> Result<(), AwsError> {
    let Some(sent) = sent.filter(|sent| *sent != "UNSIGNED-PAYLOAD" && !sent.starts_with("STREAMING-"))
    else {
        return Ok(());
    };
    if sent.len() != 64 || hex::decode(sent).is_err() {
        let message = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                       STREAMING-AWS4-HMAC-SHA256-PAYLOAD or a valid sha256 value.";
        return Err(invalid_argument(message, "x-amz-content-sha256", sent));
    }
    if hex::encode(Sha256::digest(body)) == sent {
        return Ok(());
    }
    let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    Err(AwsError::bad_request("XAmzContentSHA256Mismatch", message))
}

fn header(algorithm: &str) -> String {
    format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogue of parametrised CRC algorithms, and of RFC 3174 and FIPS 180.
    #[test]
    fn checksums_are_those_of_their_definitions() {
        let of =
            |algorithm: Algorithm, bytes: &[u8]| hex::encode(STANDARD.decode(algorithm.of(bytes)).unwrap());
        assert_eq!(of(Algorithm::Crc32, b"123456789"), "cbf43926");
        assert_eq!(of(Algorithm::Crc32C, b"123456789"), "e3069283");
        assert_eq!(of(Algorithm::Crc64Nvme, b"123456789"), "ae8b14860a799888");
        assert_eq!(of(Algorithm::Sha1, b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert!(of(Algorithm::Sha256, b"abc").starts_with("ba7816bf8f01cfea"));
    }
}
