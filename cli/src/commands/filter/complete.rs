//! `foostore filter complete`: what may come next, by the parser and by what recent traces have.

use jiff::{SignedDuration, Timestamp};
use service_runtime::Environment;
use xray_engine::{Completion, Expected};

use super::read::shown;
use super::seen::{Seen, quoted};
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::span_of_time::seconds;
use crate::stdio::{print, remark};
use crate::style::printable;

/// Keys and values are those of at most this many traces.
const MOST_TRACES: usize = 200;
/// The most candidates that are listed.
const MOST: usize = 100;

/// The options of `foostore filter complete`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore filter complete ''
  foostore filter complete 'annotation.ev'
  foostore filter complete 'service(\"email\") { fault } AND annotation.event_type = \"Mem'

Prints a line for each way in which the last word may go on. Keys, values and names are those of the newest 200 traces.")]
pub(super) struct CompleteArgs {
    /// The expression so far
    expression: String,
    /// How far back to search for keys and values: 30s, 15m, 6h or 2d
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = seconds)]
    since: i64,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Runs the command.
///
/// # Errors
/// When the expression is wrong before its end, X-Ray cannot be queried, or nothing fits.
pub(super) async fn run(args: &CompleteArgs, environment: &Environment) -> anyhow::Result<()> {
    let completion = Completion::of(&args.expression)
        .map_err(|error| Failure::refused(shown(&args.expression, &error)))?;
    let seen = if completion.expected.iter().any(|one| !matches!(one, Expected::Word(_))) {
        let xray = args.endpoint.xray(environment).await?;
        let from = Timestamp::now() - SignedDuration::from_secs(args.since);
        Seen::of(&xray.sample("", from.into(), MOST_TRACES, 1.0).await?.traces)
    } else {
        Seen::default()
    };
    let candidates = candidates(&completion, &seen);
    if candidates.is_empty() {
        let message = if completion.begun.is_empty() {
            "nothing to list: any number or name may come next".to_owned()
        } else {
            format!("nothing that may come next begins with {}", printable(&completion.begun))
        };
        return Err(Failure::refused(message).into());
    }
    for candidate in candidates.iter().take(MOST) {
        print(&printable(candidate))?;
    }
    if candidates.len() > MOST {
        remark(&format!("there are {} more", candidates.len() - MOST));
    }
    Ok(())
}

/// Returns what begins like the last word: keys and values that were seen first, then words, each in alphabetical order.
fn candidates(completion: &Completion, seen: &Seen) -> Vec<String> {
    let begun = completion.begun.to_lowercase();
    let (mut values, mut words) = (Vec::new(), Vec::new());
    for expected in &completion.expected {
        match expected {
            Expected::Word(word) => words.push((*word).to_owned()),
            Expected::AnnotationKey(word) => {
                // In brackets if it was begun like that, or the key has other characters than a word.
                let bracketed = begun.contains('[');
                values.extend(seen.annotation_keys().map(|key| keyed(word, key, bracketed)));
            }
            Expected::Value(of) => values.extend(seen.values(of).map(quoted)),
        }
    }
    for list in [&mut values, &mut words] {
        list.retain(|candidate| candidate.to_lowercase().starts_with(&begun));
        list.sort();
        list.dedup();
    }
    words.retain(|word| !values.contains(word));
    values.into_iter().chain(words).collect()
}

fn keyed(word: &str, key: &str, bracketed: bool) -> String {
    let plain = key.chars().all(|character| character.is_alphanumeric() || character == '_');
    if plain && !bracketed { format!("{word}.{key}") } else { format!("{word}[{key}]") }
}

#[cfg(test)]
mod tests {
    use aws_sdk_xray::types::{AnnotationValue, Http, ServiceId, TraceSummary, ValueWithServiceIds};

    use super::*;

    fn completed(text: &str) -> Vec<String> {
        let annotation = |value| vec![ValueWithServiceIds::builder().annotation_value(value).build()];
        let trace = TraceSummary::builder()
            .annotations("event_type", annotation(AnnotationValue::StringValue("MemberRenamed".to_owned())))
            .annotations("event.id", annotation(AnnotationValue::StringValue("a\"b".to_owned())))
            .annotations("attempt", annotation(AnnotationValue::NumberValue(2.0)))
            .http(Http::builder().http_method("POST").build())
            .service_ids(ServiceId::builder().name("email").r#type("AWS::ECS::Fargate").build())
            .build();
        candidates(&Completion::of(text).unwrap(), &Seen::of(&[trace]))
    }

    #[test]
    fn keys_that_were_seen_are_completed() {
        assert_eq!(completed("annotation.ev"), ["annotation.event_type"]);
        assert_eq!(
            completed("ok AND ANNOTATION["),
            ["annotation[attempt]", "annotation[event.id]", "annotation[event_type]"]
        );
        assert_eq!(completed("edge() { source.annotation.a"), ["source.annotation.attempt"]);
    }

    #[test]
    fn values_that_were_seen_are_completed() {
        assert_eq!(completed("annotation.event_type = \"mem"), ["\"MemberRenamed\""]);
        assert_eq!(completed("annotation[event.id] = "), ["\"a\\\"b\"", "false", "true"]);
        assert_eq!(completed("annotation.attempt = "), ["2", "false", "true"]);
        assert_eq!(completed("http.method = "), ["\"POST\""]);
        assert_eq!(completed("service("), ["\"email\"", "id("]);
        assert_eq!(completed("service(id(type: "), ["\"AWS::ECS::Fargate\""]);
    }

    #[test]
    fn words_are_completed_whatever_was_seen() {
        assert_eq!(completed("ok AND resp"), ["responsetime"]);
        assert_eq!(completed("responsetime "), ["!=", "<", "<=", "=", ">", ">="]);
        assert!(completed("xyz").is_empty());
    }
}
