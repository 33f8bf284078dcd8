//! The web service on a socket.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;

async fn serve() -> (SocketAddr, CancellationToken, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
    let router = Health::new().router();
    (address, shutdown.clone(), tokio::spawn(updates::server::serve(listener, router, shutdown)))
}

/// Sends a request and returns the first line of its answer.
async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn connections_that_wait_hold_up_neither_others_nor_the_shutdown() {
    let (address, shutdown, serving) = serve().await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /health/live HTTP/1.1\r\n").await.unwrap();
    let request = "GET /health/live HTTP/1.1\r\nhost: wallet\r\n\r\n";
    for _ in 0..2 {
        assert_eq!(ask(&mut idle, request).await, "HTTP/1.1 200 OK");
    }
    drop(slow);
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(5), serving)
        .await
        .expect("an idle connection is closed")
        .unwrap();
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_head_is_bounded() {
    let (address, shutdown, serving) = serve().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let long = format!("GET /health/live HTTP/1.1\r\nhost: {}\r\n\r\n", "x".repeat(20_000));
    assert_eq!(ask(&mut stream, &long).await, "HTTP/1.1 431 Request Header Fields Too Large");
    shutdown.cancel();
    serving.await.unwrap();
}
