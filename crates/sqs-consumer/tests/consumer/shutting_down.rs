//! The shutdown of a consumer.

use std::time::Duration;

use sqs_consumer::{ConsumerError, ConsumerSettings, Done, SettingsError};
use tokio::time::Instant;

use crate::bench::{Bench, answers, settings, takes};

#[tokio::test(start_paused = true)]
async fn messages_in_flight_are_finished_and_no_more_are_received() {
    let bench = Bench::new();
    bench.put(50);
    let task =
        bench.start_with(ConsumerSettings { concurrency: 10, ..settings() }, takes(Duration::from_secs(5)));
    bench.queue.until(|state| state.deliveries.len() == 10).await;
    let started = Instant::now();
    bench.stop(task).await;
    assert!(started.elapsed() < Duration::from_secs(6));
    assert_eq!(bench.queue.len(), 40, "ten were finished and deleted");
    assert_eq!(bench.queue.state().deliveries.len(), 10);
    assert_eq!(bench.lines("drained").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn messages_that_cannot_be_finished_are_released_at_once() {
    let bench = Bench::new();
    bench.put(12);
    let settings = ConsumerSettings {
        max_processing: Duration::from_mins(10),
        visibility: Duration::from_mins(30),
        ..settings()
    };
    let drain = settings.drain;
    let task = bench.start_with(settings, takes(Duration::from_mins(5)));
    bench.queue.until(|state| state.deliveries.len() == 12).await;
    let started = Instant::now();
    bench.stop(task).await;
    assert!(started.elapsed() >= drain && started.elapsed() < drain + Duration::from_secs(1));
    let state = bench.queue.state();
    let released: Vec<_> = state.changes.iter().flat_map(|(_, changes)| changes).collect();
    assert_eq!(released.len(), 12);
    assert!(released.iter().all(|(_, timeout)| timeout.is_zero()));
    assert!(state.changes.len() <= 3, "in batches");
    assert!(state.deletes.is_empty());
    drop(state);
    assert_eq!(bench.hops().iter().filter(|hop| hop["outcome"] == "released").count(), 12);
}

#[tokio::test(start_paused = true)]
async fn a_receive_in_flight_is_waited_for_and_its_messages_are_released() {
    let bench = Bench::new();
    let task = bench.start(answers(|_| Ok(Done::APPLIED)));
    bench.queue.until(|state| state.receives.len() == 1 && state.receiving == 1).await;
    bench.shutdown.cancel();
    tokio::task::yield_now().await;
    let id = bench.put(1).remove(0);
    let started = Instant::now();
    task.await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
    let state = bench.queue.state();
    assert_eq!(state.deliveries[&id], 1, "it was received");
    assert_eq!(state.changes[0].1, [(id, Duration::ZERO)], "and released, visible at once");
    drop(state);
    assert_eq!(bench.queue.len(), 1);
    assert!(bench.hops().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_idle_consumer_ends_with_its_receive() {
    let bench = Bench::new();
    let task =
        bench.start_with(settings().within_grace(Duration::from_secs(6)), answers(|_| Ok(Done::APPLIED)));
    bench.queue.until(|state| state.receives.len() == 1 && state.receiving == 1).await;
    let started = Instant::now();
    bench.stop(task).await;
    assert!(started.elapsed() <= Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_pauses_ends_at_once() {
    let bench = Bench::new();
    bench.queue.state().fail_receives = usize::MAX;
    let task = bench.start(answers(|_| Ok(Done::APPLIED)));
    bench.queue.until(|state| state.receives.len() == 5).await;
    let started = Instant::now();
    bench.stop(task).await;
    assert!(started.elapsed() < Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn the_second_deadline_is_final() {
    let bench = Bench::new();
    bench.put(3);
    bench.queue.state().change_takes = Duration::from_hours(1);
    let settings = ConsumerSettings {
        max_processing: Duration::from_mins(10),
        visibility: Duration::from_mins(30),
        ..settings()
    };
    let limit = settings.drain + settings.settle_timeout;
    let task = bench.start_with(settings, takes(Duration::from_mins(5)));
    bench.queue.until(|state| state.deliveries.len() == 3).await;
    let started = Instant::now();
    bench.shutdown.cancel();
    let error = task.await.unwrap().unwrap_err();
    assert_eq!(error, ConsumerError::DrainOverran { unsettled: 3 });
    assert!(started.elapsed() <= limit + Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn invalid_settings_are_refused_before_anything_is_received() {
    let bench = Bench::new();
    let task =
        bench.start_with(ConsumerSettings { concurrency: 0, ..settings() }, answers(|_| Ok(Done::APPLIED)));
    let error = task.await.unwrap().unwrap_err();
    assert!(matches!(error, ConsumerError::Settings(SettingsError::Conflict { .. })), "{error}");
    assert!(bench.queue.state().receives.is_empty());
}
