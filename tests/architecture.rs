//! Which crate may depend on which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::world::files_below;

/// Crates for development and tests, which nothing deployed to production may depend on.
const DEVELOPMENT_ONLY: [&str; 9] = [
    "aws-models",
    "cloudformation",
    "event-pattern",
    "histogram-log",
    "local-cloud",
    "metrics-engine",
    "provisioning",
    "service-test",
    "xray-engine",
];

/// Returns, by package name, the folder and the workspace's packages it depends on, except for tests.
fn packages() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let manifest = package["manifest_path"].as_str().unwrap();
            let folder = Path::new(manifest).parent().unwrap().strip_prefix(root()).unwrap();
            let dependencies = package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|dependency| dependency["kind"] != "dev" && dependency["path"].is_string())
                .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
                .collect();
            (package["name"].as_str().unwrap().to_owned(), (folder.display().to_string(), dependencies))
        })
        .collect()
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn arrows_run_one_way() {
    let packages = packages();
    for (name, (folder, dependencies)) in &packages {
        for dependency in dependencies {
            let target = &packages[dependency].0;
            if folder.starts_with("crates/") {
                assert!(target.starts_with("crates/"), "{name} is a crate and depends on {dependency}");
            }
            if folder.starts_with("services/") {
                assert!(
                    target.starts_with("crates/") || dependency == "contracts",
                    "service {name} depends on {dependency}: services communicate by events"
                );
                assert!(
                    !DEVELOPMENT_ONLY.contains(&dependency.as_str()),
                    "service {name} depends on {dependency}"
                );
            }
            if folder.starts_with("crates/") && DEVELOPMENT_ONLY.contains(&dependency.as_str()) {
                assert!(DEVELOPMENT_ONLY.contains(&name.as_str()), "{name} depends on {dependency}");
            }
        }
    }
}

/// Returns the workspace's packages that a package links, itself included.
fn linked<'a>(
    packages: &'a BTreeMap<String, (String, BTreeSet<String>)>,
    package: &'a str,
) -> BTreeSet<&'a str> {
    let (mut linked, mut next) = (BTreeSet::new(), vec![package]);
    while let Some(name) = next.pop() {
        if linked.insert(name) {
            next.extend(packages[name].1.iter().map(String::as_str));
        }
    }
    linked
}

#[test]
fn services_link_neither_development_crates_nor_a_filter_parser() {
    let packages = packages();
    // So that the rest does not pass by looking for something that has been renamed.
    let defines_filters = |name: &str| {
        let source = root().join(&packages[name].0).join("src");
        files_below(&source)
            .iter()
            .any(|file| std::fs::read_to_string(file).unwrap().contains("pub struct FilterExpression"))
    };
    assert!(defines_filters("xray-engine"));
    let services: Vec<_> = packages
        .iter()
        .filter(|(_, (folder, _))| folder.starts_with("services/"))
        .map(|(name, _)| name)
        .collect();
    assert!(!services.is_empty());
    for service in services {
        for name in linked(&packages, service) {
            assert!(!DEVELOPMENT_ONLY.contains(&name), "{service} links {name}");
            assert!(!defines_filters(name), "{service} links the filter language through {name}");
        }
    }
}

#[test]
fn a_folder_is_named_like_its_package() {
    for (name, (folder, _)) in packages() {
        let last = Path::new(&folder).file_name().unwrap().to_str().unwrap();
        assert!(last == name || (folder == "cli" && name == "foostore"), "{folder} holds {name}");
    }
}

#[test]
fn the_domain_knows_neither_aws_nor_http() {
    for service in std::fs::read_dir(root().join("services")).unwrap() {
        let source = service.unwrap().path().join("src");
        let mut files: Vec<_> = vec![source.join("domain.rs")];
        files.extend(
            std::fs::read_dir(source.join("domain")).into_iter().flatten().map(|entry| entry.unwrap().path()),
        );
        for file in files.iter().filter(|file| file.exists()) {
            let text = std::fs::read_to_string(file).unwrap();
            for word in [
                "aws_",
                "axum",
                "http::",
                "opentelemetry",
                "sqs_consumer",
                "handlers::",
                "publisher::",
                "idempotency",
                "envelope::Envelope",
            ] {
                assert!(!text.contains(word), "{} mentions {word}", file.display());
            }
        }
    }
}
