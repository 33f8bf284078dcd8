//! One trace as `GetTraceSummaries` shows it (<https://docs.aws.amazon.com/xray/latest/api/API_TraceSummary.html>).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::facts::{Annotated, Facts, HttpFacts, RootCause, SegmentFacts, ServiceId};
use crate::store::StoredTrace;

/// Returns the summary of a trace.
pub(crate) fn of(stored: &StoredTrace) -> Value {
    let facts = &*stored.facts;
    let root = facts.root();
    let outcome = facts.outcome();
    let distinct = |value: fn(&SegmentFacts) -> Option<&Arc<str>>, member: &str| {
        let values: BTreeSet<_> = facts.segments.iter().filter_map(value).collect();
        values.into_iter().map(|value| json!({member: &**value})).collect::<Vec<_>>()
    };
    json!({
        "Id": stored.id,
        "StartTime": facts.start,
        "Duration": facts.duration,
        "ResponseTime": root.and_then(|root| root.response_time),
        "HasFault": outcome.fault,
        "HasError": outcome.error,
        "HasThrottle": outcome.throttle,
        "IsPartial": outcome.partial,
        "Http": root.map(|root| http(&root.http)).unwrap_or_default(),
        "Annotations": annotations(facts),
        "Users": users(facts),
        "ServiceIds": service_ids(facts),
        "ResourceARNs": distinct(|segment| segment.resource_arn.as_ref(), "ARN"),
        "InstanceIds": distinct(|segment| segment.instance_id.as_ref(), "Id"),
        "AvailabilityZones": distinct(|segment| segment.availability_zone.as_ref(), "Name"),
        "EntryPoint": root.map(|root| root.service.to_json()),
        "FaultRootCauses": root_causes(&facts.fault_causes),
        "ErrorRootCauses": root_causes(&facts.error_causes),
        "ResponseTimeRootCauses": root_causes(&facts.response_time_causes),
        "Revision": stored.revision,
        "MatchedEventTime": stored.updated,
    })
}

fn http(http: &HttpFacts) -> Map<String, Value> {
    let fields = [
        ("HttpMethod", http.method.as_deref().map(Value::from)),
        ("HttpURL", http.url.as_deref().map(Value::from)),
        ("UserAgent", http.user_agent.as_deref().map(Value::from)),
        ("ClientIp", http.client_ip.as_deref().map(Value::from)),
        ("HttpStatus", http.status.map(Value::from)),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Returns each value of each key with the services that annotated it.
fn annotations(facts: &Facts) -> BTreeMap<&str, Vec<Value>> {
    let mut found: BTreeMap<&str, Vec<(&Annotated, Vec<&ServiceId>)>> = BTreeMap::new();
    for segment in &facts.segments {
        for (key, value) in &segment.annotations {
            let values = found.entry(key).or_default();
            match values.iter_mut().find(|(known, _)| *known == value) {
                Some((_, services)) if services.contains(&&segment.service) => {}
                Some((_, services)) => services.push(&segment.service),
                None => values.push((value, vec![&segment.service])),
            }
        }
    }
    let written = |(value, services): (&Annotated, Vec<&ServiceId>)| json!({"AnnotationValue": annotation_value(value), "ServiceIds": all(services)});
    found.into_iter().map(|(key, values)| (key, values.into_iter().map(written).collect())).collect()
}

fn annotation_value(value: &Annotated) -> Value {
    match value {
        Annotated::Boolean(value) => json!({"BooleanValue": value}),
        Annotated::Number(value) => json!({"NumberValue": value}),
        Annotated::Text(value) => json!({"StringValue": &**value}),
    }
}

fn users(facts: &Facts) -> Vec<Value> {
    let mut found: BTreeMap<&str, Vec<&ServiceId>> = BTreeMap::new();
    for segment in &facts.segments {
        if let Some(user) = &segment.user {
            let services = found.entry(user).or_default();
            if !services.contains(&&segment.service) {
                services.push(&segment.service);
            }
        }
    }
    found.into_iter().map(|(user, services)| json!({"UserName": user, "ServiceIds": all(services)})).collect()
}

/// Returns the services of the trace: those that sent segments and those that were called.
fn service_ids(facts: &Facts) -> Vec<Value> {
    let mut found: Vec<&ServiceId> = Vec::new();
    for segment in &facts.segments {
        if !found.contains(&&segment.service) {
            found.push(&segment.service);
        }
    }
    all(found)
}

fn all(services: Vec<&ServiceId>) -> Vec<Value> {
    services.into_iter().map(ServiceId::to_json).collect()
}

fn root_causes(causes: &[RootCause]) -> Vec<Value> {
    causes.iter().map(RootCause::to_json).collect()
}
