//! Checks docker compose's files and the Dockerfile as far as possible without Docker. That they contain the declared
//! services is checked by `foostore synth --check`.

use serde_json::Value;

use crate::architecture::root;

/// The limit for all containers together, in bytes: two gigabytes.
const MEMORY: u64 = 2_000_000_000;

/// The container without a health check: nothing connects to it.
const UNWATCHED: &str = "traffic";
/// The profile of containers on which nothing in the layer depends.
const DASHBOARDS: &str = "dashboards";

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

const FILES: [&str; 2] = ["docker-compose.yml", "deploy/compose/services.yml"];

/// Returns the services of the stack by name, with anchors and merges resolved.
fn services() -> Vec<(String, Value)> {
    let mut services = Vec::new();
    for file in FILES {
        let mut compose: Value = serde_saphyr::from_str(&read(file)).unwrap();
        let Value::Object(found) = compose["services"].take() else { panic!("{file} has no services") };
        services.extend(found);
    }
    services
}

fn megabytes(limit: &Value) -> u64 {
    limit.as_str().and_then(|limit| limit.strip_suffix('m')?.parse().ok()).expect("a limit such as 64m")
}

/// Whether a tag names one version rather than the newest one. The collector's version stands in `.env`.
fn is_pinned(image: &str) -> bool {
    let Some((_, tag)) = image.split_once(':') else { return false };
    let version: Vec<_> = tag.trim_start_matches('v').split('.').map(str::parse::<u32>).collect();
    tag.starts_with("${ADOT_VERSION:?") || version.len() == 3 && version.iter().all(Result::is_ok)
}

#[test]
fn every_container_is_confined_and_says_whether_it_is_well() {
    let services = services();
    for (name, service) in &services {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], serde_json::json!(["no-new-privileges:true"]), "{name}");
        assert!(service["pids_limit"].as_u64().is_some_and(|limit| limit <= 256), "{name}");
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        assert!(service["logging"]["options"]["max-size"].is_string(), "{name}: its log grows without limit");
        if name != UNWATCHED {
            let health = &service["healthcheck"];
            assert!(health["test"].is_array(), "{name} has no health check");
            assert_eq!(health["start_interval"], "500ms", "{name} is probed too rarely while it starts");
            assert!(health["start_period"].is_string(), "{name}: without it start_interval has no effect");
        }
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(
                port.as_str().unwrap().starts_with("127.0.0.1:"),
                "{name} is open to the network: {port}"
            );
        }
        for (needed, how) in service["depends_on"].as_object().into_iter().flatten() {
            assert!(services.iter().any(|(other, _)| other == needed), "{name} needs {needed}");
            assert_ne!(how["condition"], "service_started", "{name} does not wait until {needed} is of use");
        }
    }
}

#[test]
fn all_limits_together_leave_a_laptop_room() {
    let limits = services().iter().map(|(_, service)| megabytes(&service["mem_limit"])).sum::<u64>();
    assert!(limits * 1024 * 1024 < MEMORY, "{limits} MiB");
}

#[test]
fn every_image_is_pinned() {
    for (name, service) in services() {
        let image = service["image"].as_str().unwrap();
        let built = image.starts_with("foostore/") && image.ends_with(":local");
        assert!(built || is_pinned(image), "{name}: {image}");
    }
    let dockerfile = read("Dockerfile");
    let rust = read("rust-toolchain.toml");
    let channel = rust.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    for line in [
        // The compiler is the one used in tests.
        format!("ARG RUST_IMAGE=rust:{channel}-slim-bookworm"),
        // This image has no version tags.
        "ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot".to_owned(),
        format!("ARG VERSION={}", env!("CARGO_PKG_VERSION")),
        "USER 65532:65532".to_owned(),
    ] {
        assert!(dockerfile.lines().any(|found| found == line), "the Dockerfile does not say {line}");
    }
    let stages: Vec<_> = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    for stage in &stages {
        let base = stage.split(' ').next().unwrap();
        let own = stages.iter().any(|stage| stage.ends_with(&format!(" AS {base}")));
        assert!(own || ["${RUST_IMAGE}", "${RUNTIME_IMAGE}"].contains(&base), "unpinned: FROM {stage}");
    }
}

/// Two builds of one tag race for it, and an image that is built here cannot be pulled.
#[test]
fn every_image_is_built_once() {
    let services = services();
    for (name, service) in &services {
        let image = service["image"].as_str().unwrap();
        if is_pinned(image) {
            assert!(service["build"].is_null(), "{name}");
            continue;
        }
        let same = services.iter().filter(|(_, other)| other["image"] == image);
        let builders = same.filter(|(_, other)| other["build"].is_object()).count();
        assert_eq!(builders, 1, "{image} of {name}");
        assert!(service["build"].is_object() || service["pull_policy"] == "never", "{name} pulls {image}");
    }
}

#[test]
fn the_layer_runs_without_the_dashboards() {
    let services = services();
    let profile = |service: &Value| service["profiles"][0].as_str().map(str::to_owned);
    let mut optional = Vec::new();
    for (name, service) in &services {
        if let Some(profile) = profile(service) {
            assert_eq!(profile, DASHBOARDS, "{name}");
            optional.push(name.as_str());
        }
    }
    optional.sort_unstable();
    assert_eq!(optional, ["grafana", "prometheus", "tempo"]);
    for (name, service) in services.iter().filter(|(_, service)| service["profiles"].is_null()) {
        for needed in service["depends_on"].as_object().into_iter().flat_map(|needed| needed.keys()) {
            assert!(!optional.contains(&needed.as_str()), "{name} needs {needed}");
        }
    }
    assert!(read(".env").lines().any(|line| line == format!("COMPOSE_PROFILES={DASHBOARDS}")));

    // Tempo's part of the collector's configuration is read with the dashboards alone.
    let (_, collector) = services.iter().find(|(name, _)| name == "collector").unwrap();
    let arguments: Vec<_> =
        collector["command"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect();
    let condition = "${COMPOSE_PROFILES:+-tempo}";
    assert!(arguments.iter().any(|argument| argument.contains(condition)), "{arguments:?}");
    for part in ["-tempo", ""] {
        for file in arguments.iter().map(|argument| argument.replace(condition, part)) {
            let file = file.strip_prefix("--config=").unwrap();
            let mounted = collector["volumes"].as_array().unwrap().iter().any(|volume| {
                let (here, there) = volume.as_str().unwrap().split_once(':').unwrap();
                there == format!("{file}:ro") && root().join(here).exists()
            });
            assert!(mounted, "{file} is not mounted");
        }
    }
}

/// docker reports only that a port is allocated: the variable that moves it stands beside it.
#[test]
fn every_published_port_has_a_documented_variable() {
    let documents = ["README.md", "docs/configuration.md"].map(read);
    let mut variables = 0;
    for (name, service) in services() {
        for port in service["ports"].as_array().into_iter().flatten() {
            let port = port.as_str().unwrap();
            let variable = port.strip_prefix("127.0.0.1:${").and_then(|rest| rest.split_once(":-"));
            let (variable, default) = variable.unwrap_or_else(|| panic!("{name}: {port} has no variable"));
            let default = default.split('}').next().unwrap();
            assert!(variable.ends_with("_PORT"), "{name}: {port}");
            assert!(
                documents.iter().all(|text| text.contains(&format!("`{variable}`"))),
                "{variable} is not documented"
            );
            assert!(
                documents[0].contains(&format!("| 127.0.0.1:{default} |")),
                "the README does not list {default}"
            );
            variables += 1;
        }
    }
    assert_eq!(variables, 6);
}

/// A fixed name would make a second checkout take over the containers and volumes of the first.
#[test]
fn the_project_is_named_after_its_directory() {
    for file in FILES {
        let compose: Value = serde_saphyr::from_str(&read(file)).unwrap();
        assert!(compose["name"].is_null(), "{file}");
        for (name, service) in compose["services"].as_object().unwrap() {
            assert!(service["container_name"].is_null(), "{name}");
        }
    }
}

/// The cloud heals the layer by its restart alone, and its memory has room for what it keeps.
#[test]
fn the_cloud_provisions_itself_and_knows_its_limit() {
    let (_, cloud) = services().into_iter().find(|(name, _)| name == "cloud").unwrap();
    let arguments: Vec<_> =
        cloud["command"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect();
    assert!(arguments.contains(&"--provision"), "{arguments:?}");
    let memory = arguments.iter().find_map(|argument| argument.strip_prefix("--memory-mib=")).unwrap();
    let memory: u64 = memory.split(":-").nth(1).unwrap().trim_end_matches('}').parse().unwrap();
    assert!(
        memory * 3 <= megabytes(&cloud["mem_limit"]) * 2,
        "{memory} MiB for messages, traces and mails alone"
    );
    let directory = arguments.iter().find_map(|argument| argument.strip_prefix("--data-dir=")).unwrap();
    assert!(cloud["volumes"].as_array().unwrap().contains(&format!("cloud:{directory}").into()));
    let owned = format!("--chown=65532:65532 /out/data {directory}");
    assert!(read("Dockerfile").contains(&owned), "the volume would belong to root");
}

/// Services that are started here by accident would take the messages of a real environment.
#[test]
fn a_real_account_is_consumed_from_on_purpose_only() {
    let file = read("deploy/compose/aws.yml");
    // Each service gets the anchor's variables, and compose refuses to start while one is empty.
    assert!(file.contains("  CONSUME_FROM_AWS: ${CONSUME_FROM_AWS:?"), "{file}");
    let consumers = file.matches("      QUEUE_URL:").count();
    assert!(consumers > 2 && file.matches("environment: !override\n      <<: *aws\n").count() > consumers);
}

/// Keys that Tempo 3 no longer knows keep it from starting.
#[test]
fn tempo_is_configured_for_its_version() {
    let (_, tempo) = services().into_iter().find(|(name, _)| name == "tempo").unwrap();
    assert!(tempo["image"].as_str().unwrap().starts_with("grafana/tempo:3."));
    let configuration: Value = serde_saphyr::from_str(&read("deploy/tempo/tempo.yaml")).unwrap();
    for gone in ["ingester", "ingester_client", "compactor", "metrics_generator_client"] {
        assert!(configuration.get(gone).is_none(), "{gone}");
    }
    assert_eq!(configuration["backend_worker"]["compaction"]["block_retention"], "24h");
}
