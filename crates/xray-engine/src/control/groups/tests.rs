use serde_json::{Value, json};

use super::*;

fn place() -> Place {
    Place::new("eu-central-1", "000000000000")
}

fn change(value: Value) -> GroupChange {
    serde_json::from_value(value).unwrap()
}

fn named(name: &str) -> GroupKey {
    GroupKey { name: Some(name.to_owned()), arn: None }
}

fn created(groups: &mut Groups, name: &str) -> Group {
    let filter = change(json!({"FilterExpression": "annotation.a = 1"}));
    groups.create(name, &filter, Tags::default()).unwrap().clone()
}

#[test]
fn a_group_is_found_by_name_by_arn_and_by_both() {
    let mut groups = Groups::default();
    let group = created(&mut groups, "checkout");
    let other = created(&mut groups, "Checkout");
    let arn = group.arn(&place());
    let id = arn.strip_prefix("arn:aws:xray:eu-central-1:000000000000:group/checkout/").unwrap();
    assert_eq!(id.len(), 52);
    assert!(id.chars().all(|character| character.is_ascii_uppercase() || ('2'..='7').contains(&character)));

    let by_arn = GroupKey { name: None, arn: Some(arn.clone()) };
    let by_both = GroupKey { name: Some("checkout".to_owned()), arn: Some(arn) };
    for key in [named("checkout"), by_arn, by_both] {
        assert_eq!(groups.find(&key, &place()).unwrap(), &group);
    }
    let mixed = GroupKey { name: Some("checkout".to_owned()), arn: Some(other.arn(&place())) };
    let error = groups.find(&mixed, &place()).unwrap_err().to_string();
    assert!(error.contains("different groups"), "{error}");
    assert!(groups.find(&GroupKey::default(), &place()).unwrap_err().to_string().contains("must be given"));
}

#[test]
fn a_recreated_group_has_another_arn() {
    let mut groups = Groups::default();
    let first = created(&mut groups, "a").arn(&place());
    groups.delete(&named("a"), &place()).unwrap();
    assert_ne!(created(&mut groups, "a").arn(&place()), first);
    let old = GroupKey { name: None, arn: Some(first) };
    assert!(groups.find(&old, &place()).unwrap_err().to_string().starts_with("Group not found"));
}

#[test]
fn the_default_group_cannot_be_created_filtered_or_deleted() {
    let mut groups = Groups::default();
    let default = groups.find(&named("Default"), &place()).unwrap();
    assert_eq!(default.arn(&place()), "arn:aws:xray:eu-central-1:000000000000:group/Default");
    for name in ["Default", "default", "DEFAULT"] {
        let error = groups.create(name, &GroupChange::default(), Tags::default()).unwrap_err();
        assert!(error.to_string().contains("reserved"), "{error}");
    }
    let filter = change(json!({"FilterExpression": "annotation.a = 1"}));
    assert!(groups.update(&named("Default"), &filter, &place()).is_err());
    assert!(groups.delete(&named("Default"), &place()).is_err());
    let insights = change(json!({"InsightsConfiguration": {"InsightsEnabled": true}}));
    let group = groups.update(&named("Default"), &insights, &place()).unwrap();
    assert!(group.insights.insights_enabled);
}

#[test]
fn a_filter_expression_is_parsed_and_kept_as_written() {
    let mut groups = Groups::default();
    let filter = change(json!({"FilterExpression": "  annotation.a = 1\n"}));
    let group = groups.create("a", &filter, Tags::default()).unwrap();
    assert_eq!(group.filter_expression.as_deref(), Some("  annotation.a = 1\n"));
    let error = groups
        .create("b", &change(json!({"FilterExpression": "annotation. ="})), Tags::default())
        .unwrap_err();
    assert!(error.to_string().starts_with("FilterExpression is invalid: "), "{error}");
    let long = format!("annotation.a = \"{}\"", "x".repeat(10_000));
    assert!(groups.create("b", &change(json!({"FilterExpression": long})), Tags::default()).is_err());
    assert_eq!(groups.iter().count(), 2);
}

#[test]
fn an_update_changes_what_it_names() {
    let mut groups = Groups::default();
    created(&mut groups, "a");
    let on =
        change(json!({"InsightsConfiguration": {"InsightsEnabled": true, "NotificationsEnabled": true}}));
    let group = groups.update(&named("a"), &on, &place()).unwrap();
    assert_eq!(group.filter_expression.as_deref(), Some("annotation.a = 1"));
    let filter = change(json!({"FilterExpression": "annotation.a = 2"}));
    let group = groups.update(&named("a"), &filter, &place()).unwrap();
    assert_eq!(group.filter_expression.as_deref(), Some("annotation.a = 2"));
    assert_eq!(group.insights, Insights { insights_enabled: true, notifications_enabled: true });
    let none = change(json!({"FilterExpression": ""}));
    assert_eq!(groups.update(&named("a"), &none, &place()).unwrap().filter_expression, None);
}

#[test]
fn notifications_need_insights() {
    let mut groups = Groups::default();
    let wrong = change(json!({"InsightsConfiguration": {"NotificationsEnabled": true}}));
    let error = groups.create("a", &wrong, Tags::default()).unwrap_err();
    assert!(error.to_string().contains("NotificationsEnabled"), "{error}");
    let on =
        change(json!({"InsightsConfiguration": {"InsightsEnabled": true, "NotificationsEnabled": true}}));
    groups.create("a", &on, Tags::default()).unwrap();
    let off = change(json!({"InsightsConfiguration": {"InsightsEnabled": false}}));
    assert_eq!(groups.update(&named("a"), &off, &place()).unwrap().insights, Insights::default());
}

#[test]
fn there_are_at_most_twenty_five_groups_beside_the_default_one() {
    let mut groups = Groups::default();
    for number in 0..25 {
        created(&mut groups, &format!("group-{number}"));
    }
    let error = groups.create("more", &GroupChange::default(), Tags::default()).unwrap_err();
    assert!(error.to_string().contains("25 groups"), "{error}");
    assert_eq!(groups.iter().count(), 26);
}

#[test]
fn names_are_unique_and_plain() {
    let mut groups = Groups::default();
    created(&mut groups, "a-1");
    for name in ["a-1", "a b", "a/b", "ä"] {
        assert!(groups.create(name, &GroupChange::default(), Tags::default()).is_err(), "{name}");
    }
}

#[test]
fn a_query_is_filtered_by_the_group_that_it_names() {
    let mut groups = Groups::default();
    created(&mut groups, "a");
    let all = FilterExpression::default();
    assert_eq!(groups.filter(&GroupKey::default(), &place()).unwrap(), all);
    assert_eq!(groups.filter(&named("Default"), &place()).unwrap(), all);
    assert_eq!(groups.filter(&named("a"), &place()).unwrap(), "annotation.a = 1".parse().unwrap());
    assert!(groups.filter(&named("gone"), &place()).is_err());
}
