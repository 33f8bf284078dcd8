//! After a storm, nothing is left of those who were erased, and everything of those who were not.

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use service_runtime::Environment;
use uuid::Uuid;

use crate::mails::{everything, places_with, quiet};
use crate::world::{World, until};

const CUSTOMERS: usize = 12;
/// Everything that a customer may have, in each of its stores.
const KILLED: [&str; 7] = ["membership", "rewards", "discounts", "notifier", "email", "wallet", "archive"];

/// A customer, the word in the name and address, and whether the history ends with an erasure.
struct Customer {
    number: String,
    word: String,
    erased: bool,
}

fn customers() -> Vec<Customer> {
    let customer = |number: usize| Customer {
        number: format!("46{number:010}"),
        word: format!("Secret{number}x"),
        erased: number.is_multiple_of(2),
    };
    (0..CUSTOMERS).map(customer).collect()
}

/// Returns what happened to a customer, in order: a member with points and discounts on every channel.
fn history(customer: &Customer, random: &mut StdRng) -> Vec<Value> {
    let word = &customer.word;
    let name = |given: String| json!({"given": given, "family": word});
    let mut steps = vec![(
        "CustomerEnrolled",
        json!({
            "name": name(word.clone()), "email": format!("{word}@mail.example"), "channels": ["email", "app", "wallet"],
        }),
    )];
    for step in 0..8 {
        steps.push(match random.random_range(0..5) {
            0 => ("CustomerRenamed", json!({"name": name(format!("{word}{step}"))})),
            1 => ("ContactPreferencesChanged", json!({"email": format!("{word}{step}@mail.example")})),
            2 => ("DiscountGifted", gift(step)),
            _ => ("PointsEarned", json!({"points": 400})),
        });
    }
    if customer.erased {
        steps.push(("CustomerErased", json!({})));
    }
    let start = Timestamp::now() - SignedDuration::from_hours(1);
    let event = |(step, (kind, data)): (usize, (&str, Value))| {
        let occurred_at = start + SignedDuration::from_secs(i64::try_from(step).unwrap());
        json!({
            "type": kind, "customer_number": customer.number, "event_id": Uuid::new_v4(),
            "occurred_at": occurred_at.to_string(), "data": data,
        })
    };
    steps.into_iter().enumerate().map(event).collect()
}

fn gift(step: usize) -> Value {
    json!({"discount_id": format!("GIFT-{step}"), "value": {"percentage": 15}, "valid_until": "2099-01-01T00:00:00Z"})
}

/// The seed of a failed run is printed; `FOOSTORE_TEST_SEED` sets it.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_storm_nothing_is_left_of_those_who_were_erased() {
    let seed = Environment::from_process().parse("FOOSTORE_TEST_SEED", rand::random::<u64>()).unwrap();
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::start_with(&[], &[("CONSUMER_BACKOFF_CAP_S", "2")]).await;
    let customers = customers();
    let mut events: Vec<_> = customers.iter().flat_map(|customer| history(customer, &mut random)).collect();
    events.shuffle(&mut random);

    for fault in [
        json!({"service": "dynamodb", "error": "throttle", "probability": 0.1}),
        json!({"service": "dynamodb", "error": "drop-response", "probability": 0.05}),
        json!({"service": "sns", "error": "500", "probability": 0.2}),
        json!({"service": "ses", "error": "throttle", "probability": 0.2}),
        json!({"service": "webhook", "error": "500", "probability": 0.2}),
        json!({"service": "sqs", "operation": "ReceiveMessage", "error": "duplicate", "probability": 0.2}),
        json!({"service": "sqs", "operation": "ReceiveMessage", "error": "reorder", "probability": 0.2}),
    ] {
        world.fault(&fault).await;
    }
    for (chunk, killed) in events.chunks(events.len() / KILLED.len()).zip(KILLED) {
        let (status, answer) = world.post(&json!(chunk), &[]).await;
        assert_eq!(status, 202, "seed {seed}: {answer}");
        world.kill(killed).await;
    }
    let rest = events.len() / KILLED.len() * KILLED.len();
    if rest < events.len() {
        let (status, answer) = world.post(&json!(events[rest..]), &[]).await;
        assert_eq!(status, 202, "seed {seed}: {answer}");
    }
    world.clear_faults().await;

    for customer in customers.iter().filter(|customer| customer.erased) {
        // A message or an outbox item may still be under way.
        until(&format!("nothing of {} to be left (seed {seed})", customer.number), || async {
            quiet(&world).await;
            (places_with(&world, &customer.number).await.0 == Some(0)).then_some(())
        })
        .await;
    }
    quiet(&world).await;
    let left = everything(&world).await;
    for Customer { number, word, erased } in &customers {
        assert_eq!(left.contains(word.as_str()), !erased, "seed {seed}: {number}");
        let (code, places) = places_with(&world, number).await;
        assert_eq!(code, Some(i32::from(!erased)), "seed {seed}: {number}: {places:?}");
        let discount = places.iter().any(|place| place["what"] == "DISCOUNT");
        assert!(!erased || !discount, "seed {seed}: {number}: {places:?}");
    }
    world.stop().await;
}
