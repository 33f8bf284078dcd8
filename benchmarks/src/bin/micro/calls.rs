//! Calls of DynamoDB, one after the other: by the bare SDK, and by this project's client, whose interceptor traces them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_clients::DynamoDb;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_types::SdkConfig;
use benchmarks::{Latencies, trace_header};
use futures_util::future::FutureExt as _;
use jiff::Timestamp;
use opentelemetry::context::FutureExt as _;
use telemetry::context;

use crate::case::Case;

const TABLE: &str = "members";
const KEY: &str = "customer_number";

/// Who calls, and in what trace.
#[derive(Clone)]
struct Caller {
    client: DynamoDb,
    /// Whether the trace is recorded; `None` without one.
    recorded: Option<bool>,
}

#[derive(Clone, Copy)]
enum Operation {
    Get,
    Put,
}

/// Creates a table and returns the cases.
pub(crate) async fn cases(aws: &SdkConfig, histograms: &Path) -> anyhow::Result<Vec<Case>> {
    let bare = Client::new(aws);
    create_table(&bare).await?;
    let bare = DynamoDb::from(bare);
    let caller = |client: &DynamoDb, recorded| Caller { client: client.clone(), recorded };
    caller(&bare, None).call(Operation::Put).await?;
    let ours = aws_clients::dynamodb(aws);
    let log = |name: &str| histograms.join(name);
    let mut cases = Vec::new();
    for (operation, names) in [
        (Operation::Get, ["GetItem, bare SDK", "GetItem, ours, unsampled", "GetItem, ours, sampled"]),
        (Operation::Put, ["PutItem, bare SDK", "PutItem, ours, unsampled", "PutItem, ours, sampled"]),
    ] {
        let callers = [caller(&bare, None), caller(&ours, Some(false)), caller(&ours, Some(true))];
        for (place, (name, caller)) in names.into_iter().zip(callers).enumerate() {
            let case = case(name, operation, caller, log(&format!("{}.hlog", cases.len())));
            cases.push(if place == 0 { case } else { case.against(names[0]) });
        }
    }
    Ok(cases)
}

fn case(name: &'static str, operation: Operation, caller: Caller, log: PathBuf) -> Case {
    let latencies = Arc::new(Mutex::new(Latencies::begin()));
    let recorded = Arc::clone(&latencies);
    let work = move |times: u32| {
        let (caller, latencies) = (caller.clone(), Arc::clone(&recorded));
        let calls = async move {
            for _ in 0..times {
                let start = Instant::now();
                caller.call(operation).await?;
                latencies.lock().unwrap_or_else(PoisonError::into_inner).since(start);
            }
            Ok(())
        };
        calls.boxed()
    };
    Case::new(name, Box::new(work)).latencies(latencies, log)
}

impl Caller {
    async fn call(&self, operation: Operation) -> anyhow::Result<()> {
        let call = async {
            match operation {
                Operation::Get => self.get().await,
                Operation::Put => self.put().await,
            }
        };
        match self.recorded {
            None => call.await,
            // In a trace as if a handler called, but without the handler's span, so that the call's is all that is measured.
            Some(recorded) => {
                let header = trace_header(Timestamp::now(), recorded);
                call.with_context(context::from_message(Some(&header), None)).await
            }
        }
    }

    async fn get(&self) -> anyhow::Result<()> {
        let get = self.client.get_item().table_name(TABLE).key(KEY, number());
        let found = if self.recorded.is_none() { get.send().await? } else { self.client.call(get).await? };
        anyhow::ensure!(found.item.is_some(), "the item is missing");
        Ok(())
    }

    async fn put(&self) -> anyhow::Result<()> {
        let put = self.client.put_item().table_name(TABLE).item(KEY, number());
        let put = ["given", "family", "version", "email", "locale"].into_iter().fold(put, |put, name| {
            put.item(name, AttributeValue::S("a value as long as most of them".to_owned()))
        });
        if self.recorded.is_none() {
            put.send().await?;
        } else {
            self.client.call(put).await?;
        }
        Ok(())
    }
}

async fn create_table(client: &Client) -> anyhow::Result<()> {
    let key = AttributeDefinition::builder().attribute_name(KEY).attribute_type(ScalarAttributeType::S);
    let schema = KeySchemaElement::builder().attribute_name(KEY).key_type(KeyType::Hash);
    let create = client.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    create.attribute_definitions(key.build()?).key_schema(schema.build()?).send().await?;
    Ok(())
}

fn number() -> AttributeValue {
    AttributeValue::S("123456789012".to_owned())
}
