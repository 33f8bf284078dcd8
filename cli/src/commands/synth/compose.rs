//! Renders the services for docker compose: against the local cloud, and as an override that points the same stack at
//! a real account.
//!
//! compose reads a service's environment before anything runs, so the results of provisioning come too late. They are
//! not needed: every name, URL and ARN follows from the declarations.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use service_runtime::Environment;
use topology::{Resources, ServiceResources, Variable};

use crate::endpoint::REGION;
use crate::layer;
use crate::service_environment::{self, Shared, UNSIGNED_REQUESTS};

/// The file for the local cloud, which `docker-compose.yml` includes.
const LOCAL: &str = "compose/services.yml";
/// The override for a real account.
const AWS: &str = "compose/aws.yml";

/// The environment whose resources the local cloud creates in compose.
const LOCAL_ENVIRONMENT: &str = "local";
/// The environment of the real account, which compose substitutes in every name.
const AWS_ENVIRONMENT: &str = "${ENVIRONMENT}";

/// The local cloud in compose's network.
const CLOUD: &str = "http://cloud:4566";
/// The account id that the local cloud reports.
const LOCAL_ACCOUNT: &str = "000000000000";
/// The collector in compose's network.
const COLLECTOR: &str = "http://collector:4318";
/// The collector's `awsproxy`, through which sampling rules are fetched.
const RULES: &str = "endpoint=http://collector:2000";
/// The port on which an HTTP service listens in its container, and the first one published on this machine.
const PORT: u16 = 8080;
/// The limit for a shutdown; compose kills the container after `stop_grace_period`, which is longer.
const GRACE: Duration = Duration::from_secs(25);
/// The scrape interval of `deploy/prometheus/prometheus.yml`.
const METRIC_INTERVAL_MS: &str = "5000";

const LOCAL_HEAD: &str = r#"# Rendered by `foostore synth` from what the services declare; change their topology(), not this file.
# The local cloud creates the resources before it is healthy; their names, URLs and ARNs are known in advance.

x-service: &service
  read_only: true
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  pids_limit: 128
  mem_limit: 48m
  restart: unless-stopped
  stop_grace_period: 30s
  logging:
    driver: local
    options: {max-size: 10m, max-file: "3"}
  healthcheck:
    test: [CMD, /service, health]
    interval: 5s
    timeout: 5s
    retries: 6
    start_period: 60s
    start_interval: 500ms
  depends_on:
    cloud: {condition: service_healthy}
    collector: {condition: service_healthy}
"#;

const AWS_HEAD: &str = r#"# Rendered by `foostore synth` from what the services declare; change their topology(), not this file.
#
# Points the stack of docker-compose.yml at a real account: no local cloud, nothing provisioned, no example traffic. The
# stacks in deploy/ create the resources. Needs ENVIRONMENT, AWS_REGION, AWS_ACCOUNT_ID, credentials, and whatever else
# compose reports as missing.
#
# The services take messages from the environment's queues: each is handled here, and not by a task in the account. Nobody
# does that by accident, so compose refuses to start without CONSUME_FROM_AWS:
#
#   eval "$(aws configure export-credentials --format env)"
#   export CONSUME_FROM_AWS=yes
#   docker compose -f docker-compose.yml -f deploy/compose/aws.yml up

x-aws: &aws
  AWS_REGION: ${AWS_REGION:?the region of the account}
  AWS_ACCESS_KEY_ID: ${AWS_ACCESS_KEY_ID:?credentials of the account}
  AWS_SECRET_ACCESS_KEY: ${AWS_SECRET_ACCESS_KEY:?credentials of the account}
  AWS_SESSION_TOKEN: # from the environment, if set
  CONSUME_FROM_AWS: ${CONSUME_FROM_AWS:?set it to yes to take messages from the queues of this environment}

services:
  cloud: !reset null
  traffic: !reset null

  collector:
    depends_on: !reset null
    environment: !override
      <<: *aws
      METRICS_EXPORTER: prometheus
      OTLP_GRPC_ADDRESS: 0.0.0.0:4317
      OTLP_HTTP_ADDRESS: 0.0.0.0:4318
      PROMETHEUS_ADDRESS: 0.0.0.0:9464
      AWSPROXY_ADDRESS: 0.0.0.0:2000

  grafana:
    environment:
      <<: *aws
      XRAY_ENDPOINT: ""
"#;

/// Renders both files, by their path below the directory of the templates.
///
/// # Errors
/// When the declarations contradict each other.
pub(super) fn files(application: &str) -> anyhow::Result<BTreeMap<PathBuf, String>> {
    let local = layer::resources(application, LOCAL_ENVIRONMENT)?;
    let aws = layer::resources(application, AWS_ENVIRONMENT)?;
    Ok(BTreeMap::from([(PathBuf::from(LOCAL), local_file(&local)), (PathBuf::from(AWS), aws_file(&aws))]))
}

fn local_file(resources: &Resources) -> String {
    let environments: Vec<_> =
        resources.services.iter().map(|service| local_environment(resources, service)).collect();
    let shared = shared_by_all(&environments);
    let mut ports = PORT..;
    let entries = resources.services.iter().zip(&environments).map(|(service, environment)| {
        let name = &service.service;
        let own = lines(6, environment.iter().filter(|(name, _)| !shared.contains_key(*name)));
        let port = if service.listens { ports.next() } else { None };
        let ports = port.map(|port| {
            let variable = name.to_uppercase().replace('-', "_");
            format!("    ports: [\"127.0.0.1:${{{variable}_PORT:-{port}}}:{PORT}\"]\n")
        });
        format!(
            r#"
  {name}:
    <<: *service
    image: {}/{name}:local
    build:
      context: .
      args: {{SERVICE: {name}, REVISION: "${{REVISION:-}}"}}
    environment:
      <<: *environment
{own}{}"#,
            resources.application,
            ports.unwrap_or_default()
        )
    });
    let entries: String = entries.collect();
    format!("{LOCAL_HEAD}\nx-environment: &environment\n{}\nservices:{entries}", lines(2, &shared))
}

fn aws_file(resources: &Resources) -> String {
    let entries = resources.services.iter().map(|service| {
        let variables = lines(6, &aws_environment(resources, service));
        format!(
            "
  {}:
    depends_on: !override
      collector: {{condition: service_healthy}}
    environment: !override
      <<: *aws
{variables}",
            service.service
        )
    });
    format!("{AWS_HEAD}{}", entries.collect::<String>())
}

/// Returns the environment against the local cloud: that of `foostore up`, adapted to a container.
fn local_environment(resources: &Resources, service: &ServiceResources) -> BTreeMap<String, String> {
    let metrics = format!("{COLLECTOR}/v1/metrics");
    let shared = Shared {
        endpoint_url: CLOUD,
        cloud_url: CLOUD,
        otlp_url: COLLECTOR,
        metrics_url: &metrics,
        metrics_interval: None,
        grace: GRACE,
    };
    let own = resolved(service, &format!("{CLOUD}/{LOCAL_ACCOUNT}"), REGION, LOCAL_ACCOUNT);
    let mut variables = service_environment::of(&service.service, &shared, own, &Environment::default());
    // In a container the default port is free, and the health check relies on it.
    variables.remove("HEALTH_ADDRESS");
    variables.insert("APPLICATION".to_owned(), resources.application.clone());
    in_a_container(&mut variables, service);
    if service.service == ingest::NAME {
        // Published on the loopback address of the host only, and the network behind it is compose's own.
        variables.insert(UNSIGNED_REQUESTS.to_owned(), "accept".to_owned());
    }
    variables
}

/// Returns the environment against a real account, except for the region and the credentials.
fn aws_environment(resources: &Resources, service: &ServiceResources) -> BTreeMap<String, String> {
    let (region, account) = ("${AWS_REGION}", "${AWS_ACCOUNT_ID:?the account's number}");
    let queues = format!("https://sqs.{region}.amazonaws.com/{account}");
    let mut variables = resolved(service, &queues, region, account);
    let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
    set("APPLICATION", &resources.application);
    set("ENVIRONMENT", "${ENVIRONMENT:?the environment that the stacks were deployed for}");
    set("OTEL_EXPORTER_OTLP_ENDPOINT", COLLECTOR);
    set("OTEL_TRACES_SAMPLER", "xray");
    set("OTEL_TRACES_SAMPLER_ARG", RULES);
    set("SHUTDOWN_GRACE_S", &GRACE.as_secs().to_string());
    if service.sends_email {
        set("EMAIL_SENDER", "${EMAIL_SENDER:?an address that SES may send from}");
    }
    for parameter in &service.parameters {
        let value = match parameter.default {
            Some(default) => format!("${{{}:-{default}}}", parameter.variable),
            None => format!("${{{}:?{}}}", parameter.variable, parameter.description),
        };
        set(parameter.variable, &value);
    }
    for secret in &service.secrets {
        set(secret, &format!("${{{secret}:?a secret of {}}}", service.service));
    }
    in_a_container(&mut variables, service);
    variables
}

fn in_a_container(variables: &mut BTreeMap<String, String>, service: &ServiceResources) {
    variables.insert("OTEL_METRIC_EXPORT_INTERVAL".to_owned(), METRIC_INTERVAL_MS.to_owned());
    if service.listens {
        variables.insert("LISTEN_ADDRESS".to_owned(), format!("0.0.0.0:{PORT}"));
    }
}

/// Resolves the declared variables to the names of resources that provisioning or CloudFormation creates.
fn resolved(
    service: &ServiceResources,
    queues: &str,
    region: &str,
    account: &str,
) -> BTreeMap<String, String> {
    let value = |variable: &Variable| match variable {
        Variable::Text(text) | Variable::PipeName(text) => text.clone(),
        Variable::QueueUrl(queue) => format!("{queues}/{queue}"),
        Variable::TopicArn(topic) => format!("arn:aws:sns:{region}:{account}:{topic}"),
        Variable::BucketName(bucket) => topology::bucket_name(bucket, account, region),
    };
    service.variables.iter().map(|(name, variable)| (name.clone(), value(variable))).collect()
}

/// Returns the variables with the same value in all environments.
fn shared_by_all(environments: &[BTreeMap<String, String>]) -> BTreeMap<String, String> {
    let Some((first, others)) = environments.split_first() else { return BTreeMap::new() };
    let same =
        |(name, value): &(&String, &String)| others.iter().all(|other| other.get(*name) == Some(*value));
    first.iter().filter(same).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Writes a line for each variable. A JSON string as value is read by YAML as the same text, whatever it looks like.
fn lines<'a>(indentation: usize, variables: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let line = |(name, value): (&String, &String)| {
        let value = serde_json::Value::from(value.as_str());
        format!("{:indentation$}{name}: {value}\n", "")
    };
    variables.into_iter().map(line).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::local_config;

    /// The names computed before anything runs are those of the resources that provisioning creates.
    #[tokio::test]
    async fn the_environment_matches_what_provisioning_creates() {
        let any = ([127, 0, 0, 1], 0).into();
        let settings = local_cloud::Settings { address: any, otlp_address: any, ..Default::default() };
        let cloud = local_cloud::start(settings).await.unwrap();
        let resources = layer::resources("foostore", LOCAL_ENVIRONMENT).unwrap();
        let config = local_config(&cloud.endpoint_url(), REGION, &Environment::default()).await;
        let outputs = Box::pin(provisioning::provision(&resources, &config)).await.unwrap();
        let sqs = aws_sdk_sqs::Client::new(&config);
        for service in &resources.services {
            let composed = local_environment(&resources, service);
            for (name, provisioned) in outputs.environment(&service.service) {
                let expected = provisioned.replace(&cloud.endpoint_url(), CLOUD);
                assert_eq!(composed.get(&name), Some(&expected), "{name} of {}", service.service);
            }
            // The cloud accepts the URL by which it is known inside compose.
            if let Some(url) = composed.get("QUEUE_URL") {
                sqs.get_queue_attributes().queue_url(url).send().await.unwrap();
            }
        }
        cloud.shutdown().await;
    }

    #[test]
    fn nothing_local_reaches_a_real_account() {
        let files = files("foostore").unwrap();
        let local = &files[&PathBuf::from(LOCAL)];
        let aws = &files[&PathBuf::from(AWS)];
        assert!(
            !aws.contains("foostore-local") && !aws.contains(CLOUD) && !aws.contains(LOCAL_ACCOUNT),
            "{aws}"
        );
        for name in layer::names() {
            assert!(local.contains(&format!("\n  {name}:\n")), "{local}");
            assert!(aws.contains(&format!("\n  {name}:\n")), "{aws}");
        }
        assert!(aws.contains("SIGNATURE_SECRET: \"${SIGNATURE_SECRET:?"), "{aws}");
        assert!(aws.contains("WEBHOOK_URL: \"${WEBHOOK_URL:?"), "{aws}");
        assert!(!aws.contains(local_cloud::WEBHOOK_SECRET) && !aws.contains("PRIVATE KEY"), "{aws}");
        assert!(local.contains(UNSIGNED_REQUESTS) && !aws.contains(UNSIGNED_REQUESTS), "{aws}");
        let queue = "https://sqs.${AWS_REGION}.amazonaws.com/${AWS_ACCOUNT_ID:?the account's number}";
        assert!(aws.contains(&format!("QUEUE_URL: \"{queue}/foostore-${{ENVIRONMENT}}-email\"")), "{aws}");
    }
}
