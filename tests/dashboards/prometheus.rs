//! A Prometheus with the project's configuration that scrapes one collector. Debian's package is enough; on a machine
//! without Prometheus the test reports that it is skipped.

use std::io::{ErrorKind, Write as _};
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::architecture::root;
use crate::reserved::Reserved;
use crate::world::{say_all, until};

/// Settings that differ between compose and a test: the text in the configuration, and its replacement.
const REPLACED: [(&str, &str); 2] =
    [("scrape_interval: 5s", "scrape_interval: 500ms"), ("scrape_timeout: 4s", "scrape_timeout: 400ms")];
const TARGET: &str = "\"collector:9464\"";

pub(super) struct Prometheus {
    url: String,
    http: reqwest::Client,
    started: f64,
    // Kept for their lifetime.
    _process: Child,
    _directory: TempDir,
}

/// Whether Prometheus is installed.
pub(super) async fn is_installed() -> bool {
    let version = Command::new("prometheus").arg("--version").output().await;
    let missing = version.is_err_and(|error| error.kind() == ErrorKind::NotFound);
    if missing {
        // Written past the test runner, which hides the output of passing tests.
        let message = b"skipped: the dashboards' expressions need Prometheus, which is not there\n";
        std::io::stderr().write_all(message).unwrap();
    }
    !missing
}

impl Prometheus {
    /// Starts Prometheus and waits until it has scraped the collector at `target`, an address without a scheme.
    pub(super) async fn start(target: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut configuration =
            std::fs::read_to_string(root().join("deploy/prometheus/prometheus.yml")).unwrap();
        let target = format!("\"{target}\"");
        for (there, here) in REPLACED.into_iter().chain([(TARGET, target.as_str())]) {
            assert_eq!(configuration.matches(there).count(), 1, "{there}");
            configuration = configuration.replace(there, here);
        }
        let file = directory.path().join("prometheus.yml");
        std::fs::write(&file, configuration).unwrap();
        let address = Reserved::new();
        let mut process = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        say_all("prometheus: ", process.stderr.take().unwrap());
        let started = now();
        let url = format!("http://{address}");
        let prometheus =
            Self { url, http: reqwest::Client::new(), started, _process: process, _directory: directory };
        until("Prometheus to have scraped the collector", || async {
            let values = prometheus.try_values("up{job=\"collector\"} == 1").await?;
            (!values.is_empty()).then_some(())
        })
        .await;
        prometheus
    }

    /// Returns the values of an expression for every second since the start, over all series. Panics if it is invalid.
    pub(super) async fn values(&self, expression: &str) -> Vec<f64> {
        self.try_values(expression).await.unwrap_or_else(|| panic!("no answer to {expression}"))
    }

    async fn try_values(&self, expression: &str) -> Option<Vec<f64>> {
        let (start, end) = (self.started.to_string(), now().to_string());
        let parameters = [("query", expression), ("start", &start), ("end", &end), ("step", "1")];
        let answer = self.get("query_range", &parameters).await?;
        let series = answer["result"].as_array().unwrap();
        let points = series.iter().flat_map(|series| series["values"].as_array().unwrap());
        Some(points.map(|point| point[1].as_str().unwrap().parse().unwrap()).collect())
    }

    /// Returns the values of a label in the series that a selector matches.
    pub(super) async fn label_values(&self, selector: &str, label: &str) -> Vec<String> {
        let answer = self.get(&format!("label/{label}/values"), &[("match[]", selector)]).await;
        let values = answer.unwrap_or_else(|| panic!("no answer to {selector}"));
        values.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Option<Value> {
        let url =
            reqwest::Url::parse_with_params(&format!("{}/api/v1/{path}", self.url), parameters).unwrap();
        let answer = self.http.get(url).send().await.ok()?;
        let answer: Value = answer.json().await.ok()?;
        assert_eq!(answer["status"], "success", "{parameters:?}: {}", answer["error"]);
        Some(answer["data"].clone())
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}
