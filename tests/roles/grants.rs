//! The grants of the roles in the templates of deploy/, with the names of the local run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

/// A permission for one action on one resource.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    /// Logical id of the role.
    pub(super) role: String,
    /// Name of the policy in it.
    pub(super) policy: String,
    pub(super) action: String,
    /// The resource's ARN; a `*` at its end stands for anything.
    pub(super) resource: String,
    /// The permitted values of condition keys. Every condition here is `StringEquals`.
    pub(super) conditions: BTreeMap<String, BTreeSet<String>>,
}

impl Grant {
    /// Whether the grant allows an action on a resource under these condition keys.
    pub(super) fn allows(&self, action: &str, resource: &str, context: &Value) -> bool {
        let resource_fits = match self.resource.strip_suffix('*') {
            Some(beginning) => resource.starts_with(beginning),
            None => self.resource == resource,
        };
        let conditions_hold = || {
            self.conditions
                .iter()
                .all(|(key, values)| context[key].as_str().is_some_and(|value| values.contains(value)))
        };
        self.action == action && resource_fits && conditions_hold()
    }
}

/// Returns the grants of every role in `deploy/data/NAME.yaml` and `deploy/services/NAME.yaml`, by NAME.
pub(super) fn of_services() -> BTreeMap<String, Vec<Grant>> {
    let mut grants = BTreeMap::<_, Vec<Grant>>::new();
    for directory in ["data", "services"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(directory);
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let template = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap());
            let template = Template(template.unwrap_or_else(|error| panic!("{}: {error}", path.display())));
            grants.entry(name).or_default().extend(template.grants());
        }
    }
    grants
}

struct Template(Value);

impl Template {
    fn grants(&self) -> Vec<Grant> {
        let mut grants = Vec::new();
        for (role, resource) in self.0["Resources"].as_object().unwrap() {
            if resource["Type"] != "AWS::IAM::Role" {
                continue;
            }
            for policy in resource["Properties"]["Policies"].as_array().unwrap() {
                let name = policy["PolicyName"].as_str().unwrap();
                for statement in list(&policy["PolicyDocument"]["Statement"]) {
                    grants.extend(self.granted(role, name, statement));
                }
            }
        }
        grants
    }

    fn granted(&self, role: &str, policy: &str, statement: &Value) -> Vec<Grant> {
        assert_eq!(statement["Effect"], "Allow", "{role}/{policy}: {statement}");
        let conditions = self.conditions(&statement["Condition"]);
        let mut grants = Vec::new();
        for action in list(&statement["Action"]) {
            // What a condition adds is left out: none holds where parameters have their defaults.
            let added =
                |resource: &&Value| resource["Fn::If"][2] == serde_json::json!({"Ref": "AWS::NoValue"});
            for resource in list(&statement["Resource"]).filter(|resource| !added(resource)) {
                grants.push(Grant {
                    role: role.to_owned(),
                    policy: policy.to_owned(),
                    action: self.resolved(action),
                    resource: self.resolved(resource),
                    conditions: conditions.clone(),
                });
            }
        }
        grants
    }

    fn conditions(&self, condition: &Value) -> BTreeMap<String, BTreeSet<String>> {
        let operators = condition.as_object().into_iter().flatten();
        operators
            .flat_map(|(operator, keys)| {
                assert_eq!(operator, "StringEquals", "a condition that this test cannot judge");
                keys.as_object().unwrap()
            })
            .map(|(key, values)| (key.clone(), list(values).map(|value| self.resolved(value)).collect()))
            .collect()
    }

    /// Resolves a value as CloudFormation does. Unknown functions stay unresolved, and match no call.
    fn resolved(&self, value: &Value) -> String {
        if let Some(text) = value.as_str() {
            return text.to_owned();
        }
        let known = if let Some(name) = value["Ref"].as_str() {
            self.parameter(name)
        } else if let Some(text) = value["Fn::Sub"].as_str() {
            Some(self.substituted(text))
        } else {
            match (value["Fn::GetAtt"][0].as_str(), value["Fn::GetAtt"][1].as_str()) {
                (Some(id), Some("Arn")) => self.arn(id),
                _ => None,
            }
        };
        known.unwrap_or_else(|| value.to_string())
    }

    /// Resolves text for `Fn::Sub`. A key whose id a parameter has is named by its alias, as its service names it.
    fn substituted(&self, text: &str) -> String {
        let whole = self.filled(text);
        match whole.split_once(":key/{{resolve:ssm:/foostore/local/") {
            Some((beginning, rest)) => match rest.strip_suffix("/key-id}}") {
                Some(key) => format!("{beginning}:alias/foostore-local-{key}"),
                None => whole,
            },
            None => whole,
        }
    }

    fn filled(&self, text: &str) -> String {
        let mut parts = text.split("${");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap();
            let value = self.parameter(name).unwrap_or_else(|| format!("${{{name}}}"));
            whole.push_str(&value);
            whole.push_str(rest);
        }
        whole
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let value = match name {
            "AWS::Partition" => "aws",
            "AWS::Region" => "eu-central-1",
            "AWS::AccountId" => "000000000000",
            "Environment" => "local",
            // The local run verifies only the address, not its domain.
            "EmailSender" | "EmailIdentity" => "loyalty@foostore.example",
            other => self.0["Parameters"][other]["Default"].as_str()?,
        };
        Some(value.to_owned())
    }

    fn arn(&self, id: &str) -> Option<String> {
        let resource = &self.0["Resources"][id];
        let (beginning, name) = match resource["Type"].as_str()? {
            "AWS::SQS::Queue" => ("arn:aws:sqs:eu-central-1:000000000000:", "QueueName"),
            "AWS::DynamoDB::Table" => ("arn:aws:dynamodb:eu-central-1:000000000000:table/", "TableName"),
            "AWS::S3::Bucket" => ("arn:aws:s3:::", "BucketName"),
            _ => return None,
        };
        Some(format!("{beginning}{}", self.resolved(&resource["Properties"][name])))
    }
}

/// Returns the items of a list, or the single item that may replace it.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(all) => all.iter(),
        one => std::slice::from_ref(one).iter(),
    }
}
