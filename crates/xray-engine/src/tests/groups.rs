//! Groups and tags.

use aws_sdk_xray::error::ProvideErrorMetadata as _;
use aws_sdk_xray::types::{InsightsConfiguration, Tag};

use super::*;

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

impl Served {
    async fn group_names(&self) -> Vec<String> {
        let pages = self.client.get_groups().into_paginator().items().send();
        let groups = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
        groups.into_iter().filter_map(|group| group.group_name).collect()
    }

    async fn tags(&self, arn: &str) -> Vec<(String, String)> {
        let pages = self.client.list_tags_for_resource().resource_arn(arn).into_paginator().items().send();
        let tags = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
        tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
    }
}

#[tokio::test]
async fn groups_outlive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        let store = crate::TraceStore::open(directory.path(), u64::MAX).unwrap();
        Engine::with_store(Settings::default(), store).unwrap()
    };
    let first = serving(start()).await;
    first.client.create_group().group_name("slow").filter_expression("duration > 5").send().await.unwrap();
    let second = serving(start()).await;
    let group = second.client.get_group().group_name("slow").send().await.unwrap().group.unwrap();
    assert_eq!(group.filter_expression(), Some("duration > 5"));
}

#[tokio::test]
async fn a_group_is_created_updated_read_and_deleted() {
    let served = serve(Settings::default()).await;
    let insights =
        InsightsConfiguration::builder().insights_enabled(true).notifications_enabled(true).build();
    let created = served
        .client
        .create_group()
        .group_name("checkout")
        .filter_expression("annotation.customer_number = \"1\"")
        .insights_configuration(insights.clone())
        .tags(tag("Stage", "test"))
        .send()
        .await
        .unwrap();
    let group = created.group().unwrap();
    let arn = group.group_arn().unwrap();
    assert!(arn.starts_with("arn:aws:xray:eu-central-1:000000000000:group/checkout/"), "{arn}");
    assert_eq!(group.insights_configuration(), Some(&insights));
    assert_eq!(served.tags(arn).await, [("Stage".to_owned(), "test".to_owned())]);

    let updated = served
        .client
        .update_group()
        .group_arn(arn)
        .filter_expression("annotation.customer_number = \"2\"")
        .send()
        .await
        .unwrap();
    let read = served.client.get_group().group_name("checkout").send().await.unwrap();
    assert_eq!(read.group(), updated.group());
    let group = read.group().unwrap();
    assert_eq!(group.filter_expression(), Some("annotation.customer_number = \"2\""));
    assert_eq!((group.group_arn(), group.insights_configuration()), (Some(arn), Some(&insights)));

    served.client.delete_group().group_arn(arn).send().await.unwrap();
    let error = served.client.get_group().group_arn(arn).send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_invalid_request_exception());
    assert!(error.message().unwrap().contains("Group not found"), "{:?}", error.message());
    assert_eq!(served.group_names().await, ["Default"]);
}

#[tokio::test]
async fn the_default_group_holds_everything_and_stays() {
    let served = serve(Settings::default()).await;
    let read = served.client.get_group().group_name("Default").send().await.unwrap();
    let group = read.group().unwrap();
    assert_eq!(group.group_arn(), Some("arn:aws:xray:eu-central-1:000000000000:group/Default"));
    assert_eq!(group.filter_expression(), None);
    let off = InsightsConfiguration::builder().insights_enabled(false).notifications_enabled(false).build();
    assert_eq!(group.insights_configuration(), Some(&off));
    assert!(served.client.delete_group().group_name("Default").send().await.is_err());
    let error = served.client.create_group().group_name("Default").send().await.unwrap_err();
    assert!(error.message().unwrap().contains("reserved"), "{:?}", error.message());
}

#[tokio::test]
async fn an_invalid_filter_expression_is_refused_with_its_fault() {
    let served = serve(Settings::default()).await;
    let call = served.client.create_group().group_name("a").filter_expression("annotation.a = \"b");
    let error = call.send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidRequestException"));
    let message = error.message().unwrap();
    assert!(message.starts_with("FilterExpression is invalid: "), "{message}");
    assert_eq!(served.group_names().await, ["Default"]);
}

#[tokio::test]
async fn groups_come_in_pages() {
    let served = serve(Settings { page_size: 2, ..Settings::default() }).await;
    for name in ["e", "d", "c", "b", "a"] {
        served.client.create_group().group_name(name).send().await.unwrap();
    }
    let first = served.client.get_groups().send().await.unwrap();
    assert_eq!(first.groups().len(), 2);
    assert_eq!(served.group_names().await, ["Default", "a", "b", "c", "d", "e"]);
    let error = served.client.get_groups().next_token("?").send().await.unwrap_err();
    assert!(error.message().unwrap().contains("NextToken"));
}

#[tokio::test]
async fn tags_of_groups_and_rules_are_added_and_removed() {
    let served = serve(Settings { page_size: 1, ..Settings::default() }).await;
    for arn in [
        "arn:aws:xray:eu-central-1:000000000000:group/Default",
        "arn:aws:xray:eu-central-1:000000000000:sampling-rule/Default",
    ] {
        let call = served.client.tag_resource().resource_arn(arn);
        call.tags(tag("a", "1")).tags(tag("b", "2")).send().await.unwrap();
        served.client.tag_resource().resource_arn(arn).tags(tag("a", "3")).send().await.unwrap();
        served.client.untag_resource().resource_arn(arn).tag_keys("b").send().await.unwrap();
        served.client.tag_resource().resource_arn(arn).tags(tag("c", "")).send().await.unwrap();
        let wanted = [("a", "3"), ("c", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(served.tags(arn).await, wanted);
    }
}

#[tokio::test]
async fn tags_of_nothing_and_too_many_tags_are_refused() {
    let served = serve(Settings::default()).await;
    let unknown = "arn:aws:xray:eu-central-1:000000000000:group/gone/ABC";
    let error = served
        .client
        .list_tags_for_resource()
        .resource_arn(unknown)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
    let default = "arn:aws:xray:eu-central-1:000000000000:group/Default";
    let tags = (0..51).map(|number| tag(&number.to_string(), "")).collect();
    let call = served.client.tag_resource().resource_arn(default).set_tags(Some(tags));
    let error = call.send().await.unwrap_err().into_service_error();
    assert!(error.is_too_many_tags_exception(), "{error:?}");
    assert!(served.tags(default).await.is_empty());
}

#[tokio::test]
async fn graphs_and_statistics_are_limited_to_a_group() {
    let served = serve(Settings::default()).await;
    served.export(flow().into()).await;
    for (name, filter) in [("ours", "service(\"foostore-email\")"), ("others", "service(\"other\")")] {
        served.client.create_group().group_name(name).filter_expression(filter).send().await.unwrap();
    }
    let (start, end) = (DateTime::from_secs(START - 60), DateTime::from_secs(START + 60));
    let graph = |group: &str| {
        served.client.get_service_graph().group_name(group).start_time(start).end_time(end).send()
    };
    let series = |group: &str| {
        let call = served.client.get_time_series_service_statistics().group_name(group);
        call.start_time(start).end_time(end).send()
    };
    for (group, services, periods) in [("Default", 4, 1), ("ours", 4, 1), ("others", 0, 0)] {
        let answer = graph(group).await.unwrap();
        assert_eq!(
            (answer.services().len(), answer.contains_old_group_versions()),
            (services, false),
            "{group}"
        );
        let answer = series(group).await.unwrap();
        let counted = answer.time_series_service_statistics().iter().filter(|period| {
            period.edge_summary_statistics().and_then(|edges| edges.total_count()).unwrap_or_default() > 0
        });
        assert_eq!(counted.count(), periods, "{group}");
    }
    assert!(graph("gone").await.unwrap_err().message().unwrap().contains("Group not found"));
    assert!(series("gone").await.unwrap_err().message().unwrap().contains("Group not found"));
}

#[tokio::test]
async fn a_filter_expression_names_groups_by_their_own_expressions() {
    let served = serve(Settings::default()).await;
    served.export(flow().to_vec()).await;
    let create = async |name: &str, expression: &str| {
        let call = served.client.create_group().group_name(name).filter_expression(expression);
        call.send().await.unwrap().group.unwrap().group_arn.unwrap()
    };
    create("throttled", "throttle OR fault").await;
    let arn = create("fast", r#"group.name = "throttled" AND responsetime < 1"#).await;
    create("slow", "responsetime > 1").await;
    create("egg", r#"group.name = "hen""#).await;
    create("hen", r#"group.name = "egg""#).await;
    for (expression, expected) in [
        (r#"group.name = "throttled""#, 1),
        (r#"group.name = "fast" AND annotation.customer_number = "123456789012""#, 1),
        (r#"group.name != "slow""#, 1),
        (r#"!group.name = "throttled""#, 0),
        (r#"group.name = "slow" OR group.name = "fast""#, 1),
        (r#"group.name = "Default""#, 1),
    ] {
        assert_eq!(served.search(expression).await.len(), expected, "{expression}");
    }
    assert_eq!(served.search(&format!("group.arn = \"{arn}\"")).await.len(), 1);
    for (expression, message) in [
        (r#"group.name = "Throttled""#, "Group not found"),
        (r#"group.name = "egg""#, "name each other in a circle"),
    ] {
        let call = served.client.get_trace_summaries().filter_expression(expression);
        let call = call.start_time(DateTime::from_secs(START)).end_time(DateTime::from_secs(START + 9));
        let error = call.send().await.unwrap_err();
        assert!(error.message().unwrap().contains(message), "{error:?}");
    }
}
