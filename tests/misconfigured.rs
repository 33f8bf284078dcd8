//! Dependencies that refuse everybody's call: every message waits until that is mended, and none is dead-lettered.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::faults::depth;
use crate::world::{World, until};

#[tokio::test(flavor = "multi_thread")]
async fn with_its_topic_deleted_notifier_waits_and_loses_nothing() {
    const EVENTS: usize = 30;
    let world = World::start_with(&[], &[("CONSUMER_BACKOFF_CAP_S", "5")]).await;
    let sns = aws_sdk_sns::Client::new(&world.config);
    let topics = sns.list_topics().send().await.unwrap().topics.unwrap();
    let topic = topics[0].topic_arn().unwrap();
    let listed = sns.list_subscriptions_by_topic().topic_arn(topic).send().await.unwrap();
    // Everybody gets mail, so email's is enough.
    let of_email = |endpoint: &str| endpoint.ends_with("-email");
    let subscription =
        listed.subscriptions().iter().find(|it| it.endpoint().is_some_and(of_email)).unwrap().clone();
    let known = sns.get_subscription_attributes().subscription_arn(subscription.subscription_arn().unwrap());
    let known = known.send().await.unwrap().attributes.unwrap();

    sns.delete_topic().topic_arn(topic).send().await.unwrap();
    for number in 0..EVENTS {
        let customer = format!("4500000000{number:02}");
        let data = json!({
            "name": {"given": "Grace", "family": "Hopper"}, "email": "grace@mail.example", "channels": ["email"]
        });
        let event = json!({"type": "CustomerEnrolled", "customer_number": customer, "data": data});
        world.send(&event, &[]).await;
    }
    let opened = until("notifier to pause", || async { line(&world, "circuit opened") }).await;
    assert_eq!((&opened["dependency"], &opened["code"]), (&json!("SNS"), &json!("NotFound")));
    let (ready, answer) = world.readiness("notifier").await;
    assert!(!ready && answer.contains("SNS misconfigured: NotFound"), "{answer}");
    // Until it has probed at least once, so that every kind of receive has met the missing topic.
    until("notifier to probe", || async {
        (lines(&world).iter().filter(|line| line["reason"] == "misconfigured").count() > 1).then_some(())
    })
    .await;
    assert_eq!(dead_letters(&world).await, "0");

    let name = topic.rsplit(':').next().unwrap();
    let created = sns.create_topic().name(name).send().await.unwrap().topic_arn.unwrap();
    assert_eq!(created, topic);
    let mut subscribe = sns.subscribe().topic_arn(topic).protocol("sqs");
    for attribute in ["FilterPolicy", "RawMessageDelivery"] {
        if let Some(value) = known.get(attribute) {
            subscribe = subscribe.attributes(attribute, value);
        }
    }
    subscribe.endpoint(subscription.endpoint().unwrap()).send().await.unwrap();
    until("every mail", || async { (world.mails().await.len() >= EVENTS).then_some(()) }).await;
    assert_eq!(dead_letters(&world).await, "0");
    assert!(line(&world, "circuit closed").is_some());
    world.stop().await;
}

/// Answers of AWS that a deployment has to mend, and what readiness says of each: service, operation, who calls it, code,
/// status, text, reason. Two codes stand in no list of AWS's.
const REFUSALS: [(&str, &str, &str, &str, u16, &str, &str); 10] = [
    (
        "sns",
        "PublishBatch",
        "notifier",
        "AuthorizationError",
        403,
        "",
        "SNS misconfigured: AuthorizationError",
    ),
    ("sns", "PublishBatch", "notifier", "KMSAccessDenied", 400, "", "SNS misconfigured: KMSAccessDenied"),
    ("sns", "PublishBatch", "notifier", "Grumpy", 418, "", "SNS rejects most messages: Grumpy"),
    (
        "dynamodb",
        "TransactWriteItems",
        "membership",
        "ResourceNotFoundException",
        400,
        "",
        "DynamoDB misconfigured: ResourceNotFoundException",
    ),
    (
        "dynamodb",
        "PutItem",
        "email",
        "TableMoodInsufficient",
        400,
        "",
        "DynamoDB rejects most messages: TableMoodInsufficient",
    ),
    (
        "ses",
        "SendEmail",
        "email",
        "MessageRejected",
        400,
        "Email address is not verified. a@b.c",
        "SES misconfigured: MessageRejected",
    ),
    (
        "ses",
        "SendEmail",
        "email",
        "BadRequestException",
        400,
        "Missing final '@domain'",
        "SES misconfigured: BadRequestException",
    ),
    (
        "ses",
        "SendEmail",
        "email",
        "MessageRejected",
        400,
        "Sending suspended for this account. For more information, please check …",
        "SES misconfigured: MessageRejected",
    ),
    ("ses", "SendEmail", "email", "RequestExpired", 400, "", "SES misconfigured: RequestExpired"),
    ("dynamodb", "GetItem", "membership", "OptInRequired", 403, "", "DynamoDB misconfigured: OptInRequired"),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_refuses_every_call_nothing_is_dead_lettered() {
    const EVENTS: usize = 12;
    let world = World::start_with(&[], &[("CONSUMER_BACKOFF_CAP_S", "3")]).await;
    for (round, (service, operation, caller, code, status, message, reason)) in (0..).zip(REFUSALS) {
        let answer = json!({"answer": {"code": code, "status": status, "message": message}});
        let fault = json!({"service": service, "operation": operation, "caller": caller, "error": answer});
        world.fault(&fault).await;
        for number in 0..EVENTS {
            let data = json!({
                "name": {"given": "Grace", "family": "Hopper"}, "email": "grace@mail.example", "channels": ["email"]
            });
            let customer = format!("46000000{round:02}{number:02}");
            world
                .send(&json!({"type": "CustomerEnrolled", "customer_number": customer, "data": data}), &[])
                .await;
        }
        let answer = until(&format!("{caller} not to be ready"), || async {
            let (ready, answer) = world.readiness(caller).await;
            (!ready).then_some(answer)
        })
        .await;
        assert!(answer.contains(reason), "{answer}");

        world.clear_faults().await;
        let mails = EVENTS * (round + 1);
        until("every mail", || async { (world.mails().await.len() >= mails).then_some(()) }).await;
        until(&format!("{caller} to be ready"), || async { world.readiness(caller).await.0.then_some(()) })
            .await;
        assert_eq!(depth(&world, true).await, 0, "dead letters after {code} of {service}");
    }
    world.stop().await;
}

/// Returns the log lines of notifier.
fn lines(world: &World) -> Vec<Value> {
    let files = world.log_files();
    let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
    let lines = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    lines.filter(|line| line["service"] == "notifier").collect()
}

fn line(world: &World, message: &str) -> Option<Value> {
    lines(world)
        .into_iter()
        .find(|line| line["message"].as_str().is_some_and(|text| text.starts_with(message)))
}

async fn dead_letters(world: &World) -> String {
    let queue = world.queue_url("notifier-dead-letter").await;
    let count = QueueAttributeName::ApproximateNumberOfMessages;
    let answer =
        world.sqs().get_queue_attributes().queue_url(queue).attribute_names(count.clone()).send().await;
    answer.unwrap().attributes.unwrap()[&count].clone()
}
