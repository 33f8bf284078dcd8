//! Rules, clocks and traces for tests.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{Context, InstrumentationScope, KeyValue, TraceId};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanEvents, SpanLinks, SpanProcessor};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tracing::Dispatch;

use crate::clock::Clock;
use crate::rule::Rule;
use crate::wire;

/// The date at which the tests' clocks start, in seconds since the Unix epoch.
pub(crate) const DATE: f64 = 1_800_000_000.0;

/// Returns a rule in X-Ray's form that matches everything and samples nothing, with `changes` applied.
pub(crate) fn rule(name: &str, changes: &Value) -> Value {
    let mut rule = json!({
        "RuleName": name,
        "RuleARN": format!("arn:aws:xray:eu-central-1:123456789012:sampling-rule/{name}"),
        "Priority": 1000,
        "FixedRate": 0.0,
        "ReservoirSize": 0,
        "ServiceName": "*",
        "ServiceType": "*",
        "ResourceARN": "*",
        "Host": "*",
        "HTTPMethod": "*",
        "URLPath": "*",
        "Version": 1,
        "Attributes": {},
    });
    for (key, value) in changes.as_object().unwrap() {
        rule[key] = value.clone();
    }
    rule
}

/// Parses a rule as from a response.
pub(crate) fn parsed(rule: &Value) -> Rule {
    let body = json!({ "SamplingRuleRecords": [{ "SamplingRule": rule }] }).to_string();
    wire::rules_page(body.as_bytes()).unwrap().rules.remove(0)
}

pub(crate) fn resource(attributes: &[(&'static str, &'static str)]) -> Resource {
    let attributes = attributes.iter().map(|(key, value)| KeyValue::new(*key, *value));
    Resource::builder_empty().with_attributes(attributes).build()
}

/// Returns a finished span.
pub(crate) fn finished(name: &'static str, id: u64, parent: u64) -> SpanData {
    finished_in(1, name, id, parent)
}

/// Returns a finished span of a trace.
pub(crate) fn finished_in(trace: u128, name: &'static str, id: u64, parent: u64) -> SpanData {
    let (trace_id, span_id) = (TraceId::from(trace), SpanId::from(id));
    let flags = TraceFlags::default();
    SpanData {
        span_context: SpanContext::new(trace_id, span_id, flags, false, TraceState::default()),
        parent_span_id: SpanId::from(parent),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.into(),
        start_time: SystemTime::UNIX_EPOCH,
        end_time: SystemTime::UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::default(),
    }
}

/// Clocks that advance only on demand.
#[derive(Debug)]
pub(crate) struct ManualClock(Mutex<(Duration, f64)>);

impl ManualClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((Duration::ZERO, DATE))))
    }

    /// Advances both clocks.
    pub(crate) fn advance(&self, time: Duration) {
        let mut clocks = self.0.lock().unwrap();
        clocks.0 += time;
        clocks.1 += time.as_secs_f64();
    }

    /// Adjusts only the wall clock, as an operator or NTP does.
    pub(crate) fn step(&self, seconds: f64) {
        self.0.lock().unwrap().1 += seconds;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        self.0.lock().unwrap().0
    }

    fn date(&self) -> f64 {
        self.0.lock().unwrap().1
    }
}

/// Clocks that follow Tokio's paused time.
#[derive(Debug)]
pub(crate) struct PausedClock(tokio::time::Instant);

impl PausedClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(tokio::time::Instant::now()))
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn date(&self) -> f64 {
        DATE + self.0.elapsed().as_secs_f64()
    }
}

/// Returns trace ids like X-Ray's, of a time and random bytes, which are the same in every run.
pub(crate) fn trace_ids() -> impl Iterator<Item = TraceId> {
    let mut random = StdRng::seed_from_u64(7);
    std::iter::repeat_with(move || {
        let id: u128 = random.random();
        TraceId::from((0x6b49_d200 << 96) | (id >> 32))
    })
}

/// A trace id that is sampled by no rate below one.
pub(crate) const UNSAMPLED: TraceId = TraceId::from_bytes([0xff; 16]);

/// Log lines in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    /// Collects the current thread's log lines from `info` up, until the guard is dropped.
    pub(crate) fn install(&self) -> tracing::dispatcher::DefaultGuard {
        let logs = self.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || logs.clone()).finish();
        tracing::dispatcher::set_default(&Dispatch::new(subscriber))
    }

    /// Returns the number of lines that contain a text.
    pub(crate) fn count(&self, text: &str) -> usize {
        let written = self.0.lock().unwrap().clone();
        String::from_utf8(written).unwrap().lines().filter(|line| line.contains(text)).count()
    }
}

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The spans that have finished.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finished(pub(crate) Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Finished {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().unwrap().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
