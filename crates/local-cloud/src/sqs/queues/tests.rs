//! Queues under a clock that the tests move, without HTTP.

use std::cell::Cell;
use std::ops::Deref;

use super::*;
use crate::sqs::attributes::MAX_VISIBILITY;
use crate::sqs::message::Wanted;

const SECOND: Duration = Duration::from_secs(1);

/// Queues and the time.
struct World {
    queues: Queues,
    now: Cell<Instant>,
}

impl Deref for World {
    type Target = Queues;

    fn deref(&self) -> &Queues {
        &self.queues
    }
}

impl World {
    fn now(&self) -> Instant {
        self.now.get()
    }

    fn advance(&self, by: Duration) {
        self.now.set(self.now() + by);
    }

    fn try_create(&self, name: &str, attributes: &[(&str, &str)]) -> Result<Arc<Queue>, AwsError> {
        self.queues.create(name, &given(attributes), BTreeMap::new(), self.now())
    }
}

fn queues() -> World {
    with_memory(1024 * 1024 * 1024)
}

fn with_memory(bytes: usize) -> World {
    let queues = Queues::new("eu-central-1", "000000000000", "http://localhost:1", bytes);
    World { queues, now: Cell::new(Instant::now()) }
}

fn given(attributes: &[(&str, &str)]) -> Given {
    attributes.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect()
}

fn create(queues: &World, name: &str, attributes: &[(&str, &str)]) -> Arc<Queue> {
    queues.try_create(name, attributes).unwrap()
}

fn fifo(queues: &World, attributes: &[(&str, &str)]) -> Arc<Queue> {
    let mut all = vec![("FifoQueue", "true"), ("ContentBasedDeduplication", "true")];
    all.extend(attributes);
    create(queues, "q.fifo", &all)
}

fn policy(name: &str, count: u32) -> String {
    format!(
        r#"{{"deadLetterTargetArn":"arn:aws:sqs:eu-central-1:000000000000:{name}","maxReceiveCount":{count}}}"#
    )
}

fn send(queues: &World, queue: &Queue, body: &str) -> Sent {
    queues.send(queue, Draft { body: body.to_owned(), ..Draft::default() }, queues.now()).unwrap()
}

fn send_to_group(queues: &World, queue: &Queue, group: &str, body: &str) -> Sent {
    let draft = Draft { body: body.to_owned(), group_id: Some(group.to_owned()), ..Draft::default() };
    queues.send(queue, draft, queues.now()).unwrap()
}

/// Receives up to `most` messages; `visibility` defaults to the queue's.
fn receive(queues: &World, queue: &Queue, most: usize, visibility: Option<Duration>) -> Vec<Received> {
    let wanted = Wanted { system: vec!["All".to_owned()], attributes: Vec::new() };
    let receive = Receive { most, visibility, wanted, attempt_id: None, waits: false };
    queues.receive(queue, &receive, queues.now()).unwrap()
}

fn bodies(received: &[Received]) -> Vec<&str> {
    received.iter().map(|message| message.body.as_str()).collect()
}

fn all_bodies(queues: &World, queue: &Queue) -> Vec<String> {
    receive(queues, queue, 10, Some(Duration::ZERO)).into_iter().map(|message| message.body).collect()
}

fn counts(queues: &World, queue: &Queue) -> (usize, usize, usize) {
    let counts = queue.counts(queues.now()).unwrap();
    (counts.ready, counts.in_flight, counts.delayed)
}

#[test]
fn a_message_is_hidden_for_exactly_its_visibility_timeout() {
    let queues = queues();
    let queue = create(&queues, "q", &[("VisibilityTimeout", "1")]);
    send(&queues, &queue, "m");
    assert_eq!(receive(&queues, &queue, 1, None).len(), 1);
    assert_eq!(counts(&queues, &queue), (0, 1, 0));
    queues.advance(Duration::from_millis(998));
    assert!(receive(&queues, &queue, 1, None).is_empty());
    queues.advance(Duration::from_millis(2));
    let again = receive(&queues, &queue, 1, None);
    assert_eq!(again[0].system["ApproximateReceiveCount"], "2");
}

#[test]
fn a_receipt_is_good_until_the_message_is_received_again() {
    let queues = queues();
    let queue = create(&queues, "q", &[("VisibilityTimeout", "1")]);
    send(&queues, &queue, "expired");
    let first = receive(&queues, &queue, 1, None).remove(0).receipt_handle;
    queues.advance(2 * SECOND);
    queue.change_visibility(&first, Duration::ZERO, queues.now()).unwrap();
    // Somebody else has it now: the earlier receipt changes the visibility but deletes nothing.
    let second = receive(&queues, &queue, 1, None).remove(0).receipt_handle;
    assert_ne!(first, second);
    queue.delete(&first, queues.now()).unwrap();
    assert_eq!(counts(&queues, &queue), (0, 1, 0));
    queue.change_visibility(&first, Duration::ZERO, queues.now()).unwrap();
    assert_eq!(counts(&queues, &queue), (1, 0, 0));
    // A nack does not spend the last receipt.
    queue.delete(&second, queues.now()).unwrap();
    assert_eq!(counts(&queues, &queue), (0, 0, 0));
    queue.delete(&second, queues.now()).unwrap();
    let gone = queue.change_visibility(&second, SECOND, queues.now()).unwrap_err();
    assert!(
        gone.message.ends_with("Message does not exist or is not available for visibility timeout change.")
    );
}

#[test]
fn a_late_extension_hides_the_message_again() {
    let queues = queues();
    let queue = create(&queues, "q", &[("VisibilityTimeout", "1")]);
    send(&queues, &queue, "m");
    let handle = receive(&queues, &queue, 1, None).remove(0).receipt_handle;
    queues.advance(2 * SECOND);
    queue.change_visibility(&handle, SECOND, queues.now()).unwrap();
    assert!(receive(&queues, &queue, 1, None).is_empty());
    queues.advance(SECOND);
    assert_eq!(receive(&queues, &queue, 1, None).len(), 1);
}

#[test]
fn a_receive_lasts_twelve_hours_in_all() {
    let queues = queues();
    let queue = create(&queues, "q", &[]);
    send(&queues, &queue, "m");
    let most = Duration::from_secs(MAX_VISIBILITY.into());
    let handle = receive(&queues, &queue, 1, Some(most)).remove(0).receipt_handle;
    queues.advance(SECOND);
    let error = queue.change_visibility(&handle, most, queues.now()).unwrap_err();
    assert!(
        error
            .message
            .ends_with("Total VisibilityTimeout for the message is beyond the limit [43200 seconds].")
    );
    queue.change_visibility(&handle, most.saturating_sub(SECOND), queues.now()).unwrap();
}

#[test]
fn receipts_of_other_queues_and_garbage_are_refused() {
    let queues = queues();
    let (queue, other) = (create(&queues, "q", &[]), create(&queues, "other", &[]));
    send(&queues, &other, "m");
    let handle = receive(&queues, &other, 1, None).remove(0).receipt_handle;
    for handle in ["garbage", &handle] {
        let error = queue.delete(handle, queues.now()).unwrap_err();
        assert_eq!((error.status.as_u16(), &*error.code), (404, "ReceiptHandleIsInvalid"));
        assert_eq!(
            error.message,
            format!("The input receipt handle \"{handle}\" is not a valid receipt handle.")
        );
    }
}

#[test]
fn delays_and_retention_are_exact() {
    let queues = queues();
    let queue = create(&queues, "q", &[("DelaySeconds", "2"), ("MessageRetentionPeriod", "60")]);
    send(&queues, &queue, "by the queue");
    let draft = Draft { body: "own".to_owned(), delay: Some(0), ..Draft::default() };
    queues.send(&queue, draft, queues.now()).unwrap();
    assert_eq!(counts(&queues, &queue), (1, 0, 1));
    assert_eq!(all_bodies(&queues, &queue), ["own"]);
    queues.advance(2 * SECOND);
    assert_eq!(all_bodies(&queues, &queue).len(), 2);
    // Also messages in flight are dropped when they are too old.
    receive(&queues, &queue, 1, Some(100 * SECOND));
    queues.advance(58 * SECOND);
    assert_eq!(counts(&queues, &queue), (0, 0, 0));
}

#[test]
fn dead_letters_keep_their_history() {
    let queues = queues();
    let dead = create(&queues, "dead", &[]);
    let queue = create(&queues, "q", &[("RedrivePolicy", &policy("dead", 1)), ("VisibilityTimeout", "0")]);
    let sent = send(&queues, &queue, "m");
    let first = receive(&queues, &queue, 10, None);
    assert_eq!(first[0].system["ApproximateReceiveCount"], "1");
    assert!(receive(&queues, &queue, 10, None).is_empty());
    let letter = receive(&queues, &dead, 10, None).remove(0);
    assert_eq!(letter.id, sent.message_id);
    assert_eq!(letter.system["ApproximateReceiveCount"], "2");
    assert_eq!(letter.system["SentTimestamp"], first[0].system["SentTimestamp"]);
    assert_eq!(letter.system["DeadLetterQueueSourceArn"], queue.arn.to_string());
}

#[test]
fn a_chain_of_dead_letter_queues_counts_receives_in_each() {
    let queues = queues();
    let third = create(&queues, "third", &[]);
    let second = create(&queues, "second", &[("RedrivePolicy", &policy("third", 1))]);
    let first = create(&queues, "first", &[("RedrivePolicy", &policy("second", 1))]);
    send(&queues, &first, "m");
    for (queue, expected) in [(&first, 1), (&first, 0), (&second, 1), (&second, 0), (&third, 1)] {
        assert_eq!(receive(&queues, queue, 1, Some(Duration::ZERO)).len(), expected, "{}", queue.name);
    }
}

#[test]
fn messages_stay_if_their_dead_letter_queue_is_gone() {
    let queues = queues();
    let dead = create(&queues, "dead", &[]);
    let queue = create(&queues, "q", &[("RedrivePolicy", &policy("dead", 1)), ("VisibilityTimeout", "0")]);
    send(&queues, &queue, "m");
    queues.delete(&dead, queues.now());
    for _ in 0..3 {
        assert_eq!(all_bodies(&queues, &queue), ["m"]);
    }
}

#[test]
fn redrive_policies_name_a_queue_that_is_there_and_allows_it() {
    let queues = queues();
    create(&queues, "closed", &[("RedriveAllowPolicy", r#"{"redrivePermission":"denyAll"}"#)]);
    for (target, reason) in [
        ("missing", "Dead letter target does not exist."),
        ("missing.fifo", "Dead-letter queue must be same type of queue as the source."),
        ("closed", "does not allow this queue to use it as its dead-letter queue."),
    ] {
        let error = queues.try_create("q", &[("RedrivePolicy", &policy(target, 1))]).unwrap_err();
        assert!(error.message.ends_with(reason), "{}", error.message);
    }
}

#[test]
fn groups_are_returned_one_after_the_other() {
    let queues = queues();
    let queue = fifo(&queues, &[]);
    for (group, body) in [("1", "g1-m1"), ("2", "g2-m1"), ("2", "g2-m2"), ("3", "g3-m1"), ("1", "g1-m2")] {
        send_to_group(&queues, &queue, group, body);
    }
    let zero = Some(Duration::ZERO);
    assert_eq!(bodies(&receive(&queues, &queue, 3, zero)), ["g1-m1", "g1-m2", "g2-m1"]);
    // The groups that were served are at the end of the line now.
    let all = ["g3-m1", "g1-m1", "g1-m2", "g2-m1", "g2-m2"];
    assert_eq!(bodies(&receive(&queues, &queue, 10, zero)), all);
}

#[test]
fn a_group_waits_for_its_first_message() {
    let queues = queues();
    let queue = fifo(&queues, &[]);
    for (group, body) in [("1", "g1-m1"), ("1", "g1-m2"), ("1", "g1-m3"), ("2", "g2-m1")] {
        send_to_group(&queues, &queue, group, body);
    }
    let first = receive(&queues, &queue, 2, None);
    assert_eq!(bodies(&first), ["g1-m1", "g1-m2"]);
    let second = receive(&queues, &queue, 10, None);
    assert_eq!(bodies(&second), ["g2-m1"]);
    // The first message is visible again, the second is not yet: only the first is returned.
    queue.change_visibility(&first[0].receipt_handle, Duration::ZERO, queues.now()).unwrap();
    let again = receive(&queues, &queue, 10, None);
    assert_eq!(bodies(&again), ["g1-m1"]);
    queue.delete(&again[0].receipt_handle, queues.now()).unwrap();
    assert!(receive(&queues, &queue, 10, None).is_empty());
    queue.delete(&first[1].receipt_handle, queues.now()).unwrap();
    assert_eq!(bodies(&receive(&queues, &queue, 10, None)), ["g1-m3"]);
}

#[test]
fn receipts_of_fifo_queues_expire() {
    let queues = queues();
    let queue = fifo(&queues, &[("VisibilityTimeout", "1")]);
    send_to_group(&queues, &queue, "g", "m");
    let handle = receive(&queues, &queue, 1, None).remove(0).receipt_handle;
    queues.advance(SECOND);
    let error = queue.delete(&handle, queues.now()).unwrap_err();
    assert_eq!(error.shown_code(), "InvalidParameterValue");
    assert_eq!(
        error.message,
        format!(
            "Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
        )
    );
}

#[test]
fn duplicates_are_accepted_but_not_delivered() {
    let queues = queues();
    let queue = fifo(&queues, &[]);
    let sent = send_to_group(&queues, &queue, "1", "m");
    assert_eq!(send_to_group(&queues, &queue, "2", "m"), sent, "the scope is the queue");
    let received = receive(&queues, &queue, 10, None);
    assert_eq!(received.len(), 1);
    queue.delete(&received[0].receipt_handle, queues.now()).unwrap();
    queues.advance(Duration::from_secs(299));
    assert_eq!(send_to_group(&queues, &queue, "1", "m"), sent);
    queues.advance(SECOND);
    assert_ne!(send_to_group(&queues, &queue, "1", "m"), sent);
}

#[test]
fn a_purge_also_forgets_deduplication_ids_and_is_not_repeated_soon() {
    let queues = queues();
    let queue = fifo(&queues, &[]);
    let sent = send_to_group(&queues, &queue, "g", "m");
    receive(&queues, &queue, 1, None);
    queue.purge(queues.now()).unwrap();
    assert_eq!(counts(&queues, &queue), (0, 0, 0));
    assert_ne!(send_to_group(&queues, &queue, "g", "m"), sent);
    let error = queue.purge(queues.now()).unwrap_err();
    assert_eq!(error.message, "Only one PurgeQueue operation on q.fifo is allowed every 60 seconds.");
    queues.advance(Duration::from_mins(1));
    queue.purge(queues.now()).unwrap();
}

#[test]
fn a_receive_from_a_fifo_queue_can_be_repeated() {
    let queues = queues();
    let queue = fifo(&queues, &[]);
    for body in ["a", "b", "c"] {
        send_to_group(&queues, &queue, body, body);
    }
    let attempt = |id: &str| {
        let attempt_id = Some(id.to_owned());
        let receive =
            Receive { most: 1, visibility: None, wanted: Wanted::default(), attempt_id, waits: false };
        queues.receive(&queue, &receive, queues.now()).unwrap().remove(0)
    };
    let first = attempt("1");
    queues.advance(29 * SECOND);
    let again = attempt("1");
    assert_eq!((&again.body, &again.receipt_handle), (&first.body, &first.receipt_handle));
    assert_eq!(attempt("2").body, "b");
    // The repetition hid the message anew.
    queues.advance(29 * SECOND);
    queue.delete(&first.receipt_handle, queues.now()).unwrap();
    assert_eq!(attempt("1").body, "c", "what was deleted is not returned again");
}

#[test]
fn the_delay_of_a_fifo_queue_also_applies_to_messages_in_it() {
    let queues = queues();
    let queue = fifo(&queues, &[("DelaySeconds", "900")]);
    send_to_group(&queues, &queue, "g", "m");
    queue
        .change_attributes(queues.now(), |attributes| attributes.apply(&given(&[("DelaySeconds", "1")])))
        .unwrap();
    assert!(receive(&queues, &queue, 1, None).is_empty());
    queues.advance(SECOND);
    assert_eq!(receive(&queues, &queue, 1, None).len(), 1);
}

#[test]
fn a_deleted_queue_gives_back_its_memory_and_blocks_its_name() {
    let queues = with_memory(10_000);
    let queue = create(&queues, "q", &[]);
    let body = "x".repeat(1_000 - OVERHEAD);
    for _ in 0..10 {
        send(&queues, &queue, &body);
    }
    let draft = Draft { body: body.clone(), ..Draft::default() };
    assert_eq!(&*queues.send(&queue, draft, queues.now()).unwrap_err().code, "OverLimit");
    queues.delete(&queue, queues.now());
    assert_eq!(queue.counts(queues.now()).unwrap_err(), no_such_queue());
    let error = queues.try_create("q", &[]).unwrap_err();
    assert_eq!(error.shown_code(), "AWS.SimpleQueueService.QueueDeletedRecently");
    queues.advance(Duration::from_mins(1));
    send(&queues, &create(&queues, "q", &[]), &body);
}

#[test]
fn expired_messages_make_room_in_every_queue() {
    let queues = with_memory(10_000);
    let (full, other) =
        (create(&queues, "full", &[("MessageRetentionPeriod", "60")]), create(&queues, "q", &[]));
    let body = "x".repeat(1_000 - OVERHEAD);
    for _ in 0..10 {
        send(&queues, &full, &body);
    }
    queues.advance(Duration::from_mins(1));
    send(&queues, &other, &body);
}

#[test]
fn a_hundred_thousand_messages_are_received_quickly() {
    let queues = queues();
    let queue = create(&queues, "q", &[]);
    for _ in 0..100_000 {
        send(&queues, &queue, "m");
    }
    let started = std::time::Instant::now();
    let mut handles = Vec::new();
    for _ in 0..1_000 {
        handles.extend(receive(&queues, &queue, 10, None).into_iter().map(|message| message.receipt_handle));
    }
    for handle in &handles {
        queue.delete(handle, queues.now()).unwrap();
    }
    assert_eq!(counts(&queues, &queue), (90_000, 0, 0));
    // A queue that looks at every message takes minutes.
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn queues_are_found_by_url_by_name_and_by_arn() {
    let queues = queues();
    let queue = create(&queues, "q", &[]);
    for url in
        ["http://localhost:1/000000000000/q", "http://other.host/000000000000/q/", "q", "/000000000000/q"]
    {
        assert!(Arc::ptr_eq(&queues.by_url(url).unwrap(), &queue), "{url}");
    }
    for url in ["http://localhost:1/111111111111/q", "http://localhost:1/000000000000/p", ""] {
        assert_eq!(queues.by_url(url).unwrap_err(), no_such_queue(), "{url}");
    }
    assert_eq!(queues.url_of(&queue.arn).unwrap(), queue.url);
    assert!(queues.exists(&queue.arn) && !queues.exists("arn:aws:sqs:eu-central-1:000000000000:p"));
    assert!(queues.url_of("arn:aws:sqs:eu-west-1:000000000000:q").is_err());
}

#[test]
fn names_are_checked_with_their_type() {
    assert_eq!(check_name("a-Z_0", false), Ok(false));
    assert_eq!(check_name("a.fifo", true), Ok(true));
    let long = "x".repeat(81);
    for (name, fifo) in [
        ("", false),
        ("a/b", false),
        ("a.b", false),
        ("a.fifo", false),
        ("a", true),
        (".fifo", true),
        (&long, false),
    ] {
        assert_eq!(check_name(name, fifo).unwrap_err().shown_code(), "InvalidParameterValue", "{name}");
    }
}
