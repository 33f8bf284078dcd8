//! Who gets in when not all do: a bound on connections and on the bytes of bodies in memory, both shared fairly.
//!
//! Neither bound refuses a newcomer for as long as somebody else merely waits. A connection waits while its next request
//! is not complete: it is idle, or sends slowly, or has announced a body that it does not send. When the bound is
//! reached, the connection that has waited longest gives way, among those of the peer with the most. So a peer that opens
//! or announces more than it sends takes places from itself only, and from nobody whose requests are complete. Nothing has
//! to know how many peers there are; behind a load balancer, which is then the only peer, the longest waiting gives way.

mod connection;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use self::connection::{Connection, Phase, Progress};
use crate::refusals::Refusals;

/// The reason under which connections are counted that gave way.
const DISPLACED: &str = "displaced";
/// The reason under which connections are counted for which nobody gave way.
const NO_PLACE: &str = "no-place";

/// What can be in use at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) connections: usize,
    /// Bytes of bodies, from their arrival until their requests are answered.
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
            let Some(id) = used.longest_waiting(|_| 1, None) else {
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

    /// Takes `count` bytes for the connection `id`; returns whether there was room.
    fn take(&self, id: u64, connection: &Connection, count: usize) -> bool {
        let mut used = self.lock();
        while used.bytes.saturating_add(count) > self.bounds.bytes {
            let Some(other) = used.longest_waiting(|other| other.bytes.load(Ordering::Relaxed), Some(id))
            else {
                return false;
            };
            used.displace(other);
            self.refusals.count(DISPLACED);
        }
        used.bytes += count;
        connection.bytes.fetch_add(count, Ordering::Relaxed);
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
    /// Returns the connection that gives way: of those that wait and have something to give, one of the peer that has the
    /// most of it, and of these the one that has waited longest.
    fn longest_waiting(&self, of: impl Fn(&Connection) -> usize, except: Option<u64>) -> Option<u64> {
        let mut shares: HashMap<IpAddr, usize> = HashMap::new();
        for connection in self.connections.values() {
            *shares.entry(connection.peer).or_default() += of(connection);
        }
        let others = self.connections.iter().filter(|(id, _)| Some(**id) != except);
        let waiting = others.filter(|(_, connection)| of(connection) > 0).filter_map(|(id, connection)| {
            let since = connection.waiting_since()?;
            Some((shares.get(&connection.peer).copied(), Reverse(since), *id))
        });
        waiting.max().map(|(_, _, id)| id)
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
        Held(self.clone())
    }
}

/// The bytes that a request's body takes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held(Place);

impl Held {
    /// Takes `count` more bytes; returns whether there was room.
    #[must_use]
    pub(crate) fn take(&self, count: usize) -> bool {
        let Owned { id, connection, admission } = &*self.0.0;
        admission.take(*id, connection, count)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.admission.give_back(&self.0);
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
