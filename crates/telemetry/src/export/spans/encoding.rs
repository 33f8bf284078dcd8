//! Spans as the request that exports them, written at once: by way of the types that `prost` generates, each attribute would be
//! copied twice and measured at each level around it.
//!
//! The messages are those of
//! [`trace.proto`](https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto) and
//! [`common.proto`](https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/common/v1/common.proto);
//! the numbers below are their fields'.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{Event, Link, SpanContext, Status};
use opentelemetry::{Array, InstrumentationScope, KeyValue, SpanId, Value};
use opentelemetry_proto::tonic::resource;
use opentelemetry_proto::tonic::trace::v1::{SpanFlags, span, status};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;

/// The bytes that most spans have at most.
const TYPICAL_LENGTH: usize = 1_024;

/// What each request says of this process: the encoded resource and the URL of its schema.
pub(super) struct Encoder {
    resource: Vec<u8>,
    schema_url: String,
}

impl Encoder {
    pub(super) fn new(resource: &Resource) -> Self {
        let ResourceAttributesWithSchema { attributes, schema_url } = resource.into();
        let resource = resource::v1::Resource { attributes: attributes.0, ..Default::default() };
        Self { resource: resource.encode_to_vec(), schema_url: schema_url.unwrap_or_default() }
    }

    /// Returns an encoded `ExportTraceServiceRequest`.
    pub(super) fn encode(&self, spans: &[SpanData]) -> Vec<u8> {
        let mut request = Writer(Vec::with_capacity(self.resource.len() + spans.len() * TYPICAL_LENGTH));
        request.message(1, |resource_spans| {
            resource_spans.message(1, |resource| resource.0.extend_from_slice(&self.resource));
            for (scope, spans) in by_scope(spans) {
                resource_spans.message(2, |scope_spans| scope_spans.scope_spans(scope, &spans));
            }
            resource_spans.text(3, &self.schema_url);
        });
        request.0
    }
}

/// Groups spans by their scope, of which there are few.
fn by_scope(spans: &[SpanData]) -> Vec<(&InstrumentationScope, Vec<&SpanData>)> {
    let mut scopes: Vec<(&InstrumentationScope, Vec<&SpanData>)> = Vec::new();
    for span in spans {
        match scopes.iter_mut().find(|(scope, _)| **scope == span.instrumentation_scope) {
            Some((_, group)) => group.push(span),
            None => scopes.push((&span.instrumentation_scope, vec![span])),
        }
    }
    scopes
}

/// How a field is encoded ([wire types](https://protobuf.dev/programming-guides/encoding/#structure)).
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    Fixed32 = 5,
}

/// A message that is being written. A field with its default value is left out.
struct Writer(Vec<u8>);

impl Writer {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    fn key(&mut self, field: u64, wire: Wire) {
        self.varint(field << 3 | wire as u64);
    }

    fn number(&mut self, field: u64, number: u64) {
        if number != 0 {
            self.key(field, Wire::Varint);
            self.varint(number);
        }
    }

    fn fixed64(&mut self, field: u64, number: u64) {
        if number != 0 {
            self.key(field, Wire::Fixed64);
            self.0.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn fixed32(&mut self, field: u64, number: u32) {
        if number != 0 {
            self.key(field, Wire::Fixed32);
            self.0.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes_even_if_empty(field, bytes);
        }
    }

    fn bytes_even_if_empty(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, Wire::Length);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    /// Writes a message whose length is known only afterwards. Most are short, so that the length takes one byte; for the
    /// others, what `write` wrote is moved.
    fn message(&mut self, field: u64, write: impl FnOnce(&mut Self)) {
        self.key(field, Wire::Length);
        let start = self.0.len();
        self.0.push(0);
        write(self);
        let length = self.0.len() - start - 1;
        if let Ok(length @ 0..0x80) = u8::try_from(length) {
            self.0[start] = length;
        } else {
            let mut prefix = Self(Vec::new());
            prefix.varint(length as u64);
            self.0.splice(start..=start, prefix.0);
        }
    }

    fn scope_spans(&mut self, scope: &InstrumentationScope, spans: &[&SpanData]) {
        self.message(1, |own| {
            own.text(1, scope.name());
            own.text(2, scope.version().unwrap_or_default());
            own.attributes(3, scope.attributes());
        });
        for span in spans {
            self.message(2, |own| own.span(span));
        }
        self.text(3, scope.schema_url().unwrap_or_default());
    }

    fn span(&mut self, span: &SpanData) {
        self.context(&span.span_context);
        if span.parent_span_id != SpanId::INVALID {
            self.bytes(4, &span.parent_span_id.to_bytes());
        }
        self.text(5, &span.name);
        self.number(6, span::SpanKind::from(span.span_kind.clone()) as u64);
        self.fixed64(7, nanos(span.start_time));
        self.fixed64(8, nanos(span.end_time));
        self.attributes(9, &span.attributes);
        self.number(10, span.dropped_attributes_count.into());
        for event in &span.events.events {
            self.message(11, |own| own.event(event));
        }
        self.number(12, span.events.dropped_count.into());
        for link in &span.links.links {
            self.message(13, |own| own.link(link));
        }
        self.number(14, span.links.dropped_count.into());
        self.message(15, |own| {
            if let Status::Error { description } = &span.status {
                own.text(2, description);
            }
            own.number(3, status::StatusCode::from(&span.status) as u64);
        });
        self.fixed32(16, flags(&span.span_context, span.parent_span_is_remote));
    }

    /// Writes the fields that a span and a link have alike.
    fn context(&mut self, context: &SpanContext) {
        self.bytes(1, &context.trace_id().to_bytes());
        self.bytes(2, &context.span_id().to_bytes());
        self.text(3, &context.trace_state().header());
    }

    fn event(&mut self, event: &Event) {
        self.fixed64(1, nanos(event.timestamp));
        self.text(2, &event.name);
        self.attributes(3, &event.attributes);
        self.number(4, event.dropped_attributes_count.into());
    }

    fn link(&mut self, link: &Link) {
        self.context(&link.span_context);
        self.attributes(4, &link.attributes);
        self.number(5, link.dropped_attributes_count.into());
        self.fixed32(6, flags(&link.span_context, link.span_context.is_remote()));
    }

    fn attributes<'a>(&mut self, field: u64, attributes: impl IntoIterator<Item = &'a KeyValue>) {
        for KeyValue { key, value, .. } in attributes {
            self.message(field, |own| {
                own.text(1, key.as_str());
                own.message(2, |own| own.value(value));
            });
        }
    }

    /// Writes an `AnyValue`. It has exactly one field, even if that has its default value.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Bool(value) => self.bool(*value),
            Value::I64(value) => self.integer(*value),
            Value::F64(value) => self.float(*value),
            Value::String(value) => self.bytes_even_if_empty(1, value.as_str().as_bytes()),
            Value::Array(array) => self.message(5, |own| match array {
                Array::Bool(values) => own.values(values, |own, value| own.bool(*value)),
                Array::I64(values) => own.values(values, |own, value| own.integer(*value)),
                Array::F64(values) => own.values(values, |own, value| own.float(*value)),
                Array::String(values) => {
                    own.values(values, |own, value| own.bytes_even_if_empty(1, value.as_str().as_bytes()));
                }
                // There are no others.
                _ => {}
            }),
            // There are no others.
            _ => {}
        }
    }

    fn values<T>(&mut self, values: &[T], write: impl Fn(&mut Self, &T)) {
        for value in values {
            self.message(1, |own| write(own, value));
        }
    }

    fn bool(&mut self, value: bool) {
        self.key(2, Wire::Varint);
        self.varint(value.into());
    }

    fn integer(&mut self, value: i64) {
        self.key(3, Wire::Varint);
        self.varint(value.cast_unsigned());
    }

    fn float(&mut self, value: f64) {
        self.key(4, Wire::Fixed64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }
}

/// Returns a time in nanoseconds since 1970.
fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the flags of a context, and whether the parent or the linked span is another process's.
fn flags(context: &SpanContext, is_remote: bool) -> u32 {
    let own = u32::from(context.trace_flags().to_u8()) | SpanFlags::ContextHasIsRemoteMask as u32;
    if is_remote { own | SpanFlags::ContextIsRemoteMask as u32 } else { own }
}

#[cfg(test)]
mod tests;
