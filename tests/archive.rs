//! The archive: every event of a run is in it, readable by nobody without the customer's key, whatever is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use archive::domain::Line;
use archive::{KeySettings, Keys};
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

use crate::documents::Documents;
use crate::faults::table;
use crate::mails::{enrolled, erased, event, quiet};
use crate::world::{World, sdk_config, until};

const BUCKET: &str = "foostore-local-event-archive-000000000000-eu-central-1";

/// Returns the text of every object, by its key.
async fn objects(world: &World) -> BTreeMap<String, String> {
    let s3 = aws_clients::s3(&sdk_config(&world.endpoint));
    let mut objects = BTreeMap::new();
    let mut pages = s3.list_objects_v2().bucket(BUCKET).into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page.unwrap().contents.unwrap_or_default() {
            let key = object.key.unwrap();
            let got = s3.get_object().bucket(BUCKET).key(&key).send().await.unwrap();
            let body = got.body.collect().await.unwrap().into_bytes();
            let mut text = String::new();
            MultiGzDecoder::new(body.as_ref()).read_to_string(&mut text).unwrap();
            objects.insert(key, text);
        }
    }
    objects
}

/// Returns a line of each event in the archive.
pub(crate) async fn archived(world: &World) -> Vec<Line> {
    let objects = objects(world).await;
    let lines = objects.values().flat_map(|text| text.lines());
    let lines = lines.map(|line| serde_json::from_str::<Line>(line).unwrap());
    lines.map(|line| (line.metadata.event_id, line)).collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Returns the data of each event that can be decrypted.
async fn readable(world: &World) -> Vec<Value> {
    let config = sdk_config(&world.endpoint);
    let aliases = aws_clients::kms(&config).list_aliases().send().await.unwrap().aliases.unwrap_or_default();
    let alias = aliases.into_iter().find(|alias| alias.alias_name() == Some("alias/foostore-local-archive"));
    let settings = KeySettings {
        table: "foostore-local-archive-keys".to_owned(),
        key_id: alias.unwrap().target_key_id.unwrap(),
        life: std::time::Duration::from_mins(1),
        branch_keys: false,
        branch_life: std::time::Duration::from_mins(1),
    };
    let keys = Keys::new(aws_clients::dynamodb(&config), aws_clients::kms(&config), settings);
    let mut readable = Vec::new();
    for line in archived(world).await {
        if let Some(key) = keys.of_line(&line).await.unwrap() {
            let data = key.open(&line.additional_data(), line.data.as_ref().unwrap()).unwrap();
            readable.push(serde_json::from_slice(&data).unwrap());
        }
    }
    readable
}

/// Waits until the archive has every event of these types.
async fn has(world: &World, expected: &[&str]) -> Vec<Line> {
    until(&format!("{expected:?} in the archive"), || async {
        let lines = archived(world).await;
        let types: BTreeSet<_> = lines.iter().map(|line| line.detail_type.as_str()).collect();
        expected.iter().all(|event| types.contains(event)).then_some(lines)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_archived_in_its_trace_and_nothing_of_an_erased_customer_can_be_read() {
    const CUSTOMER: &str = "530000000001";
    let world = World::start().await;
    let trace_id = world.send(&enrolled(CUSTOMER, "Augusta", "augusta@mail.example"), &[]).await;
    world.send(&event("PointsEarned", CUSTOMER, &json!({"points": 1200})), &[]).await;
    let lines = has(
        &world,
        &["CustomerEnrolled", "MemberEnrolled", "PointsEarned", "PointsBalanceChanged", "TierAscended"],
    )
    .await;
    let enrolment = lines.iter().find(|line| line.detail_type == "CustomerEnrolled").unwrap();
    assert_eq!(
        (enrolment.source.as_str(), enrolment.customer_number.as_deref()),
        ("foostore.crm", Some(CUSTOMER))
    );
    for (key, text) in objects(&world).await {
        assert!(key.starts_with("year=20") && key.contains("/hour="), "{key}");
        assert!(
            !text.contains("Augusta") && !text.contains("Byron") && !text.contains("mail.example"),
            "{text}"
        );
    }
    let data = readable(&world).await;
    assert_eq!(data.len(), lines.len());
    assert!(data.iter().any(|data| data["name"]["given"] == "Augusta"), "{data:?}");

    // Both events of this trace, each with the object that it is in.
    until("both segments of the archive, with S3 below", || async {
        let documents = Documents::get(&world, &trace_id).await?;
        let archive = documents.segments().filter(|segment| segment["name"] == "archive");
        let archive: BTreeSet<_> = archive.filter_map(|segment| segment["id"].as_str()).collect();
        let puts = documents.all().iter().filter(|document| {
            document["namespace"] == "aws"
                && document["name"] == "S3"
                && document["aws"]["operation"] == "PutObject"
                && document["parent_id"].as_str().is_some_and(|parent| archive.contains(parent))
        });
        ((archive.len(), puts.count()) == (2, 2)).then_some(())
    })
    .await;
    Documents::connected(&world, &trace_id, None).await;

    world.send(&erased(CUSTOMER), &[]).await;
    has(&world, &["CustomerErased", "MemberErased"]).await;
    quiet(&world).await;
    assert_eq!(readable(&world).await, Vec::<Value>::new());
    let mut items = table(&world, "archive-keys").await;
    items.retain(|item| !item["pk"].as_s().unwrap().starts_with("BRANCH#"));
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["pk"].as_s().unwrap(), &format!("CUSTOMER#{CUSTOMER}"));
    assert!(items[0].contains_key("erased_at") && !items[0].contains_key("wrapped_key"), "{items:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_missing_when_the_archive_is_killed_and_s3_refuses() {
    const EVENTS: usize = 60;
    let world = World::start().await;
    let mut sent = BTreeSet::new();
    for number in 0..EVENTS {
        if number == 10 {
            world.fault(&json!({"service": "s3", "error": "500", "times": 8})).await;
        }
        if number % 20 == 5 {
            world.kill("archive").await;
        }
        let customer = format!("5310000000{number:02}");
        let (status, answer) = world.post(&enrolled(&customer, "Ada", "ada@mail.example"), &[]).await;
        assert_eq!(status, 202, "{answer}");
        sent.insert(answer["event_id"].as_str().unwrap().to_owned());
    }
    quiet(&world).await;
    world.clear_faults().await;
    let announced = table(&world, "members")
        .await
        .into_iter()
        .filter_map(|item| Some(item.get("event_id")?.as_s().unwrap().clone()));
    sent.extend(announced);
    assert_eq!(sent.len(), 2 * EVENTS);
    let archived: BTreeSet<_> =
        archived(&world).await.into_iter().map(|line| line.metadata.event_id.to_string()).collect();
    assert_eq!(archived, sent);
    world.stop().await;
}
