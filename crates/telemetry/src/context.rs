//! Trace context on the wire: extracted from a message or a request, and injected as a header.
//!
//! The X-Ray header is the native carrier everywhere (HTTP, `PutEvents`, SQS, SNS, and `metadata.trace` of an event).
//! W3C `traceparent`, on HTTP and as a message attribute, counts unless the X-Ray header says who called or decides
//! whether to record: a load balancer adds an X-Ray header with nothing but a Root to each request that has none. Two things that an X-Ray header expresses have no
//! place in an OpenTelemetry [`SpanContext`] and travel beside it as values of the [`Context`]: a sampling decision
//! that is still open, and the fields unknown to this workspace (`Self`, `Lineage`). AWS needs those unchanged;
//! without `Lineage` it could not detect recursive loops.
//!
//! Header format: <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceState};
use opentelemetry::{Context, TraceId};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use xray::{MAX_EXTRA_LENGTH, SamplingDecision, SegmentId, TraceHeader};

/// The HTTP header in which AWS carries trace context.
pub const XRAY_HEADER: &str = "x-amzn-trace-id";

/// The name of the metadata in which an object of S3 carries the trace that wrote it, as an event does in
/// `metadata.trace`. Its value is [`current_header`]; a reader passes it to [`Incoming::from_message`].
pub const OBJECT_METADATA: &str = "trace";

/// Fields of an X-Ray header that are passed on unchanged, in their order.
#[derive(Clone, Debug)]
struct CarriedFields(Vec<(String, String)>);

/// Marks a remote parent whose sender left the sampling decision open (`Sampled=?`, or no field at all).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Undecided;

/// Marks a context in which a new trace starts with a decision that was made elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided(pub(crate) bool);

/// The trace context of an incoming message or request.
///
/// ```
/// use telemetry::context::Incoming;
///
/// let incoming = Incoming::from_message(
///     Some("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"),
///     Some("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=00f067aa0ba902b7;Sampled=1;Lineage=1:a87bd80c:1"),
/// );
/// assert_eq!(incoming.trace_id().unwrap().to_string(), "1-5759e988-bd862e3fe1be46a994272793");
/// let _parent: opentelemetry::Context = incoming.into_context();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    root: Option<xray::TraceId>,
    parent: Option<SegmentId>,
    sampled: Option<SamplingDecision>,
    trace_state: TraceState,
    carried: Vec<(String, String)>,
    /// The Root that yielded to a `traceparent`.
    yielded: Option<xray::TraceId>,
}

impl Incoming {
    /// Extracts the context of a message: `metadata_trace` is the header in the event's metadata, `native` the one that
    /// AWS delivered with the message (`AWSTraceHeader`).
    ///
    /// Root, Parent and Sampled come from the metadata, because a bus may rewrite the native Parent, and a stream, a
    /// pipe or a replay loses the native header altogether; the native header then adds only the unknown fields. If the
    /// metadata has no valid header, as with a foreign producer, the native header is used in full.
    #[must_use]
    pub fn from_message(metadata_trace: Option<&str>, native: Option<&str>) -> Self {
        let native = native.and_then(parse);
        match metadata_trace.and_then(parse).filter(|header| header.root.is_some()) {
            Some(mut metadata) => {
                if let Some(native) = native {
                    metadata.extra = merged(metadata.extra, native.extra);
                }
                Self::from_header(metadata)
            }
            None => native.map(Self::from_header).unwrap_or_default(),
        }
    }

    /// Extracts the context of an HTTP request from `X-Amzn-Trace-Id`, `traceparent` and `tracestate`.
    #[must_use]
    pub fn from_http(headers: &HeaderMap) -> Self {
        let native = headers.get(XRAY_HEADER).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let incoming = native.and_then(|header| parse(&header)).map(Self::from_header).unwrap_or_default();
        incoming.or_w3c(&Headers(headers))
    }

    /// Continues the trace of `traceparent` and `tracestate` instead (<https://www.w3.org/TR/trace-context/>), if they are
    /// valid and the context has neither a Parent nor a sampling decision. Its unknown fields are kept, and its Root is
    /// then the [`yielded_trace_id`](Self::yielded_trace_id).
    #[must_use]
    pub fn or_w3c(self, carrier: &dyn Extractor) -> Self {
        if self.parent.is_some() || self.sampled.is_some() {
            return self;
        }
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), carrier);
        let span = context.span();
        let remote = span.span_context();
        if !remote.is_valid() {
            return self;
        }
        let decision =
            if remote.is_sampled() { SamplingDecision::Sampled } else { SamplingDecision::NotSampled };
        let root = xray::TraceId::from_bytes(remote.trace_id().to_bytes());
        Self {
            root: Some(root),
            parent: Some(SegmentId::from_bytes(remote.span_id().to_bytes())),
            sampled: Some(decision),
            trace_state: remote.trace_state().clone(),
            carried: self.carried,
            yielded: self.root.filter(|own| *own != root),
        }
    }

    /// Continues the trace in the attributes of a message instead, if the context has neither a Parent nor a sampling
    /// decision: that of `X-Amzn-Trace-Id`, in any case of letters, or else as [`or_w3c`](Self::or_w3c) does.
    #[must_use]
    pub fn or_attributes(self, carrier: &dyn Extractor) -> Self {
        if self.parent.is_some() || self.sampled.is_some() {
            return self;
        }
        let name = carrier.keys().into_iter().find(|name| name.eq_ignore_ascii_case(XRAY_HEADER));
        let found = name.and_then(|name| carrier.get(name)).and_then(parse).map(Self::from_header);
        let says_more =
            |found: &Self| found.parent.is_some() || found.sampled.is_some() || self.root.is_none();
        let incoming = match found.filter(says_more) {
            Some(found) => Self { carried: merged(found.carried, self.carried), ..found },
            None => self,
        };
        incoming.or_w3c(carrier)
    }

    fn from_header(header: TraceHeader) -> Self {
        let TraceHeader { root, parent, sampled, extra } = header;
        // Without a Root there is no trace to continue, so a Parent or a decision has no meaning.
        let (parent, sampled) = if root.is_some() { (parent, sampled) } else { (None, None) };
        Self { root, parent, sampled, carried: extra, ..Self::default() }
    }

    /// Returns the trace whose Root yielded to a `traceparent`, such as a load balancer's, whose access log names it.
    #[must_use]
    pub fn yielded_trace_id(&self) -> Option<xray::TraceId> {
        self.yielded
    }

    /// Returns the carried trace, if any. Work that must start a new trace (a replay, an event older than X-Ray
    /// accepts, an item of a list) refers to it in an annotation.
    #[must_use]
    pub fn trace_id(&self) -> Option<xray::TraceId> {
        self.root
    }

    /// Returns the parent context for the first span of this process (`OpenTelemetrySpanExt::set_parent`, before the
    /// span is entered). Without a carried trace, the span starts a new one.
    #[must_use]
    pub fn into_context(self) -> Context {
        let mut context = Context::new();
        if !self.carried.is_empty() {
            context = context.with_value(CarriedFields(self.carried));
        }
        let Some(root) = self.root else { return context };
        let trace_id = TraceId::from_bytes(root.to_bytes());
        let parent = self
            .parent
            .map_or_else(|| placeholder_parent(trace_id), |parent| SpanId::from_bytes(parent.to_bytes()));
        let sampled = match self.sampled {
            Some(SamplingDecision::Sampled) => true,
            Some(SamplingDecision::NotSampled) => false,
            Some(SamplingDecision::Requested) | None => {
                context = context.with_value(Undecided);
                false
            }
        };
        let flags = TraceFlags::default().with_sampled(sampled);
        let remote = SpanContext::new(trace_id, parent, flags, true, self.trace_state);
        if remote.is_valid() { context.with_remote_span_context(remote) } else { context }
    }

    /// Returns whether the caller has decided against recording the trace.
    #[must_use]
    pub fn is_unsampled(&self) -> bool {
        self.sampled == Some(SamplingDecision::NotSampled)
    }

    /// Returns the id of the span that an earlier attempt at the same message had, and the parent context of a span that
    /// stands in for it. `attempt` is the [`recorded_header`] of the earlier attempt. The parent is this message's; there is
    /// none if the message's span began a new trace. Returns `None` if `attempt` names no recorded span, or one of another
    /// trace: then it was an attempt at another message with the same event, whose parent is unknown here.
    #[must_use]
    pub fn of_earlier(&self, attempt: &str) -> Option<(SegmentId, Context)> {
        let attempt = parse(attempt)?;
        let (root, id) = (attempt.root?, attempt.parent?);
        if self.root.is_some_and(|own| own != root) {
            return None;
        }
        let parent = self.parent.filter(|_| self.root.is_some());
        let sampled = attempt.sampled.filter(|decision| *decision == SamplingDecision::Sampled)?;
        let earlier = Self { root: Some(root), parent, sampled: Some(sampled), ..Self::default() };
        Some((id, earlier.into_context()))
    }

    /// Returns a context that starts a new trace with the decision that the caller made, if it made one, for an item of a
    /// list: a caller that wants its request recorded wants its consequences recorded too.
    #[must_use]
    pub fn into_new_trace_as_decided(self) -> Context {
        let decided = match self.sampled {
            Some(SamplingDecision::Sampled) => Some(Decided(true)),
            Some(SamplingDecision::NotSampled) => Some(Decided(false)),
            Some(SamplingDecision::Requested) | None => None,
        };
        let context = self.into_new_trace();
        match decided {
            Some(decided) => context.with_value(decided),
            None => context,
        }
    }

    /// Returns a context that starts a new trace and still passes on the unknown fields, for a replay or an event too
    /// old for its trace.
    #[must_use]
    pub fn into_new_trace(self) -> Context {
        if self.carried.is_empty() {
            Context::new()
        } else {
            Context::new().with_value(CarriedFields(self.carried))
        }
    }
}

/// Returns the headers that tell a caller which span answered: `X-Amzn-Trace-Id`, and `traceresponse` of W3C Trace Context
/// Level 2 (<https://www.w3.org/TR/trace-context-2/#trace-context-http-response-headers-format>).
#[must_use]
pub fn response_headers(span: &Span) -> HeaderMap {
    let context = span.context();
    let span = context.span();
    let own = span.span_context();
    let mut headers = HeaderMap::new();
    if let Some(Trace { id: root, .. }) = trace(&context) {
        let (id, sampled) = (own.span_id(), u8::from(own.is_sampled()));
        let xray = format!("Root={root};Parent={id};Sampled={sampled}");
        let w3c = format!("00-{}-{id}-0{sampled}", own.trace_id());
        for (name, value) in [(XRAY_HEADER, xray), ("traceresponse", w3c)] {
            headers.extend(
                HeaderValue::try_from(value).ok().map(|value| (HeaderName::from_static(name), value)),
            );
        }
    }
    headers
}

/// Returns the headers of a request that make `span` the parent of what answers it: `X-Amzn-Trace-Id`, `traceparent` and, if
/// there is one, `tracestate`. None if the telemetry of this process does not know the span.
#[must_use]
pub fn request_headers(span: &Span) -> HeaderMap {
    let context = span.context();
    let mut carrier = std::collections::HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    carrier.retain(|_, value| !value.is_empty());
    carrier.extend(header(&context).map(|header| (XRAY_HEADER.to_owned(), header)));
    let pairs = carrier.into_iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    });
    pairs.collect()
}

/// Returns the parent context of a message's span; see [`Incoming::from_message`].
#[must_use]
pub fn from_message(metadata_trace: Option<&str>, native: Option<&str>) -> Context {
    Incoming::from_message(metadata_trace, native).into_context()
}

/// Returns the parent context of a request's span; see [`Incoming::from_http`].
#[must_use]
pub fn from_http(headers: &HeaderMap) -> Context {
    Incoming::from_http(headers).into_context()
}

/// Returns the trace that a message was carried in, for the annotation `origin_trace_id` of work that starts a new one.
#[must_use]
pub fn origin_of(metadata_trace: Option<&str>, native: Option<&str>) -> Option<xray::TraceId> {
    Incoming::from_message(metadata_trace, native).trace_id()
}

/// Returns the X-Ray header that makes `span` the parent of what follows: `Root=…;Parent=…;Sampled=0|1`, then the
/// unknown fields. Unsampled spans have one too, so that the trace id reaches every log line. Returns `None` if the
/// telemetry of this process does not know the span (no subscriber, or not a telemetry span).
#[must_use]
pub fn header_of(span: &Span) -> Option<String> {
    header(&span.context())
}

/// Returns [`header_of`] the current span.
#[must_use]
pub fn current_header() -> Option<String> {
    header_of(&Span::current()).or_else(|| Context::map_current(header))
}

/// Whether `span` is recorded.
#[must_use]
pub fn is_recorded(span: &Span) -> bool {
    span.context().span().span_context().is_sampled()
}

/// Whether anything keeps what is set on `span`: it is recorded, or held until it is known whether it failed.
#[must_use]
pub fn is_recording(span: &Span) -> bool {
    span.context().span().is_recording()
}

/// Returns the header that names the current span, without unknown fields; `None` if it is not recorded. An attempt keeps
/// it with its effect: should its process be killed before its span has left, the next attempt can name the span
/// ([`Incoming::of_earlier`]).
#[must_use]
pub fn recorded_header() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let root = trace(&context).filter(|trace| trace.sampled)?.id;
    Some(format!("Root={root};Parent={};Sampled=1", span.span_context().span_id()))
}

/// The trace that a span belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Its id.
    pub id: xray::TraceId,
    /// Whether it is recorded.
    pub sampled: bool,
}

/// Returns the trace of `span`.
#[must_use]
pub fn trace_of(span: &Span) -> Option<Trace> {
    trace(&span.context())
}

/// Returns the id of the trace of `span`, sampled or not.
#[must_use]
pub fn trace_id_of(span: &Span) -> Option<xray::TraceId> {
    trace_of(span).map(|trace| trace.id)
}

/// Returns the trace of a context, if it has one.
pub(crate) fn trace(context: &Context) -> Option<Trace> {
    let span = context.span();
    let span_context = span.span_context();
    span_context.is_valid().then(|| Trace {
        id: xray::TraceId::from_bytes(span_context.trace_id().to_bytes()),
        sampled: span_context.is_sampled(),
    })
}

fn header(context: &Context) -> Option<String> {
    let span = context.span();
    let span_context = span.span_context();
    if !span_context.is_valid() {
        return None;
    }
    let decision =
        if span_context.is_sampled() { SamplingDecision::Sampled } else { SamplingDecision::NotSampled };
    let header = TraceHeader {
        root: Some(xray::TraceId::from_bytes(span_context.trace_id().to_bytes())),
        parent: Some(SegmentId::from_bytes(span_context.span_id().to_bytes())),
        sampled: Some(decision),
        extra: context.get::<CarriedFields>().map(|fields| fields.0.clone()).unwrap_or_default(),
    };
    Some(header.to_string())
}

/// Returns the span id that stands for "no parent" in a context with a trace id: in OpenTelemetry a context without a
/// span id is invalid and starts a new trace. The id is a function of the trace id, so that the span processor can
/// recognise it without keeping state (see `processor`).
pub(crate) fn placeholder_parent(trace_id: TraceId) -> SpanId {
    let bytes = trace_id.to_bytes();
    let mut id = [0_u8; 8];
    for (place, (high, low)) in id.iter_mut().zip(bytes[..8].iter().zip(&bytes[8..])) {
        *place = !(high ^ low);
    }
    // All zeros would be invalid; setting one bit keeps the id valid and recognisable.
    if id == [0; 8] {
        id[7] = 1;
    }
    SpanId::from_bytes(id)
}

/// Parses a header; a malformed one counts as absent.
fn parse(header: &str) -> Option<TraceHeader> {
    header.parse().ok()
}

/// Merges the unknown fields of both headers. The native value wins because it is newer: AWS increments `Lineage` on
/// the way. Fields beyond the maximum length of a header are dropped.
fn merged(metadata: Vec<(String, String)>, native: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut fields = native;
    let mut length: usize = fields.iter().map(field_length).sum();
    for field in metadata {
        let longer = length + field_length(&field);
        if longer <= MAX_EXTRA_LENGTH && !fields.iter().any(|(known, _)| *known == field.0) {
            length = longer;
            fields.push(field);
        }
    }
    fields
}

/// Returns the length of a field in the header, with its separators.
fn field_length((key, value): &(String, String)) -> usize {
    key.len() + value.len() + 2
}

/// Adapts request headers to the propagator's interface.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests;
