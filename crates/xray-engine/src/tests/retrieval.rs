//! Retrievals of traces, and insights.

use aws_sdk_xray::error::ProvideErrorMetadata as _;
use aws_sdk_xray::types::{RetrievalStatus, TraceFormatType};

use super::*;

impl Served {
    /// Starts a retrieval of these traces in the hour of the examples.
    async fn retrieve(&self, ids: &[TraceId]) -> String {
        let ids = ids.iter().map(ToString::to_string).collect();
        let call = self.client.start_trace_retrieval().set_trace_ids(Some(ids));
        let call = call.start_time(DateTime::from_secs(START)).end_time(DateTime::from_secs(START + 3600));
        call.send().await.unwrap().retrieval_token.unwrap()
    }

    /// Returns the id of each retrieved trace, or part of one, and the number of its documents, page by page.
    async fn retrieved(&self, token: &str) -> Vec<Vec<(String, usize)>> {
        let (mut pages, mut next) = (Vec::new(), None);
        loop {
            let call = self.client.list_retrieved_traces().retrieval_token(token);
            let page = call.trace_format(TraceFormatType::Xray).set_next_token(next).send().await.unwrap();
            assert_eq!(page.retrieval_status(), Some(&RetrievalStatus::Complete));
            assert_eq!(page.trace_format(), Some(&TraceFormatType::Xray));
            let traces = page.traces().iter();
            pages.push(traces.map(|trace| (trace.id().unwrap().to_owned(), trace.spans().len())).collect());
            next = page.next_token;
            if next.is_none() {
                return pages;
            }
        }
    }
}

#[tokio::test]
async fn a_retrieval_returns_the_documents_of_its_traces() {
    let served = serve(Settings::default()).await;
    served.export(flow().into()).await;
    let (known, unknown) = (TraceId::from_bytes(TRACE), TraceId::from_bytes([7; 16]));
    let token = served.retrieve(&[unknown, known, known]).await;
    // Three that were sent, and one inferred.
    assert_eq!(served.retrieved(&token).await, [[(known.to_string(), 4)]]);
    let answer = served.client.list_retrieved_traces().retrieval_token(&token).send().await.unwrap();
    let [trace] = answer.traces() else { panic!("one trace") };
    assert_eq!(trace.duration(), Some(2.0));
    let documents = trace.spans().iter().map(|span| span.document().unwrap());
    assert!(Trace::read(known, documents).unwrap().problems().is_empty());

    let graph = served.client.get_retrieved_traces_graph().retrieval_token(&token).send().await.unwrap();
    assert_eq!(graph.retrieval_status(), Some(&RetrievalStatus::Complete));
    let names: Vec<_> =
        graph.services().iter().map(|retrieved| retrieved.service().unwrap().name().unwrap()).collect();
    // The client has the name of the service that it called.
    assert_eq!(names, ["EventBridge", "foostore-email", "foostore-membership", "foostore-membership"]);
    let of_trace = served.client.get_trace_graph().trace_ids(known.to_string()).send().await.unwrap();
    let retrieved: Vec<_> =
        graph.services().iter().map(|retrieved| retrieved.service().unwrap().clone()).collect();
    assert_eq!(of_trace.services(), retrieved);
}

#[tokio::test]
async fn traces_of_another_time_are_not_retrieved() {
    let served = serve(Settings::default()).await;
    served.export(flow().into()).await;
    let count = async |from: i64, to: i64| {
        let call = served.client.start_trace_retrieval().trace_ids(xray_id().to_string());
        let call = call.start_time(DateTime::from_secs(from)).end_time(DateTime::from_secs(to));
        let token = call.send().await.unwrap().retrieval_token.unwrap();
        served.retrieved(&token).await[0].len()
    };
    assert_eq!(count(START, START).await, 1);
    assert_eq!(count(START + 1, START + 9).await, 0);
    assert_eq!(count(START - 9, START - 1).await, 0);
}

#[tokio::test]
async fn a_page_has_five_traces_and_a_trace_a_hundred_documents() {
    let served = serve(Settings::default()).await;
    let ids: Vec<_> = (1..=6_u8).map(|number| TraceId::from_bytes([number; 16])).collect();
    let mut spans: Vec<_> = ids
        .iter()
        .map(|id| Span { trace_id: id.to_bytes().to_vec(), ..span(SpanKind::Server, "s", &[]) })
        .collect();
    for number in 1..=200_u64 {
        spans.push(Span { span_id: number.to_be_bytes().to_vec(), ..spans[0].clone() });
    }
    assert_eq!(served.engine.record(&request(spans)).spans, 0);
    let token = served.retrieve(&ids).await;
    let pages = served.retrieved(&token).await;
    let counts: Vec<Vec<_>> =
        pages.iter().map(|page| page.iter().map(|(_, count)| *count).collect()).collect();
    assert_eq!(counts, [vec![100, 100, 1, 1, 1], vec![1, 1, 1]]);
    assert!(pages[0][..3].iter().all(|(id, _)| *id == ids[0].to_string()));
}

#[tokio::test]
async fn a_cancelled_or_unknown_retrieval_returns_nothing() {
    let served = serve(Settings::default()).await;
    served.export(flow().into()).await;
    let token = served.retrieve(&[xray_id()]).await;
    served.client.cancel_trace_retrieval().retrieval_token(&token).send().await.unwrap();
    let answer = served.client.list_retrieved_traces().retrieval_token(&token).send().await.unwrap();
    assert_eq!(answer.retrieval_status(), Some(&RetrievalStatus::Cancelled));
    assert!(answer.traces().is_empty());
    let graph = served.client.get_retrieved_traces_graph().retrieval_token(&token).send().await.unwrap();
    assert!(graph.services().is_empty());

    let call = served.client.list_retrieved_traces().retrieval_token("unknown");
    assert!(call.send().await.unwrap_err().into_service_error().is_resource_not_found_exception());
    let call = served.client.cancel_trace_retrieval().retrieval_token("unknown");
    assert!(call.send().await.unwrap_err().into_service_error().is_resource_not_found_exception());
}

#[tokio::test]
async fn what_cannot_be_retrieved_is_refused() {
    let served = serve(Settings::default()).await;
    let token = served.retrieve(&[]).await;
    let call = served.client.list_retrieved_traces().retrieval_token(token);
    let error = call.trace_format(TraceFormatType::Otel).send().await.unwrap_err();
    assert!(error.message().unwrap().contains("use XRAY"));
    let start = |id: String, end: i64| {
        let call = served.client.start_trace_retrieval().trace_ids(id);
        call.start_time(DateTime::from_secs(START)).end_time(DateTime::from_secs(end)).send()
    };
    let error = start("malformed".to_owned(), START).await.unwrap_err();
    assert!(error.message().unwrap().starts_with("TraceIds.1: "), "{:?}", error.message());
    let error = start(xray_id().to_string(), START - 1).await.unwrap_err();
    assert_eq!(error.message(), Some("EndTime is before StartTime"));
    let ids = vec![xray_id().to_string(); 101];
    let call = served.client.start_trace_retrieval().set_trace_ids(Some(ids));
    let call = call.start_time(DateTime::from_secs(START)).end_time(DateTime::from_secs(START));
    let error = call.send().await.unwrap_err();
    assert!(error.message().unwrap().ends_with("Member must have length less than or equal to 100"));
}

#[tokio::test]
async fn there_are_no_insights() {
    const ID: &str = "12345678-1234-1234-8123-123456789012";
    let served = serve(Settings::default()).await;
    let now = SystemTime::now();
    let (start, end) = (DateTime::from(now - Duration::from_hours(1)), DateTime::from(now));
    let summaries = |group: &str, start: DateTime| {
        served.client.get_insight_summaries().group_name(group).start_time(start).end_time(end).send()
    };
    let answer = summaries("Default", start).await.unwrap();
    assert!(answer.insight_summaries().is_empty() && answer.next_token().is_none());
    assert!(summaries("gone", start).await.unwrap_err().message().unwrap().contains("Group not found"));
    let old = DateTime::from(now - Duration::from_hours(31 * 24));
    assert!(summaries("Default", old).await.unwrap_err().message().unwrap().contains("30 days"));

    let error = served.client.get_insight().insight_id(ID).send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidRequestException"));
    assert!(error.message().unwrap().contains("no such insight"));
    assert!(served.client.get_insight_events().insight_id(ID).send().await.is_err());
    let graph = |start: DateTime| {
        served.client.get_insight_impact_graph().insight_id(ID).start_time(start).end_time(end).send()
    };
    assert!(graph(start).await.unwrap_err().message().unwrap().contains("no such insight"));
    let early = DateTime::from(now - Duration::from_hours(7));
    assert!(graph(early).await.unwrap_err().message().unwrap().contains("six hours"));
}
