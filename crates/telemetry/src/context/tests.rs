use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{Link, SpanId, SpanKind, TraceContextExt as _};
use opentelemetry::{Context, KeyValue, TraceId};
use opentelemetry_sdk::trace::{Sampler, SamplingResult, ShouldSample};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::*;
use crate::settings::SamplerSetting;
use crate::span_id;
use crate::testing::Recorder;

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const HEX: &str = "5759e988bd862e3fe1be46a994272793";
const PARENT: &str = "53995c3f42cd8ad8";

fn span(parent: Context) -> Span {
    let span = tracing::info_span!("process", otel.kind = "consumer");
    span.set_parent(parent).unwrap();
    span
}

fn http(pairs: &[(&'static str, &str)]) -> Context {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.insert(*name, value.parse().unwrap());
    }
    from_http(&headers)
}

/// Returns the header of a span under `parent`, with the placeholder `{span}` for the span's id.
fn passed_on(parent: Context) -> String {
    let span = span(parent);
    let header = header_of(&span).unwrap();
    let id = span.context().span().span_context().span_id().to_string();
    header.replace(&id, "{span}")
}

#[test]
fn a_whole_header_is_continued() {
    let recorder = Recorder::new();
    recorder.run(|| {
        let header = format!("Root={ROOT};Parent={PARENT};Sampled=1");
        assert_eq!(
            passed_on(from_message(Some(&header), None)),
            format!("Root={ROOT};Parent={{span}};Sampled=1")
        );
    });
    let span = recorder.span("process");
    assert_eq!(span.span_context.trace_id().to_string(), HEX);
    assert_eq!(span.parent_span_id.to_string(), PARENT);
    assert!(span.parent_span_is_remote);
}

#[test]
fn a_root_alone_keeps_its_trace_id_and_the_first_span_has_no_parent() {
    let recorder = Recorder::new();
    recorder.run(|| {
        let first = span(from_message(Some(&format!("Root={ROOT}")), None));
        assert_eq!(trace_id_of(&first).unwrap().to_string(), ROOT);
        first.in_scope(|| drop(tracing::info_span!("child", otel.kind = "client").entered()));
    });
    let (first, child) = (recorder.span("process"), recorder.span("child"));
    assert_eq!(first.span_context.trace_id().to_string(), HEX);
    assert_eq!(first.parent_span_id, SpanId::INVALID);
    assert!(!first.parent_span_is_remote);
    assert_eq!(child.span_context.trace_id(), first.span_context.trace_id());
    assert_eq!(child.parent_span_id, first.span_context.span_id());
}

#[test]
fn an_open_decision_is_made_here_and_passed_on() {
    for header in [
        format!("Root={ROOT};Parent={PARENT};Sampled=?"),
        format!("Root={ROOT};Parent={PARENT}"),
        format!("Root={ROOT}"),
    ] {
        let yes = Recorder::with(&SamplerSetting::ParentBasedAlwaysOn, "info");
        yes.run(|| {
            let passed = passed_on(from_message(Some(&header), None));
            assert_eq!(passed, format!("Root={ROOT};Parent={{span}};Sampled=1"), "for {header}");
        });
        assert_eq!(yes.spans().len(), 1);

        let no = Recorder::with(&SamplerSetting::ParentBasedAlwaysOff, "info");
        no.run(|| {
            let first = span(from_message(Some(&header), None));
            let passed = first.in_scope(|| {
                // The decision is made once: for spans below, the parent has decided.
                let child = tracing::info_span!("child", otel.kind = "client");
                header_of(&child).unwrap()
            });
            assert!(
                passed.starts_with(&format!("Root={ROOT};Parent=")) && passed.ends_with(";Sampled=0"),
                "{passed}"
            );
        });
        assert!(no.spans().is_empty());
    }
}

#[test]
fn an_unsampled_trace_is_not_recorded_but_passed_on() {
    let recorder = Recorder::new();
    recorder.run(|| {
        let header = format!("Root={ROOT};Parent={PARENT};Sampled=0");
        let first = span(http(&[(XRAY_HEADER, &header)]));
        assert_eq!(trace_id_of(&first).unwrap().to_string(), ROOT);
        first.in_scope(|| {
            let passed = current_header().unwrap();
            assert!(
                passed.starts_with(&format!("Root={ROOT};Parent=")) && passed.ends_with(";Sampled=0"),
                "{passed}"
            );
            assert!(!passed.contains(PARENT), "the unsampled span is the parent, not its own parent");
        });
    });
    assert!(recorder.spans().is_empty());
}

#[test]
fn unknown_fields_keep_their_spelling_and_reach_every_span_below() {
    let recorder = Recorder::new();
    recorder.run(|| {
        let header = format!("Self=1-67891234-12456789abcdef012345678;Root={ROOT};Parent={PARENT};Sampled=1;Lineage=25:a87bd80c:1|68fd508a:5");
        let first = span(http(&[(XRAY_HEADER, &header)]));
        let passed = first.in_scope(passed_on_by_child);
        assert_eq!(
            passed,
            format!(
                "Root={ROOT};Parent={{span}};Sampled=1;Self=1-67891234-12456789abcdef012345678;\
                 Lineage=25:a87bd80c:1|68fd508a:5"
            )
        );
    });
}

fn passed_on_by_child() -> String {
    let child = tracing::info_span!("child", otel.kind = "producer");
    let id = child.context().span().span_context().span_id().to_string();
    header_of(&child).unwrap().replace(&id, "{span}")
}

#[test]
fn the_metadata_decides_and_the_native_header_adds_unknown_fields() {
    let recorder = Recorder::new();
    let metadata = format!("Root={ROOT};Parent={PARENT};Sampled=1;Lineage=1:a:1;Own=x");
    let native = "Root=1-00000001-000000000000000000000001;Parent=00f067aa0ba902b7;Sampled=0;Lineage=1:a:2";
    recorder.run(|| {
        let passed = passed_on(from_message(Some(&metadata), Some(native)));
        assert_eq!(passed, format!("Root={ROOT};Parent={{span}};Sampled=1;Lineage=1:a:2;Own=x"));
    });
    assert_eq!(recorder.span("process").parent_span_id.to_string(), PARENT);
    assert_eq!(origin_of(Some(&metadata), Some(native)).unwrap().to_string(), ROOT);
}

#[test]
fn the_native_header_counts_alone_for_a_foreign_producer() {
    let native = format!("Root={ROOT};Parent={PARENT};Sampled=1");
    for metadata in [None, Some(""), Some("rubbish"), Some("Sampled=1"), Some("Root=1-xyz")] {
        let recorder = Recorder::new();
        recorder.run(|| drop(span(from_message(metadata, Some(&native)))));
        assert_eq!(recorder.span("process").parent_span_id.to_string(), PARENT, "with {metadata:?}");
    }
}

#[test]
fn merged_fields_still_fit_into_a_header() {
    let long = |name: &str| format!("Root={ROOT};{name}={}", "x".repeat(300));
    let incoming = Incoming::from_message(Some(&long("Mine")), Some(&long("Theirs")));
    let names: Vec<_> = incoming.carried.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Theirs"]);
}

#[test]
fn rubbish_starts_a_new_trace() {
    let recorder = Recorder::new();
    recorder.run(|| {
        for parent in [
            from_message(Some("rubbish"), Some("Root=;;")),
            http(&[(XRAY_HEADER, "Root=nothing")]),
            http(&[]),
        ] {
            let span = span(parent);
            let id = trace_id_of(&span).unwrap().to_string();
            assert!(id.starts_with("1-") && id != ROOT, "{id}");
        }
    });
    assert!(recorder.spans().iter().all(|span| span.parent_span_id == SpanId::INVALID));
    assert_eq!(recorder.spans().len(), 3);
}

#[test]
fn a_new_trace_has_the_epoch_in_its_id() {
    let recorder = Recorder::new();
    recorder.run(|| drop(span(Context::new())));
    let id = xray::TraceId::from_bytes(recorder.span("process").span_context.trace_id().to_bytes());
    let now = jiff::Timestamp::now().as_second();
    assert!((now - i64::from(id.epoch_seconds())).abs() < 60);
}

#[test]
fn traceparent_counts_unless_the_xray_header_has_a_parent_or_a_decision() {
    const OTHER: &str = "1-00000001-000000000000000000000001";
    let traceparent = format!("00-{HEX}-{PARENT}-01");
    let cases = [
        (None, HEX),
        (Some("rubbish".to_owned()), HEX),
        (Some(format!("Root={OTHER}")), HEX),
        (Some(format!("Self=1-a-b;Root={OTHER}")), HEX),
        (Some(format!("Root={OTHER};Parent=;Sampled=")), HEX),
        (Some(format!("Root={OTHER};Sampled=1")), "00000001000000000000000000000001"),
        (Some(format!("Root={OTHER};Parent=00f067aa0ba902b7")), "00000001000000000000000000000001"),
    ];
    for (xray, expected) in cases {
        let mut headers = vec![("traceparent", traceparent.as_str())];
        headers.extend(xray.as_deref().map(|header| (XRAY_HEADER, header)));
        let recorder = Recorder::new();
        recorder.run(|| drop(span(http(&headers))));
        assert_eq!(recorder.span("process").span_context.trace_id().to_string(), expected, "{headers:?}");
    }
    let mut headers = HeaderMap::new();
    headers.insert(XRAY_HEADER, format!("Root={OTHER}").parse().unwrap());
    assert_eq!(Incoming::from_http(&headers).yielded_trace_id(), None);
    headers.insert("traceparent", traceparent.parse().unwrap());
    let incoming = Incoming::from_http(&headers);
    assert_eq!(incoming.yielded_trace_id().unwrap().to_string(), OTHER);
    assert_eq!(incoming.trace_id().unwrap().to_string(), ROOT);
    // An invalid one does not count.
    headers.insert("traceparent", "00-0-0-01".parse().unwrap());
    assert_eq!(Incoming::from_http(&headers).trace_id().unwrap().to_string(), OTHER);
}

#[test]
fn one_odd_field_does_not_cost_a_good_root() {
    for header in
        ["Parent=;Sampled=1", "Parent=0000000000000000;Sampled=1", "word;Sampled=1", "Name=é;Sampled=1"]
    {
        let recorder = Recorder::new();
        recorder.run(|| {
            // As bytes, since a header with more than ASCII is no text to HTTP.
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_bytes(format!("Root={ROOT};{header}").as_bytes()).unwrap();
            headers.insert(XRAY_HEADER, value);
            assert_eq!(passed_on(from_http(&headers)), format!("Root={ROOT};Parent={{span}};Sampled=1"));
        });
        assert_eq!(recorder.span("process").parent_span_id, SpanId::INVALID, "{header}");
    }
}

#[test]
fn traceparent_carries_its_decision() {
    let unsampled = Recorder::new();
    unsampled.run(|| {
        let headers = [("traceparent", &*format!("00-{HEX}-{PARENT}-00")), ("tracestate", "vendor=x")];
        assert!(passed_on(http(&headers)).ends_with(";Sampled=0"));
    });
    assert!(unsampled.spans().is_empty());
}

#[test]
fn a_load_balancers_self_field_survives_beside_a_traceparent() {
    let recorder = Recorder::new();
    recorder.run(|| {
        let traceparent = format!("00-{HEX}-{PARENT}-01");
        let passed = passed_on(http(&[("traceparent", &traceparent), (XRAY_HEADER, "Self=1-a-b")]));
        assert_eq!(passed, format!("Root={ROOT};Parent={{span}};Sampled=1;Self=1-a-b"));
    });
}

#[test]
fn a_trace_of_its_own_passes_on_the_unknown_fields_only() {
    let recorder = Recorder::new();
    recorder.run(|| {
        let header = format!("Root={ROOT};Parent={PARENT};Sampled=1;Lineage=1:a:1");
        let incoming = Incoming::from_message(Some(&header), None);
        let passed = passed_on(incoming.into_new_trace());
        assert!(passed.ends_with(";Lineage=1:a:1") && !passed.contains(ROOT), "{passed}");
    });
    assert_eq!(recorder.span("process").parent_span_id, SpanId::INVALID);
}

#[test]
fn an_item_of_a_list_inherits_the_decision_and_not_the_trace() {
    for (sampler, field, recorded) in [
        (SamplerSetting::ParentBasedAlwaysOff, ";Sampled=1", 1),
        (SamplerSetting::ParentBasedAlwaysOn, ";Sampled=0", 0),
        (SamplerSetting::ParentBasedAlwaysOn, "", 1),
        (SamplerSetting::ParentBasedAlwaysOff, ";Sampled=?", 0),
    ] {
        let recorder = Recorder::with(&sampler, "info");
        recorder.run(|| {
            let incoming = Incoming::from_message(Some(&format!("Root={ROOT};Parent={PARENT}{field}")), None);
            let span = span(incoming.into_new_trace_as_decided());
            assert_ne!(trace_id_of(&span).unwrap().to_string(), ROOT);
            span.in_scope(|| drop(tracing::info_span!("child", otel.kind = "client")));
        });
        assert_eq!(recorder.spans().len(), 2 * recorded, "{field}");
    }
}

#[test]
fn a_caller_is_told_which_span_answered() {
    let recorder = Recorder::new();
    recorder.run(|| {
        let span = span(http(&[(XRAY_HEADER, &format!("Root={ROOT};Parent={PARENT};Sampled=1"))]));
        let id = span.context().span().span_context().span_id();
        let headers = response_headers(&span);
        assert_eq!(headers[XRAY_HEADER], format!("Root={ROOT};Parent={id};Sampled=1"));
        assert_eq!(headers["traceresponse"], format!("00-{HEX}-{id}-01"));
    });
    assert!(response_headers(&Span::none()).is_empty());
}

#[test]
fn a_request_carries_its_span_in_both_forms() {
    let recorder = Recorder::new();
    for sampled in [1, 0] {
        recorder.run(|| {
            let header = format!("Root={ROOT};Parent={PARENT};Sampled={sampled};Lineage=1:a87bd80c:1");
            let span = span(http(&[(XRAY_HEADER, &header)]));
            let id = span.context().span().span_context().span_id();
            let headers = request_headers(&span);
            let expected = format!("Root={ROOT};Parent={id};Sampled={sampled};Lineage=1:a87bd80c:1");
            assert_eq!(headers[XRAY_HEADER], expected);
            assert_eq!(headers["traceparent"], format!("00-{HEX}-{id}-0{sampled}"));
            assert_eq!(headers.len(), 2, "no tracestate without one: {headers:?}");
        });
    }
    assert!(request_headers(&Span::none()).is_empty());
}

#[test]
fn without_telemetry_there_is_no_header() {
    let span = tracing::info_span!("process", otel.kind = "consumer");
    assert_eq!(header_of(&span), None);
    assert_eq!(trace_id_of(&span), None);
}

#[test]
fn the_placeholder_is_valid_and_differs_between_traces() {
    let of = |id: u128| placeholder_parent(TraceId::from(id));
    assert_ne!(of(1), SpanId::INVALID);
    assert_ne!(of(1), of(2));
    // Complementary halves would yield zeros.
    assert_ne!(of(0xffff_ffff_ffff_ffff_0000_0000_0000_0000), SpanId::INVALID);
}

/// A sampler that decides by an attribute, to test that attributes are present at the decision.
#[derive(Clone, Debug)]
struct ByAttribute;

impl ShouldSample for ByAttribute {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let vip = attributes.iter().any(|attribute| attribute.key.as_str() == "vip");
        let sampler = if vip { Sampler::AlwaysOn } else { Sampler::AlwaysOff };
        sampler.should_sample(parent, trace_id, name, kind, attributes, links)
    }
}

#[test]
fn attributes_of_the_callsite_and_those_set_before_the_start_are_sampled_by() {
    use opentelemetry::trace::TracerProvider as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().with_sampler(ByAttribute).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let declared = tracing::info_span!("declared", otel.kind = "server", vip = true);
        assert!(header_of(&declared).unwrap().ends_with("Sampled=1"));
        let set = tracing::info_span!("set", otel.kind = "server");
        set.set_attribute("vip", true);
        assert!(header_of(&set).unwrap().ends_with("Sampled=1"));
        let none = tracing::info_span!("none", otel.kind = "server");
        assert!(header_of(&none).unwrap().ends_with("Sampled=0"));
    });
}

#[test]
fn the_span_of_an_earlier_attempt_has_this_messages_parent() {
    const OTHER: &str = "1-6b08843b-b8edb67e8a27c22ff4adbf25";
    let earlier = |incoming: &Incoming, root: &str| {
        let (id, context) = incoming.of_earlier(&format!("Root={root};Parent=6c696c5e918682e5;Sampled=1"))?;
        let recorder = Recorder::new();
        recorder.run(|| drop(span_id::start_with(id, || span(context))));
        Some(recorder.span("process"))
    };
    let incoming = Incoming::from_message(Some(&format!("Root={ROOT};Parent={PARENT};Sampled=1")), None);
    let same = earlier(&incoming, ROOT).unwrap();
    // The span of a message that starts anew begins another trace.
    let first = earlier(&Incoming::default(), OTHER).unwrap();
    for (span, root) in [(&same, ROOT), (&first, OTHER)] {
        assert_eq!(span.span_context.span_id().to_string(), "6c696c5e918682e5");
        assert_eq!(xray::TraceId::from_bytes(span.span_context.trace_id().to_bytes()).to_string(), root);
    }
    assert_eq!(same.parent_span_id.to_string(), PARENT);
    assert_eq!(first.parent_span_id, SpanId::INVALID);
    // An event that was published twice: nobody here knows the parent in the other trace.
    assert!(earlier(&incoming, OTHER).is_none());
}

#[test]
fn an_attempt_that_was_not_recorded_has_no_span_to_stand_in_for() {
    let incoming = Incoming::from_message(Some(&format!("Root={ROOT};Parent={PARENT};Sampled=1")), None);
    let unrecorded = format!("Root={ROOT};Parent=6c696c5e918682e5;Sampled=0");
    for attempt in ["", "rubbish", ROOT, &format!("Root={ROOT};Sampled=1"), &unrecorded] {
        assert!(incoming.of_earlier(attempt).is_none(), "{attempt}");
    }
    let header = || {
        Recorder::with(&SamplerSetting::AlwaysOff, "info")
            .run(|| span(Context::new()).in_scope(recorded_header))
    };
    assert_eq!(header(), None);
    Recorder::new().run(|| {
        let span = span(Context::new());
        assert_eq!(span.in_scope(recorded_header), header_of(&span));
    });
}
