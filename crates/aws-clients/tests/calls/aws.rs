//! A server in place of AWS, and calls in a trace.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_clients::AwsSettings;
use aws_types::SdkConfig;
use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use telemetry::testing::{Recorder, attribute};
use tokio::net::TcpListener;
use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const PARENT: &str =
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a:1";

/// A server that returns scripted responses in order and records the requests.
#[derive(Clone)]
pub(crate) struct Aws {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Aws {
    /// Starts a server with these responses; for `None` it never responds.
    pub(crate) async fn answering(answers: impl IntoIterator<Item = Option<(u16, &'static str)>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let aws = Self { address: listener.local_addr().unwrap(), requests: Arc::default() };
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<Vec<_>>().into_iter()));
        let requests = aws.requests.clone();
        let router =
            Router::new().fallback(async move |uri: Uri, headers: HeaderMap, body: String| -> Response {
                let path = uri.path().to_owned();
                requests.lock().unwrap().push(Request { path, headers, body });
                let answer = answers.lock().unwrap().next().unwrap();
                match answer {
                    Some((status, body)) => {
                        (StatusCode::from_u16(status).unwrap(), [("x-amzn-requestid", "REQUEST-1")], body)
                            .into_response()
                    }
                    None => std::future::pending().await,
                }
            });
        tokio::spawn(async move { axum::serve(listener, router).await });
        aws
    }

    pub(crate) async fn config(&self) -> SdkConfig {
        config(self.address).await
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|request| request.headers[name].to_str().unwrap().to_owned()).collect()
    }
}

pub(crate) async fn config(address: SocketAddr) -> SdkConfig {
    let endpoint = format!("http://{address}");
    aws_clients::sdk_config(&AwsSettings::read(|name| {
        let value = match name {
            "AWS_REGION" => "eu-central-1",
            "AWS_ENDPOINT_URL" => endpoint.as_str(),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "local",
            _ => return None,
        };
        Some(value.to_owned())
    }))
    .await
}

/// Runs a call under a span that continues the caller's trace.
pub(crate) async fn in_process_span<F: Future>(recorder: &Recorder, call: F) -> F::Output {
    let _guard = recorder.install();
    let span = tracing::info_span!("process", otel.kind = "consumer");
    span.set_parent(telemetry::context::from_message(Some(PARENT), None)).unwrap();
    call.instrument(span).await
}

pub(crate) fn text(span: &opentelemetry_sdk::trace::SpanData, key: &str) -> Option<String> {
    attribute(span, key).map(|value| value.as_str().into_owned())
}
