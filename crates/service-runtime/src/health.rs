//! Liveness and readiness, and the routes that report them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::time::Instant;

/// The longest time between two heartbeats of the runtime.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(10);

/// The name under which readiness reports the service itself.
const SERVICE: &str = "service";

/// The health of a service. Clones share it.
///
/// The service is ready when it has reported that it started ([`Health::ready`]), is not shutting down, and every
/// registered [`Check`] is up. It is live until the runtime has had no heartbeat for ten seconds or an essential task
/// has ended; then a restart helps.
///
/// A third route serves an orchestrator that replaces unhealthy tasks, such as ECS: it reports whether the service has
/// been ready once and is live. A deployment that never becomes ready, perhaps because a permission is missing, is
/// detected and rolled back; a service whose queue is unavailable for an hour is kept, because a new task could not
/// reach the queue either.
#[derive(Clone)]
pub struct Health(Arc<Mutex<Shared>>);

struct Shared {
    /// Why the service itself is not ready; `None` when it is.
    not_ready: Option<String>,
    /// Why only a restart can help.
    failed: Option<String>,
    last_beat: Instant,
    has_been_ready: bool,
    checks: BTreeMap<String, Condition>,
}

/// Why something is down; `None` when it is up.
type Condition = Option<String>;

/// The body of an answer.
#[derive(Debug, Serialize)]
struct Report {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    checks: BTreeMap<String, CheckReport>,
    #[serde(skip)]
    well: bool,
}

#[derive(Debug, Serialize)]
struct CheckReport {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Health {
    /// Creates the health of a service that is starting.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Shared {
            not_ready: Some("starting".to_owned()),
            failed: None,
            last_beat: Instant::now(),
            has_been_ready: false,
            checks: BTreeMap::new(),
        })))
    }

    /// Reports that the service has started. During shutdown it stays unready.
    pub fn ready(&self) {
        let mut state = self.lock();
        if state.not_ready.as_deref() == Some("starting") {
            state.not_ready = None;
            state.note_readiness();
        }
    }

    /// Registers a check of a dependency. It is down until it is reported up.
    #[must_use]
    pub fn register(&self, name: impl Into<String>) -> Check {
        let name = name.into();
        self.lock().checks.insert(name.clone(), Some("not yet known".to_owned()));
        Check { health: self.clone(), name }
    }

    /// Returns whether the service can work now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.readiness().well
    }

    /// Returns the routes `GET /health/live`, `GET /health/ready` and `GET /health/started`: JSON, 200 or 503.
    pub fn router(&self) -> Router {
        let answering = |report: fn(&Self) -> Report| {
            get(async move |State(health): State<Self>| report(&health).into_response())
        };
        Router::new()
            .route("/health/live", answering(Self::liveness))
            .route("/health/ready", answering(Self::readiness))
            .route("/health/started", answering(Self::startup))
            .with_state(self.clone())
    }

    /// Reports that the service is shutting down and takes no new work.
    pub(crate) fn draining(&self) {
        self.lock().not_ready = Some("draining".to_owned());
    }

    /// Reports that only a restart can help.
    pub(crate) fn failed(&self, reason: impl Into<String>) {
        self.lock().failed.get_or_insert(reason.into());
    }

    /// Records a heartbeat: the runtime still polls its tasks.
    pub(crate) fn beat(&self) {
        self.lock().last_beat = Instant::now();
    }

    fn liveness(&self) -> Report {
        let state = self.lock();
        let silent = state.last_beat.elapsed();
        let reason = state.failed.clone().or_else(|| {
            (silent > HEARTBEAT_LIMIT).then(|| format!("no heartbeat for {} s", silent.as_secs()))
        });
        Report {
            status: if reason.is_none() { "live" } else { "failed" },
            well: reason.is_none(),
            reason,
            checks: BTreeMap::new(),
        }
    }

    fn readiness(&self) -> Report {
        let state = self.lock();
        let service = (SERVICE.to_owned(), state.not_ready.clone().or_else(|| state.failed.clone()));
        let checks: BTreeMap<_, _> = std::iter::once(service)
            .chain(state.checks.iter().map(|(name, condition)| (name.clone(), condition.clone())))
            .map(|(name, reason)| {
                (name, CheckReport { status: if reason.is_none() { "up" } else { "down" }, reason })
            })
            .collect();
        let well = checks.values().all(|check| check.reason.is_none());
        Report { status: if well { "ready" } else { "not ready" }, reason: None, checks, well }
    }

    fn startup(&self) -> Report {
        if self.lock().has_been_ready { self.liveness() } else { self.readiness() }
    }

    fn set(&self, name: &str, condition: Condition) {
        let mut state = self.lock();
        state.checks.insert(name.to_owned(), condition);
        state.note_readiness();
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing panics while it is held; a value is whole after each statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn note_readiness(&mut self) {
        self.has_been_ready |=
            self.not_ready.is_none() && self.failed.is_none() && self.checks.values().all(Option::is_none);
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Health").field("ready", &self.is_ready()).finish_non_exhaustive()
    }
}

impl Report {
    fn into_response(self) -> Response {
        let status = if self.well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, Json(self)).into_response()
    }
}

/// A dependency of the service. The code that uses it reports its state; clones share it.
#[derive(Clone, Debug)]
pub struct Check {
    health: Health,
    name: String,
}

impl Check {
    /// Reports that the dependency works.
    pub fn up(&self) {
        self.health.set(&self.name, None);
    }

    /// Reports that the dependency does not work. Readiness shows the reason, so it must hold no values and no secrets.
    pub fn down(&self, reason: impl Into<String>) {
        self.health.set(&self.name, Some(reason.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn readiness_needs_the_service_and_every_check() {
        let health = Health::new();
        assert!(!health.is_ready());
        let queue = health.register("queue");
        health.ready();
        assert!(!health.is_ready(), "a check that nobody has answered yet is down");
        queue.up();
        assert!(health.is_ready());
        queue.down("receive failed");
        let report = serde_json::to_value(health.readiness()).unwrap();
        assert_eq!(report["status"], "not ready");
        assert_eq!(report["checks"]["queue"]["reason"], "receive failed");
        assert_eq!(report["checks"]["service"]["status"], "up");
        queue.up();
        health.draining();
        health.ready();
        assert!(!health.is_ready(), "a service that is ending does not become ready again");
    }

    #[tokio::test(start_paused = true)]
    async fn started_is_who_has_been_ready_once_and_lives() {
        let health = Health::new();
        let queue = health.register("queue");
        health.ready();
        assert!(!health.startup().well, "it has never received");
        queue.up();
        assert!(health.startup().well);
        queue.down("receiving fails: AccessDenied");
        assert!(health.startup().well, "what is away now was there");
        health.failed("task poller panicked");
        assert!(!health.startup().well);
    }

    #[tokio::test(start_paused = true)]
    async fn liveness_needs_a_heartbeat_and_living_tasks() {
        let health = Health::new();
        assert!(health.liveness().well);
        tokio::time::advance(HEARTBEAT_LIMIT + Duration::from_secs(1)).await;
        assert!(!health.liveness().well);
        health.beat();
        assert!(health.liveness().well);
        health.failed("task poller panicked");
        assert_eq!(health.liveness().reason.as_deref(), Some("task poller panicked"));
    }
}
