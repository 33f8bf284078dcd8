use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, TraceId};
use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

use super::*;

const LIMITS: Limits = Limits { capacity: 8, batch: 4, delay: Duration::from_millis(200) };
const GAP: Duration = Duration::from_millis(5);

/// A span with this id below another one; 0 for none.
fn span(id: u64, parent: u64) -> SpanData {
    let context = SpanContext::new(
        TraceId::from_bytes([7; 16]),
        SpanId::from_bytes(id.to_be_bytes()),
        TraceFlags::SAMPLED,
        false,
        TraceState::default(),
    );
    SpanData {
        span_context: context,
        parent_span_id: SpanId::from_bytes(parent.to_be_bytes()),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: id.to_string().into(),
        start_time: std::time::UNIX_EPOCH,
        end_time: std::time::UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::default(),
    }
}

fn is_copy(span: &SpanData) -> bool {
    let marked = |attribute: &KeyValue| {
        attribute.key.as_str() == attributes::AWS_XRAY_IN_PROGRESS && attribute.value == Value::Bool(true)
    };
    span.attributes.iter().any(marked)
}

/// The names in a batch, those of copies with an ellipsis.
fn names(batch: &Batch) -> Vec<String> {
    let name =
        |span: &SpanData| if is_copy(span) { format!("{}…", span.name) } else { span.name.to_string() };
    batch.spans.iter().map(name).collect()
}

/// Takes a batch and has it accepted.
fn taken(waiting: &mut Waiting, now: Instant) -> Vec<String> {
    let batch = waiting.take(now).unwrap();
    waiting.has_left();
    names(&batch)
}

#[test]
fn short_work_leaves_whole_at_once_and_without_a_copy() {
    let start = Instant::now();
    let mut waiting = Waiting::new(LIMITS, start);
    waiting.started(span(1, 0));
    assert!(waiting.ended(span(2, 1), start));
    assert_eq!(waiting.take(start).unwrap_err(), Some(LIMITS.delay), "its first span is open");
    assert!(waiting.ended(span(3, 1), start + GAP));
    assert!(waiting.ended(span(1, 0), start + GAP));
    assert!(waiting.is_earlier_than_expected(), "the thread must not sleep until the delay is over");
    assert_eq!(taken(&mut waiting, start + GAP), ["2", "3", "1"]);
    assert_eq!(waiting.take(start + GAP).unwrap_err(), None, "nothing to wait for");
    assert_eq!(waiting.len(), 0);
}

#[test]
fn work_that_outlasts_the_delay_has_one_copy_however_long_it_takes() {
    let start = Instant::now();
    let mut waiting = Waiting::new(LIMITS, start);
    let mut first = span(1, 0);
    first.attributes.push(KeyValue::new(attributes::EVENT_ID, "7"));
    first.attributes.push(KeyValue::new("other", "7"));
    waiting.started(first);
    assert!(waiting.ended(span(2, 1), start));
    let batch = waiting.take(start + LIMITS.delay).unwrap();
    waiting.has_left();
    assert_eq!((names(&batch), batch.finished), (vec!["1…".to_owned(), "2".to_owned()], 1));
    let list = batch.spans[0].attributes.iter().find(|a| a.key.as_str() == attributes::AWS_XRAY_ANNOTATIONS);
    assert_eq!(list.unwrap().value, Value::Array(Array::String(vec![attributes::EVENT_ID.into()])));

    let later = start + LIMITS.delay * 2;
    assert!(waiting.ended(span(3, 1), later));
    assert_eq!(waiting.take(later).unwrap_err(), Some(LIMITS.delay));
    assert_eq!(taken(&mut waiting, later + LIMITS.delay), ["3"], "no second copy");
    let end = later + LIMITS.delay * 2;
    assert!(waiting.ended(span(1, 0), end));
    assert_eq!(taken(&mut waiting, end), ["1"]);
}

#[test]
fn a_span_that_ends_before_its_batch_leaves_needs_no_copy() {
    let start = Instant::now();
    let mut waiting = Waiting::new(LIMITS, start);
    waiting.started(span(1, 0));
    waiting.ended(span(2, 1), start);
    // The collector is unavailable: the thread takes nothing for a while.
    let later = start + LIMITS.delay * 10;
    waiting.release(later);
    waiting.ended(span(1, 0), later);
    assert_eq!(taken(&mut waiting, later), ["2", "1"]);
}

#[test]
fn a_span_without_children_has_no_copy() {
    let start = Instant::now();
    let mut waiting = Waiting::new(LIMITS, start);
    waiting.started(span(1, 0));
    assert_eq!(waiting.take(start + LIMITS.delay * 10).unwrap_err(), None);
}

#[test]
fn batches_are_a_gap_apart_unless_they_are_full() {
    let start = Instant::now();
    let mut waiting = Waiting::new(LIMITS, start);
    waiting.ended(span(1, 0), start);
    assert_eq!(taken(&mut waiting, start), ["1"], "nothing left a moment ago");
    waiting.ended(span(2, 0), start);
    assert_eq!(waiting.take(start).unwrap_err(), Some(GAP));
    for id in 3..7 {
        waiting.ended(span(id, 0), start);
    }
    assert!(waiting.is_earlier_than_expected());
    assert_eq!(taken(&mut waiting, start), ["2", "3", "4", "5"], "full");
    assert_eq!(waiting.take(start).unwrap_err(), Some(GAP));
    assert_eq!(taken(&mut waiting, start + GAP), ["6"]);
}

#[test]
fn what_ends_beyond_the_capacity_is_lost_and_what_was_accepted_is_not() {
    let start = Instant::now();
    let mut waiting = Waiting::new(LIMITS, start);
    waiting.started(span(100, 0));
    for id in 1..=8 {
        assert!(waiting.ended(span(id, 100), start), "{id}");
    }
    assert!(!waiting.ended(span(9, 100), start));
    assert!(!waiting.ended(span(100, 0), start), "the first span itself");
    let batch = waiting.take(start).unwrap();
    assert_eq!(waiting.len(), 8, "a batch on its way takes memory");
    assert!(!waiting.ended(span(10, 0), start));
    assert!(waiting.has_left());
    assert!(waiting.ended(span(11, 0), start));
    assert_eq!(names(&batch), ["1", "2", "3", "4"]);
}

#[test]
fn beyond_the_capacity_of_open_spans_nothing_waits_and_nothing_is_copied() {
    let start = Instant::now();
    let mut waiting = Waiting::new(LIMITS, start);
    for id in 1..=9 {
        waiting.started(span(id, 0));
    }
    waiting.ended(span(20, 9), start);
    assert_eq!(taken(&mut waiting, start), ["20"]);
}

#[test]
fn at_the_end_everything_leaves_at_once() {
    let start = Instant::now();
    let mut waiting = Waiting::new(LIMITS, start);
    waiting.ended(span(9, 0), start);
    taken(&mut waiting, start);
    waiting.started(span(1, 0));
    for id in 2..8 {
        waiting.ended(span(id, 1), start);
    }
    assert!(waiting.close());
    assert!(!waiting.close(), "once");
    assert!(!waiting.ended(span(8, 1), start), "too late");
    assert_eq!(taken(&mut waiting, start), ["1…", "2", "3", "4", "5"]);
    assert_eq!(taken(&mut waiting, start), ["6", "7"]);
    assert_eq!(waiting.len(), 0);
}

#[test]
fn what_was_given_up_counts_once() {
    let start = Instant::now();
    let mut waiting = Waiting::new(LIMITS, start);
    for id in 1..=6 {
        waiting.ended(span(id, 0), start);
    }
    waiting.take(start).unwrap();
    waiting.close();
    assert_eq!(waiting.abandon(), 6, "those on their way too");
    assert!(!waiting.has_left(), "the thread does not count them again");
}
