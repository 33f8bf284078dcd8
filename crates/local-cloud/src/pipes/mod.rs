//! EventBridge Pipes, of the one kind that an outbox needs: from a DynamoDB stream to an event bus.

mod definition;
mod listing;
mod record;
mod run;
mod tags;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::definition::{Definition, StartingPosition};
use self::listing::Listing;
use self::run::{Connections, Pipe};
use crate::call::Call;
use crate::dynamodb::{Reader, Streams};
use crate::events::Buses;
use crate::faults::Faults;
use crate::reply::AwsError;
use crate::settings::Settings;
use crate::sqs::Queues;

/// AWS General Reference, "Amazon EventBridge Pipes quotas": pipes of an account in a region.
const MAX_PIPES: usize = 1000;

#[derive(Debug)]
pub(crate) struct Pipes {
    connections: Connections,
    arn_prefix: String,
    entries: Mutex<BTreeMap<String, Entry>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Debug)]
struct Entry {
    arn: String,
    /// The request that created the pipe, with updates merged in, as `DescribePipe` returns it.
    request: Value,
    definition: Arc<Definition>,
    created: Timestamp,
    modified: Timestamp,
    /// The place in the stream. It survives stops and updates, as on AWS.
    reader: Arc<Reader>,
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Pipes {
    pub(crate) fn new(
        settings: &Settings,
        streams: Streams,
        buses: Buses,
        queues: Queues,
        faults: Arc<Faults>,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            connections: Connections { streams, buses, queues, faults },
            arn_prefix: format!("arn:aws:pipes:{}:{}:pipe/", settings.region, settings.account_id),
            entries: Mutex::default(),
            stop,
            tasks,
        }
    }

    pub(crate) async fn answer(&self, call: &Call) -> Result<Value, AwsError> {
        let name = self.name(&call.input);
        let mut pipes = self.entries.lock().await;
        match call.operation.as_str() {
            "CreatePipe" => self.create(&mut pipes, &name, call),
            "UpdatePipe" => self.update(&mut pipes, &name, call).await,
            "DescribePipe" => found(&mut pipes, &name).map(|pipe| pipe.describe(&name)),
            "DeletePipe" => delete(&mut pipes, &name).await,
            "StartPipe" => self.start(&mut pipes, &name),
            "StopPipe" => stop(&mut pipes, &name).await,
            "ListPipes" => list(&pipes, &call.read()?),
            "TagResource" => tags::add(&mut found(&mut pipes, &name)?.request, &call.input),
            "UntagResource" => Ok(tags::remove(&mut found(&mut pipes, &name)?.request, &call.input)),
            "ListTagsForResource" => Ok(tags::list(&found(&mut pipes, &name)?.request)),
            _ => Err(call.not_supported()),
        }
    }

    /// Returns the name of the pipe that a request is about: operations on tags have its ARN instead.
    fn name(&self, input: &Value) -> String {
        let arn = || input["resourceArn"].as_str()?.strip_prefix(&self.arn_prefix);
        input["Name"].as_str().or_else(arn).unwrap_or_default().to_owned()
    }

    fn create(
        &self,
        pipes: &mut BTreeMap<String, Entry>,
        name: &str,
        call: &Call,
    ) -> Result<Value, AwsError> {
        if pipes.contains_key(name) {
            return Err(AwsError::new(
                StatusCode::CONFLICT,
                "ConflictException",
                format!("Pipe {name} already exists."),
            ));
        }
        if pipes.len() >= MAX_PIPES {
            let message = format!("The account has {MAX_PIPES} pipes already");
            return Err(AwsError::new(
                StatusCode::PAYMENT_REQUIRED,
                "ServiceQuotaExceededException",
                message,
            ));
        }
        let definition = self.checked(&call.input)?;
        let request = definition::pruned(&call.input);
        let at_the_end = matches!(definition.starting_position(), StartingPosition::Latest);
        let reader = self.connections.streams.reader(&definition.source, at_the_end).ok_or_else(no_source)?;
        let start = reader.position();
        let mut pipe = Entry {
            arn: format!("{}{name}", self.arn_prefix),
            request,
            definition: Arc::new(definition),
            created: Timestamp::now(),
            modified: Timestamp::now(),
            reader: Arc::new(reader),
            running: None,
        };
        if pipe.definition.wants_to_run() {
            self.run(&mut pipe, name);
        }
        let output = pipe.summary(name, "CREATING");
        pipes.insert(name.to_owned(), pipe);
        tracing::info!(pipe = name, position = start, "pipe created");
        Ok(output)
    }

    /// Updates a pipe. Whatever the request does not name stays as it was.
    async fn update(
        &self,
        pipes: &mut BTreeMap<String, Entry>,
        name: &str,
        call: &Call,
    ) -> Result<Value, AwsError> {
        let pipe = found(pipes, name)?;
        let mut request = pipe.request.clone();
        merge(&mut request, definition::changes(&call.input));
        let definition = self.checked(&request)?;
        pipe.halt().await;
        pipe.request = definition::pruned(&request);
        pipe.definition = Arc::new(definition);
        pipe.modified = Timestamp::now();
        if pipe.definition.wants_to_run() {
            self.run(pipe, name);
        }
        Ok(pipe.summary(name, "UPDATING"))
    }

    fn start(&self, pipes: &mut BTreeMap<String, Entry>, name: &str) -> Result<Value, AwsError> {
        let pipe = found(pipes, name)?;
        pipe.request["DesiredState"] = "RUNNING".into();
        if pipe.running.is_none() {
            self.run(pipe, name);
        }
        Ok(pipe.summary(name, "STARTING"))
    }

    fn checked(&self, request: &Value) -> Result<Definition, AwsError> {
        let definition = Definition::read(request)?;
        if !self.connections.streams.contains(&definition.source) {
            return Err(no_source());
        }
        if let Some(arn) = definition.dead_letter_arn() {
            self.connections
                .queues
                .url_of(arn)
                .map_err(|_| definition::invalid("the dead-letter target must be an SQS queue"))?;
        }
        Ok(definition)
    }

    fn run(&self, pipe: &mut Entry, name: &str) {
        let stop = self.stop.child_token();
        let task = Pipe {
            name: name.to_owned(),
            arn: pipe.arn.clone(),
            definition: Arc::clone(&pipe.definition),
            reader: Arc::clone(&pipe.reader),
            connections: self.connections.clone(),
        };
        let handle = self.tasks.spawn(task.run(stop.clone()));
        pipe.running = Some((stop, handle));
    }
}

impl Entry {
    /// Stops the task and waits for it: afterwards no record is in flight.
    async fn halt(&mut self) {
        if let Some((stop, handle)) = self.running.take() {
            stop.cancel();
            if let Err(error) = handle.await {
                tracing::error!(%error, "a pipe's task failed");
            }
        }
    }

    fn current_state(&self) -> &'static str {
        match &self.running {
            Some((_, handle)) if handle.is_finished() => "STOPPED",
            Some(_) => "RUNNING",
            None => "STOPPED",
        }
    }

    fn summary(&self, name: &str, current_state: &str) -> Value {
        json!({
            "Arn": self.arn,
            "Name": name,
            "DesiredState": self.request.get("DesiredState").and_then(Value::as_str).unwrap_or("RUNNING"),
            "CurrentState": current_state,
            "CreationTime": self.created.as_second(),
            "LastModifiedTime": self.modified.as_second(),
        })
    }

    fn describe(&self, name: &str) -> Value {
        let mut output = self.request.clone();
        merge(&mut output, self.summary(name, self.current_state()));
        // Not in AWS: how many records have been read, for those who examine a stuck pipe.
        output["LocalCloudPosition"] = self.reader.position().into();
        output
    }
}

fn no_source() -> AwsError {
    definition::invalid("the source must be the stream of a table that exists")
}

fn found<'a>(pipes: &'a mut BTreeMap<String, Entry>, name: &str) -> Result<&'a mut Entry, AwsError> {
    pipes.get_mut(name).ok_or_else(|| {
        AwsError::new(StatusCode::NOT_FOUND, "NotFoundException", format!("Pipe {name} does not exist."))
    })
}

async fn delete(pipes: &mut BTreeMap<String, Entry>, name: &str) -> Result<Value, AwsError> {
    let pipe = found(pipes, name)?;
    pipe.halt().await;
    let mut output = pipe.summary(name, "DELETING");
    output["DesiredState"] = "DELETED".into();
    pipes.remove(name);
    Ok(output)
}

async fn stop(pipes: &mut BTreeMap<String, Entry>, name: &str) -> Result<Value, AwsError> {
    let pipe = found(pipes, name)?;
    pipe.request["DesiredState"] = "STOPPED".into();
    pipe.halt().await;
    Ok(pipe.summary(name, "STOPPING"))
}

fn list(pipes: &BTreeMap<String, Entry>, request: &Listing) -> Result<Value, AwsError> {
    let summaries = pipes.iter().map(|(name, pipe)| {
        let mut summary = pipe.summary(name, pipe.current_state());
        for field in ["Source", "Target", "Enrichment"] {
            if let Some(value) = pipe.request.get(field) {
                summary[field] = value.clone();
            }
        }
        (name.clone(), summary)
    });
    request.of(summaries)
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let mut request = json!({"a": {"b": 1, "c": 2}, "d": 3});
        merge(&mut request, json!({"a": {"b": 9}}));
        assert_eq!(request, json!({"a": {"b": 9, "c": 2}, "d": 3}));
    }
}
