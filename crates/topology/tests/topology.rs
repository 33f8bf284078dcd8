//! A small layer, and each way in which it might not hold together.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use envelope::{Event, events};
use serde::{Deserialize, Serialize};
use serde_json::json;
use topology::{
    Bucket, BucketAccess, Index, Key, Parameter, Problem, Sender, Service, StorageClass, Table, TableAccess,
    Topic, Topology, Variable, topic,
};

macro_rules! event {
    ($name:ident) => {
        #[derive(Serialize, Deserialize)]
        struct $name;
        impl Event for $name {
            const TYPE: &'static str = stringify!($name);
            const SOURCE: &'static str = "shop";
            fn customer_number(&self) -> &str {
                ""
            }
        }
    };
}
event!(Ordered);
event!(Shipped);
event!(Forgotten);

fn intake() -> Service {
    Service::new("intake").publishes_to_bus().emits::<(Ordered, Forgotten)>()
}

fn shipping() -> Service {
    Service::new("shipping")
        .consumes(events::<(Ordered,)>())
        .owns(Table::new("parcels").expires_at("expires_at").outbox())
        .emits::<(Shipped,)>()
        .publishes(Topic::new("notices").attribute("channel"))
}

fn sms() -> Service {
    Service::new("sms")
        .receives(topic("notices").with("channel", "sms"))
        .sends_email_as("shop")
        .parameter(Parameter::new("GATEWAY_URL", "The gateway"))
        .retries_for(Duration::from_hours(75))
}

fn problems(topology: &Topology) -> Vec<Problem> {
    topology.resources().unwrap_err().problems
}

#[test]
fn a_layer_becomes_resources() {
    let resources = Topology::new("shop", "test")
        .service(intake())
        .service(shipping())
        .service(sms())
        .resources()
        .unwrap();

    let names: Vec<_> = resources.queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "shop-test-shipping-dead-letter",
            "shop-test-shipping-undelivered",
            "shop-test-shipping",
            "shop-test-parcels-outbox-dead-letter",
            "shop-test-sms-dead-letter",
            "shop-test-sms-undelivered",
            "shop-test-sms",
        ]
    );
    let queue = &resources.queues[2];
    assert_eq!(queue.senders, [Sender::Rule("shop-test-shipping".into())]);
    assert_eq!(queue.dead_letter.as_ref().unwrap().queue, "shop-test-shipping-dead-letter");
    assert_eq!(queue.dead_letter.as_ref().unwrap().max_receive_count, 1_000, "the most SQS allows");
    assert_eq!(resources.rules[0].pattern, json!({"source": ["shop"], "detail-type": ["Ordered"]}));
    assert_eq!(resources.subscriptions[0].filter_policy, Some(json!({"channel": ["sms"]})));
    assert!(resources.tables[0].stream);
    assert_eq!(resources.pipes[0].target.detail_type, "$.dynamodb.NewImage.event_type.S");

    let variables = |index: usize| &resources.services[index].variables;
    assert_eq!(variables(0)["EVENT_BUS_NAME"], Variable::Text("shop-test".into()));
    assert_eq!(variables(1)["PARCELS_TABLE_NAME"], Variable::Text("shop-test-parcels".into()));
    assert_eq!(variables(1)["NOTICES_TOPIC_ARN"], Variable::TopicArn("shop-test-notices".into()));
    assert_eq!(variables(2)["QUEUE_URL"], Variable::QueueUrl("shop-test-sms".into()));
    assert!(variables(2).contains_key("EMAIL_SENDER"));
    assert_eq!(variables(2)["CONSUMER_MAX_MESSAGE_AGE_S"], Variable::Text("270000".into()));
    assert_eq!(resources.services[2].parameters[0].variable, "GATEWAY_URL");
    assert!(!variables(2).contains_key("GATEWAY_URL"), "a deployment sets it");
}

#[test]
fn every_event_but_replayed_ones() {
    let audit = Service::new("audit").consumes_all_events().owns(Table::new("audit").personal_data());
    let topology = Topology::new("shop", "test").erases_personal_data_on::<(Forgotten,)>();
    let resources = topology.service(intake()).service(audit).resources().unwrap();
    let [rule] = &resources.rules[..] else { panic!("{:?}", resources.rules) };
    let absent = json!([{"exists": false}]);
    assert_eq!(rule.pattern, json!({"replay-name": absent, "detail": {"metadata": {"replayed": absent}}}));
    assert!(rule.delivers("Ordered") && rule.delivers("whatever"));
    assert_eq!(rule.target_queue, "shop-test-audit");
}

#[test]
fn an_event_that_none_emits() {
    let found = problems(&Topology::new("shop", "test").service(shipping()));
    assert_eq!(found, [Problem::NobodyEmits { service: "shipping", event: "Ordered" }]);
}

#[test]
fn an_event_of_a_service_that_is_left_out() {
    let elsewhere = intake().emitted().to_vec();
    let topology = Topology::new("shop", "test").service(shipping()).emitted_elsewhere(elsewhere);
    let resources = topology.resources().unwrap();
    assert_eq!(resources.services.len(), 1);
    assert!(resources.rules.iter().any(|rule| rule.delivers("Ordered")));
}

#[test]
fn an_emitter_without_a_way_out() {
    let found =
        problems(&Topology::new("shop", "test").service(Service::new("intake").emits::<(Ordered,)>()));
    assert_eq!(found, [Problem::NoWayOut { service: "intake" }]);
}

#[test]
fn a_subscription_to_nothing() {
    let found = problems(&Topology::new("shop", "test").service(sms()));
    assert_eq!(found, [Problem::NobodyPublishes { service: "sms", topic: "notices", attribute: None }]);
    let other = Service::new("sms").receives(topic("notices").with("colour", "red"));
    let found = problems(&Topology::new("shop", "test").service(intake()).service(shipping()).service(other));
    assert_eq!(
        found,
        [Problem::NobodyPublishes { service: "sms", topic: "notices", attribute: Some("colour") }]
    );
}

#[test]
fn personal_data_that_nothing_erases() {
    let keeper = || Service::new("keeper").owns(Table::new("people").personal_data());
    let topology = |service| {
        Topology::new("shop", "test")
            .erases_personal_data_on::<(Forgotten,)>()
            .service(intake())
            .service(service)
    };
    assert_eq!(problems(&topology(keeper())), [Problem::NeverErased { service: "keeper", place: "people" }]);
    assert!(topology(keeper().consumes(events::<(Forgotten,)>())).resources().is_ok());
    let keeper = || Service::new("keeper").owns_bucket(Bucket::new("photos").personal_data());
    assert_eq!(problems(&topology(keeper())), [Problem::NeverErased { service: "keeper", place: "photos" }]);
    assert!(topology(keeper().consumes(events::<(Forgotten,)>())).resources().is_ok());
}

#[test]
fn a_bucket_and_a_key_are_found_by_their_variables() {
    let keeper = Service::new("keeper")
        .owns_bucket(
            Bucket::new("event-archive")
                .access([BucketAccess::Put, BucketAccess::List])
                .moves_after_days(90, StorageClass::GlacierInstantRetrieval)
                .expires_after_days(400)
                .lockable(),
        )
        .encrypts_with(Key::new("archive"));
    let topology = |environment| Topology::new("foostore", environment).service(keeper.clone());
    let resources = topology("staging-west").resources().unwrap();
    let [bucket] = &resources.buckets[..] else { panic!("{:?}", resources.buckets) };
    assert_eq!(bucket.name, "foostore-staging-west-event-archive");
    assert!(bucket.versioned && bucket.lockable);
    assert_eq!(bucket.lifecycle.expires_after_days, Some(400));
    assert_eq!(bucket.name_in("123456789012", "ap-southeast-3").len(), 63, "the longest name that S3 allows");
    assert_eq!(resources.keys[0].alias(), "alias/foostore-staging-west-archive");
    let variables = &resources.services[0].variables;
    assert_eq!(
        variables["EVENT_ARCHIVE_BUCKET_NAME"],
        Variable::BucketName("foostore-staging-west-event-archive".into())
    );
    assert_eq!(variables["ARCHIVE_KEY_ID"], Variable::Text("alias/foostore-staging-west-archive".into()));
    let found = problems(&topology("staging-wests"));
    assert!(matches!(found[..], [Problem::NameTooLong { limit: 35, .. }]), "{found:?}");
}

#[test]
fn an_index_that_is_not_read_or_not_there() {
    let due = || Index::new("due").partition_key("due_bucket").sort_key("due_at");
    let found = |table| {
        let keeper = Service::new("keeper").owns(table);
        Topology::new("shop", "test").service(keeper).resources().map_err(|error| error.problems)
    };
    let wrong = vec![Problem::IndexAccess { service: "keeper", table: "things" }];
    assert_eq!(found(Table::new("things").index(due())).unwrap_err(), wrong);
    assert_eq!(found(Table::new("things").access([TableAccess::QueryIndex])).unwrap_err(), wrong);
    let table = || Table::new("things").index(due()).access([TableAccess::QueryIndex]);
    assert_eq!(found(table().index(due())).unwrap_err(), [Problem::Duplicate { kind: "index", name: "due" }]);
    let resources = found(table().index(Index::new("owner"))).unwrap();
    let keys: Vec<_> = resources.tables[0].key_attributes().into_iter().collect();
    assert_eq!(keys, ["due_at", "due_bucket", "owner", "pk"]);
}

#[test]
fn two_of_one_name_and_a_name_too_long() {
    let found = problems(&Topology::new("shop", "test").service(intake()).service(intake()));
    assert_eq!(found, [Problem::Duplicate { kind: "service", name: "intake" }]);
    let long =
        Topology::new("shop", "an-environment-with-a-name-that-goes-on-and-on-and-on-and-on-and-on-for-ever");
    let found = problems(&long.service(intake()).service(shipping()));
    assert!(found.iter().all(|problem| matches!(problem, Problem::NameTooLong { .. })) && !found.is_empty());
}
