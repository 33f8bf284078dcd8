//! Services, collector, X-Ray: the trace of one event is as unbroken as without a collector.

use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::layer_with_collector;
use crate::documents::Documents;
use crate::world::{World, until};

/// The attributes that the ECS detector finds on Fargate, as far as X-Ray's origin depends on them.
const FARGATE: &str = "cloud.provider=aws,cloud.platform=aws_ecs,aws.ecs.launchtype=fargate";
const CUSTOMER: &str = "460000000001";

fn event(kind: &str, data: &Value) -> (String, Value) {
    let id = Uuid::new_v4().to_string();
    let event = json!({"type": kind, "customer_number": CUSTOMER, "event_id": id, "data": data});
    (id, event)
}

pub(super) fn enrolled() -> (String, Value) {
    event(
        "CustomerEnrolled",
        &json!({
            "name": {"given": "Ada", "family": "Byron"}, "email": "ada@mail.example", "channels": ["email"]
        }),
    )
}

/// Renames the customer to something new each time: a rename to the same name makes no mail.
pub(super) fn renamed(given: &str) -> (String, Value) {
    let given = format!("{given} {}", Uuid::new_v4().simple());
    event("CustomerRenamed", &json!({"name": {"given": given, "family": "Lovelace"}}))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_leaves_the_same_connected_trace_through_the_collector() {
    let fargate = [("OTEL_RESOURCE_ATTRIBUTES", FARGATE)];
    let Some((world, collector)) = layer_with_collector(&fargate).await else { return };

    let (event_id, event) = enrolled();
    let trace_id = world.send(&event, &[]).await;
    let documents = Documents::whole(&world, &trace_id, None).await;
    documents.assert_connected(None);
    segments_of_fargate(&documents);
    annotations(&documents, &event_id);
    nodes(&world, &documents);

    a_dead_letter_is_a_node(&world).await;
    let no_faults = "only the local cloud has faults on demand";
    if !world.leaves_out("a failed mail is a fault in its trace", no_faults) {
        a_failed_mail_is_a_fault(&world).await;
    }
    if !world.leaves_out("a throttled write is a throttle in its trace", no_faults) {
        a_throttled_write_is_a_throttle(&world).await;
    }
    world.stop().await;
    collector.stop().await;
}

fn segments_of_fargate(documents: &Documents) {
    for segment in documents.segments() {
        assert_eq!(segment["origin"], "AWS::ECS::Fargate", "{segment:#}");
        assert_eq!(segment["aws"]["ecs"]["launch_type"], "fargate", "{segment:#}");
    }
}

/// X-Ray indexes 50 annotations per trace, so segments have only these, and subsegments have none.
fn annotations(documents: &Documents, event_id: &str) {
    let first = json!({
        "application": "foostore", "environment": "local", "customer_number": CUSTOMER,
        "event_id": event_id, "event_type": "CustomerEnrolled"
    });
    assert_eq!(documents.annotations("ingest"), &first);
    let second = json!({"event_id": event_id, "event_type": "CustomerEnrolled", "outcome": "applied"});
    assert_eq!(documents.annotations("membership"), &second);
    assert_eq!(documents.annotations("notifier")["event_type"], "MemberEnrolled");
    assert!(documents.annotations("email")["outcome"].is_string());
    let segments: Vec<_> = documents.segments().map(|segment| &segment["id"]).collect();
    for document in documents.all().iter().filter(|document| !segments.contains(&&document["id"])) {
        assert!(document["annotations"].as_object().is_none_or(serde_json::Map::is_empty), "{document:#}");
    }
}

/// Asserts the fields by which X-Ray draws the right kind of node for each AWS service called.
fn nodes(world: &World, documents: &Documents) {
    for (service, operation) in [
        ("EventBridge", "PutEvents"),
        ("DynamoDB", "TransactWriteItems"),
        ("SNS", "PublishBatch"),
        ("SES", "SendEmail"),
    ] {
        let call = documents.find(service, operation).unwrap();
        let unanswered = "ministack's SES answers without one";
        if service != "SES" || !world.leaves_out("the request id of a mail in its node", unanswered) {
            assert!(call["aws"]["request_id"].is_string(), "{call:#}");
        }
        assert_eq!(call["aws"]["region"], "eu-central-1", "{call:#}");
        assert_eq!((&call["fault"], &call["error"]), (&json!(false), &json!(false)), "{call:#}");
    }
    let write = documents.find("DynamoDB", "TransactWriteItems").unwrap();
    assert_eq!(write["aws"]["table_name"], "foostore-local-members", "{write:#}");
}

/// Sends a malformed message of a foreign producer with a separate trace.
pub(super) async fn malformed_message(world: &World) -> (String, &'static str) {
    let parent = "53995c3f42cd8ad8";
    let root = format!("1-6921a3b0-{}", &Uuid::new_v4().simple().to_string()[..24]);
    let header = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value(format!("Root={root};Parent={parent};Sampled=1"))
        .build()
        .unwrap();
    let kind = MessageAttributeValue::builder().data_type("String").string_value("foreign").build().unwrap();
    world
        .sqs()
        .send_message()
        .queue_url(world.queue_url("membership").await)
        .message_body("{\"detail\": malformed")
        .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, header)
        .message_attributes("kind", kind)
        .send()
        .await
        .unwrap();
    (root, parent)
}

async fn a_dead_letter_is_a_node(world: &World) {
    let (root, parent) = malformed_message(world).await;
    let documents = until("the trace of the dead letter", || async {
        let documents = Documents::get(world, &root).await?;
        (documents.find("SQS", "SendMessage").is_some() && documents.has_segment("membership"))
            .then_some(documents)
    })
    .await;
    let letter = documents.find("SQS", "SendMessage").unwrap();
    let queue = letter["aws"]["queue_url"].as_str().unwrap();
    assert!(queue.ends_with("foostore-local-membership-dead-letter"), "{letter:#}");
    let segment = documents.segments().next().unwrap();
    assert_eq!(segment["parent_id"], parent, "{segment:#}");
    assert_eq!(segment["fault"], true, "{segment:#}");
    assert_eq!(segment["annotations"], json!({"outcome": "dead-letter"}));
}

async fn a_failed_mail_is_a_fault(world: &World) {
    // One fault is enough: the email service's SDK client does not retry, since a mail must not be sent twice.
    world.fault(&json!({"service": "ses", "operation": "SendEmail", "error": "500", "times": 1})).await;
    let trace_id = world.send(&renamed("Fault").1, &[]).await;
    let documents = until("the mail to be sent at the second attempt", || async {
        let documents = Documents::get(world, &trace_id).await?;
        let segments = documents.segments().filter(|segment| segment["name"] == "email");
        let again = segments.filter(|segment| segment["annotations"]["attempt"] == json!(2)).count();
        let calls = documents.all().iter().filter(|call| call["name"] == "SES").count();
        (again == 1 && calls == 2).then_some(documents)
    })
    .await;
    let calls: Vec<_> = documents.all().iter().filter(|call| call["name"] == "SES").collect();
    let failed = calls.iter().find(|call| call["fault"] == true).expect("a call that failed");
    assert_eq!(failed["namespace"], "aws");
    assert_eq!(failed["http"]["response"]["status"], 500, "{failed:#}");
    assert!(calls.iter().any(|call| call["fault"] == false), "{calls:#?}");
    let first = documents
        .segments()
        .find(|segment| segment["name"] == "email" && segment["annotations"]["attempt"].is_null())
        .unwrap();
    assert_eq!(
        (&first["fault"], &first["annotations"]["outcome"]),
        (&json!(true), &json!("retry")),
        "{first:#}"
    );
}

async fn a_throttled_write_is_a_throttle(world: &World) {
    let fault =
        json!({"service": "dynamodb", "operation": "TransactWriteItems", "error": "throttle", "times": 3});
    world.fault(&fault).await;
    let trace_id = world.send(&renamed("Throttle").1, &[]).await;
    let documents = Documents::whole(world, &trace_id, None).await;
    let writes: Vec<_> =
        documents.all().iter().filter(|call| call["aws"]["operation"] == "TransactWriteItems").collect();
    let throttled = writes.iter().find(|call| call["throttle"] == true).expect("a call that was throttled");
    assert_eq!((&throttled["error"], &throttled["fault"]), (&json!(true), &json!(false)), "{throttled:#}");
}
