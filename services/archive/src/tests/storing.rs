//! What is stored, and when a message may be acknowledged.

use super::*;

#[tokio::test]
async fn events_of_any_type_are_stored_by_the_hour_of_their_publication_and_nothing_personal_is_readable() {
    let house = House::build().await;
    let task = house.task();
    let mut first = renamed("2026-03-01T12:00:00Z", "Adelaide");
    first.metadata.published_at = at("2026-03-01T12:59:59Z");
    let mut second = renamed("2026-03-01T12:00:00Z", "Augusta");
    second.metadata.published_at = at("2026-03-01T13:00:00Z");
    let mut third = envelope_at(at("2026-03-01T12:00:00Z"), &WeatherChanged { sky: "overcast".into() });
    third.customer_number = None;
    third.metadata.published_at = at("2026-03-01T13:30:00Z");
    for event in [&first, &second, &third] {
        assert_eq!(handle(&task, event).await.unwrap(), Done::APPLIED);
    }

    let objects = house.objects().await;
    let hours: Vec<_> = objects.keys().map(|key| key.rsplit_once('/').unwrap().0).collect();
    let hour = |hour: u8| format!("year=2026/month=03/day=01/hour={hour}");
    assert_eq!(hours, [hour(12), hour(13), hour(13)]);
    assert!(objects.keys().all(|key| key.ends_with(".ndjson.gz")), "{objects:?}");
    for text in objects.values() {
        assert!(
            ["Adelaide", "Augusta", "Lovelace", "overcast"].iter().all(|word| !text.contains(word)),
            "{text}"
        );
    }
    let lines = house.lines().await;
    let line = lines.iter().find(|line| line.metadata.event_id == first.metadata.event_id).unwrap();
    assert_eq!((line.source.as_str(), line.detail_type.as_str()), ("foostore.crm", "CustomerRenamed"));
    assert_eq!(line.customer_number.as_deref(), Some(CUSTOMER));
    assert_eq!(line.metadata, first.metadata);
    let mut all = [&first, &second, &third].map(|event| event.data.get().to_owned());
    all.sort();
    assert_eq!(house.readable().await, all);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn events_that_arrive_together_share_an_object_and_each_waits_until_it_is_stored() {
    let house = House::build().await;
    let task = house.task_with(BatchSettings { age: Duration::from_mins(10), bytes: usize::MAX, events: 3 });
    let events = ["Ada", "Augusta", "Grace"].map(|given| renamed("2026-03-01T12:00:00Z", given));
    let early = tokio::join!(handle(&task, &events[0]), handle(&task, &events[1]), async {
        // Two wait, and only the third completes the batch.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(house.objects().await.is_empty());
        handle(&task, &events[2]).await
    });
    for result in [early.0, early.1, early.2] {
        assert_eq!(result.unwrap(), Done::APPLIED);
    }
    let objects = house.objects().await;
    assert_eq!(objects.len(), 1, "{:?}", objects.keys());
    let key = objects.keys().next().unwrap();
    let head = house.s3.head_object().bucket(house.bucket()).key(key).send().await.unwrap();
    assert_eq!(head.content_type.as_deref(), Some("application/gzip"));
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn what_s3_refuses_fails_for_all_that_wait_and_is_stored_by_the_next_attempt() {
    let house = House::build().await;
    let task = house.task_with(BatchSettings { age: Duration::from_mins(10), bytes: usize::MAX, events: 2 });
    let events = ["Ada", "Augusta"].map(|given| renamed("2026-03-01T12:00:00Z", given));
    house.cloud.fail("s3", "PutObject", "500", 100).await;
    let (one, other) = tokio::join!(handle(&task, &events[0]), handle(&task, &events[1]));
    for failure in [one.unwrap_err(), other.unwrap_err()] {
        assert!(matches!(failure, Failure::Transient { dependency: Some("S3"), .. }), "{failure:?}");
    }
    assert!(house.objects().await.is_empty());
    house.cloud.mend().await;
    let (one, other) = tokio::join!(handle(&task, &events[0]), handle(&task, &events[1]));
    assert_eq!((one.unwrap(), other.unwrap()), (Done::APPLIED, Done::APPLIED));
    assert_eq!(house.lines().await.len(), 2);

    // Stored, and the answer lost: stored again, under one event id.
    house.cloud.fail("s3", "PutObject", "drop-response", 1).await;
    let (one, other) = tokio::join!(handle(&task, &events[0]), handle(&task, &events[1]));
    assert_eq!((one.unwrap(), other.unwrap()), (Done::APPLIED, Done::APPLIED));
    assert_eq!(house.objects().await.len(), 2, "the SDK's repetition wrote the same object");
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn tasks_that_need_a_customers_first_key_at_once_agree_on_one() {
    let house = House::build().await;
    let (one, other) = (house.task(), house.task());
    house.cloud.delay("kms", "GenerateDataKey", 200, 2).await;
    let events = ["Ada", "Augusta"].map(|given| renamed("2026-03-01T12:00:00Z", given));
    let (a, b) = tokio::join!(handle(&one, &events[0]), handle(&other, &events[1]));
    assert_eq!((a.unwrap(), b.unwrap()), (Done::APPLIED, Done::APPLIED));
    let keys: std::collections::BTreeSet<_> =
        house.lines().await.into_iter().map(|line| line.data.unwrap().key_id).collect();
    assert_eq!(keys.len(), 1);
    assert_eq!(house.readable().await.len(), 2);
    for service in ["kms", "dynamodb"] {
        house.cloud.fail(service, "*", "500", 100).await;
        let failure = handle(&house.task(), &events[0]).await.unwrap_err();
        assert!(matches!(failure, Failure::Transient { dependency: Some(_), .. }), "{failure:?}");
        house.cloud.mend().await;
    }
    house.cloud.shutdown().await;
}
