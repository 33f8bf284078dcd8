//! The commands for X-Ray, on the traces of a running layer.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::documents::Documents;
use crate::schemas::checked;
use crate::world::{World, until};

const CUSTOMER: &str = "460000000001";

/// What a command printed, and how it ended.
struct Output {
    code: Option<i32>,
    out: String,
    remarks: String,
}

async fn foostore(world: &World, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_foostore"))
        .args(arguments)
        .args(["--endpoint-url", &world.xray_endpoint])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Output { code: output.status.code(), out: text(output.stdout), remarks: text(output.stderr) }
}

/// Returns what a command printed that must succeed.
async fn printed(world: &World, arguments: &[&str]) -> String {
    let Output { code, out, remarks } = foostore(world, arguments).await;
    assert_eq!(code, Some(0), "{arguments:?}: {remarks}");
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_explain_what_a_layer_has_done() {
    let world = World::start().await;
    let enrolled = json!({
        "type": "CustomerEnrolled", "customer_number": CUSTOMER,
        "data": {"name": {"given": "Ada", "family": "Byron"}, "email": "ada@mail.example", "channels": ["email"]}
    });
    let trace_id = world.send(&enrolled, &[]).await;
    Documents::connected(&world, &trace_id, None).await;
    world.fault(&json!({"service": "ses", "operation": "SendEmail", "error": "throttle", "times": 1})).await;
    let renamed = json!({
        "type": "CustomerRenamed", "customer_number": CUSTOMER, "data": {"name": {"given": "Ada", "family": "Lovelace"}}
    });
    let retried = world.send(&renamed, &[]).await;
    until("a second attempt in a summary", || async {
        let filter = [
            "traces",
            "--json",
            "--filter",
            "service(\"email\") { annotation.attempt > 1 annotation.outcome = \"sent\" }",
        ];
        foostore(&world, &filter).await.out.contains(&retried).then_some(())
    })
    .await;

    let directory = tempfile::tempdir().unwrap();
    the_map(&world, directory.path()).await;
    the_trace(&world, &trace_id, directory.path()).await;
    latencies(&world).await;
    sampling(&world).await;
    completion(&world).await;
    world.stop().await;
}

async fn the_map(world: &World, directory: &Path) {
    let table = printed(world, &["map"]).await;
    for edge in [
        ("client", "→ ingest"),
        ("ingest", "→ EventBridge"),
        ("EventBridge", "⇢ membership"),
        ("email", "→ SES"),
    ] {
        let is_edge = |line: &str| line.starts_with(edge.0) && line.contains(&format!(" {} ", edge.1));
        assert!(table.lines().any(is_edge), "{edge:?}\n{table}");
    }

    // By another way: the graphs of the traces that the expression finds.
    let filter = format!("annotation.customer_number = \"{CUSTOMER}\" AND annotation.attempt > 1");
    let document = checked("map", &printed(world, &["map", "--json", "--filter", &filter]).await).remove(0);
    let edges = document["edges"].as_array().unwrap();
    let ses = edges.iter().find(|edge| edge["source"] == "email" && edge["destination"] == "SES").unwrap();
    assert!(ses["throttles"].as_u64() > Some(0) && ses["ok"] == 1, "{ses}");
    assert!(edges.iter().any(|edge| edge["message"] == true && edge["p50_s"].is_number()), "{edges:?}");

    let declared = foostore(world, &["map", "--declared", "--json"]).await;
    let differences = &checked("map", &declared.out)[0]["differences"];
    assert_eq!(differences["undeclared"], json!([]), "every edge of the layer follows from its declarations");
    let never = differences["never_seen"].as_array().unwrap();
    assert!(never.contains(&json!({"source": "SNS", "destination": "app"})), "nothing was pushed: {never:?}");
    assert!(!never.contains(&json!({"source": "membership", "destination": "notifier"})), "{never:?}");
    assert_eq!(declared.code, Some(2), "{}", declared.remarks);

    let file = directory.join("map.svg");
    printed(world, &["map", "--svg", file.to_str().unwrap()]).await;
    let svg = std::fs::read_to_string(&file).unwrap();
    assert!(svg.contains("email → SES: ") && svg.contains("class=\"line dashed\""), "{svg}");
    let dot = printed(world, &["map", "--dot"]).await;
    assert!(dot.starts_with("digraph ") && dot.contains(", style=dashed];"), "{dot}");

    let nothing = foostore(world, &["map", "--filter", "annotation.customer_number = \"nobody\""]).await;
    assert_eq!(nothing.code, Some(1), "{}", nothing.remarks);
    let unknown = foostore(world, &["map", "--group", "nobody"]).await;
    assert_ne!(unknown.code, Some(0), "there is no such group");
}

async fn the_trace(world: &World, trace_id: &str, directory: &Path) {
    let file = directory.join("trace.svg");
    printed(world, &["trace", trace_id, "--svg", file.to_str().unwrap()]).await;
    let svg = std::fs::read_to_string(&file).unwrap();
    let document = checked("trace", &printed(world, &["trace", trace_id, "--json"]).await).remove(0);
    assert_eq!(svg.matches("<rect class=\"bar").count(), document["segments"].as_array().unwrap().len());
    assert!(svg.contains("⇢ received after "), "{svg}");
}

async fn latencies(world: &World) {
    let chart = printed(world, &["latency"]).await;
    assert!(chart.contains("█") && chart.contains("p99 "), "{chart}");
    let of = |service: &'static str| async move {
        let document = printed(world, &["latency", "--service", service, "--json"]).await;
        checked("latency", &document).remove(0)
    };
    let email = of("email").await;
    assert!(email["responses"].as_u64().unwrap() >= 3, "two mails, one of them tried twice: {email}");

    let arguments = ["latency", "--json", "--compare", "annotation.attempt > 1", "!annotation.attempt"];
    let document = checked("latency", &printed(world, &arguments).await).remove(0);
    let differences = document["comparison"]["differences"].as_array().unwrap();
    let attempt = differences.iter().find(|one| one["filter"] == "annotation.attempt = 2");
    let attempt = attempt.unwrap_or_else(|| panic!("no second attempts: {differences:?}"));
    assert_eq!(attempt["shares"], json!([1.0, 0.0]), "{differences:?}");
    let slow = printed(world, &["latency", "--service", "email", "--compare"]).await;
    assert!(slow.contains("A service(\"email\") { responsetime > "), "{slow}");

    let one = foostore(world, &["latency", "--compare", "fault"]).await;
    assert_eq!(one.code, Some(64), "{}", one.remarks);
}

async fn sampling(world: &World) {
    let set = [
        "sampling",
        "set",
        "vouchers",
        "--attribute",
        "event_type=Voucher*",
        "--rate",
        "100%",
        "--priority",
        "20",
    ];
    let created = printed(world, &set).await;
    assert_eq!(created, "created vouchers (priority 20): 1/s, then 100 % of attribute event_type=Voucher*\n");
    let updated =
        printed(world, &["sampling", "set", "vouchers", "--reservoir", "0", "--method", "post"]).await;
    assert_eq!(
        updated,
        "updated vouchers (priority 20): 100 % of method=post  attribute event_type=Voucher*\n"
    );

    let rules = checked("sampling", &printed(world, &["sampling", "rules", "--json"]).await);
    let vouchers = rules.iter().find(|rule| rule["name"] == "vouchers").unwrap();
    assert_eq!((&vouchers["rate"], &vouchers["reservoir_per_s"]), (&json!(1.0), &json!(0)), "{vouchers}");
    assert_eq!(vouchers["attributes"], json!({"event_type": "Voucher*"}));
    assert_eq!(rules.last().map(|rule| &rule["name"]), Some(&Value::from("Default")));

    let attempt = ["sampling", "try", "--method", "POST", "--attribute"];
    let matching = printed(world, &[&attempt[..], &["event_type=voucherGifted"]].concat()).await;
    assert!(matching.contains("   20  vouchers  decides: 100 %"), "{matching}");
    let other = printed(world, &[&attempt[..], &["event_type=CustomerRenamed"]].concat()).await;
    assert!(other.contains("attribute event_type is CustomerRenamed, not Voucher*"), "{other}");
    assert!(other.contains("10000  Default  decides: "), "{other}");

    assert_eq!(printed(world, &["sampling", "remove", "vouchers"]).await, "deleted vouchers\n");
    let gone = foostore(world, &["sampling", "remove", "vouchers"]).await;
    assert_eq!((gone.code, gone.out.as_str()), (Some(1), ""), "{}", gone.remarks);
}

async fn completion(world: &World) {
    let complete = |text: &'static str| async move { printed(world, &["filter", "complete", text]).await };
    assert_eq!(complete("annotation.event_t").await, "annotation.event_type\n");
    let types = complete("ok AND annotation.event_type = \"Customer").await;
    assert_eq!(types, "\"CustomerEnrolled\"\n\"CustomerRenamed\"\n");
    assert_eq!(complete("service(\"memb").await, "\"membership\"\n");
    let wrong = foostore(world, &["filter", "complete", "okay AND resp"]).await;
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.remarks.contains("unknown keyword okay at position 1"), "{}", wrong.remarks);
}
