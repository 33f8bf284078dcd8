//! A stand-in for X-Ray with both calls, as strict about requests as the service's model.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::support::DATE;
use crate::transport::{Operation, Transport};

/// A fault that calls of an operation meet.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Refused(u16),
    Body(Vec<u8>),
    Hanging,
}

/// A received call.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) operation: Operation,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

#[derive(Debug)]
struct State {
    rules: Vec<Value>,
    page_size: usize,
    targets: BTreeMap<String, Value>,
    last_modification: Value,
    faults: BTreeMap<&'static str, Fault>,
    arrived: Vec<Arrived>,
    in_flight: usize,
}

/// The service. Clones share its state.
#[derive(Clone, Debug)]
pub(crate) struct XRay {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

/// A status other than 200.
#[derive(Debug, Error)]
#[error("status {0}")]
pub(crate) struct Status(pub(crate) u16);

impl XRay {
    pub(crate) fn with(rules: &[Value]) -> Self {
        let state = State {
            rules: rules.to_vec(),
            page_size: 1_000,
            targets: BTreeMap::new(),
            last_modification: json!(DATE - 1_000.0),
            faults: BTreeMap::new(),
            arrived: Vec::new(),
            in_flight: 0,
        };
        Self { state: Arc::new(Mutex::new(state)), changed: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn paged_by(self, page_size: usize) -> Self {
        self.state().page_size = page_size;
        self
    }

    /// Replaces the rules, modified at a date.
    pub(crate) fn modify(&self, rules: &[Value], date: f64) {
        let mut state = self.state();
        state.rules = rules.to_vec();
        state.last_modification = json!(date);
    }

    /// Sets the target of a rule, without its name.
    pub(crate) fn assign(&self, rule: &str, target: Value) {
        self.state().targets.insert(rule.to_owned(), target);
    }

    /// Makes calls of an operation fail.
    pub(crate) fn fail(&self, operation: Operation, fault: Fault) {
        self.state().faults.insert(operation.path(), fault);
    }

    pub(crate) fn heal(&self) {
        self.state().faults.clear();
    }

    /// Returns the received calls of an operation.
    pub(crate) fn arrived(&self, operation: Operation) -> Vec<Arrived> {
        self.state().arrived.iter().filter(|arrived| arrived.operation == operation).cloned().collect()
    }

    /// Returns the statistics of all received reports.
    pub(crate) fn documents(&self) -> Vec<Value> {
        let reports = self.arrived(Operation::GetSamplingTargets);
        reports
            .iter()
            .flat_map(|report| report.body["SamplingStatisticsDocuments"].as_array().unwrap().clone())
            .collect()
    }

    /// Waits until a condition on the service holds.
    pub(crate) async fn until(&self, condition: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if condition(self) {
                return;
            }
            changed.await;
        }
    }

    /// Answers a call with a status and a body.
    pub(crate) async fn answer(&self, operation: Operation, body: &[u8]) -> (u16, Vec<u8>) {
        let body: Value = serde_json::from_slice(body).unwrap();
        let arrived = Arrived { operation, body: body.clone(), at: Instant::now() };
        let fault = {
            let mut state = self.state();
            state.arrived.push(arrived);
            state.in_flight += 1;
            assert_eq!(state.in_flight, 1, "calls overlap");
            state.faults.get(operation.path()).cloned()
        };
        let _done = Done(self);
        self.changed.notify_waiters();
        match fault {
            Some(Fault::Refused(status)) => (status, br#"{"message": "not authorized"}"#.to_vec()),
            Some(Fault::Body(body)) => (200, body),
            Some(Fault::Hanging) => std::future::pending().await,
            None => {
                // Over a network, the response is not immediate either.
                tokio::task::yield_now().await;
                let answer = match operation {
                    Operation::GetSamplingRules => self.rules(&body),
                    Operation::GetSamplingTargets => self.targets(&body),
                };
                answer.map_or_else(
                    |reason| (400, reason.into_bytes()),
                    |answer| (200, answer.to_string().into()),
                )
            }
        }
    }

    fn rules(&self, request: &Value) -> Result<Value, String> {
        let state = self.state();
        let start = match &request["NextToken"] {
            Value::Null => 0,
            Value::String(token) => {
                token.parse().map_err(|_| "InvalidRequestException: NextToken".to_owned())?
            }
            _ => return Err("ValidationException: NextToken".to_owned()),
        };
        let end = state.rules.len().min(start + state.page_size);
        let records: Vec<Value> = state.rules[start..end]
            .iter()
            .map(
                |rule| json!({ "SamplingRule": rule, "CreatedAt": DATE - 9e6, "ModifiedAt": DATE - 1_000.0 }),
            )
            .collect();
        let next = (end < state.rules.len()).then(|| end.to_string());
        Ok(json!({ "SamplingRuleRecords": records, "NextToken": next }))
    }

    fn targets(&self, request: &Value) -> Result<Value, String> {
        let state = self.state();
        let documents = request["SamplingStatisticsDocuments"].as_array().ok_or("ValidationException")?;
        if documents.is_empty() || documents.len() > 25 {
            return Err(format!("ValidationException: {} documents", documents.len()));
        }
        let (mut targets, mut unprocessed) = (Vec::new(), Vec::new());
        for document in documents {
            check(document)?;
            let name = document["RuleName"].as_str().unwrap();
            if !state.rules.iter().any(|rule| rule["RuleName"] == name) {
                unprocessed.push(json!({ "RuleName": name, "ErrorCode": "404", "Message": "no such rule" }));
            } else if let Some(target) = state.targets.get(name) {
                let mut target = target.clone();
                target["RuleName"] = json!(name);
                targets.push(target);
            }
        }
        Ok(json!({
            "SamplingTargetDocuments": targets,
            "LastRuleModification": state.last_modification,
            "UnprocessedStatistics": unprocessed,
            "UnprocessedBoostStatistics": null,
        }))
    }
}

/// Ends a call, even if its caller drops it.
struct Done<'a>(&'a XRay);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.state().in_flight -= 1;
    }
}

/// Checks a document against the service's model.
fn check(document: &Value) -> Result<(), String> {
    let count = |key: &str| document[key].as_i64().ok_or(format!("ValidationException: {key}"));
    let client = document["ClientID"].as_str().unwrap_or_default();
    if client.len() != 24 || !client.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!("ValidationException: ClientID {client}"));
    }
    if !(1..=32).contains(&document["RuleName"].as_str().unwrap_or_default().len()) {
        return Err("ValidationException: RuleName".to_owned());
    }
    if document["Timestamp"].as_f64().is_none() {
        return Err("ValidationException: Timestamp".to_owned());
    }
    let (requests, sampled, borrowed) =
        (count("RequestCount")?, count("SampledCount")?, count("BorrowCount")?);
    if !(0 <= borrowed && borrowed <= sampled && sampled <= requests) {
        return Err(format!("ValidationException: {borrowed} of {sampled} of {requests}"));
    }
    Ok(())
}

impl Transport for XRay {
    type Error = Status;

    async fn post(&self, operation: Operation, body: Vec<u8>) -> Result<Vec<u8>, Status> {
        match self.answer(operation, &body).await {
            (200, body) => Ok(body),
            (status, _) => Err(Status(status)),
        }
    }
}
