//! What the fake reads in a template.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

#[derive(Debug, Clone)]
pub(super) struct Template {
    pub(super) text: String,
    document: Arc<Value>,
}

impl Template {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), document: Arc::new(serde_saphyr::from_str(text).unwrap()) }
    }

    /// Returns the parameters with their defaults.
    pub(super) fn parameters(&self) -> BTreeMap<String, Option<String>> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let declared = self.document["Parameters"].as_object().unwrap();
        let one = |(name, parameter): (&String, &Value)| (name.clone(), parameter.get("Default").map(text));
        declared.iter().map(one).collect()
    }

    /// Returns the resources: logical id and type.
    pub(super) fn resources(&self) -> Vec<(String, String)> {
        let resources = self.document["Resources"].as_object().unwrap();
        resources.iter().map(|(id, one)| (id.clone(), one["Type"].as_str().unwrap().to_owned())).collect()
    }

    /// Returns the names of its repositories.
    pub(super) fn repositories(&self, environment: &str) -> Vec<String> {
        let resources = self.document["Resources"].as_object().unwrap().values();
        resources
            .filter(|resource| resource["Type"] == "AWS::ECR::Repository")
            .map(|resource| resource["Properties"]["RepositoryName"]["Fn::Sub"].as_str().unwrap())
            .map(|name| name.replace("${Environment}", environment))
            .collect()
    }
}
