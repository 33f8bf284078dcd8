//! One trace as `GetTraceSummaries` shows it (<https://docs.aws.amazon.com/xray/latest/api/API_TraceSummary.html>).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use xray::{AnnotationValue, HttpRequest, Node, Segment, Trace};

use crate::facts::{Facts, RootCause, ServiceId};
use crate::store::StoredTrace;

/// Returns the summary of a trace, or `None` if one of its documents cannot be read.
pub(crate) fn of(stored: &StoredTrace) -> Option<Value> {
    let trace = Trace::read(stored.id, stored.documents.iter().map(|document| &*document.json)).ok()?;
    Some(summary(&trace, stored))
}

fn summary(trace: &Trace, stored: &StoredTrace) -> Value {
    let facts = Facts::of(trace);
    let flags = trace.flags();
    let entry = trace.entry().map(Node::segment);
    let distinct = |value: fn(&Segment) -> Option<&String>, member: &str| {
        let values: std::collections::BTreeSet<_> =
            trace.nodes().filter_map(|node| value(node.segment())).collect();
        values.into_iter().map(|value| json!({member: value})).collect::<Vec<_>>()
    };
    json!({
        "Id": trace.id(),
        "StartTime": trace.start_time(),
        "Duration": trace.duration(),
        "ResponseTime": trace.response_time(),
        "HasFault": flags.fault,
        "HasError": flags.error,
        "HasThrottle": flags.throttle,
        "IsPartial": trace.nodes().any(|node| node.segment().is_in_progress()),
        "Http": entry.map(http).unwrap_or_default(),
        "Annotations": annotations(trace),
        "Users": users(trace),
        "ServiceIds": service_ids(&facts),
        "FaultRootCauses": root_causes(&facts.fault_causes),
        "ErrorRootCauses": root_causes(&facts.error_causes),
        "ResponseTimeRootCauses": root_causes(&facts.response_time_causes),
        "ResourceARNs": distinct(|segment| segment.resource_arn.as_ref(), "ARN"),
        "InstanceIds": distinct(
            |segment| segment.aws.as_ref()?.ec2.as_ref()?.instance_id.as_ref(), "Id"),
        "AvailabilityZones": distinct(
            |segment| {
                let aws = segment.aws.as_ref()?;
                let zone_of_ecs = aws.ecs.as_ref().and_then(|ecs| ecs.availability_zone.as_ref());
                zone_of_ecs.or_else(|| aws.ec2.as_ref()?.availability_zone.as_ref())
            },
            "Name"),
        "EntryPoint": entry.map(service_id),
        "Revision": stored.revision,
        "MatchedEventTime": stored.updated,
    })
}

fn http(segment: &Segment) -> Map<String, Value> {
    let mut fields = Map::new();
    let Some(http) = &segment.http else { return fields };
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    if let Some(HttpRequest { method, url, user_agent, client_ip, .. }) = &http.request {
        add("HttpMethod", method.clone().map(Value::from));
        add("HttpURL", url.clone().map(Value::from));
        add("UserAgent", user_agent.clone().map(Value::from));
        add("ClientIp", client_ip.clone().map(Value::from));
    }
    add("HttpStatus", http.response.as_ref().and_then(|response| response.status).map(Value::from));
    fields
}

/// Returns each value of each key with the services that annotated it.
fn annotations(trace: &Trace) -> BTreeMap<&str, Vec<Value>> {
    let mut found: BTreeMap<&str, Vec<(&AnnotationValue, Vec<Value>)>> = BTreeMap::new();
    for node in trace.nodes() {
        let service = service_id(node.service().segment());
        for (key, value) in &node.segment().annotations {
            let values = found.entry(key).or_default();
            match values.iter_mut().find(|(known, _)| *known == value) {
                Some((_, services)) if services.contains(&service) => {}
                Some((_, services)) => services.push(service.clone()),
                None => values.push((value, vec![service.clone()])),
            }
        }
    }
    let values = |values: Vec<(&AnnotationValue, Vec<Value>)>| {
        values
            .into_iter()
            .map(|(value, services)| json!({"AnnotationValue": annotation_value(value), "ServiceIds": services}))
            .collect()
    };
    found.into_iter().map(|(key, found)| (key, values(found))).collect()
}

fn annotation_value(value: &AnnotationValue) -> Value {
    match value {
        AnnotationValue::Boolean(value) => json!({"BooleanValue": value}),
        AnnotationValue::Number(value) => json!({"NumberValue": value}),
        AnnotationValue::Text(value) => json!({"StringValue": value}),
    }
}

fn users(trace: &Trace) -> Vec<Value> {
    let mut found: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for node in trace.nodes() {
        if let Some(user) = &node.segment().user {
            let service = service_id(node.service().segment());
            let services = found.entry(user).or_default();
            if !services.contains(&service) {
                services.push(service);
            }
        }
    }
    found.into_iter().map(|(user, services)| json!({"UserName": user, "ServiceIds": services})).collect()
}

/// Returns the services of the trace: those that sent segments and those that were called.
fn service_ids(facts: &Facts) -> Vec<Value> {
    let mut found: Vec<&ServiceId> = Vec::new();
    for segment in &facts.segments {
        if !found.contains(&&segment.service) {
            found.push(&segment.service);
        }
    }
    found.into_iter().map(ServiceId::to_json).collect()
}

fn service_id(segment: &Segment) -> Value {
    ServiceId::of_segment(segment).to_json()
}

fn root_causes(causes: &[RootCause]) -> Vec<Value> {
    causes.iter().map(RootCause::to_json).collect()
}
