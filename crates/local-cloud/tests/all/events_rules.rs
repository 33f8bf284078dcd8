//! Buses, rules, schedules, patterns, tags and permissions.

use aws_sdk_eventbridge::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_eventbridge::types::{RuleState, Tag};

use crate::support::{ACCOUNT, Cloud, cloud};

const PATTERN: &str = r#"{"source": ["shop"]}"#;

/// Returns a refusal as `code: message`.
pub(crate) fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E>>,
) -> String {
    let error = result.unwrap_err();
    format!("{}: {}", error.code().unwrap(), error.message().unwrap())
}

async fn rule(cloud: &Cloud, name: &str) -> String {
    let put = cloud.events.put_rule().name(name).event_pattern(PATTERN).send().await.unwrap();
    put.rule_arn.unwrap()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

#[tokio::test]
async fn buses_are_created_once_and_deleted_any_number_of_times() {
    let cloud = cloud().await;
    let create = |name: &str| cloud.events.create_event_bus().name(name).description("d").send();
    let arn = create("b").await.unwrap().event_bus_arn.unwrap();
    assert_eq!(arn, format!("arn:aws:events:eu-central-1:{ACCOUNT}:event-bus/b"));
    assert_eq!(refusal(create("b").await), "ResourceAlreadyExistsException: Event bus b already exists.");
    assert_eq!(
        refusal(create("default").await),
        "ResourceAlreadyExistsException: Event bus default already exists."
    );
    assert_eq!(refusal(create("a/b").await), "ValidationException: Event bus name must not contain '/'.");

    let listed = cloud.events.list_event_buses().send().await.unwrap();
    let names: Vec<_> = listed.event_buses().iter().map(|bus| bus.name().unwrap()).collect();
    assert_eq!(names, ["b", "default"]);
    let by_arn = cloud.events.describe_event_bus().name(&arn).send().await.unwrap();
    assert_eq!((by_arn.name(), by_arn.description()), (Some("b"), Some("d")));

    let delete = |name: &str| cloud.events.delete_event_bus().name(name).send();
    delete("b").await.unwrap();
    delete("b").await.unwrap();
    assert_eq!(refusal(delete("default").await), "ValidationException: Cannot delete event bus default.");
    let gone = cloud.events.describe_event_bus().name("b").send().await;
    assert_eq!(refusal(gone), "ResourceNotFoundException: Event bus b does not exist.");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_bus_shows_its_key_until_it_has_none() {
    let cloud = cloud().await;
    let create = cloud.events.create_event_bus().name("b").kms_key_identifier("alias/k");
    assert_eq!(create.send().await.unwrap().kms_key_identifier(), Some("alias/k"));
    let key = async || cloud.events.describe_event_bus().name("b").send().await.unwrap().kms_key_identifier;
    assert_eq!(key().await.as_deref(), Some("alias/k"));
    cloud.events.update_event_bus().name("b").description("d").send().await.unwrap();
    assert_eq!(key().await.as_deref(), Some("alias/k"));
    cloud.events.update_event_bus().name("b").kms_key_identifier("").send().await.unwrap();
    assert_eq!(key().await, None);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_bus_lists_its_rules_in_pages_and_by_prefix() {
    let cloud = cloud().await;
    let names: Vec<_> = (0..5).map(|n| format!("r{n}")).collect();
    for name in &names {
        assert_eq!(rule(&cloud, name).await, format!("arn:aws:events:eu-central-1:{ACCOUNT}:rule/{name}"));
    }
    rule(&cloud, "other").await;
    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let page =
            cloud.events.list_rules().name_prefix("r").limit(2).set_next_token(token).send().await.unwrap();
        assert!(page.rules().len() <= 2);
        seen.extend(page.rules().iter().map(|rule| rule.name().unwrap().to_owned()));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, names);
    cloud.events.delete_rule().name("r0").send().await.unwrap();
    cloud.events.delete_rule().name("r0").send().await.unwrap();
    let gone = cloud.events.describe_rule().name("r0").send().await;
    assert_eq!(refusal(gone), "ResourceNotFoundException: Rule r0 does not exist on EventBus default.");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_rule_put_again_keeps_its_tags_and_nothing_else() {
    let cloud = cloud().await;
    let put = cloud.events.put_rule().name("r").event_pattern(PATTERN).description("first");
    let arn = put.tags(tag("a", "1")).send().await.unwrap().rule_arn.unwrap();
    let again = cloud.events.put_rule().name("r").schedule_expression("rate(1 hour)");
    again.state(RuleState::Disabled).send().await.unwrap();
    let described = cloud.events.describe_rule().name("r").send().await.unwrap();
    assert_eq!((described.description(), described.event_pattern()), (None, None));
    assert_eq!(described.schedule_expression(), Some("rate(1 hour)"));
    assert_eq!(described.state(), Some(&RuleState::Disabled));
    assert_eq!(described.created_by(), Some(ACCOUNT));
    let tags = cloud.events.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
    assert_eq!(tags.tags(), [tag("a", "1")]);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn schedules_are_read_as_on_aws_and_live_on_the_default_bus() {
    let cloud = cloud().await;
    cloud.events.create_event_bus().name("b").send().await.unwrap();
    let put = |schedule: &str| cloud.events.put_rule().name("r").schedule_expression(schedule);
    for schedule in
        ["rate(1 minute)", "rate(5 hours)", "cron(0 20 * * ? *)", "cron(5,35 14 ? * MON-FRI 2002-2036)"]
    {
        put(schedule).send().await.unwrap();
        let described = cloud.events.describe_rule().name("r").send().await.unwrap();
        assert_eq!(described.schedule_expression(), Some(schedule));
    }
    for schedule in [
        "rate(1 minutes)",
        "rate(2 minute)",
        "rate(0 minutes)",
        "rate( 5 minutes)",
        "rate(10 seconds)",
        "cron(0 1 * * * *)",
        "cron(7 20 * * NOT *)",
        "cron(0 dummy ? * MON-FRI *)",
        "every hour",
    ] {
        let refused = refusal(put(schedule).send().await);
        assert_eq!(refused, "ValidationException: Parameter ScheduleExpression is not valid.", "{schedule}");
    }
    assert_eq!(
        refusal(put("rate(1 minute)").event_bus_name("b").send().await),
        "ValidationException: ScheduleExpression is supported only on the default event bus."
    );
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn patterns_are_refused_and_tested_with_the_words_of_aws() {
    let cloud = cloud().await;
    let put = |pattern: &str| cloud.events.put_rule().name("r").event_pattern(pattern).send();
    let invalid = "InvalidEventPatternException: Event pattern is not valid. Reason: ";
    assert_eq!(refusal(put("{}").await), format!("{invalid}Empty event pattern"));
    let empty = refusal(put(r#"{"detail": {"a": []}}"#).await);
    assert!(empty.starts_with(&format!("{invalid}Empty arrays are not allowed")), "{empty}");

    let event = r#"{"id": "1", "source": "s", "detail-type": "d", "account": "1", "region": "r",
        "time": "2026-01-01T00:00:00Z", "resources": [], "detail": {"items": [{"k": 1}, {"id": "a"}]}}"#;
    let test = |pattern: &str, event: &str| {
        cloud.events.test_event_pattern().event_pattern(pattern).event(event).send()
    };
    assert!(test(r#"{"detail": {"items": {"id": ["a"]}}}"#, event).await.unwrap().result());
    assert!(!test(r#"{"detail": {"items": {"id": ["b"]}}}"#, event).await.unwrap().result());
    for event in [r#"{"source": "s"}"#, "no json"] {
        assert_eq!(refusal(test(PATTERN, event).await), "ValidationException: Parameter Event is not valid.");
    }
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn buses_and_rules_have_tags() {
    let cloud = cloud().await;
    let arn = rule(&cloud, "r").await;
    let bus = cloud.events.create_event_bus().name("b").tags(tag("bus", "1")).send().await.unwrap();
    let tags = async |arn: &str| {
        cloud.events.list_tags_for_resource().resource_arn(arn).send().await.unwrap().tags.unwrap_or_default()
    };
    assert_eq!(tags(bus.event_bus_arn().unwrap()).await, [tag("bus", "1")]);
    let put = cloud.events.tag_resource().resource_arn(&arn).tags(tag("a", "1")).tags(tag("b", "2"));
    put.send().await.unwrap();
    cloud.events.tag_resource().resource_arn(&arn).tags(tag("a", "3")).send().await.unwrap();
    cloud.events.untag_resource().resource_arn(&arn).tag_keys("b").tag_keys("none").send().await.unwrap();
    assert_eq!(tags(&arn).await, [tag("a", "3")]);
    let missing =
        cloud.events.tag_resource().resource_arn(format!("{arn}2")).tags(tag("a", "1")).send().await;
    assert_eq!(refusal(missing), "ResourceNotFoundException: Rule r2 does not exist on EventBus default.");
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn a_buss_policy_shows_what_was_permitted() {
    let cloud = cloud().await;
    let permit = |id: &str| {
        let put = cloud.events.put_permission().action("events:PutEvents").principal("111111111111");
        put.statement_id(id).send()
    };
    permit("one").await.unwrap();
    permit("two").await.unwrap();
    permit("two").await.unwrap();
    cloud.events.remove_permission().statement_id("one").send().await.unwrap();
    let policy = cloud.events.describe_event_bus().send().await.unwrap().policy.unwrap();
    let policy: serde_json::Value = serde_json::from_str(&policy).unwrap();
    assert_eq!(policy["Statement"].as_array().unwrap().len(), 1);
    assert_eq!(policy["Statement"][0]["Sid"], "two");
    assert_eq!(policy["Statement"][0]["Principal"]["AWS"], "arn:aws:iam::111111111111:root");
    assert_eq!(
        refusal(cloud.events.remove_permission().statement_id("one").send().await),
        "ResourceNotFoundException: Statement with the provided id does not exist."
    );
    cloud.events.remove_permission().remove_all_permissions(true).send().await.unwrap();
    assert_eq!(cloud.events.describe_event_bus().send().await.unwrap().policy(), None);
    cloud.local.shutdown().await;
}

#[tokio::test]
async fn connections_and_endpoints_are_refused_by_name() {
    let cloud = cloud().await;
    let refused = refusal(cloud.events.list_connections().send().await);
    assert_eq!(
        refused,
        "UnknownOperationException: The local cloud does not support ListConnections of events"
    );
    refusal(cloud.events.list_api_destinations().send().await);
    refusal(cloud.events.list_endpoints().send().await);
    refusal(
        cloud.events.list_partner_event_source_accounts().event_source_name("aws.partner/a/b").send().await,
    );
    cloud.local.shutdown().await;
}
