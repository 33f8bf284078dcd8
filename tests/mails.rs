//! Whom the layer mails, and whom no longer.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::faults::{FAREWELL, depth, table};
use crate::world::{World, until};

const CUSTOMERS: usize = 30;

pub(crate) fn event(kind: &str, customer: &str, data: &Value) -> Value {
    json!({"type": kind, "customer_number": customer, "data": data})
}

pub(crate) fn enrolled(customer: &str, given: &str, email: &str) -> Value {
    let name = json!({"given": given, "family": "Byron"});
    event("CustomerEnrolled", customer, &json!({"name": name, "email": email, "channels": ["email"]}))
}

pub(crate) fn renamed(customer: &str, given: &str) -> Value {
    event("CustomerRenamed", customer, &json!({"name": {"given": given, "family": "Byron"}}))
}

pub(crate) fn erased(customer: &str) -> Value {
    event("CustomerErased", customer, &json!({}))
}

/// Returns the subjects of the mails to each customer, in the order in which SES accepted them.
async fn subjects(world: &World) -> BTreeMap<String, Vec<String>> {
    let mut subjects = BTreeMap::<_, Vec<_>>::new();
    for mail in world.mails().await {
        let customer = mail["tags"]["customer_number"].as_str().unwrap().to_owned();
        subjects.entry(customer).or_default().push(mail["subject"].as_str().unwrap().to_owned());
    }
    subjects
}

pub(crate) async fn quiet(world: &World) {
    until("empty queues", || async { (depth(world, false).await == 0).then_some(()) }).await;
    assert_eq!(depth(world, true).await, 0, "messages on dead-letter queues");
}

/// Waits until a service has logged this outcome of `count` events of a type.
pub(crate) async fn logged(world: &World, service: &str, event_type: &str, outcome: &str, count: usize) {
    until(&format!("{service} to log {outcome} of {count} {event_type}"), || async {
        let files = world.log_files();
        let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
        let lines = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
        let lines = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        let expected = json!([service, event_type, outcome]);
        let seen =
            lines.filter(|line| json!([line["service"], line["event_type"], line["outcome"]]) == expected);
        (seen.count() >= count).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_follows_a_farewell_but_what_a_later_enrolment_causes() {
    let world = World::start_with(&[], &[("CONSUMER_BACKOFF_CAP_S", "2")]).await;
    // Without a fault, while SES throttles, while it is slow, and while messages come twice and in another order.
    let rounds = [
        json!([]),
        json!([{"service": "ses", "error": "throttle", "probability": 0.5, "times": 30}]),
        json!([{"service": "ses", "error": {"delay_ms": 1_500}, "probability": 0.3}]),
        json!([
            {"service": "sqs", "error": "duplicate", "probability": 0.5},
            {"service": "sqs", "error": "reorder", "probability": 0.5}
        ]),
    ];
    for (round, faults) in rounds.iter().enumerate() {
        for fault in faults.as_array().unwrap() {
            world.fault(fault).await;
        }
        let customers: Vec<_> = (0..CUSTOMERS).map(|number| format!("47{round:05}{number:05}")).collect();
        for customer in &customers {
            for event in [
                enrolled(customer, "Ada", "ada@mail.example"),
                renamed(customer, "Augusta"),
                erased(customer),
            ] {
                world.send(&event, &[]).await;
            }
        }
        logged(&world, "membership", "CustomerErased", "applied", CUSTOMERS * (round + 1)).await;
        // The outbox lets go of a farewell once the bus has delivered it. An erasure that overtook the enrolment announced
        // none.
        until("every farewell to be announced", || async {
            let items = table(&world, "members").await;
            let data = items.iter().filter_map(|item| item.get("data")?.as_s().ok());
            let left = data.filter(|data| customers.iter().any(|customer| data.contains(customer)));
            (left.count() == 0).then_some(())
        })
        .await;
        quiet(&world).await;
        world.clear_faults().await;
        let mails = subjects(&world).await;
        for customer in &customers {
            let mails = mails.get(customer).cloned().unwrap_or_default();
            let farewells = mails.iter().filter(|subject| *subject == FAREWELL).count();
            let ends =
                mails.is_empty() || farewells == 1 && mails.last().is_some_and(|last| last == FAREWELL);
            assert!(ends, "round {round}: {mails:?}");
        }
        if round < 3 {
            let farewells = customers.iter().filter(|customer| mails.contains_key(*customer)).count();
            assert!(farewells > CUSTOMERS / 2, "round {round}: only {farewells} farewells");
        }
        if round == 0 {
            for customer in &customers {
                world.send(&enrolled(customer, "Ada", "ada@mail.example"), &[]).await;
            }
            until("a welcome to every new member", || async {
                let mails = subjects(&world).await;
                let last = |customer| mails.get(customer).and_then(|mails: &Vec<_>| mails.last());
                let welcomed = |customer| last(customer).is_some_and(|last| last.starts_with("Welcome"));
                customers.iter().all(welcomed).then_some(())
            })
            .await;
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_follows_an_opt_out_and_a_changed_address_is_told_to_the_old_one() {
    let world = World::start_with(&[], &[("CONSUMER_BACKOFF_CAP_S", "2")]).await;
    let customers: Vec<_> = (0..10).map(|number| format!("48{number:010}")).collect();
    for customer in &customers {
        world.send(&enrolled(customer, "Ada", "byron@mail.example"), &[]).await;
    }
    until("the welcomes", || async { (world.mails().await.len() == customers.len()).then_some(()) }).await;

    world.fault(&json!({"service": "ses", "operation": "SendEmail", "error": "throttle"})).await;
    for customer in &customers {
        world.send(&renamed(customer, "Augusta"), &[]).await;
    }
    logged(&world, "notifier", "MemberRenamed", "notified", customers.len()).await;
    for customer in &customers {
        world.send(&event("ContactPreferencesChanged", customer, &json!({"channels": []})), &[]).await;
    }
    logged(&world, "email", "MemberPreferencesChanged", "applied", customers.len()).await;
    world.clear_faults().await;
    logged(&world, "email", "NotificationRequested", "suppressed", customers.len()).await;
    assert_eq!(world.mails().await.len(), customers.len(), "a mail after the opt-out");

    let customer = &customers[0];
    let preferences = json!({"channels": ["email"], "email": "lovelace@mail.example"});
    world.send(&event("ContactPreferencesChanged", customer, &preferences), &[]).await;
    let told = until("both addresses to hear of it", || async {
        let mails = world.mails().await.split_off(customers.len());
        (mails.len() == 2).then_some(mails)
    })
    .await;
    let mut addresses: Vec<_> = told.iter().map(|mail| mail["to"][0].as_str().unwrap()).collect();
    addresses.sort_unstable();
    assert_eq!(addresses, ["byron@mail.example", "lovelace@mail.example"]);
    let old = told.iter().find(|mail| mail["to"][0] == "byron@mail.example").unwrap();
    assert!(!old["text"].as_str().unwrap().contains("lovelace@"), "{old}");

    // What changes nothing is applied, and nobody is mailed.
    for event in [
        enrolled(customer, "Augusta", "lovelace@mail.example"),
        renamed(customer, "Augusta"),
        event("ContactPreferencesChanged", customer, &preferences),
    ] {
        world.send(&event, &[]).await;
    }
    logged(&world, "membership", "CustomerRenamed", "applied", customers.len() + 1).await;
    quiet(&world).await;
    assert_eq!(world.mails().await.len(), customers.len() + 2);
    world.stop().await;
}

/// Every store of the local cloud but SES's mailbox, which stands for the customer's own.
#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_leaves_nothing_readable() {
    const WORDS: [&str; 4] = ["Secretada", "Secretaugusta", "secret-old@", "secret-new@"];
    let world = World::start().await;
    let customer = "490000000001";
    for (event, mails) in [
        (enrolled(customer, "Secretada", "secret-old@mail.example"), 1),
        (renamed(customer, "Secretaugusta"), 2),
        (event("ContactPreferencesChanged", customer, &json!({"email": "secret-new@mail.example"})), 4),
    ] {
        // One after the other: what overtakes the enrolment is announced with it.
        world.send(&event, &[]).await;
        until("every mail", || async { (world.mails().await.len() == mails).then_some(()) }).await;
    }
    let before = everything(&world).await;
    for word in WORDS {
        assert!(before.contains(word), "the search does not find {word}");
    }
    let (code, places) = places_with(&world, customer).await;
    assert_eq!(code, Some(1), "{places:?}");
    let found = |store: &str, field: &str| {
        let named = |place: &&Value| place["store"] == store && place["personal"].to_string().contains(field);
        assert!(places.iter().any(|place| named(&place)), "{field} in {store}: {places:?}");
    };
    found("foostore-local-members", "known.name.value.given");
    found("foostore-local-members", "data.contact.email");
    found("foostore-local-notifications", "family_name");

    world.send(&erased(customer), &[]).await;
    until("the farewell", || async {
        subjects(&world).await[customer].iter().any(|subject| subject == FAREWELL).then_some(())
    })
    .await;
    logged(&world, "membership", "MemberErased", "applied", 1).await;
    quiet(&world).await;
    let left = everything(&world).await;
    for word in WORDS {
        assert!(!left.contains(word), "{word} is left in {left}");
    }
    let (code, places) = places_with(&world, customer).await;
    assert_eq!(code, Some(0), "{places:?}");
    let tombstone =
        json!({"store": "foostore-local-members", "what": "MEMBER", "personal": [], "until": null});
    assert!(places.contains(&tombstone), "{places:?}");

    let letter = json!({"source": "foostore.crm", "detail-type": "CustomerRenamed", "detail": {"data": {
        "customer_number": customer, "name": {"given": "Secretada", "family": "Lovelace"},
    }}});
    let url = world.queue_url("membership-dead-letter").await;
    world.sqs().send_message().queue_url(url).message_body(letter.to_string()).send().await.unwrap();
    let (code, places) = places_with(&world, customer).await;
    assert_eq!(code, Some(1), "{places:?}");
    let letter =
        places.iter().find(|place| place["store"] == "foostore-local-membership-dead-letter").unwrap();
    assert_eq!(letter["personal"], json!(["detail.data.name.family", "detail.data.name.given"]));
    let until: jiff::Timestamp = letter["until"].as_str().unwrap().parse().unwrap();
    let days = until.duration_since(jiff::Timestamp::now()).as_hours() / 24;
    assert_eq!(days, 13, "the retention of a dead-letter queue less the day that has begun");
    world.stop().await;
}

/// Returns the exit code of `foostore erased` and the places it lists.
pub(crate) async fn places_with(world: &World, customer: &str) -> (Option<i32>, Vec<Value>) {
    let output = Command::new(env!("CARGO_BIN_EXE_foostore"))
        .args(["erased", "--json", customer])
        .env("AWS_ENDPOINT_URL", &world.endpoint)
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("Secret"), "{text}");
    (output.status.code(), text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Returns the items of every table and the number of messages in every queue, as text.
pub(crate) async fn everything(world: &World) -> String {
    let mut text = String::new();
    let tables = world.dynamodb().list_tables().send().await.unwrap().table_names.unwrap_or_default();
    assert!(tables.len() >= 3, "{tables:?}");
    for name in tables {
        let items = table(world, name.strip_prefix("foostore-local-").unwrap()).await;
        writeln!(text, "{name}: {items:?}").unwrap();
    }
    for url in world.sqs().list_queues().send().await.unwrap().queue_urls.unwrap_or_default() {
        let count = QueueAttributeName::ApproximateNumberOfMessages;
        let request = world.sqs().get_queue_attributes().queue_url(&url).attribute_names(count.clone());
        let answer = request.send().await.unwrap().attributes.unwrap();
        if answer[&count] == "0" {
            continue;
        }
        let received = world.sqs().receive_message().queue_url(&url).max_number_of_messages(10).send().await;
        writeln!(text, "{url}: {:?}", received.unwrap().messages).unwrap();
    }
    text
}
