//! A service made by `foostore new service`, as it is written: it builds, its rendering is fresh, its event passes through
//! the layer, and its effect happens once.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::architecture::root;
use crate::faults::depth;
use crate::world::{World, until};

const NAME: &str = "tally";
const CUSTOMER: &str = "480000000001";
const RENAMES: usize = 20;

/// A copy of the workspace, with what was built of it so far.
struct Copy(TempDir);

impl Copy {
    /// Copies the workspace into its own target directory, and with it the compiled libraries, as links: what the new
    /// service does not change is not compiled again.
    fn of_the_workspace() -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        copy(root(), directory.path(), &|name| !["target", ".git"].contains(&name));
        let built = Path::new(env!("CARGO_BIN_EXE_foostore")).parent().unwrap();
        let target = directory.path().join("target/debug");
        for folder in [".fingerprint", "build"] {
            copy(&built.join(folder), &target.join(folder), &|_| true);
        }
        link_libraries(&built.join("deps"), &target.join("deps"));
        Self(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn foostore(&self, program: &Path, arguments: &[&str]) -> Output {
        Command::new(program).args(arguments).current_dir(self.path()).output().unwrap()
    }

    /// Builds the command line, and with it the service. As a test does: cargo selects the features of dependencies by all
    /// packages and targets of a command, and those of another selection would have to be compiled.
    fn build(&self) -> PathBuf {
        let output = Command::new(env!("CARGO"))
            .args(["test", "--workspace", "--offline", "--no-run", "--test", "up"])
            .current_dir(self.path())
            .env("CARGO_TARGET_DIR", self.path().join("target"))
            .output()
            .unwrap();
        succeeded(&output);
        self.path().join("target/debug/foostore")
    }
}

/// Copies the files below a folder with their times, by which cargo knows what it has built.
fn copy(from: &Path, to: &Path, wanted: &impl Fn(&str) -> bool) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (name, kind) = (entry.file_name(), entry.file_type().unwrap());
        let target = to.join(&name);
        if kind.is_dir() && wanted(name.to_str().unwrap()) {
            copy(&entry.path(), &target, wanted);
        } else if kind.is_file() {
            copy_file(&entry.path(), &target);
        }
    }
}

fn copy_file(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
    let modified = from.metadata().unwrap().modified().unwrap();
    std::fs::File::options().append(true).open(to).unwrap().set_modified(modified).unwrap();
}

/// Links compiled libraries. The compiler replaces such a file and never writes into it, so the original stays as it is;
/// the lists of sources beside them are written into, and copied.
fn link_libraries(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rlib" | "rmeta" | "so") => std::fs::hard_link(&path, &target).unwrap(),
            Some("d") => copy_file(&path, &target),
            _ => {}
        }
    }
}

fn succeeded(output: &Output) {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
}

fn event(kind: &str, data: &Value) -> Value {
    json!({"type": kind, "customer_number": CUSTOMER, "event_id": Uuid::new_v4(), "data": data})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_service_builds_renders_runs_and_counts_each_event_once() {
    let copy = Copy::of_the_workspace();
    let made = ["new", "service", NAME, "--consumes", "MemberRenamed", "--table", "--emits", "TallyChanged"];
    let before = Path::new(env!("CARGO_BIN_EXE_foostore"));
    let output = copy.foostore(before, &made);
    succeeded(&output);
    let left = String::from_utf8_lossy(&output.stdout);
    assert!(left.contains("services/tally/src/handler.rs") && left.contains("cargo run -- synth"), "{left}");
    let again = copy.foostore(before, &made);
    assert!(!again.status.success(), "a second run must not overwrite what was written since");

    let foostore = copy.build();
    assert!(
        !copy.foostore(&foostore, &["synth", "--check"]).status.success(),
        "the new service is not rendered"
    );
    succeeded(&copy.foostore(&foostore, &["synth"]));
    succeeded(&copy.foostore(&foostore, &["synth", "--check"]));
    assert!(copy.path().join("deploy/services/tally.yaml").is_file());

    let world = World::start_program(&foostore, &[], &[]).await;
    // Lost answers of the service's transactions, one for each attempt of the SDK, and a few more.
    let fault = json!({"service": "dynamodb", "operation": "TransactWriteItems", "caller": NAME,
                       "error": "drop-response", "times": 5});
    world.fault(&fault).await;
    let name = json!({"given": "Ada", "family": "Lovelace"});
    let enrolment = json!({"name": name, "email": "ada@mail.example", "channels": []});
    world.send(&event("CustomerEnrolled", &enrolment), &[]).await;
    let renames: Vec<_> = (0..RENAMES)
        .map(|number| {
            event("CustomerRenamed", &json!({"name": {"given": format!("Ada {number}"), "family": "King"}}))
        })
        .collect();
    for (before, rename) in renames.iter().enumerate() {
        // One after the other: a rename that is overtaken is stale, and not announced.
        until("the one before to be announced", || async {
            (outbox(&world, "members").await > before).then_some(())
        })
        .await;
        world.send(rename, &[]).await;
    }
    world.kill(NAME).await;
    let (status, answer) = world.post(&json!(renames), &[]).await;
    assert_eq!(status, 202, "{answer}");
    world.kill(NAME).await;

    until("every rename to be counted", || async { (counted(&world).await >= RENAMES).then_some(()) }).await;
    until("empty queues", || async { (depth(&world, false).await == 0).then_some(()) }).await;
    assert_eq!(counted(&world).await, RENAMES);
    assert_eq!(outbox(&world, NAME).await, RENAMES, "announcements");
    assert_eq!(depth(&world, true).await, 0, "messages on dead-letter queues");
    world.stop().await;
}

/// How many events the service has counted for the customer.
async fn counted(world: &World) -> usize {
    let key = AttributeValue::S(format!("CUSTOMER#{CUSTOMER}"));
    let get = world.dynamodb().get_item().table_name(format!("foostore-local-{NAME}")).key("pk", key);
    let item = get.consistent_read(true).send().await.unwrap().item;
    item.map_or(0, |item| item["events"].as_n().unwrap().parse().unwrap())
}

/// How many announcements the table has.
async fn outbox(world: &World, table: &str) -> usize {
    let scan = world.dynamodb().scan().table_name(format!("foostore-local-{table}")).consistent_read(true);
    let items = scan.send().await.unwrap().items.unwrap_or_default();
    items.iter().filter(|item| item.contains_key("event_type")).count()
}
