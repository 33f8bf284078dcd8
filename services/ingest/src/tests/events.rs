//! A single event.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_accepted_event_is_on_the_bus() {
    let bus = Bus::accepting();
    let answer = post_json(&Service::over(&bus).router(), &renamed()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.header("content-type"), "application/json");
    let published = bus.published();
    assert_eq!(published.len(), 1);
    assert_eq!(answer.body["event_id"], published[0].0.metadata.event_id.to_string());
    assert_eq!(published[0].0.event_type, "CustomerRenamed");
    assert_eq!(answer.body.get("status"), None);
}

#[tokio::test(start_paused = true)]
async fn a_given_event_id_is_kept() {
    let bus = Bus::accepting();
    let mut event = renamed();
    event["event_id"] = json!("0b5e4e0c-3f0d-4e0e-9a53-5f6f0d1c2b3a");
    let answer = post_json(&Service::over(&bus).router(), &event).await;
    assert_eq!(answer.body["event_id"], event["event_id"]);
    assert_eq!(bus.published()[0].0.metadata.correlation_id.to_string(), event["event_id"].as_str().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_bad_event_is_told_every_wrong_field_and_goes_nowhere() {
    let bus = Bus::accepting();
    let event = json!({
        "type": "CustomerRenamed", "customer_number": "12", "data": {"name": {"given": "", "nick": "Ada"}},
    });
    let answer = post_json(&Service::over(&bus).router(), &event).await;
    answer.is_problem(422, "invalid-event");
    let errors = answer.body["errors"].as_array().unwrap();
    let mut pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/customer_number", "/data/name/family", "/data/name/given", "/data/name/nick"]);
    assert!(errors.iter().all(|error| !error["detail"].as_str().unwrap().is_empty()));
    assert!(answer.body.get("index").is_none());
    assert!(bus.published().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unpublished_event_may_be_sent_again_under_its_id() {
    let failures = [
        throttled(),
        PublishError::Refused {
            error: AwsError::of_entry("EventBridge", "PutEvents", "MalformedDetail", None),
            attempts: 1,
        },
        PublishError::QueueFull { service: "EventBridge" },
        PublishError::Closed,
    ];
    for failure in failures {
        let bus = Bus::new(move |_| Err(failure.clone()));
        let answer = post_json(&Service::over(&bus).router(), &renamed()).await;
        answer.is_problem(503, "not-published");
        assert_eq!(answer.header("retry-after"), "5");
        assert!(answer.body["event_id"].is_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_does_not_answer_in_time_is_a_503() {
    let bus = Bus::accepting().taking(Duration::from_mins(1));
    let answer = post_json(&Service::over(&bus).router(), &renamed()).await;
    answer.is_problem(503, "not-published");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_hangs_up_does_not_cut_its_event_off() {
    let bus = Bus::accepting().taking(Duration::from_secs(1));
    let router = Service::over(&bus).router();
    let posting = tokio::spawn(async move { post_json(&router, &renamed()).await });
    tokio::time::sleep(Duration::from_millis(10)).await;
    posting.abort();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bus.published().len(), 1);
}
