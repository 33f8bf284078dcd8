//! Where pushes go.

use http::Uri;
use http::uri::Scheme;
use telemetry::http_call::Peer;
use thiserror::Error;

use crate::device::PushToken;

/// The dependency that is named when a push fails, and the node in a trace.
pub(crate) const APNS: &str = "APNs";

/// The address of Apple's push service, or of what stands for it. Passes have the production one only
/// ([Adding a web service to update passes](https://developer.apple.com/documentation/walletpasses/adding-a-web-service-to-update-passes)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    base: String,
    encrypted: bool,
    host: String,
    port: u16,
}

/// Why a text is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum InvalidEndpoint {
    #[error("expected a URL such as https://api.push.apple.com")]
    NoUrl,
    #[error("expected https, without which others can read push tokens")]
    NotEncrypted,
}

impl Endpoint {
    /// Reads a URL. `plain` permits HTTP.
    pub(crate) fn read(text: &str, plain: bool) -> Result<Self, InvalidEndpoint> {
        let uri: Uri = text.trim().parse().map_err(|_| InvalidEndpoint::NoUrl)?;
        let host = uri.host().ok_or(InvalidEndpoint::NoUrl)?.to_owned();
        let encrypted = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP && plain => false,
            Some(scheme) if *scheme == Scheme::HTTP => return Err(InvalidEndpoint::NotEncrypted),
            _ => return Err(InvalidEndpoint::NoUrl),
        };
        if uri.query().is_some() {
            return Err(InvalidEndpoint::NoUrl);
        }
        let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        Ok(Self { base: text.trim().trim_end_matches('/').to_owned(), encrypted, host, port })
    }

    /// Returns the address of a phone.
    pub(crate) fn of(&self, token: &PushToken) -> String {
        format!("{}/3/device/{}", self.base, token.as_str())
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Returns whom requests go to, for their spans.
    pub(crate) fn peer(&self) -> Peer<'_> {
        let scheme = if self.encrypted { "https" } else { "http" };
        Peer { node: APNS, scheme, host: &self.host, port: self.port }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_has_an_address_below_the_endpoint() {
        let endpoint = Endpoint::read("https://api.push.apple.com/", false).unwrap();
        assert_eq!(endpoint.of(&"0a1b".parse().unwrap()), "https://api.push.apple.com/3/device/0a1b");
        let peer = Peer { node: APNS, scheme: "https", host: "api.push.apple.com", port: 443 };
        assert_eq!(endpoint.peer(), peer);
        let local = Endpoint::read("http://127.0.0.1:4566/_local/apns", true).unwrap();
        assert_eq!(local.peer(), Peer { node: APNS, scheme: "http", host: "127.0.0.1", port: 4566 });
        assert_eq!(Endpoint::read("http://127.0.0.1", false), Err(InvalidEndpoint::NotEncrypted));
        for wrong in ["", "api.push.apple.com", "ftp://x", "https://", "https://x/?y"] {
            assert_eq!(Endpoint::read(wrong, true), Err(InvalidEndpoint::NoUrl), "{wrong}");
        }
    }
}
