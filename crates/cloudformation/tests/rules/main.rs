//! What AWS demands of templates and linters do not know, each rule with its source: held against `deploy/`, and against a
//! layer of forty services.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alarms;
mod metrics;
mod services;
mod sizes;
mod stacks;
mod storage;
mod tables;

use std::collections::BTreeMap;
use std::path::Path;

use envelope::Event;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use topology::{
    Bucket, BucketAccess, Http, Index, Key, Service, StorageClass, Table, TableAccess, Topic, Topology,
    events, topic,
};

/// What is deployed: every template as text and as a document, by its file's name in `deploy/`.
struct Deployment {
    templates: BTreeMap<String, (String, Value)>,
    /// The collector's configuration.
    collector: Value,
}

struct Rule {
    name: &'static str,
    /// Where AWS says so.
    source: &'static str,
    /// Returns what breaks the rule, if anything.
    broken: fn(&Deployment) -> Vec<String>,
    /// A template that breaks it.
    example: fn() -> String,
}

fn rules() -> impl Iterator<Item = Rule> {
    alarms::RULES
        .into_iter()
        .chain(metrics::RULES)
        .chain(services::RULES)
        .chain(sizes::RULES)
        .chain(stacks::RULES)
        .chain(tables::RULES)
        .chain(storage::RULES)
}

fn parsed(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap()
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn collector() -> String {
    std::fs::read_to_string(root().join("otel-collector.yaml")).unwrap()
}

impl Deployment {
    fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let templates = files.into_iter().filter(|(name, _)| !name.starts_with("task-definitions/"));
        let templates = templates.map(|(name, text)| {
            let document = parsed(&text);
            (name, (text, document))
        });
        Self { templates: templates.collect(), collector: parsed(&collector()) }
    }

    /// The files that are committed.
    fn committed() -> Self {
        let mut files = Vec::new();
        for directory in ["deploy", "deploy/data", "deploy/services"] {
            for entry in std::fs::read_dir(root().join(directory)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "yaml") {
                    let name = path.strip_prefix(root().join("deploy")).unwrap().display().to_string();
                    files.push((name, std::fs::read_to_string(path).unwrap()));
                }
            }
        }
        assert!(files.len() > 9, "{files:?}");
        Self::new(files)
    }

    /// The files of a layer of forty services, most of which have everything that a service can have.
    fn of_forty_services() -> Self {
        let entry = Service::new("intake").listens(Http::new()).publishes_to_bus().emits::<(Ordered,)>();
        let mut topology = Topology::new("loyalty", cloudformation::ENVIRONMENT).service(entry);
        for number in 0..39 {
            let service = Service::new(named("consumer", number));
            topology = topology.service(match number % 3 {
                0 => service
                    .consumes(events::<(Ordered,)>())
                    .owns(
                        Table::new(named("table", number))
                            .outbox()
                            .index(Index::new("due").partition_key("due_bucket").sort_key("due_at"))
                            .access([TableAccess::Get, TableAccess::QueryIndex]),
                    )
                    .publishes(Topic::new(named("topic", number)).attribute("channel"))
                    .emits::<(Shipped,)>(),
                1 => service
                    .receives(topic(named("topic", number - 1)).with("channel", "sms"))
                    .sends_email_as("loyalty"),
                _ => service
                    .consumes(events::<(Ordered, Shipped)>())
                    .owns(Table::new(named("table", number)).access([TableAccess::Update]))
                    .owns_bucket(
                        Bucket::new(named("bucket", number))
                            .access([BucketAccess::Get, BucketAccess::Put, BucketAccess::List])
                            .moves_after_days(90, StorageClass::GlacierInstantRetrieval)
                            .expires_after_days(400)
                            .lockable(),
                    )
                    .encrypts_with(Key::new(named("key", number))),
            });
        }
        Self::new(cloudformation::render(&topology.resources().unwrap(), &collector()).unwrap())
    }

    /// Returns each resource with its file's name and its logical id.
    fn resources(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        self.templates.iter().flat_map(|(file, (_, document))| {
            let resources = document["Resources"].as_object().into_iter().flatten();
            resources.map(move |(id, resource)| (file.as_str(), id.as_str(), resource))
        })
    }

    fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
        self.resources()
            .filter(move |(_, _, resource)| resource["Type"] == kind)
            .map(|(file, id, resource)| (file, id, &resource["Properties"]))
    }
}

/// Declarations name things in the program's text, so these live as long as it does.
fn named(what: &str, number: u32) -> &'static str {
    format!("{what}-{number:02}").leak()
}

macro_rules! event {
    ($name:ident) => {
        #[derive(Serialize, Deserialize)]
        struct $name;
        impl Event for $name {
            const TYPE: &'static str = stringify!($name);
            const SOURCE: &'static str = "loyalty";
            fn customer_number(&self) -> &str {
                ""
            }
        }
    };
}
event!(Ordered);
event!(Shipped);

/// Returns a value as text with the longest environment, an account and a region filled in.
fn filled(value: &Value) -> Option<String> {
    let text = value.as_str().or_else(|| value["Fn::Sub"].as_str())?;
    let filled = text
        .replace("${Environment}", &"e".repeat(12))
        .replace("${AWS::AccountId}", "123456789012")
        .replace("${AWS::Region}", "ap-southeast-3")
        .replace("${AWS::Partition}", "aws-us-gov");
    Some(filled)
}

fn held_by(deployment: &Deployment) {
    let broken: Vec<_> = rules()
        .flat_map(|rule| {
            let findings = (rule.broken)(deployment);
            findings.into_iter().map(move |finding| format!("{}: {finding}\n  ({})", rule.name, rule.source))
        })
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn what_is_deployed_follows_the_rules() {
    held_by(&Deployment::committed());
}

#[test]
fn forty_services_follow_the_rules() {
    let deployment = Deployment::of_forty_services();
    assert!(deployment.templates.len() > 40);
    held_by(&deployment);
}

#[test]
fn each_rule_finds_what_breaks_it() {
    for rule in rules() {
        let deployment = Deployment::new([("services/wrong.yaml".to_owned(), (rule.example)())]);
        assert_eq!((rule.broken)(&deployment).len(), 1, "{}", rule.name);
        assert!(rule.source.starts_with("https://"), "{}", rule.name);
    }
}
