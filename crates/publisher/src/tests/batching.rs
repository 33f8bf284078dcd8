//! The batcher under paused time, with a fake in place of AWS.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_clients::AwsError;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::metrics::noop::NoopMeterProvider;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tracing::Span;

use crate::batcher::Batcher;
use crate::call::{Answer, Call};
use crate::{PublishError, Published, PublisherSettings};

type Results = Result<Vec<Result<String, AwsError>>, AwsError>;
/// The calls in order: the time of each, and its entries.
type Calls = Vec<(Instant, Vec<u32>)>;
type Script = dyn Fn(usize, &[u32]) -> Results + Send + Sync;

/// A fake service that answers by a script of the call's number and entries, and records what was sent when.
#[derive(Clone)]
struct Fake {
    script: Arc<Script>,
    took: Duration,
    calls: Arc<Mutex<Calls>>,
    under_way: Arc<Mutex<(usize, usize)>>,
}

impl Fake {
    fn new(script: impl Fn(usize, &[u32]) -> Results + Send + Sync + 'static) -> Self {
        Self {
            script: Arc::new(script),
            took: Duration::from_millis(1),
            calls: Arc::default(),
            under_way: Arc::default(),
        }
    }

    fn accepting() -> Self {
        Self::new(|_, entries| Ok(accepted(entries)))
    }

    fn taking(mut self, took: Duration) -> Self {
        self.took = took;
        self
    }

    fn calls(&self) -> Vec<Vec<u32>> {
        self.calls.lock().unwrap().iter().map(|(_, entries)| entries.clone()).collect()
    }

    fn times(&self) -> Vec<Instant> {
        self.calls.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }

    fn most_under_way(&self) -> usize {
        self.under_way.lock().unwrap().1
    }

    fn start(&self, settings: PublisherSettings) -> Batcher<Self> {
        let meter = NoopMeterProvider::new().meter("test");
        Batcher::start(self.clone(), "test", settings, &meter)
    }
}

impl Call for Fake {
    type Entry = u32;

    const MAX_ENTRIES: usize = 10;
    const MAX_BYTES: usize = 1_000;
    const SERVICE: &'static str = "EventBridge";
    const OPERATION: &'static str = "PutEvents";

    async fn send(&self, entries: &[&u32]) -> Answer {
        let entries: Vec<u32> = entries.iter().copied().copied().collect();
        let number = {
            let mut calls = self.calls.lock().unwrap();
            calls.push((Instant::now(), entries.clone()));
            calls.len()
        };
        {
            let mut under_way = self.under_way.lock().unwrap();
            under_way.0 += 1;
            under_way.1 = under_way.1.max(under_way.0);
        }
        sleep(self.took).await;
        self.under_way.lock().unwrap().0 -= 1;
        let outcome = (self.script)(number, &entries);
        Answer { request_id: Some(number.to_string()), status: Some(200), outcome }
    }

    fn groups(&self, entries: &[&u32]) -> Vec<usize> {
        entries.iter().map(|entry| usize::from(**entry >= 100)).collect()
    }
}

fn accepted(entries: &[u32]) -> Vec<Result<String, AwsError>> {
    entries.iter().map(|entry| Ok(format!("id-{entry}"))).collect()
}

fn failed(code: &str) -> AwsError {
    AwsError::of_entry(Fake::SERVICE, Fake::OPERATION, code, None)
}

type Publishing = JoinHandle<Result<Published, PublishError>>;

fn publish(batcher: &Batcher<Fake>, entry: u32, size: usize) -> Publishing {
    let batcher = batcher.clone();
    tokio::spawn(async move { batcher.publish(entry, size, Span::none(), None).await })
}

fn publish_all(batcher: &Batcher<Fake>, entries: impl IntoIterator<Item = u32>) -> Vec<Publishing> {
    entries.into_iter().map(|entry| publish(batcher, entry, 1)).collect()
}

async fn all(publishing: Vec<Publishing>) -> Vec<Result<Published, PublishError>> {
    let mut results = Vec::new();
    for each in publishing {
        results.push(each.await.unwrap());
    }
    results
}

fn ids(results: &[Result<Published, PublishError>]) -> Vec<&str> {
    results.iter().map(|result| result.as_ref().map_or("failed", |published| published.id.as_str())).collect()
}

#[tokio::test(start_paused = true)]
async fn concurrent_entries_share_calls_and_each_gets_its_own_id() {
    let fake = Fake::accepting();
    let batcher = fake.start(PublisherSettings::default());
    let results = all(publish_all(&batcher, 0..25)).await;
    assert_eq!(ids(&results), (0..25).map(|entry| format!("id-{entry}")).collect::<Vec<_>>());
    let mut sizes: Vec<_> = fake.calls().iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [5, 10, 10]);
}

/// Under a clock that does not stand still between two lines.
#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_entries_are_sent_at_once() {
    let fake = Fake::accepting();
    let batcher = fake.start(PublisherSettings::default());
    let started = Instant::now();
    let results = all(publish_all(&batcher, 0..500)).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(started.elapsed() < Duration::from_secs(4), "half of the deadline: {:?}", started.elapsed());
    assert!(fake.calls().len() < 100, "{} calls", fake.calls().len());
}

#[tokio::test(start_paused = true)]
async fn a_lone_entry_lingers_and_is_sent() {
    let fake = Fake::accepting();
    let batcher = fake.start(PublisherSettings::default());
    let start = Instant::now();
    batcher.publish(1, 1, Span::none(), None).await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(10), "{:?}", start.elapsed());
    assert_eq!(fake.times()[0] - start, Duration::from_millis(5));
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_linger() {
    let fake = Fake::accepting();
    let batcher =
        fake.start(PublisherSettings { linger: Duration::from_mins(1), ..PublisherSettings::default() });
    let start = Instant::now();
    all(publish_all(&batcher, 0..10)).await;
    assert!(start.elapsed() < Duration::from_millis(10), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_stays_within_its_size_limit() {
    let fake = Fake::accepting();
    let batcher = fake.start(PublisherSettings::default());
    let publishing = [400, 600, 1, 999, 500].into_iter().zip(0..);
    let results = all(publishing.map(|(size, entry)| publish(&batcher, entry, size)).collect()).await;
    assert!(results.iter().all(Result::is_ok));
    let mut calls = fake.calls();
    calls.sort();
    assert_eq!(calls, [vec![0, 1], vec![2, 3], vec![4]]);
}

#[tokio::test(start_paused = true)]
async fn an_oversized_entry_is_rejected_before_anything_is_sent() {
    let fake = Fake::accepting();
    let batcher = fake.start(PublisherSettings::default());
    let error = batcher.publish(1, 1_001, Span::none(), None).await.unwrap_err();
    assert_eq!(error, PublishError::TooLarge { size: 1_001, limit: 1_000 });
    assert!(fake.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn failed_entries_alone_are_retried() {
    let fake = Fake::new(|number, entries| {
        Ok(entries
            .iter()
            .map(|entry| match (number, entry) {
                (1, 3) => Err(failed("ThrottlingException")),
                (1, 7) => Err(failed("InternalFailure")),
                (_, 5) => Err(failed("NotAuthorizedForSourceException")),
                _ => Ok(format!("id-{entry}")),
            })
            .collect())
    });
    let batcher = fake.start(PublisherSettings::default());
    let results = all(publish_all(&batcher, 0..10)).await;
    for (entry, result) in results.iter().enumerate() {
        match entry {
            5 => assert_eq!(
                result,
                &Err(PublishError::GaveUp { error: failed("NotAuthorizedForSourceException"), attempts: 1 })
            ),
            _ => assert_eq!(result, &Ok(Published { id: format!("id-{entry}") })),
        }
    }
    let mut calls = fake.calls();
    assert_eq!(calls.remove(0), (0..10).collect::<Vec<_>>());
    calls.sort();
    assert_eq!(calls, [vec![3], vec![7]]);
}

#[tokio::test(start_paused = true)]
async fn entries_that_failed_in_one_call_are_resent_in_one_call() {
    let fake = Fake::new(|number, entries| match number {
        1 => Ok(entries.iter().map(|_| Err(failed("InternalFailure"))).collect()),
        _ => Ok(accepted(entries)),
    });
    let results = all(publish_all(&fake.start(PublisherSettings::default()), 0..10)).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(fake.calls(), vec![(0..10).collect::<Vec<_>>(); 2]);
}

/// Throttles what `refuses` selects until `duration` has passed since the first call.
fn throttling(duration: Duration, refuses: impl Fn(u32) -> bool + Send + Sync + 'static) -> Fake {
    let first = Arc::new(Mutex::new(None));
    Fake::new(move |_, entries| {
        let first = *first.lock().unwrap().get_or_insert_with(Instant::now);
        let throttled = first.elapsed() < duration;
        let answer = |entry: &u32| {
            if throttled && refuses(*entry) {
                Err(failed("ThrottlingException"))
            } else {
                Ok(format!("id-{entry}"))
            }
        };
        Ok(entries.iter().map(answer).collect())
    })
}

#[tokio::test(start_paused = true)]
async fn throttled_entries_go_back_as_whole_batches_under_one_pause() {
    for _ in 0..20 {
        let fake = throttling(Duration::from_millis(1_500), |_| true);
        let results = all(publish_all(&fake.start(PublisherSettings::default()), 0..200)).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        let sizes: Vec<_> = fake.calls().iter().map(Vec::len).collect();
        assert!(sizes.iter().all(|size| *size == 10), "{sizes:?}");
        // The 16 calls in flight at first, a probe after each pause, and 20 that are accepted.
        assert!(sizes.len() <= 60, "{} calls", sizes.len());
    }
}

#[tokio::test(start_paused = true)]
async fn entries_throttled_in_several_calls_share_the_next_ones() {
    let fake = throttling(Duration::from_millis(5), |entry| entry % 10 < 3);
    let results = all(publish_all(&fake.start(PublisherSettings::default()), 0..100)).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let resent = fake.calls().split_off(10);
    // 30 in four calls at most, and once more after a pause that was over before the throttling was.
    let entries: usize = resent.iter().map(Vec::len).sum();
    assert!(resent.len() * 30 <= entries * 4, "{entries} entries in {resent:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_throttled_as_a_whole_pause_together() {
    for _ in 0..20 {
        let start = Instant::now();
        let fake = Fake::new(move |_, entries| {
            if start.elapsed() < Duration::from_millis(1_500) {
                Err(failed("ThrottlingException"))
            } else {
                Ok(accepted(entries))
            }
        });
        let results = all(publish_all(&fake.start(PublisherSettings::default()), 0..200)).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        assert!(fake.calls().len() <= 60, "{} calls", fake.calls().len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttle_without_end_is_the_reason_of_every_entry_within_its_deadline() {
    let fake =
        Fake::new(|_, entries| Ok(entries.iter().map(|_| Err(failed("ThrottlingException"))).collect()));
    let batcher = fake.start(PublisherSettings { max_attempts: u32::MAX, ..PublisherSettings::default() });
    let start = Instant::now();
    let results = all(publish_all(&batcher, 0..500)).await;
    assert!(start.elapsed() <= Duration::from_secs(8), "{:?}", start.elapsed());
    for result in results {
        assert_eq!(result.unwrap_err().reason(), "ThrottlingException");
    }
    assert!(fake.calls().len() < 50, "{} calls", fake.calls().len());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_failed_as_a_whole_is_resent_unchanged() {
    let fake = Fake::new(|number, entries| match number {
        1 | 2 => Err(failed("ServiceUnavailable")),
        _ => Ok(accepted(entries)),
    });
    let batcher = fake.start(PublisherSettings::default());
    let results = all(publish_all(&batcher, 0..4)).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(fake.calls(), vec![vec![0, 1, 2, 3]; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_counts_as_failed() {
    let fake = Fake::accepting().taking(Duration::from_hours(1));
    let settings = PublisherSettings {
        max_attempts: 2,
        call_timeout: Duration::from_millis(500),
        ..PublisherSettings::default()
    };
    let error = fake.start(settings).publish(1, 1, Span::none(), None).await.unwrap_err();
    assert_eq!(
        error,
        PublishError::GaveUp { error: AwsError::timeout(Fake::SERVICE, Fake::OPERATION), attempts: 2 }
    );
    assert_eq!(fake.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded() {
    let fake = Fake::new(|_, _| Err(failed("ThrottlingException")));
    let settings = PublisherSettings { deadline: Duration::from_hours(1), ..PublisherSettings::default() };
    let error = fake.start(settings).publish(1, 1, Span::none(), None).await.unwrap_err();
    assert_eq!(error, PublishError::GaveUp { error: failed("ThrottlingException"), attempts: 8 });
    assert!(error.is_transient());
}

#[tokio::test(start_paused = true)]
async fn time_is_bounded() {
    let fake = Fake::new(|_, _| Err(failed("InternalFailure")));
    let settings = PublisherSettings { max_attempts: u32::MAX, ..PublisherSettings::default() };
    let start = Instant::now();
    let error = fake.start(settings).publish(1, 1, Span::none(), None).await.unwrap_err();
    assert!(matches!(error, PublishError::GaveUp { .. }), "{error:?}");
    assert!(start.elapsed() <= Duration::from_secs(8), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_bad_entry_does_not_fail_the_others() {
    let fake = Fake::new(|_, entries| {
        if entries.contains(&2) { Err(failed("ValidationException")) } else { Ok(accepted(entries)) }
    });
    let results = all(publish_all(&fake.start(PublisherSettings::default()), 0..4)).await;
    assert_eq!(ids(&results), ["id-0", "id-1", "failed", "id-3"]);
    assert!(!results[2].as_ref().unwrap_err().is_transient());
}

#[tokio::test(start_paused = true)]
async fn a_permanently_refused_call_is_not_retried() {
    let fake = Fake::new(|_, _| Err(failed("AccessDeniedException")));
    let results = all(publish_all(&fake.start(PublisherSettings::default()), 0..4)).await;
    assert!(results.iter().all(|result| matches!(result, Err(PublishError::GaveUp { attempts: 1, .. }))));
    assert_eq!(fake.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_entry_without_a_result_is_retried() {
    let fake = Fake::new(|number, entries| {
        let answered = if number == 1 { 1 } else { entries.len() };
        Ok(accepted(&entries[..answered]))
    });
    let results = all(publish_all(&fake.start(PublisherSettings::default()), 0..2)).await;
    assert_eq!(ids(&results), ["id-0", "id-1"]);
    assert_eq!(fake.calls(), [vec![0, 1], vec![1]]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_early_affects_no_entry() {
    let fake = Fake::accepting();
    let batcher = fake.start(PublisherSettings::default());
    let mut publishing = publish_all(&batcher, 0..4);
    sleep(Duration::from_millis(1)).await;
    let left = publishing.remove(1);
    left.abort();
    assert!(left.await.unwrap_err().is_cancelled());
    assert_eq!(ids(&all(publishing).await), ["id-0", "id-2", "id-3"]);
    assert_eq!(fake.calls(), [vec![0, 1, 2, 3]]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_callers_wait_until_their_deadline() {
    let fake = Fake::accepting().taking(Duration::from_secs(2));
    let settings = PublisherSettings {
        queue: 5,
        concurrent_calls: 1,
        call_timeout: Duration::from_mins(1),
        deadline: Duration::from_millis(6_500),
        ..PublisherSettings::default()
    };
    let batcher = fake.start(settings);
    let results = all(publish_all(&batcher, 0..60)).await;
    // Calls of ten end at 2, 4 and 6 seconds; the next one is cut short by the deadline.
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 30);
    assert!(results.contains(&Err(PublishError::QueueFull { service: Fake::SERVICE })));
    assert!(results.iter().all(|result| result.as_ref().err().is_none_or(PublishError::is_transient)));
    assert_eq!(fake.most_under_way(), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_are_bounded_and_batches_fill_meanwhile() {
    let fake = Fake::accepting().taking(Duration::from_millis(100));
    let batcher = fake.start(PublisherSettings { concurrent_calls: 2, ..PublisherSettings::default() });
    let mut publishing = Vec::new();
    for entry in 0..60 {
        publishing.push(publish(&batcher, entry, 1));
        sleep(Duration::from_millis(2)).await;
    }
    assert!(all(publishing).await.iter().all(Result::is_ok));
    assert_eq!(fake.most_under_way(), 2);
    assert!(fake.calls().len() <= 9, "{:?}", fake.calls());
}

#[tokio::test(start_paused = true)]
async fn groups_are_sent_separately_unless_the_batch_is_full() {
    let fake = Fake::accepting();
    let batcher = fake.start(PublisherSettings::default());
    all(publish_all(&batcher, [1, 101, 2, 102])).await;
    let mut calls = fake.calls();
    calls.sort();
    assert_eq!(calls, [vec![1, 2], vec![101, 102]]);

    all(publish_all(&batcher, (1..6).chain(101..106))).await;
    assert_eq!(fake.calls().last().unwrap().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn closing_drains_the_queue_and_accepts_no_more_entries() {
    let fake = Fake::new(|number, entries| match number {
        1 => Ok(entries.iter().map(|_| Err(failed("InternalFailure"))).collect()),
        _ => Ok(accepted(entries)),
    })
    .taking(Duration::from_millis(50));
    let batcher = fake.start(PublisherSettings {
        linger: Duration::from_secs(3),
        concurrent_calls: 1,
        ..PublisherSettings::default()
    });
    let publishing = publish_all(&batcher, 0..25);
    sleep(Duration::from_millis(1)).await;
    let start = Instant::now();
    batcher.clone().close().await;
    assert!(start.elapsed() < Duration::from_secs(3), "closing does not linger: {:?}", start.elapsed());
    assert!(publishing.iter().all(JoinHandle::is_finished), "every outcome is known when close returns");
    assert!(all(publishing).await.iter().all(Result::is_ok));
    assert_eq!(batcher.publish(99, 1, Span::none(), None).await, Err(PublishError::Closed));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_clone_still_sends_waiting_entries() {
    let fake = Fake::accepting();
    let batcher = fake.start(PublisherSettings::default());
    let publishing = publish(&batcher, 1, 1);
    sleep(Duration::from_millis(1)).await;
    publishing.abort();
    drop(batcher);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(fake.calls(), [vec![1]]);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_call_fails_only_its_own_callers() {
    let fake = Fake::new(|number, entries| {
        assert_ne!(number, 1, "the first call breaks");
        Ok(accepted(entries))
    });
    let batcher = fake.start(PublisherSettings::default());
    let error = batcher.publish(1, 1, Span::none(), None).await.unwrap_err();
    assert_eq!(error, PublishError::Interrupted);
    assert!(batcher.publish(2, 1, Span::none(), None).await.is_ok());
}
