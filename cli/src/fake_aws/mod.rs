//! A scripted AWS for the tests of `deploy` and `doctor`: CloudFormation with stacks, change sets and events, and what else
//! these commands call. No emulator rolls back, or fails on request.

mod cloudformation;
mod json;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use service_runtime::Environment;

pub(crate) use self::cloudformation::{Fails, FakeStack};
use self::template::Template;
use crate::place::Place;

pub(crate) const ACCOUNT: &str = "123456789012";

/// What the account contains.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) stacks: BTreeMap<String, FakeStack>,
    /// The templates in requests, by their text.
    parsed: BTreeMap<String, Template>,
    /// Every stack that was ever created is numbered.
    created: u32,
    /// Images, as `repository:tag`.
    pub(crate) images: BTreeSet<String>,
    pub(crate) repositories: BTreeSet<String>,
    /// How the next operation on a stack fails.
    pub(crate) fails: BTreeMap<String, Fails>,
    /// Whether change sets take for ever.
    pub(crate) holds_reviews: bool,
    /// Each operation called, with the stack's name where it has one.
    pub(crate) asked: Vec<String>,
    /// What other services answer, by operation.
    pub(crate) answers: BTreeMap<String, Value>,
}

/// A running fake.
#[derive(Clone)]
pub(crate) struct FakeAws {
    account: Arc<Mutex<Account>>,
    url: String,
}

impl FakeAws {
    pub(crate) async fn start() -> Self {
        let account = Arc::new(Mutex::new(Account::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(Arc::clone(&account));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { account, url }
    }

    pub(crate) fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap()
    }

    pub(crate) async fn place(&self) -> Place {
        Place::emulator(&self.url, None, &Environment::default()).await.unwrap()
    }
}

async fn answer(
    State(account): State<Arc<Mutex<Account>>>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, String) {
    let mut account = account.lock().unwrap();
    if let Some(target) = headers.get("x-amz-target") {
        let (_, operation) = target.to_str().unwrap().rsplit_once('.').unwrap();
        account.asked.push(operation.to_owned());
        return json::answer(&account, operation, &serde_json::from_str(&body).unwrap());
    }
    let url = reqwest::Url::parse(&format!("http://fake/?{body}")).unwrap();
    let fields: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let action = &fields["Action"];
    let stack = fields.get("StackName").map(|name| format!(" {name}")).unwrap_or_default();
    account.asked.push(format!("{action}{stack}"));
    let (status, result) = match cloudformation::answer(&mut account, action, &fields) {
        Ok(result) => (StatusCode::OK, format!("<{action}Result>{result}</{action}Result>")),
        Err(message) => {
            let message = escaped(&message);
            let error = format!("<Error><Code>ValidationError</Code><Message>{message}</Message></Error>");
            return (StatusCode::BAD_REQUEST, format!("<ErrorResponse>{error}</ErrorResponse>"));
        }
    };
    (status, format!("<{action}Response>{result}</{action}Response>"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
