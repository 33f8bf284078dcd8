//! X-Ray's sampling rules decide about traces that begin at ingest.

use std::path::PathBuf;
use std::time::Instant;

use aws_sdk_xray::types::{SamplingRule, SamplingRuleUpdate};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::collector::{self, Addresses, Collector};
use crate::documents::Documents;
use crate::reserved::Reserved;
use crate::world::{World, files_below, until};

const CUSTOMER: &str = "470000000001";
/// Requests in a row that a rule with a rate of 0 or 1 must decide alike: the fallback takes 5 % of them.
const MANY: usize = 20;
/// Requests among which the share that is recorded without rules is told from others.
const REQUESTS: usize = 400;
const XRAY: (&str, &str) = ("OTEL_TRACES_SAMPLER", "xray");
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

/// An event that a rule records.
fn renamed() -> Value {
    json!({
        "type": "CustomerRenamed", "customer_number": CUSTOMER,
        "data": {"name": {"given": "Ada", "family": "Byron"}}
    })
}

/// An event that only the rule about the path matches.
fn preferring() -> Value {
    json!({"type": "ContactPreferencesChanged", "customer_number": CUSTOMER, "data": {"locale": "de"}})
}

/// Posts an event. Returns its trace, and whether it is recorded.
async fn post(world: &World, event: &Value, header: Option<&str>) -> (String, bool) {
    let request = world.http.post(format!("{}/v1/events", world.ingest)).json(event);
    let request =
        header.into_iter().fold(request, |request, header| request.header("x-amzn-trace-id", header));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 202);
    let header = response.headers()["x-amzn-trace-id"].to_str().unwrap();
    let field = |name: &str| header.split(';').find_map(|field| field.strip_prefix(name)).unwrap().to_owned();
    (field("Root="), field("Sampled=") == "1")
}

/// Returns whether as many events as no chance explains are all recorded, or all not.
async fn all_are(recorded: bool, world: &World, event: &Value) -> bool {
    for _ in 0..MANY {
        if post(world, event, None).await.1 != recorded {
            return false;
        }
    }
    true
}

async fn until_all_are(recorded: bool, world: &World, event: &Value) {
    let what = format!("{} to be {}", event["type"], if recorded { "recorded" } else { "left out" });
    until(&what, || async { all_are(recorded, world, event).await.then_some(()) }).await;
}

fn rule(name: &str, priority: i32, rate: f64) -> aws_sdk_xray::types::builders::SamplingRuleBuilder {
    SamplingRule::builder()
        .rule_name(name)
        .priority(priority)
        .fixed_rate(rate)
        .reservoir_size(0)
        .service_name("ingest")
        .service_type("*")
        .host("*")
        .http_method("*")
        .url_path("*")
        .resource_arn("*")
        .version(1)
}

/// Creates a rule that records each event of one type, and another that records none of the path.
async fn create_rules(world: &World) {
    let by_event =
        rule("by-event", 1, 1.0).attributes("event_type", "Customer*").attributes("environment", "local");
    let by_path = rule("by-path", 2, 0.0).url_path("/v1/*").http_method("post").host("127.0.0.1");
    for rule in [by_event, by_path] {
        world.xray().create_sampling_rule().sampling_rule(rule.build().unwrap()).send().await.unwrap();
    }
}

/// Asserts that ingest obeys the rules, and those that replace them while it runs.
async fn obeys(world: &World) {
    create_rules(world).await;
    until_all_are(true, world, &renamed()).await;
    until_all_are(false, world, &preferring()).await;

    let (trace, _) = post(world, &renamed(), None).await;
    let named = until("the rule on the first segment", || async {
        let documents = Documents::get(world, &trace).await?;
        let segment = documents.segments().find(|segment| segment["name"] == "ingest")?;
        let rule = segment["metadata"]["default"]["aws.xray.sampling_rule"].clone();
        let followed = documents.segments().find(|segment| segment["name"] == "membership")?;
        let inherited = &followed["metadata"]["default"]["aws.xray.sampling_rule"];
        assert!(inherited.is_null(), "where the trace begins, and nowhere else: {inherited}");
        Some(rule)
    })
    .await;
    assert_eq!(named, "by-event");

    // A caller who has decided is obeyed.
    let decided = |sampled| format!("Root={trace};Parent=53995c3f42cd8ad8;Sampled={sampled}");
    assert!(!post(world, &renamed(), Some(&decided('0'))).await.1);
    assert!(post(world, &preferring(), Some(&decided('1'))).await.1);
    // One who has not leaves it to the rules.
    assert!(!post(world, &preferring(), Some(&decided('?'))).await.1);

    let update = SamplingRuleUpdate::builder().rule_name("by-path").fixed_rate(1.0).build();
    world.xray().update_sampling_rule().sampling_rule_update(update).send().await.unwrap();
    until_all_are(true, world, &preferring()).await;

    until("the statistics of both rules", || async {
        let answer = world.xray().get_sampling_statistic_summaries().send().await.unwrap();
        let reported = |name: &str| {
            let of_rule =
                answer.sampling_statistic_summaries().iter().filter(|one| one.rule_name() == Some(name));
            of_rule.fold((0, 0), |sum, one| (sum.0 + one.request_count(), sum.1 + one.sampled_count()))
        };
        let ((requests, sampled), (_, recorded)) = (reported("by-path"), reported("by-event"));
        (sampled > 0 && sampled < requests && recorded > 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_obeyed_and_so_are_those_that_replace_them() {
    let world = World::start_with(&[], &[XRAY, (ARGUMENT, "polling_interval=1")]).await;
    obeys(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_obeyed_through_the_collector() {
    let Some(program) = collector::program().await else { return };
    let addresses = Addresses::reserved();
    let argument = format!("polling_interval=1,endpoint={}", addresses.url("AWSPROXY_ADDRESS"));
    let options = ["--otlp-endpoint", &addresses.otlp()];
    let world = World::start_with(&options, &[XRAY, (ARGUMENT, &argument)]).await;
    let settings = [("XRAY_ENDPOINT", world.xray_endpoint.as_str()), ("METRICS_EXPORTER", "debug")];
    let collector = Collector::start(&program, &addresses, &settings).await;
    obeys(&world).await;
    world.stop().await;
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_x_ray_some_traces_are_recorded_and_a_service_says_so_once() {
    let unused = Reserved::new();
    let argument = format!("endpoint=http://{unused},polling_interval=1");
    let world = World::start_with(&[], &[XRAY, (ARGUMENT, &argument)]).await;
    create_rules(&world).await;
    let (mut recorded, began) = (0, Instant::now());
    for _ in 0..REQUESTS {
        let mut event = preferring();
        event["event_id"] = json!(Uuid::new_v4());
        recorded += usize::from(post(&world, &event, None).await.1);
    }
    // One a second and 5 % of the rest. 15 % is nine standard deviations above that.
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    assert!((1..=seconds + REQUESTS * 3 / 20).contains(&recorded), "{recorded} in {seconds} s");

    let services = world.services().len();
    let directory = world.stop_and_keep_logs().await;
    let logs = files_below(directory.path());
    for line in ["\"cannot fetch sampling rules\"", "\"no current sampling rules: "] {
        let said = |file: &PathBuf| std::fs::read_to_string(file).unwrap().matches(line).count();
        let said: Vec<_> = logs.iter().map(said).filter(|count| *count > 0).collect();
        assert_eq!(said, vec![1; services], "{line}");
    }
}
