//! What the programs that are measured have in common: they say when they have warmed up.
//!
//! ```
//! use benchmarks::Progress;
//! use service_runtime::Environment;
//!
//! let progress = Progress::read(&Environment::from_pairs([("WARM_UP", "2")]));
//! progress.add(1);
//! progress.add(1); // prints "warm"
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use service_runtime::Environment;

/// The line by which a program says that its warm-up is over.
pub const WARM: &str = "warm";

/// Counts messages, and prints [`WARM`] to the standard error when the last one of the warm-up has been handled. Log lines go
/// to the standard output.
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
    #[expect(clippy::print_stderr, reason = "how a measured program reports")]
    pub fn add(&self, messages: usize) {
        let before = self.handled.fetch_add(messages, Ordering::Relaxed);
        if (before + 1..=before + messages).contains(&self.warm_up) {
            eprintln!("{WARM}");
        }
    }
}
