//! Serialises output to the terminal when several tasks write.
//!
//! A dedicated thread writes, so that a stalled terminal (Ctrl-S, a full pipe) never blocks the tasks that read the
//! services' output. Log lines are then dropped and counted; output that must not be lost waits.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::stdio::write;

/// How many pieces may wait for the terminal: a few seconds of busy logs.
const WAITING: usize = 4096;
/// How long closing waits for a stalled terminal.
const CLOSE: Duration = Duration::from_secs(2);

enum Piece {
    /// For people.
    Text(String),
    /// For programs: always standard output, one line.
    Machine(String),
    /// Acknowledged once everything before it has been written.
    Mark(oneshot::Sender<()>),
}

/// Where people's text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// People read standard output.
    People,
    /// A program reads standard output; people's text goes to standard error.
    Program,
}

/// A handle to the terminal; clones write to the same one. Each call's text appears in one piece.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    pieces: mpsc::Sender<Piece>,
    dropped: Arc<AtomicU64>,
}

impl Screen {
    /// Starts the writing thread.
    ///
    /// # Errors
    /// When the system refuses to start a thread.
    pub(crate) fn start(audience: Audience) -> io::Result<Self> {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        std::thread::Builder::new().name("screen".to_owned()).spawn(move || {
            while let Some(piece) = receiver.blocking_recv() {
                match piece {
                    // A closed reader (`foostore up | head`) is no reason to stop the services.
                    Piece::Text(text) if audience == Audience::People => {
                        drop(write(io::stdout().lock(), &text));
                    }
                    Piece::Text(text) => drop(write(io::stderr().lock(), &text)),
                    Piece::Machine(text) => drop(write(io::stdout().lock(), &text)),
                    Piece::Mark(done) => drop(done.send(())),
                }
            }
        })?;
        Ok(Self { pieces: sender, dropped: Arc::new(AtomicU64::new(0)) })
    }

    /// Writes log lines. Never waits: if the terminal cannot keep up, the lines are dropped here; the files have them.
    pub(crate) fn log(&self, mut lines: Vec<String>) {
        let count = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let missed = self.dropped.swap(0, Ordering::Relaxed);
        if missed > 0 {
            lines.insert(
                0,
                format!(
                    "… {missed} log lines not shown because the terminal was too slow; the log files have them"
                ),
            );
        }
        if self.pieces.try_send(Piece::Text(lines.join("\n"))).is_err() {
            self.dropped.fetch_add(missed + count, Ordering::Relaxed);
        }
    }

    /// Writes text that must not be dropped, such as a trace tree. Waits for the terminal.
    pub(crate) async fn text(&self, text: String) {
        // The thread ends only with the last handle, so there is always a receiver.
        drop(self.pieces.send(Piece::Text(text)).await);
    }

    /// Writes one line of JSON to standard output. Waits for the reader.
    pub(crate) async fn machine(&self, value: &serde_json::Value) {
        drop(self.pieces.send(Piece::Machine(value.to_string())).await);
    }

    /// Waits, for at most two seconds, until everything so far has been written.
    pub(crate) async fn flushed(&self) {
        let (done, written) = oneshot::channel();
        let wait = async {
            if self.pieces.send(Piece::Mark(done)).await.is_ok() {
                drop(written.await);
            }
        };
        drop(tokio::time::timeout(CLOSE, wait).await);
    }
}
