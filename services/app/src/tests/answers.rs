//! What follows from each answer of the webhook, and from none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Answers the first request of each connection with these bytes. Returns the URL, and the number of connections.
async fn server(answer: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut buffer = [0; 16_384];
                if stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    drop(stream.write_all(answer.as_bytes()).await);
                    // Leaves the connection open until the client closes it.
                    drop(stream.read(&mut buffer).await);
                }
            });
        }
    });
    (url, connections)
}

#[tokio::test]
async fn every_status_but_2xx_is_retried_and_says_why() {
    let house = House::build().await;
    let service = house.service();
    let notification = notification();
    for (status, reason) in [
        (400, "refused"),
        (401, "refused"),
        (404, "refused"),
        (429, "throttled"),
        (500, "unavailable"),
        (502, "unavailable"),
        (503, "unavailable"),
        (504, "unavailable"),
    ] {
        house.cloud.answer_pushes(status, None, 1).await;
        let failure = service.handle(&notification).await.unwrap_err();
        let (found, code, retry_after) = of_the_webhook(&failure);
        assert_eq!((found, code), (reason, status.to_string().as_str()));
        let retry_after = retry_after.unwrap().as_secs_f64();
        assert!((5.0..=5.5).contains(&retry_after), "{retry_after}");
    }
    assert_eq!(service.handle(&notification).await.unwrap(), PUSHED);
    let ids: std::collections::BTreeSet<_> =
        house.cloud.pushes().await.iter().map(|push| push["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "every attempt has one id");
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn an_endpoint_that_says_when_is_left_alone_until_then() {
    let house = House::build().await;
    let service = house.service();
    for (retry_after, expected) in [("120", 120..=120), ("1", 5..=6), ("9999999", 36_000..=36_000)] {
        house.cloud.answer_pushes(503, Some(retry_after), 1).await;
        let failure = service.handle(&notification()).await.unwrap_err();
        let pause = of_the_webhook(&failure).2.unwrap().as_secs();
        assert!(expected.contains(&pause), "{retry_after}: {pause}");
    }
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn pauses_grow_with_the_time_since_the_first_attempt_whatever_the_receive_count() {
    let house = House::build().await;
    let service = house.service();
    let mut notification = notification();
    notification.attempt = 900;
    for (elapsed_s, expected) in [(0, 5..=6), (6, 290..=331), (9_400, 17_000..=19_800)] {
        notification.received_at =
            notification.first_received_at + jiff::SignedDuration::from_secs(elapsed_s);
        house.cloud.answer_pushes(500, None, 1).await;
        let failure = service.handle(&notification).await.unwrap_err();
        let pause = of_the_webhook(&failure).2.unwrap().as_secs();
        assert!(expected.contains(&pause), "after {elapsed_s} s: {pause}");
    }
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_push_whose_answer_is_lost_is_repeated_under_the_same_id() {
    let house = House::build().await;
    let service = house.service();
    let notification = notification();
    house.cloud.fail("webhook", "Push", "drop-response", 1).await;
    let failure = service.handle(&notification).await.unwrap_err();
    let (reason, code, _) = of_the_webhook(&failure);
    assert_eq!((reason, code), ("unavailable", "connection-lost"));
    assert_eq!(service.handle(&notification).await.unwrap(), PUSHED);
    assert_eq!(house.pushes().await, [(204, false), (204, true)]);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_abandoned() {
    let house = House::build().await;
    let lease = Lease { effect: Duration::from_millis(200), ..LEASE };
    let service = house.service_with(&house.cloud.webhook_url(), house.cloud.webhook_secret(), lease);
    house.cloud.fail("webhook", "Push", "timeout", 1).await;
    let notification = notification();
    let failure = service.handle(&notification).await.unwrap_err();
    let (reason, code, _) = of_the_webhook(&failure);
    assert_eq!((reason, code), ("unavailable", "timeout"));
    house.cloud.mend().await;
    assert_eq!(service.handle(&notification).await.unwrap(), PUSHED);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn an_endpoint_that_nothing_listens_at_is_unavailable() {
    let house = House::build().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let service = house.service_with(&format!("http://{closed}/"), house.cloud.webhook_secret(), LEASE);
    let failure = service.handle(&notification()).await.unwrap_err();
    let (reason, code, _) = of_the_webhook(&failure);
    assert_eq!((reason, code), ("unavailable", "connect"));
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let house = House::build().await;
    let (elsewhere, reached) = server("HTTP/1.1 204 No Content\r\n\r\n").await;
    let answer =
        format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n");
    let (url, _) = server(answer.leak()).await;
    let failure = house
        .service_with(&url, house.cloud.webhook_secret(), LEASE)
        .handle(&notification())
        .await
        .unwrap_err();
    let (reason, code, _) = of_the_webhook(&failure);
    assert_eq!((reason, code), ("refused", "307"));
    assert_eq!(reached.load(Ordering::SeqCst), 0);
    house.cloud.shutdown().await;
}

/// The status has arrived, and nothing else matters: neither a body without an end, nor one that never comes.
#[tokio::test]
async fn a_body_that_does_not_end_delays_nothing_for_long() {
    let house = House::build().await;
    let (url, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\nfirst").await;
    let service = house.service_with(&url, house.cloud.webhook_secret(), LEASE);
    let started = std::time::Instant::now();
    assert_eq!(service.handle(&notification()).await.unwrap(), PUSHED);
    assert!(started.elapsed() < LEASE.effect, "{:?}", started.elapsed());
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn a_host_whose_address_is_forbidden_is_never_connected_to() {
    let house = House::build().await;
    let (url, reached) = server("HTTP/1.1 204 No Content\r\n\r\n").await;
    let port = url.rsplit(':').next().unwrap();
    let table = house.cloud.variable(crate::NAME, "APP_DELIVERIES_TABLE_NAME");
    let mut target = Target::read(&format!("http://localhost:{port}"), true, true).unwrap();
    target.private = false;
    let recipients = Recipients::new(house.dynamodb.clone(), table.clone());
    let endpoint = Endpoint::new(house.dynamodb.clone(), table.clone(), target.digest());
    let secrets = house.cloud.webhook_secret().parse().unwrap();
    let webhook = Webhook::new(target, secrets, LEASE.effect).unwrap();
    let pushes = PushNotification::new(webhook, endpoint, recipients);
    let failure =
        Claimed::new(house.dynamodb.clone(), table, LEASE, pushes).handle(&notification()).await.unwrap_err();
    let (reason, code, retry_after) = of_the_webhook(&failure);
    assert_eq!((reason, code, retry_after), ("misconfigured", "forbidden-address", None));
    assert!(matches!(failure, Failure::Transient { misconfigured: true, .. }));
    assert_eq!(reached.load(Ordering::SeqCst), 0);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_until_an_operator_enables_it() {
    let house = House::build().await;
    let service = house.service();
    house.cloud.answer_pushes(410, None, 1).await;
    let first = notification();
    assert_eq!(service.handle(&first).await.unwrap(), DISABLED);
    assert_eq!(service.handle(&notification()).await.unwrap(), DISABLED);
    assert_eq!(service.handle(&first).await.unwrap(), Done::DUPLICATE);
    assert_eq!(house.pushes().await, [(410, false)]);
    let item = house.cloud.item("app-deliveries", "ENDPOINT").await.unwrap();
    assert_eq!(item["notification_id"].as_s().unwrap(), &first.envelope.metadata.event_id.to_string());
    assert!(item["disabled_at"].as_s().unwrap().parse::<Timestamp>().is_ok());
    assert!(!format!("{item:?}").contains("/_local"), "{item:?}");

    // Another endpoint is not disabled.
    let url = format!("{}?other", house.cloud.webhook_url());
    let other = house.service_with(&url, house.cloud.webhook_secret(), LEASE);
    assert_eq!(other.handle(&notification()).await.unwrap(), PUSHED);

    let table = house.cloud.variable(crate::NAME, "APP_DELIVERIES_TABLE_NAME");
    let key = aws_sdk_dynamodb::types::AttributeValue::S("ENDPOINT".into());
    house.dynamodb.delete_item().table_name(table).key("pk", key).send().await.unwrap();
    assert_eq!(service.handle(&notification()).await.unwrap(), PUSHED);
    house.cloud.shutdown().await;
}

#[tokio::test]
async fn pushes_share_a_connection() {
    let house = House::build().await;
    let (url, connections) = server_that_keeps_connections().await;
    let service = house.service_with(&url, house.cloud.webhook_secret(), LEASE);
    for _ in 0..3 {
        assert_eq!(service.handle(&notification()).await.unwrap(), PUSHED);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    house.cloud.shutdown().await;
}

/// Answers every request of a connection, with a body that must be read before the next.
async fn server_that_keeps_connections() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut buffer = [0; 16_384];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    request.extend_from_slice(&buffer[..read]);
                    if request.ends_with(b"}") {
                        request.clear();
                        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await);
                    }
                }
            });
        }
    });
    (url, connections)
}
