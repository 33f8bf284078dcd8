//! Accepting connections and answering them over HTTP/1.1.
//!
//! Written on hyper rather than `axum::serve` for one reason: a fault must be able to cut a connection without an answer.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::{StartError, bind_error};

/// Put into a response's extensions: the connection is closed instead of answering.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut;

#[derive(Debug, thiserror::Error)]
#[error("connection cut on demand")]
struct ConnectionCut;

/// After a failed accept (usually: no file descriptors left) accepting again at once would spin.
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// How long an open request may take to end on shutdown, before its connection is dropped.
const DRAIN: Duration = Duration::from_secs(3);

pub(crate) async fn bind(address: SocketAddr, what: &'static str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| bind_error(address, what, source))
}

pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(connection(stream, router.clone(), stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(PAUSE_AFTER_FAILED_ACCEPT).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small answers will be delayed");
    }
    let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
        let router = router.clone();
        async move {
            let response: Response = match router.oneshot(request.map(axum::body::Body::new)).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            if response.extensions().get::<Cut>().is_some() { Err(ConnectionCut) } else { Ok(response) }
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let Ok(result) = tokio::time::timeout(DRAIN, connection).await else {
                tracing::warn!("a request still open at shutdown was dropped");
                return;
            };
            result
        }
    };
    if let Err(error) = result {
        // Clients that go away in the middle are daily life in a test run.
        tracing::debug!(%error, "connection ended early");
    }
}
