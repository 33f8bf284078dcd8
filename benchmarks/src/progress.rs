//! How a measured program reports: by lines of the standard error. Log lines go to the standard output.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use service_runtime::Environment;

/// The line by which a program says that its warm-up is over.
pub const WARM: &str = "warm";

/// The line by which a program says that it has done what it was to do.
pub const DONE: &str = "done";

/// Reports a line.
#[expect(clippy::print_stderr, reason = "how a measured program reports")]
pub fn report(line: &str) {
    eprintln!("{line}");
}

/// Counts messages, and reports [`WARM`] when the last one of the warm-up has been handled.
#[derive(Clone, Debug)]
pub struct Progress {
    handled: Arc<AtomicUsize>,
    warm_up: usize,
}

impl Progress {
    /// Reads the number of messages that are the warm-up from `WARM_UP`.
    #[must_use]
    pub fn read(environment: &Environment) -> Self {
        Self { handled: Arc::default(), warm_up: environment.parse("WARM_UP", 1).unwrap_or(1) }
    }

    /// Counts `messages`.
    pub fn add(&self, messages: usize) {
        let before = self.handled.fetch_add(messages, Ordering::Relaxed);
        if (before + 1..=before + messages).contains(&self.warm_up) {
            report(WARM);
        }
    }
}
