//! A connection, and how far its current request is.

use std::net::IpAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How far a connection's current request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// None has begun.
    Idle,
    /// Part of its head has arrived.
    Head,
    /// Its body is being read, or discarded.
    Body,
    /// It is complete.
    Answering,
}

/// What the connection's task, its requests and the admission share.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) peer: IpAddr,
    pub(crate) displaced: CancellationToken,
    /// The bytes that its requests hold and that count.
    pub(crate) bytes: AtomicUsize,
    progress: Mutex<Progress>,
    /// Cancelled when the body that is being read has to give way.
    body: Mutex<CancellationToken>,
}

/// The state of a connection, for its time limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) phase: Phase,
    /// When the connection became idle, or its request began.
    pub(crate) since: Instant,
    /// When the last byte arrived.
    pub(crate) last_read: Instant,
    /// Since when nothing could be written, if that is so.
    pub(crate) blocked_since: Option<Instant>,
}

impl Connection {
    pub(crate) fn new(peer: IpAddr) -> Self {
        let now = Instant::now();
        let progress = Progress { phase: Phase::Idle, since: now, last_read: now, blocked_since: None };
        Self {
            peer,
            displaced: CancellationToken::new(),
            bytes: AtomicUsize::new(0),
            progress: Mutex::new(progress),
            body: Mutex::default(),
        }
    }

    /// Returns since when it has waited; `None` while it is being answered.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        let progress = self.lock();
        (progress.phase != Phase::Answering).then_some(progress.since)
    }

    /// Begins a body; returns what is cancelled when it has to give way.
    pub(crate) fn begin_body(&self) -> CancellationToken {
        let mut body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        *body = CancellationToken::new();
        body.clone()
    }

    /// Makes the body that is being read give way.
    pub(crate) fn give_way(&self) {
        self.body.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }

    pub(crate) fn progress(&self) -> Progress {
        *self.lock()
    }

    /// Records that bytes arrived: the first ones after an answer begin a request.
    pub(crate) fn arrived(&self) {
        let now = Instant::now();
        let mut progress = self.lock();
        progress.last_read = now;
        if progress.phase == Phase::Idle {
            progress.phase = Phase::Head;
            progress.since = now;
        }
    }

    /// Records whether something is left to write that cannot be written.
    pub(crate) fn blocked(&self, blocked: bool) {
        let mut progress = self.lock();
        progress.blocked_since = blocked.then(|| progress.blocked_since.unwrap_or_else(Instant::now));
    }

    /// Records that the request is in this phase now.
    pub(crate) fn is_in(&self, phase: Phase) {
        let mut progress = self.lock();
        if phase == Phase::Idle {
            progress.since = Instant::now();
        }
        progress.phase = phase;
    }

    /// Records that the request is answered. Its body may still be on the way, to be discarded.
    pub(crate) fn answered(&self) {
        if self.progress().phase == Phase::Answering {
            self.is_in(Phase::Idle);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
