use opentelemetry::KeyValue;
use serde_json::{Value, json};

use super::{Request, Service};
use crate::rule::Rule;
use crate::tests::support::{parsed, resource, rule};

fn rule_with(changes: &Value) -> Rule {
    parsed(&rule("orders", changes))
}

fn service(attributes: &[(&'static str, &'static str)]) -> Service {
    Service::of(&resource(attributes))
}

fn matches_service(changes: &Value, attributes: &[(&'static str, &'static str)]) -> bool {
    service(attributes).matches(&rule_with(changes))
}

fn matches_request(changes: &Value, attributes: &[KeyValue]) -> bool {
    Request::of(&service(&[]), attributes).matches(&rule_with(changes))
}

const FARGATE: [(&str, &str); 3] =
    [("service.name", "orders"), ("cloud.platform", "aws_ecs"), ("aws.ecs.launchtype", "fargate")];

#[test]
fn the_service_name_is_matched() {
    assert!(matches_service(&json!({ "ServiceName": "ord*" }), &FARGATE));
    assert!(matches_service(&json!({ "ServiceName": "ORDERS" }), &FARGATE));
    assert!(!matches_service(&json!({ "ServiceName": "orders-" }), &FARGATE));
}

#[test]
fn a_service_on_ecs_has_two_types() {
    let matches = |service_type: &str, launch_type: &'static str| {
        let attributes = [("cloud.platform", "aws_ecs"), ("aws.ecs.launchtype", launch_type)];
        matches_service(&json!({ "ServiceType": service_type }), &attributes)
    };
    for launch_type in ["fargate", "ec2", "external"] {
        assert!(matches("AWS::ECS::Container", launch_type), "{launch_type}");
        assert!(matches("AWS::ECS::*", launch_type), "{launch_type}");
        assert!(!matches("AWS::EC2::Instance", launch_type), "{launch_type}");
    }
    assert!(matches("AWS::ECS::Fargate", "FARGATE"));
    assert!(!matches("AWS::ECS::Fargate", "ec2"));
    assert!(matches("AWS::ECS::EC2", "ec2"));
    assert!(!matches("AWS::ECS::EC2", "fargate"));
}

#[test]
fn other_platforms_have_one_type_or_none() {
    for (platform, service_type) in [
        ("aws_ec2", "AWS::EC2::Instance"),
        ("aws_eks", "AWS::EKS::Container"),
        ("aws_lambda", "AWS::Lambda::Function"),
        ("aws_elastic_beanstalk", "AWS::ElasticBeanstalk::Environment"),
        ("aws_app_runner", "AWS::AppRunner::Service"),
    ] {
        assert!(matches_service(&json!({ "ServiceType": service_type }), &[("cloud.platform", platform)]));
    }
    for platform in ["gcp_cloud_run", ""] {
        assert!(!matches_service(&json!({ "ServiceType": "AWS::*" }), &[("cloud.platform", platform)]));
        assert!(matches_service(&json!({ "ServiceType": "*" }), &[("cloud.platform", platform)]));
    }
}

#[test]
fn the_arn_is_the_containers_or_the_functions() {
    let arn_matches = |resource: &[(&'static str, &'static str)], span: &[KeyValue]| {
        let pattern = rule_with(&json!({ "ResourceARN": "arn:aws:*:wanted" }));
        Request::of(&service(resource), span).matches(&pattern)
    };
    assert!(arn_matches(&[("aws.ecs.container.arn", "arn:aws:ecs:wanted")], &[]));
    assert!(!arn_matches(&[("aws.ecs.container.arn", "arn:aws:ecs:other")], &[]));
    let lambda = ("cloud.platform", "aws_lambda");
    assert!(arn_matches(&[lambda, ("cloud.resource_id", "arn:aws:lambda:wanted")], &[]));
    for key in ["cloud.resource_id", "aws.lambda.invoked_arn"] {
        assert!(arn_matches(&[lambda], &[KeyValue::new(key, "arn:aws:lambda:wanted")]), "{key}");
    }
    let elsewhere = [("cloud.platform", "aws_ecs"), ("cloud.resource_id", "arn:aws:ecs:wanted")];
    assert!(!arn_matches(&elsewhere, &[KeyValue::new("cloud.resource_id", "arn:aws:lambda:wanted")]));
}

#[test]
fn every_pattern_of_a_rule_must_match_the_request() {
    let attributes = [
        KeyValue::new("url.path", "/v1/Events"),
        KeyValue::new("http.request.method", "POST"),
        KeyValue::new("server.address", "api.example.com"),
    ];
    let rule = json!({ "URLPath": "/V1/*", "HTTPMethod": "post", "Host": "*.EXAMPLE.com" });
    assert!(matches_request(&rule, &attributes));
    for (key, pattern) in [("URLPath", "/v2/*"), ("HTTPMethod", "GET"), ("Host", "example.com")] {
        let mut other = rule.clone();
        other[key] = json!(pattern);
        assert!(!matches_request(&other, &attributes), "{key}");
    }
}

#[test]
fn an_absent_value_matches_only_a_pattern_that_matches_nothing() {
    for key in ["URLPath", "HTTPMethod", "Host", "ResourceARN"] {
        assert!(matches_request(&json!({ key: "*" }), &[]), "{key}");
        assert!(matches_request(&json!({ key: "" }), &[]), "{key}");
        assert!(!matches_request(&json!({ key: "?*" }), &[]), "{key}");
    }
    assert!(!matches_request(&json!({ "URLPath": "/" }), &[]), "no path is not the root path");
    for key in ["ServiceName", "ServiceType"] {
        assert!(matches_service(&json!({ key: "*" }), &[]), "{key}");
        assert!(!matches_service(&json!({ key: "?*" }), &[]), "{key}");
    }
}

#[test]
fn all_attributes_of_a_rule_must_be_present_and_match_as_text() {
    let rule = json!({ "Attributes": { "tier": "GO?D", "attempt": "1*", "vip": "true" } });
    let attributes =
        vec![KeyValue::new("tier", "gold"), KeyValue::new("attempt", 12), KeyValue::new("vip", true)];
    assert!(matches_request(&rule, &attributes));
    for missing in 0..attributes.len() {
        let mut fewer = attributes.clone();
        fewer.remove(missing);
        assert!(!matches_request(&rule, &fewer), "{missing}");
    }
    let mut changed = attributes;
    changed.push(KeyValue::new("attempt", 2));
    assert!(!matches_request(&rule, &changed), "the last value of a key wins");
    assert!(!matches_request(&json!({ "Attributes": { "tier": "*" } }), &[]), "any value, but not none");
}

#[test]
fn the_default_rule_matches_whatever_its_patterns_are() {
    let never = json!({ "ServiceName": "x", "ServiceType": "x", "URLPath": "x", "Attributes": { "x": "x" } });
    let default = parsed(&rule("Default", &never));
    let service = service(&FARGATE);
    assert!(service.matches(&default));
    assert!(Request::of(&service, &[]).matches(&default));
}
