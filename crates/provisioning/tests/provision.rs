//! Against the local cloud: everything is created once, and a second run changes nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use envelope::{Event, events};
use local_cloud::{LocalCloud, Settings};
use serde::{Deserialize, Serialize};
use topology::{
    Bucket, BucketAccess, Index, Key, Resources, Service, StorageClass, Table, TableAccess, Topic, Topology,
    topic,
};

#[derive(Serialize, Deserialize)]
struct Ordered;

impl Event for Ordered {
    const TYPE: &'static str = "Ordered";
    const SOURCE: &'static str = "shop";
    fn customer_number(&self) -> &'static str {
        ""
    }
}

fn resources() -> Resources {
    Topology::new("shop", "test")
        .service(Service::new("intake").publishes_to_bus().emits::<(Ordered,)>())
        .service(
            Service::new("shipping")
                .consumes(events::<(Ordered,)>())
                .owns(
                    Table::new("parcels")
                        .expires_at("expires_at")
                        .outbox()
                        .index(Index::new("due").partition_key("due_bucket").sort_key("due_at"))
                        .access([TableAccess::QueryIndex]),
                )
                .owns_bucket(
                    Bucket::new("labels")
                        .access([BucketAccess::Put])
                        .moves_after_days(30, StorageClass::InfrequentAccess)
                        .expires_after_days(90)
                        .versioned(),
                )
                .encrypts_with(Key::new("labels"))
                .publishes(Topic::new("notices").attribute("channel")),
        )
        .service(
            Service::new("mail").receives(topic("notices").with("channel", "mail")).sends_email_as("shop"),
        )
        .resources()
        .unwrap()
}

fn config(cloud: &LocalCloud) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(cloud.endpoint_url())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

#[tokio::test]
async fn provisioning_twice_is_provisioning_once() {
    let any = "127.0.0.1:0".parse().unwrap();
    let cloud = local_cloud::start(Settings { address: any, otlp_address: any, ..Settings::default() })
        .await
        .unwrap();
    let config = config(&cloud);

    let nothing = provisioning::locate(&resources(), &config).await.unwrap_err();
    assert!(nothing.to_string().ends_with(" is not there"), "{nothing}");

    let first = provisioning::provision(&resources(), &config).await.unwrap();
    let second = provisioning::provision(&resources(), &config).await.unwrap();
    let located = provisioning::locate(&resources(), &config).await.unwrap();
    for service in ["intake", "shipping", "mail"] {
        assert_eq!(first.environment(service), second.environment(service));
        assert_eq!(first.environment(service), located.environment(service));
    }
    assert_eq!((&first.queue_arns, &first.topic_arns), (&located.queue_arns, &located.topic_arns));
    let shipping = first.environment("shipping");
    assert_eq!(shipping["PARCELS_TABLE_NAME"], "shop-test-parcels");
    assert_eq!(shipping["QUEUE_URL"], first.queue_urls["shop-test-shipping"]);
    assert_eq!(shipping["NOTICES_TOPIC_ARN"], "arn:aws:sns:eu-central-1:000000000000:shop-test-notices");
    assert_eq!(shipping["LABELS_BUCKET_NAME"], "shop-test-labels-000000000000-eu-central-1");
    assert_eq!(shipping["LABELS_KEY_ID"], "alias/shop-test-labels");
    assert_eq!(first.environment("intake")["EVENT_BUS_NAME"], "shop-test");
    assert!(first.environment("unknown").is_empty());

    let subscriptions = aws_sdk_sns::Client::new(&config).list_subscriptions().send().await.unwrap();
    assert_eq!(subscriptions.subscriptions().len(), 1, "a second run must not subscribe again");
    let policy = aws_sdk_sqs::Client::new(&config)
        .get_queue_attributes()
        .queue_url(&shipping["QUEUE_URL"])
        .attribute_names(aws_sdk_sqs::types::QueueAttributeName::Policy)
        .send()
        .await
        .unwrap()
        .attributes
        .unwrap();
    let policy = &policy[&aws_sdk_sqs::types::QueueAttributeName::Policy];
    assert!(
        policy.contains("arn:aws:events:eu-central-1:000000000000:rule/shop-test/shop-test-shipping"),
        "{policy}"
    );
    let pipe = aws_sdk_pipes::Client::new(&config)
        .describe_pipe()
        .name("shop-test-parcels-outbox")
        .send()
        .await
        .unwrap();
    assert_eq!(pipe.current_state().map(|state| state.as_str().to_owned()).as_deref(), Some("RUNNING"));
    let s3 = aws_sdk_s3::Client::new(&config);
    let lifecycle = s3.get_bucket_lifecycle_configuration().bucket(&shipping["LABELS_BUCKET_NAME"]);
    let lifecycle = lifecycle.send().await.unwrap();
    let [rule] = lifecycle.rules() else { panic!("{lifecycle:?}") };
    assert_eq!(rule.expiration().and_then(|expiration| expiration.days()), Some(90));
    assert_eq!(rule.transitions()[0].days(), Some(30));
    assert_eq!(rule.noncurrent_version_expiration().and_then(|it| it.noncurrent_days()), Some(30));
    let keys = aws_sdk_kms::Client::new(&config).list_keys().send().await.unwrap();
    assert_eq!(keys.keys().len(), 1, "a second run must not create another key");
    cloud.shutdown().await;
}

#[tokio::test]
async fn an_index_is_added_to_a_table_that_exists_with_the_items_it_has() {
    let any = "127.0.0.1:0".parse().unwrap();
    let cloud = local_cloud::start(Settings { address: any, otlp_address: any, ..Settings::default() })
        .await
        .unwrap();
    let config = config(&cloud);
    let with = |indexes: &[&'static str]| {
        let mut table = Table::new("parcels");
        for &name in indexes {
            table = table.index(Index::new(name).sort_key("at").projects(["weight"]));
        }
        if !indexes.is_empty() {
            table = table.access([TableAccess::QueryIndex]);
        }
        Topology::new("shop", "test").service(Service::new("shipping").owns(table)).resources().unwrap()
    };
    provisioning::provision(&with(&[]), &config).await.unwrap();
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let s = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let put = dynamodb.put_item().table_name("shop-test-parcels").item("pk", s("a")).item("at", s("1"));
    put.item("owner", s("ada")).item("place", s("here")).item("weight", s("9")).send().await.unwrap();

    provisioning::provision(&with(&["owner", "place"]), &config).await.unwrap();
    provisioning::provision(&with(&["owner", "place"]), &config).await.unwrap();

    for (index, value) in [("owner", "ada"), ("place", "here")] {
        let query = dynamodb.query().table_name("shop-test-parcels").index_name(index);
        let found = query
            .key_condition_expression("#key = :value")
            .expression_attribute_names("#key", index)
            .expression_attribute_values(":value", s(value))
            .send()
            .await
            .unwrap();
        assert_eq!(found.items().len(), 1);
        assert_eq!(found.items()[0]["weight"], s("9"));
    }
    cloud.shutdown().await;
}

#[tokio::test]
async fn what_was_created_is_removed_and_nothing_else() {
    let any = "127.0.0.1:0".parse().unwrap();
    let cloud = local_cloud::start(Settings { address: any, otlp_address: any, ..Settings::default() })
        .await
        .unwrap();
    let config = config(&cloud);
    let sqs = aws_sdk_sqs::Client::new(&config);
    sqs.create_queue().queue_name("somebody-elses").send().await.unwrap();

    let created = provisioning::provision(&resources(), &config).await.unwrap();
    let s3 = aws_sdk_s3::Client::new(&config);
    let bucket = &created.bucket_names["shop-test-labels"];
    s3.put_object().bucket(bucket).key("a").send().await.unwrap();
    provisioning::remove(&resources(), &config).await.unwrap();
    // Nothing is there any more, which is what was asked for.
    provisioning::remove(&resources(), &config).await.unwrap();

    let queues = sqs.list_queues().send().await.unwrap().queue_urls.unwrap_or_default();
    assert!(matches!(queues.as_slice(), [one] if one.ends_with("/somebody-elses")), "{queues:?}");
    assert_eq!(s3.list_buckets().send().await.unwrap().buckets(), []);
    let aliases = aws_sdk_kms::Client::new(&config).list_aliases().send().await.unwrap();
    assert_eq!(aliases.aliases(), []);
    let topics = aws_sdk_sns::Client::new(&config).list_topics().send().await.unwrap();
    assert_eq!(topics.topics(), []);
    let tables = aws_sdk_dynamodb::Client::new(&config).list_tables().send().await.unwrap();
    assert_eq!(tables.table_names(), [] as [String; 0]);
    let pipes = aws_sdk_pipes::Client::new(&config).list_pipes().send().await.unwrap();
    assert_eq!(pipes.pipes(), []);
    let buses = aws_sdk_eventbridge::Client::new(&config).list_event_buses().send().await.unwrap();
    let names: Vec<_> = buses.event_buses().iter().filter_map(|bus| bus.name()).collect();
    assert_eq!(names, ["default"]);
    cloud.shutdown().await;
}
