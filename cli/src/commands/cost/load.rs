//! The rate that is estimated.

/// How much comes in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) events_a_minute: u32,
    pub(super) sampling_rate: f64,
}

impl Load {
    pub(super) fn a_second(&self) -> f64 {
        f64::from(self.events_a_minute) / 60.0
    }

    /// Events in a month of 30 days, in millions.
    pub(super) fn millions_a_month(&self) -> f64 {
        f64::from(self.events_a_minute) * 60.0 * 24.0 * 30.0 / 1e6
    }

    /// Traces that are recorded: one a second for each task of ingest, and a share of the rest.
    pub(super) fn traces_a_second(&self, tasks_of_ingest: u32) -> f64 {
        let reservoir = f64::from(tasks_of_ingest).min(self.a_second());
        reservoir + (self.a_second() - reservoir) * self.sampling_rate
    }

    /// Returns the share of the events whose trace is recorded.
    pub(super) fn traced(&self, tasks_of_ingest: u32) -> f64 {
        self.traces_a_second(tasks_of_ingest) / self.a_second()
    }
}
