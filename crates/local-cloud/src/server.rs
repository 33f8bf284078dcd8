//! Listeners and connections, over HTTP/1.1, and HTTP/2 for OTLP over gRPC.
//!
//! This uses hyper rather than `axum::serve` for one reason: a fault has to be able to cut a connection without an answer.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use xray_engine::StoreError;

/// Why the cloud could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process listens on the address.
    #[error("{what} cannot listen on {address}: the address is in use")]
    AddressInUse {
        /// The address.
        address: SocketAddr,
        /// Which listener: `AWS endpoint` or `OTLP endpoint`.
        what: &'static str,
    },
    /// The address could not be bound for another reason.
    #[error("{what} cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Which listener: `AWS endpoint` or `OTLP endpoint`.
        what: &'static str,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
    /// Traces cannot be kept.
    #[error("the traces cannot be kept")]
    Traces(#[from] StoreError),
    /// The directory for mails cannot be used.
    #[error("the data directory {directory} cannot be used")]
    DataDirectory {
        /// The directory.
        directory: PathBuf,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
}

/// What answers the requests of a listener.
pub(crate) trait Answer: Clone + Send + 'static {
    /// Answers a request.
    fn answer(self, request: Request) -> impl Future<Output = Response> + Send;
}

impl Answer for Router {
    async fn answer(self, request: Request) -> Response {
        match self.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// Marks a response, in its extensions, whose connection is closed instead of answering.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut;

#[derive(Debug, thiserror::Error)]
#[error("connection cut on demand")]
struct ConnectionCut;

/// Pause after a failed accept, usually for want of file descriptors: trying again at once would spin.
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// How long an open request may take to finish during shutdown before its connection is dropped.
const DRAIN: Duration = Duration::from_secs(3);

/// Binds a listener. Returns it with its address, which contains the port that was chosen.
pub(crate) async fn bind(
    address: SocketAddr,
    what: &'static str,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::AddressInUse { address, what },
        _ => StartError::Bind { address, what, source },
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

pub(crate) async fn serve(
    listener: TcpListener,
    endpoint: impl Answer,
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
                tasks.spawn(connection(stream, endpoint.clone(), stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(PAUSE_AFTER_FAILED_ACCEPT).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, endpoint: impl Answer, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set: small answers will be delayed");
    }
    let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
        let endpoint = endpoint.clone();
        async move {
            let response = endpoint.answer(request.map(axum::body::Body::new)).await;
            if response.extensions().get::<Cut>().is_some() { Err(ConnectionCut) } else { Ok(response) }
        }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let Ok(result) = tokio::time::timeout(DRAIN, connection).await else {
                tracing::warn!("a request that was still open at shutdown was dropped");
                return;
            };
            result
        }
    };
    if let Err(error) = result {
        // Clients that disconnect midway are normal in a test run.
        tracing::debug!(%error, "connection ended early");
    }
}
