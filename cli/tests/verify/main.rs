//! `foostore verify` against the local cloud, where everything that is assumed of AWS holds by construction, and against a
//! scripted AWS.

#![cfg(feature = "local")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fake;
mod full;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// A generous limit for a loaded machine, never reached when all is well.
const LIMIT: Duration = Duration::from_mins(2);

/// Returns a command of `foostore` without the environment variables that change its behaviour.
fn foostore(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foostore"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

/// A running `foostore cloud`, killed on drop.
struct Cloud {
    child: Child,
    endpoint: String,
}

impl Cloud {
    fn start() -> Self {
        let any = "127.0.0.1:0";
        let mut child = foostore(&["cloud", "--json", "--address", any, "--otlp-address", any])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        Self { child, endpoint: ready["endpoint"].as_str().unwrap().to_owned() }
    }

    fn verify(&self) -> Command {
        foostore(&["verify", "--endpoint-url", &self.endpoint, "--without-stack", "--json", "--wait", "60"])
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Value {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut request = reqwest::Client::new().post(format!("{}{path}", self.endpoint)).json(body);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = request.send().await.unwrap().error_for_status().unwrap();
            answer.json().await.unwrap()
        })
    }

    /// Injects a fault into all further calls.
    fn fault(&self, service: &str, operation: &str, error: &str) {
        let fault = json!({"service": service, "operation": operation, "error": error});
        self.post("/_local/faults", &[], &fault);
    }

    /// Returns the URLs of the existing queues.
    fn queues(&self) -> Vec<Value> {
        let answer = self.post("/", &[("x-amz-target", "AmazonSQS.ListQueues")], &json!({}));
        answer["QueueUrls"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Returns the verdict and the observation of each check.
fn findings(stdout: &str) -> BTreeMap<String, (String, String)> {
    let document: Value = serde_json::from_str(stdout).unwrap_or_else(|_| panic!("not JSON: {stdout}"));
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let findings = document["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| (text(finding, "name"), (text(finding, "verdict"), text(finding, "seen"))))
        .collect()
}

#[test]
fn every_assumption_holds_and_nothing_is_left() {
    let cloud = Cloud::start();
    let output = cloud.verify().arg("--yes").output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stdout}\n{stderr}");
    let findings = findings(&stdout);
    let names: Vec<_> = findings.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "bus-invalid-header",
            "bus-root",
            "direct-requests",
            "mail-bounce",
            "pipe-data-string",
            "pipe-event",
            "pipe-header",
            "queue-header",
            "queue-requests",
            "redrive-move-task",
            "redrive-receive-count",
            "topic-batch-header",
            "trace-annotation",
            "trace-destination",
            "trace-ended",
        ]
    );
    assert!(findings.values().all(|(verdict, _)| verdict == "holds"), "{findings:#?}");
    assert_eq!(findings["pipe-data-string"].1, "data is a string that holds JSON");
    assert!(findings["bus-root"].1.starts_with("same Root"), "{findings:#?}");
    assert!(findings["redrive-move-task"].1.ends_with("message attribute kept"), "{findings:#?}");
    // Printed before anything was created.
    assert!(
        stderr.starts_with("account 000000000000, region eu-central-1, at http://127.0.0.1:"),
        "{stderr}"
    );
    assert_eq!(cloud.queues(), [] as [Value; 0]);
}

#[test]
fn an_inconclusive_check_reports_why_and_nothing_is_left() {
    let cloud = Cloud::start();
    cloud.fault("events", "PutEvents", "500");
    let output = cloud.verify().arg("--yes").output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    let findings = findings(&String::from_utf8(output.stdout).unwrap());
    for (name, (verdict, seen)) in &findings {
        // The checks that put events on the bus.
        if name.starts_with("bus-") || name == "direct-requests" {
            assert_eq!(verdict, "inconclusive", "{name}: {seen}");
            assert!(seen.starts_with("PutEvents failed: "), "{name}: {seen}");
        } else {
            assert_eq!(verdict, "holds", "{name}: {seen}");
        }
    }
    assert!(String::from_utf8(output.stderr).unwrap().contains("3 of 15 assumptions are inconclusive"));
    assert_eq!(cloud.queues(), [] as [Value; 0]);
}

/// A run whose checks wait for an answer that never arrives.
struct Waiting {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Waiting {
    fn start(cloud: &Cloud) -> Self {
        cloud.fault("sqs", "ReceiveMessage", "timeout");
        let mut verify = cloud.verify();
        verify.arg("--yes");
        Self::of(verify)
    }

    fn of(mut verify: Command) -> Self {
        let mut child = verify.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut waiting = Self { child, stderr };
        waiting.until("; checking");
        waiting
    }

    /// Reads on until a line with `text`.
    fn until(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "it ended without printing {text:?}");
        }
    }

    fn interrupt(&self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGINT).unwrap();
    }

    fn ended(&mut self, mut meanwhile: impl FnMut(&Self)) -> ExitStatus {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "foostore verify does not end");
            meanwhile(self);
            // Signals closer together count as one.
            thread::sleep(Duration::from_millis(300));
        }
    }

    fn rest(&mut self) -> (String, String) {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.stderr.read_to_string(&mut stderr).unwrap();
        (stdout, stderr)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn ctrl_c_removes_everything_and_reports_the_findings() {
    let cloud = Cloud::start();
    let mut run = Waiting::start(&cloud);
    assert!(!cloud.queues().is_empty());
    run.interrupt();
    assert_eq!(run.ended(|_| {}).code(), Some(69));
    let (stdout, stderr) = run.rest();
    let findings = findings(&stdout);
    assert_eq!(findings.len(), 15);
    assert_eq!(findings["pipe-event"], ("inconclusive".into(), "interrupted".into()));
    assert!(stderr.contains("\nremoved after "), "{stderr}");
    assert_eq!(cloud.queues(), [] as [Value; 0]);
}

#[test]
fn a_second_ctrl_c_stops_at_once_and_reports_what_is_left() {
    let cloud = Cloud::start();
    cloud.fault("sqs", "DeleteQueue", "timeout");
    let mut run = Waiting::start(&cloud);
    run.interrupt();
    run.until("removing resources foostore-verify-");
    assert_eq!(run.ended(Waiting::interrupt).code(), Some(70));
    let (stdout, stderr) = run.rest();
    assert!(stdout.is_empty(), "{stdout}");
    assert!(stderr.contains("stopped at once. Remove what is left by: deleting the bus"), "{stderr}");
    assert!(stderr.contains(&format!("--endpoint-url {}", cloud.endpoint)), "{stderr}");
}

#[test]
fn nothing_is_created_without_consent() {
    let cloud = Cloud::start();
    let output = cloud.verify().output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("add --yes"));
    assert_eq!(cloud.queues(), [] as [Value; 0]);
}

#[test]
fn an_endpoint_that_does_not_answer_is_named() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}");
    let output = foostore(&["verify", "--endpoint-url", &url, "--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with(&format!("error: {url} cannot be reached: ")), "{stderr}");
    // A target is required: AWS is never the default of a command that creates resources.
    assert_eq!(foostore(&["verify", "--yes"]).output().unwrap().status.code(), Some(64));
    let elsewhere = foostore(&["verify", "--aws", "--yes"]).env("AWS_ENDPOINT_URL", &url).output().unwrap();
    assert_eq!(elsewhere.status.code(), Some(64), "{elsewhere:?}");
}
