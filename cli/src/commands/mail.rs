//! `foostore mail`: lists the mail that the local cloud's SES has sent.

use serde_json::Value;
use service_runtime::Environment;

use crate::endpoint::{ENDPOINT_HELP, endpoint_url};
use crate::failure::Failure;
use crate::ingest_client::{http_client, unreachable};
use crate::stdio::{print, remark};
use crate::style::{Colour, Style, printable};

/// List the mail that the local cloud has sent
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore mail
  foostore mail --json | jq '.[0]'")]
pub(crate) struct MailArgs {
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
pub(crate) async fn run(args: MailArgs, environment: &Environment) -> anyhow::Result<()> {
    let url = format!("{}/_local/mail", endpoint_url(args.endpoint_url.as_deref())?.trim_end_matches('/'));
    let answer = http_client()?.get(&url).send().await.map_err(|error| unreachable(&url, &error))?;
    if !answer.status().is_success() {
        let status = answer.status();
        return Err(Failure::unavailable(format!("{url} returned {status}: is it the local cloud?")).into());
    }
    let mails: Vec<Value> = answer.json().await.map_err(|_| {
        Failure::unavailable(format!("{url} did not return a list of mails: is it the local cloud?"))
    })?;
    if args.json {
        print(&Value::Array(mails).to_string())?;
        return Ok(());
    }
    if mails.is_empty() {
        remark("no mail has been sent yet");
    }
    let style = Style::for_stream(&std::io::stdout(), environment);
    for mail in &mails {
        print(&render(mail, style))?;
    }
    Ok(())
}

/// Renders one line, with the text indented below it.
fn render(mail: &Value, style: Style) -> String {
    let text = |name: &str| mail.get(name).and_then(Value::as_str).unwrap_or_default();
    let to: Vec<&str> =
        mail.get("to").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut rendered = format!(
        "{}  {}  {}",
        style.paint(Colour::Dim, &printable(text("timestamp"))),
        printable(&to.join(", ")),
        style.paint(Colour::Bold, &printable(text("subject"))),
    );
    for line in text("text").lines() {
        rendered.push_str("\n    ");
        rendered.push_str(&printable(line));
    }
    rendered
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mail_is_a_line_with_its_text_below() {
        let mail = json!({"timestamp": "2026-11-23T02:34:05Z", "to": ["a@example.com", "b@example.com"],
                          "subject": "Welcome", "text": "Hello,\nyou are in.\n", "html": null});
        assert_eq!(
            render(&mail, Style::PLAIN),
            "2026-11-23T02:34:05Z  a@example.com, b@example.com  Welcome\n    Hello,\n    you are in."
        );
    }
}
