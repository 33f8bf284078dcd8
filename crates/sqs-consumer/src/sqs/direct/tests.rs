use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use direct_requests::FAILURES;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::*;
use crate::queue::{Queue as _, Receipt, Receive};
use crate::sqs::SqsQueue;

const URL: &str = "https://sqs.eu-central-1.amazonaws.com/1/orders";
const REQUEST: Receive =
    Receive { max: 7, wait: Duration::from_secs(20), visibility: Duration::from_secs(30) };

/// A request as it arrived.
struct Arrived {
    headers: Vec<(String, String)>,
    body: String,
}

impl Arrived {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the SDK made it: it numbers its calls.
    fn is_of_the_sdk(&self) -> bool {
        self.header("amz-sdk-invocation-id").is_some()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// An answer: its status, a line of its head, its body. Without one the request is never answered.
type Answer = Option<(u16, &'static str, &'static str)>;

const EMPTY: Answer = Some((200, "x-ok: 1", "{}"));

/// Starts a server that sends these responses, each on a new connection. Returns a queue there, and the requests as they arrive.
async fn answering(answers: Vec<Answer>, token: Option<&str>) -> (SqsQueue, UnboundedReceiver<Arrived>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (arrived, arriving) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut open = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let request = loop {
                stream.read_buf(&mut bytes).await.unwrap();
                if let Some(request) = whole(&bytes) {
                    break request;
                }
            };
            arrived.send(request).unwrap();
            if let Some((status, line, body)) = answer {
                let length = body.len();
                let response = format!(
                    "HTTP/1.1 {status} X\r\n{line}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                stream.write_all(response.as_bytes()).await.unwrap();
            } else {
                open.push(stream);
            }
        }
        std::future::pending::<()>().await;
    });
    let credentials = Credentials::new("local", "secret", token.map(str::to_owned), None, "test");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials)
        .endpoint_url(format!("http://{address}"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    (SqsQueue::new(Client::from_conf(config), URL, format!("{URL}-dead-letter")), arriving)
}

/// Returns the request if all of it is there.
fn whole(bytes: &[u8]) -> Option<Arrived> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let request = Arrived { headers, body: body.to_owned() };
    (body.len() >= request.header("content-length")?.parse().ok()?).then_some(request)
}

#[tokio::test]
async fn after_the_first_request_the_same_is_sent_without_the_sdk() {
    let (queue, mut arriving) = answering(vec![EMPTY; 3], None).await;
    for _ in 0..2 {
        assert!(queue.receive(REQUEST).await.unwrap().is_empty());
    }
    queue.delete(&[Receipt::new("a", "h0"), Receipt::new("b", "h1")]).await.unwrap();
    let (first, second) = (arriving.recv().await.unwrap(), arriving.recv().await.unwrap());
    assert!(first.is_of_the_sdk() && !second.is_of_the_sdk());
    assert_eq!(second.json(), first.json());
    for name in ["host", "content-type", "content-length", "user-agent", "x-amz-target", "x-amzn-query-mode"]
    {
        assert!(second.header(name).is_some(), "{name}");
    }
    for (name, value) in &first.headers {
        let own = name.starts_with("amz-sdk-")
            || ["authorization", "x-amz-date", "content-length"].contains(&&**name);
        assert!(own || second.header(name) == Some(value), "{name}: {value}");
    }
    let third = arriving.recv().await.unwrap();
    assert!(!third.is_of_the_sdk());
    assert_eq!(third.header("x-amz-target"), Some("AmazonSQS.DeleteMessageBatch"));
    assert_eq!(
        third.json(),
        json!({"QueueUrl": URL, "Entries": [{"Id": "0", "ReceiptHandle": "h0"}, {"Id": "1", "ReceiptHandle": "h1"}]})
    );
}

/// Signs what was signed in `request` as the SDK does, with the same credentials. Returns the signature.
fn signed_again(request: &Arrived, credentials: Credentials) -> String {
    let given = request.header("authorization").unwrap();
    let (_, names) = given.split_once("SignedHeaders=").unwrap();
    let names = names.split(',').next().unwrap().split(';');
    // The others are added by the signature itself.
    let names = names.filter(|name| !["host", "x-amz-date", "x-amz-security-token"].contains(name));
    let headers = names.map(|name| (name, request.header(name).unwrap()));
    let time = request.header("x-amz-date").unwrap().parse::<jiff::Timestamp>().unwrap();
    let identity = credentials.into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name("sqs")
        .time(time.into())
        .settings(SigningSettings::default())
        .build()
        .unwrap();
    let uri = format!("http://{}/", request.header("host").unwrap());
    let body = SignableBody::Bytes(request.body.as_bytes());
    let signable = SignableRequest::new("POST", uri, headers, body).unwrap();
    sign(signable, &parameters.into()).unwrap().signature().to_owned()
}

#[tokio::test]
async fn requests_are_signed_as_the_sdk_signs() {
    let (queue, mut arriving) = answering(vec![EMPTY; 2], Some("session")).await;
    for of_the_sdk in [true, false] {
        queue.receive(REQUEST).await.unwrap();
        let request = arriving.recv().await.unwrap();
        assert_eq!(request.is_of_the_sdk(), of_the_sdk);
        let signed = request.header("authorization").unwrap();
        let credentials = Credentials::new("local", "secret", Some("session".to_owned()), None, "test");
        assert_eq!(signed.split_once("Signature=").unwrap().1, signed_again(&request, credentials));
        assert_eq!(request.header("x-amz-security-token"), Some("session"));
        assert!(signed.contains("x-amz-security-token") && signed.contains("x-amz-target"), "{signed}");
    }
}

#[tokio::test]
async fn after_a_failure_the_sdk_makes_the_requests_until_one_succeeds() {
    let refused =
        Some((400, "x-other: 1", r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"m"}"#));
    let line = "x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender";
    let gone = Some((400, line, r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}"#));
    let unreadable = Some((200, "x-other: 1", "<html>"));
    let unavailable = Some((503, "x-other: 1", ""));
    let answers = vec![EMPTY, refused, refused, EMPTY, gone, EMPTY, unavailable, EMPTY, unreadable, EMPTY];
    let (queue, mut arriving) = answering(answers, None).await;
    let expected = [
        (true, None),
        (false, Some("RequestThrottled")),
        (true, Some("RequestThrottled")),
        (true, None),
        (false, Some("AWS.SimpleQueueService.NonExistentQueue")),
        (true, None),
        (false, Some("503")),
        (true, None),
        (false, Some("response")),
        (true, None),
    ];
    for (index, (of_the_sdk, code)) in expected.into_iter().enumerate() {
        let error = queue.receive(REQUEST).await.err();
        assert_eq!(error.as_ref().map(|error| error.code.as_str()), code, "{index}");
        assert_eq!(arriving.recv().await.unwrap().is_of_the_sdk(), of_the_sdk, "{index}");
    }
}

#[tokio::test]
async fn a_request_without_a_response_ends_at_its_limit() {
    let (queue, _arriving) = answering(vec![EMPTY, None], None).await;
    queue.receive(REQUEST).await.unwrap();
    let limit = Duration::from_millis(50);
    let called = call(&queue.direct, "ReceiveMessage", String::new, limit, |_| Some(()));
    let error = called.await.unwrap().unwrap_err();
    assert_eq!((error.code(), error.operation()), ("timeout", "ReceiveMessage"));
    assert!(queue.direct.route().is_none());
}

#[tokio::test]
async fn the_sdk_makes_all_requests_if_only_its_own_succeed() {
    let refused =
        Some((403, "x-other: 1", r#"{"__type":"com.amazon.coral.service#InvalidSignatureException"}"#));
    let answers = (0..FAILURES).flat_map(|_| [EMPTY, refused]).chain([EMPTY; 3]).collect();
    let (queue, mut arriving) = answering(answers, None).await;
    for _ in 0..FAILURES {
        queue.receive(REQUEST).await.unwrap();
        assert!(arriving.recv().await.unwrap().is_of_the_sdk());
        assert!(queue.repeats_requests());
        queue.receive(REQUEST).await.unwrap_err();
        assert!(!arriving.recv().await.unwrap().is_of_the_sdk());
    }
    for _ in 0..3 {
        queue.receive(REQUEST).await.unwrap();
        assert!(arriving.recv().await.unwrap().is_of_the_sdk());
    }
}
