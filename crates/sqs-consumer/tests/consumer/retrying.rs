//! Transient failures: how long a message waits for its retry, and when its retries are exhausted.

use std::time::Duration;

use aws_clients::AwsError;
use sqs_consumer::queue::MAX_RECEIVES;
use sqs_consumer::{Backoff, ConsumerSettings, Done, Failure};
use tokio::time::sleep;

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
    bench.queue.put_with(Put { body, receive_count: 990, ..Put::default() });
    let task = bench.start(answers(|delivery| match delivery.attempt {
        991 | 992 => Err(Failure::transient("not-yet")),
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

#[tokio::test(start_paused = true)]
async fn whatever_fails_for_days_is_dead_lettered_with_its_reason_long_before_sqs_would_move_it() {
    type Fails = fn() -> Failure;
    let failures: [(&str, Fails); 6] = [
        ("unavailable", || aws("ServiceUnavailable")),
        ("throttled", || aws("Throttling")),
        ("misconfigured", || aws("NotFound")),
        ("rejected", || aws("NotLiked")),
        ("unavailable", || AwsError::timeout("SNS", "PublishBatch").into()),
        ("odd", || Failure::transient("odd")),
    ];
    for (reason, failure) in failures {
        // Each of 40 kills of the process has raised the receive counts.
        let attempts = given_up(ConsumerSettings::new("membership"), reason, 40, failure).await;
        assert!(attempts.iter().all(|attempts| *attempts < MAX_RECEIVES * 7 / 10), "{reason}: {attempts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn short_delays_do_not_use_up_the_receives_that_sqs_allows() {
    let backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(1) };
    let throttled = || aws("Throttling");
    let odd = || Failure::transient("odd");
    for receives in [1, 500] {
        let settings = ConsumerSettings { backoff, ..settings() };
        let attempts = given_up(settings.clone(), "throttled", receives, throttled).await;
        assert!(attempts.iter().all(|attempts| *attempts < MAX_RECEIVES), "{attempts:?}");
        let attempts = given_up(settings, "odd", receives, odd).await;
        assert!(attempts.iter().all(|attempts| *attempts < MAX_RECEIVES), "{attempts:?}");
    }
}

/// Returns the failure of a call that SNS answers with `code`.
fn aws(code: &str) -> Failure {
    AwsError::of_entry("SNS", "PublishBatch", code, None).into()
}

/// Lets four messages that have been received before fail, and expects each to be dead-lettered at the age at which it
/// is given up. Returns how often each was received.
async fn given_up(
    settings: ConsumerSettings,
    reason: &str,
    receive_count: u32,
    failure: impl Fn() -> Failure + Send + Sync + 'static,
) -> Vec<u32> {
    let bench = Bench::new();
    for item in 0..4 {
        let body = ordered(&bench.queue, item).message();
        bench.queue.put_with(Put { body, receive_count, ..Put::default() });
    }
    let limit = if reason == "odd" { settings.give_up_after } else { settings.max_message_age };
    let task = bench.start_with(settings, answers(move |_| Err(failure())));
    sleep(limit).await;
    assert!(bench.queue.state().letters.is_empty(), "{reason}: too early");
    sleep(Duration::from_hours(2)).await;
    bench.stop(task).await;
    let state = bench.queue.state();
    let hops = bench.hops();
    let dead = hops.iter().filter(|hop| hop["outcome"] == "dead-letter" && hop["reason"] == reason);
    assert_eq!((state.letters.len(), dead.count()), (4, 4), "{reason}");
    let descriptions = state.letters.iter().map(description);
    let attempts = descriptions.map(|description| {
        assert_eq!(description["reason"], reason);
        u32::try_from(description["attempts"].as_u64().unwrap()).unwrap()
    });
    attempts.collect()
}

#[tokio::test(start_paused = true)]
async fn the_last_receives_that_sqs_allows_leave_a_reason() {
    for (receives, reason, detail) in [
        (MAX_RECEIVES - 1, "not-yet", "retries exhausted, received 999 times"),
        // The attempt before killed the process, and so might this one.
        (MAX_RECEIVES, "never-finished", "received 1000 times"),
    ] {
        let bench = Bench::new();
        let body = ordered(&bench.queue, 1).message();
        bench.queue.put_with(Put { body, receive_count: receives - 1, ..Put::default() });
        let task = bench.start(answers(|delivery| {
            assert!(delivery.attempt < MAX_RECEIVES, "not handled");
            Err(Failure::transient("not-yet"))
        }));
        bench.queue.until_empty().await;
        bench.stop(task).await;
        let state = bench.queue.state();
        let description = description(&state.letters[0]);
        assert_eq!((&description["reason"], &description["detail"]), (&reason.into(), &detail.into()));
    }
}
