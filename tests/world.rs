//! A running layer: `foostore up` on ports assigned by the system, and clients to observe it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_xray::config::Credentials;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use service_runtime::Environment;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use crate::architecture::root;
use crate::foreign::{self, Foreign};

/// The limit for any condition to become true, generous enough for a busy machine with two cores.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct World {
    up: Child,
    pids: Arc<Mutex<BTreeMap<String, u32>>>,
    directory: TempDir,
    pub(crate) ingest: String,
    /// The endpoint at which the services call AWS.
    pub(crate) endpoint: String,
    /// The endpoint of X-Ray.
    pub(crate) xray_endpoint: String,
    /// The address at which the local cloud receives OTLP.
    pub(crate) otlp: String,
    /// The directory of this run's log files.
    pub(crate) log_dir: String,
    pub(crate) config: SdkConfig,
    pub(crate) http: reqwest::Client,
    foreign: Option<Foreign>,
    /// What `up` says of each service.
    services: Value,
}

impl World {
    /// Starts the layer without traffic and waits until it is ready.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[], &[]).await
    }

    /// Does the same with further options of `foostore up` and environment variables.
    pub(crate) async fn start_with(options: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_program(Path::new(env!("CARGO_BIN_EXE_foostore")), options, environment).await
    }

    /// Does the same with another program than the workspace's own command line.
    pub(crate) async fn start_program(
        program: &Path,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        Self::start_in(program, None, options, environment).await
    }

    /// Does the same in another working directory than that of its log files.
    pub(crate) async fn start_in(
        program: &Path,
        working_directory: Option<&Path>,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let own = Environment::from_process();
        let directory = directory(&own);
        let foreign = Foreign::of_the_run();
        let log_dir = (!options.contains(&"--log-dir")).then(|| directory.path().join("logs"));
        let mut up = Command::new(program)
            .args(["up", "--json", "--no-traffic"])
            .args(["--cloud-address", "127.0.0.1:0", "--otlp-address", "127.0.0.1:0"])
            .args(["--ingest-address", "127.0.0.1:0"])
            .args(log_dir.iter().flat_map(|path| [Path::new("--log-dir"), path]))
            .args(foreign.iter().flat_map(Foreign::options))
            .args(options)
            .current_dir(working_directory.unwrap_or(directory.path()))
            .env_remove("RUST_LOG")
            .env_remove("SIGNATURE_SECRET")
            .envs(own.get("FOOSTORE_TEST_LOG").map(|filter| ("RUST_LOG", filter)))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        say_all("", up.stderr.take().unwrap());
        let mut lines = BufReader::new(up.stdout.take().unwrap()).lines();
        let ready = tokio::time::timeout(PATIENCE, async {
            while let Some(line) = lines.next_line().await.unwrap() {
                let line: Value = serde_json::from_str(&line).expect("stdout carries only JSON lines");
                if line["ready"] == json!(true) {
                    return line;
                }
            }
            panic!("foostore up ended before it was ready")
        })
        .await
        .expect("foostore up was not ready in time");

        let pids: BTreeMap<String, u32> = ready["services"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, service)| (name.clone(), pid_in(service)))
            .collect();
        let services = ready["services"].clone();
        let pids = Arc::new(Mutex::new(pids));
        let known = Arc::clone(&pids);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let line: Value = serde_json::from_str(&line).unwrap_or_default();
                if let Some(name) = line["restarted"]["service"].as_str() {
                    known.lock().unwrap().insert(name.to_owned(), pid_in(&line["restarted"]));
                }
            }
        });

        let endpoint = ready["endpoint"].as_str().unwrap().to_owned();
        Self {
            up,
            pids,
            directory,
            ingest: ready["ingest"].as_str().unwrap().to_owned(),
            config: sdk_config(&endpoint),
            endpoint,
            xray_endpoint: ready["xray"].as_str().unwrap().to_owned(),
            otlp: ready["otlp"].as_str().unwrap().to_owned(),
            log_dir: ready["log_dir"].as_str().unwrap().to_owned(),
            http: reqwest::Client::new(),
            foreign,
            services,
        }
    }

    /// Returns the readiness of a service, and its answer, which names what is down.
    pub(crate) async fn readiness(&self, service: &str) -> (bool, String) {
        let address = self.services[service]["health"].as_str().unwrap();
        let answer = self.http.get(format!("{address}/health/ready")).send().await.unwrap();
        (answer.status().is_success(), answer.text().await.unwrap())
    }

    /// Returns where a service accepts requests.
    pub(crate) fn address(&self, service: &str) -> String {
        self.services[service]["listening"].as_str().unwrap().to_owned()
    }

    pub(crate) fn xray(&self) -> aws_sdk_xray::Client {
        aws_sdk_xray::Client::new(&sdk_config(&self.xray_endpoint))
    }

    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    /// Posts a body to ingest with additional headers; returns the status and the answer.
    pub(crate) async fn post(&self, body: &Value, headers: &[(&str, &str)]) -> (u16, Value) {
        let mut request = self.http.post(format!("{}/v1/events", self.ingest)).json(body);
        for (name, value) in headers {
            // As bytes, since a header with more than ASCII is no text to HTTP.
            request = request.header(*name, value.as_bytes());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }

    /// Posts one event. Returns `None` if ingest did not accept it.
    pub(crate) async fn try_post(&self, event: &Value) -> Option<()> {
        let request = self.http.post(format!("{}/v1/events", self.ingest)).json(event);
        let response = request.send().await.ok()?;
        (response.status() == 202).then_some(())
    }

    /// Posts one event and returns its trace id.
    pub(crate) async fn send(&self, event: &Value, headers: &[(&str, &str)]) -> String {
        let (status, answer) = self.post(event, headers).await;
        assert_eq!(status, 202, "{answer}");
        answer["trace_id"].as_str().unwrap().to_owned()
    }

    /// Returns every mail that SES has accepted.
    pub(crate) async fn mails(&self) -> Vec<Value> {
        let path = if self.foreign.is_some() { foreign::MAIL } else { "/_local/mail" };
        let answer = self.http.get(format!("{}{path}", self.endpoint)).send().await.unwrap();
        let mails: Value = answer.json().await.unwrap();
        if self.foreign.is_some() { foreign::mails(&mails) } else { mails.as_array().unwrap().clone() }
    }

    /// Whether the run is on a foreign emulator, which cannot show `assertion` because of `why`. Records the assertion as
    /// left out in that case.
    pub(crate) fn leaves_out(&self, assertion: &str, why: &str) -> bool {
        self.foreign.as_ref().inspect(|foreign| foreign.left_out(assertion, why)).is_some()
    }

    /// Injects a fault into calls to the local cloud.
    pub(crate) async fn fault(&self, fault: &Value) {
        let url = format!("{}/_local/faults", self.endpoint);
        let status = self.http.post(url).json(fault).send().await.unwrap().status();
        assert!(status.is_success(), "{status}: {fault}");
    }

    /// Returns the injected faults with their counters.
    pub(crate) async fn faults(&self) -> Vec<Value> {
        let url = format!("{}/_local/faults", self.endpoint);
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// Removes all injected faults.
    pub(crate) async fn clear_faults(&self) {
        let url = format!("{}/_local/faults", self.endpoint);
        let status = self.http.delete(url).send().await.unwrap().status();
        assert!(status.is_success(), "{status}");
    }

    /// Returns the URL of the queue with this logical name.
    pub(crate) async fn queue_url(&self, name: &str) -> String {
        let queue = format!("foostore-local-{name}");
        self.sqs().get_queue_url().queue_name(queue).send().await.unwrap().queue_url.unwrap()
    }

    /// Returns the names of the services, in alphabetical order.
    pub(crate) fn services(&self) -> Vec<String> {
        self.pids.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn pid(&self, service: &str) -> u32 {
        self.pids.lock().unwrap()[service]
    }

    /// Kills a service with SIGKILL, and waits until another process has taken its place.
    pub(crate) async fn kill(&self, service: &str) {
        let pid = self.pid(service);
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
        until(&format!("{service} to be restarted"), || async { (self.pid(service) != pid).then_some(()) })
            .await;
    }

    /// Returns the log files of the services.
    pub(crate) fn log_files(&self) -> Vec<PathBuf> {
        let mut files = files_below(&self.directory.path().join("logs"));
        files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
        files
    }

    /// Stops the layer as an operator would, and asserts that it exits with success.
    pub(crate) async fn stop(self) {
        drop(self.stop_and_keep_logs().await);
    }

    /// Does the same and returns the directory, with which the log files are deleted.
    pub(crate) async fn stop_and_keep_logs(mut self) -> TempDir {
        let pid = i32::try_from(self.up.id().unwrap()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        let status = tokio::time::timeout(PATIENCE, self.up.wait()).await.expect("up did not drain").unwrap();
        assert_eq!(status.code(), Some(0));
        for (service, pid) in self.pids.lock().unwrap().iter() {
            let alive = kill(Pid::from_raw(i32::try_from(*pid).unwrap()), None).is_ok();
            assert!(!alive, "{service} outlived foostore up");
        }
        self.directory
    }
}

/// Where a run keeps its files: a temporary directory, or one that stays below `FOOSTORE_TEST_DIRECTORY`.
fn directory(own: &Environment) -> TempDir {
    let Some(parent) = own.get("FOOSTORE_TEST_DIRECTORY") else { return tempfile::tempdir().unwrap() };
    // cargo runs the tests in the package's folder; a person names a path below the repository's.
    let parent = root().join(parent);
    std::fs::create_dir_all(&parent).unwrap();
    let kept = tempfile::Builder::new().prefix("run-").disable_cleanup(true).tempdir_in(parent).unwrap();
    say(&format!("log files stay in {}", kept.path().join("logs").display()));
    kept
}

/// Returns the configuration for a test's SDK clients: without spans, and without retries that would hide a fault.
pub(crate) fn sdk_config(endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(endpoint)
        .credentials_provider(aws_sdk_xray::config::SharedCredentialsProvider::new(Credentials::new(
            "local", "local", None, None, "test",
        )))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

/// Polls until there is an answer.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Prints a line that the test runner shows if the test fails.
#[expect(clippy::print_stdout, reason = "the test runner captures it")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints every line that a program writes to its standard error, with a prefix.
pub(crate) fn say_all(prefix: &'static str, stderr: ChildStderr) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            say(&format!("{prefix}{line}"));
        }
    });
}

fn pid_in(service: &Value) -> u32 {
    u32::try_from(service["pid"].as_u64().unwrap()).unwrap()
}

pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}
