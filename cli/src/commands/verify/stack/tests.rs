//! Tests against a scripted CloudFormation, because no emulator rolls back or fails to remove a stack.

use std::collections::VecDeque;
use std::sync::Mutex;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;

use super::*;

/// Stands for the status of a stack that does not exist.
const NOT_THERE: &str = "NOT_THERE";
const REASONS: &str = "\
<member><LogicalResourceId>Queue</LogicalResourceId><ResourceStatus>DELETE_FAILED</ResourceStatus>\
<ResourceStatusReason>not authorized to delete</ResourceStatusReason></member>\
<member><LogicalResourceId>Bus</LogicalResourceId><ResourceStatus>CREATE_FAILED</ResourceStatus>\
<ResourceStatusReason>Resource creation cancelled</ResourceStatusReason></member>\
<member><LogicalResourceId>Pipe</LogicalResourceId><ResourceStatus>CREATE_FAILED</ResourceStatus>\
<ResourceStatusReason>the role cannot be assumed</ResourceStatusReason></member>";

/// The statuses to report, one per request, and the requests received.
#[derive(Debug, Default)]
struct Script {
    statuses: VecDeque<&'static str>,
    refuses: bool,
    asked: Vec<String>,
}

type Shared = Arc<Mutex<Script>>;

async fn answer(State(script): State<Shared>, body: String) -> (StatusCode, String) {
    let mut script = script.lock().unwrap();
    let action = body.split('&').find_map(|field| field.strip_prefix("Action=")).unwrap().to_owned();
    script.asked.push(action.clone());
    let error = |code: &str, message: &str| {
        let text = format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        );
        (StatusCode::BAD_REQUEST, text)
    };
    let result = match action.as_str() {
        "CreateStack" if script.refuses => {
            return error("AlreadyExistsException", "Stack [x] already exists");
        }
        "CreateStack" => "<StackId>arn:aws:cloudformation:x:0:stack/x/1</StackId>".to_owned(),
        "DescribeStacks" => {
            let status = if script.statuses.len() > 1 {
                script.statuses.pop_front().unwrap()
            } else {
                script.statuses[0]
            };
            if status == NOT_THERE {
                return error("ValidationError", "Stack with id x does not exist");
            }
            format!(
                "<Stacks><member><StackName>x</StackName><CreationTime>2026-03-01T12:00:00Z</CreationTime>\
                 <StackStatus>{status}</StackStatus></member></Stacks>"
            )
        }
        "DescribeStackEvents" => format!("<StackEvents>{REASONS}</StackEvents>"),
        _ => String::new(),
    };
    (
        StatusCode::OK,
        format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"),
    )
}

async fn stack(statuses: &[&'static str], refuses: bool) -> (Arc<Stack>, Shared) {
    let script = Script { statuses: statuses.iter().copied().collect(), refuses, asked: Vec::new() };
    let script = Arc::new(Mutex::new(script));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(Arc::clone(&script));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "test")))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    (Arc::new(Stack::new(&config, "x", "verify-x", "{}".to_owned())), script)
}

fn asked(script: &Shared, action: &str) -> usize {
    script.lock().unwrap().asked.iter().filter(|asked| *asked == action).count()
}

#[tokio::test]
async fn a_stack_is_created_and_removed() {
    let statuses = [
        "CREATE_IN_PROGRESS",
        "CREATE_COMPLETE",
        "CREATE_COMPLETE",
        "DELETE_IN_PROGRESS",
        "DELETE_IN_PROGRESS",
        "DELETE_COMPLETE",
    ];
    let (stack, script) = stack(&statuses, false).await;
    assert!(stack.begin().await.is_ok());
    stack.ready().await.unwrap();
    stack.remove().await.unwrap();
    assert_eq!(asked(&script, "DeleteStack"), 1);
}

#[tokio::test]
async fn a_rollback_is_awaited_and_its_cause_reported() {
    let statuses =
        ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", NOT_THERE];
    let (stack, script) = stack(&statuses, false).await;
    assert!(stack.begin().await.is_ok());
    let failed = stack.ready().await.unwrap_err().to_string();
    assert_eq!(failed, "stack x could not be created: Pipe: the role cannot be assumed");
    assert_eq!(asked(&script, "DeleteStack"), 0);
    stack.remove().await.unwrap();
    assert_eq!(asked(&script, "DeleteStack"), 1);
}

#[tokio::test]
async fn a_stack_still_being_created_is_removed() {
    let (stack, script) =
        stack(&["CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"], false).await;
    assert!(stack.begin().await.is_ok());
    stack.remove().await.unwrap();
    assert_eq!(asked(&script, "DeleteStack"), 1);
}

#[tokio::test]
async fn a_failing_removal_is_retried_and_its_cause_reported() {
    let (stack, script) = stack(&["CREATE_COMPLETE", "DELETE_FAILED"], false).await;
    assert!(stack.begin().await.is_ok());
    stack.ready().await.unwrap();
    let failed = stack.remove().await.unwrap_err().to_string();
    assert_eq!(failed, "stack x could not be removed: Queue: not authorized to delete");
    assert_eq!(asked(&script, "DeleteStack"), usize::try_from(REMOVALS).unwrap() + 1);
}

/// The stack belongs to someone else, and must not be removed.
#[tokio::test]
async fn a_name_in_use_is_refused() {
    let (stack, script) = stack(&["CREATE_COMPLETE"], true).await;
    let Err(NotBegun::Refused(error)) = stack.begin().await else { panic!("it was not refused") };
    let expected = "CreateStack of x failed: AlreadyExistsException: Stack [x] already exists";
    assert_eq!(error.to_string(), expected);
    assert_eq!(asked(&script, "CreateStack"), 1);
}

#[test]
fn what_each_status_means() {
    let creation = |status: &str| Creation::of(Some(&StackStatus::from(status)));
    assert_eq!(creation("CREATE_IN_PROGRESS"), Creation::UnderWay);
    assert_eq!(creation("CREATE_COMPLETE"), Creation::Done);
    assert_eq!(creation("ROLLBACK_IN_PROGRESS"), Creation::UnderWay);
    for failed in ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_COMPLETE"] {
        assert_eq!(creation(failed), Creation::Failed, "{failed}");
    }
    assert_eq!(Creation::of(None), Creation::Failed);

    let removal = |status: &str| Removal::of(Some(&StackStatus::from(status)));
    for to_be_asked in ["CREATE_IN_PROGRESS", "CREATE_COMPLETE", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"] {
        assert_eq!(removal(to_be_asked), Removal::ToBeAsked, "{to_be_asked}");
    }
    assert_eq!(removal("DELETE_IN_PROGRESS"), Removal::UnderWay);
    assert_eq!(removal("DELETE_FAILED"), Removal::Failed);
    assert_eq!(removal("DELETE_COMPLETE"), Removal::Done);
    assert_eq!(Removal::of(None), Removal::Done);
}
