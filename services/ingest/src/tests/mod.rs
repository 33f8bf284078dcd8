//! The service from its routes inwards, with a fake in place of the bus.

mod agreement;
mod anything;
mod description;
mod events;
mod lists;
mod requests;
mod server;
mod signing;
mod traces;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_clients::AwsError;
use axum::Router;
use axum::body::Body;
use envelope::Envelope;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::metrics::noop::NoopMeterProvider;
use publisher::PublishError;
use serde_json::{Value, json};
use service_runtime::Health;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::admission::Admission;
use crate::app::App;
use crate::metrics::Metrics;
use crate::publish::Publish;
use crate::readiness::Readiness;
use crate::refusals::Refusals;
use crate::schema::Schemas;
use crate::settings::Limits;
use crate::span::Labels;
use crate::validation::Validator;
use crate::{Emits, openapi, routes};
use webhook_signature::Secrets;

type Verdict = dyn Fn(&Envelope) -> Result<(), PublishError> + Send + Sync;

/// What was published, and the trace header that was current when it was.
type Published = Vec<(Envelope, Option<String>)>;

/// A bus that keeps what it accepts.
#[derive(Clone)]
struct Bus {
    published: Arc<Mutex<Published>>,
    verdict: Arc<Verdict>,
    delay: Duration,
    /// Notified when an event has arrived, before it is published.
    arrived: Arc<Notify>,
}

impl Bus {
    fn new(verdict: impl Fn(&Envelope) -> Result<(), PublishError> + Send + Sync + 'static) -> Self {
        Self {
            published: Arc::default(),
            verdict: Arc::new(verdict),
            delay: Duration::ZERO,
            arrived: Arc::default(),
        }
    }

    fn accepting() -> Self {
        Self::new(|_| Ok(()))
    }

    fn failing() -> Self {
        Self::new(|_| Err(throttled()))
    }

    fn taking(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    fn published(&self) -> Published {
        self.published.lock().unwrap().clone()
    }
}

impl Publish for Bus {
    async fn publish(&self, envelope: Envelope) -> Result<(), PublishError> {
        let header = telemetry::context::current_header();
        self.arrived.notify_one();
        tokio::time::sleep(self.delay).await;
        (self.verdict)(&envelope)?;
        self.published.lock().unwrap().push((envelope, header));
        Ok(())
    }
}

fn throttled() -> PublishError {
    PublishError::GaveUp {
        error: AwsError::of_entry("EventBridge", "PutEvents", "ThrottlingException", None),
        attempts: 6,
    }
}

/// The service over a bus, as it is configured locally unless told otherwise.
struct Service {
    bus: Bus,
    secrets: Option<Secrets>,
    limits: Limits,
    health: Health,
    refusals: Refusals,
    admission: Admission,
}

impl Service {
    fn over(bus: &Bus) -> Self {
        let health = Health::new();
        let metrics = Metrics::new(&NoopMeterProvider::new().meter("test"));
        let refusals = Refusals::new(metrics, health.register("admission"));
        let limits = Limits::default();
        let admission = Admission::new(limits.bounds, refusals.clone());
        Self { bus: bus.clone(), secrets: None, limits, health, refusals, admission }
    }

    fn router(self) -> Router {
        let meter = NoopMeterProvider::new().meter("test");
        let schemas = Schemas::of::<Emits>();
        let validator = Validator::new(&schemas).unwrap();
        let description = openapi::document(&schemas, &validator).unwrap().to_string().into();
        let app = App {
            bus: self.bus,
            validator,
            description,
            secrets: self.secrets,
            permits: Arc::new(Semaphore::new(self.limits.concurrent_requests)),
            limits: self.limits,
            labels: Labels { application: "foostore".to_owned(), environment: "test".to_owned() },
            readiness: Readiness::new(self.health.register("bus")),
            admission: self.admission,
            refusals: self.refusals,
            metrics: Metrics::new(&meter),
            tasks: TaskTracker::new(),
            now: Timestamp::now,
        };
        routes::router(Arc::new(app), &self.health)
    }
}

/// The service on a socket.
struct Served {
    address: SocketAddr,
    admission: Admission,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Service {
    async fn serve(self) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        let (admission, time) = (self.admission.clone(), self.limits.time);
        let serving =
            crate::server::serve(listener, self.router(), admission.clone(), time, shutdown.clone());
        Served { address, admission, shutdown, serving: tokio::spawn(serving) }
    }
}

impl Served {
    async fn stop(self) {
        self.shutdown.cancel();
        self.serving.await.unwrap();
    }
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Checks that it is a problem of this kind, with its type, title and status.
    fn is_problem(&self, status: u16, kind: &str) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.body["type"], format!("urn:foostore:problem:{kind}"), "{self:?}");
        assert_eq!(self.body["status"], status);
        assert!(self.body["title"].is_string() && self.body["detail"].is_string(), "{self:?}");
    }
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    Answer { status: parts.status, headers: parts.headers, body }
}

fn post(body: impl Into<Body>) -> Request<Body> {
    Request::post("/v1/events").header("content-type", "application/json").body(body.into()).unwrap()
}

async fn post_json(router: &Router, body: &Value) -> Answer {
    send(router, post(body.to_string())).await
}

fn renamed() -> Value {
    json!({
        "type": "CustomerRenamed",
        "customer_number": "123456789012",
        "data": {"name": {"given": "Ada", "family": "Lovelace"}},
    })
}

fn invalid() -> Value {
    json!({"type": "CustomerRenamed", "customer_number": "123456789012", "data": {"name": {"given": "Ada"}}})
}
