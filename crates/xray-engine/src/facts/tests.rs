//! Facts of traces with known answers.

use serde_json::{Value, json};
use xray::{Segment, Trace};

use super::Facts;

fn facts(documents: &Value) -> Facts {
    let segments: Vec<Segment> = documents
        .as_array()
        .unwrap()
        .iter()
        .map(|document| {
            let mut document = document.clone();
            document["trace_id"] = json!("1-00000064-000000000000000000000001");
            Segment::read(&document.to_string()).unwrap()
        })
        .collect();
    Facts::of(&Trace::assemble(segments[0].trace_id.unwrap(), segments))
}

fn services(facts: &Facts) -> Vec<(&str, &str, bool)> {
    facts
        .segments
        .iter()
        .map(|segment| {
            let kind = segment.service.kind.as_deref().unwrap_or_default();
            (&*segment.service.name, kind, segment.inferred)
        })
        .collect()
}

fn edges(facts: &Facts) -> Vec<(&str, &str, bool)> {
    let name = |place: usize| &*facts.segments[place].service.name;
    facts.calls.iter().map(|call| (name(call.source), name(call.destination), call.link)).collect()
}

#[test]
fn a_message_that_is_received_before_the_call_has_returned_is_a_message() {
    let facts = facts(&json!([
        {"id": "0000000000000001", "name": "ingest", "start_time": 1.0, "end_time": 2.0},
        {"id": "0000000000000002", "name": "EventBridge", "start_time": 1.1, "end_time": 1.2, "namespace": "aws",
         "type": "subsegment", "parent_id": "0000000000000001"},
        {"id": "0000000000000003", "name": "email", "start_time": 1.15, "end_time": 4.0, "parent_id": "0000000000000002"}
    ]));
    assert_eq!(edges(&facts), [("ingest", "EventBridge", false), ("EventBridge", "email", true)]);
    assert_eq!(facts.calls[1].response_time, Some(0.0));
}

#[test]
fn a_message_passes_a_node_and_a_request_does_not() {
    let facts = facts(&json!([
        {"id": "0000000000000001", "name": "ingest", "start_time": 1.0, "end_time": 2.0, "origin": "AWS::ECS::Fargate"},
        {"id": "0000000000000002", "name": "EventBridge", "start_time": 1.1, "end_time": 1.2, "namespace": "aws",
         "type": "subsegment", "parent_id": "0000000000000001"},
        {"id": "0000000000000003", "name": "email", "start_time": 1.5, "end_time": 4.0, "parent_id": "0000000000000002",
         "origin": "AWS::ECS::Fargate"},
        {"id": "0000000000000004", "name": "templates", "start_time": 2.0, "end_time": 3.0, "namespace": "remote",
         "type": "subsegment", "parent_id": "0000000000000003"},
        {"id": "0000000000000005", "name": "templates", "start_time": 2.1, "end_time": 2.9, "parent_id": "0000000000000004",
         "origin": "AWS::EC2::Instance"},
        {"id": "0000000000000006", "name": "SQS", "start_time": 3.0, "end_time": 3.1, "namespace": "aws",
         "type": "subsegment", "parent_id": "0000000000000003", "aws": {"queue_url": "https://sqs/1/dead-letters"}}
    ]));
    assert_eq!(
        services(&facts),
        [
            ("ingest", "AWS::ECS::Fargate", false),
            ("EventBridge", "AWS::EventBridge", true),
            ("email", "AWS::ECS::Fargate", false),
            ("templates", "AWS::EC2::Instance", false),
            ("dead-letters", "AWS::SQS::Queue", true),
        ]
    );
    assert_eq!(
        edges(&facts),
        [
            ("ingest", "EventBridge", false),
            ("EventBridge", "email", true),
            ("email", "templates", false),
            ("email", "dead-letters", false),
        ]
    );
    // What the caller saw, and the age of the message.
    let took: Vec<_> = facts.calls.iter().map(|call| call.response_time.unwrap().to_string()).collect();
    assert_eq!(took, ["0.1", "0.3", "1", "0.1"]);
}

#[test]
fn a_subsegment_adds_to_what_its_segment_says() {
    let facts = facts(&json!([
        {"id": "0000000000000001", "name": "ingest", "start_time": 1.0, "end_time": 2.0, "annotations": {"a": 1},
         "subsegments": [{"id": "0000000000000002", "name": "check", "start_time": 1.1, "end_time": 1.2,
                          "annotations": {"b": 2},
                          "cause": {"exceptions": [{"id": "1111111111111111", "message": "invalid"}]}}]}
    ]));
    let keys: Vec<_> = facts.segments[0].annotations.iter().map(|(key, _)| &**key).collect();
    assert_eq!(
        (facts.segments.len(), keys, &*facts.segments[0].messages),
        (1, vec!["a", "b"], &["invalid".into()][..])
    );
    assert!(facts.calls.is_empty());
}

#[test]
fn a_broken_trace_has_facts_too() {
    let lost = facts(&json!([
        {"id": "0000000000000002", "name": "DynamoDB", "start_time": 1.1, "end_time": 1.2, "namespace": "aws",
         "type": "subsegment", "parent_id": "0000000000000001", "aws": {"table_name": "members"}, "fault": true}
    ]));
    assert_eq!(services(&lost), [("members", "AWS::DynamoDB::Table", true)]);
    assert!(lost.calls.is_empty());
    assert_eq!(lost.entry, Some(0));
    assert_eq!(lost.fault_causes.len(), 1);
    let empty =
        Facts::of(&Trace::assemble("1-00000064-000000000000000000000001".parse().unwrap(), Vec::new()));
    assert_eq!(empty, Facts::default());
}

#[test]
fn a_root_cause_is_written_as_the_api_has_it() {
    let facts = facts(&json!([
        {"id": "0000000000000001", "name": "ingest", "start_time": 1.0, "end_time": 2.0, "fault": true,
         "origin": "AWS::ECS::Fargate"},
        {"id": "0000000000000002", "name": "DynamoDB", "start_time": 1.1, "end_time": 1.7, "namespace": "aws",
         "type": "subsegment", "parent_id": "0000000000000001", "fault": true,
         "cause": {"exceptions": [{"id": "1111111111111111", "type": "Internal", "message": "out of order"}]}}
    ]));
    let causes: Vec<_> = facts.fault_causes.iter().map(super::RootCause::to_json).collect();
    let exception = json!([{"Name": "Internal", "Message": "out of order"}]);
    assert_eq!(
        causes,
        [json!({"ClientImpacting": true, "Services": [
            {"Name": "ingest", "Names": ["ingest"], "Type": "AWS::ECS::Fargate", "Inferred": false, "EntityPath": [
                {"Name": "ingest", "Remote": false, "Exceptions": []},
                {"Name": "DynamoDB", "Remote": true, "Exceptions": exception}
            ]},
            {"Name": "DynamoDB", "Names": ["DynamoDB"], "Type": "AWS::DynamoDB", "Inferred": true, "EntityPath": [
                {"Name": "DynamoDB", "Remote": false, "Exceptions": exception}
            ]}
        ]})]
    );
    let slow = facts.response_time_causes[0].to_json();
    assert_eq!(slow["Services"][1]["EntityPath"][0]["Coverage"], json!(0.6));
    assert!(slow["Services"][0]["EntityPath"][0].get("Exceptions").is_none());
}

#[test]
fn a_local_subsegment_is_part_of_its_service() {
    let facts = facts(&json!([
        {"id": "0000000000000001", "name": "shop", "start_time": 1.0, "end_time": 2.0, "fault": true, "subsegments": [
            {"id": "0000000000000002", "name": "charge card", "start_time": 1.1, "end_time": 1.9, "namespace": "local",
             "fault": true}
        ]}
    ]));
    assert_eq!(services(&facts), [("shop", "", false)]);
    let [cause] = &*facts.fault_causes else { panic!("{:?}", facts.fault_causes) };
    let path: Vec<_> = cause.services.iter().flat_map(|service| &service.path).collect();
    assert_eq!(
        path.iter().map(|entity| (&*entity.name, entity.remote)).collect::<Vec<_>>(),
        [("shop", false), ("charge card", false)]
    );
}

/// X-Ray's SDK for Python names services by their endpoints, in lower case, and sends no origin.
#[test]
fn the_case_of_an_aws_service_s_name_makes_no_difference() {
    let facts = facts(&json!([
        {"id": "0000000000000001", "name": "shop", "start_time": 1.0, "end_time": 2.0, "fault": true, "subsegments": [
            {"id": "0000000000000002", "name": "dynamodb", "start_time": 1.1, "end_time": 1.2, "namespace": "aws",
             "fault": true, "aws": {"table_name": "orders"}},
            {"id": "0000000000000003", "name": "sns", "start_time": 1.2, "end_time": 1.3, "namespace": "aws"},
            {"id": "0000000000000004", "name": "sqs", "start_time": 1.3, "end_time": 1.4, "namespace": "aws",
             "aws": {"queue_url": "https://sqs/1/placed"}}
        ]},
        {"id": "0000000000000005", "name": "worker", "start_time": 3.0, "end_time": 4.0, "parent_id": "0000000000000004"}
    ]));
    assert_eq!(
        services(&facts),
        [
            ("shop", "", false),
            ("orders", "AWS::DynamoDB::Table", true),
            ("SNS", "AWS::SNS", true),
            ("placed", "AWS::SQS::Queue", true),
            ("worker", "", false),
        ]
    );
    assert_eq!(
        edges(&facts),
        [
            ("shop", "orders", false),
            ("shop", "SNS", false),
            ("shop", "placed", false),
            ("placed", "worker", true)
        ]
    );
    let cause = facts.fault_causes[0].to_json();
    assert_eq!(cause["Services"][0]["Type"], "unknown", "a root cause always has types");
    assert_eq!(cause["Services"][1]["Type"], "AWS::DynamoDB::Table");
}
