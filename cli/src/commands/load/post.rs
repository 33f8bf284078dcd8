//! Posts events at their intended times, whatever becomes of those before them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;
use uuid::Uuid;
use xray::TraceId;

use super::customers::{Customers, Made};
use super::schedule::Schedule;
use super::times::Times;
use crate::ingest_client::{IngestClient, Response};

/// A start, from which times are counted: steadily by one clock, and comparably to the log by the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    instant: Instant,
    pub(super) wall: Timestamp,
}

impl Clock {
    /// Starts now.
    pub(super) fn start() -> Self {
        Self { instant: Instant::now(), wall: Timestamp::now() }
    }

    /// Returns the microseconds since the start.
    pub(super) fn now(&self) -> i64 {
        microseconds(self.instant.elapsed())
    }
}

/// Converts a time to whole microseconds.
pub(super) fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// What happened to an event. Times are microseconds since the start.
#[derive(Debug)]
pub(super) enum Report {
    /// It is about to be posted.
    Sent { id: Uuid, kind: &'static str, intended: i64 },
    /// Its post has ended.
    Ended { id: Uuid, intended: i64, at: i64, answer: Answer },
}

/// How a post ended.
#[derive(Debug)]
pub(super) enum Answer {
    Accepted(Option<TraceId>),
    /// Ingest refused it: the type of the problem.
    Rejected(String),
    /// There was no answer: why.
    Failed(String),
}

/// How well a schedule was kept.
pub(super) struct Lateness {
    /// How much later than intended the generator was ready, apart from waiting for connections.
    pub(super) own: Times,
    pub(super) waited_for_connection: u64,
    pub(super) most_in_flight: usize,
}

/// Posts to one ingest over a bounded number of connections.
#[derive(Clone)]
pub(super) struct Poster {
    pub(super) ingest: IngestClient,
    pub(super) connections: usize,
    pub(super) clock: Clock,
    pub(super) reports: UnboundedSender<Report>,
}

impl Poster {
    /// Posts what is due by the schedule, which began with the clock, and returns when the last post has begun.
    ///
    /// If all connections are in use, an event waits; its intended time stays what it was, and so do those after it.
    pub(super) async fn open_loop(
        &self,
        schedule: Schedule,
        customers: &mut Customers,
        before: Duration,
        no_times: Times,
    ) -> Lateness {
        let mut lateness = Lateness { own: no_times, waited_for_connection: 0, most_in_flight: 0 };
        let permits = Arc::new(Semaphore::new(self.connections));
        // Until when the layer kept the generator from sending.
        let mut held_until = 0;
        for due in schedule.times() {
            let made = customers.next(before + due);
            tokio::time::sleep_until(self.clock.instant + due).await;
            let intended = microseconds(due);
            lateness.own.count(self.clock.now() - intended.max(held_until));
            let permit = if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
                permit
            } else {
                lateness.waited_for_connection += 1;
                let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return lateness };
                held_until = self.clock.now();
                permit
            };
            lateness.most_in_flight =
                lateness.most_in_flight.max(self.connections - permits.available_permits());
            let poster = self.clone();
            tokio::spawn(async move {
                poster.post(made, intended).await;
                drop(permit);
            });
        }
        lateness
    }

    /// Enrols customers, a few at a time, as fast as ingest takes them.
    pub(super) async fn enrol(&self, number: u64, customers: &mut Customers) {
        let permits = Arc::new(Semaphore::new(self.connections));
        for _ in 0..number {
            let made = customers.member();
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            let poster = self.clone();
            tokio::spawn(async move {
                poster.post(made, poster.clock.now()).await;
                drop(permit);
            });
        }
    }

    async fn post(&self, made: Made, intended: i64) {
        let id = Uuid::new_v4();
        let body = self.body(id, &made, intended);
        // Whoever observes has gone: there is nobody to report to.
        drop(self.reports.send(Report::Sent { id, kind: made.kind, intended }));
        let answer = match self.ingest.respond(body.to_string()).await {
            Ok(Response::Accepted { trace_id }) => Answer::Accepted(trace_id.parse().ok()),
            Ok(Response::Rejected { problem }) => Answer::Rejected(problem),
            Err(error) => Answer::Failed(error.to_string()),
        };
        drop(self.reports.send(Report::Ended { id, intended, at: self.clock.now(), answer }));
    }

    /// Returns the event as a CRM writes it, for which it occurred when it was due.
    fn body(&self, id: Uuid, made: &Made, intended: i64) -> Value {
        let occurred_at =
            Timestamp::from_microsecond(self.clock.wall.as_microsecond().saturating_add(intended));
        json!({
            "type": made.kind,
            "event_id": id,
            "occurred_at": occurred_at.unwrap_or(self.clock.wall),
            "customer_number": made.customer_number,
            "data": made.data,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::post;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc::unbounded_channel;

    use super::super::mix::Mix;
    use super::*;
    use crate::ingest_client::http_client;

    /// How long the server takes for its first answer.
    const STALL: Duration = Duration::from_millis(300);

    /// Starts a server that stalls once, and returns its address.
    async fn stalling_once() -> String {
        let has_stalled = Arc::new(AtomicBool::new(false));
        let answer = move || async move {
            if !has_stalled.swap(true, Ordering::Relaxed) {
                tokio::time::sleep(STALL).await;
            }
            (StatusCode::ACCEPTED, r#"{"trace_id": "1-5759e988-bd862e3fe1be46a994272793"}"#)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, Router::new().route("/v1/events", post(answer))).into_future());
        format!("http://{address}")
    }

    #[tokio::test]
    async fn a_stall_counts_for_every_event_that_was_due_meanwhile() {
        let ingest = IngestClient::new(http_client().unwrap(), &stalling_once().await, None);
        let schedule = Schedule { rate: "100/s".parse().unwrap(), length: Duration::from_millis(100) };
        let clock = Clock::start();
        let mut customers = Customers::new(1, Mix::default(), 0, clock.wall);
        let (reports, mut received) = unbounded_channel();
        let poster = Poster { ingest, connections: 1, clock, reports };
        let no_times = Times::none();
        let lateness = poster.open_loop(schedule, &mut customers, Duration::ZERO, no_times).await;
        drop(poster);
        assert_eq!((lateness.most_in_flight, lateness.own.total()), (1, 10));
        assert!(lateness.waited_for_connection >= 9, "{}", lateness.waited_for_connection);

        let mut times = Vec::new();
        while let Some(report) = received.recv().await {
            if let Report::Ended { intended, at, answer, .. } = report {
                assert!(matches!(answer, Answer::Accepted(Some(_))), "{answer:?}");
                times.push((intended, at - intended));
            }
        }
        assert_eq!(times.len(), 10);
        for (number, (intended, took)) in (0..).zip(times) {
            assert_eq!(intended, number * 10_000);
            assert!(took >= microseconds(STALL) - intended, "event {number} took {took} µs");
        }
    }
}
