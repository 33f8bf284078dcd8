//! `foostore pushes`: lists the pushes that the local cloud's receiver of webhooks got.

use serde_json::Value;
use service_runtime::Environment;

use crate::endpoint::{ENDPOINT_HELP, endpoint_url};
use crate::failure::Failure;
use crate::ingest_client::{http_client, unreachable};
use crate::stdio::{print, remark};
use crate::style::{Colour, Style, printable};

/// List the pushes that the local cloud has received, accepted or not
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore pushes
  foostore pushes --json | jq '.[0]'")]
pub(crate) struct PushesArgs {
    #[arg(long, env = "AWS_ENDPOINT_URL", hide_env_values = true, value_name = "URL", help = ENDPOINT_HELP)]
    endpoint_url: Option<String>,
    /// Print the local cloud's answer as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the local cloud cannot be reached, or the endpoint is not a local cloud.
pub(crate) async fn run(args: PushesArgs, environment: &Environment) -> anyhow::Result<()> {
    let url = format!("{}/_local/webhook", endpoint_url(args.endpoint_url.as_deref())?.trim_end_matches('/'));
    let answer = http_client()?.get(&url).send().await.map_err(|error| unreachable(&url, &error))?;
    if !answer.status().is_success() {
        let status = answer.status();
        return Err(Failure::unavailable(format!("{url} returned {status}: is it the local cloud?")).into());
    }
    let pushes: Vec<Value> = answer.json().await.map_err(|_| {
        Failure::unavailable(format!("{url} did not return a list of pushes: is it the local cloud?"))
    })?;
    if args.json {
        print(&Value::Array(pushes).to_string())?;
        return Ok(());
    }
    if pushes.is_empty() {
        remark("nothing has been pushed yet");
    }
    let style = Style::for_stream(&std::io::stdout(), environment);
    for push in &pushes {
        print(&render(push, style))?;
    }
    Ok(())
}

/// Renders one line, with the data indented below it.
fn render(push: &Value, style: Style) -> String {
    let text = |pointer: &str| printable(push.pointer(pointer).and_then(Value::as_str).unwrap_or_default());
    let mut line = vec![
        style.paint(Colour::Dim, &text("/received_at")),
        push["status"].to_string(),
        text("/id"),
        style.paint(Colour::Bold, &text("/body/type")),
    ];
    for (mark, words) in [("repeated", "(accepted before)"), ("lost", "(answer lost)")] {
        if push[mark] == true {
            line.push(words.to_owned());
        }
    }
    let mut lines = vec![line.join("  ")];
    lines.extend(push["error"].as_str().map(printable));
    lines.extend(push.pointer("/body/data").map(|data| printable(&data.to_string())));
    lines.join("\n    ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_push_is_a_line_with_its_data_below() {
        let push = json!({"id": "a", "received_at": "2026-11-23T02:34:05Z", "status": 204, "repeated": true,
                          "body": {"type": "notification.member-renamed", "data": {"customer_number": "1"}}});
        assert_eq!(
            render(&push, Style::PLAIN),
            "2026-11-23T02:34:05Z  204  a  notification.member-renamed  (accepted before)\n    {\"customer_number\":\"1\"}"
        );
        let refused = json!({"id": "b", "received_at": "t", "status": 401, "error": "no signature is right", "body": null});
        assert_eq!(render(&refused, Style::PLAIN), "t  401  b  \n    no signature is right");
    }
}
