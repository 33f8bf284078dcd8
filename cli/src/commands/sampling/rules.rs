//! `foostore sampling rules`: the rules in the order of evaluation.

use std::collections::BTreeMap;

use aws_sdk_xray::types::{SamplingRule, SamplingStatisticSummary};
use serde_json::{Value, json};
use service_runtime::Environment;

use super::patterns::{described, share};
use crate::endpoint::Endpoint;
use crate::stdio::print;
use crate::style::{Colour, Style, printable};

/// The options of `foostore sampling rules`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore sampling rules
  foostore sampling rules --aws --json

REQUESTS, SAMPLED and BORROWED are what samplers have recently reported to X-Ray; the local cloud keeps an hour.")]
pub(super) struct RulesArgs {
    /// Print each rule as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// What samplers have reported about a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reported {
    requests: i64,
    sampled: i64,
    borrowed: i64,
}

/// Runs the command.
///
/// # Errors
/// When X-Ray cannot be queried.
pub(super) async fn run(args: RulesArgs, environment: &Environment) -> anyhow::Result<()> {
    let xray = args.endpoint.xray(environment).await?;
    let rules = xray.sampling_rules().await?;
    let statistics = xray.sampling_statistics().await?;
    let reported = by_rule(&statistics);
    let of = |rule: &SamplingRule| {
        rule.rule_name().and_then(|name| reported.get(name)).copied().unwrap_or_default()
    };
    if args.json {
        for rule in &rules {
            print(&document(rule, of(rule)).to_string())?;
        }
        return Ok(());
    }
    let rows: Vec<_> = rules.iter().map(|rule| (rule, of(rule))).collect();
    Ok(print(&draw(&rows, Style::for_stream(&std::io::stdout(), environment)))?)
}

fn by_rule(summaries: &[SamplingStatisticSummary]) -> BTreeMap<&str, Reported> {
    let mut reported: BTreeMap<&str, Reported> = BTreeMap::new();
    for summary in summaries {
        let rule = reported.entry(summary.rule_name().unwrap_or_default()).or_default();
        rule.requests += i64::from(summary.request_count());
        rule.sampled += i64::from(summary.sampled_count());
        rule.borrowed += i64::from(summary.borrow_count());
    }
    reported
}

/// Draws the table; every line ends in a line break.
fn draw(rules: &[(&SamplingRule, Reported)], style: Style) -> String {
    let name = |rule: &SamplingRule| printable(rule.rule_name().unwrap_or_default());
    let widest =
        rules.iter().map(|(rule, _)| name(rule).chars().count()).chain([4]).max().unwrap_or_default();
    let line = |priority: &str, name: &str, cells: [&str; 5]| {
        let [rate, reservoir, requests, sampled, borrowed] = cells;
        format!(
            "{priority:>8}  {name:widest$}  {rate:>8}  {reservoir:>9}  {requests:>8}  {sampled:>8}  {borrowed:>8}"
        )
    };
    let titles = line("PRIORITY", "NAME", ["RATE", "RESERVOIR", "REQUESTS", "SAMPLED", "BORROWED"]);
    let mut text = style.paint(Colour::Dim, &format!("{titles}  MATCHES"));
    text.push('\n');
    for (rule, reported) in rules {
        let numbers =
            [reported.requests, reported.sampled, reported.borrowed].map(|number| number.to_string());
        let cells = [
            &share(rule.fixed_rate),
            &format!("{}/s", rule.reservoir_size),
            &numbers[0],
            &numbers[1],
            &numbers[2],
        ];
        let line = line(&rule.priority.to_string(), &name(rule), cells.map(String::as_str));
        text.extend([&line, "  ", &described(rule), "\n"]);
    }
    text
}

/// Returns what `docs/schemas/sampling.json` describes.
fn document(rule: &SamplingRule, reported: Reported) -> Value {
    json!({
        "name": rule.rule_name(),
        "priority": rule.priority,
        "rate": rule.fixed_rate,
        "reservoir_per_s": rule.reservoir_size,
        "service": rule.service_name,
        "type": rule.service_type,
        "method": rule.http_method,
        "path": rule.url_path,
        "host": rule.host,
        "arn": rule.resource_arn,
        "attributes": rule.attributes.clone().unwrap_or_default(),
        "requests": reported.requests,
        "sampled": reported.sampled,
        "borrowed": reported.borrowed,
    })
}

#[cfg(test)]
mod tests {
    use super::super::patterns::tests::rule;
    use super::*;

    #[test]
    fn windows_are_added_up_for_each_rule() {
        let window = |name: &str, count: i32| {
            let summary = SamplingStatisticSummary::builder().rule_name(name).request_count(count);
            summary.sampled_count(1).borrow_count(0).build()
        };
        let summaries = [window("a", 5), window("b", 1), window("a", 7)];
        let reported = by_rule(&summaries);
        assert_eq!(reported["a"], Reported { requests: 12, sampled: 2, borrowed: 0 });
    }

    #[test]
    fn rules_are_a_table() {
        let mut events = rule("events", 20);
        events.url_path = "/v1/events".to_owned();
        let drawn = draw(
            &[
                (&events, Reported { requests: 1200, sampled: 60, borrowed: 1 }),
                (&rule("Default", 10_000), Reported::default()),
            ],
            Style::PLAIN,
        );
        assert_eq!(
            drawn,
            "\
PRIORITY  NAME         RATE  RESERVOIR  REQUESTS   SAMPLED  BORROWED  MATCHES
      20  events        5 %        1/s      1200        60         1  path=/v1/events
   10000  Default       5 %        1/s         0         0         0  everything
",
            "\n{drawn}"
        );
    }
}
