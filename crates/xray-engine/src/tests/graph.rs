//! Service maps and statistics over time, read by the AWS SDK.

use aws_sdk_xray::primitives::DateTime;
use aws_sdk_xray::types::{Edge, Service};

use super::{START, Served, flow, serve};
use crate::Settings;

/// Exports the request that sends an event, its publication, which is throttled, and its processing.
async fn served() -> Served {
    let served = serve(Settings::default()).await;
    served.export(flow().to_vec()).await;
    served
}

fn names(services: &[Service]) -> Vec<(&str, &str, &str)> {
    services
        .iter()
        .map(|service| (service.name().unwrap(), service.r#type().unwrap(), service.state().unwrap()))
        .collect()
}

/// Returns the edges as the names of their ends.
fn edges(services: &[Service]) -> Vec<(&str, &str, &Edge)> {
    let name =
        |id: i32| services.iter().find(|service| service.reference_id() == Some(id)).unwrap().name().unwrap();
    let of =
        |service| Service::edges(service).iter().map(move |edge| (Service::name(service).unwrap(), edge));
    services
        .iter()
        .flat_map(of)
        .map(|(from, edge)| (from, name(edge.reference_id().unwrap()), edge))
        .collect()
}

#[tokio::test]
async fn a_service_graph_has_the_client_the_services_and_what_they_call() {
    let served = served().await;
    let graph = served.client.get_service_graph();
    let range = graph.start_time(DateTime::from_secs(START - 60)).end_time(DateTime::from_secs(START + 60));
    let answer = range.send().await.unwrap();
    let services = answer.services();
    assert_eq!(
        names(services),
        [
            ("EventBridge", "AWS::EventBridge", "unknown"),
            ("foostore-email", "AWS::ECS::Fargate", "active"),
            ("foostore-membership", "AWS::ECS::Fargate", "active"),
            ("foostore-membership", "client", "unknown"),
        ]
    );
    let found = edges(services);
    let ends: Vec<_> = found.iter().map(|(from, to, _)| (*from, *to)).collect();
    assert_eq!(
        ends,
        [
            ("EventBridge", "foostore-email"),
            ("foostore-membership", "EventBridge"),
            ("foostore-membership", "foostore-membership"),
        ]
    );
    assert_eq!(services[2].root(), Some(true));
    assert!(services[3].summary_statistics().is_none(), "a client has none");

    let (_, _, message) = found[0];
    assert_eq!(message.edge_type(), Some("link"), "although it was received while it was being published");
    let (_, _, published) = found[1];
    let statistics = published.summary_statistics().unwrap();
    assert_eq!(statistics.error_statistics().unwrap().throttle_count(), Some(1));
    assert_eq!(published.response_time_histogram()[0].count(), 1);
}

#[tokio::test]
async fn a_message_is_a_link_with_its_age() {
    let served = serve(Settings::default()).await;
    let [request, send, mut process] = flow();
    process.start_time_unix_nano += 3_000_000_000;
    process.end_time_unix_nano += 3_000_000_000;
    served.export(vec![request, send, process]).await;
    let id = served.search("").await.remove(0);
    let answer = served.client.get_trace_graph().trace_ids(id).send().await.unwrap();
    let found = edges(answer.services());
    let (_, _, link) =
        found.iter().find(|(from, to, _)| (*from, *to) == ("EventBridge", "foostore-email")).unwrap();
    assert_eq!(link.edge_type(), Some("link"));
    assert!(link.response_time_histogram().is_empty());
    let age = &link.received_event_age_histogram()[0];
    assert_eq!((age.value().to_string(), age.count()), ("2.6".to_owned(), 1));

    let unknown = served.client.get_trace_graph().trace_ids("1-00000000-000000000000000000000000");
    assert!(unknown.send().await.unwrap().services().is_empty());
}

#[tokio::test]
async fn statistics_over_time_are_of_a_service_an_edge_or_all_requests() {
    let served = served().await;
    let series = |selector: Option<&str>| {
        let call = served.client.get_time_series_service_statistics().period(60);
        let call = call.start_time(DateTime::from_secs(START - 60)).end_time(DateTime::from_secs(START + 60));
        call.set_entity_selector_expression(selector.map(str::to_owned)).send()
    };
    let all = series(None).await.unwrap();
    let [minute] = all.time_series_service_statistics() else { panic!("{all:?}") };
    assert_eq!(minute.timestamp().unwrap().secs(), START - START.rem_euclid(60));
    assert_eq!(minute.edge_summary_statistics().unwrap().ok_count(), Some(1));
    assert!(minute.service_summary_statistics().is_none());

    let of_service = series(Some(r#"service(id(name: "foostore-email"))"#)).await.unwrap();
    let [minute] = of_service.time_series_service_statistics() else { panic!("{of_service:?}") };
    assert_eq!(minute.service_summary_statistics().unwrap().total_count(), Some(1));
    assert_eq!(minute.response_time_histogram().len(), 1);

    let of_edge = series(Some(r#"edge("foostore-membership", "EventBridge") { throttle }"#)).await.unwrap();
    let [minute] = of_edge.time_series_service_statistics() else { panic!("{of_edge:?}") };
    let errors = minute.edge_summary_statistics().unwrap().error_statistics().unwrap();
    assert_eq!((errors.throttle_count(), errors.total_count()), (Some(1), Some(1)));

    for (wrong, expected) in [("ok", "expected service(…) or edge(…) alone"), ("", "1 to 500 characters")]
    {
        let error = series(Some(wrong)).await.unwrap_err().into_service_error();
        assert!(error.to_string().contains("InvalidRequest"), "{error:?}");
        assert!(format!("{error:?}").contains(expected), "{error:?}");
    }
}
