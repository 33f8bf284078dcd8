//! Every form of a trace header in `tests/headers/forms.json`: how it is read, here and by the libraries of other
//! languages, and the trace that an event or a list sent with it leaves.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use xray::{SamplingDecision, TraceHeader};

use crate::architecture::root;
use crate::collector::layer_with_collector;
use crate::documents::Documents;
use crate::world::{World, until};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const OTHER_ROOT: &str = "1-5759e988-bd862e3fe1be46a994272794";
const PARENT: &str = "53995c3f42cd8ad8";
/// Two, because the events of a list have no order.
const CUSTOMERS: [&str; 2] = ["420000000008", "420000000009"];

/// The libraries whose readings are recorded, with their titles in the table.
const PEERS: [(&str, &str); 4] = [
    ("python", "OpenTelemetry Python"),
    ("javascript", "OpenTelemetry JavaScript"),
    ("go", "OpenTelemetry Go"),
    ("sdk", "X-Ray SDK for Python"),
];

#[derive(Deserialize)]
struct Case {
    form: String,
    /// As passed on; nothing if no trace is taken from it.
    read: Option<String>,
    peers: BTreeMap<String, Option<String>>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(&std::fs::read_to_string(root().join("tests/headers/forms.json")).unwrap()).unwrap()
}

fn filled(form: &str, root: &str) -> String {
    form.replace("{R}", root)
        .replace("{R^}", &root.to_uppercase())
        .replace("{r}", &root.replacen("1-", "", 1).replace('-', ""))
        .replace("{P}", PARENT)
        .replace("{P^}", &PARENT.to_uppercase())
        .replace("{O}", OTHER_ROOT)
        .replace("{450}", &"x".repeat(450))
}

/// Returns a header that names a trace.
fn read(header: &str) -> Option<TraceHeader> {
    header.parse().ok().filter(|header: &TraceHeader| header.root.is_some())
}

#[test]
fn every_form_is_read_as_the_table_says() {
    for Case { form, read: expected, .. } in cases() {
        let found = read(&filled(&form, ROOT)).map(|header| header.to_string());
        assert_eq!(found, expected.map(|header| filled(&header, ROOT)), "{form:?}");
    }
}

/// A trace that a caller's library believes to have been continued must not break here.
#[test]
fn what_a_library_of_opentelemetry_continues_is_continued_here() {
    for Case { form, read: here, peers } in cases() {
        let contradicts_itself = form.contains("{O}") || form.matches("Parent=").count() > 1;
        for peer in ["python", "javascript", "go"] {
            let Some(reading) = &peers[peer] else { continue };
            let below_the_parent =
                here.as_deref().is_some_and(|here| here.starts_with("Root={R};Parent={P}"));
            assert!(below_the_parent || contradicts_itself, "{peer} reads {form:?} as {reading}");
        }
    }
}

#[test]
fn the_table_is_published() {
    let titles: Vec<_> = PEERS.iter().map(|(_, title)| *title).collect();
    let mut table =
        format!("| header | here | {} |\n|---|---|{}\n", titles.join(" | "), "---|".repeat(PEERS.len()));
    for Case { form, read, peers } in cases() {
        let read = read.map_or("a new trace".to_owned(), |header| code(&header));
        let peers: Vec<_> =
            PEERS.iter().map(|(peer, _)| peers[*peer].as_deref().map_or("–".to_owned(), code)).collect();
        writeln!(table, "| {} | {read} | {} |", code(&form), peers.join(" | ")).unwrap();
    }
    let page = root().join("docs/trace-headers.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("<!-- the table -->\n").expect("the mark before the table");
    let (found, after) = rest.split_once("<!-- end -->").expect("the mark after the table");
    if found != table {
        let wanted = std::env::temp_dir().join("trace-headers.md");
        std::fs::write(&wanted, format!("{before}<!-- the table -->\n{table}<!-- end -->{after}")).unwrap();
        panic!("the table has changed; to accept it: cp {} {}", wanted.display(), page.display());
    }
}

/// A form as it stands in a cell of a table.
fn code(form: &str) -> String {
    match form {
        "" => "(empty)".to_owned(),
        form => {
            format!("`{}`", form.replace('\t', "⇥").replace('|', "\\|").replace("{450}", "(450 characters)"))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_leaves_connected_traces() {
    let world = World::start().await;
    every_form(&world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_leaves_connected_traces_through_the_collector() {
    let Some((world, collector)) = layer_with_collector(&[]).await else { return };
    every_form(&world).await;
    world.stop().await;
    collector.stop().await;
}

async fn every_form(world: &World) {
    for customer in CUSTOMERS {
        let enrolled = json!({
            "type": "CustomerEnrolled", "customer_number": customer,
            "data": {
                "name": {"given": "Ada", "family": "Byron"}, "email": "forms@mail.example", "channels": ["email"]
            }
        });
        Documents::connected(world, &world.send(&enrolled, &[]).await, None).await;
    }
    for Case { form, .. } in cases() {
        an_event(world, &form).await;
        a_list(world, &form).await;
    }
}

/// Renames the customer to something new each time: a rename to the same name makes no mail.
fn renamed(customer: &str) -> Value {
    json!({
        "type": "CustomerRenamed", "customer_number": customer,
        "data": {"name": {"given": format!("Ada {}", Uuid::new_v4().simple()), "family": "Lovelace"}}
    })
}

/// A form with a separate trace, and what is read from it.
fn sent(form: &str) -> (String, Option<TraceHeader>) {
    let root = format!("1-6921a3b0-{}", &Uuid::new_v4().simple().to_string()[..24]);
    let header = filled(form, &root);
    let read = read(&header);
    (header, read)
}

async fn an_event(world: &World, form: &str) {
    let (header, read) = sent(form);
    let trace_id = world.send(&renamed(CUSTOMERS[0]), &[("x-amzn-trace-id", &header)]).await;
    let Some(read) = read else { return Documents::connected(world, &trace_id, None).await };
    assert_eq!(Some(trace_id.clone()), read.root.map(|root| root.to_string()), "{form:?}");
    if read.sampled != Some(SamplingDecision::NotSampled) {
        let parent = read.parent.map(|parent| parent.to_string());
        Documents::connected(world, &trace_id, parent.as_deref()).await;
    }
}

async fn a_list(world: &World, form: &str) {
    let (header, read) = sent(form);
    let (status, answer) = world.post(&json!(CUSTOMERS.map(renamed)), &[("x-amzn-trace-id", &header)]).await;
    assert_eq!(status, 202, "{form:?}: {answer}");
    let recorded = read.as_ref().is_none_or(|read| read.sampled != Some(SamplingDecision::NotSampled));
    let request = read.as_ref().and_then(|read| read.root).map(|root| root.to_string());
    for item in answer.as_array().unwrap() {
        let trace_id = item["trace_id"].as_str().unwrap();
        assert_ne!(Some(trace_id), request.as_deref(), "{form:?}");
        if recorded {
            let documents = Documents::whole(world, trace_id, None).await;
            documents.assert_connected(None);
            if let Some(request) = &request {
                assert_eq!(documents.annotations("ingest")["request_trace_id"], json!(request), "{form:?}");
            }
        }
    }
    if let (true, Some(request)) = (recorded, request) {
        let parent = read.and_then(|read| read.parent).map(|parent| parent.to_string());
        until(&format!("the request {form:?} in the caller's trace"), || async {
            let documents = Documents::get(world, &request).await?;
            let own = documents.segments().find(|segment| segment["name"] == "ingest")?;
            assert_eq!(own["parent_id"].as_str(), parent.as_deref(), "{form:?}");
            Some(())
        })
        .await;
    }
}
