//! `foostore traffic`: customers enrol, change their name or preferences, and sometimes leave.

use std::sync::Arc;
use std::time::Duration;

use contracts::{ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed};
use envelope::Event as _;
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
        let event = customers.next(&mut rand::rng());
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

struct Customer {
    number: u64,
    enrolled: bool,
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
        Customer { number: self.next_number, enrolled: false }
    }

    fn next(&mut self, random: &mut impl Rng) -> Value {
        let place = random.random_range(0..self.pool.len());
        let customer = &mut self.pool[place];
        let number = customer.number;
        let (kind, data) = if customer.enrolled {
            match random.random_range(0..100) {
                0..60 => (CustomerRenamed::TYPE, json!({"name": name(random)})),
                60..95 => (ContactPreferencesChanged::TYPE, json!({"channels": channels(random)})),
                _ => {
                    self.pool[place] = self.newcomer();
                    (CustomerErased::TYPE, json!({}))
                }
            }
        } else {
            customer.enrolled = true;
            let email = format!("customer-{number}@example.com");
            let locale = pick(&LOCALES, random);
            let data =
                json!({"name": name(random), "email": email, "channels": channels(random), "locale": locale});
            (CustomerEnrolled::TYPE, data)
        };
        json!({"type": kind, "customer_number": format!("{number:012}"), "data": data})
    }
}

fn name(random: &mut impl Rng) -> Value {
    json!({"given": pick(&GIVEN, random), "family": pick(&FAMILY, random)})
}

/// Chooses e-mail nearly always, so that most traces reach SES.
fn channels(random: &mut impl Rng) -> Value {
    if random.random_range(0..10) == 0 { json!(["app"]) } else { json!(["email"]) }
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
        for _ in 0..5000 {
            let event = customers.next(&mut random);
            let number = event["customer_number"].as_str().unwrap().to_owned();
            assert_eq!(number.len(), 12);
            histories.entry(number).or_default().push(event["type"].as_str().unwrap().to_owned());
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
