//! Fewer requests where nobody waits for them, and messages that only wait for their spans.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use sqs_consumer::{Consumer, ConsumerSettings, Done, MAX_LEAVING};
use telemetry::hop::HopLines;
use telemetry::{LogFormat, OtelSettings, Settings, Telemetry};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::bench::{Bench, answers, ordered, settings};
use crate::fake_queue::Put;

/// Puts a message on the queue every 20 ms, and returns the receives that brought any, and the deletes.
async fn of_a_trickle(settings: ConsumerSettings) -> (usize, usize) {
    let bench = Bench::new();
    let task = bench.start_with(settings, answers(|_| Ok(Done::APPLIED)));
    for _ in 0..200 {
        bench.put(1);
        sleep(Duration::from_millis(20)).await;
    }
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let state = bench.queue.state();
    assert!(state.deliveries.values().all(|count| *count == 1));
    (state.receives.iter().filter(|(_, _, got)| *got > 0).count(), state.deletes.len())
}

#[tokio::test(start_paused = true)]
async fn deletes_that_linger_are_few_and_leave_receives_alone() {
    assert_eq!(of_a_trickle(settings()).await, (200, 200), "the defaults wait for nothing");
    let linger = Some(Duration::from_millis(200));
    let (receives, deletes) = of_a_trickle(ConsumerSettings { delete_linger: linger, ..settings() }).await;
    assert_eq!((receives, deletes), (200, 20));
}

#[tokio::test(start_paused = true)]
async fn receives_with_pauses_between_them_are_few() {
    let pause = Duration::from_millis(100);
    let (receives, _) = of_a_trickle(ConsumerSettings { pause_between: pause, ..settings() }).await;
    assert!((33..=50).contains(&receives), "{receives}: four to six messages each");
}

#[tokio::test(start_paused = true)]
async fn a_full_receive_is_followed_by_the_next_at_once_whatever_the_pause() {
    let bench = Bench::new();
    bench.put(200);
    let pause = Duration::from_secs(10);
    let started = Instant::now();
    let settings = ConsumerSettings { pause_between: pause, ..settings() };
    let task = bench.start_with(settings, answers(|_| Ok(Done::APPLIED)));
    bench.queue.until_empty().await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    bench.stop(task).await;
}

#[tokio::test(start_paused = true)]
async fn deletes_do_not_linger_where_other_messages_need_the_permits() {
    let bench = Bench::new();
    bench.put(100);
    let started = Instant::now();
    let settings =
        ConsumerSettings { concurrency: 3, delete_linger: Some(Duration::from_secs(1)), ..settings() };
    let task = bench.start_with(settings, answers(|_| Ok(Done::APPLIED)));
    bench.queue.until_empty().await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    bench.stop(task).await;
}

fn exporting_to(traces: String) -> Settings {
    Settings {
        application: "foostore".into(),
        environment: "local".into(),
        service_name: "membership".into(),
        service_version: "1.0.0".into(),
        revision: None,
        logs: LogFormat::Json,
        hop_lines: HopLines::All,
        log_filter: "off".into(),
        otel: OtelSettings { traces_endpoint: Some(traces), ..OtelSettings::default() },
    }
}

#[tokio::test]
async fn messages_whose_spans_are_leaving_keep_no_others_from_being_received_up_to_a_limit() {
    const CONCURRENCY: usize = 10;
    const MESSAGES: u32 = 1_000;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let traces = format!("http://{}/v1/traces", silent.local_addr().unwrap());
    let (telemetry, dispatch) = Telemetry::build(exporting_to(traces), io::sink()).unwrap();
    let bench = Bench::new();
    let _telemetry = tracing::dispatcher::set_default(&dispatch);
    for item in 0..MESSAGES {
        bench.queue.put_with(Put {
            body: ordered(&bench.queue, item).message(),
            trace_header: Some(
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1".into(),
            ),
            ..Put::default()
        });
    }
    let settings = ConsumerSettings { concurrency: CONCURRENCY, wait: Duration::from_secs(1), ..settings() };
    let consumer =
        Consumer::new(bench.queue.clone(), answers(|_| Ok(Done::APPLIED)), settings, &telemetry.meter())
            .after(telemetry.departures());
    let task = tokio::spawn(consumer.run(bench.shutdown.clone()));
    let in_flight_at_most = Cell::new(0);
    bench
        .queue
        .until(|state| {
            let deleted: usize = state.deletes.iter().map(Vec::len).sum();
            let in_flight = state.deliveries.len() - deleted;
            in_flight_at_most.set(in_flight.max(in_flight_at_most.get()));
            deleted == 1_000
        })
        .await;
    // Nothing is deleted until the collector counts as unavailable.
    let most = in_flight_at_most.get();
    assert!(most > CONCURRENCY && most <= CONCURRENCY + MAX_LEAVING, "{most} in flight");
    bench.stop(task).await;
    drop(telemetry.shutdown().await);
}
