//! Every example of the guide (<https://docs.aws.amazon.com/xray/latest/devguide/xray-console-filters.html>), of its
//! earlier editions and of the pages that refer to it.

use super::found;

#[test]
fn every_example_of_the_guide_finds_what_it_says() {
    let pattern = r#"rootcause.json = #[{ "Services": [ { "Name": "GetWeatherData", "EntityPath": [{ "Name": "GetWeatherData" },
        { "Name": "get_temperature" } ] }, { "Name": "GetTemperature", "EntityPath": [ { "Name": "GetTemperature" } ] } ] }]"#;
    for (expression, expected) in [
        ("responsetime > 5", "f"),
        ("duration >= 5 AND duration <= 8", "f"),
        ("ok", "sh"),
        ("!ok", "f"),
        ("ok = false", "f"),
        (r#"rootcause.fault.entity { last and name = "deserialize" }"#, "f"),
        (r#"rootcause.responsetime.entity { remote and coverage > 0.7 and name = "traces" }"#, ""),
        (r#"rootcause.fault.service { inferred and name = traces and type = "AWS::DynamoDB" }"#, ""),
        (r#"service("data-plane") {root = true and fault = true}"#, ""),
        ("http.status != 200", "fh"),
        ("ok !partial duration <3", "s"),
        ("rootcause.fault.service { index > 5 }", ""),
        ("rootcause.responsetime.entity { last and coverage > 0.8 }", "s"),
        (r#"http.url CONTAINS "/api/game/""#, "s"),
        (r#"user CONTAINS """#, "s"),
        (r#"rootcause.fault.service { name = "Auth" }"#, ""),
        (r#"rootcause.responsetime.service { last and type = "AWS::DynamoDB" }"#, ""),
        (
            r#"rootcause.fault.exception { last and message = "Access Denied for account_id: 1234567890" }"#,
            "f",
        ),
        (r#"service("api.example.com") { fault }"#, "f"),
        ("service() { fault }", "f"),
        (r#"edge("api.example.com", "backend.example.com") { error }"#, ""),
        (
            r#"http.url BEGINSWITH "http://api.example.com/" AND http.url CONTAINS "/v2/" AND !service("api.example.com")"#,
            "",
        ),
        ("http.url AND responseTime > 2", "f"),
        (r#"annotation.gameid = "817DL6VO""#, "s"),
        ("annotation.age", "sf"),
        ("!annotation.age", "h"),
        ("annotation.age > 29", "s"),
        (r#"annotation[gameid] = "817DL6VO""#, "s"),
        ("annotation[age]", "sf"),
        (r#"service { annotation[request.id] = "918" }"#, "f"),
        (r#"edge { source.annotation[request.id] = "916" }"#, "s"),
        (r#"edge { destination.annotation[request.id] = "918" }"#, "f"),
        (pattern, ""),
        (r#"service(id(name: "random-name", type: "AWS::Lambda::Function")) { error }"#, ""),
        (r#"service(id(type: "AWS::Lambda::Function")) { fault }"#, "f"),
        (
            r#"edge(id(name: "api.example.com", type:"AWS::ECS::Fargate"), id(name: "backend.example.com", type:"AWS::Lambda::Function")) { fault }"#,
            "f",
        ),
        (
            r#"service("api.example.com") { fault = true OR responsetime > 2.5 } AND annotation.account = "12345""#,
            "f",
        ),
        (r#"edge("api.example.com", "backend.example.com") { fault = true }"#, "f"),
        (r#"service(id(account.id: "123456789012"))"#, "s"),
        (r#"Annotation.Status = "FAILED""#, ""),
    ] {
        assert_eq!(found(expression), expected, "{expression}");
    }
}

#[test]
fn a_group_that_is_not_resolved_holds_for_no_trace() {
    assert_eq!(found(r#"group.name = "high_response_time" AND user = "alice""#), "");
    assert_eq!(found(r#"groupname = "Default""#), "");
}
