//! What each keyword and operator finds.

use super::found;

fn all(cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        assert_eq!(found(expression), *expected, "{expression}");
    }
}

#[test]
fn simple_keywords_are_about_the_entry_point_and_service_about_any() {
    all(&[
        ("", "sfh"),
        ("fault", "f"),
        ("error", ""),
        ("service() { error }", "h"),
        ("throttle", "h"),
        ("partial", "h"),
        ("inferred", "sh"),
        ("root", "sfh"),
        (r#"service("backend.example.com") { root }"#, ""),
        (r#"service("api.example.com") { root }"#, "sf"),
        ("http.status = 502", "f"),
        ("service() { http.status = 500 }", "f"),
        ("service() { http.status >= 429 and http.status < 500 }", "h"),
        (r#"name = "api.example.com""#, "sf"),
        (r#"name = "membership""#, ""),
        (r#"service("membership")"#, "h"),
        (r#"type = "AWS::ECS::Fargate""#, "fh"),
        (r#"message = "the backend failed""#, "f"),
        (r#"service() { message CONTAINS "Access Denied" }"#, "f"),
        (r#"account.id = "123456789012""#, "s"),
        (r#"user = "alice""#, "s"),
        (r#"availabilityzone = "eu-central-1a""#, "s"),
        (r#"instance.id BEGINSWITH "i-""#, "s"),
        ("resource.arn", "s"),
        (r#"http.method = "POST""#, "fh"),
        (r#"http.useragent ENDSWITH "/8""#, "s"),
        (r#"http.clientip = "10.0.0.1""#, "s"),
        ("responsetime = 0.4", "s"),
        ("duration > 3 duration < 4", "h"),
    ]);
}

#[test]
fn keywords_and_operators_have_no_case_and_values_have_one() {
    all(&[
        ("FAULT", "f"),
        ("ResponseTime >= 6 oR DURATION < 1", "sf"),
        (r#"http.URL contains "/v1/orders" aNd !ok"#, "f"),
        (r#"HTTP.Method = "post""#, ""),
        (r#"Service("Membership")"#, ""),
        (r#"SERVICE("membership") { PARTIAL }"#, "h"),
        (r#"RootCause.Fault.Entity { LAST Name BeginsWith "des" }"#, "f"),
        ("ok = TRUE", "sh"),
        (r#"ok != "true""#, "f"),
        (r#"annotation.GameId = "817DL6VO""#, ""),
    ]);
}

#[test]
fn not_binds_closest_then_and_then_or() {
    all(&[
        ("fault OR ok throttle", "fh"),
        ("(fault OR ok) throttle", "h"),
        ("!fault ok", "sh"),
        ("!(fault OR throttle)", "s"),
        ("!!fault", "f"),
        ("fault OR throttle AND partial OR annotation.vip", "sfh"),
        ("!fault AND !throttle", "s"),
        ("((((ok))))", "sh"),
        ("service() { fault OR throttle }", "fh"),
        ("service() { !fault }", "sh"),
        ("!service() { fault }", "sh"),
        ("service(){}", "sfh"),
    ]);
}

#[test]
fn annotations_are_compared_within_their_type() {
    all(&[
        ("annotation.age = 30", "s"),
        ("annotation.age = 30.0", "s"),
        ("annotation.age != 30", "f"),
        (r#"annotation.age = "30""#, ""),
        ("annotation.age <= 17", "f"),
        ("annotation.age >= 17 annotation.age < 30", "f"),
        ("annotation.age > -1e3", "sf"),
        ("annotation.vip", "s"),
        ("annotation.vip = true", "s"),
        ("annotation.vip != true", ""),
        ("annotation.banned", ""),
        ("!annotation.banned", "sfh"),
        ("annotation.banned = false", "s"),
        (r#"annotation.gameid BEGINSWITH "817""#, "s"),
        (r#"annotation.gameid CONTAINS "DL""#, "s"),
        (r#"annotation.gameid ENDSWITH "VO""#, "s"),
        (r#"annotation.gameid != "x""#, "s"),
        (r#"annotation.page = "board""#, "s"),
        (r#"annotation[request.id] = "918" OR annotation[ request.id ] = "916""#, "sf"),
        (r#"service("backend.example.com") { annotation[request.id] }"#, "f"),
        (r#"service("api.example.com") { annotation[request.id] = "918" }"#, ""),
        (r#"annotation.customer_number = "000000000001" annotation.attempt = 2"#, "h"),
        ("service() { annotation.customer_number annotation.attempt }", ""),
        ("annotation.customer_number = 1", ""),
    ]);
}

#[test]
fn services_and_edges_are_those_of_the_service_map() {
    all(&[
        ("service()", "sfh"),
        (r#"service("games")"#, "s"),
        (r#"service(id(type: "AWS::DynamoDB::Table"))"#, "sh"),
        (r#"service(id(type: "AWS::DynamoDB::Table", name: "members")) { ok inferred }"#, "h"),
        (r#"service("EventBridge") { throttle }"#, "h"),
        ("edge()", "sfh"),
        (r#"edge("api.example.com", "games")"#, "s"),
        (r#"edge("games", "api.example.com")"#, ""),
        (r#"edge("ingest", "EventBridge") { error }"#, "h"),
        (r#"edge("EventBridge", "membership")"#, "h"),
        (r#"edge("EventBridge", "membership") { responsetime > 2.9 }"#, "h"),
        (r#"edge("ingest", "membership")"#, ""),
        (r#"!edge("api.example.com", "backend.example.com")"#, "sh"),
        (
            r#"edge(id(type: "AWS::ECS::Fargate"), "backend.example.com") { http.url CONTAINS "stock" fault }"#,
            "f",
        ),
        (r#"edge("api.example.com", "backend.example.com") { responsetime = 5 }"#, "f"),
        (r#"edge("api.example.com", "backend.example.com") { source.annotation.age = 17 }"#, "f"),
        (r#"edge("api.example.com", "backend.example.com") { annotation.age }"#, ""),
    ]);
}

#[test]
fn root_causes_lead_from_the_entry_point_to_where_it_began() {
    all(&[
        ("rootcause.fault.service", "f"),
        ("rootcause.error.service", "h"),
        ("rootcause.responsetime.service", "sfh"),
        (r#"rootcause.fault.service { first name = "api.example.com" }"#, "f"),
        (
            r#"rootcause.fault.service { last name = "backend.example.com" type = "AWS::Lambda::Function" }"#,
            "f",
        ),
        (r#"rootcause.fault.service { index = 1 name = "backend.example.com" }"#, "f"),
        ("rootcause.fault.service { index = 2 }", ""),
        ("rootcause.fault.service { inferred }", ""),
        ("rootcause.error.service { last inferred }", "h"),
        (r#"rootcause.fault.entity { remote name = "backend.example.com" }"#, "f"),
        (r#"rootcause.fault.entity { last name = "deserialize" !remote }"#, "f"),
        (r#"rootcause.fault.exception { first name = "BadGateway" }"#, "f"),
        (r#"rootcause.error.exception { name = "ThrottlingException" message = "rate exceeded" }"#, "h"),
        ("rootcause.responsetime.entity { last coverage > 0.7 }", "sf"),
        (
            r#"rootcause.responsetime.entity { remote and coverage > 0.8 and name = "backend.example.com" }"#,
            "f",
        ),
        ("rootcause.responsetime.entity { first coverage = 1 }", "sfh"),
        (
            r#"rootcause.json = #[{"Services": [{"Name": "api.example.com"}, {"Name": "backend.example.com"}]}]"#,
            "f",
        ),
        (r#"rootcause.json = #[{"Services": [{"Name": "api.example.com"}]}]"#, "s"),
        (r#"rootcause.json != #[{"Services": [{"Name": "api.example.com"}]}]"#, "fh"),
        (
            r#"rootcause.json = #[{"Services": [{}, {"EntityPath": [{}, {"Exceptions": [{"Name": "SyntaxError"}]}]}]}] AND fault"#,
            "f",
        ),
    ]);
}
