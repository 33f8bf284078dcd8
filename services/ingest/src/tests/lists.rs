//! Lists of events.

use super::*;

/// Fails for the events of the customer whose number ends in 9.
fn picky() -> Bus {
    Bus::new(|envelope| match envelope.customer_number.as_deref() {
        Some(number) if number.ends_with('9') => Err(throttled()),
        _ => Ok(()),
    })
}

fn unpublishable() -> Value {
    let mut event = renamed();
    event["customer_number"] = json!("999999999999");
    event
}

#[tokio::test(start_paused = true)]
async fn answers_come_in_the_order_of_the_events_each_in_its_place() {
    let bus = picky();
    let body = json!([renamed(), invalid(), unpublishable(), 5, renamed()]);
    let answer = post_json(&Service::over(&bus).router(), &body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.header("content-type"), "application/json");
    let answers = answer.body.as_array().unwrap();
    let statuses: Vec<_> = answers.iter().map(|answer| answer["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [202, 422, 503, 422, 202]);
    assert_eq!(answers[1]["index"], 1);
    assert_eq!(answers[1]["errors"][0]["pointer"], "/data/name/family");
    assert_eq!(answers[2]["index"], 2);
    assert!(answers[2]["event_id"].is_string());
    assert_eq!(answers[3]["errors"][0]["pointer"], "");
    let published: Vec<_> =
        bus.published().iter().map(|(envelope, _)| envelope.metadata.event_id.to_string()).collect();
    assert_eq!(
        published,
        [answers[0]["event_id"].as_str().unwrap(), answers[4]["event_id"].as_str().unwrap()]
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_of_bad_events_is_422() {
    let answer = post_json(&Service::over(&Bus::accepting()).router(), &json!([invalid(), {}])).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.body.as_array().unwrap().len(), 2);
    assert_eq!(answer.header("retry-after"), "");
}

#[tokio::test(start_paused = true)]
async fn a_list_of_which_nothing_could_be_published_is_503() {
    let router = Service::over(&Bus::failing()).router();
    for body in [json!([renamed(), renamed()]), json!([invalid(), renamed()])] {
        let answer = post_json(&router, &body).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), "5");
        assert_eq!(answer.body[1]["type"], "urn:foostore:problem:not-published");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_has_1_to_500_events() {
    let bus = Bus::accepting();
    let router = Service::over(&bus).router();
    for length in [0, 501] {
        let answer = post_json(&router, &Value::from(vec![renamed(); length])).await;
        answer.is_problem(422, "invalid-list");
        assert!(answer.body["detail"].as_str().unwrap().contains("500"));
    }
    assert!(bus.published().is_empty());
    let answer = post_json(&router, &Value::from(vec![renamed(); 500])).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(bus.published().len(), 500);
}

#[tokio::test(start_paused = true)]
async fn events_of_a_list_are_published_at_the_same_time() {
    let bus = Bus::accepting().taking(Duration::from_secs(1));
    let start = tokio::time::Instant::now();
    let answer = post_json(&Service::over(&bus).router(), &Value::from(vec![renamed(); 100])).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_same_event_may_come_twice() {
    let bus = Bus::accepting();
    let mut event = renamed();
    event["event_id"] = json!("0b5e4e0c-3f0d-4e0e-9a53-5f6f0d1c2b3a");
    let answer = post_json(&Service::over(&bus).router(), &json!([event, event])).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(bus.published().len(), 2);
}

/// The answer to many wrong events is not many times as long as they are.
#[tokio::test(start_paused = true)]
async fn the_answer_to_a_list_is_bounded() {
    let router = Service::over(&Bus::accepting()).router();
    let mut wrong = json!({"customer_number": "1"});
    for number in 0..100 {
        wrong[format!("field{number}")] = json!(1);
    }
    for (event, most) in [(json!({}), 50_000), (wrong, 60_000)] {
        let answer = post_json(&router, &Value::from(vec![event; 500])).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        let answers = answer.body.as_array().unwrap();
        let errors = |answer: &Value| answer["errors"].as_array().map_or(0, Vec::len);
        assert!((2..=50).contains(&answers.iter().map(errors).sum::<usize>()));
        assert!(errors(&answers[0]) > 1);
        for (index, answer) in answers.iter().enumerate() {
            assert_eq!((&answer["status"], &answer["index"]), (&json!(422), &json!(index)));
            assert_eq!(answer["type"], "urn:foostore:problem:invalid-event");
        }
        let length = answer.body.to_string().len();
        assert!(length < most, "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_read_spoils_no_other() {
    let bus = Bus::accepting();
    let event = renamed();
    let long = format!("{{\"{}\": 1}}", "x".repeat(900_000));
    let body = format!(
        "[{event}, {}{}, {{\"data\": 1, \"data\": 2}}, 1e999, {long}]",
        "[".repeat(200),
        "]".repeat(200)
    );
    let answer = send(&Service::over(&bus).router(), post(body)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let statuses: Vec<_> =
        answer.body.as_array().unwrap().iter().map(|answer| answer["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [202, 422, 422, 422, 422]);
    assert_eq!(answer.body[2]["errors"][0]["pointer"], "/data");
    assert!(answer.body.to_string().len() < 5_000);
    assert_eq!(bus.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_events_in_the_future_is_409() {
    let router = Service::over(&Bus::accepting()).router();
    let mut future = renamed();
    future["occurred_at"] = json!("2099-01-01T00:00:00Z");
    let answer = post_json(&router, &json!([future, future])).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(answer.body[1]["type"], "urn:foostore:problem:future-event");
    let answer = post_json(&router, &json!([future, invalid()])).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}
