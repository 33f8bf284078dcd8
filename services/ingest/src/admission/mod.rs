//! Who gets in when not all do: a bound on connections and on the bytes of bodies in memory, both shared fairly.
//!
//! Neither bound refuses a newcomer for as long as somebody else merely waits. A connection waits while its next request
//! is not complete: it is idle, or sends slowly, or has announced a body that it does not send. When the bound is
//! reached, the connection that has waited longest gives way, among those of the peer with the most; of bodies, one that
//! had its time to arrive. So a peer that opens or announces more than it sends takes places from itself only, and from
//! nobody whose requests are complete. Nothing has to know how many peers there are; behind a load balancer, which is
//! then the only peer, the longest waiting gives way.

mod connection;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use self::connection::{Connection, Phase, Progress};
use crate::refusals::Refusals;

/// How long a body is left to arrive before it gives way to others.
const TIME_TO_ARRIVE: Duration = Duration::from_secs(1);
/// How long it may pause meanwhile.
const PAUSE: Duration = Duration::from_millis(250);
/// A body that takes no more has room even if others fill theirs, a quarter of the whole.
const SMALL_BODY: usize = 64 * 1024;
/// The reason under which connections and bodies are counted that gave way.
const DISPLACED: &str = "displaced";
/// The reason under which connections are counted for which nobody gave way.
const NO_PLACE: &str = "no-place";

/// What can be in use at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) connections: usize,
    /// Bytes of memory for bodies, from their arrival until their requests are answered.
    pub(crate) bytes: usize,
}

/// The connections and bytes in use. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    bounds: Bounds,
    used: Arc<Mutex<Used>>,
    refusals: Refusals,
}

#[derive(Debug, Default)]
struct Used {
    connections: HashMap<u64, Arc<Connection>>,
    last_id: u64,
    bytes: usize,
}

impl Admission {
    pub(crate) fn new(bounds: Bounds, refusals: Refusals) -> Self {
        Self { bounds, used: Arc::default(), refusals }
    }

    /// Makes room for a connection from `address`; returns `None` if every other is being answered.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut used = self.lock();
        if used.connections.len() >= self.bounds.connections {
            let Some(id) = used.connection_that_gives_way() else {
                drop(used);
                self.refusals.exhausted(NO_PLACE);
                return None;
            };
            used.displace(id);
            self.refusals.count(DISPLACED);
        }
        used.last_id += 1;
        let id = used.last_id;
        let connection = Arc::new(Connection::new(peer(address)));
        used.connections.insert(id, Arc::clone(&connection));
        Some(Place(Arc::new(Owned { id, connection, admission: self.clone() })))
    }

    /// Takes `count` bytes for a body of the connection `id`; returns whether there was room.
    fn take(&self, id: u64, own: &Connection, count: usize) -> bool {
        let small = own.bytes.load(Ordering::Relaxed).saturating_add(count) <= SMALL_BODY;
        let bound = if small { self.bounds.bytes } else { self.bounds.bytes - self.bounds.bytes / 4 };
        let mut used = self.lock();
        while used.bytes.saturating_add(count) > bound {
            let Some(other) = used.body_that_gives_way(id, own, count) else { return false };
            used.bytes -= other.bytes.swap(0, Ordering::Relaxed);
            other.give_way();
            drop(used);
            self.refusals.count(DISPLACED);
            used = self.lock();
        }
        used.bytes += count;
        own.bytes.fetch_add(count, Ordering::Relaxed);
        true
    }

    fn give_back(&self, connection: &Connection) {
        let mut used = self.lock();
        used.bytes -= connection.bytes.swap(0, Ordering::Relaxed);
    }

    fn leave(&self, id: u64) {
        self.lock().connections.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn in_use(&self) -> (usize, usize) {
        let used = self.lock();
        (used.connections.len(), used.bytes)
    }
}

impl Used {
    /// Returns the connection that gives way to another.
    fn connection_that_gives_way(&self) -> Option<u64> {
        let shares = self.shares(|_| 1);
        let waiting = self.connections.iter().filter_map(|(id, connection)| {
            Some((shares.get(&connection.peer).copied(), Reverse(connection.waiting_since()?), *id))
        });
        waiting.max().map(|(_, _, id)| id)
    }

    /// Returns the connection whose body gives way to `count` more bytes of the connection `id`. Bodies have a moment to
    /// arrive, so that of many at a time some come to an end; but not if they pause, or are of a peer that has far more.
    fn body_that_gives_way(&self, id: u64, own: &Connection, count: usize) -> Option<Arc<Connection>> {
        let now = Instant::now();
        let shares = self.shares(|connection| connection.bytes.load(Ordering::Relaxed));
        let share = |peer| shares.get(&peer).copied().unwrap_or_default();
        let own_share = share(own.peer) + count;
        let others = self.connections.iter().filter(|(other, _)| **other != id);
        let waiting = others.filter_map(|(_, other)| {
            let since = other.waiting_since().filter(|_| other.bytes.load(Ordering::Relaxed) > 0)?;
            let silent = now.duration_since(other.progress().last_read) >= PAUSE;
            let late =
                silent || now.duration_since(since) >= TIME_TO_ARRIVE || share(other.peer) > 2 * own_share;
            late.then_some((share(other.peer), Reverse(since), other))
        });
        waiting.max_by_key(|(share, since, _)| (*share, *since)).map(|(_, _, other)| Arc::clone(other))
    }

    /// What each peer has, by what each of its connections has.
    fn shares(&self, of: impl Fn(&Connection) -> usize) -> HashMap<IpAddr, usize> {
        let mut shares = HashMap::new();
        for connection in self.connections.values() {
            *shares.entry(connection.peer).or_default() += of(connection);
        }
        shares
    }

    /// Ends a connection. What it used counts as free at once, although it lasts until its task notices.
    fn displace(&mut self, id: u64) {
        if let Some(connection) = self.connections.remove(&id) {
            self.bytes -= connection.bytes.swap(0, Ordering::Relaxed);
            connection.displaced.cancel();
        }
    }
}

/// A connection's place. Clones are the same place; it is free again when all are dropped.
#[derive(Debug, Clone)]
pub(crate) struct Place(Arc<Owned>);

#[derive(Debug)]
struct Owned {
    id: u64,
    connection: Arc<Connection>,
    admission: Admission,
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.admission.leave(self.id);
    }
}

impl Deref for Place {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0.connection
    }
}

impl Place {
    /// Starts to hold bytes of a body.
    pub(crate) fn hold(&self) -> Held {
        Held { gives_way: self.0.connection.begin_body(), place: self.clone() }
    }
}

/// The bytes that a request's body takes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    place: Place,
    gives_way: CancellationToken,
}

impl Held {
    /// Takes `count` more bytes; returns whether there was room.
    #[must_use]
    pub(crate) fn take(&self, count: usize) -> bool {
        let Owned { id, connection, admission } = &*self.place.0;
        admission.take(*id, connection, count)
    }

    /// Waits until the body has to give way.
    pub(crate) async fn gives_way(&self) {
        self.gives_way.cancelled().await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.place.0.admission.give_back(&self.place);
    }
}

/// Returns who an address belongs to: of IPv6, a subscriber has at least a network of 64 bits.
fn peer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests;
