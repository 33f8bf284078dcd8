//! `foostore faults`: makes calls to the local cloud fail, each in the way that a test or a person wants to see.

use std::time::Duration;

use serde_json::{Value, json};
use service_runtime::Environment;

use crate::endpoint::{ENDPOINT_HELP, endpoint_url};
use crate::failure::Failure;
use crate::ingest_client::{http_client, unreachable};
use crate::stdio::{print, remark};
use crate::style::{Colour, Style, printable};

/// The longest wait for the local cloud's answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The kinds to which the options of an error of AWS do not belong.
const WITHOUT_CODE: [&str; 2] = ["error", "delay_ms"];

/// Make calls to the local cloud fail, be late or be answered twice
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore faults add sns --operation PublishBatch --caller notifier --code AuthorizationError --status 403
  foostore faults add dynamodb --resource foostore-local-members --error throttle --times 20
  foostore faults list
  foostore faults clear

docs/faults.md describes every kind.")]
pub(crate) struct FaultsArgs {
    #[command(subcommand)]
    what: What,
    #[arg(long, global = true, env = "AWS_ENDPOINT_URL", hide_env_values = true, value_name = "URL", help = ENDPOINT_HELP)]
    endpoint_url: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Add(Box<AddArgs>),
    List(ListArgs),
    Clear(ClearArgs),
}

/// Add a fault, which affects every matching call until it is cleared
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore faults add ses --error throttle --times 3
  foostore faults add events --operation PutEvents --code InternalFailure --entries --at 0
  foostore faults add dynamodb --caller membership --delay-ms 3000 --probability 0.1
  foostore faults add sqs --resource foostore-local-email --error duplicate")]
#[command(group = clap::ArgGroup::new("kind").required(true).args(["error", "code", "delay_ms"]))]
struct AddArgs {
    /// The service: sqs, sns, events, dynamodb, dynamodbstreams, ses, pipes, sts, s3, kms, or webhook or apns, which receive pushes
    service: String,
    /// The operation, such as `SendMessage`; all of the service if missing
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// Name or ARN of a queue, topic, table, bus or identity that the call names; any if missing
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    /// Access key of the client; each service's is its name
    #[arg(long, value_name = "KEY")]
    caller: Option<String>,
    /// What goes wrong: throttle, 500, timeout, drop-response, or of received messages duplicate, reorder
    #[arg(long, value_name = "KIND")]
    error: Option<String>,
    /// The code of AWS to answer with
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// With --code: the HTTP status
    #[arg(long, value_name = "STATUS", conflicts_with_all = WITHOUT_CODE, default_value_t = 400)]
    status: u16,
    /// With --code: the text of the error
    #[arg(long, value_name = "TEXT", conflicts_with_all = WITHOUT_CODE, default_value = "")]
    message: String,
    /// With --code, of webhook: the header `Retry-After`, seconds or a date
    #[arg(long, value_name = "WHEN", conflicts_with_all = WITHOUT_CODE, conflicts_with = "entries")]
    retry_after: Option<String>,
    /// With --code: entries of the batch fail with it, while the call succeeds
    #[arg(long, conflicts_with_all = WITHOUT_CODE)]
    entries: bool,
    /// With --entries: the positions that fail, from 0; all if missing
    #[arg(long, value_name = "POSITION", value_delimiter = ',', requires = "entries")]
    at: Vec<usize>,
    /// With --entries: report that the sender is at fault
    #[arg(long, requires = "entries")]
    sender_fault: bool,
    /// How long the call waits before it proceeds
    #[arg(long, value_name = "MILLISECONDS")]
    delay_ms: Option<u64>,
    /// Share of the calls affected, 0 to 1
    #[arg(long, value_name = "SHARE")]
    probability: Option<f64>,
    /// How many calls are affected
    #[arg(long, value_name = "CALLS")]
    times: Option<u64>,
    /// How many matching calls pass first
    #[arg(long, value_name = "CALLS", default_value_t = 0)]
    after: u64,
    /// Print the local cloud's answer as JSON
    #[arg(long)]
    json: bool,
}

/// List the faults, with how many calls matched and how many were affected
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore faults list
  foostore faults list --json | jq '.[].injected'")]
struct ListArgs {
    /// Print the local cloud's answer as JSON
    #[arg(long)]
    json: bool,
}

/// Remove one fault, or all
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore faults clear
  foostore faults clear 3")]
struct ClearArgs {
    /// The number of the fault; all if missing
    id: Option<u64>,
}

/// Runs the command.
///
/// # Errors
/// When the local cloud cannot be reached or refuses the fault, or the endpoint is not a local cloud.
pub(crate) async fn run(args: FaultsArgs, environment: &Environment) -> anyhow::Result<()> {
    let http = http_client()?;
    let url = format!("{}/_local/faults", endpoint_url(args.endpoint_url.as_deref())?.trim_end_matches('/'));
    let style = Style::for_stream(&std::io::stdout(), environment);
    match args.what {
        What::Add(fault) => {
            let added = answer(&url, http.post(&url).json(&request(&fault))).await?;
            print(&if fault.json { added.to_string() } else { line(&added, style) })?;
        }
        What::List(ListArgs { json }) => {
            let listed = answer(&url, http.get(&url)).await?;
            if json {
                print(&listed.to_string())?;
                return Ok(());
            }
            let faults = listed.as_array().map(Vec::as_slice).unwrap_or_default();
            if faults.is_empty() {
                remark("no fault is set");
            }
            for fault in faults {
                print(&line(fault, style))?;
            }
        }
        What::Clear(ClearArgs { id: None }) => {
            answer(&url, http.delete(&url)).await?;
            print("all faults are cleared")?;
        }
        What::Clear(ClearArgs { id: Some(id) }) => {
            let one = format!("{url}/{id}");
            answer(&one, http.delete(&one)).await?;
            print(&format!("fault {id} is cleared"))?;
        }
    }
    Ok(())
}

/// Returns the fault as the local cloud reads it.
fn request(args: &AddArgs) -> Value {
    let error = match (&args.error, &args.code, args.delay_ms) {
        (Some(kind), _, _) => json!(kind),
        (_, Some(code), _) if args.entries => {
            let mut entries =
                json!({"code": code, "message": args.message, "sender_fault": args.sender_fault});
            if !args.at.is_empty() {
                entries["at"] = json!(args.at);
            }
            json!({ "entries": entries })
        }
        (_, Some(code), _) => {
            let mut answer = json!({"code": code, "status": args.status, "message": args.message});
            if let Some(when) = &args.retry_after {
                answer["retry_after"] = json!(when);
            }
            json!({ "answer": answer })
        }
        (_, _, delay) => json!({ "delay_ms": delay }),
    };
    let mut fault = json!({"service": args.service, "error": error, "after": args.after});
    let names = [("operation", &args.operation), ("resource", &args.resource), ("caller", &args.caller)];
    for (field, name) in names {
        if let Some(name) = name {
            fault[field] = json!(name);
        }
    }
    if let Some(share) = args.probability {
        fault["probability"] = json!(share);
    }
    if let Some(times) = args.times {
        fault["times"] = json!(times);
    }
    fault
}

/// Sends a request and returns the answer; the local cloud's own words if it refuses.
async fn answer(url: &str, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
    let answer = request.timeout(PATIENCE).send().await.map_err(|error| unreachable(url, &error))?;
    let status = answer.status();
    let body = answer.text().await.unwrap_or_default();
    let read: Option<Value> = serde_json::from_str(&body).ok();
    if status.is_success() {
        let is_local_cloud = body.is_empty() || read.is_some();
        let foreign = || Failure::unavailable(format!("{url} did not answer as the local cloud does"));
        return if is_local_cloud { Ok(read.unwrap_or_default()) } else { Err(foreign().into()) };
    }
    let refusal = match read.as_ref().and_then(|read| read["error"].as_str()) {
        // The fault as given makes no sense.
        Some(error) if status == reqwest::StatusCode::BAD_REQUEST => Failure::usage(error),
        Some(error) => Failure::refused(error),
        None => Failure::unavailable(format!("{url} returned {status}: is it the local cloud?")),
    };
    Err(refusal.into())
}

/// Renders a fault in one line.
fn line(fault: &Value, style: Style) -> String {
    let text = |name: &str| fault[name].as_str().map(printable);
    let mut parts = vec![
        style.paint(Colour::Bold, &format!("#{}", fault["id"])),
        text("service").unwrap_or_default(),
        text("operation").unwrap_or_else(|| "every operation".to_owned()),
    ];
    parts.extend(text("resource").map(|resource| format!("on {resource}")));
    parts.extend(text("caller").map(|caller| format!("by {caller}")));
    let error = fault["error"].as_str().map_or_else(|| fault["error"].to_string(), str::to_owned);
    parts.push(style.paint(Colour::Red, &printable(&error)));
    for name in ["after", "times", "probability"] {
        if fault[name].as_f64().is_some_and(|value| value > 0.0) {
            parts.push(format!("{name} {}", fault[name]));
        }
    }
    parts.push(format!("matched {}, affected {}", fault["matched"], fault["injected"]));
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        faults: FaultsArgs,
    }

    fn parsed(line: &str) -> Result<Value, clap::Error> {
        let Line { faults } = Line::try_parse_from(format!("faults add {line}").split(' '))?;
        let What::Add(args) = faults.what else { panic!("{faults:?}") };
        Ok(request(&args))
    }

    #[test]
    fn options_become_the_fault_as_the_local_cloud_reads_it() {
        assert_eq!(
            parsed("sns --operation PublishBatch --caller notifier --code AuthorizationError --status 403")
                .unwrap(),
            json!({"service": "sns", "operation": "PublishBatch", "caller": "notifier", "after": 0,
                   "error": {"answer": {"code": "AuthorizationError", "status": 403, "message": ""}}})
        );
        assert_eq!(
            parsed("events --operation PutEvents --code X --entries --at 0,2 --times 1").unwrap(),
            json!({"service": "events", "operation": "PutEvents", "after": 0, "times": 1,
                   "error": {"entries": {"code": "X", "message": "", "sender_fault": false, "at": [0, 2]}}})
        );
        let delayed = parsed("dynamodb --resource members --delay-ms 5 --probability 0.5 --after 2").unwrap();
        assert_eq!(
            delayed,
            json!({"service": "dynamodb", "resource": "members", "error": {"delay_ms": 5},
                   "probability": 0.5, "after": 2})
        );
        assert_eq!(parsed("ses --error throttle").unwrap()["error"], "throttle");
        let busy = parsed("webhook --code Busy --status 503 --retry-after 5").unwrap();
        assert_eq!(busy["error"]["answer"]["retry_after"], "5");
    }

    #[test]
    fn a_fault_has_exactly_one_kind() {
        for line in [
            "sns",
            "sns --error 500 --code X",
            "sns --status 403",
            "sns --error 500 --status 403",
            "sns --error 500 --entries",
            "sns --code X --at 1",
            "webhook --error 500 --retry-after 5",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_fault_is_a_line() {
        let fault = json!({"id": 3, "service": "sqs", "resource": "q", "error": {"delay_ms": 5}, "after": 0,
                           "times": 2, "matched": 4, "injected": 2});
        assert_eq!(
            line(&fault, Style::PLAIN),
            "#3  sqs  every operation  on q  {\"delay_ms\":5}  times 2  matched 4, affected 2"
        );
    }
}
