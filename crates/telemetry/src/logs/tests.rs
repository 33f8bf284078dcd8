use opentelemetry::trace::Status;
use tracing::Level;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::context::{from_message, trace_id_of};
use crate::hop::{HopLine, HopLines};
use crate::settings::SamplerSetting;
use crate::testing::{Recorder, attribute};

#[test]
fn a_line_is_flat_json_with_the_trace_of_its_span() {
    let recorder = Recorder::new();
    let trace_id = recorder.run(|| {
        let span = tracing::info_span!("process", otel.kind = "consumer");
        span.in_scope(|| {
            tracing::info!(event_type = "CustomerRenamed", attempt = 2_u32, ok = true, ratio = 0.5, "event");
        });
        trace_id_of(&span).unwrap().to_string()
    });
    let line = &recorder.logs()[0];
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["service"], "test");
    assert_eq!(line["environment"], "test");
    assert_eq!(line["message"], "event");
    assert_eq!(line["event_type"], "CustomerRenamed");
    assert_eq!(line["attempt"], 2);
    assert_eq!(line["ok"], true);
    assert_eq!(line["ratio"], 0.5);
    assert_eq!(line["trace_id"], trace_id.as_str());
    let timestamp = line["timestamp"].as_str().unwrap();
    assert_eq!(timestamp.len(), "2026-11-23T02:34:56.789012Z".len(), "{timestamp}");
    timestamp.parse::<jiff::Timestamp>().unwrap();
}

#[test]
fn an_unsampled_trace_has_its_id_in_the_line_and_a_line_without_a_span_has_none() {
    let recorder = Recorder::with(&SamplerSetting::AlwaysOff, "info");
    recorder.run(|| {
        let span = tracing::info_span!("process", otel.kind = "consumer");
        span.set_parent(from_message(Some("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"), None))
            .unwrap();
        span.in_scope(|| tracing::info!("event"));
        tracing::info!("outside");
    });
    assert_eq!(recorder.logs()[0]["trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    assert!(recorder.logs()[1].get("trace_id").is_none());
    assert!(recorder.spans().is_empty());
}

#[test]
fn hop_lines_of_sampled_traces_alone_leave_out_no_failure() {
    let recorder = Recorder::with_hop_lines(&SamplerSetting::ParentBasedAlwaysOn, "info", HopLines::Sampled);
    let hop = |sampled, outcome, level| {
        let span = tracing::info_span!("process", otel.kind = "consumer");
        let header =
            format!("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled={sampled}");
        span.set_parent(from_message(Some(&header), None)).unwrap();
        span.in_scope(|| {
            HopLine { outcome, ..HopLine::default() }.write(level);
            tracing::info!("another line");
        });
    };
    recorder.run(|| {
        hop(1, "applied", Level::INFO);
        hop(0, "applied", Level::INFO);
        hop(0, "retry", Level::WARN);
        hop(0, "dead-letter", Level::ERROR);
        HopLine { outcome: "outside of a trace", ..HopLine::default() }.write(Level::INFO);
    });
    let logs = recorder.logs();
    let outcomes: Vec<_> = logs.iter().filter_map(|line| line["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["applied", "retry", "dead-letter", "outside of a trace"]);
    assert_eq!(logs[0]["trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    assert_eq!(logs.iter().filter(|line| line["message"] == "another line").count(), 4);
}

#[test]
fn the_log_filter_cuts_neither_spans_nor_trace_ids() {
    let recorder = Recorder::with(&SamplerSetting::ParentBasedAlwaysOn, "off,hop=info");
    let trace_id = recorder.run(|| {
        // A debug span whose target the filter rejects.
        let span = tracing::debug_span!(target: "other", "process", otel.kind = "consumer");
        span.in_scope(|| {
            tracing::info!(target: "hop", "event");
            tracing::info!("filtered");
        });
        tracing::info!(target: "hop", parent: &span, "named its span");
        trace_id_of(&span).unwrap().to_string()
    });
    let logs = recorder.logs();
    assert_eq!(logs.len(), 2);
    assert!(logs.iter().all(|line| line["trace_id"] == trace_id.as_str()), "{logs:?}");
    assert_eq!(
        recorder.span("process").span_context.trace_id().to_string(),
        trace_id.replacen("1-", "", 1).replace('-', "")
    );
}

#[test]
fn spans_carry_what_was_said_and_nothing_else() {
    let recorder = Recorder::new();
    recorder.run(|| {
        let span = tracing::info_span!(
            "process",
            otel.name = "process members",
            otel.kind = "consumer",
            queue = "members"
        );
        span.in_scope(|| tracing::error!("logged as an error"));
        drop(tracing::info_span!("a library's own").entered());
    });
    let span = recorder.span("process members");
    let keys: Vec<_> = span.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(keys, ["queue"]);
    assert_eq!(attribute(&span, "queue").unwrap().as_str(), "members");
    assert_eq!(span.status, Status::Unset, "a line of the log does not make a span fail");
    assert!(span.events.is_empty());
    assert_eq!(recorder.spans().len(), 1);
}

#[test]
fn names_of_the_line_cannot_be_taken_by_a_field_but_the_trace_can_be_named() {
    let recorder = Recorder::new();
    recorder.run(|| {
        let span = tracing::info_span!("request", otel.kind = "server");
        span.in_scope(|| tracing::warn!(service = "fake", level = "fake", trace_id = "1-named", "event"));
    });
    let line = &recorder.logs()[0];
    assert_eq!(line["service"], "test");
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["field_service"], "fake");
    assert_eq!(line["trace_id"], "1-named");
}

#[test]
fn an_error_is_written_with_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);
    let recorder = Recorder::new();
    recorder.run(|| {
        let error = Outer(std::io::Error::other("inner"));
        let error: &(dyn std::error::Error + 'static) = &error;
        tracing::error!(error, "failed");
    });
    assert_eq!(recorder.logs()[0]["error"], "outer: inner");
}

#[test]
fn annotations_are_attributes_whose_keys_are_listed() {
    let recorder = Recorder::new();
    recorder.run(|| {
        let span = tracing::info_span!("process", otel.kind = "consumer");
        crate::attributes::annotate(
            &span,
            [("event_type", "CustomerRenamed".into()), ("attempt", 2_i64.into())],
        );
    });
    let span = recorder.span("process");
    assert_eq!(attribute(&span, "attempt"), Some(&2_i64.into()));
    assert_eq!(attribute(&span, "aws.xray.annotations").unwrap().to_string(), r#"["event_type","attempt"]"#);
}
