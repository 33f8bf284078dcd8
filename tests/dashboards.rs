//! The Grafana dashboards: their files are valid, and a real Prometheus that scrapes the real collector of a working
//! layer, or the local X-Ray, answers each of their queries.
//!
//! Grafana and Tempo do not run here, so neither the look of the panels nor the queries to Tempo are tested.

mod board;
mod prometheus;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_xray::primitives::DateTime;
use serde_json::{Value, json};

use self::board::{Board, PROMETHEUS, Query, TEMPO, X_RAY, data_sources, queries_of_spans, text};
use self::prometheus::Prometheus;
use crate::collector::{Addresses, Collector, program};
use crate::world::{World, until};

/// The values of Grafana's built-in variables, for a scrape interval of half a second.
const INTERVALS: [(&str, &str); 2] = [("$__rate_interval", "10s"), ("$__range", "2m")];

/// Settings of the services: what the dashboards show is there soon, and visibility is extended within the timeout of a
/// call that gets no answer.
const SOON: [(&str, &str); 2] =
    [("OTEL_METRIC_EXPORT_INTERVAL", "300"), ("CONSUMER_VISIBILITY_TIMEOUT_S", "4")];

#[test]
fn every_dashboard_is_whole() {
    let sources = data_sources();
    let boards = Board::all();
    assert_eq!(boards.len(), 3);
    let uids: BTreeSet<_> = boards.iter().map(|board| text(&board.json["uid"])).collect();
    assert_eq!(uids.len(), boards.len(), "each dashboard has a unique uid: {uids:?}");
    let is_provisioned = |reference: &Value| {
        sources.get(text(&reference["uid"])).is_some_and(|kind| reference["type"] == **kind)
    };
    for board in &boards {
        let file = &board.file;
        assert!(
            !text(&board.json["title"]).is_empty() && !text(&board.json["description"]).is_empty(),
            "{file}"
        );
        let all = board.json["panels"].as_array().unwrap();
        let ids: BTreeSet<_> = all.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), all.len(), "{file}: each panel has a unique id");
        for panel in board.panels() {
            let place = format!("{file}: {}", panel["title"]);
            assert!(panel["title"].as_str().is_some_and(|title| !title.is_empty()), "{place}");
            assert!(panel["description"].as_str().is_some_and(|text| text.len() > 20), "{place}");
            assert!(is_provisioned(&panel["datasource"]), "{place}");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{place}");
            for target in targets {
                assert_eq!(target["datasource"], panel["datasource"], "{place}");
            }
            if panel["datasource"]["type"] == PROMETHEUS {
                assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{place}");
                assert!(panel["fieldConfig"]["defaults"]["thresholds"]["steps"].is_array(), "{place}");
            }
        }
        for variable in board.variables() {
            assert!(!text(&variable["description"]).is_empty(), "{file}: {}", variable["name"]);
            assert!(variable["type"] == "textbox" || is_provisioned(&variable["datasource"]), "{file}");
        }
        assert_no_overlap(file, all);
    }
}

/// Panels do not overlap and stay within the 24 columns.
fn assert_no_overlap(file: &str, panels: &[Value]) {
    let mut taken = BTreeMap::new();
    for panel in panels {
        let place = |field: &str| panel["gridPos"][field].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{file}: {}", panel["title"]);
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                let other = taken.insert((x, y), &panel["title"]);
                assert_eq!(other, None, "{file}: {} overlaps", panel["title"]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_question_of_the_dashboards_has_an_answer() {
    if !prometheus::is_installed().await {
        return;
    }
    let Some(program) = program().await else { return };
    let addresses = Addresses::reserved();
    // Traces go to the local X-Ray directly: another test covers the collector's conversion.
    let settings = [("METRICS_EXPORTER", "prometheus"), ("XRAY_ENDPOINT", "http://127.0.0.1:9")];
    let collector = Collector::start(&program, &addresses, &settings).await;
    let prometheus = Prometheus::start(&addresses.host_and_port("PROMETHEUS_ADDRESS")).await;
    let metrics = format!("{}/v1/metrics", addresses.otlp());
    let world = World::start_with(&["--metrics-endpoint", &metrics], &SOON).await;
    assert_no_service_is_named(&world);

    tokio::select! {
        () = traffic(&world) => unreachable!("traffic goes on"),
        () = every_question(&world, &prometheus) => {}
    }
    world.clear_faults().await;
    world.stop().await;
    collector.stop().await;
}

/// Dashboards name no service, so a new service needs no change to them.
fn assert_no_service_is_named(world: &World) {
    let services: BTreeSet<_> = world.services().into_iter().collect();
    for board in Board::all() {
        let json = board.json.to_string();
        let mut words =
            json.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-');
        let named = words.find(|word| services.contains(*word));
        assert_eq!(named, None, "a service's name in {}", board.file);
    }
}

/// Keeps sending events of every kind, valid and invalid, and malformed messages.
async fn traffic(world: &World) {
    let name = json!({"given": "Grace", "family": "Hopper"});
    let event = |kind: &str, customer: &str, data: Value| json!({"type": kind, "customer_number": customer, "data": data});
    let enrolled = json!({"name": name, "email": "grace@mail.example", "channels": ["email"]});
    let chosen = default_customer();
    let queue = world.queue_url("membership").await;
    for number in 0_u64.. {
        let customer = if number == 0 { chosen.clone() } else { format!("48{number:010}") };
        let events = json!([
            event("CustomerEnrolled", &customer, enrolled.clone()),
            event("CustomerRenamed", &customer, json!({"name": name})),
            event("CustomerRenamed", &customer, json!({"name": "Grace"})),
        ]);
        assert_eq!(world.post(&events, &[]).await.0, 202);
        if number % 10 == 0 {
            world.sqs().send_message().queue_url(&queue).message_body("{").send().await.unwrap();
        }
        // Sets the pace of the traffic; nothing is waited for.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Returns the customer that the dashboard of traces shows by default.
fn default_customer() -> String {
    let boards = Board::all();
    let mut variables = boards.iter().flat_map(Board::variables);
    let variable = variables.find(|variable| variable["name"] == "customer_number").unwrap();
    text(&variable["query"]).to_owned()
}

async fn every_question(world: &World, prometheus: &Prometheus) {
    for fault in [
        // An unavailable dependency: retries until the circuit opens.
        json!({"service": "ses", "operation": "SendEmail", "error": "500", "after": 3, "times": 30}),
        // A dependency that does not answer: messages stay in flight until their visibility is extended.
        json!({"service": "dynamodb", "operation": "TransactWriteItems", "error": "timeout", "times": 2}),
        json!({"service": "events", "operation": "PutEvents", "error": "throttle", "after": 3, "times": 3}),
        json!({"service": "sns", "operation": "PublishBatch", "error": "throttle", "after": 3, "times": 3}),
        // Handled, but never deleted.
        json!({"service": "sqs", "operation": "DeleteMessageBatch", "error": "500", "after": 30, "times": 200}),
    ] {
        world.fault(&fault).await;
    }
    let variables = variables(world, prometheus).await;
    let services = world.services();
    let mut queries: Vec<Query> = Board::all().iter().flat_map(|board| board.queries(PROMETHEUS)).collect();
    queries.extend(queries_of_spans());
    assert!(queries.len() > 50, "only {} expressions were found", queries.len());
    for query in &queries {
        // Leave out the constant 0 that a panel adds for the time before anything has happened.
        let asked = query.text.trim_end_matches(" or vector(0)");
        until(&format!("data for {}: {asked}", query.place), || async {
            let mut answered = false;
            for expression in filled_in(asked, &variables, &services) {
                // Not a number: a percentile or share of nothing.
                answered |= prometheus.values(&expression).await.iter().any(|value| *value > 0.0);
            }
            answered.then_some(())
        })
        .await;
        for expression in filled_in(&query.text, &variables, &services) {
            prometheus.values(&expression).await;
        }
    }
    for query in Board::all().iter().flat_map(|board| board.queries(TEMPO)) {
        // Nothing here answers the query, but its variables are known.
        filled_in(&query.text, &variables, &[]);
    }
    for query in Board::all().iter().flat_map(|board| board.queries(X_RAY)) {
        let [filter] =
            filled_in(&query.text, &variables, &[]).try_into().expect("only variables of the dashboard");
        until(&format!("traces for {}: {filter}", query.place), || async { traces(world, &filter).await })
            .await;
    }
}

/// Returns the choices that Grafana offers for each variable, of which it selects the first.
async fn variables(world: &World, prometheus: &Prometheus) -> BTreeMap<String, String> {
    let mut chosen = BTreeMap::from([("customer_number".to_owned(), default_customer())]);
    let boards = Board::all();
    for variable in boards.iter().flat_map(Board::variables).filter(|variable| variable["type"] == "query") {
        let name = text(&variable["name"]);
        let query = text(&variable["query"]["query"]);
        assert_eq!(variable["definition"], query, "{name}");
        let arguments = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let (selector, label) = arguments.rsplit_once(", ").unwrap();
        let [selector] =
            filled_in(selector, &chosen, &[]).try_into().expect("only variables that precede it");
        // Eventually every service is one of the choices.
        let enough = if name == "service" { world.services().len() } else { 1 };
        let values = until(&format!("{enough} values of {name}"), || async {
            let values = prometheus.label_values(&selector, label).await;
            (values.len() >= enough).then_some(values)
        })
        .await;
        if name == "service" {
            assert_eq!(values, world.services());
        } else {
            chosen.insert(name.to_owned(), values[0].clone());
        }
    }
    chosen
}

/// Fills in the variables of a query: once, or once per service if the query depends on the service.
fn filled_in(query: &str, variables: &BTreeMap<String, String>, services: &[String]) -> Vec<String> {
    let mut filled = query.to_owned();
    for (name, value) in INTERVALS {
        filled = filled.replace(name, value);
    }
    for (name, value) in variables {
        filled = filled.replace(&format!("${name}"), value);
    }
    let of_service = |service: &String| {
        filled.replace("$service", service).replace("$__tags", &format!("service_name=\"{service}\""))
    };
    let all = if filled.contains('$') { services.iter().map(of_service).collect() } else { vec![filled] };
    assert!(!all.is_empty() && !all.concat().contains('$'), "a variable that nothing fills in: {query}");
    all
}

/// Whether the filter expression finds a trace.
async fn traces(world: &World, filter: &str) -> Option<()> {
    let summaries = world
        .xray()
        .get_trace_summaries()
        .start_time(DateTime::from_secs(0))
        .end_time(DateTime::from_secs(4_000_000_000))
        .filter_expression(filter)
        .send()
        .await
        .unwrap();
    (!summaries.trace_summaries().is_empty()).then_some(())
}
