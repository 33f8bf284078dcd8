//! Where notifications are pushed to.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::uri::Scheme;
use sha2::{Digest as _, Sha256};
use telemetry::http_call::Peer;
use thiserror::Error;

use crate::address::Reach;

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// The webhook's URL, with what else is permitted. `Debug` shows the host alone: path and query may hold a secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    uri: Uri,
    host: String,
    /// Whether it may be at an address inside this network.
    pub(crate) private: bool,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("host", &self.host)
            .field("private", &self.private)
            .finish_non_exhaustive()
    }
}

/// Why a text is no URL of a webhook. The message does not quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum InvalidTarget {
    #[error("expected a URL such as https://app.example.com/notifications")]
    NoUrl,
    #[error("expected https, without which others can read and change what is pushed")]
    NotEncrypted,
    #[error("expected no user or password: requests are signed instead")]
    Credentials,
    #[error("expected port {HTTPS_PORT}; another one needs WEBHOOK_ALLOW_PRIVATE=true")]
    Port,
    #[error(
        "expected an address that everybody reaches; one inside this network needs WEBHOOK_ALLOW_PRIVATE=true"
    )]
    Inside,
    #[error("expected another address: this one is reserved, or that of metadata and credentials")]
    Reserved,
}

impl Target {
    /// Reads a URL. `private` permits addresses inside this network and any port; `plain` permits HTTP.
    pub(crate) fn read(text: &str, private: bool, plain: bool) -> Result<Self, InvalidTarget> {
        let uri: Uri = text.trim().parse().map_err(|_| InvalidTarget::NoUrl)?;
        let authority = uri.authority().ok_or(InvalidTarget::NoUrl)?;
        let usual = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => HTTPS_PORT,
            Some(scheme) if *scheme == Scheme::HTTP && plain => HTTP_PORT,
            Some(scheme) if *scheme == Scheme::HTTP => return Err(InvalidTarget::NotEncrypted),
            _ => return Err(InvalidTarget::NoUrl),
        };
        if authority.as_str().contains('@') {
            return Err(InvalidTarget::Credentials);
        }
        if !private && authority.port_u16().is_some_and(|port| port != usual) {
            return Err(InvalidTarget::Port);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let has_port = authority.as_str() != authority.host();
        if host.is_empty() || (has_port && authority.port_u16().is_none()) {
            return Err(InvalidTarget::NoUrl);
        }
        // A connection to an address resolves no name, so this is where it is checked.
        match host.parse::<IpAddr>().map(Reach::of) {
            Ok(Reach::Nobody) => return Err(InvalidTarget::Reserved),
            Ok(Reach::Inside) if !private => return Err(InvalidTarget::Inside),
            _ => {}
        }
        Ok(Self { uri, host, private })
    }

    /// Returns the URL to request.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns the host, without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Returns whom requests go to, for their spans; `node` is its name there.
    pub(crate) fn peer(&self, node: &'static str) -> Peer<'_> {
        let (scheme, usual) = if self.is_encrypted() { ("https", HTTPS_PORT) } else { ("http", HTTP_PORT) };
        Peer { node, scheme, host: &self.host, port: self.uri.port_u16().unwrap_or(usual) }
    }

    /// Whether it is requested over TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }

    /// Returns a digest by which the service's table recognizes the URL, and from which it cannot be read.
    pub(crate) fn digest(&self) -> String {
        let digest = Sha256::digest(self.uri.to_string());
        hex::encode(&digest[..16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_https_url_is_required_unless_more_is_permitted() {
        use InvalidTarget::{Credentials, Inside, NoUrl, NotEncrypted, Port, Reserved};
        // The URL; what is wrong with it in production, inside a network, and on a laptop.
        for (url, production, inside, laptop) in [
            ("https://app.example.com/hooks?x=1", None, None, None),
            ("https://app.example.com:443/", None, None, None),
            ("https://app.example.com:8443/", Some(Port), None, None),
            ("http://app.example.com/", Some(NotEncrypted), Some(NotEncrypted), None),
            ("https://user:secret@app.example.com/", Some(Credentials), Some(Credentials), Some(Credentials)),
            ("https://@app.example.com/", Some(Credentials), Some(Credentials), Some(Credentials)),
            ("https://10.0.0.7/", Some(Inside), None, None),
            ("https://[::ffff:10.0.0.7]/", Some(Inside), None, None),
            ("http://127.0.0.1:4566/_local/webhook", Some(NotEncrypted), Some(NotEncrypted), None),
            ("https://169.254.169.254/latest", Some(Reserved), Some(Reserved), Some(Reserved)),
            ("https://[fd00:ec2::254]/", Some(Reserved), Some(Reserved), Some(Reserved)),
            ("https://8.8.8.8/", None, None, None),
            ("ftp://app.example.com/", Some(NoUrl), Some(NoUrl), Some(NoUrl)),
            ("app.example.com", Some(NoUrl), Some(NoUrl), Some(NoUrl)),
            ("/hooks", Some(NoUrl), Some(NoUrl), Some(NoUrl)),
            ("https://", Some(NoUrl), Some(NoUrl), Some(NoUrl)),
            ("https://app.example.com:/", Some(NoUrl), Some(NoUrl), Some(NoUrl)),
            ("https://app.example.com:99999/", Some(NoUrl), Some(NoUrl), Some(NoUrl)),
        ] {
            for ((private, plain), expected) in
                [((false, false), production), ((true, false), inside), ((true, true), laptop)]
            {
                let read = Target::read(url, private, plain);
                assert_eq!(read.as_ref().err().copied(), expected, "{url} {private} {plain}");
            }
        }
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let target = Target::read("https://app.example.com/secret?token=secret", false, false).unwrap();
        assert!(!format!("{target:?}").contains("secret"), "{target:?}");
        let peer = Peer { node: "webhook", scheme: "https", host: "app.example.com", port: 443 };
        assert_eq!(target.peer("webhook"), peer);
        assert_eq!(target.digest().len(), 32);
        let other = Target::read("https://app.example.com/other", false, false).unwrap();
        assert_ne!(other.digest(), target.digest());
    }
}
