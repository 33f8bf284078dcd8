//! Transient failures: how long a message waits for its retry, and when its retries are exhausted.

use std::time::Duration;

use sqs_consumer::{Backoff, ConsumerSettings, Done, Failure};

use crate::bench::{Bench, answers, ordered, settings};
use crate::fake_queue::Put;
use crate::settling::description;

#[tokio::test(start_paused = true)]
async fn a_message_is_retried_after_growing_delays() {
    let bench = Bench::new();
    bench.put(1);
    let task = bench.start(answers(|delivery| match delivery.attempt {
        8 => Ok(Done::APPLIED),
        _ => Err(Failure::transient("not-yet")),
    }));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let state = bench.queue.state();
    let delays: Vec<u64> = state.changes.iter().map(|(_, changes)| changes[0].1.as_secs()).collect();
    assert_eq!(delays.len(), 7);
    for (attempt, delay) in (1..).zip(&delays) {
        assert!(*delay >= 1 && *delay <= 1 << (attempt - 1), "{delays:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_requested_by_the_dependency_is_honoured() {
    let bench = Bench::new();
    bench.put(1);
    let task = bench.start(answers(|delivery| match delivery.attempt {
        1 => Err(Failure::transient("throttled").on("SES").retry_after(Duration::from_secs(90))),
        _ => Ok(Done::APPLIED),
    }));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    assert_eq!(bench.queue.state().changes[0].1[0].1, Duration::from_secs(90));
}

#[tokio::test(start_paused = true)]
async fn retries_are_batched() {
    let bench = Bench::new();
    bench.put(30);
    let task = bench.start(answers(|delivery| match delivery.attempt {
        1 => Err(Failure::transient("not-yet")),
        _ => Ok(Done::APPLIED),
    }));
    bench
        .queue
        .until(|state| state.changes.iter().map(|(_, changes)| changes.len()).sum::<usize>() == 30)
        .await;
    assert!(bench.queue.state().changes.len() <= 4);
    bench.queue.until_empty().await;
    bench.stop(task).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_retry_delay_cannot_be_set_is_redelivered_when_its_visibility_timeout_ends() {
    let bench = Bench::new();
    bench.queue.state().fail_changes = 5;
    bench.put(1);
    let started = tokio::time::Instant::now();
    let task = bench.start(answers(|delivery| match delivery.attempt {
        1 => Err(Failure::transient("not-yet")),
        _ => Ok(Done::APPLIED),
    }));
    bench.queue.until_empty().await;
    assert!(started.elapsed() >= settings().visibility);
    bench.stop(task).await;
    assert_eq!(bench.lines("visibility not changed").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_receive_count_does_not_exhaust_retries() {
    let bench = Bench::new();
    let body = ordered(&bench.queue, 1).message();
    bench.queue.put_with(Put { body, receive_count: 1_000, ..Put::default() });
    let task = bench.start(answers(|delivery| match delivery.attempt {
        1_001 | 1_002 => Err(Failure::transient("not-yet")),
        _ => Ok(Done::APPLIED),
    }));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    assert!(bench.queue.state().letters.is_empty());
}

/// Puts one message on the queue that was first received `age` ago, lets it fail, and returns its dead letter's
/// reason and detail if it was dead-lettered.
async fn fails_at(age: Duration, failure: fn() -> Failure) -> Option<(String, String)> {
    let bench = Bench::new();
    let body = ordered(&bench.queue, 1).message();
    bench.queue.put_with(Put { body, age, receive_count: 1, ..Put::default() });
    let backoff = Backoff { base: Duration::from_mins(1), cap: Duration::from_mins(1) };
    let task = bench.start_with(
        ConsumerSettings { backoff, ..settings() },
        answers(move |delivery| match delivery.attempt {
            2 => Err(failure()),
            _ => Ok(Done::APPLIED),
        }),
    );
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let state = bench.queue.state();
    state.letters.first().map(|letter| {
        let description = description(letter);
        (description["reason"].as_str().unwrap().into(), description["detail"].as_str().unwrap().into())
    })
}

#[tokio::test(start_paused = true)]
async fn retries_are_exhausted_by_age_and_by_class() {
    const HOUR: u64 = 3_600;
    let unexplained = || Failure::transient("odd").because("cause");
    let dependency = || Failure::transient("unavailable").on("DynamoDB");
    assert_eq!(fails_at(Duration::from_secs(5 * HOUR), unexplained).await, None);
    assert_eq!(
        fails_at(Duration::from_secs(7 * HOUR), unexplained).await,
        Some(("odd".into(), "retries exhausted, tried for more than 21600 s: cause".into()))
    );
    assert_eq!(fails_at(Duration::from_secs(71 * HOUR), dependency).await, None);
    assert_eq!(
        fails_at(Duration::from_secs(73 * HOUR), dependency).await,
        Some(("unavailable".into(), "retries exhausted, on the queue for more than 259200 s".into()))
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_only_waited_long_is_not_dead_lettered_at_its_first_failure() {
    let bench = Bench::new();
    let body = ordered(&bench.queue, 1).message();
    bench.queue.put_with(Put { body, age: Duration::from_hours(24), ..Put::default() });
    let task = bench.start(answers(|delivery| match delivery.attempt {
        1 => Err(Failure::transient("odd")),
        _ => Ok(Done::APPLIED),
    }));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    assert!(bench.queue.state().letters.is_empty());
}
