//! `foostore sampling set` and `remove`: changes of rules.

use std::collections::HashMap;

use aws_sdk_xray::types::{SamplingRule, SamplingRuleUpdate};
use service_runtime::Environment;

use super::patterns::{ANYTHING, described, pair, volume};
use crate::consent;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::stdio::print;

/// The only version of rules that there is.
const VERSION: i32 = 1;
/// A new rule's values, unless they are given: those of X-Ray's console.
const PRIORITY: i32 = 1_000;
const RATE: f64 = 0.05;
const RESERVOIR: i32 = 1;

/// The options of `foostore sampling set`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore sampling set health --path '/health*' --rate 0 --reservoir 0 --priority 10
  foostore sampling set vouchers --attribute event_type='Voucher*' --rate 100%
  foostore sampling set Default --rate 0.1 --aws

A new rule has priority 1000, records one trace per second and 5 % of the rest, and matches everything, unless options say
otherwise. Of an existing one, only what is given changes; --attribute replaces all attributes.")]
pub(super) struct SetArgs {
    /// The rule
    name: String,
    /// The share of traces beyond the reservoir, such as 0.05 or 5%
    #[arg(long, value_name = "SHARE", value_parser = rate)]
    rate: Option<f64>,
    /// Traces per second, of all services together, before the rate applies
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    reservoir: Option<i32>,
    /// Rules with lower numbers are evaluated first
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(1..=9_999))]
    priority: Option<i32>,
    /// The name of the service
    #[arg(long, value_name = "PATTERN")]
    service: Option<String>,
    /// The type of the service, such as `AWS::ECS::Fargate`
    #[arg(long = "type", value_name = "PATTERN")]
    service_type: Option<String>,
    /// The method of the request
    #[arg(long, value_name = "PATTERN")]
    method: Option<String>,
    /// The path of the request
    #[arg(long, value_name = "PATTERN")]
    path: Option<String>,
    /// The host of the request
    #[arg(long, value_name = "PATTERN")]
    host: Option<String>,
    /// The ARN of the resource that runs the service
    #[arg(long, value_name = "PATTERN")]
    arn: Option<String>,
    /// An attribute that the span starts with; may be repeated, and all must match
    #[arg(long, value_name = "KEY=PATTERN", value_parser = pair)]
    attribute: Vec<(String, String)>,
    /// Change rules in AWS without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// The options of `foostore sampling remove`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore sampling remove health
  foostore sampling remove health --aws --yes")]
pub(super) struct RemoveArgs {
    /// The rule
    name: String,
    /// Delete the rule in AWS without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Creates or updates a rule.
///
/// # Errors
/// When consent is not given, or X-Ray cannot be reached or refuses the rule.
pub(super) async fn set(args: SetArgs, environment: &Environment) -> anyhow::Result<()> {
    let yes = args.yes || !args.endpoint.is_aws();
    consent::can_be_had(yes)?;
    let xray = args.endpoint.xray(environment).await?;
    let rules = xray.sampling_rules().await?;
    let existing = rules.into_iter().find(|rule| rule.rule_name() == Some(&args.name));
    let verb = if existing.is_some() { "update" } else { "create" };
    let becomes = args.applied_to(existing.as_ref())?;
    let line = format!(
        "{} (priority {}): {} of {}",
        args.name,
        becomes.priority,
        volume(becomes.reservoir_size, becomes.fixed_rate),
        described(&becomes)
    );
    if !yes {
        agreed(&format!("{verb} the sampling rule {line} at {}?", xray.place())).await?;
    }
    match existing {
        Some(_) => xray.update_sampling_rule(args.update()).await?,
        None => xray.create_sampling_rule(becomes).await?,
    }
    Ok(print(&format!("{verb}d {line}"))?)
}

/// Deletes a rule.
///
/// # Errors
/// When consent is not given, X-Ray cannot be reached, or there is no such rule.
pub(super) async fn remove(args: RemoveArgs, environment: &Environment) -> anyhow::Result<()> {
    let yes = args.yes || !args.endpoint.is_aws();
    consent::can_be_had(yes)?;
    let xray = args.endpoint.xray(environment).await?;
    if !xray.sampling_rules().await?.iter().any(|rule| rule.rule_name() == Some(&args.name)) {
        return Err(Failure::refused(format!("no sampling rule {} at {}", args.name, xray.place())).into());
    }
    if !yes {
        agreed(&format!("delete the sampling rule {} at {}?", args.name, xray.place())).await?;
    }
    xray.delete_sampling_rule(&args.name).await?;
    Ok(print(&format!("deleted {}", args.name))?)
}

async fn agreed(question: &str) -> anyhow::Result<()> {
    if consent::agrees(question).await? {
        return Ok(());
    }
    Err(Failure::refused("nothing was changed").into())
}

impl SetArgs {
    fn attributes(&self) -> Option<HashMap<String, String>> {
        (!self.attribute.is_empty()).then(|| self.attribute.iter().cloned().collect())
    }

    /// Returns the rule as it will be.
    fn applied_to(&self, existing: Option<&SamplingRule>) -> anyhow::Result<SamplingRule> {
        let mut rule = match existing {
            Some(rule) => rule.clone(),
            None => new_rule(&self.name)?,
        };
        let patterns = [
            (&mut rule.service_name, &self.service),
            (&mut rule.service_type, &self.service_type),
            (&mut rule.http_method, &self.method),
            (&mut rule.url_path, &self.path),
            (&mut rule.host, &self.host),
            (&mut rule.resource_arn, &self.arn),
        ];
        for (pattern, given) in patterns {
            if let Some(given) = given {
                pattern.clone_from(given);
            }
        }
        rule.priority = self.priority.unwrap_or(rule.priority);
        rule.fixed_rate = self.rate.unwrap_or(rule.fixed_rate);
        rule.reservoir_size = self.reservoir.unwrap_or(rule.reservoir_size);
        rule.attributes = self.attributes().or(rule.attributes);
        Ok(rule)
    }

    /// Returns only what is given.
    fn update(&self) -> SamplingRuleUpdate {
        SamplingRuleUpdate::builder()
            .rule_name(&self.name)
            .set_priority(self.priority)
            .set_fixed_rate(self.rate)
            .set_reservoir_size(self.reservoir)
            .set_service_name(self.service.clone())
            .set_service_type(self.service_type.clone())
            .set_http_method(self.method.clone())
            .set_url_path(self.path.clone())
            .set_host(self.host.clone())
            .set_resource_arn(self.arn.clone())
            .set_attributes(self.attributes())
            .build()
    }
}

fn new_rule(name: &str) -> anyhow::Result<SamplingRule> {
    let rule = SamplingRule::builder().rule_name(name).version(VERSION);
    let rule = rule.priority(PRIORITY).fixed_rate(RATE).reservoir_size(RESERVOIR);
    let rule = rule.service_name(ANYTHING).service_type(ANYTHING).http_method(ANYTHING);
    Ok(rule.url_path(ANYTHING).host(ANYTHING).resource_arn(ANYTHING).build()?)
}

/// Reads a share, such as `0.05` or `5%`.
///
/// # Errors
/// When it is none, or not from 0 to 1.
fn rate(text: &str) -> Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim_end().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    let valid = share.ok().filter(|share| (0.0..=1.0).contains(share));
    valid.ok_or_else(|| "a share from 0 to 1 or from 0% to 100%".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::patterns::tests::rule;
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: SetArgs,
    }

    fn args(line: &str) -> SetArgs {
        Line::parse_from(["set"].into_iter().chain(line.split(' '))).args
    }

    #[test]
    fn a_new_rule_matches_what_is_given_and_else_everything() {
        let made = args("health --path /health* --rate 0% --attribute a=1 --attribute b=2")
            .applied_to(None)
            .unwrap();
        assert_eq!((made.priority, made.reservoir_size, made.version), (1_000, 1, 1));
        assert_eq!(described(&made), "path=/health*  attribute a=1  attribute b=2");
        assert_eq!(volume(made.reservoir_size, made.fixed_rate), "1/s, then 0 %");
    }

    #[test]
    fn of_an_existing_rule_only_what_is_given_changes() {
        let mut existing = rule("events", 20);
        existing.host = "api.example.com".to_owned();
        let args = args("events --rate 0.5");
        let changed = args.applied_to(Some(&existing)).unwrap();
        assert_eq!((changed.priority, described(&changed).as_str()), (20, "host=api.example.com"));
        let update = args.update();
        assert_eq!(
            (update.fixed_rate, update.priority, update.host, update.attributes),
            (Some(0.5), None, None, None)
        );
    }

    #[test]
    fn a_rate_is_a_share_or_a_percentage() {
        let valid = [("0", 0.0), ("0.25", 0.25), ("5%", 0.05), ("100%", 1.0), ("1", 1.0)];
        for (text, share) in valid {
            assert_eq!(rate(text), Ok(share), "{text}");
        }
        for invalid in ["", "%", "-1", "1.1", "101%", "NaN", "x"] {
            assert!(rate(invalid).is_err(), "{invalid}");
        }
    }
}
