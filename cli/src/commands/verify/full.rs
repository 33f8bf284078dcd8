//! What `--full` creates beside the scratch stack: stacks with the layer's alarms, and with the data of a service.

use std::sync::Arc;

use aws_config::SdkConfig;
use cloudformation::ENVIRONMENT;
use envelope::{Event, events};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use topology::{Bucket, BucketAccess, Key, Resources, Service, Table, TableAccess, Topology, TopologyError};

use super::stack::Stack;

/// The service whose data is created, rolled back and created again.
const KEPT: &str = "kept";

/// Consumed and emitted by [`KEPT`], so that it has a rule, queues and a Pipe.
#[derive(Debug, Serialize, Deserialize)]
struct Kept;

impl Event for Kept {
    const TYPE: &'static str = "Kept";
    const SOURCE: &'static str = "foostore.verify";
    fn customer_number(&self) -> &'static str {
        // The event concerns no customer.
        ""
    }
}

#[derive(Debug)]
pub(super) struct Full {
    pub(super) environment: String,
    /// Every alarm of the layer.
    pub(super) alarms: Vec<Arc<Stack>>,
    /// The data of a service, with a resource that fails.
    pub(super) failing: Arc<Stack>,
    /// The same under the same names, without it.
    pub(super) again: Arc<Stack>,
    /// The services' own metrics that the layer's alarms read, each as a `MetricStat`.
    pub(super) metrics: Vec<Value>,
}

impl Full {
    /// # Errors
    /// When a template cannot be rendered.
    pub(super) fn new(config: &SdkConfig, name: &str, environment: &str) -> anyhow::Result<Self> {
        let layer = crate::layer::resources(contracts::APPLICATION, ENVIRONMENT)?;
        let kept = kept()?;
        let stack =
            |what: &str, template| Stack::new(config, &format!("{name}-{what}"), environment, template);
        let alarms = cloudformation::scratch_alarms(&layer)?.into_iter().enumerate();
        Ok(Self {
            environment: environment.to_owned(),
            alarms: alarms
                .map(|(number, template)| Arc::new(stack(&format!("alarms-{}", number + 1), template)))
                .collect(),
            failing: Arc::new(
                stack("rolled-back", cloudformation::scratch_data(&kept, KEPT, true)?).retaining(),
            ),
            again: Arc::new(stack("again", cloudformation::scratch_data(&kept, KEPT, false)?)),
            metrics: cloudformation::alarm_metrics(&layer, environment)?,
        })
    }

    /// Returns every stack.
    pub(super) fn stacks(&self) -> impl Iterator<Item = &Arc<Stack>> {
        self.alarms.iter().chain([&self.failing, &self.again])
    }

    /// Removes every stack that was begun.
    ///
    /// # Errors
    /// When something is left.
    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        let removals = futures_util::future::join_all(self.stacks().map(|stack| stack.remove())).await;
        let errors: Vec<_> =
            removals.into_iter().filter_map(Result::err).map(|error| format!("{error:#}")).collect();
        if errors.is_empty() { Ok(()) } else { Err(anyhow::anyhow!(errors.join("; "))) }
    }
}

/// Declares a service that keeps something of every kind that the layer's services keep.
fn kept() -> Result<Resources, TopologyError> {
    Topology::new(contracts::APPLICATION, ENVIRONMENT)
        .service(
            Service::new(KEPT)
                .consumes(events::<(Kept,)>())
                .owns(Table::new("kept-items").outbox().access([TableAccess::Get]))
                .emits::<(Kept,)>()
                .owns_bucket(Bucket::new(KEPT).access([BucketAccess::Put]))
                .encrypts_with(Key::new(KEPT))
                .secret("SECRET"),
        )
        .resources()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use aws_config::BehaviorVersion;

    use super::*;

    fn full() -> Full {
        let config = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        Full::new(&config, "foostore-verify-abcde", "verify-abcde").unwrap()
    }

    fn resources(template: &str) -> BTreeMap<String, Value> {
        let template: Value = serde_json::from_str(template).unwrap();
        serde_json::from_value(template["Resources"].clone()).unwrap()
    }

    /// Every `Ref`, `Fn::…` and `{{resolve:…}}` in a value.
    fn unresolved(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => object.iter().for_each(|(name, value)| {
                if name == "Ref" || name.starts_with("Fn::") {
                    found.insert(format!("{name} {value}"));
                }
                unresolved(value, found);
            }),
            Value::Array(list) => list.iter().for_each(|value| unresolved(value, found)),
            Value::String(text) if text.contains("{{") => drop(found.insert(text.clone())),
            _ => {}
        }
    }

    #[test]
    fn every_alarm_of_the_deployment_is_tried_without_its_actions() {
        let layer = crate::layer::resources(contracts::APPLICATION, ENVIRONMENT).unwrap();
        let templates = cloudformation::scratch_alarms(&layer).unwrap();
        let mut tried = BTreeMap::new();
        for template in &templates {
            assert!(template.len() <= 51_200, "a template in a call must not be longer");
            tried.extend(resources(template));
        }

        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
        let mut deployed = BTreeMap::new();
        for folder in ["", "data", "services"] {
            for entry in std::fs::read_dir(directory.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_none_or(|extension| extension != "yaml") {
                    continue;
                }
                let text = std::fs::read_to_string(path).unwrap();
                let document: Value = serde_saphyr::from_str(&text).unwrap();
                for (id, resource) in document["Resources"].as_object().unwrap() {
                    if ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"]
                        .contains(&resource["Type"].as_str().unwrap())
                    {
                        deployed.insert(id.clone(), resource["Properties"]["AlarmName"].clone());
                    }
                }
            }
        }
        assert!(deployed.len() > 30, "{deployed:?}");
        let names = tried.iter().map(|(id, alarm)| (id.clone(), alarm["Properties"]["AlarmName"].clone()));
        assert_eq!(names.collect::<BTreeMap<_, _>>(), deployed);

        let mut found = BTreeSet::new();
        for alarm in tried.values() {
            unresolved(alarm, &mut found);
            let text = alarm.to_string();
            assert!(!text.contains("Actions"), "{text}");
            assert!(
                alarm["Properties"]["Threshold"].as_str().is_some()
                    || alarm["Properties"]["Threshold"].is_number(),
                "{text}"
            );
        }
        // What is left is the environment, which is in the stacks' names and permissions too.
        assert!(
            found.iter().all(|one| one.starts_with("Fn::Sub ") && one.contains("${Environment}")),
            "{found:?}"
        );
        assert_eq!(full().alarms.len(), templates.len());
    }

    #[test]
    fn what_is_retained_fails_last_and_is_deleted_the_second_time() {
        let failing = resources(&cloudformation::scratch_data(&kept().unwrap(), KEPT, true).unwrap());
        let again = resources(&cloudformation::scratch_data(&kept().unwrap(), KEPT, false).unwrap());
        let waits = failing["Fails"]["DependsOn"].as_array().unwrap();
        assert_eq!(waits.len(), failing.len() - 2, "it waits for all others");
        let layer = crate::layer::resources(contracts::APPLICATION, ENVIRONMENT).unwrap();
        let retained = |resources: &BTreeMap<String, Value>| -> BTreeSet<String> {
            let retained = resources.values().filter(|one| one["DeletionPolicy"] == "RetainExceptOnCreate");
            retained.map(|one| one["Type"].as_str().unwrap().to_owned()).collect()
        };
        let mut layers = BTreeSet::new();
        for service in &layer.services {
            // Of the layer, the same code renders the stacks in deploy/.
            let rendered = cloudformation::render(&layer, "").unwrap();
            let document: Value =
                serde_saphyr::from_str(&rendered[&format!("data/{}.yaml", service.service)]).unwrap();
            layers.extend(retained(&serde_json::from_value(document["Resources"].clone()).unwrap()));
        }
        assert_eq!(retained(&failing), layers);
        assert_eq!(retained(&again), BTreeSet::new());
        for (id, resource) in &again {
            assert_eq!(resource["Properties"], failing[id]["Properties"], "{id}");
        }
    }

    #[test]
    fn the_metrics_are_those_of_this_environment() {
        let metrics = full().metrics;
        assert!(metrics.len() > 10, "{metrics:?}");
        for metric in &metrics {
            assert_eq!(metric["Metric"]["Namespace"], "foostore/verify-abcde");
            assert!(!metric.to_string().contains("${"), "{metric}");
        }
        assert!(metrics.iter().any(|metric| metric["Stat"] == "p99"));
    }
}
