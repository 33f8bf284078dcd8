//! The finished spans of traces that no rule sampled, until the first span of each has ended.

use std::collections::{HashMap, HashSet, VecDeque};

use opentelemetry::trace::SpanId;
use opentelemetry::{Array, KeyValue, TraceId, Value};
use opentelemetry_sdk::trace::SpanData;

/// The most bytes of spans that are held, in all traces together.
pub(super) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The most spans that are held of one trace.
pub(super) const MAX_SPANS: usize = 128;

/// The most traces of which spans are held.
pub(super) const MAX_TRACES: usize = 4_096;

/// The latest captured traces, of which spans that end late are exported too.
const CAPTURED: usize = 128;

/// Spans that are neither exported nor dropped yet.
#[derive(Debug, Default)]
pub(super) struct Held {
    traces: HashMap<TraceId, Trace>,
    bytes: usize,
    captured: VecDeque<TraceId>,
}

/// A trace whose first span in this process has not ended.
#[derive(Debug, Default)]
struct Trace {
    /// The number of such first spans: a caller may send two requests with the same trace id.
    open: usize,
    spans: Vec<SpanData>,
}

impl Held {
    /// Notes that the first span of a trace has started. Beyond the bounds, the spans below it are not held.
    pub(super) fn started(&mut self, trace: TraceId) {
        if let Some(known) = self.traces.get_mut(&trace) {
            known.open += 1;
        } else if self.traces.len() < MAX_TRACES {
            self.traces.insert(trace, Trace { open: 1, spans: Vec::new() });
        }
    }

    /// Holds a span that is not the first of its trace. Returns it if it is to be exported, because its trace has been
    /// captured; drops it if there is no room for it, or if its trace was not captured.
    pub(super) fn ended(&mut self, span: SpanData) -> Option<SpanData> {
        let trace = span.span_context.trace_id();
        let Some(known) = self.traces.get_mut(&trace) else {
            return self.captured.contains(&trace).then_some(span);
        };
        let size = size(&span);
        if known.spans.len() < MAX_SPANS && self.bytes + size <= MAX_BYTES {
            self.bytes += size;
            known.spans.push(span);
        }
        None
    }

    /// Returns the spans below the first span of a trace, which has ended. They are held no longer.
    pub(super) fn take(&mut self, root: &SpanData) -> Vec<SpanData> {
        let trace = root.span_context.trace_id();
        let Some(known) = self.traces.get_mut(&trace) else { return Vec::new() };
        known.open = known.open.saturating_sub(1);
        let taken = if known.open == 0 {
            self.traces.remove(&trace).map(|known| known.spans).unwrap_or_default()
        } else {
            known.take_below(root.span_context.span_id())
        };
        self.bytes -= taken.iter().map(size).sum::<usize>();
        taken
    }

    /// Notes that a trace is exported.
    pub(super) fn captured(&mut self, trace: TraceId) {
        if self.captured.len() == CAPTURED {
            self.captured.pop_front();
        }
        self.captured.push_back(trace);
    }
}

impl Trace {
    /// Takes the spans below one span, in their order.
    fn take_below(&mut self, root: SpanId) -> Vec<SpanData> {
        let mut below = HashSet::from([root]);
        // A span usually ends before its parent, so the parent comes later in the list.
        let found = self.spans.iter().rev();
        let mut count = 0;
        while count < below.len() {
            count = below.len();
            for span in found.clone() {
                if below.contains(&span.parent_span_id) {
                    below.insert(span.span_context.span_id());
                }
            }
        }
        self.spans.extract_if(.., |span| below.contains(&span.parent_span_id)).collect()
    }
}

/// Returns about how much memory a span takes.
fn size(span: &SpanData) -> usize {
    let events = span.events.iter().flat_map(|event| &event.attributes);
    let attributes = span.attributes.iter().chain(events);
    size_of::<SpanData>() + span.name.len() + attributes.map(size_of_attribute).sum::<usize>()
}

fn size_of_attribute(attribute: &KeyValue) -> usize {
    let value = match &attribute.value {
        Value::String(text) => text.as_str().len(),
        Value::Array(Array::String(texts)) => {
            texts.iter().map(|text| size_of_val(text) + text.as_str().len()).sum()
        }
        Value::Array(Array::I64(values)) => size_of_val(&**values),
        Value::Array(Array::F64(values)) => size_of_val(&**values),
        Value::Array(Array::Bool(values)) => values.len(),
        _ => 0,
    };
    size_of::<KeyValue>() + attribute.key.as_str().len() + value
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;
    use opentelemetry_sdk::trace::SpanData;

    use super::{CAPTURED, Held, MAX_BYTES, MAX_SPANS, MAX_TRACES, size};
    use crate::tests::support::{finished, finished_in};

    fn names(spans: &[SpanData]) -> Vec<&str> {
        spans.iter().map(|span| &*span.name).collect()
    }

    #[test]
    fn spans_are_held_until_the_first_one_has_ended() {
        let mut held = Held::default();
        let root = finished("root", 1, 0);
        held.started(root.span_context.trace_id());
        assert!(held.ended(finished("a", 3, 2)).is_none());
        assert!(held.ended(finished("b", 2, 1)).is_none());
        assert_eq!(names(&held.take(&root)), ["a", "b"]);
        assert_eq!((held.bytes, held.traces.len()), (0, 0));
        assert!(held.ended(finished("late", 4, 1)).is_none(), "its trace was not captured");
        held.captured(root.span_context.trace_id());
        assert!(held.ended(finished("late", 4, 1)).is_some());
    }

    #[test]
    fn two_requests_in_one_trace_keep_their_own_spans() {
        let mut held = Held::default();
        let (one, other) = (finished("one", 1, 0), finished("other", 10, 0));
        held.started(one.span_context.trace_id());
        held.started(other.span_context.trace_id());
        for (name, id, parent) in [("a", 2, 1), ("x", 11, 10), ("c", 4, 3), ("b", 3, 2), ("y", 12, 11)] {
            held.ended(finished(name, id, parent));
        }
        // Its child ended after it.
        held.ended(finished("d", 5, 4));
        assert_eq!(names(&held.take(&one)), ["a", "c", "b", "d"]);
        assert_eq!(names(&held.take(&other)), ["x", "y"]);
        assert_eq!(held.bytes, 0);
    }

    #[test]
    fn the_number_of_spans_bytes_and_traces_is_bounded() {
        let mut held = Held::default();
        let root = finished("root", 1, 0);
        held.started(root.span_context.trace_id());
        for id in 2..=2 * MAX_SPANS as u64 {
            held.ended(finished("child", id, 1));
        }
        assert_eq!(held.take(&root).len(), MAX_SPANS);

        for trace in 1..=2 * MAX_TRACES as u128 {
            held.started(trace.into());
            let mut large = finished_in(trace, "large", 2, 1);
            large.attributes.push(KeyValue::new("text", "x".repeat(3_000)));
            held.ended(large);
        }
        assert_eq!(held.traces.len(), MAX_TRACES);
        assert!(held.bytes <= MAX_BYTES && held.bytes > MAX_BYTES * 9 / 10, "{}", held.bytes);
        for trace in 1..=2 * MAX_TRACES as u128 {
            held.take(&finished_in(trace, "root", 1, 0));
        }
        assert_eq!((held.bytes, held.traces.len()), (0, 0));

        for trace in 1..=1_000_u128 {
            held.captured(trace.into());
        }
        assert_eq!(held.captured.len(), CAPTURED);
    }

    #[test]
    fn the_size_of_a_span_counts_its_texts() {
        let (small, mut large) = (finished("span", 1, 0), finished("span", 1, 0));
        large.attributes.push(KeyValue::new("key", "x".repeat(1_000)));
        assert!((1_000..1_200).contains(&(size(&large) - size(&small))));
    }
}
