//! Ctrl-C and SIGTERM.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// Signals closer together than this count as one request: tools such as `timeout` signal a process and then its
/// group.
const ONE_REQUEST: Duration = Duration::from_millis(200);

/// The signals by which a person or a supervisor requests the end of this process.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    last: Option<Instant>,
}

impl Signals {
    /// Installs the handlers. From now on the signals no longer end the process by themselves.
    ///
    /// # Errors
    /// When the system refuses a signal handler.
    pub(crate) fn install() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            // The terminal window was closed: drain as well.
            hangup: signal(SignalKind::hangup())?,
            last: None,
        })
    }

    /// Waits for the next request to stop. Cancel safe.
    pub(crate) async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
                _ = self.hangup.recv() => {}
            }
            let now = Instant::now();
            if self.last.replace(now).is_none_or(|last| now - last > ONE_REQUEST) {
                return;
            }
        }
    }
}
