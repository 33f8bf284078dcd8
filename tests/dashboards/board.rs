//! The dashboards and data sources as they are provisioned.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::architecture::root;

pub(super) const PROMETHEUS: &str = "prometheus";
pub(super) const TEMPO: &str = "tempo";
pub(super) const X_RAY: &str = "grafana-x-ray-datasource";

/// A dashboard.
pub(super) struct Board {
    /// Its file's name.
    pub(super) file: String,
    pub(super) json: Value,
}

/// A query of a dashboard to a data source.
pub(super) struct Query {
    /// The dashboard's file and the panel's title.
    pub(super) place: String,
    pub(super) text: String,
}

impl Board {
    /// All of them, by file name.
    pub(super) fn all() -> Vec<Self> {
        let directory = root().join("deploy/grafana/dashboards");
        let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let read = |path: &std::path::PathBuf| Self {
            file: path.file_name().unwrap().to_str().unwrap().to_owned(),
            json: serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap(),
        };
        files.iter().map(read).collect()
    }

    /// Returns the panels that draw something, which are all but the headings of rows.
    pub(super) fn panels(&self) -> impl Iterator<Item = &Value> {
        self.json["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = &Value> {
        self.json["templating"]["list"].as_array().unwrap().iter()
    }

    /// Returns the panels' queries to data sources of this type.
    pub(super) fn queries(&self, data_source: &str) -> Vec<Query> {
        let mut queries = Vec::new();
        for panel in self.panels() {
            let place = format!("{}: {}", self.file, text(&panel["title"]));
            for target in panel["targets"].as_array().unwrap() {
                if target["datasource"]["type"] == data_source {
                    let field = if data_source == PROMETHEUS { "expr" } else { "query" };
                    queries.push(Query { place: place.clone(), text: text(&target[field]).to_owned() });
                }
            }
        }
        queries
    }
}

/// Returns the types of the provisioned data sources by uid, read line by line.
pub(super) fn data_sources() -> BTreeMap<String, String> {
    let provisioned = provisioned();
    let of_entries =
        |field: &'static str| provisioned.lines().filter_map(move |line| line.strip_prefix(field));
    let sources: BTreeMap<_, _> = of_entries("    uid: ")
        .zip(of_entries("    type: "))
        .map(|(uid, kind)| (uid.into(), kind.into()))
        .collect();
    assert_eq!(sources.len(), of_entries("  - name: ").count(), "each data source has a uid and a type");
    sources
}

/// Returns the targets of a span's links: queries to Prometheus about the span's service. Provisioning doubles `$`.
pub(super) fn queries_of_spans() -> Vec<Query> {
    let provisioned = provisioned();
    let queries = provisioned.lines().filter_map(|line| line.trim().strip_prefix("query: "));
    let query = |text: &str| Query { place: "data sources".to_owned(), text: text.replace("$$", "$") };
    queries.map(query).collect()
}

fn provisioned() -> String {
    fs::read_to_string(root().join("deploy/grafana/provisioning/datasources/foostore.yaml")).unwrap()
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}
