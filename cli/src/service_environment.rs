//! The environment of a service that runs against the local cloud: complete and explicit, so that nothing of the
//! user's environment leaks in.

use std::collections::BTreeMap;
use std::time::Duration;

use service_runtime::Environment;

use crate::endpoint::{LOCAL_KEY, REGION};

/// The setting for where a service answers health checks.
pub(crate) const HEALTH: &str = "HEALTH_ADDRESS";
/// The setting for the file to which a service writes its addresses.
pub(crate) const ADDRESSES_FILE: &str = "ADDRESSES_FILE";
/// The setting for where a service accepts requests.
pub(crate) const LISTEN: &str = "LISTEN_ADDRESS";
/// The setting for what requests to ingest are signed with.
pub(crate) const SIGNATURE_SECRET: &str = "SIGNATURE_SECRET";
/// The setting that lets ingest take requests without a signature where others than this machine can send them.
pub(crate) const UNSIGNED_REQUESTS: &str = "UNSIGNED_REQUESTS";
/// The setting for where app pushes notifications to.
pub(crate) const WEBHOOK_URL: &str = "WEBHOOK_URL";
/// The setting for what app signs them with.
pub(crate) const WEBHOOK_SECRET: &str = "WEBHOOK_SECRET";
/// The type of passes, for which the local identity has its certificate.
const PASS_TYPE: &str = "pass.com.example.foostore";
/// What tokens of phones are derived from. Known to everybody: for a developer's machine only.
const PASS_TOKEN_SECRET: &str = "for-the-machine-of-a-developer-where-passes-are-worth-nothing";
/// A free port of this machine, not reachable from outside.
pub(crate) const ANY: &str = "127.0.0.1:0";

/// The setting for how traces are sampled, and for its argument.
const SAMPLER: [&str; 2] = ["OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"];

/// Variables that are passed through if they are set.
const PASSED_ON: [&str; 19] = [
    "AWS_XRAY_ADAPTIVE_SAMPLING_CONFIG",
    "CLAIM_LEASE_S",
    "CONSUMER_BACKOFF_CAP_S",
    "CONSUMER_VISIBILITY_TIMEOUT_S",
    "HOP_LINES",
    "PUBLISH_LINGER_MS",
    "REDEMPTION_GRACE_S",
    "SEND_TIMEOUT_MS",
    "WEBHOOK_TIMEOUT_MS",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "TOKIO_WORKER_THREADS",
    "TZ",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
];

/// Settings that all services of a run share.
#[derive(Debug)]
pub(crate) struct Shared<'a> {
    pub(crate) endpoint_url: &'a str,
    /// The URL of the local cloud, which receives pushes even if another emulator stands for AWS.
    pub(crate) cloud_url: &'a str,
    pub(crate) otlp_url: &'a str,
    pub(crate) metrics_url: &'a str,
    /// The time between two exports of metrics, if it is not the default.
    pub(crate) metrics_interval: Option<Duration>,
    pub(crate) grace: Duration,
}

/// Returns the environment of the service `name`, with the variables of its `resources`.
pub(crate) fn of(
    name: &str,
    shared: &Shared<'_>,
    resources: BTreeMap<String, String>,
    own: &Environment,
) -> BTreeMap<String, String> {
    let mut all = resources;
    let mut set = |name: &str, value: &str| {
        all.insert(name.to_owned(), value.to_owned());
    };
    set("APPLICATION", "foostore");
    set("ENVIRONMENT", "local");
    set("LOG_FORMAT", "json");
    set(HEALTH, ANY);
    // As in a task of up to one vCPU. More threads would only hand work to each other, nine services' on one machine.
    set("TOKIO_WORKER_THREADS", "1");
    set("SHUTDOWN_GRACE_S", &shared.grace.as_secs().to_string());
    // A drain waits for the long poll in flight; after Ctrl-C, that wait should be short.
    set("CONSUMER_WAIT_S", "1");
    set("AWS_ENDPOINT_URL", shared.endpoint_url);
    set("AWS_REGION", REGION);
    // The local cloud accepts any key and identifies the caller by it.
    set("AWS_ACCESS_KEY_ID", name);
    set("AWS_SECRET_ACCESS_KEY", LOCAL_KEY);
    // There is no container or instance to provide credentials or task metadata.
    set("AWS_EC2_METADATA_DISABLED", "true");
    set("OTEL_SERVICE_NAME", name);
    set("OTEL_EXPORTER_OTLP_ENDPOINT", shared.otlp_url);
    let [sampler, argument] = sampler(shared, own);
    set(SAMPLER[0], &sampler);
    if !argument.is_empty() {
        set(SAMPLER[1], &argument);
    }
    set("OTEL_METRICS_EXPORTER", "otlp");
    set("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", shared.metrics_url);
    if let Some(interval) = shared.metrics_interval {
        set("OTEL_METRIC_EXPORT_INTERVAL", &interval.as_millis().to_string());
    }
    if name == app::NAME {
        set(WEBHOOK_URL, &format!("{}{}", shared.cloud_url, local_cloud::WEBHOOK_PATH));
        set(WEBHOOK_SECRET, local_cloud::WEBHOOK_SECRET);
        set("WEBHOOK_ALLOW_PRIVATE", "true");
    }
    if name == archive::NAME {
        // Somebody waits for the trace, which is not complete until the batch is stored.
        set("ARCHIVE_BATCH_AGE_MS", "200");
    }
    if name == wallet::NAME {
        set(LISTEN, ANY);
        set("PASS_TYPE", PASS_TYPE);
        set("PASS_TEAM", "A1B2C3D4E5");
        set("PASS_ORGANIZATION", "FooStore");
        set("PASS_IDENTITY", local_cloud::PASS_IDENTITY);
        set("PASS_TOKEN_SECRET", PASS_TOKEN_SECRET);
        set("APNS_URL", &format!("{}{}", shared.cloud_url, local_cloud::APNS_PATH));
    }
    for name in PASSED_ON {
        if let Some(value) = own.get(name) {
            set(name, value);
        }
    }
    all
}

/// Returns the sampler and its argument. By default, every trace is recorded unless its caller decided otherwise. Sampling
/// rules are those of the local cloud's X-Ray, unless the argument names another endpoint.
fn sampler(shared: &Shared<'_>, own: &Environment) -> [String; 2] {
    let [sampler, argument] = SAMPLER.map(|name| own.get(name).unwrap_or_default().trim().to_owned());
    match &*sampler {
        "" => ["parentbased_always_on".to_owned(), String::new()],
        // A later part of the argument replaces an earlier one.
        "xray" | "parentbased_xray" => {
            let endpoint = format!("endpoint={},{argument}", shared.cloud_url);
            [sampler, endpoint.trim_end_matches(',').to_owned()]
        }
        _ => [sampler, argument],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARED: Shared<'_> = Shared {
        endpoint_url: "http://127.0.0.1:4566",
        cloud_url: "http://127.0.0.1:4577",
        otlp_url: "http://127.0.0.1:4318",
        metrics_url: "http://127.0.0.1:4318/v1/metrics",
        metrics_interval: Some(Duration::from_secs(3)),
        grace: Duration::from_secs(10),
    };

    #[test]
    fn every_trace_is_recorded_unless_sampling_is_to_be_tried() {
        let sampler = |pairs: &[(&str, &str)]| {
            let own = Environment::from_pairs(pairs.iter().copied());
            let environment = of("ingest", &SHARED, BTreeMap::new(), &own);
            SAMPLER.map(|name| environment.get(name).cloned().unwrap_or_default())
        };
        assert_eq!(sampler(&[]), ["parentbased_always_on", ""]);
        assert_eq!(sampler(&[(SAMPLER[1], "0.5")]), ["parentbased_always_on", ""]);
        assert_eq!(sampler(&[(SAMPLER[0], "xray")]), ["xray", "endpoint=http://127.0.0.1:4577"]);
        let more = [(SAMPLER[0], "xray"), (SAMPLER[1], "polling_interval=1")];
        assert_eq!(sampler(&more), ["xray", "endpoint=http://127.0.0.1:4577,polling_interval=1"]);
        let ratio = [(SAMPLER[0], "parentbased_traceidratio"), (SAMPLER[1], "0.5")];
        assert_eq!(sampler(&ratio), ["parentbased_traceidratio", "0.5"]);
    }

    #[test]
    fn is_complete_and_explicit() {
        let resources = BTreeMap::from([("EVENT_BUS_NAME".to_owned(), "foostore-local".to_owned())]);
        let own = Environment::from_pairs([("RUST_LOG", "debug"), ("AWS_PROFILE", "production")]);
        let environment = of("email", &SHARED, resources, &own);
        assert_eq!(environment["EVENT_BUS_NAME"], "foostore-local");
        assert_eq!(environment["OTEL_SERVICE_NAME"], "email");
        assert_eq!(environment["AWS_ACCESS_KEY_ID"], "email");
        assert_eq!(environment["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"], "http://127.0.0.1:4318/v1/metrics");
        assert_eq!(environment["OTEL_METRIC_EXPORT_INTERVAL"], "3000");
        assert_eq!(environment["SHUTDOWN_GRACE_S"], "10");
        assert_eq!(environment["RUST_LOG"], "debug");
        assert_eq!(environment["TOKIO_WORKER_THREADS"], "1");
        assert!(!environment.contains_key("AWS_PROFILE"));
        assert!(!environment.contains_key("WEBHOOK_SECRET"), "only one service pushes");
        let environment = of("app", &SHARED, BTreeMap::new(), &own);
        assert_eq!(environment["WEBHOOK_URL"], "http://127.0.0.1:4577/_local/webhook");
    }
}
