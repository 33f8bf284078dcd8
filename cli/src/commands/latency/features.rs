//! What a trace's summary says about it, each as a filter expression that finds the traces of which it says the same.

use std::collections::BTreeSet;

use aws_sdk_xray::types::{AnnotationValue, TraceSummary};
use xray_engine::{AnnotationTest, Comparison, End, Expression, Flag, NodePattern, Text, TextComparison};

use crate::commands::filter::texts;

/// Something that is true of a trace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Feature {
    /// What it is about, such as `annotation.event_type`. Features about the same thing differ in their value.
    pub(super) about: String,
    /// The filter expression.
    pub(super) expression: String,
}

impl Feature {
    fn new(about: &impl ToString, expression: &Expression) -> Self {
        Self { about: about.to_string(), expression: expression.to_string() }
    }
}

/// Returns all features of a trace.
pub(super) fn of(trace: &TraceSummary) -> BTreeSet<Feature> {
    let mut features = BTreeSet::new();
    for (key, values) in trace.annotations().into_iter().flatten() {
        let is_set = Expression::Annotation(End::Here, key.clone(), AnnotationTest::IsSet);
        let values = values.iter().filter_map(|value| test(value.annotation_value()?));
        features.extend(
            values.map(|test| Feature::new(&is_set, &Expression::Annotation(End::Here, key.clone(), test))),
        );
        features.insert(Feature::new(&format!("{is_set} is set"), &is_set));
    }
    for name in trace.service_ids().iter().filter_map(|service| service.name()) {
        let service = Expression::Service(pattern(name), None);
        features.insert(Feature::new(&service, &service));
    }
    let name = trace.entry_point().and_then(|entry| entry.name()).map(|name| (Text::Name, name));
    features.extend(texts::of_request(trace).chain(name).map(|(text, value)| {
        Feature::new(&text, &Expression::Text(text, TextComparison::Equal, value.to_owned()))
    }));
    let number = xray_engine::Number::HttpStatus;
    features.extend(trace.http().and_then(|http| http.http_status()).map(|status| {
        Feature::new(&number, &Expression::Number(number, Comparison::Equal, f64::from(status)))
    }));
    features.extend(flags(trace));
    features.extend(causes(trace));
    features
}

fn flags(trace: &TraceSummary) -> impl Iterator<Item = Feature> {
    let flags = [
        (Flag::Fault, trace.has_fault()),
        (Flag::Error, trace.has_error()),
        (Flag::Throttle, trace.has_throttle()),
        (Flag::Partial, trace.is_partial()),
    ];
    let set = flags.into_iter().filter(|(_, is)| *is == Some(true));
    set.map(|(flag, _)| Feature::new(&flag, &Expression::Flag(flag)))
}

/// Returns the services in which a fault began.
fn causes(trace: &TraceSummary) -> impl Iterator<Item = Feature> {
    let last = trace.fault_root_causes().iter().filter_map(|cause| cause.services().last()?.name());
    last.map(|name| {
        let condition = Expression::Flag(Flag::Fault);
        let service = Expression::Service(pattern(name), Some(Box::new(condition)));
        Feature::new(&service, &service)
    })
}

fn pattern(name: &str) -> NodePattern {
    NodePattern { name: Some(name.to_owned()), ..NodePattern::default() }
}

fn test(value: &AnnotationValue) -> Option<AnnotationTest> {
    match value {
        AnnotationValue::BooleanValue(value) => Some(AnnotationTest::Boolean(true, *value)),
        AnnotationValue::NumberValue(value) => Some(AnnotationTest::Number(Comparison::Equal, *value)),
        AnnotationValue::StringValue(value) => {
            Some(AnnotationTest::Text(TextComparison::Equal, value.clone()))
        }
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use aws_sdk_xray::types::{Http, ServiceId, ValueWithServiceIds};
    use xray_engine::FilterExpression;

    use super::*;

    /// Returns the summary of a trace with this response time and these annotations.
    pub(in super::super) fn trace(seconds: f64, annotations: &[(&str, AnnotationValue)]) -> TraceSummary {
        let mut trace = TraceSummary::builder().response_time(seconds);
        for (key, value) in annotations {
            let value = ValueWithServiceIds::builder().annotation_value(value.clone()).build();
            trace = trace.annotations(*key, vec![value]);
        }
        trace.build()
    }

    #[test]
    fn every_feature_is_an_expression_that_can_be_read() {
        let text = AnnotationValue::StringValue("with \"quotes\"".to_owned());
        let mut trace = trace(
            1.0,
            &[
                ("event_type", text),
                ("request.id", AnnotationValue::NumberValue(2.0)),
                ("late", AnnotationValue::BooleanValue(false)),
            ],
        );
        trace.http = Some(Http::builder().http_method("POST").http_status(202).build());
        trace.service_ids = Some(vec![ServiceId::builder().name("email").build()]);
        trace.has_fault = Some(true);
        let features = of(&trace);
        let expressions: Vec<&str> = features.iter().map(|feature| feature.expression.as_str()).collect();
        for expression in [
            r#"annotation.event_type = "with \"quotes\"""#,
            "annotation.event_type",
            "annotation[request.id] = 2",
            "annotation.late = false",
            r#"http.method = "POST""#,
            "http.status = 202",
            r#"service("email")"#,
            "fault",
        ] {
            assert!(expressions.contains(&expression), "{expression}: {expressions:?}");
        }
        for expression in expressions {
            assert!(expression.parse::<FilterExpression>().is_ok(), "{expression}");
        }
    }
}
