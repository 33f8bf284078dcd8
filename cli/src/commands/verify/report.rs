//! Renders the findings for people and for programs.

use serde_json::{Value, json};

use super::finding::{Finding, Verdict};
use crate::place::Place;
use crate::style::{Colour, Style, printable};

/// The width of the text column.
const WIDTH: usize = 100;
/// The width of the labels.
const INDENT: usize = 11;

/// Renders each finding with its assumption, for a terminal.
pub(super) fn text(findings: &[Finding], style: Style) -> String {
    findings.iter().map(|finding| one(finding, style)).collect::<Vec<_>>().join("\n")
}

fn one(finding: &Finding, style: Style) -> String {
    let colour = match finding.verdict {
        Verdict::Holds => Colour::Green,
        Verdict::DoesNotHold => Colour::Red,
        Verdict::Inconclusive => Colour::Yellow,
    };
    let mut text = format!(
        "{}  {}\n",
        style.paint(Colour::Bold, &format!("{:<22}", finding.name)),
        style.paint(colour, finding.verdict.text())
    );
    let seen = printable(&finding.seen);
    if let Some(assumption) = finding.assumption() {
        text.push_str(&line("assumed", assumption.assumed, style));
        text.push_str(&line("seen", &seen, style));
        if finding.verdict != Verdict::Holds {
            text.push_str(&line("otherwise", assumption.otherwise, style));
        }
    }
    text
}

/// Renders a label and the text beside it, wrapped.
fn line(word: &str, text: &str, style: Style) -> String {
    let mut lines = vec![String::new()];
    for part in text.split_whitespace() {
        let long = lines
            .last()
            .is_some_and(|last| !last.is_empty() && last.chars().count() + 1 + part.chars().count() > WIDTH);
        if long {
            lines.push(String::new());
        }
        if let Some(last) = lines.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(part);
        }
    }
    let indent = " ".repeat(2 + INDENT);
    let first = style.paint(Colour::Dim, &format!("{word:<INDENT$}"));
    format!("  {first}{}\n", lines.join(&format!("\n{indent}")))
}

/// Renders the same as one JSON value.
pub(super) fn document(findings: &[Finding], place: &Place, name: &str) -> Value {
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "name": finding.name,
                "verdict": finding.verdict,
                "seen": finding.seen,
                "assumed": finding.assumption().map(|assumption| assumption.assumed),
                "otherwise": finding.assumption().map(|assumption| assumption.otherwise),
            })
        })
        .collect();
    json!({
        "account": place.account,
        "region": place.region,
        "endpoint": place.endpoint_url,
        "scratch": name,
        "findings": findings,
    })
}

#[cfg(test)]
mod tests {
    use super::super::assumptions::{PIPE_HEADER, TRACE_DESTINATION};
    use super::*;

    #[test]
    fn the_consequence_is_shown_if_an_assumption_does_not_hold() {
        let findings = [
            Finding::holds(PIPE_HEADER, "no AWSTraceHeader"),
            Finding::does_not_hold(TRACE_DESTINATION, "CloudWatchLogs\u{1b}[2J"),
        ];
        let text = text(&findings, Style::PLAIN);
        let expected = "\
pipe-header             holds
  assumed    Neither stream nor Pipe hands on the trace header of the call that wrote the item
  seen       no AWSTraceHeader

trace-destination       does not hold
  assumed    The account's trace segment destination is X-Ray
  seen       CloudWatchLogs\u{fffd}[2J
  otherwise  Where Transaction Search sends segments to CloudWatch Logs, groups and filter expressions see only
             the indexed share of traces; raise the indexing percentage or set the destination back
             (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Transaction-Search.html>)
";
        assert_eq!(text, expected);
    }
}
