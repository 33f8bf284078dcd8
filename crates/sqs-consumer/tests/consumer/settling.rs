//! Settling of messages according to the handler's result.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use sqs_consumer::queue::{AttributeValue, MessageAttribute};
use sqs_consumer::{ConsumerSettings, DEAD_LETTER_ATTRIBUTE, Done, Failure, Readiness};

use crate::bench::{Bench, Does, answers, down, item, ordered, settings, takes};
use crate::fake_queue::{Letter, Put};

pub(crate) fn description(letter: &Letter) -> Value {
    let AttributeValue::Text(text) = &letter.attributes[DEAD_LETTER_ATTRIBUTE].value else { unreachable!() };
    serde_json::from_str(text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn handled_messages_are_deleted_in_batches() {
    let bench = Bench::new();
    bench.put(30);
    let task = bench.start(answers(|_| Ok(Done::APPLIED)));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let state = bench.queue.state();
    assert!(state.deletes.len() <= 4, "{} calls for 30 messages", state.deletes.len());
    assert!(state.deliveries.values().all(|count| *count == 1));
    assert_eq!(state.deliveries.len(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_lone_message_is_deleted_within_milliseconds() {
    let bench = Bench::new();
    let started = tokio::time::Instant::now();
    bench.put(1);
    let task = bench.start(answers(|_| Ok(Done::APPLIED)));
    bench.queue.until_empty().await;
    assert!(started.elapsed() <= Duration::from_millis(20), "{:?}", started.elapsed());
    bench.stop(task).await;
}

#[tokio::test(start_paused = true)]
async fn concurrent_delete_calls_never_exceed_the_limit() {
    let bench = Bench::new();
    bench.queue.state().delete_takes = Duration::from_millis(200);
    bench.put(100);
    let mut settings = ConsumerSettings { concurrency: 100, ..settings() };
    settings.settle.concurrency = 2;
    let task = bench.start_with(settings, answers(|_| Ok(Done::APPLIED)));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    assert_eq!(bench.queue.state().most_deletes_at_once, 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_delete_is_retried_entry_by_entry() {
    let bench = Bench::new();
    bench.queue.state().fail_deletes = 2;
    bench.queue.state().refuse_deletes = vec![false];
    bench.put(3);
    let task = bench.start(answers(|_| Ok(Done::APPLIED)));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let state = bench.queue.state();
    assert_eq!(
        state.deletes.iter().map(Vec::len).collect::<Vec<_>>(),
        [2, 1],
        "only the refused entry was retried"
    );
    assert!(state.deliveries.values().all(|count| *count == 1));
    drop(state);
    assert_eq!(bench.lines("message settled but not deleted").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_never_succeeds_is_logged_once_with_its_consequence() {
    let bench = Bench::new();
    bench.queue.state().fail_deletes = 5;
    let id = bench.put(1).remove(0);
    let task = bench.start(answers(|_| Ok(Done::APPLIED)));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    assert_eq!(bench.queue.state().deliveries[&id], 2, "it was redelivered, and then deleted");
    let lines = bench.lines("message settled but not deleted: it will be redelivered");
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["message_id"], &lines[0]["error"]), (&id.into(), &"ServiceUnavailable".into()));
}

#[tokio::test(start_paused = true)]
async fn an_entry_at_fault_itself_is_not_retried() {
    let bench = Bench::new();
    bench.queue.state().refuse_deletes = vec![true];
    bench.put(1);
    let task = bench.start(answers(|_| Ok(Done::APPLIED)));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    assert_eq!(bench.lines("message settled but not deleted").len(), 1);
    assert_eq!(bench.queue.state().deletes.len(), 2, "refused once, and deleted after its next delivery");
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_dead_lettered_at_once_and_delays_no_other_message() {
    let bench = Bench::new();
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let text = |value: &str| MessageAttribute {
        data_type: "String".into(),
        value: AttributeValue::Text(value.into()),
    };
    let body = ordered(&bench.queue, 13).message();
    bench.queue.put_with(Put {
        body: body.clone(),
        trace_header: Some(header.into()),
        attributes: HashMap::from([
            ("channel".to_owned(), text("email")),
            (DEAD_LETTER_ATTRIBUTE.to_owned(), text("{\"reason\":\"an earlier reason\"}")),
        ]),
        ..Put::default()
    });
    bench.put(3);
    let task = bench.start(answers(|delivery| match item(delivery) {
        13 => Err(Failure::permanent("unlucky").because("thirteen")),
        _ => Ok(Done::APPLIED),
    }));
    bench.queue.until_empty().await;
    bench.stop(task).await;

    let state = bench.queue.state();
    assert!(state.deliveries.values().all(|count| *count == 1), "one attempt");
    assert!(state.changes.is_empty());
    let [letter] = &state.letters[..] else { panic!("{} dead letters", state.letters.len()) };
    assert_eq!((&letter.body, letter.trace_header.as_deref()), (&body, Some(header)));
    assert!(letter.attributes["channel"] == text("email"), "its own attributes are passed on");
    let description = description(letter);
    for (key, value) in [
        ("reason", "unlucky"),
        ("detail", "thirteen"),
        ("service", "membership"),
        ("queue", "orders"),
        ("trace", "1-5759e988-bd862e3fe1be46a994272793"),
        ("failed_at", "2026-03-01T12:00:00Z"),
    ] {
        assert_eq!(description[key], value, "{key}");
    }
    assert_eq!(description["attempts"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_body_is_dead_lettered_without_reaching_the_handler() {
    let bench = Bench::new();
    for body in ["rubbish Mustermann", "{}", "[]", ""] {
        bench.queue.put(body);
    }
    bench.put(2);
    let task = bench.start(answers(|delivery| {
        assert_eq!(delivery.envelope.event_type, "Ordered");
        Ok(Done::APPLIED)
    }));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let state = bench.queue.state();
    assert_eq!(state.letters.len(), 4);
    assert!(state.deliveries.values().all(|count| *count == 1));
    for letter in &state.letters {
        let description = description(letter);
        assert_eq!(description["reason"], "malformed-event");
        assert!(!description.to_string().contains("Mustermann"));
        assert!(letter.trace_header.is_some(), "the header of the `send` span, as it has no other");
    }
    drop(state);
    assert!(!bench.recorder.logs().iter().any(|line| line.to_string().contains("Mustermann")));
}

#[tokio::test(start_paused = true)]
async fn data_that_cannot_be_decoded_is_malformed_as_well() {
    let bench = Bench::new();
    let body = ordered(&bench.queue, 1).message().replace("\"item\":1", "\"item\":\"Mustermann\"");
    bench.queue.put(body);
    let task = bench.start(answers(|delivery| {
        delivery.envelope.decode::<crate::bench::Ordered>()?;
        Ok(Done::APPLIED)
    }));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let state = bench.queue.state();
    let description = description(&state.letters[0]);
    assert_eq!(description["reason"], "malformed-event");
    assert!(!description.to_string().contains("Mustermann"), "{description}");
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_dead_letter_cannot_be_sent_is_retried() {
    let bench = Bench::new();
    bench.queue.state().fail_letters = 2;
    bench.put(1);
    let task = bench.start(answers(|_| Err(Failure::permanent("no"))));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let state = bench.queue.state();
    assert_eq!(state.letters.len(), 1);
    assert_eq!(description(&state.letters[0])["attempts"], 3);
    drop(state);
    let hops = bench.hops();
    assert_eq!(hops[0]["reason"], "dead-letter-queue-unavailable");
    assert_eq!(hops[0]["error"], "no: SendMessage failed: ServiceUnavailable");
    assert_eq!((&hops[2]["outcome"], &hops[2]["reason"]), (&"dead-letter".into(), &"no".into()));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_transient_failure_of_that_message_alone() {
    let bench = Bench::new();
    let ids = bench.put(5);
    let task = bench.start(Does(|delivery: &sqs_consumer::Delivery| {
        let (item, attempt) = (item(delivery), delivery.attempt);
        assert!(item != 1 || attempt > 1, "before the future is created");
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert!(item != 2 || attempt > 2, "in the middle of it");
            Ok(Done::APPLIED)
        }) as crate::bench::Answer
    }));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let state = bench.queue.state();
    let deliveries: Vec<u32> = ids.iter().map(|id| state.deliveries[id]).collect();
    assert_eq!(deliveries, [1, 2, 3, 1, 1]);
    assert!(state.letters.is_empty());
    drop(state);
    let failed: Vec<_> = bench.hops().into_iter().filter(|hop| hop["outcome"] == "retry").collect();
    assert_eq!(failed.len(), 3);
    assert!(failed.iter().all(|hop| hop["reason"] == "panic"));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_too_long_is_dropped_and_its_message_retried() {
    let bench = Bench::new();
    let settings = ConsumerSettings {
        max_processing: Duration::from_secs(2),
        give_up_after: Duration::ZERO,
        ..settings()
    };
    bench.put(1);
    let task = bench.start_with(settings, takes(Duration::from_hours(1)));
    bench.queue.until_empty().await;
    bench.stop(task).await;
    let hops = bench.hops();
    assert_eq!((&hops[0]["reason"], &hops[0]["processing_ms"]), (&"timeout".into(), &2_000.into()));
    assert_eq!(bench.queue.state().letters.len(), 1);
}

const MIB: usize = 1024 * 1024;

#[tokio::test(start_paused = true)]
async fn a_message_near_the_size_limit_is_dead_lettered_with_less_of_a_description() {
    // SQS's limit, and a queue's own lower one, which the consumer does not know.
    for limit in [MIB, 4_096] {
        for room in [100, 400, 1_000] {
            let bench = Bench::new();
            bench.queue.state().longest_letter = Some(limit);
            let text = |bytes: usize| MessageAttribute {
                data_type: "String".into(),
                value: AttributeValue::Text("x".repeat(bytes)),
            };
            let header = "Root=1-5759e988-bd862e3fe1be46a994272793".to_owned();
            bench.queue.put_with(Put {
                body: "x".repeat(limit - room),
                trace_header: Some(header.clone()),
                attributes: HashMap::from([("small".to_owned(), text(10)), ("large".to_owned(), text(800))]),
                ..Put::default()
            });
            let task = bench.start(answers(|_| Ok(Done::APPLIED)));
            bench.queue.until_empty().await;
            bench.stop(task).await;
            let state = bench.queue.state();
            let letter = &state.letters[0];
            assert_eq!(description(letter)["reason"], "malformed-event", "{room} bytes below {limit}");
            assert_eq!(letter.trace_header.as_ref(), Some(&header));
            assert_eq!(state.deliveries.values().collect::<Vec<_>>(), [&1], "at the first attempt");
            let kept = letter.attributes.contains_key("small");
            assert_eq!(kept, room >= 400, "{room} bytes below {limit}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_cannot_be_dead_lettered_hinder_no_other() {
    for limit in [MIB, 4_096] {
        let bench = Bench::new();
        bench.queue.state().longest_letter = Some(limit);
        for _ in 0..12 {
            bench.queue.put("x".repeat(limit - 10));
        }
        let started = tokio::time::Instant::now();
        bench.put(30);
        let task = bench.start(answers(|_| Ok(Done::APPLIED)));
        bench.queue.until(|state| state.deletes.iter().map(Vec::len).sum::<usize>() == 30).await;
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());

        bench.queue.until(|state| state.deliveries.values().filter(|count| **count >= 6).count() == 12).await;
        let late = tokio::time::Instant::now();
        bench.put(30);
        bench.queue.until(|state| state.deletes.iter().map(Vec::len).sum::<usize>() == 60).await;
        assert!(late.elapsed() < Duration::from_secs(21), "at the next receive: {:?}", late.elapsed());
        bench.stop(task).await;

        let refused = bench.lines("dead letter refused");
        assert_eq!(refused.len(), 12, "once for each message");
        assert_eq!(refused[0]["reason"], "malformed-event");
        assert_eq!((bench.lines("circuit").len(), bench.lines("brake").len()), (0, 0));
        assert_eq!(bench.readiness(), [Readiness::Up]);
        let hops = bench.hops();
        let left = hops.iter().filter(|hop| hop["reason"] == "dead-letter-refused");
        assert!(left.count() >= 72);
        assert!(bench.queue.state().letters.is_empty());
        assert_eq!(bench.queue.len(), 12, "they stay for SQS to move");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_queue_that_refuses_everybody_still_counts_as_unavailable() {
    let bench = Bench::new();
    bench.queue.state().fail_letters = usize::MAX;
    for _ in 0..12 {
        bench.queue.put("no event");
    }
    let task = bench.start(answers(|_| Ok(Done::APPLIED)));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(bench.readiness().last(), Some(&down("SQS unavailable: ServiceUnavailable")));
    bench.stop(task).await;
}
