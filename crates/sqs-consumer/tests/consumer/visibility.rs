//! Messages stay invisible for as long as they are in flight.

use std::time::Duration;

use sqs_consumer::{ConsumerSettings, Done, Failure};
use tokio::time::Instant;

use crate::bench::{Answer, Bench, Does, settings, takes};

fn of(visibility_s: u64, max_processing_s: u64) -> ConsumerSettings {
    ConsumerSettings {
        visibility: Duration::from_secs(visibility_s),
        max_processing: Duration::from_secs(max_processing_s),
        ..settings()
    }
}

#[tokio::test(start_paused = true)]
async fn quick_messages_are_never_extended() {
    let bench = Bench::new();
    bench.put(20);
    let task = bench.start_with(of(30, 60), takes(Duration::from_secs(19)));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    assert!(bench.queue.state().changes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn slow_messages_are_extended_shortly_before_expiry_in_batches() {
    let bench = Bench::new();
    let started = Instant::now();
    bench.put(25);
    let task = bench.start_with(of(30, 120), takes(Duration::from_secs(70)));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let state = bench.queue.state();
    assert!(state.deliveries.values().all(|count| *count == 1), "no message was redelivered");
    let mut rounds: Vec<(u64, usize)> = Vec::new();
    for (at, changes) in &state.changes {
        assert!(changes.iter().all(|(_, timeout)| *timeout == Duration::from_secs(30)));
        let second = at.duration_since(started).as_secs();
        match rounds.last_mut() {
            Some((same, calls)) if *same == second => *calls += 1,
            _ => rounds.push((second, 1)),
        }
    }
    assert_eq!(
        rounds,
        [(20, 3), (40, 3), (60, 3)],
        "25 messages in 3 calls, when a third of the visibility is left"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_extension_is_logged_and_retried_and_does_not_stop_the_handler() {
    let bench = Bench::new();
    bench.put(1);
    bench.queue.state().fail_changes = 2;
    let task = bench.start_with(of(30, 120), takes(Duration::from_secs(35)));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let state = bench.queue.state();
    assert_eq!(state.changes.len(), 3, "it failed twice, then succeeded in time");
    assert!(state.deliveries.values().all(|count| *count == 1));
    drop(state);
    let lines = bench.lines("visibility not extended");
    assert_eq!((lines.len(), &lines[0]["level"]), (1, &"WARN".into()));
}

#[tokio::test(start_paused = true)]
async fn the_handler_goes_on_after_its_message_has_become_visible() {
    let bench = Bench::new();
    bench.put(1);
    bench.queue.state().fail_changes = 100;
    let task = bench.start_with(of(9, 120), takes(Duration::from_secs(20)));
    bench.queue.until(|state| state.deliveries.values().any(|count| *count == 2)).await;
    bench.queue.state().fail_changes = 0;
    bench.queue.until_empty().await;
    bench.stop(task).await;
    assert!(bench.hops().iter().all(|hop| hop["outcome"] == "applied"), "both deliveries were handled");
}

#[tokio::test(start_paused = true)]
async fn an_extension_in_flight_cannot_undo_a_retry() {
    let bench = Bench::new();
    bench.put(1);
    bench.queue.state().change_takes = Duration::from_secs(3);
    let started = Instant::now();
    let queue = bench.queue.clone();
    let handler = Does(move |delivery: &sqs_consumer::Delivery| {
        let (first, queue) = (delivery.attempt == 1, queue.clone());
        Box::pin(async move {
            // Fails while the extension due at 20 s is in flight. It arrives at 23 s, so the retry would overtake it.
            tokio::time::sleep(Duration::from_secs(if first { 21 } else { 0 })).await;
            queue.state().change_takes = Duration::ZERO;
            if first { Err(Failure::transient("odd")) } else { Ok(Done::APPLIED) }
        }) as Answer
    });
    let task = bench.start_with(of(30, 60), handler);
    bench.queue.until_empty().await;
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    bench.stop(task).await;
    let state = bench.queue.state();
    let timeouts: Vec<u64> = state.changes.iter().map(|(_, changes)| changes[0].1.as_secs()).collect();
    assert_eq!(timeouts, [30, 1], "the retry comes last");
}

#[tokio::test(start_paused = true)]
async fn a_message_stays_invisible_while_its_delete_is_retried() {
    let bench = Bench::new();
    bench.put(1);
    bench.queue.state().fail_deletes = 4;
    let mut settings = of(3, 60);
    settings.settle.backoff.base = Duration::from_secs(2);
    let task = bench.start_with(settings, takes(Duration::from_secs(1)));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let state = bench.queue.state();
    assert!(state.deliveries.values().all(|count| *count == 1));
    assert!(!state.changes.is_empty());
}
