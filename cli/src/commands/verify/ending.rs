//! Ctrl-C: the first ends the work and removes what was made, the second ends at once.

use std::pin::pin;

use crate::signals::Signals;
use crate::stdio::remark;

/// The second request to end: whoever gets this leaves at once.
#[derive(Debug)]
pub(super) struct AtOnce;

/// The requests to end so far.
#[derive(Debug)]
pub(super) struct Ending {
    signals: Signals,
    asked: bool,
}

impl Ending {
    pub(super) fn new(signals: Signals) -> Self {
        Self { signals, asked: false }
    }

    /// Whether it was asked to end.
    pub(super) fn asked(&self) -> bool {
        self.asked
    }

    /// Work that may be left in the middle; none if it was.
    pub(super) async fn or_leave<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
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

    /// Work that the first request does not touch.
    ///
    /// # Errors
    /// [`AtOnce`] at the second.
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
        remark("ending; what was made is removed first (Ctrl-C again ends at once and leaves it)");
    }
}
