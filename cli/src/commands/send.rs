//! `foostore send`: posts events from a file or standard input.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use service_runtime::Environment;
use webhook_signature::Secrets;

use super::trace;
use crate::endpoint::{Endpoint, INGEST_HELP, ingest_url};
use crate::failure::Failure;
use crate::ingest_client::{Answer, IngestClient, http_client};
use crate::stdio::{print, remark};
use crate::wanted::Wanted;

/// The most events a list may have.
const LIST: usize = 500;
/// The most bytes of a list: ingest accepts 1 MiB, from which brackets and commas take their share.
const BYTES: usize = 1024 * 1024 - 4096;

/// Post events to ingest
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore send examples/CustomerRenamed.json
  foostore send examples/CustomerRenamed.json --wait 10
  echo '{\"type\":\"CustomerErased\",\"customer_number\":\"100000000001\",\"data\":{}}' | foostore send -

A file holds one event, a list of events, or one event per line (NDJSON).
Prints a line for each accepted event: its event id and its trace id.")]
pub(crate) struct SendArgs {
    /// File with events as JSON; `-` reads standard input
    file: PathBuf,
    #[arg(long, env = "FOOSTORE_URL", hide_env_values = true, help = INGEST_HELP)]
    url: Option<String>,
    /// Secret to sign requests with, such as whsec_…; several are separated by commas
    #[arg(long, env = "SIGNATURE_SECRET", hide_env_values = true, value_name = "SECRET")]
    signature_secret: Option<Secrets>,
    /// Wait up to this long for the traces of the first ten events and print them
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "15")]
    wait: Option<u64>,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Runs the command.
///
/// # Errors
/// When the events cannot be read or sent, and when ingest refuses one.
pub(crate) async fn run(args: SendArgs, environment: &Environment) -> anyhow::Result<()> {
    let events = read_events(&read_input(&args.file)?)?;
    let url = ingest_url(args.url.as_deref())?;
    let client = IngestClient::new(http_client()?, &url, args.signature_secret);
    let mut accepted = Vec::new();
    let mut refused = 0_usize;
    let mut sent = 0_usize;
    for part in parts(&events) {
        // A single event belongs to the trace of its request; in a list, each event gets a separate trace.
        let answers = match part {
            [event] => vec![client.post(event).await?],
            list => client.post_list(list).await?,
        };
        for answer in answers {
            sent += 1;
            match answer {
                Answer::Accepted { event_id, trace_id } => {
                    print(&format!("{event_id} {trace_id}"))?;
                    accepted.push(trace_id);
                }
                Answer::Refused(problem) => {
                    refused += 1;
                    remark(&format!("event {sent}: {problem}"));
                }
            }
        }
    }
    if let Some(seconds) = args.wait {
        let xray = args.endpoint.xray(environment).await?;
        for trace_id in accepted.iter().take(10) {
            let id = trace_id.parse().with_context(|| format!("ingest returned the trace id {trace_id}"))?;
            trace::show(
                &xray,
                &Wanted::Trace(id),
                Some(Duration::from_secs(seconds)),
                &trace::Form::Tree,
                environment,
            )
            .await?;
        }
    }
    if refused > 0 {
        return Err(Failure::refused(format!("{refused} of {sent} events were refused")).into());
    }
    Ok(())
}

fn read_input(file: &std::path::Path) -> anyhow::Result<String> {
    if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("standard input cannot be read")?;
        return String::from_utf8(bytes).map_err(|_| Failure::usage("standard input is not UTF-8").into());
    }
    std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", file.display())).into())
}

/// Parses one event, a list, or a sequence of values.
fn read_events(text: &str) -> Result<Vec<Value>, Failure> {
    let mut events = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        match value {
            Ok(Value::Array(list)) => events.extend(list),
            Ok(event) => events.push(event),
            Err(error) => {
                return Err(Failure::usage(format!(
                    "the input is not JSON at line {} column {}",
                    error.line(),
                    error.column()
                )));
            }
        }
    }
    if events.is_empty() {
        return Err(Failure::usage("the input contains no events"));
    }
    Ok(events)
}

/// Splits the events into parts that ingest accepts in one request.
fn parts(events: &[Value]) -> Vec<&[Value]> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, event) in events.iter().enumerate() {
        let size = event.to_string().len() + 1;
        if index > start && (index - start == LIST || bytes + size > BYTES) {
            parts.push(&events[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += size;
    }
    parts.push(&events[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_a_list_or_one_a_line() {
        assert_eq!(read_events("{\"a\":1}").unwrap(), [json!({"a": 1})]);
        assert_eq!(read_events("[{\"a\":1},{\"a\":2}]").unwrap().len(), 2);
        assert_eq!(read_events("{\"a\":1}\n{\"a\":2}\n\n").unwrap().len(), 2);
        assert_eq!(
            read_events("{\"a\":1}\n{a}").unwrap_err().to_string(),
            "the input is not JSON at line 2 column 2"
        );
        assert_eq!(read_events(" ").unwrap_err().to_string(), "the input contains no events");
    }

    #[test]
    fn parts_fit_a_request() {
        let many = vec![json!({}); 1001];
        assert_eq!(parts(&many).iter().map(|part| part.len()).collect::<Vec<_>>(), [500, 500, 1]);
        let large = vec![json!("x".repeat(400_000)); 3];
        assert_eq!(parts(&large).iter().map(|part| part.len()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(parts(&[json!({})]).len(), 1);
    }
}
