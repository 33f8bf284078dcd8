//! The entries that wait to be sent.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::call::Call;
use crate::job::Job;

/// The entries that wait to be sent: single ones to be batched, and calls that are already put together.
pub(crate) struct Waiting<C: Call> {
    linger: Duration,
    entries: Vec<Job<C::Entry>>,
    /// When the first entry has waited long enough for others.
    lingered: Instant,
    calls: Vec<WaitingCall<C>>,
}

struct WaitingCall<C: Call> {
    jobs: Vec<Job<C::Entry>>,
    ready: Instant,
}

impl<C: Call> Waiting<C> {
    pub(crate) fn new(linger: Duration) -> Self {
        Self { linger, entries: Vec::new(), lingered: Instant::now(), calls: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.calls.is_empty()
    }

    /// Adds an entry to be batched with others.
    pub(crate) fn push(&mut self, job: Job<C::Entry>) {
        if self.entries.is_empty() {
            self.lingered = Instant::now() + self.linger;
        }
        self.entries.push(job);
    }

    /// Adds a call that is sent as it is, no sooner than when it is `ready`.
    pub(crate) fn push_call(&mut self, jobs: Vec<Job<C::Entry>>, ready: Instant) {
        self.calls.push(WaitingCall { jobs, ready });
    }

    /// Returns whether the single entries fill a call.
    pub(crate) fn fills_a_call(&self) -> bool {
        let fitting = self.fitting();
        fitting == C::MAX_ENTRIES || fitting < self.entries.len()
    }

    /// Takes the entries of the next call, if one is due at `now`: one put together before, or the oldest entries in
    /// the groups that `call` prefers unless they fill a call. `last` says that no more entries will arrive.
    pub(crate) fn take(&mut self, now: Instant, last: bool, call: &C) -> Option<Vec<Job<C::Entry>>> {
        if self.calls.iter().all(|call| call.ready > now) {
            if self.entries.is_empty() || !self.is_due(now, last) {
                return None;
            }
            let batch = self.entries.drain(..self.fitting()).collect::<Vec<_>>();
            self.lingered = now + self.linger;
            if batch.len() >= C::MAX_ENTRIES {
                return Some(batch);
            }
            self.push_groups(batch, now, call);
        }
        let next = self.calls.iter().position(|call| call.ready <= now)?;
        Some(self.calls.remove(next).jobs)
    }

    /// Returns when the next call is due, if entries wait.
    pub(crate) fn next_ready(&self, last: bool) -> Option<Instant> {
        let now = Instant::now();
        let due = || if self.is_due(now, last) { now } else { self.lingered };
        let batch = (!self.entries.is_empty()).then(due);
        self.calls.iter().map(|call| call.ready).chain(batch).min()
    }

    /// Returns the earliest deadline of all entries.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let in_calls = self.calls.iter().flat_map(|call| &call.jobs);
        self.entries.iter().chain(in_calls).map(|job| job.deadline).min()
    }

    /// Takes the entries whose deadline has passed.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Vec<Job<C::Entry>> {
        let mut expired: Vec<_> = self.entries.extract_if(.., |job| job.deadline <= now).collect();
        for call in &mut self.calls {
            expired.extend(call.jobs.extract_if(.., |job| job.deadline <= now));
        }
        self.calls.retain(|call| !call.jobs.is_empty());
        expired
    }

    /// Returns whether the single entries are due: they fill a call, no more will arrive, or the first has waited long
    /// enough.
    fn is_due(&self, now: Instant, last: bool) -> bool {
        last || self.fills_a_call() || self.lingered <= now
    }

    /// Returns how many of the oldest entries fit into one call.
    fn fitting(&self) -> usize {
        let mut bytes = 0;
        let fits = |job: &&Job<C::Entry>| {
            bytes += job.size;
            bytes <= C::MAX_BYTES
        };
        self.entries.iter().take(C::MAX_ENTRIES).take_while(fits).count()
    }

    fn push_groups(&mut self, batch: Vec<Job<C::Entry>>, now: Instant, call: &C) {
        let numbers = call.groups(&batch.iter().map(|job| &job.entry).collect::<Vec<_>>());
        let mut groups = BTreeMap::<usize, Vec<_>>::new();
        for (number, job) in numbers.into_iter().zip(batch) {
            groups.entry(number).or_default().push(job);
        }
        for group in groups.into_values() {
            self.push_call(group, now);
        }
    }
}
