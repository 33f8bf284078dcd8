//! As many consumers as the layer that this one replaces had functions: thirty more services beside its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use contracts::MemberEnrolled;
use envelope::events;
use tokio::process::{Child, Command};
use topology::{Service, Topology};

use crate::documents::Documents;
use crate::mails::enrolled;
use crate::world::{World, say, until};

const CONSUMERS: usize = 30;
/// The most memory that a consumer with one handler may take, in a build without optimisations.
const MOST_KIB: u64 = 48 * 1024;

fn names() -> Vec<&'static str> {
    (1..=CONSUMERS).map(|number| &*format!("watcher-{number:02}").leak()).collect()
}

/// Returns the example beside this program: `target/debug/deps/end_to_end-…` and `target/debug/examples/watcher`. A run of
/// all tests has built it; one of this test alone may not have.
async fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let program = own.parent().unwrap().parent().unwrap().join("examples/watcher");
    if !program.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "--package", "foostore", "--example", "watcher"]);
        assert!(build.status().await.unwrap().success());
    }
    program
}

fn start(program: &Path, world: &World, name: &str, resources: BTreeMap<String, String>) -> Child {
    Command::new(program)
        .arg(name)
        .env_clear()
        .envs(resources)
        .envs([
            ("ENVIRONMENT", "local"),
            ("LOG_FORMAT", "json"),
            ("HEALTH_ADDRESS", "127.0.0.1:0"),
            ("CONSUMER_WAIT_S", "1"),
            ("AWS_ENDPOINT_URL", &world.endpoint),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", name),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &world.otlp),
            ("OTEL_TRACES_SAMPLER", "parentbased_always_on"),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Returns a figure of `/proc/<pid>/status`.
fn status(child: &Child, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_reaches_thirty_more_services_leaves_one_trace() {
    let program = program().await;
    let world = World::start().await;
    let started = Instant::now();
    let topology = names().into_iter().fold(
        Topology::new("foostore", "local")
            .service(Service::new("membership").publishes_to_bus().emits::<(MemberEnrolled,)>()),
        |topology, name| topology.service(Service::new(name).consumes(events::<(MemberEnrolled,)>())),
    );
    let outputs = provisioning::provision(&topology.resources().unwrap(), &world.config).await.unwrap();
    let provisioned = started.elapsed();
    assert!(provisioned < Duration::from_secs(15), "provisioning took {provisioned:?}");

    let consumers: Vec<Child> =
        names().into_iter().map(|name| start(&program, &world, name, outputs.environment(name))).collect();
    let trace_id = world.send(&enrolled("500000000030", "Ada", "ada@mail.example"), &[]).await;
    let documents = until("every consumer's segment", || async {
        let documents = Documents::get(&world, &trace_id).await?;
        names().iter().all(|name| documents.has_segment(name)).then_some(documents)
    })
    .await;
    drop(documents);
    let documents = Documents::whole(&world, &trace_id, None).await;
    documents.assert_one_tree(None);
    let reached = started.elapsed();

    let drawn = Command::new(env!("CARGO_BIN_EXE_foostore"))
        .args(["trace", &trace_id, "--endpoint-url", &world.xray_endpoint])
        .output()
        .await
        .unwrap();
    let drawn = String::from_utf8(drawn.stdout).unwrap();
    for name in names() {
        assert_eq!(drawn.lines().filter(|line| line.contains(name)).count(), 1, "{name} in {drawn}");
    }

    let memory: Vec<u64> = consumers.iter().map(|consumer| status(consumer, "VmRSS")).collect();
    let threads: Vec<u64> = consumers.iter().map(|consumer| status(consumer, "Threads")).collect();
    say(&format!(
        "{CONSUMERS} consumers: provisioned in {provisioned:?}, reached by one event {reached:?} after the start; \
         each takes at most {} KiB and {} threads",
        memory.iter().max().unwrap(),
        threads.iter().max().unwrap()
    ));
    assert!(memory.iter().all(|kib| *kib < MOST_KIB), "{memory:?}");
    // Workers of the runtime, one a processor, and a few that telemetry and blocking calls need.
    let most = u64::try_from(std::thread::available_parallelism().unwrap().get()).unwrap() + 8;
    assert!(threads.iter().all(|count| *count <= most), "{threads:?}");
    world.stop().await;
}
