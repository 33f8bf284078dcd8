//! The end of the schedule, with the real consumer.

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::metrics::noop::NoopMeterProvider;
use sqs_consumer::{Consumer, ConsumerSettings, SqsQueue};
use tokio_util::sync::CancellationToken;

use super::*;

#[tokio::test]
async fn a_push_that_is_refused_to_the_end_is_dead_lettered_with_the_last_answer() {
    let house = House::build().await;
    house.cloud.answer_pushes(503, None, 1).await;
    house.cloud.send(crate::NAME, &notification().envelope).await;

    let sqs = aws_sdk_sqs::Client::new(house.cloud.aws());
    let [url, dead_letters] =
        ["QUEUE_URL", "DEAD_LETTER_QUEUE_URL"].map(|name| house.cloud.variable(crate::NAME, name));
    let settings = ConsumerSettings {
        wait: Duration::from_secs(1),
        // Whatever fails is too old.
        max_message_age: Duration::ZERO,
        ..ConsumerSettings::new(crate::NAME)
    };
    let queue = SqsQueue::new(sqs.clone(), url, dead_letters.clone());
    let consumer = Consumer::new(queue, house.service(), settings, &NoopMeterProvider::new().meter("test"));
    let stop = CancellationToken::new();
    let running = tokio::spawn(consumer.run(stop.clone()));

    let received = loop {
        let request = sqs
            .receive_message()
            .queue_url(&dead_letters)
            .wait_time_seconds(10)
            .message_attribute_names("All")
            .send();
        if let Some(message) = request.await.unwrap().messages.unwrap_or_default().pop() {
            break message;
        }
    };
    stop.cancel();
    running.await.unwrap().unwrap();
    let attributes = received.message_attributes.unwrap();
    let letter: Value = serde_json::from_str(attributes["dead_letter"].string_value().unwrap()).unwrap();
    assert_eq!((&letter["reason"], &letter["dependency"]), (&"unavailable".into(), &WEBHOOK.into()));
    assert_eq!(letter["permanent"], false, "it can be redriven: {letter}");
    let detail = letter["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("retries exhausted") && detail.ends_with("endpoint answered with 503"),
        "{detail}"
    );
    assert_eq!(house.cloud.depth(crate::NAME).await, 0);
    house.cloud.shutdown().await;
}
