//! What a request must be before its events are looked at.

use super::*;

fn local() -> Router {
    Service::over(&Bus::accepting()).router()
}

async fn send_typed(router: &Router, content_type: &str) -> Answer {
    let request = Request::post("/v1/events").header("content-type", content_type);
    send(router, request.body(Body::from(renamed().to_string())).unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn the_content_type_is_json() {
    let router = local();
    for right in ["application/json", "Application/JSON; charset=utf-8", "application/json;x=y"] {
        assert_eq!(send_typed(&router, right).await.status, StatusCode::ACCEPTED, "{right}");
    }
    for wrong in ["", "text/plain", "application/jsonp", "application/x-www-form-urlencoded"] {
        send_typed(&router, wrong).await.is_problem(415, "unsupported-media-type");
    }
    let untyped = Request::post("/v1/events").body(Body::from(renamed().to_string())).unwrap();
    send(&router, untyped).await.is_problem(415, "unsupported-media-type");
    let mut compressed = post("{}");
    compressed.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    send(&router, compressed).await.is_problem(415, "unsupported-media-type");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_json_is_told_where() {
    let router = local();
    for (body, place) in [
        ("", "ends too early: at line 1, column 0"),
        ("{\"type\": ", "ends too early: at line 1, column 9"),
        ("{\n  \"type\": Ada}", "is not JSON: at line 2, column 11"),
        ("{} {}", "is not JSON: at line 1, column 4"),
        (&"[".repeat(1_000), "ends too early: at line 1, column 1000"),
    ] {
        let answer = send(&router, post(body.to_owned())).await;
        answer.is_problem(400, "malformed-json");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(place), "{detail}");
        assert!(!detail.contains("Ada"));
    }
    send(&router, post(vec![b'"', 0xff, b'"'])).await.is_problem(400, "malformed-json");
}

#[tokio::test(start_paused = true)]
async fn a_body_has_at_most_a_mebibyte() {
    let router = local();
    let padded = |length: usize| {
        let event = renamed().to_string();
        format!("{event}{}", " ".repeat(length - event.len()))
    };
    let answer = send(&router, post(padded(1024 * 1024))).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    send(&router, post(padded(1024 * 1024 + 1))).await.is_problem(413, "body-too-large");
    let mut declared = post("{}");
    declared.headers_mut().insert("content-length", "1048577".parse().unwrap());
    send(&router, declared).await.is_problem(413, "body-too-large");
}

#[tokio::test(start_paused = true)]
async fn other_methods_are_refused_with_the_right_one() {
    let router = local();
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let request = Request::builder().method(method).uri("/v1/events").body(Body::empty()).unwrap();
        let answer = send(&router, request).await;
        answer.is_problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), "POST");
    }
    let request = Request::post("/openapi.json").body(Body::empty()).unwrap();
    let answer = send(&router, request).await;
    answer.is_problem(405, "method-not-allowed");
    assert_eq!(answer.header("allow"), "GET,HEAD");
    let request = Request::post("/health/live").body(Body::empty()).unwrap();
    send(&router, request).await.is_problem(405, "method-not-allowed");
}

#[tokio::test(start_paused = true)]
async fn other_paths_are_not_found() {
    for path in ["/", "/v1", "/v1/events/", "/v2/events", "/health"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        send(&local(), request).await.is_problem(404, "not-found");
    }
}

#[tokio::test(start_paused = true)]
async fn health_is_told() {
    let service = Service::over(&Bus::accepting());
    let health = service.health.clone();
    let router = service.router();
    let get = |path: &str| send(&router, Request::get(path).body(Body::empty()).unwrap());
    assert_eq!(get("/health/live").await.status, StatusCode::OK);
    assert_eq!(get("/health/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
    health.ready();
    assert_eq!(get("/health/ready").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_given_up() {
    let body = Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    send(&local(), post(body)).await.is_problem(408, "request-timeout");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_refused() {
    let broken = std::io::Error::other("Ada Lovelace");
    let body = Body::from_stream(futures_util::stream::once(async { Err::<bytes::Bytes, _>(broken) }));
    let answer = send(&local(), post(body)).await;
    answer.is_problem(400, "malformed-json");
    assert!(!answer.body.to_string().contains("Ada"));
}

#[tokio::test(start_paused = true)]
async fn more_requests_than_allowed_are_told_to_come_back() {
    let bus = Bus::accepting().taking(Duration::from_secs(1));
    let mut service = Service::over(&bus);
    service.limits.concurrent_requests = 2;
    let router = service.router();
    let event = renamed();
    let (one, two, three) =
        tokio::join!(post_json(&router, &event), post_json(&router, &event), post_json(&router, &event));
    let mut statuses = [one.status, two.status, three.status].map(|status| status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 202, 503]);
    three.is_problem(503, "overloaded");
    assert_eq!(three.header("retry-after"), "5");
    assert_eq!(post_json(&router, &event).await.status, StatusCode::ACCEPTED, "the places are free again");
}
