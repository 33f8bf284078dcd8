//! Who exports metrics, and whether it still does.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_semantic_conventions::attribute::{SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_NAMESPACE};

use crate::attributes::text;

/// The name of a service without one
/// (<https://opentelemetry.io/docs/specs/semconv/resource/#service>).
const UNKNOWN: &str = "unknown_service";
/// A source that has not exported for this long has probably ended, in nanoseconds: the SDKs export once a minute unless
/// configured otherwise.
const SILENT: u64 = 150 * 1_000_000_000;
/// Requests this close belong to one export, in nanoseconds.
const ONE_EXPORT: u64 = 1_000_000_000;

/// A service or one of its instances, by the attributes that identify it
/// (<https://opentelemetry.io/docs/specs/semconv/resource/#service>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SourceId {
    pub(crate) service: String,
    pub(crate) instance: Option<String>,
    namespace: Option<String>,
}

impl SourceId {
    pub(crate) fn of(resource: &[KeyValue]) -> Self {
        let own = |key| text(resource, key).map(str::to_owned);
        Self {
            service: own(SERVICE_NAME).unwrap_or_else(|| UNKNOWN.to_owned()),
            instance: own(SERVICE_INSTANCE_ID),
            namespace: own(SERVICE_NAMESPACE),
        }
    }

    /// Returns how many bytes it takes.
    pub(crate) fn length(&self) -> usize {
        let optional = [&self.instance, &self.namespace].into_iter().flatten();
        self.service.len() + optional.map(String::len).sum::<usize>()
    }
}

/// What is known of a source's exports. Times are in nanoseconds since the epoch.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// When the last request arrived.
    pub(crate) last: u64,
    /// The latest measurement before this export.
    previous: Option<u64>,
    /// The latest measurement.
    latest: Option<u64>,
    /// When its process began, if another one with the same identity was there before.
    began: u64,
}

impl Source {
    /// Returns a source whose first request has arrived.
    pub(crate) fn arrived(now: u64) -> Self {
        Self { last: now, ..Self::default() }
    }

    /// Notes a request.
    pub(crate) fn arrive(&mut self, now: u64) {
        if now.saturating_sub(self.last) > ONE_EXPORT {
            self.previous = self.latest;
        }
        self.last = now;
    }

    /// Notes a measurement, and the start of a process if it is that of another one.
    pub(crate) fn measure(&mut self, time: u64, began: Option<u64>) {
        self.latest = self.latest.max(Some(time));
        self.began = self.began.max(began.unwrap_or_default());
    }

    /// Returns when the previous export was measured.
    pub(crate) fn previous(&self) -> Option<u64> {
        self.previous
    }

    pub(crate) fn is_silent(&self, now: u64) -> bool {
        now.saturating_sub(self.last) > SILENT
    }

    /// Whether a series that arrived at that time was part of the last export.
    pub(crate) fn exported_last(&self, arrived: u64) -> bool {
        self.last.saturating_sub(arrived) <= ONE_EXPORT
    }

    /// Whether the process that measured something at that time is the present one.
    pub(crate) fn is_present(&self, time: u64) -> bool {
        time >= self.began
    }
}
