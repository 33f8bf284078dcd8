//! Finding what is at fault: a misconfigured dependency, one that rejects every message, or a single poison message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_clients::{AwsError, code};
use sqs_consumer::{ConsumerSettings, Delivery, Done, Failure, Readiness};
use tokio::time::{Instant, sleep};

use crate::bench::{Answer, Bench, Does, answers, down, item, settings};
use crate::settling::description;

/// Returns the failure of a call that SNS answers with `code`.
fn sns(code: &str) -> Failure {
    AwsError::of_entry("SNS", "PublishBatch", code, None).into()
}

/// Returns a handler that fails with `failure` until the switch is off, and the switch.
fn until_fixed(
    failure: impl Fn(&Delivery) -> Failure + Send + Sync + 'static,
) -> (Arc<AtomicBool>, impl sqs_consumer::AtLeastOnceHandler) {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let handler =
        answers(
            move |delivery| {
                if is_broken.load(Ordering::SeqCst) { Err(failure(delivery)) } else { Ok(Done::APPLIED) }
            },
        );
    (broken, handler)
}

/// Lets `count` messages fail with `code` for ten hours, fixes the fault, and expects every message to be handled.
async fn waits_until_fixed(count: u32, code: &'static str, reason: &str) {
    let bench = Bench::new();
    bench.put(count);
    let (broken, handler) = until_fixed(move |_| sns(code));
    let task = bench.start(handler);
    sleep(Duration::from_hours(10)).await;
    assert_eq!(bench.readiness().last(), Some(&down(reason)), "{code}");
    assert!(bench.hops().iter().all(|hop| hop["outcome"] == "retry" && hop["dependency"] == "SNS"));
    broken.store(false, Ordering::SeqCst);
    bench.queue.until_empty().await;
    bench.stop(task).await;
    assert!(bench.queue.state().letters.is_empty(), "{code}: no message was at fault itself");
    assert_eq!(bench.readiness().last(), Some(&Readiness::Up));
}

#[tokio::test(start_paused = true)]
async fn a_misconfigured_dependency_pauses_receiving_at_the_first_message_and_loses_none() {
    for code in ["NotFound", "AuthorizationError", "KMSAccessDenied", "InvalidClientTokenId"] {
        for count in [1, 30] {
            waits_until_fixed(count, code, &format!("SNS misconfigured: {code}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn when_every_message_is_rejected_the_brake_engages_and_none_is_dead_lettered() {
    for count in [3, 30, 200] {
        waits_until_fixed(count, "NotLiked", "SNS rejects most messages: NotLiked").await;
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_brake_is_engaged_single_messages_probe_and_the_log_gives_the_reason() {
    let bench = Bench::new();
    bench.put(30);
    let (broken, handler) = until_fixed(|_| sns("NotLiked"));
    let task = bench.start(handler);
    sleep(Duration::from_mins(5)).await;
    let engaged = &bench.lines("brake engaged")[0];
    assert_eq!((engaged["dependency"].as_str(), engaged["code"].as_str()), (Some("SNS"), Some("NotLiked")));
    let before = bench.queue.state().receives.len();
    sleep(Duration::from_mins(5)).await;
    let receives = bench.queue.state().receives[before..].to_vec();
    assert!(receives.len() < 30 && receives.iter().all(|(_, request, _)| request.max == 1), "{receives:?}");
    broken.store(false, Ordering::SeqCst);
    bench.queue.until_empty().await;
    bench.stop(task).await;
    assert_eq!((bench.lines("brake engaged").len(), bench.lines("brake released").len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_poison_message_among_good_ones_is_dead_lettered_with_its_reason() {
    let bench = Bench::new();
    bench.put(60);
    let handler = answers(|delivery| match item(delivery) {
        7 => Err(sns("NotLiked")),
        _ => Ok(Done::APPLIED),
    });
    let started = Instant::now();
    let task = bench.start(handler);
    bench.queue.until_empty().await;
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    bench.stop(task).await;
    let state = bench.queue.state();
    assert_eq!(state.letters.len(), 1);
    let description = description(&state.letters[0]);
    assert_eq!((&description["reason"], &description["dependency"]), (&"rejected".into(), &"SNS".into()));
    assert!(description["detail"].as_str().unwrap().contains("SNS.PublishBatch failed with NotLiked"));
    assert!(description["attempts"].as_u64().unwrap() > 1, "never at once");
    assert_eq!(bench.readiness(), [Readiness::Up]);
}

#[tokio::test(start_paused = true)]
async fn a_poison_message_on_an_idle_queue_is_dead_lettered_after_a_window() {
    let bench = Bench::new();
    bench.put(1);
    let started = Instant::now();
    let task = bench.start(answers(|_| Err(sns("NotLiked"))));
    bench.queue.until_empty().await;
    let took = started.elapsed();
    assert!((60..75).contains(&took.as_secs()), "{took:?}");
    bench.stop(task).await;
    assert_eq!(bench.queue.state().letters.len(), 1);
    assert_eq!(bench.readiness(), [Readiness::Up]);
}

#[tokio::test(start_paused = true)]
async fn duplicates_prove_nothing_about_a_rejected_message() {
    let bench = Bench::new();
    bench.put(40);
    let handler = answers(|delivery| match item(delivery) {
        7 => Err(sns("NotLiked")),
        _ => Ok(Done::DUPLICATE),
    });
    let started = Instant::now();
    let task = bench.start(handler);
    bench.queue.until_empty().await;
    assert!(started.elapsed() >= Duration::from_mins(1), "{:?}", started.elapsed());
    bench.stop(task).await;
}

#[tokio::test(start_paused = true)]
async fn messages_at_fault_themselves_do_not_engage_the_brake() {
    let bench = Bench::new();
    for _ in 0..100 {
        bench.queue.put("no event");
    }
    bench.put(10);
    let task = bench.start(answers(|_| Err(Failure::permanent("event-id-reused"))));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    assert_eq!(bench.queue.state().letters.len(), 110);
    assert_eq!((bench.lines("brake").len(), bench.lines("circuit").len()), (0, 0));
}

/// Returns a handler whose calls to DynamoDB end without a response after 4.5 s, as long as the switch is on.
fn hangs() -> (Arc<AtomicBool>, impl sqs_consumer::AtLeastOnceHandler) {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let handler = Does(move |_: &Delivery| {
        let hangs = is_broken.load(Ordering::SeqCst);
        Box::pin(async move {
            if hangs {
                sleep(Duration::from_millis(4_500)).await;
                return Err(AwsError::timeout("DynamoDB", "GetItem").into());
            }
            Ok(Done::APPLIED)
        }) as Answer
    });
    (broken, handler)
}

#[tokio::test(start_paused = true)]
async fn a_dependency_that_hangs_is_reported_by_name_within_ten_seconds() {
    for (messages, concurrency) in [(1, 32), (3, 32), (40, 32), (40, 1)] {
        let bench = Bench::new();
        bench.put(messages);
        let (_, handler) = hangs();
        let task = bench.start_with(ConsumerSettings { concurrency, ..settings() }, handler);
        sleep(Duration::from_secs(10)).await;
        let reason = down("DynamoDB unavailable: timeout");
        assert_eq!(bench.readiness().last(), Some(&reason), "{messages} messages, {concurrency} at a time");
        let opened = &bench.lines("circuit opened")[0];
        assert_eq!((&opened["dependency"], &opened["code"]), (&"DynamoDB".into(), &"timeout".into()));
        bench.stop(task).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_consumer_becomes_ready_by_itself_after_an_outage() {
    let bench = Bench::new();
    bench.put(1);
    let (_, handler) = hangs();
    let task = bench.start(handler);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(bench.readiness().last(), Some(&down("DynamoDB unavailable: timeout")));
    // Another consumer handles the message.
    bench.queue.clear();
    sleep(Duration::from_mins(2)).await;
    assert_eq!(bench.readiness().last(), Some(&Readiness::Up));
    assert_eq!(bench.lines("no message left to probe with").len(), 1);
    bench.stop(task).await;
}

#[tokio::test(start_paused = true)]
async fn a_dependency_that_does_not_respond_is_reported_as_unavailable() {
    let bench = Bench::new();
    bench.put(30);
    let (broken, handler) = until_fixed(|_| AwsError::timeout("DynamoDB", "GetItem").into());
    let task = bench.start(handler);
    sleep(Duration::from_mins(1)).await;
    let reason = format!("DynamoDB unavailable: {}", code::TIMEOUT);
    assert_eq!(bench.readiness().last(), Some(&down(&reason)));
    broken.store(false, Ordering::SeqCst);
    bench.queue.until_empty().await;
    bench.stop(task).await;
}
