//! A scripted AWS: CloudFormation with stacks that are created, rolled back and removed as a test says, and what else a
//! full run needs. No emulator rolls back, or encrypts with a key whose policy counts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A resource that outlives its stack.
const LEFT: &str = "<member><LogicalResourceId>KeptQueue</LogicalResourceId>\
    <PhysicalResourceId>https://q</PhysicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType>\
    <ResourceStatus>DELETE_SKIPPED</ResourceStatus></member>";

/// How the creation of a stack goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goes {
    /// The stack is created unless a resource of it must fail, which is rolled back.
    AsItShould,
    /// The same, and the creation is seen going on for some seconds.
    Slowly,
    /// It never ends.
    Hangs,
    /// It is rolled back for this reason.
    Fails(&'static str),
    /// It is rolled back and leaves a queue.
    Leaves,
}

#[derive(Debug)]
struct Stack {
    /// What it reports, each at a look; the last one stays.
    statuses: VecDeque<&'static str>,
    retains: bool,
    events: String,
}

#[derive(Debug, Default)]
pub(crate) struct Account {
    stacks: BTreeMap<String, Stack>,
    /// How the stacks go whose names end like this.
    goes: Vec<(&'static str, Goes)>,
    /// What each stack lists as its resources, also when it is removed.
    resources: BTreeMap<String, &'static str>,
    /// The stacks that were ever created.
    pub(crate) created: BTreeSet<String>,
    /// The stacks that were removed while a rollback would still have deleted what they retain.
    pub(crate) too_early: Vec<String>,
    /// What was removed without a stack.
    pub(crate) removed: Vec<Value>,
    /// Everything that was sent over the bus and topics.
    sent: String,
    /// Whether the encrypted queues get nothing.
    key_refuses: bool,
    /// The records in the log group of the metrics.
    pub(crate) records: Vec<Value>,
}

impl Account {
    /// Returns the stacks that exist, by name.
    pub(crate) fn left(&self) -> Vec<String> {
        self.stacks.keys().cloned().collect()
    }
}

/// A running fake.
pub(crate) struct Fake {
    account: Arc<Mutex<Account>>,
    pub(crate) url: String,
    _runtime: Runtime,
}

impl Fake {
    pub(crate) fn start(goes: &[(&'static str, Goes)], key_refuses: bool) -> Self {
        let account = Account { goes: goes.to_vec(), key_refuses, ..Account::default() };
        let account = Arc::new(Mutex::new(account));
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(Arc::clone(&account));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { account, url, _runtime: runtime }
    }

    pub(crate) fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap()
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
        let input = serde_json::from_str(&body).unwrap();
        return match account.json(operation, &input) {
            Some(output) => (StatusCode::OK, output.to_string()),
            None => (StatusCode::BAD_REQUEST, json!({"__type": "NotScripted"}).to_string()),
        };
    }
    let url = reqwest::Url::parse(&format!("http://fake/?{body}")).unwrap();
    let fields: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let Some(action) = fields.get("Action") else {
        return (StatusCode::BAD_REQUEST, json!({"__type": "NotScripted"}).to_string());
    };
    match account.query(action, &fields) {
        Ok(result) => {
            let result = format!("<{action}Result>{result}</{action}Result>");
            (StatusCode::OK, format!("<{action}Response>{result}</{action}Response>"))
        }
        Err(message) => {
            let error = format!("<Error><Code>ValidationError</Code><Message>{message}</Message></Error>");
            (StatusCode::BAD_REQUEST, format!("<ErrorResponse>{error}</ErrorResponse>"))
        }
    }
}

impl Account {
    fn query(&mut self, action: &str, fields: &BTreeMap<String, String>) -> Result<String, String> {
        let name = fields.get("StackName").map(|name| name.strip_prefix("id-of/").unwrap_or(name));
        let name = name.unwrap_or_default();
        match action {
            "GetCallerIdentity" => {
                Ok("<Account>1</Account><Arn>arn:aws:iam::1:user/op</Arn><UserId>u</UserId>".to_owned())
            }
            "Publish" => {
                self.sent.push_str(&fields["Message"]);
                Ok("<MessageId>1</MessageId>".to_owned())
            }
            "CreateStack" => {
                self.created.insert(name.to_owned());
                let goes = self.goes(name);
                self.resources.insert(name.to_owned(), if goes == Goes::Leaves { LEFT } else { "" });
                let stack = Stack::new(goes, &fields["TemplateBody"]);
                self.stacks.insert(name.to_owned(), stack);
                Ok(format!("<StackId>id-of/{name}</StackId>"))
            }
            "DescribeStackEvents" => {
                self.stack(name).map(|one| format!("<StackEvents>{}</StackEvents>", one.events))
            }
            "DescribeStacks" => {
                let statuses = &mut self.stack(name)?.statuses;
                let status = if statuses.len() > 1 { statuses.pop_front().unwrap() } else { statuses[0] };
                Ok(format!(
                    "<Stacks><member><StackName>{name}</StackName><CreationTime>2026-03-01T12:00:00Z</CreationTime>\
                     <StackStatus>{status}</StackStatus></member></Stacks>"
                ))
            }
            "ListStackResources" => {
                let resources = self.resources[name];
                Ok(format!("<StackResourceSummaries>{resources}</StackResourceSummaries>"))
            }
            "DeleteStack" => {
                if let Some(stack) = self.stacks.remove(name)
                    && stack.retains
                    && stack.statuses[0].ends_with("_IN_PROGRESS")
                {
                    self.too_early.push(name.to_owned());
                }
                Ok(String::new())
            }
            other => Err(format!("{other} is not scripted")),
        }
    }

    fn goes(&self, name: &str) -> Goes {
        let found = self.goes.iter().find(|(end, _)| name.ends_with(end));
        found.map_or(Goes::AsItShould, |(_, goes)| *goes)
    }

    fn stack(&mut self, name: &str) -> Result<&mut Stack, String> {
        self.stacks.get_mut(name).ok_or_else(|| format!("Stack with id {name} does not exist"))
    }

    fn json(&mut self, operation: &str, input: &Value) -> Option<Value> {
        let queue = input["QueueUrl"].as_str().or(input["QueueName"].as_str()).unwrap_or_default();
        match operation {
            "PutEvents" => {
                self.sent.push_str(&input.to_string());
                Some(json!({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}))
            }
            "GetQueueUrl" if queue.contains("-sealed") => Some(json!({ "QueueUrl": queue })),
            "ReceiveMessage" if self.key_refuses != queue.ends_with("-undelivered") => Some(json!({})),
            "ReceiveMessage" => {
                let code = json!({"DataType": "String", "StringValue": "NO_PERMISSIONS"});
                let attributes = json!({"ERROR_CODE": code});
                let message =
                    json!({"Body": self.sent, "ReceiptHandle": "r", "MessageAttributes": attributes});
                Some(json!({"Messages": [message]}))
            }
            "DeleteMessage" | "CreateLogStream" => Some(json!({})),
            "PutLogEvents" => {
                let events = input["logEvents"].as_array().unwrap();
                let records = events.iter().map(|event| event["message"].as_str().unwrap());
                self.records.extend(records.map(|record| serde_json::from_str::<Value>(record).unwrap()));
                Some(json!({}))
            }
            "GetMetricData" => {
                let queries = input["MetricDataQueries"].as_array().unwrap();
                let results =
                    queries.iter().map(|query| json!({"Id": query["Id"], "Values": self.values(query)}));
                Some(json!({"MetricDataResults": results.collect::<Vec<_>>()}))
            }
            "DeleteResource" => {
                self.removed.push(input.clone());
                Some(json!({"ProgressEvent": {"OperationStatus": "IN_PROGRESS", "RequestToken": "t"}}))
            }
            "GetResourceRequestStatus" => Some(json!({"ProgressEvent": {"OperationStatus": "SUCCESS"}})),
            _ => None,
        }
    }

    /// Returns the values of a metric that the records made: by exactly its dimensions, and its percentiles only of
    /// counted values.
    fn values(&self, query: &Value) -> Vec<Value> {
        let metric = &query["MetricStat"]["Metric"];
        let dimensions = metric["Dimensions"].as_array().unwrap();
        let names: Vec<_> = dimensions.iter().map(|dimension| dimension["Name"].clone()).collect();
        let name = metric["MetricName"].as_str().unwrap();
        let is_of = |record: &&Value| {
            let declared = &record["_aws"]["CloudWatchMetrics"][0];
            declared["Namespace"] == metric["Namespace"]
                && declared["Dimensions"] == json!([names])
                && declared["Metrics"][0]["Name"] == name
                && dimensions.iter().all(|one| record[one["Name"].as_str().unwrap()] == one["Value"])
        };
        let values = self.records.iter().filter(is_of).map(|record| record[name].clone());
        let is_percentile = query["MetricStat"]["Stat"].as_str().unwrap().starts_with('p');
        values.filter(|value| value["Counts"].is_array() || !is_percentile).collect()
    }
}

impl Stack {
    fn new(goes: Goes, template: &str) -> Self {
        let rolled_back = ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"];
        let must_fail = template.contains("AWS::CloudFormation::WaitCondition\"");
        let (statuses, resource, reason): (&[&'static str], _, _) = match goes {
            Goes::Hangs => (&["CREATE_IN_PROGRESS"], "", ""),
            Goes::Fails(reason) => (&rolled_back, "Resource", reason),
            Goes::AsItShould if !must_fail => (&["CREATE_IN_PROGRESS", "CREATE_COMPLETE"], "", ""),
            Goes::AsItShould | Goes::Slowly | Goes::Leaves => {
                (&rolled_back, "Fails", "WaitCondition timed out")
            }
        };
        let slow: &[&'static str] = if goes == Goes::Slowly { &["CREATE_IN_PROGRESS"; 6] } else { &[] };
        let events = format!(
            "<member><LogicalResourceId>{resource}</LogicalResourceId><ResourceStatus>CREATE_FAILED</ResourceStatus>\
             <ResourceStatusReason>{reason}</ResourceStatusReason></member>"
        );
        Self {
            statuses: slow.iter().chain(statuses).copied().collect(),
            retains: template.contains("RetainExceptOnCreate"),
            events: if resource.is_empty() { String::new() } else { events },
        }
    }
}
