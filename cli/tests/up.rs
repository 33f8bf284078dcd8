//! `foostore up` from the view of a person or a supervisor: the real binary, its processes, its exit.

#![cfg(feature = "local")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A generous limit for a loaded machine, never reached when all is well.
const LIMIT: Duration = Duration::from_secs(90);

/// Returns a command of `foostore` without the environment variables that change its behaviour.
fn foostore(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foostore"));
    command.args(arguments).stdin(Stdio::null());
    for name in
        ["AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "FOOSTORE_URL", "RUST_LOG", "SIGNATURE_SECRET"]
    {
        command.env_remove(name);
    }
    command
}

fn output(arguments: &[&str]) -> Output {
    foostore(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Waits until a condition is true.
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A running `foostore up --json`, killed if the test fails.
struct Up {
    child: Child,
    lines: Receiver<Value>,
    ready: Value,
    directory: TempDir,
}

impl Up {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let stderr = std::fs::File::create(directory.path().join("stderr")).unwrap();
        let any = "127.0.0.1:0";
        let mut child = foostore(&["up", "--json", "--no-traffic", "--ready-timeout-s", "80"])
            .args(["--cloud-address", any, "--otlp-address", any, "--ingest-address", any])
            .arg("--log-dir")
            .arg(directory.path().join("logs"))
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut up = Self { child, lines, ready: Value::Null, directory };
        up.ready = up.next_line();
        assert_eq!(up.ready["ready"], true);
        up
    }

    fn next_line(&self) -> Value {
        self.lines.recv_timeout(LIMIT).unwrap_or_else(|_| {
            let log = std::fs::read_to_string(self.directory.path().join("stderr")).unwrap_or_default();
            panic!("no line on standard output; the log:\n{log}")
        })
    }

    fn address(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }

    fn services(&self) -> Vec<(&str, Pid, SocketAddr)> {
        let services = self.ready["services"].as_object().unwrap();
        services
            .iter()
            .map(|(name, service)| {
                let pid = i32::try_from(service["pid"].as_i64().unwrap()).unwrap();
                let health = service["health"].as_str().unwrap().strip_prefix("http://").unwrap();
                (name.as_str(), Pid::from_raw(pid), health.parse().unwrap())
            })
            .collect()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        let child = &mut self.child;
        wait_until("the end of foostore up", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

fn send(up: &Up, arguments: &[&str], events: &Value) -> Output {
    let mut child =
        foostore(&["send", "--url", up.address("ingest"), "--endpoint-url", up.address("endpoint")])
            .args(arguments)
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    child.stdin.take().unwrap().write_all(events.to_string().as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Counts the packages under `services/` that are services, which are all except `contracts`.
fn packages_of_services() -> usize {
    let services = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../services");
    let programs = std::fs::read_dir(services).unwrap().map(|entry| entry.unwrap().path());
    programs.filter(|package| package.join("src/main.rs").is_file()).count()
}

fn enrolment(customer_number: &str) -> Value {
    json!({"type": "CustomerEnrolled", "customer_number": customer_number, "data": {
        "name": {"given": "Ada", "family": "Test"}, "email": "ada@example.com", "channels": ["email"]}})
}

#[test]
fn an_event_is_followed_to_its_mail_and_the_run_ends_without_a_trace_of_itself() {
    let mut up = Up::start();
    let endpoint = up.address("endpoint").to_owned();

    let sent = stdout(&send(&up, &[], &enrolment("300000000001")));
    let (event_id, trace_id) = sent.trim().split_once(' ').unwrap();

    let by_trace =
        stdout(&output(&["trace", "--json", "--wait", "60", "--endpoint-url", &endpoint, trace_id]));
    let trace: Value = serde_json::from_str(&by_trace).unwrap();
    assert_eq!(trace["problems"], json!([]), "{trace:#}");
    let segments = trace["segments"].as_array().unwrap();
    assert_eq!(segments.iter().filter(|segment| segment["parent_id"].is_null()).count(), 1);

    let by_event = stdout(&output(&["trace", "--endpoint-url", &endpoint, event_id]));
    assert!(by_event.starts_with(&format!("trace {trace_id}")), "{by_event}");
    assert!(by_event.contains("DynamoDB"), "{by_event}");
    assert!(!by_event.contains('\u{1b}'), "colour in a pipe: {by_event}");

    let mails: Value =
        serde_json::from_str(&stdout(&output(&["mail", "--json", "--endpoint-url", &endpoint]))).unwrap();
    assert_eq!(mails.as_array().unwrap().len(), 1, "{mails:#}");
    assert_eq!(mails[0]["to"], json!(["ada@example.com"]));

    let log_dir = up.address("log_dir").to_owned();
    let lines = stdout(&output(&["logs", "--json", "--log-dir", &log_dir, event_id]));
    let services: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["service"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(services.first().map(String::as_str), Some("ingest"), "{lines}");
    assert!(services.iter().any(|service| service == "email"), "{lines}");
    // Every service that handled the event is in its trace.
    for service in &services {
        let found = segments.iter().any(|s| s["name"] == **service && s["type"] != "subsegment");
        assert!(found, "no segment of {service} in {trace:#}");
    }
    assert!(!lines.contains("Ada") && !lines.contains("ada@example.com"), "{lines}");

    // One of two is refused: the other one is sent, and the exit code reports the refusal.
    let mixed = send(&up, &[], &json!([enrolment("300000000002"), {"type": "Nonsense"}]));
    assert_eq!(mixed.status.code(), Some(1), "{mixed:?}");
    assert_eq!(String::from_utf8(mixed.stdout).unwrap().lines().count(), 1);
    assert!(String::from_utf8(mixed.stderr).unwrap().contains("event 2: 4"));

    let services: Vec<Pid> = up.services().into_iter().map(|(_, pid, _)| pid).collect();
    assert_eq!(services.len(), packages_of_services());
    up.signal(Signal::SIGTERM);
    assert_eq!(up.ended().code(), Some(0));
    for pid in services {
        assert_eq!(kill(pid, None), Err(Errno::ESRCH), "process {pid} is left");
    }
}

#[test]
fn a_killed_service_is_restarted_and_a_killed_run_takes_its_services_along() {
    let mut up = Up::start();
    let services = up.services();
    let (_, membership, health) = *services.iter().find(|(name, ..)| *name == "membership").unwrap();
    kill(membership, Signal::SIGKILL).unwrap();

    let line = up.next_line();
    let restarted = &line["restarted"];
    assert_eq!(restarted["service"], "membership", "{line}");
    assert_eq!(restarted["ended"], "signal SIGKILL", "{line}");
    assert_ne!(restarted["pid"].as_i64(), Some(i64::from(membership.as_raw())));
    assert_eq!(restarted["health"], format!("http://{health}"));

    // Ingest accepts the event while a consumer is restarting, and the event goes all the way.
    let sent = stdout(&send(&up, &[], &enrolment("300000000003")));
    let trace_id = sent.trim().split_once(' ').unwrap().1.to_owned();
    let endpoint = up.address("endpoint").to_owned();
    let trace = stdout(&output(&["trace", "--wait", "60", "--endpoint-url", &endpoint, &trace_id]));
    assert!(trace.contains("SES"), "{trace}");

    // SIGKILL cannot be handled, but the services notice that their standard input is closed.
    let addresses: Vec<SocketAddr> = up.services().into_iter().map(|(_, _, health)| health).collect();
    up.signal(Signal::SIGKILL);
    assert!(!up.ended().success());
    for address in addresses {
        wait_until("the end of a service whose parent was killed", || TcpStream::connect(address).is_err());
    }
}

#[test]
fn a_taken_address_is_named_with_the_option_that_changes_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    for (option, what) in
        [("--ingest-address", "ingest"), ("--cloud-address", "the local cloud"), ("--otlp-address", "OTLP")]
    {
        let mut arguments = vec!["up", "--json"];
        for other in ["--ingest-address", "--cloud-address", "--otlp-address"] {
            arguments.extend([other, if other == option { address.as_str() } else { "127.0.0.1:0" }]);
        }
        let refused = foostore(&arguments).current_dir(directory.path()).output().unwrap();
        assert_eq!(refused.status.code(), Some(64), "{refused:?}");
        assert_eq!(
            String::from_utf8(refused.stderr).unwrap().trim(),
            format!("error: address {address} for {what} is already in use; choose another with {option}")
        );
        assert!(refused.stdout.is_empty());
    }
}

#[test]
fn without_a_local_run_the_error_names_what_to_do() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}");
    let id = "1-5759e988-bd862e3fe1be46a994272793";
    for arguments in [
        vec!["trace", "--endpoint-url", &url, id],
        vec!["mail", "--endpoint-url", &url],
        vec!["logs", "--log-dir", "/nonexistent", id],
    ] {
        let failed = output(&arguments);
        assert_eq!(failed.status.code(), Some(69), "{failed:?}");
        let said = String::from_utf8(failed.stderr).unwrap();
        assert!(said.contains("foostore up"), "{said}");
    }
    let usage = output(&["trace", "rubbish"]);
    assert_eq!(usage.status.code(), Some(64), "{usage:?}");
}
