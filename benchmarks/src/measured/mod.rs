//! The programs that are measured, each a process of its own.

mod bare;
mod consumer;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Subcommand;
use service_runtime::Environment;

/// A program that is measured.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Measured {
    /// Receives and deletes by the SDK alone
    Bare,
    /// Handles messages by this project's consumer
    Consumer,
}

/// Runs a program until it is killed.
pub(crate) fn run(program: Measured) -> ExitCode {
    let environment = Environment::from_process();
    match program {
        Measured::Bare => bare::run(&environment),
        Measured::Consumer => consumer::run(),
    }
}

/// Counts messages and says when the last one of the warm-up has been handled.
struct Progress {
    handled: AtomicUsize,
    warm_up: usize,
}

impl Progress {
    fn read(environment: &Environment) -> Self {
        let warm_up = environment.parse("WARM_UP", 0).unwrap_or_default();
        Self { handled: AtomicUsize::new(0), warm_up }
    }

    /// Counts `messages`. The line goes to the standard error, because log lines go to the standard output.
    #[expect(clippy::print_stderr, reason = "how a measured program reports")]
    fn add(&self, messages: usize) {
        let before = self.handled.fetch_add(messages, Ordering::Relaxed);
        if (before..before + messages).contains(&self.warm_up.saturating_sub(1)) {
            eprintln!("warm");
        }
    }
}
