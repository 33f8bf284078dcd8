//! `foostore sampling try`: which rule would decide about a request, by the code of the sampler itself.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_xray::types::SamplingRule;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_semantic_conventions::attribute;
use serde_json::{Value, json};
use service_runtime::Environment;
use xray_sampler::{Mismatch, RuleField, SamplingRules, Verdict};

use super::patterns::{self, pair, volume};
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::stdio::print;
use crate::style::{Colour, Style, printable};

/// X-Ray's types of services, each with the platform and, on ECS, the launch type that OpenTelemetry calls it by.
const TYPES: [(&str, &str, Option<&str>); 8] = [
    ("AWS::ECS::Fargate", "aws_ecs", Some("fargate")),
    ("AWS::ECS::EC2", "aws_ecs", Some("ec2")),
    ("AWS::ECS::Container", "aws_ecs", None),
    ("AWS::EC2::Instance", "aws_ec2", None),
    ("AWS::EKS::Container", "aws_eks", None),
    ("AWS::ElasticBeanstalk::Environment", "aws_elastic_beanstalk", None),
    ("AWS::AppRunner::Service", "aws_app_runner", None),
    ("AWS::Lambda::Function", "aws_lambda", None),
];

/// The options of `foostore sampling try`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore sampling try --service ingest --method POST --path /v1/events
  foostore sampling try --service ingest --type AWS::ECS::Fargate --attribute event_type=VoucherGifted --aws

What is not given counts as absent: only the pattern * matches it. Exit codes: 0 a rule decides, 1 none does.")]
pub(super) struct TryArgs {
    /// The name of the service that the trace begins with
    #[arg(long, value_name = "NAME", default_value = ingest::NAME)]
    service: String,
    /// The type of the service
    #[arg(long = "type", value_name = "TYPE", value_parser = TYPES.map(|(name, ..)| name))]
    service_type: Option<String>,
    /// The method of the request
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// The path of the request
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// The host of the request
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The ARN of the container or function
    #[arg(long, value_name = "ARN")]
    arn: Option<String>,
    /// An attribute that the span starts with; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    attribute: Vec<(String, String)>,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Runs the command.
///
/// # Errors
/// When X-Ray cannot be queried, or no rule matches.
pub(super) async fn run(args: TryArgs, environment: &Environment) -> anyhow::Result<()> {
    let xray = args.endpoint.xray(environment).await?;
    let rules = xray.sampling_rules().await?;
    let parsed = SamplingRules::from_json(response(&rules).to_string().as_bytes());
    let parsed = parsed.context("the sampling rules cannot be read")?;
    let verdicts = parsed.explain(&args.resource(), &args.attributes());
    print(&draw(&verdicts, &rules, Style::for_stream(&std::io::stdout(), environment)))?;
    if verdicts.last().is_some_and(|verdict| verdict.mismatches.is_empty()) {
        return Ok(());
    }
    Err(Failure::refused(format!("no rule at {} matches", xray.place())).into())
}

impl TryArgs {
    fn resource(&self) -> Resource {
        let (platform, launch_type) = self.platform().unzip();
        let arn = if platform == Some("aws_lambda") {
            attribute::CLOUD_RESOURCE_ID
        } else {
            attribute::AWS_ECS_CONTAINER_ARN
        };
        let attributes = [
            (attribute::SERVICE_NAME, Some(self.service.as_str())),
            (attribute::CLOUD_PLATFORM, platform),
            (attribute::AWS_ECS_LAUNCHTYPE, launch_type.flatten()),
            (arn, self.arn.as_deref()),
        ];
        let attributes =
            attributes.into_iter().filter_map(|(key, value)| Some(KeyValue::new(key, value?.to_owned())));
        Resource::builder_empty().with_attributes(attributes).build()
    }

    fn platform(&self) -> Option<(&'static str, Option<&'static str>)> {
        let name = self.service_type.as_deref()?;
        TYPES
            .iter()
            .find(|(one, ..)| *one == name)
            .map(|(_, platform, launch_type)| (*platform, *launch_type))
    }

    /// Returns the attributes that the root span starts with.
    fn attributes(&self) -> Vec<KeyValue> {
        let http = [
            (attribute::HTTP_REQUEST_METHOD, &self.method),
            (attribute::URL_PATH, &self.path),
            (attribute::SERVER_ADDRESS, &self.host),
        ];
        let http = http.into_iter().filter_map(|(key, value)| Some(KeyValue::new(key, value.clone()?)));
        http.chain(self.attribute.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())))
            .collect()
    }
}

/// Returns rules as `GetSamplingRules` does, which is what the sampler reads.
fn response(rules: &[SamplingRule]) -> Value {
    let record = |rule: &SamplingRule| {
        json!({"SamplingRule": {
            "RuleName": rule.rule_name,
            "Priority": rule.priority,
            "FixedRate": rule.fixed_rate,
            "ReservoirSize": rule.reservoir_size,
            "ServiceName": rule.service_name,
            "ServiceType": rule.service_type,
            "ResourceARN": rule.resource_arn,
            "Host": rule.host,
            "HTTPMethod": rule.http_method,
            "URLPath": rule.url_path,
            "Attributes": rule.attributes.clone().unwrap_or_default(),
            "Version": rule.version,
        }})
    };
    json!({"SamplingRuleRecords": rules.iter().map(record).collect::<Vec<_>>()})
}

/// Draws a line for each rule up to the one that decides, and one for each field that does not match.
fn draw(verdicts: &[Verdict], rules: &[SamplingRule], style: Style) -> String {
    let known: HashMap<&str, &SamplingRule> =
        rules.iter().filter_map(|rule| Some((rule.rule_name()?, rule))).collect();
    let mut text = String::new();
    for verdict in verdicts {
        let Some(rule) = known.get(verdict.rule.as_str()) else { continue };
        let head = format!("{:>5}  {}", rule.priority, printable(&verdict.rule));
        if verdict.mismatches.is_empty() {
            let decides = format!("decides: {}", volume(rule.reservoir_size, rule.fixed_rate));
            text.extend([&head, "  ", &style.paint(Colour::Green, &decides), "\n"]);
            continue;
        }
        text.extend([&head, "  ", &style.paint(Colour::Dim, "does not match"), "\n"]);
        for mismatch in &verdict.mismatches {
            text.extend(["       ", &reason(mismatch, rule), "\n"]);
        }
    }
    text
}

fn reason(mismatch: &Mismatch, rule: &SamplingRule) -> String {
    let name = match &mismatch.field {
        RuleField::ServiceName => "service".to_owned(),
        RuleField::ServiceType => "type".to_owned(),
        RuleField::UrlPath => "path".to_owned(),
        RuleField::HttpMethod => "method".to_owned(),
        RuleField::Host => "host".to_owned(),
        RuleField::ResourceArn => "arn".to_owned(),
        RuleField::Attribute(key) => format!("attribute {key}"),
    };
    let patterns = patterns::of(rule);
    let pattern =
        patterns.iter().find(|(one, _)| *one == name).map(|(_, pattern)| *pattern).unwrap_or_default();
    let (name, pattern) = (printable(&name), printable(pattern));
    match &mismatch.found {
        Some(found) => format!("{name} is {}, not {pattern}", printable(found)),
        None => format!("{name} is absent, not {pattern}"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::patterns::tests::rule;
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: TryArgs,
    }

    fn tried(line: &str, rules: &[SamplingRule]) -> String {
        let args = Line::parse_from(["try"].into_iter().chain(line.split_whitespace())).args;
        let parsed = SamplingRules::from_json(response(rules).to_string().as_bytes()).unwrap();
        draw(&parsed.explain(&args.resource(), &args.attributes()), rules, Style::PLAIN)
    }

    fn rules() -> Vec<SamplingRule> {
        let mut health = rule("health", 10);
        health.url_path = "/health*".to_owned();
        health.fixed_rate = 0.0;
        let mut vouchers = rule("vouchers", 20);
        vouchers.service_type = "AWS::ECS::*".to_owned();
        vouchers.attributes = Some(HashMap::from([("event_type".to_owned(), "Voucher*".to_owned())]));
        vec![health, vouchers, rule("Default", 10_000)]
    }

    #[test]
    fn the_rules_before_the_one_that_decides_are_explained() {
        let drawn = tried("--path /v1/events --method POST", &rules());
        assert_eq!(
            drawn,
            "   10  health  does not match
       path is /v1/events, not /health*
   20  vouchers  does not match
       type is absent, not AWS::ECS::*
       attribute event_type is absent, not Voucher*
10000  Default  decides: 1/s, then 5 %
",
            "\n{drawn}"
        );
    }

    #[test]
    fn what_is_given_is_what_the_sampler_matches() {
        let drawn = tried("--type AWS::ECS::Fargate --attribute event_type=voucherGifted", &rules());
        assert!(drawn.ends_with("   20  vouchers  decides: 1/s, then 5 %\n"), "{drawn}");
        for (name, ..) in TYPES {
            let mut only = rule("only", 1);
            only.service_type = name.to_owned();
            only.resource_arn = "arn:*".to_owned();
            only.host = "api.*".to_owned();
            let drawn = tried(&format!("--type {name} --arn arn:x --host api.example.com"), &[only]);
            assert!(drawn.contains("decides"), "{drawn}");
        }
    }
}
