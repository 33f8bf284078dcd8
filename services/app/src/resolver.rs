//! Resolves the host of the webhook to addresses that it may be at.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use thiserror::Error;
use tower::Service;

use crate::address::Reach;

/// Resolves a name, and keeps the addresses that are permitted. A connection is made to one of these, not to what the name
/// resolves to a moment later: whoever controls the DNS cannot change the address after it was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuardedResolver {
    /// Whether an address inside this network is permitted.
    pub(crate) private: bool,
}

/// Why a name has no address to connect to.
#[derive(Debug, Error)]
pub(crate) enum ResolveError {
    /// The name could not be resolved.
    #[error("host cannot be resolved")]
    Unresolved(#[source] io::Error),
    /// It resolves to addresses that are not permitted.
    #[error("no address of the host may be connected to")]
    Forbidden,
}

impl GuardedResolver {
    fn permitted(self, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, ResolveError> {
        let permitted: Vec<_> =
            found.filter(|address| Reach::of(address.ip()).is_permitted(self.private)).collect();
        if permitted.is_empty() { Err(ResolveError::Forbidden) } else { Ok(permitted) }
    }
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ResolveError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ResolveError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ResolveError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guard = *self;
        Box::pin(async move {
            // The connector replaces the port.
            let found =
                tokio::net::lookup_host((name.as_str(), 0)).await.map_err(ResolveError::Unresolved)?;
            Ok(guard.permitted(found)?.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_addresses_the_permitted_ones_are_left() {
        let found =
            ["127.0.0.1:0", "8.8.8.8:0", "169.254.169.254:0"].map(|it| it.parse::<SocketAddr>().unwrap());
        let left = |private| GuardedResolver { private }.permitted(found.into_iter()).unwrap();
        assert_eq!(left(false), found[1..2]);
        assert_eq!(left(true), found[..2]);
        let none = GuardedResolver { private: true }.permitted(found[2..].iter().copied());
        assert!(matches!(none, Err(ResolveError::Forbidden)));
    }

    #[tokio::test]
    async fn names_of_this_machine_are_refused_however_they_are_written() {
        // The last one is 127.0.0.1 to the system's resolver.
        for name in ["localhost", "2130706433"] {
            let resolved = GuardedResolver { private: false }.call(name.parse().unwrap()).await;
            assert!(resolved.is_err(), "{name}: {resolved:?}");
        }
        let mut permitted =
            GuardedResolver { private: true }.call("localhost".parse().unwrap()).await.unwrap();
        assert!(permitted.next().unwrap().ip().is_loopback());
    }
}
