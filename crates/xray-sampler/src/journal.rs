//! The poller's log lines: one for each change of state, however often a call fails.

use crate::calls::CallError;

/// The state that was logged last.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    rules_fail: bool,
    reports_fail: bool,
    is_falling_back: bool,
    unreadable: usize,
}

impl Journal {
    /// Records that rules were fetched, and how many of them could not be read.
    pub(crate) fn rules_fetched(&mut self, rules: usize, unreadable: usize) {
        if self.rules_fail {
            tracing::info!(rules, "sampling rules fetched again");
        } else {
            tracing::debug!(rules, "sampling rules fetched");
        }
        if unreadable > self.unreadable {
            tracing::warn!(unreadable, "ignoring sampling rules of an unknown format");
        }
        self.rules_fail = false;
        self.is_falling_back = false;
        self.unreadable = unreadable;
    }

    /// Records that rules could not be fetched, and whether there are none that still apply.
    pub(crate) fn rules_failed(&mut self, error: &CallError, is_falling_back: bool) {
        if !self.rules_fail {
            tracing::warn!(%error, "cannot fetch sampling rules");
        }
        if is_falling_back && !self.is_falling_back {
            tracing::warn!("no current sampling rules: sampling one trace per second and 5 % of the rest");
        }
        self.rules_fail = true;
        self.is_falling_back |= is_falling_back;
    }

    /// Records whether statistics were reported.
    pub(crate) fn reported(&mut self, failure: Option<&CallError>) {
        match failure {
            Some(error) if !self.reports_fail => tracing::warn!(%error, "cannot report sampling statistics"),
            None if self.reports_fail => tracing::info!("sampling statistics reported again"),
            _ => {}
        }
        self.reports_fail = failure.is_some();
    }
}
