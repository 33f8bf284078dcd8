use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Reporter, report, rules_page, rules_request, targets};
use crate::anomalies::Ended;
use crate::statistics::{Outcome, Statistics};
use crate::target::TargetUpdate;
use crate::tests::support::{DATE, parsed, rule};

fn page(records: &Value) -> super::RulesPage {
    rules_page(json!({ "SamplingRuleRecords": records }).to_string().as_bytes()).unwrap()
}

#[test]
fn a_page_of_rules_in_the_services_form_is_parsed() {
    // As in AWS's developer guide, with the fields of adaptive sampling.
    let body = json!({
        "SamplingRuleRecords": [{
            "SamplingRule": {
                "RuleName": "POST minimum",
                "RuleARN": "arn:aws:xray:us-west-2:123456789012:sampling-rule/POST minimum",
                "ResourceARN": "*",
                "Priority": 100,
                "FixedRate": 0.1,
                "ReservoirSize": 10,
                "ServiceName": "orders",
                "ServiceType": "*",
                "Host": "*",
                "HTTPMethod": "POST",
                "URLPath": "/v1/*",
                "Version": 1,
                "Attributes": { "tier": "gold" },
                "SamplingRateBoost": {
                    "MaxRate": 0.5, "CooldownWindowMinutes": 10, "DisableDefaultAnomalyDetection": false,
                },
            },
            "CreatedAt": 1_530_558_121.0,
            "ModifiedAt": 1_530_558_121.5,
        }],
        "NextToken": "more",
    });
    let page = rules_page(body.to_string().as_bytes()).unwrap();
    assert_eq!(page.next_token.as_deref(), Some("more"));
    assert_eq!(page.modified, Some(1_530_558_121.5));
    assert_eq!(page.unreadable, 0);
    let rule = &page.rules[0];
    assert_eq!((&*rule.name, rule.priority, rule.reservoir_size), ("POST minimum", 100, 10));
    assert!((rule.fixed_rate - 0.1).abs() < f64::EPSILON);
    assert!(rule.http_method.matches("POST") && !rule.http_method.matches("GET"));
    assert!(rule.url_path.matches("/v1/events") && !rule.url_path.matches("/"));
    assert!(rule.service_name.matches("orders") && !rule.service_name.matches("billing"));
    assert_eq!(rule.attributes.len(), 1);
}

#[test]
fn nulls_and_missing_fields_count_as_absent() {
    let mut bare = rule("bare", &json!({}));
    for (key, value) in bare.as_object_mut().unwrap() {
        if key != "RuleName" {
            *value = Value::Null;
        }
    }
    let page = page(&json!([
        { "SamplingRule": bare, "ModifiedAt": null },
        { "SamplingRule": { "RuleName": "bare" } },
        { "SamplingRule": rule("attribute", &json!({ "Attributes": { "tier": null } })) },
    ]));
    assert_eq!(page.rules[0], page.rules[1]);
    assert!(page.rules[0].url_path.matches("/anything"));
    assert_eq!((page.rules[0].priority, page.rules[0].reservoir_size), (10_000, 0));
    assert!(page.rules[2].attributes[0].1.matches("anything"));
    for body in ["{}", r#"{"SamplingRuleRecords": null, "NextToken": null}"#, r#"{"NextToken": ""}"#] {
        let page = rules_page(body.as_bytes()).unwrap();
        assert!(page.rules.is_empty() && page.next_token.is_none(), "{body}");
    }
}

#[test]
fn a_rule_that_cannot_be_parsed_does_not_affect_others() {
    let page = page(&json!([
        null,
        "text",
        { "SamplingRule": null },
        { "SamplingRule": rule("priority", &json!({ "Priority": "first" })) },
        { "SamplingRule": rule("future", &json!({ "Version": 2 })) },
        { "SamplingRule": rule("", &json!({})) },
        { "SamplingRule": rule("good", &json!({})) },
    ]));
    assert_eq!(page.rules.iter().map(|rule| &*rule.name).collect::<Vec<_>>(), ["good"]);
    assert_eq!(page.unreadable, 6);
}

#[test]
fn numbers_out_of_range_are_clamped() {
    let rule = parsed(&rule("a", &json!({ "FixedRate": 7.0, "ReservoirSize": -3 })));
    assert!((rule.fixed_rate - 1.0).abs() < f64::EPSILON);
    assert_eq!(rule.reservoir_size, 0);
}

#[test]
fn targets_in_the_services_form_are_parsed() {
    let body = json!({
        "SamplingTargetDocuments": [
            {
                "RuleName": "base-scorekeep",
                "FixedRate": 0.1,
                "ReservoirQuota": 2,
                "ReservoirQuotaTTL": 1_530_923_107.0,
                "Interval": 10,
                "SamplingBoost": { "BoostRate": 0.4, "BoostRateTTL": 1_530_923_100.0 },
            },
            { "RuleName": "without", "FixedRate": 0.2, "ReservoirQuota": null, "SamplingBoost": null },
            { "RuleName": "undated", "ReservoirQuota": 3, "Interval": -1, "SamplingBoost": {} },
            null,
        ],
        "LastRuleModification": 1_530_920_505.0,
        "UnprocessedStatistics": [{ "RuleName": "gone", "ErrorCode": "404", "Message": null }, 7],
        "UnprocessedBoostStatistics": [],
    });
    let targets = targets(body.to_string().as_bytes()).unwrap();
    let first = TargetUpdate {
        rule: "base-scorekeep".to_owned(),
        fixed_rate: Some(0.1),
        quota: Some((2, 1_530_923_107.0)),
        boost: Some((0.4, 1_530_923_100.0)),
        interval: Some(10),
    };
    let without =
        TargetUpdate { rule: "without".to_owned(), fixed_rate: Some(0.2), ..TargetUpdate::default() };
    let undated = TargetUpdate { rule: "undated".to_owned(), ..TargetUpdate::default() };
    assert_eq!(targets.updates, [first, without, undated]);
    assert_eq!(targets.last_modification, Some(1_530_920_505.0));
    assert_eq!(targets.unprocessed, ["gone: 404"]);
}

#[test]
fn requests_have_the_form_of_the_services_model() {
    assert_eq!(rules_request(None), json!({}));
    assert_eq!(rules_request(Some("more")), json!({ "NextToken": "more" }));
    let statistics = Statistics::default();
    statistics.count(Outcome::Borrowed);
    statistics.count(Outcome::Rate);
    statistics.count(Outcome::NotSampled);
    let reporter = Reporter { client_id: "0123456789abcdef01234567".to_owned(), service: "x".repeat(70) };
    let counted = report(&reporter, DATE, &[("orders".into(), statistics.take())]);
    let expected = json!({ "SamplingStatisticsDocuments": [{
        "RuleName": "orders",
        "ClientID": "0123456789abcdef01234567",
        "Timestamp": DATE,
        "RequestCount": 3,
        "SampledCount": 2,
        "BorrowCount": 1,
    }]});
    assert_eq!(serde_json::to_value(counted).unwrap(), expected);

    statistics.anomalies.count(Ended::Normally);
    statistics.anomalies.count(Ended::SampledAnomaly);
    statistics.anomalies.count(Ended::UnsampledAnomaly);
    let ended = report(&reporter, DATE, &[("orders".into(), statistics.take())]);
    let expected = json!({ "SamplingStatisticsDocuments": [], "SamplingBoostStatisticsDocuments": [{
        "RuleName": "orders",
        "ServiceName": "x".repeat(64),
        "Timestamp": DATE,
        "AnomalyCount": 2,
        "TotalCount": 3,
        "SampledAnomalyCount": 1,
    }]});
    assert_eq!(serde_json::to_value(ended).unwrap(), expected);
}

/// Generates JSON with the field names of responses.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z*?]{0,6}".prop_map(Value::from),
    ];
    let key = proptest::sample::select(vec![
        "SamplingRuleRecords",
        "SamplingRule",
        "RuleName",
        "Priority",
        "FixedRate",
        "Attributes",
        "NextToken",
        "SamplingTargetDocuments",
        "ReservoirQuota",
        "ReservoirQuotaTTL",
        "Interval",
        "SamplingBoost",
        "BoostRate",
        "LastRuleModification",
        "UnprocessedStatistics",
    ]);
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(key.clone(), inner, 0..5).prop_map(|map| Value::Object(
                map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            )),
        ]
    })
}

proptest! {
    #[test]
    fn parsing_never_panics_and_rates_stay_within_bounds(answer in json_value(), bytes in any::<Vec<u8>>()) {
        let body = answer.to_string();
        for body in [body.as_bytes(), &bytes] {
            for rule in rules_page(body).unwrap_or_default().rules {
                prop_assert!((0.0..=1.0).contains(&rule.fixed_rate));
            }
            for update in targets(body).unwrap_or_default().updates {
                prop_assert!(update.fixed_rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)));
            }
        }
    }
}
