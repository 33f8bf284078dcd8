//! The blocks `http`, `sql` and `aws`, and the origin.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;

use super::super::{Attributes, documents};
use super::{one, pairs, span, text, texts};

#[test]
fn several_tables_are_a_list() {
    let attributes = [("rpc.system", text("aws-api")), ("aws.dynamodb.table_names", texts(&["a", "b"]))];
    let aws = one(&span(SpanKind::Client, "c", &attributes)).aws.unwrap();
    assert_eq!((aws.table_name, aws.table_names), (None, vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn the_http_block_is_made_of_the_stable_conventions() {
    let attributes = [
        ("http.request.method", text("POST")),
        ("url.scheme", text("https")),
        ("server.address", text("api.example.com")),
        ("server.port", Any::IntValue(8443)),
        ("url.path", text("/v1/events")),
        ("url.query", text("a=b")),
        ("user_agent.original", text("curl/8")),
        ("client.address", text("192.0.2.1")),
        ("http.response.status_code", Any::IntValue(202)),
        ("http.route", text("/v1/events")),
    ];
    let segment = one(&span(SpanKind::Server, "POST /v1/events", &attributes));
    let wanted = json!({
        "request": {"method": "POST", "url": "https://api.example.com:8443/v1/events?a=b", "user_agent": "curl/8",
            "client_ip": "192.0.2.1", "x_forwarded_for": true},
        "response": {"status": 202, "content_length": 0}
    });
    assert_eq!(serde_json::to_value(segment.http).unwrap(), wanted);
    assert_eq!(segment.metadata["default"]["http.route"], "/v1/events");
}

#[test]
fn the_http_block_is_made_of_the_older_conventions() {
    let attributes = [
        ("http.method", text("GET")),
        ("http.scheme", text("http")),
        ("net.peer.name", text("kb234.example.com")),
        ("net.peer.port", Any::IntValue(8080)),
        ("net.peer.ip", text("10.8.17.36")),
        ("http.target", text("/users/junit")),
        ("http.status_code", Any::IntValue(200)),
    ];
    let http = one(&span(SpanKind::Client, "GET", &attributes)).http.unwrap();
    let request = http.request.unwrap();
    assert_eq!(request.url.as_deref(), Some("http://kb234.example.com:8080/users/junit"));
    assert_eq!((request.client_ip.as_deref(), request.x_forwarded_for), (Some("10.8.17.36"), None));
}

#[test]
fn without_a_host_there_is_no_url_and_without_http_no_block() {
    let attributes =
        [("http.request.method", text("GET")), ("url.path", text("/")), ("client.address", text("x"))];
    let request = one(&span(SpanKind::Server, "s", &attributes)).http.unwrap().request.unwrap();
    assert_eq!((request.url, request.client_ip), (None, None));
    let segment = one(&span(SpanKind::Client, "s", &[("server.address", text("db"))]));
    assert!(segment.http.is_none() && segment.metadata.is_empty());
}

#[test]
fn sql_calls_have_their_block() {
    let attributes = [
        ("db.system", text("postgresql")),
        ("db.name", text("orders")),
        ("db.user", text("reader")),
        ("db.statement", text("SELECT ?")),
    ];
    let segment = one(&span(SpanKind::Client, "SELECT orders", &attributes));
    assert_eq!(segment.name, "orders");
    let sql = segment.sql.unwrap();
    assert_eq!(sql.connection_string.as_deref(), Some("localhost/orders"));
    assert_eq!(sql.sanitized_query.as_deref(), Some("SELECT ?"));
    let dynamodb = one(&span(SpanKind::Client, "c", &[("db.system", text("dynamodb"))]));
    assert!(dynamodb.sql.is_none());
    assert_eq!(dynamodb.metadata["default"]["db.system"], "dynamodb");
}

#[test]
fn the_origin_tells_where_a_service_runs() {
    let cases = [
        ("aws_ecs", Some("ec2"), Some("AWS::ECS::EC2")),
        ("aws_ecs", None, Some("AWS::ECS::Container")),
        ("aws_ec2", None, Some("AWS::EC2::Instance")),
        ("aws_eks", None, Some("AWS::EKS::Container")),
        ("aws_elastic_beanstalk", None, Some("AWS::ElasticBeanstalk::Environment")),
        ("aws_app_runner", None, Some("AWS::AppRunner::Service")),
        ("other", None, None),
    ];
    for (platform, launch_type, origin) in cases {
        let mut attributes = vec![("cloud.platform", text(platform))];
        attributes.extend(launch_type.map(|launch_type| ("aws.ecs.launchtype", text(launch_type))));
        let resource = Attributes::new(&pairs(&attributes));
        let segment = documents(&span(SpanKind::Server, "s", &[]), &resource, &[]).unwrap().remove(0);
        assert_eq!(segment.origin.as_deref(), origin, "{platform}");
    }
}

#[test]
fn another_cloud_has_neither_origin_nor_aws_block() {
    let resource = pairs(&[("cloud.provider", text("gcp")), ("cloud.platform", text("aws_ecs"))]);
    let attributes = [
        ("aws.span.kind", text("LOCAL_ROOT")),
        ("aws.local.service", text("a")),
        ("aws.remote.service", text("b")),
    ];
    let documents =
        documents(&span(SpanKind::Consumer, "s", &attributes), &Attributes::new(&resource), &[]).unwrap();
    assert!(documents.iter().all(|segment| segment.origin.is_none() && segment.aws.is_none()));
}

#[test]
fn log_groups_come_from_the_resource_by_arn_or_by_name() {
    let arn = "arn:aws:logs:eu-central-1:000000000000:log-group:/ecs/foostore:*";
    let by_arn = pairs(&[("aws.log.group.arns", texts(&[arn])), ("aws.log.group.names", text("ignored"))]);
    let by_name = pairs(&[("aws.log.group.names", text("a&b&"))]);
    for (resource, wanted) in [
        (by_arn, json!([{"log_group": "/ecs/foostore", "arn": arn}])),
        (by_name, json!([{"log_group": "a"}, {"log_group": "b"}])),
    ] {
        let segment =
            documents(&span(SpanKind::Server, "s", &[]), &Attributes::new(&resource), &[]).unwrap().remove(0);
        assert_eq!(serde_json::to_value(segment.aws.unwrap().cloudwatch_logs).unwrap(), wanted);
    }
}
