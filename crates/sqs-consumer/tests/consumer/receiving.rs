//! When and how much the consumer receives: permits, pollers, pauses, the circuit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sqs_consumer::{ConsumerSettings, Done, Failure, Readiness};
use tokio::time::Instant;

use crate::bench::{Answer, Bench, Does, answers, down, settings, takes};

#[tokio::test(start_paused = true)]
async fn permits_are_never_exceeded_and_no_message_is_received_without_one() {
    for concurrency in [1, 3, 7, 16] {
        let bench = Bench::new();
        bench.put(100);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (n, m) = (Arc::clone(&now), Arc::clone(&most));
        let handler = Does(move |delivery: &sqs_consumer::Delivery| {
            let (now, most) = (Arc::clone(&n), Arc::clone(&m));
            let millis = 20 + 17 * u64::from(crate::bench::item(delivery) % 9);
            Box::pin(async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(millis)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(Done::APPLIED)
            }) as Answer
        });
        let task = bench.start_with(ConsumerSettings { concurrency, ..settings() }, handler);
        // Messages that were received and not yet deleted are in flight, so they never exceed the permits either.
        let queue = bench.queue.clone();
        queue
            .until(|state| {
                let deleted: usize = state.deletes.iter().map(Vec::len).sum();
                assert!(state.deliveries.len() - deleted <= concurrency, "received without a permit");
                deleted == 100
            })
            .await;
        bench.stop(task).await;
        assert_eq!(most.load(Ordering::SeqCst), concurrency, "all permits are used, and never more");
        assert!(bench.queue.state().receives.iter().all(|(_, request, _)| request.max <= concurrency));
    }
}

#[tokio::test(start_paused = true)]
async fn the_number_of_pollers_follows_the_fill_of_the_batches() {
    let bench = Bench::new();
    let settings = ConsumerSettings { concurrency: 100, max_pollers: 4, ..settings() };
    let task = bench.start_with(settings, takes(Duration::from_millis(10)));
    bench.queue.until(|state| state.receives.len() == 1 && state.receiving == 1).await;
    assert_eq!(bench.queue.state().receiving, 1, "one while idle");
    bench.put(400);
    bench.queue.until(|state| state.receiving == 4).await;
    bench.queue.until_empty().await;
    bench.queue.until(|state| state.receiving == 1).await;
    bench.stop(task).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_consumer_long_polls_for_ten_messages() {
    let bench = Bench::new();
    let task = bench.start(answers(|_| Ok(Done::APPLIED)));
    bench.queue.until(|state| state.receives.len() == 4).await;
    bench.stop(task).await;
    let state = bench.queue.state();
    assert_eq!(state.receives[0].1.wait, Duration::ZERO, "the first shows whether receiving works");
    for (_, request, _) in &state.receives[1..4] {
        assert_eq!((request.max, request.wait), (10, Duration::from_secs(20)));
        assert_eq!(request.visibility, Duration::from_secs(30));
    }
}

#[tokio::test(start_paused = true)]
async fn permits_are_gathered_so_that_a_busy_consumer_still_receives_in_batches() {
    let bench = Bench::new();
    bench.put(300);
    let handler = Does(|delivery: &sqs_consumer::Delivery| {
        let duration = Duration::from_millis(20 + u64::from(crate::bench::item(delivery) * 7 % 41));
        Box::pin(async move {
            tokio::time::sleep(duration).await;
            Ok(Done::APPLIED)
        }) as Answer
    });
    let mut settings = ConsumerSettings { concurrency: 32, ..settings() };
    settings.settle.linger = Duration::ZERO; // otherwise permits would be returned in batches for that reason
    let task = bench.start_with(settings, handler);
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let state = bench.queue.state();
    let full = state.receives.iter().filter(|(_, _, got)| *got > 0).count();
    assert!(full <= 120, "{full} receives for 300 messages");
}

#[tokio::test(start_paused = true)]
async fn failed_receives_are_followed_by_growing_pauses_and_logged_once() {
    let bench = Bench::new();
    bench.queue.state().fail_receives = 6;
    let task = bench.start(answers(|_| Ok(Done::APPLIED)));
    bench.put(1);
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let state = bench.queue.state();
    let times: Vec<Instant> = state.receives.iter().map(|(at, ..)| *at).take(7).collect();
    let pauses: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    for (attempt, pause) in pauses.iter().enumerate() {
        let ceiling = f64::from(1 << attempt).min(30.0);
        assert!(*pause >= ceiling / 2.0 - 0.01 && *pause <= ceiling + 0.02, "{pauses:?}");
    }
    drop(state);
    assert_eq!(bench.readiness(), [down("receiving fails: RequestThrottled"), Readiness::Up]);
    let failed = bench.lines("receiving failed");
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["error"], "ReceiveMessage failed: RequestThrottled");
    assert_eq!(bench.lines("receiving works again")[0]["failures"], 6);
}

#[tokio::test(start_paused = true)]
async fn the_consumer_is_ready_after_the_first_receive_even_if_the_queue_is_empty() {
    let bench = Bench::new();
    let started = Instant::now();
    let task = bench.start(answers(|_| Ok(Done::APPLIED)));
    bench.queue.until(|state| state.receives.len() == 1 && state.receiving == 1).await;
    assert_eq!(bench.readiness(), [Readiness::Up]);
    assert!(started.elapsed() < Duration::from_millis(100));
    bench.stop(task).await;
    assert_eq!(bench.readiness(), [Readiness::Up], "reported only when it changes");
}

#[tokio::test(start_paused = true)]
async fn receiving_pauses_while_a_dependency_is_unavailable_and_probes_with_one_message() {
    let bench = Bench::new();
    let unavailable = Arc::new(AtomicBool::new(true));
    let is_unavailable = Arc::clone(&unavailable);
    bench.put(200);
    let handler = answers(move |_| {
        if is_unavailable.load(Ordering::SeqCst) {
            Err(Failure::transient("unavailable").on("DynamoDB"))
        } else {
            Ok(Done::APPLIED)
        }
    });
    let task = bench.start_with(ConsumerSettings { concurrency: 10, ..settings() }, handler);
    let readiness = Arc::clone(&bench.readiness);
    bench.queue.until(|_| readiness.lock().unwrap().len() == 2).await;
    assert_eq!(bench.readiness(), [Readiness::Up, down("DynamoDB unavailable")]);
    let opened = Instant::now();
    let before = bench.queue.state().receives.len();

    // Three probes, with longer pauses between them.
    let probes =
        |state: &crate::fake_queue::State| state.receives[before..].iter().filter(|r| r.2 > 0).count();
    bench.queue.until(|state| probes(state) == 3).await;
    let elapsed = opened.elapsed().as_secs_f64();
    assert!((2.5 + 5.0 + 10.0..=5.0 + 10.0 + 20.1).contains(&elapsed), "{elapsed}");
    assert!(
        bench.queue.state().receives[before..].iter().all(|(_, request, got)| request.max == 1 && *got <= 1)
    );

    unavailable.store(false, Ordering::SeqCst);
    bench.queue.until_empty().await;
    bench.stop(task).await;
    assert_eq!(bench.readiness().last(), Some(&Readiness::Up));
    assert_eq!(bench.lines("circuit opened")[0]["dependency"], "DynamoDB");
    assert_eq!((bench.lines("circuit opened").len(), bench.lines("circuit closed").len()), (1, 1));
    assert!(bench.queue.state().letters.is_empty());
}

#[tokio::test(start_paused = true)]
async fn messages_requested_before_a_pause_are_released_until_it_ends() {
    let bench = Bench::new();
    let settings = ConsumerSettings { concurrency: 30, ..settings() };
    let handler = Does(|_: &sqs_consumer::Delivery| {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Err(Failure::transient("unavailable").on("DynamoDB").retry_after(Duration::from_hours(1)))
        }) as Answer
    });
    bench.put(10);
    let task = bench.start_with(settings, handler);
    let readiness = Arc::clone(&bench.readiness);
    bench.queue.until(|_| readiness.lock().unwrap().len() == 2).await;
    assert!(bench.queue.state().receiving > 0, "a receive is in flight as the circuit opens");
    let late = bench.put(1).remove(0);
    let is_late = |(id, _): &&(String, Duration)| *id == late;
    bench
        .queue
        .until(|state| state.changes.iter().flat_map(|(_, list)| list).any(|change| is_late(&change)))
        .await;
    let delay = {
        let state = bench.queue.state();
        state.changes.iter().flat_map(|(_, list)| list).find(is_late).unwrap().1
    };
    assert!((1..=6).contains(&delay.as_secs()), "{delay:?}: about the pause");
    assert_eq!(bench.hops().len(), 10, "it was not handled");
    bench.stop(task).await;
}

#[tokio::test(start_paused = true)]
async fn failures_of_single_messages_open_no_circuit() {
    let bench = Bench::new();
    bench.put(60);
    let task = bench.start(answers(|delivery| match (delivery.attempt, crate::bench::item(delivery) % 3) {
        (1, 0) => Err(Failure::transient("odd")),
        (1, 1) => Err(Failure::transient("unavailable").on("SES")),
        (1, _) => Err(Failure::permanent("bad")),
        _ => Ok(Done::APPLIED),
    }));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    assert_eq!(bench.lines("circuit").len(), 0);
    assert_eq!(bench.readiness(), [Readiness::Up]);
}

#[tokio::test(start_paused = true)]
async fn large_messages_hold_receiving_back_before_the_permits_do() {
    let bench = Bench::new();
    bench.put(400);
    let body = crate::bench::ordered(&bench.queue, 0).message().len();
    let limit = 50;
    let settings =
        ConsumerSettings { concurrency: 300, max_bytes: limit * body, max_pollers: 4, ..settings() };
    let task = bench.start_with(settings, takes(Duration::from_secs(1)));
    bench
        .queue
        .until(|state| {
            let deleted: usize = state.deletes.iter().map(Vec::len).sum();
            let in_flight = state.deliveries.len() - deleted;
            assert!(in_flight <= limit + 4 * 10, "{in_flight} messages in flight");
            deleted == 400
        })
        .await;
    bench.stop(task).await;
}
