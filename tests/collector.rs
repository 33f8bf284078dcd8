//! The real collector with the project's configuration: `otel-collector.yaml` is valid, and turns the services'
//! telemetry into what the documents promise.
//!
//! The collector is a small Go program (`tests/collector/main.go`) with only the components that the configuration
//! names, at the versions in the pinned ADOT. On a machine without Go these tests report that they are skipped.

mod away;
mod deployed;
mod killed;
mod metrics;
mod roads;
mod spans;
mod trace;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use local_cloud::{LocalCloud, Settings};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::architecture::root;
use crate::reserved::Reserved;
use crate::world::{PATIENCE, World, say_all, until};

/// The release of ADOT that `.env` pins, and its contents
/// (<https://github.com/aws-observability/aws-otel-collector/releases>): the versions of the collector's core modules,
/// of the stable ones, and of contrib.
const ADOT: (&str, &str, &str, &str) = ("v0.49.0", "v0.156.0", "v1.62.0", "v0.156.0");

/// Components of that release that a configuration for it may name
/// (<https://github.com/aws-observability/aws-otel-collector#adot-collector-built-in-components>). There is no transform
/// processor and no connector.
const COMPONENTS: [(&str, &[&str]); 4] = [
    (
        "extensions",
        &["awsproxy", "ecs_observer", "file_storage", "health_check", "pprof", "sigv4auth", "zpages"],
    ),
    (
        "receivers",
        &[
            "awsecscontainermetrics",
            "awsxray",
            "filelog",
            "jaeger",
            "kafka",
            "otlp",
            "prometheus",
            "statsd",
            "zipkin",
        ],
    ),
    (
        "processors",
        &[
            "attributes",
            "batch",
            "cumulativetodelta",
            "filter",
            "groupbytrace",
            "memory_limiter",
            "metricstransform",
            "probabilistic_sampler",
            "resource",
            "resourcedetection",
            "span",
            "tail_sampling",
        ],
    ),
    (
        "exporters",
        &[
            "awscloudwatchlogs",
            "awsemf",
            "awsxray",
            "debug",
            "file",
            "loadbalancing",
            "otlp",
            // The list has the older name, otlphttp, about which the collector warns.
            "otlp_http",
            "prometheus",
            "prometheusremotewrite",
        ],
    ),
];

fn configuration() -> PathBuf {
    root().join("otel-collector.yaml")
}

/// The configuration that docker compose adds.
fn addition() -> PathBuf {
    root().join("deploy/compose/collector-tempo.yaml")
}

/// Returns the collector, built if necessary, or `None` on a machine without Go.
pub(crate) async fn program() -> Option<PathBuf> {
    static PROGRAM: OnceCell<Option<PathBuf>> = OnceCell::const_new();
    let program = PROGRAM.get_or_init(|| async {
        let output = Command::new(root().join("tests/collector/build")).output().await.unwrap();
        if output.status.success() {
            return Some(PathBuf::from(String::from_utf8(output.stdout).unwrap().trim()));
        }
        let go = Command::new("go").arg("version").output().await;
        let without_go = go.is_err_and(|error| error.kind() == ErrorKind::NotFound);
        assert!(without_go, "the collector cannot be built: {}", String::from_utf8_lossy(&output.stderr));
        None
    });
    let program = program.await.clone();
    if program.is_none() {
        // Written past the test runner, which hides the output of passing tests.
        let message = b"skipped: building the collector needs Go, which is not installed\n";
        std::io::stderr().write_all(message).unwrap();
    }
    program
}

/// Addresses for one collector, which does not report those it binds.
pub(crate) struct Addresses(BTreeMap<&'static str, Reserved>);

impl Addresses {
    pub(crate) fn reserved() -> Self {
        let names = [
            "OTLP_GRPC_ADDRESS",
            "OTLP_HTTP_ADDRESS",
            "HEALTH_ADDRESS",
            "AWSPROXY_ADDRESS",
            "PROMETHEUS_ADDRESS",
        ];
        Self(names.map(|name| (name, Reserved::new())).into())
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}", self.host_and_port(name))
    }

    pub(crate) fn host_and_port(&self, name: &str) -> String {
        self.0[name].to_string()
    }

    pub(crate) fn otlp(&self) -> String {
        self.url("OTLP_HTTP_ADDRESS")
    }
}

/// A running collector.
pub(crate) struct Collector {
    process: Child,
}

impl Collector {
    /// Starts the collector with the project's configuration and waits until it is healthy.
    pub(crate) async fn start(program: &Path, addresses: &Addresses, settings: &[(&str, &str)]) -> Self {
        let mut process = command(program, "--config")
            .envs(addresses.0.iter().map(|(name, address)| (*name, address.to_string())))
            .env("BATCH_TIMEOUT", "50ms")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        say_all("collector: ", process.stderr.take().unwrap());
        let (http, health) = (reqwest::Client::new(), addresses.url("HEALTH_ADDRESS"));
        let healthy = until("the collector to be healthy", || async {
            let answer = http.get(&health).send().await.ok()?;
            answer.status().is_success().then_some(())
        });
        tokio::select! {
            () = healthy => {}
            status = process.wait() => panic!("the collector ended before it was healthy: {}", status.unwrap()),
        }
        Self { process }
    }

    /// Stops it as ECS would, so that it flushes.
    pub(crate) async fn stop(mut self) {
        let pid = i32::try_from(self.process.id().unwrap()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        assert!(ended.expect("the collector did not end").unwrap().success());
    }
}

/// Starts a layer that exports through a collector to its own X-Ray. Returns nothing on a machine without Go.
pub(crate) async fn layer_with_collector(environment: &[(&str, &str)]) -> Option<(World, Collector)> {
    let program = program().await?;
    let addresses = Addresses::reserved();
    let world = World::start_with(&["--otlp-endpoint", &addresses.otlp()], environment).await;
    let settings = [("XRAY_ENDPOINT", world.xray_endpoint.as_str()), ("METRICS_EXPORTER", "debug")];
    let collector = Collector::start(&program, &addresses, &settings).await;
    Some((world, collector))
}

/// Starts another local cloud, in this process.
async fn another_cloud() -> LocalCloud {
    let any = "127.0.0.1:0".parse().unwrap();
    let settings = Settings { address: any, otlp_address: any, ..Settings::default() };
    local_cloud::start(settings).await.unwrap()
}

/// Returns the command for the collector with the configuration, without this process's environment.
fn command(program: &Path, argument: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(argument);
    if argument != "--config" {
        command.arg("--config");
    }
    command
        .arg(configuration())
        .env_clear()
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

#[tokio::test]
async fn the_configuration_is_valid() {
    let Some(program) = program().await else { return };
    let validate = async |exporter: &str| {
        let output = command(&program, "validate").env("METRICS_EXPORTER", exporter).output().await.unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    for exporter in ["awsemf", "prometheus", "debug"] {
        let (valid, complaint) = validate(exporter).await;
        assert!(valid, "{exporter}: {complaint}");
        assert!(!complaint.contains("Dropped"), "{exporter}: {complaint}");
    }
    assert!(!validate("nothing").await.0, "an unknown exporter is refused");
}

#[tokio::test]
async fn what_compose_adds_sends_spans_to_tempo_beside_x_ray() {
    let Some(program) = program().await else { return };
    let output = command(&program, "print-config").arg("--config").arg(addition()).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let merged: Value = serde_saphyr::from_str(&String::from_utf8(output.stdout).unwrap()).unwrap();
    let pipelines = &merged["service"]["pipelines"];
    assert_eq!(pipelines["traces"]["exporters"], json!(["awsxray"]));
    assert_eq!(pipelines["traces"]["processors"], json!(["memory_limiter", "batch"]), "unchanged");
    assert_eq!(pipelines["traces/tempo"]["exporters"], json!(["otlp_http/tempo"]));
    let processors = json!(["memory_limiter", "filter/in_progress", "batch"]);
    assert_eq!(pipelines["traces/tempo"]["processors"], processors, "no copies of spans in progress");
    assert_eq!(merged["exporters"]["otlp_http/tempo"]["endpoint"], "http://tempo:4318");

    // Without the dashboards, compose names the configuration a second time in its place.
    let twice = command(&program, "validate").arg("--config").arg(configuration()).output().await.unwrap();
    assert!(twice.status.success(), "{}", String::from_utf8_lossy(&twice.stderr));
}

#[test]
fn every_component_is_in_the_pinned_distribution() {
    let yaml = [configuration(), addition()].map(|path| std::fs::read_to_string(path).unwrap()).join("\n");
    let mut section = "";
    let mut named = 0;
    for line in yaml.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty()) {
        let indentation = line.len() - line.trim_start().len();
        let key = line.trim().split(':').next().unwrap();
        match indentation {
            0 => section = key,
            2 => {
                let Some((_, known)) = COMPONENTS.iter().find(|(name, _)| *name == section) else { continue };
                // After a slash, a component may have a name.
                let kind = key.split('/').next().unwrap();
                assert!(known.contains(&kind), "ADOT {} has no {kind} among its {section}", ADOT.0);
                named += 1;
            }
            _ => {}
        }
    }
    assert_eq!(named, 11, "the components of the configuration are found");
}

#[test]
fn the_test_collector_is_of_the_pinned_versions() {
    let environment = std::fs::read_to_string(root().join(".env")).unwrap();
    let pinned = environment.lines().find_map(|line| line.strip_prefix("ADOT_VERSION=")).unwrap();
    let (adot, core, stable, contrib) = ADOT;
    assert_eq!(
        pinned, adot,
        "another ADOT needs other lists and versions, in this file and in tests/collector/go.mod"
    );

    let image = "public.ecr.aws/aws-observability/aws-otel-collector:";
    let files = |folder| std::fs::read_dir(root().join("deploy").join(folder)).unwrap();
    let deployed =
        ["services", "task-definitions"].into_iter().flat_map(files).map(|entry| entry.unwrap().path());
    for file in deployed {
        let text = std::fs::read_to_string(&file).unwrap();
        let version = text.split(image).nth(1).map(|rest| rest.split(['"', '\n']).next().unwrap());
        assert_eq!(version, Some(pinned), "{}", file.display());
    }

    let modules = std::fs::read_to_string(root().join("tests/collector/go.mod")).unwrap();
    let required = modules.lines().filter(|line| line.starts_with('\t') && !line.contains("// indirect"));
    for line in required.take_while(|line| !line.contains("=>")) {
        let (module, version) = line.trim().split_once(' ').unwrap();
        if module.starts_with("github.com/open-telemetry/opentelemetry-collector-contrib/") {
            assert_eq!(version, contrib, "{module}");
        } else {
            assert!(version == core || version == stable, "{module} {version}");
        }
    }
}
