//! Queries CloudWatch Logs Insights: starts a query and polls for its result
//! (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html>,
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetQueryResults.html>).

use std::time::Duration;

use aws_config::SdkConfig;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::failure::Failure;
use crate::log_lines::{Line, Record};
use crate::signed_call::{Client, LOGS};
use crate::stdio::remark;

/// The most lines that a query returns; `StartQuery` allows no more.
const MOST_LINES: usize = 10_000;
/// The pause between two looks at a query that runs.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The limit for a query to complete.
const PATIENCE: Duration = Duration::from_mins(2);

/// Where log lines are on AWS.
#[derive(Debug)]
pub(super) struct Insights {
    client: Client,
}

impl Insights {
    /// Creates a client for the configuration's region, or of the endpoint that replaces AWS's own.
    pub(super) fn new(config: SdkConfig, endpoint: Option<&str>) -> Self {
        Self { client: Client::new(LOGS, config, endpoint) }
    }

    /// Returns the lines in `groups` since `since` for which a query's `condition` holds.
    ///
    /// # Errors
    /// When the query is refused, fails or takes too long.
    pub(super) async fn lines(
        &self,
        groups: &[String],
        condition: &str,
        since: jiff::Timestamp,
    ) -> Result<Vec<Record>, Failure> {
        let query = format!("fields @timestamp, @message | filter {condition} | sort @timestamp asc");
        let started = self
            .client
            .call(
                "StartQuery",
                json!({
                    "logGroupNames": groups,
                    "startTime": since.as_second(),
                    // Inclusive, and clocks differ.
                    "endTime": jiff::Timestamp::now().as_second() + 60,
                    "queryString": query,
                    "limit": MOST_LINES,
                }),
            )
            .await?;
        let id = started.get("queryId").and_then(Value::as_str).unwrap_or_default().to_owned();
        let rows = self.results(&id).await?;
        if rows.len() >= MOST_LINES {
            remark(&format!(
                "only the first {MOST_LINES} lines are shown; narrow the search, as with --since"
            ));
        }
        Ok(rows.iter().filter_map(record).collect())
    }

    async fn results(&self, id: &str) -> Result<Vec<Value>, Failure> {
        let began = Instant::now();
        loop {
            let mut answer = self.client.call("GetQueryResults", json!({ "queryId": id })).await?;
            match answer.get("status").and_then(Value::as_str).unwrap_or_default() {
                "Complete" => {
                    let Value::Array(rows) = answer["results"].take() else { return Ok(Vec::new()) };
                    return Ok(rows);
                }
                "Scheduled" | "Running" if began.elapsed() < PATIENCE => {
                    tokio::time::sleep(POLL_INTERVAL).await;
                }

                "Scheduled" | "Running" => {
                    self.client.call("StopQuery", json!({ "queryId": id })).await?;
                    let seconds = PATIENCE.as_secs();
                    return Err(Failure::unavailable(format!(
                        "the query was not complete after {seconds} s; search less, with --service or --since"
                    )));
                }
                other => {
                    return Err(Failure::unavailable(format!("the query ended with the status {other:?}")));
                }
            }
        }
    }
}

/// Reads the record in a row, a list of `{"field", "value"}`.
fn record(row: &Value) -> Option<Record> {
    let message = row.as_array()?.iter().find(|cell| cell["field"] == "@message")?["value"].as_str()?;
    let Line::Record(fields) = Line::read(message.trim()) else { return None };
    let service = fields.get("service").and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Record { service, fields })
}
