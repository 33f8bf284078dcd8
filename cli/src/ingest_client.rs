//! Posts events to ingest as any producer does: JSON over HTTP, signed if a secret is shared.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use uuid::Uuid;
use webhook_signature::Secrets;

use crate::failure::Failure;
use crate::style::printable;

/// Longer than ingest's own timeout for EventBridge, so that its answer arrives.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The path that events are posted to.
const PATH: &str = "/v1/events";
/// What the type of each of ingest's problems begins with.
#[cfg(feature = "local")]
const PROBLEM: &str = "urn:foostore:problem:";

/// A client of one ingest.
#[derive(Clone)]
pub(crate) struct IngestClient {
    http: reqwest::Client,
    url: String,
    secrets: Option<Secrets>,
}

/// The outcome of one posted event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// EventBridge has accepted it.
    Accepted {
        /// The event's id, assigned by ingest if the event had none.
        event_id: String,
        /// The trace it is in, as X-Ray writes it.
        trace_id: String,
    },
    /// It was refused; the problem in words.
    Refused(String),
}

/// The outcome of one post, for programs.
#[cfg(feature = "local")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Response {
    /// EventBridge has accepted the event, in the trace with this id.
    Accepted {
        /// As X-Ray writes it.
        trace_id: String,
    },
    /// It was refused.
    Rejected {
        /// The type of the problem without its prefix, or else the status.
        problem: String,
    },
}

impl IngestClient {
    /// Creates a client. `url` is ingest's address, with or without the path of events.
    pub(crate) fn new(http: reqwest::Client, url: &str, secrets: Option<Secrets>) -> Self {
        let base = url.trim_end_matches('/');
        let base = base.strip_suffix(PATH).unwrap_or(base);
        Self { http, url: format!("{base}{PATH}"), secrets }
    }

    /// Posts one event and starts its trace.
    ///
    /// # Errors
    /// When ingest cannot be reached or its answer cannot be read. A refused event is an [`Answer`].
    pub(crate) async fn post(&self, event: &Value) -> anyhow::Result<Answer> {
        let (status, answer) = self.exchange(event.to_string()).await?;
        Ok(read_answer(status, &answer))
    }

    /// Posts a list, each event in a separate trace; the answers are in the order of the events.
    ///
    /// # Errors
    /// When ingest cannot be reached or its answer cannot be read.
    pub(crate) async fn post_list(&self, events: &[Value]) -> anyhow::Result<Vec<Answer>> {
        let body = serde_json::to_string(events).context("the events cannot be written as JSON")?;
        let (status, answer) = self.exchange(body).await?;
        match answer {
            Value::Array(items) if items.len() == events.len() => {
                Ok(items.iter().map(|item| read_answer(status, item)).collect())
            }
            Value::Array(items) => {
                anyhow::bail!("{} answered {} items for {} events", self.url, items.len(), events.len())
            }
            // One problem for the whole request: too large, not signed, not JSON.
            other => Ok(vec![read_answer(status, &other); events.len()]),
        }
    }

    /// Posts one event as JSON.
    ///
    /// # Errors
    /// When ingest cannot be reached or its answer cannot be read.
    #[cfg(feature = "local")]
    pub(crate) async fn respond(&self, event: String) -> anyhow::Result<Response> {
        let (status, answer) = self.exchange(event).await?;
        Ok(read_response(status, &answer))
    }

    async fn exchange(&self, body: String) -> anyhow::Result<(u16, Value)> {
        let mut request =
            self.http.post(&self.url).timeout(TIMEOUT).header("content-type", "application/json");
        if let Some(secrets) = &self.secrets {
            let id = format!("msg_{}", Uuid::new_v4());
            let timestamp = jiff::Timestamp::now().as_second();
            request = request
                .header("webhook-id", &id)
                .header("webhook-timestamp", timestamp)
                .header("webhook-signature", secrets.sign(&id, timestamp, body.as_bytes()));
        }
        let answer = request.body(body).send().await.map_err(|error| unreachable(&self.url, &error))?;
        let status = answer.status().as_u16();
        let text =
            answer.text().await.with_context(|| format!("the answer of {} cannot be read", self.url))?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }
}

/// Creates the HTTP client for the command line's own calls: plain HTTP, and no proxy even if one is configured.
///
/// # Errors
/// When the client cannot be built.
pub(crate) fn http_client() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(Duration::from_secs(5))
        .build()
        .context("the HTTP client cannot be built")
}

/// Returns the failure for an HTTP address that does not answer.
pub(crate) fn unreachable(url: &str, error: &reqwest::Error) -> Failure {
    if error.is_builder() {
        return Failure::usage(format!("{url} is not a valid address: use http://HOST:PORT"));
    }
    if error.is_timeout() {
        return Failure::unavailable(format!("{url} did not answer in time; its log may say why"));
    }
    Failure::unavailable(format!(
        "{url} cannot be reached; start it with `foostore up`, or name another address"
    ))
}

fn read_answer(status: u16, answer: &Value) -> Answer {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
    // An item of a list has its own status, and its problem may name the event and a trace too.
    let status = answer.get("status").and_then(Value::as_u64).unwrap_or(u64::from(status));
    match (text("event_id"), text("trace_id")) {
        (Some(event_id), Some(trace_id)) if status < 300 => Answer::Accepted { event_id, trace_id },
        _ => Answer::Refused(problem(status, answer)),
    }
}

#[cfg(feature = "local")]
fn read_response(status: u16, answer: &Value) -> Response {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    match text("trace_id") {
        Some(trace_id) if status < 300 => Response::Accepted { trace_id: trace_id.to_owned() },
        _ => {
            let kind = text("type").and_then(|kind| kind.strip_prefix(PROBLEM)).map(printable);
            Response::Rejected { problem: kind.unwrap_or_else(|| format!("status {status}")) }
        }
    }
}

/// Renders RFC 9457 problem details: the problem, then a line for each invalid field.
fn problem(status: u64, answer: &Value) -> String {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(printable);
    let mut line = status.to_string();
    let said: Vec<String> = ["title", "detail"].iter().filter_map(|name| text(answer, name)).collect();
    if said.is_empty() {
        let body: String = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
        line = format!("{line} {}", printable(body.trim()));
    } else {
        line = format!("{line} {}", said.join(": "));
    }
    for error in answer.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let pointer = text(error, "pointer").unwrap_or_default();
        let detail = text(error, "detail").unwrap_or_default();
        line = format!("{line}\n    {pointer}: {detail}");
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_path_is_added_once() {
        let http = http_client().unwrap();
        for url in ["http://a:1", "http://a:1/", "http://a:1/v1/events"] {
            assert_eq!(IngestClient::new(http.clone(), url, None).url, "http://a:1/v1/events");
        }
    }

    #[test]
    fn an_item_is_accepted_or_has_its_problem() {
        let taken = Answer::Accepted { event_id: "e".to_owned(), trace_id: "1-a".to_owned() };
        assert_eq!(read_answer(202, &json!({"event_id": "e", "trace_id": "1-a"})), taken);
        assert_eq!(read_answer(422, &json!({"event_id": "e", "trace_id": "1-a", "status": 202})), taken);
        let refused = json!({"status": 422, "title": "the event is not valid", "event_id": "e", "trace_id": "1-a",
                             "errors": [{"pointer": "/data/email", "detail": "is no e-mail address"}]});
        assert_eq!(
            read_answer(202, &refused),
            Answer::Refused("422 the event is not valid\n    /data/email: is no e-mail address".to_owned())
        );
        assert_eq!(read_answer(502, &json!("bad gateway")), Answer::Refused("502 bad gateway".to_owned()));
    }

    #[cfg(feature = "local")]
    #[test]
    fn a_refusal_is_known_by_its_type() {
        let rejected = |problem: &str| Response::Rejected { problem: problem.to_owned() };
        assert_eq!(
            read_response(202, &json!({"event_id": "e", "trace_id": "1-a"})),
            Response::Accepted { trace_id: "1-a".to_owned() }
        );
        let overloaded = json!({"type": "urn:foostore:problem:overloaded", "trace_id": "1-a"});
        assert_eq!(read_response(503, &overloaded), rejected("overloaded"));
        assert_eq!(read_response(502, &json!("bad gateway")), rejected("status 502"));
    }
}
