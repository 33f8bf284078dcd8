//! Connections and shutdown, over a real socket.

use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn raw_request() -> String {
    let body = renamed().to_string();
    format!(
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The head of a request that looks signed, with a body of this length.
fn signed_head(length: usize) -> String {
    let now = Timestamp::now().as_second();
    let signature = SECRET.parse::<Secrets>().unwrap().sign("msg_1", now, b"another body");
    format!(
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nwebhook-id: msg_1\r\n\
         webhook-timestamp: {now}\r\nwebhook-signature: {signature}\r\ncontent-length: {length}\r\n\r\n"
    )
}

fn signed_request() -> String {
    let (body, now) = (renamed().to_string(), Timestamp::now().as_second());
    let signature = SECRET.parse::<Secrets>().unwrap().sign("msg_1", now, body.as_bytes());
    format!(
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nwebhook-id: msg_1\r\n\
         webhook-timestamp: {now}\r\nwebhook-signature: {signature}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn signing(bus: &Bus) -> Service {
    Service { secrets: Some(SECRET.parse().unwrap()), ..Service::over(bus) }
}

impl Served {
    async fn connect(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// Waits until this many connections are open.
    async fn has_connections(&self, count: usize) {
        while self.admission.in_use().0 != count {
            tokio::task::yield_now().await;
        }
    }
}

/// Reads until the connection ends, orderly or not.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(1..) =
        stream.read(&mut chunk).await.inspect(|count| bytes.extend_from_slice(&chunk[..*count]))
    {}
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_server_ends() {
    let bus = Bus::accepting().taking(Duration::from_millis(300));
    let served = Service::over(&bus).serve().await;
    let address = served.address;
    let mut idle = served.connect("").await;
    let mut busy = served.connect(&raw_request()).await;
    bus.arrived.notified().await;
    served.shutdown.cancel();
    let answer = read_to_end(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    served.stop().await;
    assert_eq!(read_to_end(&mut idle).await, "", "an idle connection does not hold the end up");
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(bus.published().len(), 1);
}

#[tokio::test]
async fn headers_that_do_not_come_end_the_connection() {
    let mut service = Service::over(&Bus::accepting());
    service.limits.time.head = Duration::from_millis(100);
    let served = service.serve().await;
    let mut slow = served.connect("POST /v1/events HTTP/1.1\r\nhost: loc").await;
    assert_eq!(read_to_end(&mut slow).await, "");
    served.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_kept_longer_than_a_head_may_take() {
    let mut service = Service::over(&Bus::accepting());
    service.limits.time.head = Duration::from_millis(50);
    service.limits.time.idle = Duration::from_millis(400);
    let served = service.serve().await;
    let start = Instant::now();
    let mut idle = served.connect(&raw_request()).await;
    let answer = read_to_end(&mut idle).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(start.elapsed() >= Duration::from_millis(400), "{:?}", start.elapsed());
    served.stop().await;
}

#[tokio::test]
async fn the_head_has_at_most_16_kib() {
    let served = Service::over(&Bus::accepting()).serve().await;
    let long = "x".repeat(17 * 1024);
    let mut stream =
        served.connect(&format!("POST /v1/events HTTP/1.1\r\nhost: a\r\nx-long: {long}\r\n\r\n")).await;
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn shutdown_waits_for_nobody_who_neither_sends_nor_reads() {
    let served = signing(&Bus::accepting()).serve().await;
    let half_a_line = served.connect("POST /v1/eve").await;
    let half_a_head = served.connect("GET /health/live HTTP/1.1\r\nhost: loc").await;
    let half_a_body = served.connect(&format!("{}{{\"type\"", signed_head(1_000))).await;
    // Answers of some megabytes, of which none is read.
    let deaf = served.connect(&"GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n".repeat(400)).await;
    served.has_connections(4).await;
    let mut first = [0];
    while deaf.peek(&mut first).await.unwrap() == 0 {}
    let start = Instant::now();
    served.stop().await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    drop((half_a_line, half_a_head, half_a_body, deaf));
}

#[tokio::test]
async fn connections_that_announce_and_do_not_send_hinder_nobody() {
    let bus = Bus::accepting();
    let mut service = signing(&bus);
    service.limits.bounds.connections = 64;
    service.limits.concurrent_requests = 4;
    service.admission = Admission::new(service.limits.bounds, service.refusals.clone());
    let (health, bus_check) = (service.health.clone(), service.health.register("bus"));
    let served = service.serve().await;
    bus_check.up();
    health.ready();
    let mut stuck = Vec::new();
    for _ in 0..280 {
        stuck.push(served.connect(&signed_head(9)).await);
        if stuck.len() % 10 == 0 {
            let mut honest = served.connect(&signed_request()).await;
            let answer = read_to_end(&mut honest).await;
            assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        }
    }
    assert_eq!(bus.published().len(), 28);
    assert!(health.is_ready(), "nobody was refused for lack of room");
    served.stop().await;
}

#[tokio::test]
async fn a_body_without_a_signature_takes_no_memory_and_its_sender_gets_the_answer() {
    let served = signing(&Bus::accepting()).serve().await;
    let body = "x".repeat(1024 * 1024);
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut senders = Vec::new();
    for _ in 0..58 {
        senders.push(served.connect(&head).await);
    }
    for mut sender in senders {
        sender.write_all(body.as_bytes()).await.unwrap();
        assert_eq!(served.admission.in_use().1, 0);
        let answer = read_to_end(&mut sender).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    served.stop().await;
}

#[tokio::test]
async fn bodies_that_do_not_end_leave_the_memory_to_others() {
    let bus = Bus::accepting();
    let mut service = signing(&bus);
    service.limits.bounds.bytes = 2 * 1024 * 1024;
    service.admission = Admission::new(service.limits.bounds, service.refusals.clone());
    let served = service.serve().await;
    let mut stuck = Vec::new();
    for _ in 0..16 {
        let mut sender = served.connect(&signed_head(300_000)).await;
        sender.write_all(&vec![b' '; 299_999]).await.unwrap();
        stuck.push(sender);
    }
    let start = Instant::now();
    // The bodies have a second to arrive, and are given up after two.
    loop {
        let answer = read_to_end(&mut served.connect(&signed_request()).await).await;
        assert!(served.admission.in_use().1 <= 2 * 1024 * 1024);
        if answer.starts_with("HTTP/1.1 202") {
            break;
        }
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    served.stop().await;
}
