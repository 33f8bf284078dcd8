//! Configuration sets, and the events that SES publishes about mails.

use std::collections::BTreeSet;

use aws_sdk_eventbridge::types::Target;
use aws_sdk_sesv2::types::{
    Body, Content, Destination, EmailContent, EventBridgeDestination, EventDestinationDefinition, EventType,
    Message, MessageTag, SendingOptions, SnsDestination, SuppressionListReason,
};
use serde_json::{Value, json};

use crate::refusal::{assert_refused, refusal};
use crate::support::{ACCOUNT, Cloud, body, cloud, queue_arn, trace_header, until};

const SET: &str = "main";

fn default_bus() -> String {
    format!("arn:aws:events:eu-central-1:{ACCOUNT}:event-bus/default")
}

fn to_bus(
    enabled: bool,
    types: impl IntoIterator<Item = EventType>,
    bus: &str,
) -> EventDestinationDefinition {
    EventDestinationDefinition::builder()
        .enabled(enabled)
        .set_matching_event_types(Some(types.into_iter().collect()))
        .event_bridge_destination(EventBridgeDestination::builder().event_bus_arn(bus).build().unwrap())
        .build()
}

/// A cloud with a verified sender, the configuration set, and a queue that gets every event of SES.
async fn listening() -> (Cloud, String) {
    let cloud = cloud().await;
    cloud.ses.create_email_identity().email_identity("foostore.example").send().await.unwrap();
    cloud.ses.create_configuration_set().configuration_set_name(SET).send().await.unwrap();
    let queue = cloud.queue("q").await;
    cloud.events.put_rule().name("r").event_pattern(r#"{"source": ["aws.ses"]}"#).send().await.unwrap();
    let target = Target::builder().id("q").arn(queue_arn("q")).build().unwrap();
    cloud.events.put_targets().rule("r").targets(target).send().await.unwrap();
    (cloud, queue)
}

async fn publish(cloud: &Cloud, types: impl IntoIterator<Item = EventType>) {
    let add = cloud.ses.create_configuration_set_event_destination().configuration_set_name(SET);
    let add = add.event_destination_name("bus").event_destination(to_bus(true, types, &default_bus()));
    add.send().await.unwrap();
}

fn mail(cloud: &Cloud, to: &str) -> aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder {
    let text = |data: &str| Content::builder().data(data).charset("UTF-8").build().unwrap();
    let message = Message::builder().subject(text("s")).body(Body::builder().text(text("t")).build()).build();
    cloud
        .ses
        .send_email()
        .from_email_address("FooStore <loyalty@foostore.example>")
        .destination(Destination::builder().to_addresses(to).build())
        .content(EmailContent::builder().simple(message).build())
        .email_tags(MessageTag::builder().name("notification_id").value("n-1").build().unwrap())
        .configuration_set_name(SET)
}

/// Sends a mail and returns the events about it, by their names.
async fn told(cloud: &Cloud, queue: &str, to: &str, count: usize) -> Vec<(String, Value)> {
    mail(cloud, to).send().await.unwrap();
    let mut events = Vec::new();
    for _ in 0..count {
        let message = cloud.receive(queue).await;
        let event = body(&message);
        assert_eq!((&event["source"], trace_header(&message)), (&json!("aws.ses"), None));
        events.push((event["detail-type"].as_str().unwrap().to_owned(), event));
        let handle = message.receipt_handle().unwrap();
        cloud.sqs.delete_message().queue_url(queue).receipt_handle(handle).send().await.unwrap();
    }
    events
}

#[tokio::test]
async fn the_simulators_mailboxes_publish_what_becomes_of_a_mail() {
    let (cloud, queue) = listening().await;
    publish(&cloud, [EventType::Send, EventType::Delivery, EventType::Bounce, EventType::Complaint]).await;
    let put = cloud.ses.put_suppressed_destination().email_address("zoe@customer.example");
    put.reason(SuppressionListReason::Bounce).send().await.unwrap();
    let (sent, delivered) = ("Email Sent", "Email Delivered");
    let (bounced, complaint) = ("Email Bounced", "Email Complaint Received");
    for (mailbox, names, of_bounce) in [
        ("success@simulator.amazonses.com", vec![sent, delivered], json!([])),
        ("bounce+a@simulator.amazonses.com", vec![sent, bounced], json!(["Permanent", "General"])),
        ("ooto@simulator.amazonses.com", vec![sent, delivered, bounced], json!(["Transient", "General"])),
        ("complaint@simulator.amazonses.com", vec![sent, delivered, complaint], json!([])),
        ("suppressionlist@simulator.amazonses.com", vec![sent, bounced], json!(["Permanent", "Suppressed"])),
        ("zoe@customer.example", vec![sent, bounced], json!(["Permanent", "OnAccountSuppressionList"])),
        ("yann@customer.example", vec![sent, delivered], json!([])),
    ] {
        let events = told(&cloud, &queue, mailbox, names.len()).await;
        let seen: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(seen, names, "{mailbox}");
        let (name, last) = events.last().unwrap();
        assert_eq!(
            last["resources"],
            json!([format!("arn:aws:ses:eu-central-1:{ACCOUNT}:configuration-set/main")])
        );
        let detail = &last["detail"];
        assert_eq!(detail["mail"]["destination"], json!([mailbox]));
        assert_eq!(detail["mail"]["tags"]["notification_id"], json!(["n-1"]));
        assert_eq!(detail["mail"]["tags"]["ses:configuration-set"], json!([SET]));
        let mails = cloud.mail().await;
        assert_eq!(detail["mail"]["messageId"], mails.last().unwrap()["message_id"]);
        if name == bounced {
            let bounce = &detail["bounce"];
            assert_eq!(json!([bounce["bounceType"], bounce["bounceSubType"]]), of_bounce, "{mailbox}");
            assert_eq!(bounce["bouncedRecipients"][0]["emailAddress"], mailbox);
        }
        if name == complaint {
            assert_eq!(detail["complaint"]["complainedRecipients"], json!([{"emailAddress": mailbox}]));
        }
    }
    assert_eq!(cloud.depth(&queue).await, 0);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn nothing_is_published_without_an_enabled_destination_that_wants_it() {
    let (cloud, queue) = listening().await;
    let bounce = "bounce@simulator.amazonses.com";
    // Without a set, with one that has no destination, and with one whose destination is off or wants other events.
    mail(&cloud, bounce).set_configuration_set_name(None).send().await.unwrap();
    mail(&cloud, bounce).send().await.unwrap();
    let add = |name: &str, destination| {
        let add = cloud.ses.create_configuration_set_event_destination().configuration_set_name(SET);
        add.event_destination_name(name).event_destination(destination).send()
    };
    add("off", to_bus(false, [EventType::Bounce], &default_bus())).await.unwrap();
    add("others", to_bus(true, [EventType::Delivery], &default_bus())).await.unwrap();
    mail(&cloud, bounce).send().await.unwrap();
    mail(&cloud, "success@simulator.amazonses.com").send().await.unwrap();
    let only = body(&cloud.receive(&queue).await);
    assert_eq!(only["detail-type"], "Email Delivered");

    let on = cloud.ses.update_configuration_set_event_destination().configuration_set_name(SET);
    let on = on.event_destination_name("off");
    on.event_destination(to_bus(true, [EventType::Bounce], &default_bus())).send().await.unwrap();
    mail(&cloud, bounce).send().await.unwrap();
    until("the bounce", || async { cloud.depth(&queue).await == 1 }).await;
    assert_eq!(body(&cloud.receive(&queue).await)["detail-type"], "Email Bounced");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn configuration_sets_and_destinations_are_kept_by_name() {
    let (cloud, _) = listening().await;
    let ses = &cloud.ses;
    let again = ses.create_configuration_set().configuration_set_name(SET).send().await;
    assert_eq!(refusal(again).0, "AlreadyExistsException");
    let odd = ses.create_configuration_set().configuration_set_name("a b").send().await;
    assert_eq!(refusal(odd).0, "BadRequestException");
    publish(&cloud, [EventType::Bounce]).await;
    let add = |destination| {
        let add = ses.create_configuration_set_event_destination().configuration_set_name(SET);
        add.event_destination_name("bus").event_destination(destination).send()
    };
    assert_eq!(
        refusal(add(to_bus(true, [EventType::Bounce], &default_bus())).await).0,
        "AlreadyExistsException"
    );
    let other_bus = default_bus().replace("default", "other");
    assert_refused(
        add(to_bus(true, [EventType::Bounce], &other_bus)).await,
        "BadRequestException",
        "Only the default bus is supported.",
    );
    let topic = SnsDestination::builder().topic_arn("arn:aws:sns:eu-central-1:0:t").build().unwrap();
    let topic = EventDestinationDefinition::builder().sns_destination(topic).build();
    assert_refused(
        add(topic).await,
        "BadRequestException",
        "the local cloud does not support the event destination SnsDestination",
    );
    let get = || ses.get_configuration_set_event_destinations().configuration_set_name(SET).send();
    let listed = get().await.unwrap();
    let [destination] = listed.event_destinations() else { panic!("{listed:?}") };
    assert_eq!((destination.name(), destination.enabled()), ("bus", true));
    assert_eq!(destination.matching_event_types(), [EventType::Bounce]);

    ses.create_configuration_set()
        .configuration_set_name("paused")
        .sending_options(SendingOptions::builder().sending_enabled(false).build())
        .send()
        .await
        .unwrap();
    let paused = mail(&cloud, "zoe@customer.example").configuration_set_name("paused").send().await;
    assert_refused(paused, "SendingPausedException", "Sending paused for configuration set <paused>.");
    let names: BTreeSet<_> =
        ses.list_configuration_sets().send().await.unwrap().configuration_sets.unwrap().into_iter().collect();
    assert_eq!(names, BTreeSet::from([SET.to_owned(), "paused".to_owned()]));
    assert!(
        !ses.get_configuration_set()
            .configuration_set_name("paused")
            .send()
            .await
            .unwrap()
            .sending_options
            .unwrap()
            .sending_enabled
    );

    let remove = ses.delete_configuration_set_event_destination().configuration_set_name(SET);
    remove.event_destination_name("bus").send().await.unwrap();
    assert!(get().await.unwrap().event_destinations().is_empty());
    ses.delete_configuration_set().configuration_set_name(SET).send().await.unwrap();
    assert_refused(
        mail(&cloud, "zoe@customer.example").send().await,
        "NotFoundException",
        "Configuration set <main> does not exist.",
    );
    cloud.local.shutdown().await;
}
