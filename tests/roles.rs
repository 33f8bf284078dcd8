//! The role of each service grants the calls that the service makes, and nothing else.
//!
//! The run below makes every service do all it can, while the local cloud records who called what. The test compares
//! that with the roles in deploy/: a call without a grant fails it, and so does a grant that was never used. The
//! services, their queues and their dependencies are read from the roles, so a new service is covered without a change.

mod grants;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use self::grants::Grant;
use crate::documents::Documents;
use crate::faults::{depth, table};
use crate::mails::enrolled;
use crate::wallet::Phone;
use crate::world::{World, say, until};

/// Grants that no call to the local cloud can exercise: the end of the role's name, its policy, the beginning of the
/// action, and the reason.
const UNSEEN: [(&str, &str, &str, &str); 4] = [
    (
        "TaskRole",
        "service",
        "kms:",
        "the local cloud encrypts nothing; see use_of_the_key_is_by_way_of_what_is_called",
    ),
    ("TaskRole", "collector", "", "the collector's calls depend on its configuration, not on the service"),
    ("ExecutionRole", "start", "", "ECS has it before the service runs"),
    ("PipeRole", "pipe", "", "the local Pipe reads and writes inside the process, without calls"),
];
/// The access key of the test and of `foostore up` itself.
const LOCAL_KEY: &str = "local";

type Roles = BTreeMap<String, Vec<Grant>>;

#[tokio::test(flavor = "multi_thread")]
async fn roles_grant_what_services_do_and_nothing_else() {
    let (seen, unseen) = roles();
    for (role, policy, action, why) in UNSEEN {
        let some = unseen.values().flatten().any(|grant| is(grant, role, policy, action));
        assert!(some, "UNSEEN names {role}/{policy}/{action}, which no role has");
        say(&format!("not seen: {role}/{policy} {action}* ({why})"));
    }
    let world = World::start().await;
    drive(&world, &seen).await;

    let calls = calls(&world).await;
    for call in &calls {
        say(&call.to_string());
    }
    let (unused, denied) = (unused(&seen, &calls), denied(&seen, &calls));
    assert!(
        unused.is_empty() && denied.is_empty(),
        "granted and never used:\n{}\ncalled and not granted:\n{}",
        unused.join("\n"),
        denied.join("\n")
    );
    use_of_the_key_is_by_way_of_what_is_called(&unseen, &calls);
    world.stop().await;
}

/// Returns the grants that a run exercises, and those that none can.
fn roles() -> (Roles, Roles) {
    let (mut seen, mut unseen) = (Roles::new(), Roles::new());
    for (service, grants) in grants::of_services() {
        let (of_none, of_run): (Vec<_>, Vec<_>) = grants.into_iter().partition(|grant| {
            UNSEEN.iter().any(|(role, policy, action, _)| is(grant, role, policy, action))
        });
        seen.insert(service.clone(), of_run);
        unseen.insert(service, of_none);
    }
    (seen, unseen)
}

/// A service's own key, unlike the environment's, is called without any service in between.
fn is(grant: &Grant, role: &str, policy: &str, action: &str) -> bool {
    grant.role.ends_with(role)
        && grant.policy == policy
        && grant.action.starts_with(action)
        && (action != "kms:" || grant.conditions.contains_key("kms:ViaService"))
}

/// Makes every service do all it can, and waits until nothing is left to do.
async fn drive(world: &World, roles: &Roles) {
    let (erasures, others): (Vec<_>, Vec<_>) =
        event_types(world).await.into_iter().partition(|event| event.ends_with("Erased"));
    assert!(!erasures.is_empty() && !others.is_empty());
    let trace_id = tell(world, 0, &others).await;
    Documents::whole(world, &trace_id, None).await;

    let mut customer = 0;
    for (service, grants) in roles {
        for queue in grants.iter().filter(|grant| grant.action == "sqs:ReceiveMessage") {
            send_malformed(world, &queue.resource).await;
            for dependency in dependencies(grants) {
                customer += 1;
                fail_once(world, service, dependency, || tell(world, customer, &others)).await;
            }
        }
    }
    comes_back(world).await;
    push_fails(world).await;
    takes_keys_anew(world, &others).await;
    let phone = Phone::with_pass(world, "460000000000", "0a1b").await;
    assert_eq!(phone.register().await, 201);
    let trace_id = tell(world, 0, &erasures).await;
    Documents::whole(world, &trace_id, None).await;
    phone.told(1).await;
    assert_eq!(phone.unregister().await, 200);
    // A member who enrols again takes along what waited for that.
    let trace_id = world.send(&enrolled("460000000000", "Ada", "ada@mail.example"), &[]).await;
    Documents::whole(world, &trace_id, None).await;
    until("empty queues", || async { (depth(world, false).await == 0).then_some(()) }).await;
    until("the ledger of points to be erased", || async {
        let items = table(world, "rewards").await;
        items.iter().all(|item| !item.contains_key("erasing")).then_some(())
    })
    .await;
    until("the discounts of the erased customer to be gone", || async {
        let items = table(world, "discounts").await;
        let keys = items.iter().map(|item| item["pk"].as_s().unwrap());
        (keys.filter(|key| key.starts_with("DISCOUNT#460000000000#")).count() == 0).then_some(())
    })
    .await;
}

/// Returns the types that ingest accepts, in the order of its description.
async fn event_types(world: &World) -> Vec<String> {
    let url = format!("{}/openapi.json", world.ingest);
    let description: Value = world.http.get(url).send().await.unwrap().json().await.unwrap();
    let types = description["components"]["schemas"]["Event"]["oneOf"].as_array().unwrap();
    types.iter().map(|one| one["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
}

/// Posts one event of each type about a customer, and returns the trace id of the first.
async fn tell(world: &World, customer: u32, types: &[String]) -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/contracts/fixtures");
    let mut first = None;
    for event in types {
        let fixture = std::fs::read_to_string(fixtures.join(format!("{event}.json"))).unwrap();
        let mut data: Value = serde_json::from_str(&fixture).unwrap();
        data.as_object_mut().unwrap().remove("customer_number");
        let event = json!({"type": event, "customer_number": format!("46{customer:010}"), "data": data});
        let trace_id = world.send(&event, &[]).await;
        first.get_or_insert(trace_id);
    }
    first.unwrap()
}

/// Has a mail come back, and waits for its announcement.
async fn comes_back(world: &World) {
    world.send(&enrolled("460000009999", "Ada", "bounce@simulator.amazonses.com"), &[]).await;
    until("an address that cannot be used", || async {
        table(world, "email-announcements").await.pop().map(drop)
    })
    .await;
}

/// Has a push refused, and waits until its message is put off.
async fn push_fails(world: &World) {
    world.fault(&json!({"service": "webhook", "error": "500", "times": 1})).await;
    let before = put_off(world, "app").await;
    let name = json!({"given": "Ada", "family": "Byron"});
    let data = json!({"name": name, "email": "ada@mail.example", "channels": ["app"]});
    world
        .send(&json!({"type": "CustomerEnrolled", "customer_number": "460000009998", "data": data}), &[])
        .await;
    until("a push to be put off", || async { (put_off(world, "app").await > before).then_some(()) }).await;
    world.clear_faults().await;
}

/// Has the archive forget the keys in its memory, so that it needs one that is in its table.
async fn takes_keys_anew(world: &World, types: &[String]) {
    world.kill("archive").await;
    tell(world, 1, types).await;
    until("the archive to have a data key decrypted", || async {
        let calls = calls(world).await;
        calls.iter().any(|call| call["caller"] == "archive" && call["action"] == "kms:Decrypt").then_some(())
    })
    .await;
}

/// Sends a message that goes to the dead-letter queue at once.
async fn send_malformed(world: &World, queue_arn: &str) {
    let name = queue_arn.rsplit(':').next().unwrap();
    let url = world.sqs().get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap();
    world.sqs().send_message().queue_url(url).message_body("{").send().await.unwrap();
}

/// Returns the AWS services on which a service with these grants depends, besides that of its queue.
fn dependencies(grants: &[Grant]) -> BTreeSet<&str> {
    grants.iter().map(|grant| prefix(&grant.action)).filter(|prefix| *prefix != "sqs").collect()
}

fn prefix(action: &str) -> &str {
    action.split(':').next().unwrap()
}

/// Fails every call of a service to a dependency until the service has postponed a message.
async fn fail_once<F: Future>(world: &World, service: &str, dependency: &str, cause: impl FnOnce() -> F) {
    let faults = format!("{}/_local/faults", world.endpoint);
    world.fault(&json!({"service": dependency, "caller": service, "error": "500"})).await;
    if dependency == "kms" {
        // It has its branch key in memory, and need not call KMS before it has forgotten that.
        world.kill(service).await;
    }
    cause().await;
    until(&format!("{service} to call {dependency} in vain"), || async {
        let armed: Vec<Value> = world.http.get(&faults).send().await.unwrap().json().await.unwrap();
        armed[0]["injected"].as_u64().filter(|hits| *hits > 0)
    })
    .await;
    let before = put_off(world, service).await;
    until(&format!("{service} to put a message off"), || async {
        (put_off(world, service).await > before).then_some(())
    })
    .await;
    assert!(world.http.delete(&faults).send().await.unwrap().status().is_success());
}

/// Counts a service's changes of visibility.
async fn put_off(world: &World, service: &str) -> u64 {
    let of_service =
        |call: &&Value| call["caller"] == service && call["action"] == "sqs:ChangeMessageVisibility";
    calls(world).await.iter().filter(of_service).map(|call| call["count"].as_u64().unwrap()).sum()
}

/// Returns the calls so far, by caller.
async fn calls(world: &World) -> Vec<Value> {
    let url = format!("{}/_local/calls", world.endpoint);
    let mut answer: Value = world.http.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["left_out"], 0);
    let Value::Array(calls) = answer["calls"].take() else { panic!("{answer}") };
    calls
}

fn allows(grant: &Grant, call: &Value) -> bool {
    grant.allows(call["action"].as_str().unwrap(), call["resource"].as_str().unwrap(), &call["context"])
}

fn unused(roles: &Roles, calls: &[Value]) -> Vec<String> {
    let mut unused = Vec::new();
    for (service, grants) in roles {
        for grant in grants {
            if !calls.iter().any(|call| call["caller"] == service.as_str() && allows(grant, call)) {
                unused.push(format!("{service}: {} on {} ({})", grant.action, grant.resource, grant.role));
            }
        }
    }
    unused
}

fn denied(roles: &Roles, calls: &[Value]) -> Vec<String> {
    calls
        .iter()
        .filter(|call| call["caller"] != LOCAL_KEY)
        .filter(|call| {
            let grants = roles.get(call["caller"].as_str().unwrap());
            !grants.is_some_and(|grants| grants.iter().any(|grant| allows(grant, call)))
        })
        .map(ToString::to_string)
        .collect()
}

/// A service may use the key only through the AWS services that it calls.
fn use_of_the_key_is_by_way_of_what_is_called(unseen: &Roles, calls: &[Value]) {
    for (service, grants) in unseen {
        let of_service = calls.iter().filter(|call| call["caller"] == service.as_str());
        let called: BTreeSet<_> = of_service.map(|call| prefix(call["action"].as_str().unwrap())).collect();
        for grant in grants.iter().filter(|grant| is(grant, "TaskRole", "service", "kms:")) {
            let through = &grant.conditions["kms:ViaService"];
            for endpoint in through {
                let name = endpoint.split('.').next().unwrap();
                assert!(
                    called.contains(name),
                    "{service} uses the key by way of {name}, which it never calls"
                );
            }
        }
    }
}
