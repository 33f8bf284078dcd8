//! `foostore traffic`: customers enrol, earn and redeem points, use discounts, change what is known of them, and sometimes
//! leave.

use std::sync::Arc;
use std::time::Duration;

use contracts::{
    ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed, DiscountGifted,
    DiscountRedeemed, PointsEarned, PointsRedeemed,
};
use envelope::Event as _;
use jiff::{SignedDuration, Timestamp};
use rand::seq::IndexedRandom as _;
use rand::{Rng, RngExt as _};
use serde_json::{Value, json};
use service_runtime::Environment;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use webhook_signature::Secrets;

use crate::endpoint::{INGEST_HELP, ingest_url};
use crate::ingest_client::{Answer, IngestClient, http_client};
use crate::signals::Signals;
use crate::stdio::remark;

/// The number of customers at any time.
const POOL: usize = 20;
/// The number of the first customer.
const FIRST: u64 = 200_000_000_000;
/// The most posts in flight.
const POSTS: usize = 64;
const GIVEN: [&str; 8] = ["Alex", "Charlie", "Jo", "Kim", "Nika", "Robin", "Toni", "Uli"];
const FAMILY: [&str; 8] = ["Beispiel", "Doe", "Esempio", "Ejemplo", "Exemple", "Muster", "Roe", "Voorbeeld"];
const LOCALES: [&str; 3] = ["en", "de", "fr"];
/// How long discounts are valid: short enough to see one expire, long enough to see one used.
const VALID: SignedDuration = SignedDuration::from_mins(2);

/// Post example events of made-up customers until stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  foostore traffic
  foostore traffic --url http://ingest:8080 --per-second 20

What is refused or cannot be sent is logged, and the traffic goes on. Ctrl-C ends it.")]
pub(crate) struct TrafficArgs {
    #[arg(long, env = "FOOSTORE_URL", hide_env_values = true, help = INGEST_HELP)]
    url: Option<String>,
    /// Events per second
    #[arg(long, value_name = "EVENTS", default_value_t = 0.5, value_parser = rate)]
    per_second: f64,
    /// Secret to sign requests with, such as whsec_…; several are separated by commas
    #[arg(long, env = "SIGNATURE_SECRET", hide_env_values = true, value_name = "SECRET")]
    signature_secret: Option<Secrets>,
}

/// Parses a rate in events per second.
///
/// # Errors
/// When the rate is not above 0 and at most 1000.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1000.0 => Ok(rate),
        _ => Err("expected a number above 0 and at most 1000".to_owned()),
    }
}

/// Runs the command until Ctrl-C or SIGTERM.
///
/// # Errors
/// When it cannot start.
pub(crate) async fn run(args: TrafficArgs, environment: &Environment) -> anyhow::Result<()> {
    let mut signals = Signals::install()?;
    crate::log_lines::to_standard_error(environment)?;
    let url = ingest_url(args.url.as_deref())?;
    let ingest = IngestClient::new(http_client()?, &url, args.signature_secret);
    remark(&format!("{} events per second to {url}; stop with Ctrl-C", args.per_second));
    tokio::select! {
        () = send(ingest, args.per_second) => {}
        () = signals.next() => {}
    }
    Ok(())
}

/// Sends `rate` events per second, forever.
pub(crate) async fn send(ingest: IngestClient, rate: f64) {
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let permits = Arc::new(Semaphore::new(POSTS));
    let mut customers = Customers::new();
    loop {
        ticks.tick().await;
        let event = customers.next(&mut rand::rng(), Timestamp::now());
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let ingest = ingest.clone();
        tokio::spawn(async move {
            let _permit = permit;
            match ingest.post(&event).await {
                Ok(Answer::Accepted { .. }) => {}
                Ok(Answer::Refused(problem)) => tracing::warn!(problem, "example traffic was refused"),
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "example traffic could not be sent");
                }
            }
        });
    }
}

/// The customers, each with a valid history: enrolled once, then changed, then erased and replaced by a new customer.
struct Customers {
    pool: Vec<Customer>,
    next_number: u64,
}

#[derive(Default)]
struct Customer {
    number: u64,
    enrolled: bool,
    /// Points earned and not redeemed.
    points: u32,
    /// How many discounts the customer was given.
    discounts: u32,
    /// Discounts not used yet, with the times when they expire.
    unused: Vec<(String, Timestamp)>,
}

impl Customers {
    fn new() -> Self {
        let mut customers = Self { pool: Vec::new(), next_number: FIRST };
        for _ in 0..POOL {
            let customer = customers.newcomer();
            customers.pool.push(customer);
        }
        customers
    }

    fn newcomer(&mut self) -> Customer {
        self.next_number += 1;
        Customer { number: self.next_number, ..Customer::default() }
    }

    /// Returns the next event, which happens at `now`.
    fn next(&mut self, random: &mut impl Rng, now: Timestamp) -> Value {
        let place = random.random_range(0..self.pool.len());
        let number = self.pool[place].number;
        let (kind, data) = if self.pool[place].enrolled && random.random_range(0..100) < 4 {
            self.pool[place] = self.newcomer();
            (CustomerErased::TYPE, json!({}))
        } else {
            self.pool[place].next(random, now)
        };
        json!({"type": kind, "customer_number": format!("{number:012}"), "data": data})
    }
}

impl Customer {
    /// Returns the type and the data of what the customer does next.
    fn next(&mut self, random: &mut impl Rng, now: Timestamp) -> (&'static str, Value) {
        if !self.enrolled {
            self.enrolled = true;
            return (CustomerEnrolled::TYPE, enrolment(self.number, random));
        }
        self.unused.retain(|(_, valid_until)| *valid_until > now);
        match random.random_range(0..100) {
            0..50 => self.earn(random),
            50..65 if self.points > 0 => {
                let points = random.random_range(1..=self.points);
                self.points -= points;
                (PointsRedeemed::TYPE, json!({"points": points}))
            }
            65..75 => self.gift(random, now),
            75..80 => match self.unused.pop() {
                Some((discount_id, _)) => (DiscountRedeemed::TYPE, json!({"discount_id": discount_id})),
                None => self.earn(random),
            },
            80..90 => (CustomerRenamed::TYPE, json!({"name": name(random)})),
            _ => (ContactPreferencesChanged::TYPE, json!({"channels": channels(random)})),
        }
    }

    fn earn(&mut self, random: &mut impl Rng) -> (&'static str, Value) {
        let points = random.random_range(10..=500);
        self.points += points;
        (PointsEarned::TYPE, json!({"points": points}))
    }

    fn gift(&mut self, random: &mut impl Rng, now: Timestamp) -> (&'static str, Value) {
        self.discounts += 1;
        let discount_id = format!("GIFT-{}", self.discounts);
        let valid_until = now.saturating_add(VALID).unwrap_or(now);
        self.unused.push((discount_id.clone(), valid_until));
        (DiscountGifted::TYPE, gift(&discount_id, valid_until, random))
    }
}

/// Returns the data of an enrolment of the customer with this number.
pub(super) fn enrolment(number: u64, random: &mut impl Rng) -> Value {
    let email = format!("customer-{number}@example.com");
    let locale = pick(&LOCALES, random);
    json!({"name": name(random), "email": email, "channels": channels(random), "locale": locale})
}

/// Returns the data of a gift.
pub(super) fn gift(discount_id: &str, valid_until: Timestamp, random: &mut impl Rng) -> Value {
    let value = if random.random_bool(0.5) {
        json!({"percentage": random.random_range(1..=30)})
    } else {
        json!({"amount": {"minor_units": random.random_range(1..=20) * 100, "currency": "EUR"}})
    };
    json!({"discount_id": discount_id, "value": value, "valid_until": valid_until})
}

/// Makes up a name.
pub(super) fn name(random: &mut impl Rng) -> Value {
    json!({"given": pick(&GIVEN, random), "family": pick(&FAMILY, random)})
}

/// Chooses e-mail nearly always, so that most traces reach SES.
pub(super) fn channels(random: &mut impl Rng) -> Value {
    match random.random_range(0..10) {
        0 => json!(["app"]),
        1..4 => json!(["email", "app"]),
        _ => json!(["email"]),
    }
}

fn pick<'a>(from: &[&'a str], random: &mut impl Rng) -> &'a str {
    from.choose(random).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn every_history_is_valid() {
        let mut customers = Customers::new();
        let mut random = StdRng::seed_from_u64(1);
        let mut histories: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut balances: BTreeMap<String, u64> = BTreeMap::new();
        for _ in 0..5000 {
            let event = customers.next(&mut random, Timestamp::UNIX_EPOCH);
            let number = event["customer_number"].as_str().unwrap().to_owned();
            assert_eq!(number.len(), 12);
            let kind = event["type"].as_str().unwrap();
            let points = event["data"]["points"].as_u64().unwrap_or_default();
            let balance = balances.entry(number.clone()).or_default();
            match kind {
                PointsEarned::TYPE => *balance += points,
                _ => *balance = balance.checked_sub(points).expect("nobody redeems points they lack"),
            }
            histories.entry(number).or_default().push(kind.to_owned());
        }
        for kind in [PointsRedeemed::TYPE, DiscountGifted::TYPE, DiscountRedeemed::TYPE, CustomerErased::TYPE]
        {
            assert!(histories.values().flatten().any(|seen| seen == kind), "{kind}");
        }
        assert!(histories.len() > POOL);
        for history in histories.values() {
            assert_eq!(history[0], CustomerEnrolled::TYPE);
            assert_eq!(history.iter().filter(|kind| *kind == CustomerEnrolled::TYPE).count(), 1);
            let erased = history.iter().position(|kind| kind == CustomerErased::TYPE);
            assert!(erased.is_none_or(|place| place == history.len() - 1));
        }
    }
}
