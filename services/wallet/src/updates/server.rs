//! Accepts connections and serves them until shutdown.
//!
//! It stands behind a load balancer, which keeps slow callers away and few connections, so bounds are enough here.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// The most connections; further ones wait to be accepted.
const CONNECTIONS: usize = 512;
/// The most bytes of a request's line and headers.
const HEAD_BYTES: usize = 16 * 1024;
/// How long a connection may wait for a request and its headers: longer than the 60 s for which a load balancer keeps an idle
/// connection
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html>), so that it
/// never sends on one that has just been closed here.
const HEAD_TIME: Duration = Duration::from_secs(75);
/// How long a connection lives, however slowly its caller reads.
const LIFE: Duration = Duration::from_mins(10);
/// How long connections have after the shutdown began: a request takes less.
const LAST_WORDS: Duration = Duration::from_secs(12);
/// The pause after a failed accept, mostly for lack of file descriptors, which become free again with time.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves `router` on `listener` until `shutdown`; returns when the requests begun by then are answered.
pub(crate) async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let serving = connection(stream, router.clone(), shutdown.clone());
                connections.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    // What is left then has a caller that does not read.
    drop(timeout(LAST_WORDS, connections.wait()).await);
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

async fn connection(stream: TcpStream, router: Router, shutdown: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "nodelay not set");
    }
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_BYTES);
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        router.clone().oneshot(request.map(Body::new))
    });
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = serving.as_mut() => return,
        () = sleep(LIFE) => return,
        () = shutdown.cancelled() => {}
    }
    // The request in flight is answered, and an idle connection closed.
    serving.as_mut().graceful_shutdown();
    drop(timeout(LAST_WORDS, serving).await);
}
