//! What every request passes before it is looked at: the token, a place among the requests in flight, a limit of time, and
//! its span.

use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use telemetry::context::{Incoming, response_headers};
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::answers::Refusal;
use super::{Updates, span};

/// The scheme of the header `Authorization`.
const SCHEME: &str = "ApplePass ";

/// Takes a request in. Whoever shows no token must not write into the trace that it names, so its request begins another.
pub(super) async fn take(
    State(updates): State<Updates>,
    route: MatchedPath,
    parameters: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    let (started, method) = (Instant::now(), request.method().clone());
    let response = match admit(&updates, &parameters, request.headers()) {
        Ok(trust) => answer(&updates, route.as_str(), trust, request, next).await,
        Err(refusal) => refusal.into_response(),
    };
    updates.metrics.answered(&method, route.as_str(), response.status(), started.elapsed());
    response
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// A phone with the pass.
    Holder,
    /// Anybody: a phone asks for its own passes and reports failures without a token.
    Anybody,
}

/// Checks that the path is about our passes, and the token if the path names a pass.
fn admit(updates: &Updates, parameters: &RawPathParams, headers: &HeaderMap) -> Result<Trust, Refusal> {
    let parameter = |wanted| parameters.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
    if parameter("type").is_some_and(|it| it != updates.passes.pass_type()) {
        return Err(Refusal::NotFound);
    }
    let Some(serial) = parameter("serial") else { return Ok(Trust::Anybody) };
    let serial = serial.parse().map_err(|_| Refusal::NotFound)?;
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix(SCHEME));
    let accepted = token.is_some_and(|token| updates.tokens.accept(serial, token.trim()));
    if accepted { Ok(Trust::Holder) } else { Err(Refusal::Unauthorized) }
}

async fn answer(updates: &Updates, route: &str, trust: Trust, request: Request, next: Next) -> Response {
    let Ok(_permit) = updates.permits.try_acquire() else { return Refusal::Overloaded.into_response() };
    let incoming = Incoming::from_http(request.headers());
    let parent = match trust {
        Trust::Holder => incoming.into_context(),
        Trust::Anybody => incoming.into_new_trace(),
    };
    let span = span::start(request.method(), route, &updates.labels, parent);
    let answering = timeout(updates.request_timeout, next.run(request).instrument(span.clone()));
    let mut response = answering.await.unwrap_or_else(|_| Refusal::Timeout.into_response());
    let reason = response.extensions().get::<Refusal>().map(|refusal| refusal.reason());
    span::finish(&span, response.status(), reason);
    response.headers_mut().extend(response_headers(&span));
    response
}
