//! A listener between the services and whoever takes their spans.

use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};

/// Forwards requests and keeps those that carry spans.
#[derive(Clone)]
pub(crate) struct Tee {
    pub(crate) url: String,
    to: Arc<OnceLock<String>>,
    kept: Arc<Mutex<Vec<Vec<u8>>>>,
    http: reqwest::Client,
}

impl Tee {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tee = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            to: Arc::default(),
            kept: Arc::default(),
            http: reqwest::Client::new(),
        };
        let router = Router::new().fallback(pass).with_state(tee.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        tee
    }

    pub(crate) fn forward_to(&self, otlp: &str) {
        self.to.set(otlp.to_owned()).unwrap();
    }

    pub(crate) fn keep(&self, request: Vec<u8>) {
        self.kept.lock().unwrap().push(request);
    }

    pub(crate) fn kept(&self) -> Vec<Vec<u8>> {
        self.kept.lock().unwrap().clone()
    }
}

async fn pass(State(tee): State<Tee>, uri: Uri, body: Bytes) -> StatusCode {
    if uri.path() != "/v1/traces" {
        return StatusCode::OK;
    }
    let Some(otlp) = tee.to.get() else { return StatusCode::SERVICE_UNAVAILABLE };
    let status = post(&tee.http, otlp, body.to_vec()).await;
    tee.keep(body.into());
    status
}

pub(crate) async fn post(http: &reqwest::Client, otlp: &str, request: Vec<u8>) -> StatusCode {
    let request =
        http.post(format!("{otlp}/v1/traces")).header("content-type", "application/x-protobuf").body(request);
    request.send().await.unwrap().status()
}
