//! Connections and shutdown, over a real socket.

use super::*;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

async fn serve(bus: &Bus, header_read_timeout: Duration) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let router = Service::over(bus).router();
    let serving = crate::server::serve(listener, router, header_read_timeout, shutdown.clone());
    (address, shutdown, tokio::spawn(serving))
}

fn raw_request() -> String {
    let body = renamed().to_string();
    format!(
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_server_ends() {
    let bus = Bus::accepting().taking(Duration::from_millis(300));
    let (address, shutdown, serving) = serve(&bus, Duration::from_mins(1)).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(raw_request().as_bytes()).await.unwrap();
    bus.arrived.notified().await;
    shutdown.cancel();
    let answer = read_to_end(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    serving.await.unwrap();
    assert_eq!(read_to_end(&mut idle).await, "", "an idle connection does not hold the end up");
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(bus.published().len(), 1);
}

#[tokio::test]
async fn headers_that_do_not_come_end_the_connection() {
    let (address, shutdown, serving) = serve(&Bus::accepting(), Duration::from_millis(100)).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"POST /v1/events HTTP/1.1\r\nhost: loc").await.unwrap();
    read_to_end(&mut slow).await;
    shutdown.cancel();
    serving.await.unwrap();
}
