//! The language against a set of traces with known answers.

mod completion;
mod errors;
mod guide;
mod matching;
mod written;

use xray::{Segment, Trace};

use super::FilterExpression;
use crate::facts::Facts;

/// A request that succeeded: a page of a game, with a read of a table.
const SUCCESS: [&str; 2] = [
    r#"{"id":"1000000000000001","name":"api.example.com","start_time":100.0,"end_time":100.4,"user":"alice",
        "trace_id":"1-00000064-000000000000000000000001","origin":"AWS::EC2::Instance","resource_arn":"arn:aws:ec2:i-1",
        "http":{"request":{"method":"GET","url":"http://api.example.com/v2/api/game/7","user_agent":"curl/8","client_ip":"10.0.0.1"},
                "response":{"status":200}},
        "aws":{"account_id":"123456789012","ec2":{"instance_id":"i-0001","availability_zone":"eu-central-1a"}},
        "annotations":{"gameid":"817DL6VO","age":30,"vip":true,"banned":false,"request.id":"916"},
        "subsegments":[
          {"id":"1000000000000002","name":"render","start_time":100.2,"end_time":100.39,"annotations":{"page":"board"}}]}"#,
    r#"{"id":"1000000000000003","name":"DynamoDB","start_time":100.1,"end_time":100.15,"parent_id":"1000000000000001",
        "trace_id":"1-00000064-000000000000000000000001","type":"subsegment","namespace":"aws",
        "http":{"response":{"status":200}},
        "aws":{"operation":"GetItem","table_name":"games","account_id":"123456789012"}}"#,
];

/// A request that failed because a service behind it did, slowly.
const FAULT: [&str; 3] = [
    r#"{"id":"2000000000000001","name":"api.example.com","start_time":200.0,"end_time":206.0,"fault":true,
        "trace_id":"1-000000c8-000000000000000000000002","origin":"AWS::ECS::Fargate",
        "http":{"request":{"method":"POST","url":"https://api.example.com/v1/orders"},"response":{"status":502}},
        "cause":{"exceptions":[{"id":"1111111111111111","type":"BadGateway","message":"the backend failed"}]},
        "annotations":{"account":"12345","age":17}}"#,
    r#"{"id":"2000000000000002","name":"backend.example.com","start_time":200.5,"end_time":205.5,"fault":true,
        "trace_id":"1-000000c8-000000000000000000000002","parent_id":"2000000000000001","type":"subsegment","namespace":"remote",
        "http":{"request":{"method":"GET","url":"http://backend.example.com/stock"},"response":{"status":500}}}"#,
    r#"{"id":"2000000000000003","name":"backend.example.com","start_time":200.6,"end_time":205.4,"fault":true,
        "trace_id":"1-000000c8-000000000000000000000002","parent_id":"2000000000000002","origin":"AWS::Lambda::Function",
        "http":{"request":{"method":"GET","url":"http://backend.example.com/stock"},"response":{"status":500}},
        "annotations":{"request.id":"918"},
        "subsegments":[
          {"id":"2000000000000004","name":"deserialize","start_time":200.7,"end_time":205.3,"fault":true,
           "cause":{"exceptions":[{"id":"2222222222222222","type":"SyntaxError","message":"Access Denied for account_id: 1234567890"}]}}]}"#,
];

/// A request that succeeded although a call was throttled, and whose event is still at work.
const HANDLED: [&str; 4] = [
    r#"{"id":"3000000000000001","name":"ingest","start_time":300.0,"end_time":300.05,
        "trace_id":"1-0000012c-000000000000000000000003","origin":"AWS::ECS::Fargate",
        "http":{"request":{"method":"POST","url":"http://ingest/v1/events"},"response":{"status":202}},
        "annotations":{"customer_number":"000000000001","event_type":"CustomerRenamed"}}"#,
    r#"{"id":"3000000000000002","name":"EventBridge","start_time":300.01,"end_time":300.04,"error":true,"throttle":true,
        "trace_id":"1-0000012c-000000000000000000000003","parent_id":"3000000000000001","type":"subsegment","namespace":"aws",
        "http":{"response":{"status":429}},"aws":{"operation":"PutEvents"},
        "cause":{"exceptions":[{"id":"3333333333333333","type":"ThrottlingException","message":"rate exceeded"}]}}"#,
    r#"{"id":"3000000000000003","name":"membership","start_time":303.0,"in_progress":true,
        "trace_id":"1-0000012c-000000000000000000000003","parent_id":"3000000000000002","origin":"AWS::ECS::Fargate",
        "annotations":{"outcome":"unknown","attempt":2}}"#,
    r#"{"id":"3000000000000004","name":"DynamoDB","start_time":303.1,"end_time":303.2,
        "trace_id":"1-0000012c-000000000000000000000003","parent_id":"3000000000000003","type":"subsegment","namespace":"aws",
        "aws":{"operation":"UpdateItem","table_name":"members"}}"#,
];

/// Returns the facts of the three traces, by letter.
fn traces() -> [(char, Facts); 3] {
    let facts = |documents: &[&str]| {
        let segments: Vec<_> = documents.iter().map(|document| Segment::read(document).unwrap()).collect();
        Facts::of(&Trace::assemble(segments[0].trace_id.unwrap(), segments))
    };
    [('s', facts(&SUCCESS)), ('f', facts(&FAULT)), ('h', facts(&HANDLED))]
}

/// Returns the letters of the traces that match.
fn found(expression: &str) -> String {
    let filter: FilterExpression = expression.parse().unwrap_or_else(|error| panic!("{expression}: {error}"));
    traces().iter().filter(|(_, facts)| filter.matches(facts)).map(|(letter, _)| *letter).collect()
}
