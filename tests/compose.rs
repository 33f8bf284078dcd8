//! Checks docker compose's files and the Dockerfile as far as possible without Docker. That they contain the declared
//! services is checked by `foostore synth --check`.

use serde_json::Value;

use crate::architecture::root;

/// The limit for all containers together, in bytes: two gigabytes.
const MEMORY: u64 = 2_000_000_000;

/// Containers without a health check: one exits when it is done, and nothing connects to the other.
const UNWATCHED: [&str; 2] = ["provision", "traffic"];

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Returns the services of the stack by name, with anchors and merges resolved.
fn services() -> Vec<(String, Value)> {
    let mut services = Vec::new();
    for file in ["docker-compose.yml", "deploy/compose/services.yml"] {
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
        let unwatched = UNWATCHED.contains(&name.as_str());
        assert!(unwatched || service["healthcheck"]["test"].is_array(), "{name} has no health check");
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
        assert!(service["build"].is_object() || is_pinned(image), "{name}: {image}");
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
