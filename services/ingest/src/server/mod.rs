//! Accepts connections and serves them until shutdown, each within its limits of time.

mod limits;
mod stream;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

pub(crate) use self::limits::TimeLimits;
use self::stream::Watched;
use crate::admission::{Admission, Phase, Place};
use crate::limits::MAX_HEAD_BYTES;

/// The pause after a failed accept, mostly for lack of file descriptors, which become free again with time.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves `router` on `listener` until `shutdown`; returns when every complete request begun by then is answered.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    admission: Admission,
    limits: TimeLimits,
    shutdown: CancellationToken,
) {
    let mut http = http1::Builder::new();
    // The limits of time are kept here, as hyper has none for idle connections and slow readers.
    http.max_buf_size(MAX_HEAD_BYTES).header_read_timeout(None);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                if let Some(place) = admission.enter(address.ip()) {
                    let serving =
                        connection(http.clone(), stream, router.clone(), place, limits, shutdown.clone());
                    connections.spawn(serving);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(
    http: http1::Builder,
    stream: TcpStream,
    router: Router,
    place: Place,
    limits: TimeLimits,
    shutdown: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "nodelay not set");
    }
    let io = TokioIo::new(Watched::new(stream, place.clone()));
    let requests = place.clone();
    let service = service_fn(move |request| answer(router.clone(), requests.clone(), request));
    let mut connection = pin!(http.serve_connection(io, service));
    let mut shutdown = pin!(shutdown.cancelled_owned());
    let mut displaced = pin!(place.displaced.cancelled());
    let mut timer = pin!(sleep_until(Instant::now()));
    let mut draining = None;
    poll_fn(|context| {
        if let Poll::Ready(served) = connection.as_mut().poll(context) {
            if let Err(error) = served {
                // The caller hung up or sent something other than HTTP; nothing is wrong here.
                tracing::debug!(%error, "connection ended early");
            }
            return Poll::Ready(());
        }
        if draining.is_none() && shutdown.as_mut().poll(context).is_ready() {
            draining = Some(Instant::now());
            connection.as_mut().graceful_shutdown();
            // It may have nothing left to do.
            context.waker().wake_by_ref();
        }
        if displaced.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        match limits.due(place.progress(), draining) {
            Some(due) => poll_timer(timer.as_mut(), due, context),
            None => Poll::Pending,
        }
    })
    .await;
}

/// Answers a request, and keeps the connection's phase up to date.
async fn answer(
    router: Router,
    place: Place,
    mut request: Request<Incoming>,
) -> Result<axum::response::Response, std::convert::Infallible> {
    place.is_in(Phase::Answering);
    request.extensions_mut().insert(place.clone());
    let response = router.oneshot(request.map(Body::new)).await;
    place.answered();
    response
}

fn poll_timer(mut timer: Pin<&mut Sleep>, due: Instant, context: &mut Context<'_>) -> Poll<()> {
    if timer.deadline() != due {
        timer.as_mut().reset(due);
    }
    timer.poll(context)
}
