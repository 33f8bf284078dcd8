//! Requests in, the document out.

use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue as Any, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, Summary, SummaryDataPoint,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::*;

const S: u64 = 1_000_000_000;

/// This many seconds after the epoch.
fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(Any { value: Some(AnyValue::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn number(start: u64, time: u64, value: f64, attributes: &[(&str, &str)]) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes.iter().map(|(key, value)| attribute(key, value)).collect(),
        start_time_unix_nano: start * S,
        time_unix_nano: time * S,
        value: Some(Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

fn metric(name: &str, data: Data) -> Metric {
    Metric { name: name.to_owned(), data: Some(data), ..Metric::default() }
}

fn counter(temporality: AggregationTemporality, points: Vec<NumberDataPoint>) -> Metric {
    let aggregation_temporality = temporality.into();
    metric("sent", Data::Sum(Sum { data_points: points, aggregation_temporality, is_monotonic: true }))
}

fn cumulative(points: Vec<NumberDataPoint>) -> Metric {
    counter(AggregationTemporality::Cumulative, points)
}

fn gauge(name: &str, time: u64, value: f64) -> Metric {
    metric(name, Data::Gauge(Gauge { data_points: vec![number(0, time, value, &[])] }))
}

fn request(instance: Option<&str>, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let instance = instance.map(|id| attribute("service.instance.id", id));
    let attributes = [attribute("service.name", "email")].into_iter().chain(instance).collect();
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_metrics: vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        }],
    }
}

/// Returns the only service.
fn service(metrics: &Metrics, seconds: u64) -> Service {
    let mut services = metrics.document(at(seconds)).services;
    assert_eq!(services.len(), 1, "{services:?}");
    services.remove(0)
}

/// Returns each series with its value and rate.
fn values(service: &Service) -> Vec<(String, f64, Option<f64>)> {
    let mut values = Vec::new();
    for metric in &service.metrics {
        for series in &metric.series {
            let Reading::Number { value } = series.reading else { panic!("{series:?}") };
            let attributes = series.attributes.values().map(|value| value.as_str().unwrap());
            let parts: Vec<&str> = [&*metric.name].into_iter().chain(attributes).collect();
            values.push((parts.join(" "), value, series.rate_per_s));
        }
    }
    values
}

#[test]
fn instances_are_added_up_and_a_restart_without_one_does_not_count_back() {
    let metrics = Metrics::default();
    let sent = |instance, start, time, value| {
        let points = vec![number(start, time, value, &[("outcome", "sent")])];
        metrics.record(&request(instance, vec![cumulative(points)]), at(time))
    };
    for (time, value) in [(110, 10.0), (120, 30.0)] {
        sent(Some("a"), 100, time, value);
        sent(Some("b"), 100, time, value / 10.0);
        sent(None, 100, time, 1.0);
    }
    let shown = service(&metrics, 121);
    assert_eq!((shown.instances, shown.exported_at), (3, "1970-01-01T00:02:00Z".parse().unwrap()));
    assert_eq!(values(&shown), [("sent sent".to_owned(), 34.0, Some(2.2))]);

    // Another process in the place of the one without an id, and one with a new id.
    sent(None, 125, 130, 4.0);
    sent(Some("c"), 125, 130, 5.0);
    let value = |seconds| values(&service(&metrics, seconds))[0].1;
    assert!((value(131) - 43.0).abs() < 1e-9, "{}", value(131));
    // Those that have ended still count, and export no more.
    assert_eq!(service(&metrics, 275).instances, 2);
    assert!((value(275) - 43.0).abs() < 1e-9);
    let ended = service(&metrics, 1_000);
    assert_eq!((ended.instances, values(&ended)[0].2), (0, None));
}

#[test]
fn what_a_delta_does_not_mention_rises_no_more() {
    let metrics = Metrics::default();
    let delta = |start, time, outcome| {
        let points = vec![number(start, time, 5.0, &[("outcome", outcome)])];
        let metric = counter(AggregationTemporality::Delta, points);
        metrics.record(&request(None, vec![metric]), at(time));
    };
    delta(100, 110, "sent");
    delta(110, 120, "retry");
    let expected = [("sent retry".to_owned(), 5.0, Some(0.5)), ("sent sent".to_owned(), 5.0, Some(0.0))];
    assert_eq!(values(&service(&metrics, 121)), expected);
}

#[test]
fn a_series_that_begins_rises_since_the_export_before() {
    let metrics = Metrics::default();
    let export = |time, outcomes: &[&str]| {
        let points = outcomes.iter().map(|outcome| number(100, time, 6.0, &[("outcome", outcome)]));
        metrics.record(&request(None, vec![cumulative(points.collect())]), at(time));
    };
    export(110, &["sent"]);
    export(113, &["retry", "sent"]);
    let expected = [("sent retry".to_owned(), 6.0, Some(2.0)), ("sent sent".to_owned(), 6.0, Some(0.0))];
    assert_eq!(values(&service(&metrics, 114)), expected);
}

#[test]
fn a_gauge_belongs_to_a_process_that_lives() {
    let metrics = Metrics::default();
    let export = |start, time, gauges: Vec<Metric>| {
        let counted = cumulative(vec![number(start, time, 1.0, &[])]);
        metrics.record(&request(None, [vec![counted], gauges].concat()), at(time));
    };
    let gauges = |seconds| {
        let mut values = values(&service(&metrics, seconds));
        values.retain(|(name, ..)| name != "sent");
        values.into_iter().map(|(name, value, _)| (name, value)).collect::<Vec<_>>()
    };
    export(100, 110, vec![gauge("circuit", 110, 1.0), gauge("in_flight", 110, 7.0)]);
    assert_eq!(gauges(111), [("circuit".to_owned(), 1.0), ("in_flight".to_owned(), 7.0)]);
    // The process was killed; its successor has no circuit yet.
    export(115, 120, vec![gauge("in_flight", 120, 0.0)]);
    assert_eq!(gauges(121), [("in_flight".to_owned(), 0.0)]);
    assert_eq!(gauges(1_000), []);
    assert_eq!(values(&service(&metrics, 1_000))[0].1.to_bits(), 2.0_f64.to_bits());
}

#[test]
fn gauges_of_instances_are_shown_apart() {
    let metrics = Metrics::default();
    for (id, value) in [("b", 2.0), ("a", 1.0)] {
        metrics.record(&request(Some(id), vec![gauge("in_flight", 110, value)]), at(110));
    }
    let shown = service(&metrics, 111);
    let series: Vec<_> = shown.metrics[0].series.iter().map(|series| series.instance.as_deref()).collect();
    assert_eq!(series, [Some("a"), Some("b")]);
}

#[test]
fn the_document_is_what_it_says() {
    let metrics = Metrics::default();
    let point = HistogramDataPoint {
        attributes: vec![attribute("stage", "done")],
        start_time_unix_nano: 100 * S,
        time_unix_nano: 110 * S,
        count: 4,
        sum: Some(2.5),
        min: Some(0.5),
        max: Some(1.0),
        explicit_bounds: vec![0.5, 1.0],
        bucket_counts: vec![2, 2, 0],
        ..HistogramDataPoint::default()
    };
    let ages = Metric {
        unit: "s".to_owned(),
        ..metric(
            "age",
            Data::Histogram(Histogram {
                data_points: vec![point],
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
            }),
        )
    };
    metrics.record(&request(None, vec![ages, gauge("in_flight", 110, 0.25)]), at(110));
    let document = metrics.document(at(111));
    let json = serde_json::json!({
        "at": "1970-01-01T00:01:51Z", "left_out": 0,
        "services": [{"name": "email", "instances": 1, "exported_at": "1970-01-01T00:01:50Z", "metrics": [
            {"name": "age", "kind": "histogram", "unit": "s", "series": [
                {"attributes": {"stage": "done"}, "count": 4, "sum": 2.5, "min": 0.5, "max": 1,
                 "p50": 0.5, "p90": 0.9, "p99": 0.99, "rate_per_s": null}]},
            {"name": "in_flight", "kind": "gauge", "unit": "", "series": [
                {"attributes": {}, "value": 0.25, "rate_per_s": null}]},
        ]}],
    });
    assert_eq!(serde_json::to_value(&document).unwrap(), json);
    assert_eq!(serde_json::from_value::<Document>(json).unwrap(), document);
}

#[test]
fn what_cannot_be_kept_is_counted_with_its_reason() {
    let metrics = Metrics::default();
    let long = vec![number(100, 110, 1.0, &[("text", &"x".repeat(MAX_TEXT))])];
    let unspecified = counter(AggregationTemporality::Unspecified, vec![number(100, 110, 1.0, &[])]);
    let summary = metric("old", Data::Summary(Summary { data_points: vec![SummaryDataPoint::default()] }));
    for (metric, reason) in [
        (cumulative(long), Refusal::TooLong),
        (unspecified, Refusal::Temporality),
        (summary, Refusal::Summary),
        (gauge("not", 110, f64::NAN), Refusal::Value),
    ] {
        let rejected = metrics.record(&request(None, vec![metric]), at(110));
        assert_eq!(rejected, Rejected { data_points: 1, reason: Some(reason) });
    }
    assert_eq!(metrics.document(at(111)).left_out, 4);
    metrics.forget();
    assert_eq!(metrics.document(at(111)).left_out, 0);
}

#[test]
fn beyond_the_most_series_those_that_are_known_go_on() {
    let metrics = Metrics::default();
    let export = |time, value| {
        let names: Vec<String> = (0..MAX_SERIES + 5).map(|index| index.to_string()).collect();
        let points = names.iter().map(|name| number(100, time, value, &[("n", name)])).collect();
        metrics.record(&request(None, vec![cumulative(points)]), at(time))
    };
    let rejected = Rejected { data_points: 5, reason: Some(Refusal::TooManySeries) };
    assert_eq!([export(110, 1.0), export(120, 2.0)], [rejected; 2]);
    let values = values(&service(&metrics, 121));
    assert_eq!(values.len(), MAX_SERIES);
    assert!(values.iter().all(|(_, value, _)| value.to_bits() == 2.0_f64.to_bits()));
}
