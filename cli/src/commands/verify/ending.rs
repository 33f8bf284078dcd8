//! Ctrl-C: the first one ends the work and removes the resources, the second one stops at once.

use std::pin::pin;

use crate::signals::Signals;
use crate::stdio::remark;

/// The second request to stop: whoever receives this returns at once.
#[derive(Debug)]
pub(super) struct AtOnce;

/// The requests to stop so far.
#[derive(Debug)]
pub(super) struct Ending {
    signals: Signals,
    asked: bool,
}

impl Ending {
    pub(super) fn new(signals: Signals) -> Self {
        Self { signals, asked: false }
    }

    /// Whether a stop was requested.
    pub(super) fn asked(&self) -> bool {
        self.asked
    }

    /// Does work that may be interrupted; returns `None` if it was.
    pub(super) async fn interruptible<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        if self.asked {
            return None;
        }
        tokio::select! {
            done = work => Some(done),
            () = self.signals.next() => {
                self.ask();
                None
            }
        }
    }

    /// Does work that the first request does not interrupt.
    ///
    /// # Errors
    /// [`AtOnce`] on the second request.
    pub(super) async fn finish<T>(&mut self, work: impl Future<Output = T>) -> Result<T, AtOnce> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = self.signals.next() => {
                    if self.asked {
                        return Err(AtOnce);
                    }
                    self.ask();
                }
            }
        }
    }

    fn ask(&mut self) {
        self.asked = true;
        remark("stopping after removing the resources (press Ctrl-C again to stop at once and leave them)");
    }
}
