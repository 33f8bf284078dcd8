//! Signature Version 4 of a POST that has a body and no query
//! ([how a request is signed](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)).
//!
//! Keys are derived and used by the SDK's own functions. It derives one for each request, which is most of what a signature
//! takes; here one lasts for its day.

use std::fmt::Write as _;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use sha2::{Digest as _, Sha256};

/// The name of the algorithm.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The end of a scope.
const TERMINATOR: &str = "aws4_request";
/// The length of the date at the beginning of a time, in bytes.
const DATE: usize = 8;

/// The region and the service that a signature is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    region: String,
    service: String,
}

impl Scope {
    /// Returns the scope of the signature in an `Authorization` header. `None` if it is of another kind.
    pub(crate) fn of(authorization: &str) -> Option<Self> {
        let parameters = authorization.strip_prefix(ALGORITHM)?;
        let (_, credential) = parameters.split_once("Credential=")?;
        let mut parts = credential.split(',').next()?.rsplit('/');
        let terminator = parts.next()?;
        let (service, region) = (parts.next()?, parts.next()?);
        (terminator == TERMINATOR).then(|| Self { region: region.to_owned(), service: service.to_owned() })
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }
}

/// What is signed.
pub(crate) struct Request<'a> {
    /// The path, in which no character needs to be encoded.
    pub(crate) path: &'a str,
    /// The headers to be signed, in the order of their names, which are lower case.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
    /// The time in the form `20150830T123600Z`.
    pub(crate) time: &'a str,
}

/// The key that signs the requests of one day with the same credentials.
#[derive(Clone)]
pub(crate) struct Key {
    access_key_id: String,
    secret: String,
    date: String,
    scope: String,
    derived: Vec<u8>,
}

impl Key {
    /// Derives the key for the day of `now`, which is `time` in the form `20150830T123600Z`.
    pub(crate) fn derive(credentials: &Credentials, scope: &Scope, now: SystemTime, time: &str) -> Self {
        let date = date(time);
        let Scope { region, service } = scope;
        let secret = credentials.secret_access_key();
        Self {
            access_key_id: credentials.access_key_id().to_owned(),
            secret: secret.to_owned(),
            date: date.to_owned(),
            scope: format!("{date}/{region}/{service}/{TERMINATOR}"),
            derived: generate_signing_key(secret, now, region, service).as_ref().to_vec(),
        }
    }

    /// Whether the key is for these credentials on the day of `time`.
    pub(crate) fn fits(&self, credentials: &Credentials, time: &str) -> bool {
        self.date == date(time)
            && self.access_key_id == credentials.access_key_id()
            && self.secret == credentials.secret_access_key()
    }

    /// Returns the `Authorization` header of a request.
    pub(crate) fn authorization(&self, request: &Request<'_>) -> String {
        let Request { path, headers, body, time } = *request;
        let mut request = String::with_capacity(512);
        request.extend(["POST\n", path, "\n\n"]);
        let mut names = String::with_capacity(128);
        for (name, value) in headers {
            let separator = if names.is_empty() { "" } else { ";" };
            names.extend([separator, name]);
            request.extend([name, ":", value.trim(), "\n"]);
        }
        request.extend(["\n", &names, "\n"]);
        request.push_str(&hex::encode(Sha256::digest(body)));
        let digest = hex::encode(Sha256::digest(&request));
        let text = format!("{ALGORITHM}\n{time}\n{}\n{digest}", self.scope);

        let (id, scope) = (&self.access_key_id, &self.scope);
        let signature = calculate_signature(&self.derived, text.as_bytes());
        format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}")
    }
}

fn date(time: &str) -> &str {
    time.get(..DATE).unwrap_or(time)
}

/// Returns a time as it is signed, `20150830T123600Z`.
pub(crate) fn written(time: jiff::Timestamp) -> String {
    let time = jiff::tz::Offset::UTC.to_datetime(time);
    let mut text = String::with_capacity(16);
    let written = write!(
        text,
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    debug_assert!(written.is_ok());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "20150830T123600Z";

    fn now() -> SystemTime {
        SystemTime::from("2015-08-30T12:36:00Z".parse::<jiff::Timestamp>().unwrap())
    }

    fn credentials() -> Credentials {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        Credentials::new("AKIDEXAMPLE", secret, None, None, "test")
    }

    fn scope() -> Scope {
        Scope { region: "us-east-1".into(), service: "service".into() }
    }

    /// `post-vanilla` and `post-header-key-sort` of AWS's test suite.
    #[test]
    fn signs_as_the_test_suite_of_aws_does() {
        let key = Key::derive(&credentials(), &scope(), now(), TIME);
        let prefix =
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=";
        let headers = [("host", "example.amazonaws.com"), ("x-amz-date", TIME)];
        assert_eq!(
            key.authorization(&Request { path: "/", headers: &headers, body: b"", time: TIME }),
            format!(
                "{prefix}host;x-amz-date, \
                 Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
            )
        );
        let headers = [("host", "example.amazonaws.com"), ("my-header1", "value1"), ("x-amz-date", TIME)];
        assert_eq!(
            key.authorization(&Request { path: "/", headers: &headers, body: b"", time: TIME }),
            format!(
                "{prefix}host;my-header1;x-amz-date, \
                 Signature=c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"
            )
        );
    }

    #[test]
    fn a_key_is_for_one_day_and_one_pair_of_keys() {
        let key = Key::derive(&credentials(), &scope(), now(), TIME);
        assert!(key.fits(&credentials(), "20150830T235959Z"));
        assert!(!key.fits(&credentials(), "20150831T000000Z"));
        assert!(!key.fits(&Credentials::new("AKIDEXAMPLE", "other", None, None, "test"), TIME));
        assert!(!key.fits(&Credentials::new("OTHER", "x", None, None, "test"), TIME));
    }

    #[test]
    fn reads_the_scope_of_a_signature() {
        let of = |text: &str| Scope::of(text);
        let header = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host";
        assert_eq!(of(header), Some(scope()));
        assert_eq!(of("Bearer x"), None);
        assert_eq!(
            of("AWS4-ECDSA-P256-SHA256 Credential=A/20150830/service/aws4_request, SignedHeaders=host"),
            None
        );
        assert_eq!(of("AWS4-HMAC-SHA256 Credential=A"), None);
    }

    #[test]
    fn times_are_written_in_the_basic_format() {
        assert_eq!(written("2015-08-30T12:36:00.9Z".parse().unwrap()), TIME);
        assert_eq!(written("2026-01-02T03:04:05Z".parse().unwrap()), "20260102T030405Z");
    }
}
