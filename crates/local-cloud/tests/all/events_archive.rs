//! Archives and replays.

use aws_sdk_eventbridge::types::{PutEventsRequestEntry, ReplayDestination, ReplayState, Target};
use aws_smithy_types::DateTime;

use crate::events_rules::refusal;
use crate::support::{Cloud, body, cloud, queue_arn, until};

const PATTERN: &str = r#"{"source": ["shop"]}"#;

fn destination(arn: &str) -> ReplayDestination {
    ReplayDestination::builder().arn(arn).build().unwrap()
}

/// A cloud with the bus `b`, whose archive `a` keeps events of `shop`; returns the ARNs of both.
async fn with_archive() -> (Cloud, String, String) {
    let cloud = cloud().await;
    let bus = cloud.events.create_event_bus().name("b").send().await.unwrap().event_bus_arn.unwrap();
    let archive =
        cloud.events.create_archive().archive_name("a").event_source_arn(&bus).event_pattern(PATTERN);
    let archive = archive.send().await.unwrap().archive_arn.unwrap();
    (cloud, bus, archive)
}

async fn put(cloud: &Cloud, source: &str, second: i64) {
    let entry = PutEventsRequestEntry::builder().event_bus_name("b").source(source).detail_type("Sold");
    let entry = entry.detail(r#"{"n": 1}"#).time(DateTime::from_secs(second)).build();
    let put = cloud.events.put_events().entries(entry).send().await.unwrap();
    assert_eq!(put.failed_entry_count(), 0);
}

#[tokio::test]
async fn an_archive_keeps_matching_events_and_replays_those_of_the_time() {
    let (cloud, bus, archive) = with_archive().await;
    let queue = cloud.queue("q").await;
    for (source, second) in [("shop", 1000), ("shop", 2000), ("other", 2000), ("shop", 3000)] {
        put(&cloud, source, second).await;
    }
    let described = cloud.events.describe_archive().archive_name("a").send().await.unwrap();
    assert_eq!(described.event_count(), 3);
    assert!(described.size_bytes() > 0);
    // The rule is put after the events: only the replay reaches it.
    cloud.events.put_rule().event_bus_name("b").name("r").event_pattern(PATTERN).send().await.unwrap();
    let target = Target::builder().id("t").arn(queue_arn("q")).build().unwrap();
    cloud.events.put_targets().event_bus_name("b").rule("r").targets(target).send().await.unwrap();

    let start = cloud.events.start_replay().replay_name("again").event_source_arn(archive);
    let start = start.event_start_time(DateTime::from_secs(1500)).event_end_time(DateTime::from_secs(2500));
    let started = start.destination(destination(&bus)).send().await.unwrap();
    assert_eq!(started.state(), Some(&ReplayState::Starting));
    until("the replay is complete", || async {
        let replay = cloud.events.describe_replay().replay_name("again").send().await.unwrap();
        replay.state() == Some(&ReplayState::Completed)
    })
    .await;
    let message = cloud.receive(&queue).await;
    assert_eq!(body(&message)["replay-name"], "again");
    assert_eq!(body(&message)["time"], "1970-01-01T00:33:20Z");
    assert!(cloud.receive_within(&queue, 0).await.is_none(), "one event is of the time");
    let count = cloud.events.describe_archive().archive_name("a").send().await.unwrap().event_count();
    assert_eq!(count, 3, "a replayed event is not archived again");
    let cancel = cloud.events.cancel_replay().replay_name("again").send().await;
    assert!(refusal(cancel).starts_with("IllegalStatusException: "));
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn replays_are_refused_with_the_words_of_aws() {
    let (cloud, bus, archive) = with_archive().await;
    let other = cloud.events.create_event_bus().name("other").send().await.unwrap().event_bus_arn.unwrap();
    let start = |source: &str, destination_arn: &str, end: i64| {
        let start = cloud.events.start_replay().replay_name("r").event_source_arn(source);
        let start =
            start.event_start_time(DateTime::from_secs(1000)).event_end_time(DateTime::from_secs(end));
        start.destination(destination(destination_arn)).send()
    };
    let parameter = "ValidationException: Parameter";
    assert_eq!(
        refusal(start(&archive, &bus, 500).await),
        format!("{parameter} EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.")
    );
    assert_eq!(
        refusal(start(&format!("{archive}nope"), &bus, 2000).await),
        format!("{parameter} EventSourceArn is not valid. Reason: Archive anope does not exist.")
    );
    assert_eq!(
        refusal(start(&archive, &other, 2000).await),
        format!("{parameter} Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.")
    );
    assert_eq!(
        refusal(start(&archive, &format!("{bus}nope"), 2000).await),
        "ResourceNotFoundException: Event bus bnope does not exist."
    );
    start(&archive, &bus, 2000).await.unwrap();
    assert_eq!(
        refusal(start(&archive, &bus, 2000).await),
        "ResourceAlreadyExistsException: Replay r already exists."
    );
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn archives_are_listed_with_one_filter_changed_and_deleted() {
    let (cloud, bus, _) = with_archive().await;
    let create = cloud.events.create_archive().archive_name("a").event_source_arn(&bus).send().await;
    assert_eq!(refusal(create), "ResourceAlreadyExistsException: Archive a already exists.");
    cloud.events.create_archive().archive_name("c").event_source_arn(&bus).send().await.unwrap();
    let listed = cloud.events.list_archives().name_prefix("a").send().await.unwrap();
    assert_eq!(listed.archives().len(), 1);
    assert_eq!(cloud.events.list_archives().event_source_arn(&bus).send().await.unwrap().archives().len(), 2);
    assert!(
        refusal(cloud.events.list_archives().name_prefix("a").event_source_arn(&bus).send().await)
            .starts_with("ValidationException: At most one filter is allowed for ListArchives.")
    );
    cloud.events.update_archive().archive_name("a").retention_days(3).description("d").send().await.unwrap();
    let described = cloud.events.describe_archive().archive_name("a").send().await.unwrap();
    assert_eq!((described.retention_days(), described.description()), (Some(3), Some("d")));
    assert_eq!(described.event_pattern(), Some(PATTERN));
    cloud.events.delete_archive().archive_name("a").send().await.unwrap();
    assert_eq!(
        refusal(cloud.events.delete_archive().archive_name("a").send().await),
        "ResourceNotFoundException: Archive a does not exist."
    );
    cloud.local.shutdown().await;
}
