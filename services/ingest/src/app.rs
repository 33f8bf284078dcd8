//! From a request's body to its answer: reading, publishing, and reporting on each event.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use envelope::Envelope;
use futures_util::future::join_all;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use telemetry::context::{Incoming, trace_id_of};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use crate::admission::Admission;
use crate::hop::Hop;
use crate::limits::MAX_ERRORS;
use crate::metrics::Metrics;
use crate::problem::{FieldError, Kind, Problem, RETRY_AFTER_S};
use crate::publish::Publish;
use crate::readiness::Readiness;
use crate::reading::{Event, Posted};
use crate::refusals::Refusals;
use crate::settings::Limits;
use crate::signature;
use crate::span::{self, EventLabels, Labels, RequestAttributes};
use crate::validation::{Defaults, Rejected, Validator};
use webhook_signature::{Secrets, Signed};

/// Everything that answering a request needs.
pub(crate) struct App<P> {
    pub(crate) bus: P,
    pub(crate) validator: Validator,
    /// The API description, as served.
    pub(crate) description: Bytes,
    pub(crate) secrets: Option<Secrets>,
    pub(crate) limits: Limits,
    pub(crate) labels: Labels,
    pub(crate) admission: Admission,
    pub(crate) refusals: Refusals,
    pub(crate) readiness: Readiness,
    pub(crate) metrics: Metrics,
    /// One for each complete request in flight.
    pub(crate) permits: Arc<Semaphore>,
    /// Answers in flight, including those whose caller has hung up.
    pub(crate) tasks: TaskTracker,
    pub(crate) now: fn() -> Timestamp,
}

/// A request with events, without its body.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) span: Span,
    pub(crate) incoming: Incoming,
    /// Absent where requests need no signature.
    pub(crate) signed: Option<Signed>,
    pub(crate) attributes: RequestAttributes,
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
}

impl Arrival {
    /// Returns what is known before an event is read.
    fn labels(&self) -> EventLabels {
        let yielded = self.incoming.yielded_trace_id();
        EventLabels { load_balancer_trace_id: yielded.map(|id| id.to_string()), ..EventLabels::default() }
    }

    /// Returns what an event gets that does not have it, in a list at `index`.
    fn defaults(&self, index: Option<usize>, now: Timestamp) -> Defaults {
        match &self.signed {
            Some(signed) => Defaults {
                event_id: signature::event_id(signed, index),
                occurred_at: signature::occurred_at(signed, now),
            },
            None => Defaults { event_id: Uuid::new_v4(), occurred_at: now },
        }
    }
}

/// The answer to an event that is on the bus.
#[derive(Debug, Serialize)]
struct Accepted {
    event_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    /// Only in a list, where the response's status stands for all items.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

impl<P: Publish> App<P> {
    /// Answers a request. Enters the request's span, which starts it, once its events have been read: sampling rules may
    /// match the type of a single event.
    pub(crate) async fn answer(&self, arrival: &Arrival, body: &[u8]) -> Response {
        match Posted::read(body) {
            Ok(Posted::One(event)) => self.single(arrival, event).await,
            Ok(Posted::List(items)) => {
                span::annotate(&arrival.span, arrival.labels());
                self.list(arrival, &items).instrument(arrival.span.clone()).await
            }
            Err(problem) => reject_request(arrival, problem),
        }
    }

    /// Counts a request that is refused before its events are read.
    pub(crate) fn refuse(&self, problem: &Problem) {
        let reason = problem.kind().name();
        match problem.kind() {
            Kind::Overloaded => self.refusals.exhausted(reason),
            _ => self.refusals.count(reason),
        }
    }

    /// The request's span is the event's first segment.
    async fn single(&self, arrival: &Arrival, event: &RawValue) -> Response {
        let now = (self.now)();
        let result = match self.validator.read(&Event::read(event), now, arrival.defaults(None, now)) {
            Ok(envelope) => {
                span::annotate(&arrival.span, labels_of(&envelope, arrival.labels()));
                self.publish(arrival, envelope, &arrival.span).instrument(arrival.span.clone()).await
            }
            Err(rejected) => {
                let labels = EventLabels {
                    event_type: rejected.event_type.map(str::to_owned),
                    event_id: rejected.event_id,
                    customer_number: rejected.customer_number.clone(),
                    ..arrival.labels()
                };
                span::annotate(&arrival.span, labels);
                Err(self.reject(arrival, *rejected).traced(trace_id(&arrival.span)))
            }
        };
        finish(&arrival.span, &result);
        match result {
            Ok(accepted) => (StatusCode::ACCEPTED, Json(accepted)).into_response(),
            Err(problem) => problem.into_response(),
        }
    }

    /// Publishes all items at the same time, so that they share calls to the bus.
    async fn list(&self, arrival: &Arrival, items: &[&RawValue]) -> Response {
        let room = AtomicUsize::new(MAX_ERRORS);
        let items = items.iter().enumerate();
        let results = join_all(items.map(|(index, event)| self.item(arrival, index, event, &room))).await;
        let status = status_of_list(&results);
        span::finish(&arrival.span, status, (!status.is_success()).then_some(Kind::NotPublished.name()));
        let answers: Vec<_> = results.iter().map(answer_in_list).collect();
        let mut response = (status, Json(answers)).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response
    }

    /// Answers an event of a list in its own trace, annotated with the request's. A rejected event has no trace: it goes
    /// nowhere, and the request's trace and the log record it.
    async fn item(
        &self,
        arrival: &Arrival,
        index: usize,
        event: &RawValue,
        room: &AtomicUsize,
    ) -> Result<Accepted, Problem> {
        let now = (self.now)();
        let envelope = self
            .validator
            .read(&Event::read(event), now, arrival.defaults(Some(index), now))
            .map_err(|rejected| self.reject(arrival, *rejected).within(room).at(Some(index)))?;
        let span = span::new(
            &arrival.attributes,
            &self.labels,
            arrival.incoming.clone().into_new_trace_as_decided(),
        );
        let request = EventLabels { request_trace_id: trace_id(&arrival.span), ..EventLabels::default() };
        span::annotate(&span, labels_of(&envelope, request));
        let result = self.publish(arrival, envelope, &span).await;
        finish(&span, &result);
        match result {
            Ok(accepted) => Ok(Accepted { status: Some(StatusCode::ACCEPTED.as_u16()), ..accepted }),
            Err(problem) => Err(problem.at(Some(index))),
        }
    }

    /// Publishes within the request's time and writes the event's log line.
    async fn publish(&self, arrival: &Arrival, envelope: Envelope, span: &Span) -> Result<Accepted, Problem> {
        let hop = Hop::of(&envelope, arrival.started);
        let event_id = envelope.metadata.event_id;
        let trace_id = trace_id(span);
        let began = Instant::now();
        let publishing = timeout_at(arrival.deadline, self.bus.publish(envelope));
        let failure = match publishing.instrument(span.clone()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.reason().to_owned()),
            // It may still be published; a second time under the same id has no effect.
            Err(_) => Some("timeout".to_owned()),
        };
        self.metrics.event(hop.event_type(), if failure.is_none() { "accepted" } else { "unpublished" });
        let Some(reason) = failure else {
            self.readiness.succeeded();
            span.in_scope(|| hop.accepted());
            return Ok(Accepted { event_id, trace_id, status: None });
        };
        self.readiness.failed(began);
        span.in_scope(|| hop.unpublished(&reason));
        Err(Problem::not_published(event_id).traced(trace_id))
    }

    /// Writes the log line of an event that is refused. It names fields and never values.
    fn reject(&self, arrival: &Arrival, rejected: Rejected) -> Problem {
        let problem = rejected.problem.clone();
        let fields: Vec<_> = problem.errors().iter().map(FieldError::for_logs).collect();
        let hop = Hop::rejected(rejected, arrival.started);
        self.metrics.event(hop.event_type(), "rejected");
        arrival.span.in_scope(|| hop.refused(problem.kind().name(), &fields.join(",")));
        problem
    }
}

/// Rejects a request whose body is not events.
fn reject_request(arrival: &Arrival, problem: Problem) -> Response {
    span::annotate(&arrival.span, arrival.labels());
    let reason = problem.kind().name();
    arrival.span.in_scope(|| {
        tracing::info!(reason, status = problem.kind().status().as_u16(), "request refused");
    });
    span::finish(&arrival.span, problem.kind().status(), Some(reason));
    problem.traced(trace_id(&arrival.span)).into_response()
}

/// Returns 202 if anything was accepted; else 503 if anything is worth sending again; else 422 if anything is invalid; else
/// 409, for events in the future alone.
fn status_of_list(results: &[Result<Accepted, Problem>]) -> StatusCode {
    let statuses = || results.iter().filter_map(|result| Some(result.as_ref().err()?.kind().status()));
    if results.iter().any(Result::is_ok) {
        StatusCode::ACCEPTED
    } else if statuses().any(|status| status.is_server_error()) {
        StatusCode::SERVICE_UNAVAILABLE
    } else if statuses().all(|status| status == StatusCode::CONFLICT) {
        StatusCode::CONFLICT
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum AnswerInList<'a> {
    Accepted(&'a Accepted),
    Problem(&'a Problem),
}

fn answer_in_list(result: &Result<Accepted, Problem>) -> AnswerInList<'_> {
    match result {
        Ok(accepted) => AnswerInList::Accepted(accepted),
        Err(problem) => AnswerInList::Problem(problem),
    }
}

/// Adds what an event's envelope tells to the labels of its request.
fn labels_of(envelope: &Envelope, request: EventLabels) -> EventLabels {
    EventLabels {
        event_type: Some(envelope.event_type.clone()),
        event_id: Some(envelope.metadata.event_id),
        customer_number: envelope.customer_number.as_deref().and_then(|number| number.parse().ok()),
        ..request
    }
}

fn finish(span: &Span, result: &Result<Accepted, Problem>) {
    match result {
        Ok(_) => span::finish(span, StatusCode::ACCEPTED, None),
        Err(problem) => span::finish(span, problem.kind().status(), Some(problem.kind().name())),
    }
}

/// Returns the span's trace id in X-Ray's format, sampled or not.
fn trace_id(span: &Span) -> Option<String> {
    trace_id_of(span).map(|id| id.to_string())
}
