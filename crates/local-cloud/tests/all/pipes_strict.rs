//! Which pipes can be created, and what their lists and tags say.

use aws_sdk_pipes::operation::create_pipe::builders::CreatePipeFluentBuilder;
use aws_sdk_pipes::types::{
    DynamoDbStreamStartPosition, Filter, FilterCriteria, PipeSourceDynamoDbStreamParameters,
    PipeSourceParameters, PipeState, RequestedPipeState,
};

use crate::dynamodb::table;
use crate::refusal::{assert_refused, refusal};
use crate::support::{ACCOUNT, Cloud, cloud, queue_arn};

fn bus() -> String {
    format!("arn:aws:events:eu-central-1:{ACCOUNT}:event-bus/default")
}

fn source(filters: &[&str]) -> PipeSourceParameters {
    let stream = PipeSourceDynamoDbStreamParameters::builder()
        .starting_position(DynamoDbStreamStartPosition::TrimHorizon)
        .build()
        .unwrap();
    let filters = filters.iter().map(|pattern| Filter::builder().pattern(*pattern).build()).collect();
    PipeSourceParameters::builder()
        .dynamo_db_stream_parameters(stream)
        .filter_criteria(FilterCriteria::builder().set_filters(Some(filters)).build())
        .build()
}

fn pipe(cloud: &Cloud, name: &str, stream: &str) -> CreatePipeFluentBuilder {
    cloud
        .pipes
        .create_pipe()
        .name(name)
        .role_arn(format!("arn:aws:iam::{ACCOUNT}:role/pipe"))
        .source(stream)
        .source_parameters(source(&[]))
        .target(bus())
}

#[tokio::test]
async fn what_a_pipe_would_ignore_or_could_not_do_is_refused() {
    let cloud = cloud().await;
    let stream = table(&cloud, "members").await;
    let with = |name: &str| pipe(&cloud, name, &stream);
    for (call, message) in vec![
        (with("p").enrichment(format!("arn:aws:lambda:eu-central-1:{ACCOUNT}:function:f")), "enrichment"),
        (with("p").source(queue_arn("q")), "sources other than streams"),
        (with("p").target(queue_arn("q")), "targets other than event buses"),
        (with("p").source_parameters(source(&[r#"{"eventName": "INSERT"}"#])), "Event pattern is not valid."),
        (with("p").source(format!("{stream}-other")), "stream of a table that exists"),
        (with("p q"), ""),
    ]
    .into_boxed_slice()
    {
        let (code, text) = refusal(call.send().await);
        assert_eq!(code, "ValidationException");
        assert!(text.contains(message), "{text}");
    }
    assert!(cloud.pipes.list_pipes().send().await.unwrap().pipes().is_empty());
}

#[tokio::test]
async fn a_stopped_pipe_is_listed_as_stopped_until_it_is_started() {
    let cloud = cloud().await;
    let stream = table(&cloud, "members").await;
    for (name, state) in [
        ("a-1", RequestedPipeState::Stopped),
        ("a-2", RequestedPipeState::Running),
        ("b", RequestedPipeState::Running),
    ] {
        pipe(&cloud, name, &stream).desired_state(state).send().await.unwrap();
    }
    let again = pipe(&cloud, "b", &stream).send().await.unwrap_err();
    assert!(again.into_service_error().is_conflict_exception());

    let listed = cloud.pipes.list_pipes().name_prefix("a-").send().await.unwrap();
    assert_eq!(listed.pipes().len(), 2);
    let listed = cloud.pipes.list_pipes().current_state(PipeState::Stopped).send().await.unwrap();
    assert_eq!(listed.pipes().iter().map(|it| it.name().unwrap()).collect::<Vec<_>>(), ["a-1"]);
    let page = cloud.pipes.list_pipes().limit(2).send().await.unwrap();
    let rest = cloud.pipes.list_pipes().limit(2).next_token(page.next_token().unwrap()).send().await.unwrap();
    assert_eq!((page.pipes().len(), rest.pipes().len(), rest.next_token()), (2, 1, None));

    let describe = || cloud.pipes.describe_pipe().name("a-1").send();
    assert_eq!(describe().await.unwrap().current_state(), Some(&PipeState::Stopped));
    cloud.pipes.start_pipe().name("a-1").send().await.unwrap();
    assert_eq!(describe().await.unwrap().current_state(), Some(&PipeState::Running));
}

#[tokio::test]
async fn pipes_have_tags() {
    let cloud = cloud().await;
    let stream = table(&cloud, "members").await;
    let created = pipe(&cloud, "p", &stream).tags("a", "1").send().await.unwrap();
    let arn = created.arn().unwrap();
    cloud.pipes.tag_resource().resource_arn(arn).tags("b", "2").send().await.unwrap();
    cloud.pipes.untag_resource().resource_arn(arn).tag_keys("a").send().await.unwrap();
    let tags = cloud.pipes.list_tags_for_resource().resource_arn(arn).send().await.unwrap().tags.unwrap();
    assert_eq!((tags.len(), &*tags["b"]), (1, "2"));
    let missing = format!("{arn}-missing");
    let refused = cloud.pipes.list_tags_for_resource().resource_arn(&missing).send().await;
    assert_eq!(refusal(refused).0, "NotFoundException");
    let describe = cloud.pipes.describe_pipe().name("missing").send().await;
    assert_refused(describe, "NotFoundException", "Pipe missing does not exist.");
}
