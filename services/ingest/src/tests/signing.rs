//! Signed requests: which are taken, and what becomes of one that is sent again.

use super::*;
use std::process::Command;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn signing(bus: &Bus, secrets: &str) -> Router {
    Service { secrets: Some(secrets.parse().unwrap()), ..Service::over(bus) }.router()
}

fn signed(secrets: &str, id: &str, timestamp: i64, body: &str) -> Request<Body> {
    let signature = secrets.parse::<Secrets>().unwrap().sign(id, timestamp, body.as_bytes());
    let mut request = post(body.to_owned());
    let headers = request.headers_mut();
    headers.insert("webhook-id", id.parse().unwrap());
    headers.insert("webhook-timestamp", timestamp.into());
    headers.insert("webhook-signature", signature.parse().unwrap());
    request
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

#[tokio::test(start_paused = true)]
async fn with_a_secret_only_signed_requests_are_taken() {
    let bus = Bus::accepting();
    let router = signing(&bus, SECRET);
    let body = renamed().to_string();

    assert_eq!(send(&router, signed(SECRET, "msg_1", now(), &body)).await.status, StatusCode::ACCEPTED);
    assert_eq!(bus.published().len(), 1);

    let refused = [
        post(body.clone()),
        signed(OTHER, "msg_1", now(), &body),
        signed(SECRET, "msg_1", now() - 400, &body),
        signed(SECRET, "msg_1", now() + 400, &body),
        signed(SECRET, "msg_1", now(), &body).map(|_| Body::from(body.replace("Ada", "Eve"))),
    ];
    for request in refused {
        let answer = send(&router, request).await;
        answer.is_problem(401, "invalid-signature");
        assert!(answer.header("www-authenticate").starts_with("HMAC-SHA256"));
    }
    send(&router, signed(OTHER, "msg_1", now(), "{")).await.is_problem(401, "invalid-signature");
    assert_eq!(bus.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_replaced_without_a_gap() {
    let bus = Bus::accepting();
    let router = signing(&bus, &format!("{OTHER},{SECRET}"));
    let body = renamed().to_string();
    for secrets in [SECRET, OTHER, &format!("{SECRET} {OTHER}")] {
        assert_eq!(send(&router, signed(secrets, "msg_1", now(), &body)).await.status, StatusCode::ACCEPTED);
    }
}

/// Whoever captured a request, or did not get its answer, sends the same events under the same ids.
#[tokio::test(start_paused = true)]
async fn a_request_that_is_sent_again_is_a_duplicate() {
    let bus = Bus::accepting();
    let router = signing(&bus, SECRET);
    let body = renamed().to_string();
    let at = now() - 100;
    let first = send(&router, signed(SECRET, "msg_1", at, &body)).await;
    let replayed = send(&router, signed(SECRET, "msg_1", at, &body)).await;
    let retried = send(&router, signed(SECRET, "msg_1", at + 30, &body)).await;
    let another = send(&router, signed(SECRET, "msg_2", at, &body)).await;
    assert_eq!(first.body["event_id"], replayed.body["event_id"]);
    assert_eq!(first.body["event_id"], retried.body["event_id"]);
    assert_ne!(first.body["event_id"], another.body["event_id"]);
    let occurred: Vec<_> =
        bus.published().iter().map(|(envelope, _)| envelope.metadata.occurred_at).collect();
    assert_eq!(occurred[0].as_second(), at);
    assert_eq!(occurred[0], occurred[1]);

    let list = json!([renamed(), renamed()]).to_string();
    let ids = |answer: Answer| [answer.body[0]["event_id"].clone(), answer.body[1]["event_id"].clone()];
    let first = ids(send(&router, signed(SECRET, "msg_3", at, &list)).await);
    assert_eq!(first, ids(send(&router, signed(SECRET, "msg_3", at, &list)).await));
    assert_ne!(first[0], first[1]);
}

#[tokio::test(start_paused = true)]
async fn what_an_event_says_itself_stays() {
    let bus = Bus::accepting();
    let mut event = renamed();
    event["event_id"] = json!("0b5e4e0c-3f0d-4e0e-9a53-5f6f0d1c2b3a");
    event["occurred_at"] = json!("2026-03-01T12:00:00Z");
    let answer = send(&signing(&bus, SECRET), signed(SECRET, "msg_1", now(), &event.to_string())).await;
    assert_eq!(answer.body["event_id"], event["event_id"]);
    assert_eq!(bus.published()[0].0.metadata.occurred_at.to_string(), "2026-03-01T12:00:00Z");
}

#[tokio::test(start_paused = true)]
async fn without_a_secret_each_request_is_a_new_one() {
    let bus = Bus::accepting();
    let router = Service::over(&bus).router();
    let body = renamed().to_string();
    let first = send(&router, signed(SECRET, "msg_1", now(), &body)).await;
    let second = send(&router, signed(SECRET, "msg_1", now(), &body)).await;
    assert_ne!(first.body["event_id"], second.body["event_id"]);
}

/// The clients in docs/sending.md: the code blocks in these languages, and the programs that run them.
const CLIENTS: [(&str, &[&str]); 3] = [
    ("sh", &["sh", "-ec"]),
    ("python", &["python3", "-c"]),
    ("javascript", &["node", "--input-type=module", "-e"]),
];

#[tokio::test]
async fn the_clients_in_the_documents_are_accepted() {
    let document = include_str!("../../../../docs/sending.md");
    let bus = Bus::accepting();
    let served = Service { secrets: Some(SECRET.parse().unwrap()), ..Service::over(&bus) }.serve().await;
    let url = format!("http://{}/v1/events", served.address);
    for (language, program) in CLIENTS {
        let block = document.split("```").find_map(|block| block.strip_prefix(&format!("{language}\n")));
        let block = block.unwrap_or_else(|| panic!("no client in {language}")).trim();
        assert!(block.lines().count() <= 6, "{language}");
        let mut client = Command::new(program[0]);
        client.args(&program[1..]).arg(block).env("URL", &url).env("SIGNATURE_SECRET", SECRET);
        client.env("EVENT", renamed().to_string());
        let output = match tokio::task::spawn_blocking(move || client.output()).await.unwrap() {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => panic!("{language}: {error}"),
        };
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("\"event_id\""), "{language}: {output:?}");
    }
    served.stop().await;
}
