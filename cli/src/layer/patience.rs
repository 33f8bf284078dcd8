//! The arithmetic of giving up, over the settings that are deployed: how long calls, handlers, leases, retries and
//! queues last must fit into each other.

use std::time::Duration;

use aws_clients::dynamodb_limits;
use idempotency::Retry;
use publisher::PublisherSettings;
use sqs_consumer::ConsumerSettings;
use topology::{Queue, Variable};

/// Returns each queue that a service consumes, with the settings it is consumed with.
fn consumed() -> Vec<(Queue, ConsumerSettings)> {
    let resources = super::resources("foostore", "test").unwrap();
    let consumed: Vec<_> = resources
        .services
        .iter()
        .filter_map(|service| {
            let name = service.queue.as_ref()?;
            let queue = resources.queues.iter().find(|queue| queue.name == *name)?;
            let settings =
                ConsumerSettings::read(&*service.service, |name| match service.variables.get(name)? {
                    Variable::Text(text) => Some(text.clone()),
                    _ => None,
                });
            Some((queue.clone(), settings.unwrap()))
        })
        .collect();
    assert!(consumed.len() >= 3, "membership, notifier, email and app");
    consumed
}

#[test]
fn a_consumer_gives_up_before_sqs_would() {
    for (queue, settings) in consumed() {
        let receives = queue.dead_letter.unwrap().max_receive_count;
        assert_eq!(receives, sqs_consumer::queue::MAX_RECEIVES, "the most SQS allows");
        // A delay is half of its ceiling on average.
        let lasting: Duration = (1..=receives).map(|attempt| settings.backoff.ceiling(attempt) / 2).sum();
        let retention = Duration::from_secs(queue.retention_s.into());
        let (age, name) = (settings.max_message_age, &queue.name);
        assert!(lasting > age * 3 / 2, "{name}: {receives} receives take {lasting:?}, less than {age:?}");
        assert!(settings.give_up_after < age, "{name}");
        assert!(age + settings.backoff.cap < retention, "{name}: SQS drops messages after {retention:?}");
    }
}

#[test]
fn every_attempt_of_every_call_ends_before_the_handler_is_cut_off() {
    let retry = Retry::default();
    let call = dynamodb_limits::CALL_TIMEOUT;
    assert!(dynamodb_limits::ATTEMPT_TIMEOUT * dynamodb_limits::ATTEMPTS < call);
    // A retry may begin just before its time is up, and then takes as long as a call.
    let read_and_commit = handlers::CONTENDED_WITHIN + call + retry.within + call;
    let remember_and_publish = call + PublisherSettings::default().deadline;
    let longest = read_and_commit.max(remember_and_publish);
    for (queue, settings) in consumed() {
        let visibility = Duration::from_secs(queue.visibility_timeout_s.into());
        let (limit, name) = (settings.max_processing, &queue.name);
        assert!(longest < limit, "{name}: calls take up to {longest:?}, and the handler {limit:?}");
        // Even if no extension of the visibility timeout succeeds; a service that declares a longer limit relies on them.
        let declared = limit != ConsumerSettings::new("any").max_processing;
        assert!(declared || limit < settings.visibility, "{name}: {limit:?}");
        assert_eq!(settings.visibility, visibility, "{name}");
    }
}

#[test]
fn publishing_ends_within_its_deadline() {
    let settings = PublisherSettings::default();
    assert!(settings.call_timeout * 2 < settings.deadline, "a call that hangs is repeated");
    assert!(settings.deadline < Duration::from_secs(10), "a bus that hangs is noticed");
}
