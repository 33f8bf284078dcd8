//! What is done while nobody asks: traces are indexed, and what arrived is made durable.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::database::{Database, lock};
use super::error::StoreError;
use crate::clock::epoch_seconds;

/// How long what arrived may not be durable.
const COMMIT_INTERVAL: Duration = Duration::from_millis(200);
/// Commits from one indexing to the next: most traces are whole after seconds, and indexing one again costs the same.
const COMMITS: u32 = 10;
/// How long X-Ray keeps traces, in seconds: 30 days
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-traces>).
const RETENTION_S: f64 = 30.0 * 24.0 * 60.0 * 60.0;

/// A thread that ends with this value, after it has written everything.
#[derive(Debug)]
pub(super) struct Upkeep {
    /// Closed to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Upkeep {
    pub(super) fn start(database: Arc<Mutex<Database>>) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("traces".to_owned()).spawn(move || {
            let mut failing = false;
            let mut rounds = (1..=COMMITS).cycle();
            loop {
                let ended = stopped.recv_timeout(COMMIT_INTERVAL) != Err(RecvTimeoutError::Timeout);
                let round = rounds.next().unwrap_or(COMMITS);
                let done = work(&database, ended || round == COMMITS);
                match done {
                    Ok(()) => failing = false,
                    // Once: it is tried again soon, and fails in the same way.
                    Err(error) if !failing => {
                        failing = true;
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "traces cannot be written: those that arrive now may be missing after a restart"
                        );
                    }
                    Err(_) => {}
                }
                if ended {
                    return;
                }
            }
        });
        // Without a thread, queries do the work.
        let thread = thread.inspect_err(|error| tracing::warn!(%error, "traces are written late")).ok();
        Self { stop: Some(stop), thread }
    }
}

fn work(database: &Mutex<Database>, index: bool) -> Result<(), StoreError> {
    let mut database = lock(database);
    if !index {
        return database.commit();
    }
    database.index()?;
    database.expire(epoch_seconds() - RETENTION_S)
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the thread that writes traces has panicked");
        }
    }
}
